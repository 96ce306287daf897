#!/usr/bin/env python3
"""A base whose /bin, /lib and /sbin are links into /usr and whose /etc/os-release is a link, as Alpine's are from 3.23 on: made of the
mirror's own base."""

import hashlib
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import NEEDS_ALPINE, RELEASE, MirrorCase, main  # noqa: E402

MERGED = ("bin", "lib", "sbin")
RECIPE = r"""imgforge: 1
name: merged
base: {{ alpine: {{ release: "{release}" }} }}
packages: {{ add: [alpine-base, openrc, linux-virt], keys: [{key}] }}
services: {{ sysinit: [devfs, dmesg], boot: [hostname, bootmisc], shutdown: [killprocs, mount-ro] }}
users: [{{ name: root, password: none }}]
files:
  - {{ path: /lib/imgforge-test/x, content: "below lib\n" }}
  - {{ path: /sbin/hello, content: "#!/bin/sh\necho hello\n", mode: "0755" }}
links: [{{ path: /sbin/greet, target: hello }}]
run: ["/usr/sbin/greet >/etc/greeting"]
requirements: {{ memory: 384M }}
boot: {{ expect: ["login:"] }}
formats: [rootfs, raw]
"""


def merge(source, target):
    """The tar `source` with its folders merged into /usr."""
    with tarfile.open(source) as old, tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as new:
        seen = set()
        for member in old:
            name = member.name.removeprefix("./").rstrip("/")
            top, _, rest = name.partition("/")
            if name in MERGED:
                continue
            if top in MERGED:
                name = f"usr/{top}/{rest}"
            if member.issym() and top in MERGED and not member.linkname.startswith("/") and member.linkname.startswith("../"):
                member.linkname = "../" + member.linkname
            member.linkname = re.sub("^(bin|lib|sbin)/", r"usr/\1/", member.linkname) if member.islnk() else member.linkname
            if name in seen:
                continue
            seen.add(name)
            content = old.extractfile(member).read() if member.isfile() else b""
            if name == "etc/os-release" and member.isfile():
                moved = tarfile.TarInfo("usr/lib/os-release")
                moved.size, moved.mode, moved.mtime = len(content), 0o644, member.mtime
                new.addfile(moved, io.BytesIO(content))
                member.type, member.linkname, member.size, content = tarfile.SYMTYPE, "../usr/lib/os-release", 0, b""
            member.name = "./" + name if name else "./"
            new.addfile(member, io.BytesIO(content))
        for name in MERGED:
            link = tarfile.TarInfo("./" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "usr/" + name
            new.addfile(link)


@NEEDS_ALPINE
class MergedUsr(MirrorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.mirror.folder / f"v{RELEASE}" / "releases" / "x86_64"
        (base,) = folder.glob("alpine-minirootfs-*-x86_64.tar.gz")
        old = base.read_bytes()
        moved = cls.scratch / "merged.tar.gz"
        merge(base, moved)
        new = moved.read_bytes()
        base.write_bytes(new)
        for file in folder.iterdir():
            if file.suffix in (".yaml", ".sha256", ".sha512"):
                text = file.read_text().replace(f"size: {len(old)}", f"size: {len(new)}")
                for algorithm in (hashlib.sha256, hashlib.sha512):
                    text = text.replace(algorithm(old).hexdigest(), algorithm(new).hexdigest())
                file.write_text(text)
        cls.recipe = cls.scratch / "merged.yaml"
        cls.recipe.write_text(RECIPE.format(release=RELEASE, key=cls.mirror.key))

    def test_1_the_image_keeps_its_links_and_boots(self):
        result = self.ok("build", self.recipe, "--allow-host-files", "--mirror", self.mirror.url(), "--boot-test", "--json", timeout=900)
        (profile,) = json.loads(result.stdout)["profiles"]
        self.assertEqual([boot["path"] for boot in profile["boots"]], ["disk BIOS", "disk UEFI"])
        release = self.out / "releases" / "merged" / "current"
        archive = release / "merged.rootfs.tar.zst"
        listing = subprocess.run(["tar", "--zstd", "-tvf", archive], check=True, capture_output=True, text=True).stdout
        for name in MERGED:
            self.assertRegex(listing, rf"(?m)^l.* \.?/?{name} -> usr/{name}$")
        for name in ("usr/lib/imgforge-test/x", "usr/sbin/hello", "usr/sbin/greet -> hello", "usr/lib/apk/db/installed", "etc/greeting"):
            self.assertIn(name, listing)
        names = subprocess.run(["tar", "--zstd", "-tf", archive], check=True, capture_output=True, text=True).stdout.splitlines()
        self.assertEqual([name for name in names if name.startswith(("bin/", "lib/", "sbin/"))], [])
        greeting = subprocess.run(["tar", "--zstd", "-xOf", archive, "etc/greeting"], capture_output=True, text=True)
        self.assertEqual(greeting.stdout, "hello\n", greeting.stderr)
        manifest = json.loads((release / "manifest.json").read_text())
        self.assertIn("alpine-baselayout", {row["name"] for row in manifest["packages"]}, "the base's own packages are listed")
        self.assertIn("Alpine Linux", self.ok("inspect", archive, "--deep").stdout)

    def test_2_what_would_replace_such_a_link_is_refused(self):
        for entry in ("links: [{ path: /lib, target: elsewhere }]", 'files: [{ path: /sbin, content: "" }]'):
            recipe = self.scratch / "replaces.yaml"
            recipe.write_text(f"imgforge: 1\nname: replaces\nbase: embedded\n{entry}\n")
            self.fails(2, "validate", recipe, says="is a folder of the system and stays one")


if __name__ == "__main__":
    main()
