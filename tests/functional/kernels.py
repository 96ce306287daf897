#!/usr/bin/env python3
"""Kernels beside linux-virt: another package with compressed modules, two of them in one image, one that is not there. The other
kernel is that of linux-virt under another name and release."""

import gzip
import json
import pathlib
import re
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from apk_repository import Repository  # noqa: E402
from harness import NEEDS_ALPINE, RELEASE, MirrorCase, main  # noqa: E402

RECIPE = """imgforge: 1
name: kernels
base: {{ alpine: {{ release: "{release}" }} }}
packages:
  add: [alpine-base, openrc, {kernels}]
  repositories: [main, community, "{extra}"]
  keys: [{key}, {mirror_key}]
services: {{ sysinit: [devfs, dmesg], boot: [hostname, bootmisc], shutdown: [killprocs, mount-ro] }}
users: [{{ name: root, password: none }}]
requirements: {{ memory: 384M }}
boot: {{ expect: ["login:"] }}
formats: [raw]
{more}
"""


def other_kernel(package):
    """The files of a linux-virt as linux-lts: release and name of the image changed, modules compressed."""
    with tarfile.open(package) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile() and not member.name.startswith(".")}
    release = next(path for path in files if path.endswith("/modules.dep")).split("/")[2]
    other = release[:-4] + "-lts"
    out = {}
    for path, content in files.items():
        if path.endswith("vmlinuz-virt"):
            content = content.replace(release.encode(), other.encode())
        if path.endswith(".ko"):
            path, content = path + ".gz", gzip.compress(content, mtime=0)
        if path.endswith(("/modules.dep", "/modules.softdep")):
            content = content.replace(b".ko", b".ko.gz")
        out[path.replace("-virt", "-lts").replace("/virt/", "/lts/").replace(release, other)] = content
    return release, other, {path: content for path, content in out.items() if not path.endswith((".bin", "System.map-lts"))}


@NEEDS_ALPINE
class Kernels(MirrorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.extra = Repository(cls.mirror.folder / f"v{RELEASE}" / "extra")
        (virt,) = (cls.mirror.folder / f"v{RELEASE}" / "main" / "x86_64").glob("linux-virt-*.apk")
        cls.virt, cls.other, files = other_kernel(virt)
        cls.extra.publish(("linux-lts", "6.1.192-r0", "", files))

    def recipe(self, kernels, more=""):
        text = RECIPE.format(release=RELEASE, kernels=kernels, extra=f"{self.mirror.url()}/v{RELEASE}/extra", key=self.extra.key,
                             mirror_key=self.mirror.key, more=more)
        path = self.scratch / f"{self.id().rsplit('.', 1)[1]}.yaml"
        path.write_text(text)
        return path

    def build(self, recipe, *words):
        return self.ok("build", recipe, "--allow-host-files", "--mirror", self.mirror.url(), "--json", *words, timeout=900)

    def test_1_another_package_with_compressed_modules_boots(self):
        result = self.build(self.recipe("linux-lts", "kernel: { package: linux-lts }"), "--boot-test")
        (profile,) = json.loads(result.stdout)["profiles"]
        self.assertEqual([boot["path"] for boot in profile["boots"]], ["disk BIOS", "disk UEFI"])
        self.assertIn(self.other, self.ok("inspect", self.out / "releases" / "kernels" / "current" / "kernels.img").stdout)

    def test_2_of_two_the_named_one_boots_and_the_other_is_in_the_menu(self):
        for package, order in (("linux-lts", [self.other, self.virt]), ("linux-virt", [self.virt, self.other])):
            self.build(self.recipe("linux-lts, linux-virt", f"kernel: {{ package: {package} }}"), "--unsigned")
            disk = self.out / "releases" / "kernels" / "current" / "kernels.img"
            versions = [re.search(r"version (\S+)", subprocess.run(
                ["mtype", "-i", f"{disk}@@1M", f"::loader/entries/{entry}.conf"], check=True, capture_output=True, text=True).stdout).group(1)
                for entry in ("imgforge", "imgforge-1")]
            self.assertEqual(versions, order)

    def test_3_a_service_that_fails_is_told_though_the_image_is_ready(self):
        recipe = self.recipe("linux-virt", "files: [{ path: /etc/init.d/broken, mode: \"0755\", content: "
                             "\"#!/sbin/openrc-run\\nstart() { return 1; }\\n\" }]")
        recipe.write_text(recipe.read_text().replace("boot: [hostname, bootmisc]", "boot: [hostname, bootmisc, broken]"))
        result = self.build(recipe, "--boot-test", "--boot-path", "disk BIOS", "--unsigned")
        self.assertIn("ERROR: broken failed to start", result.stderr)
        boot = self.ok("boot", self.out / "releases" / "kernels" / "current" / "kernels.img", "--path", "disk BIOS", "--json")
        self.assertIn("broken failed to start", " ".join(json.loads(boot.stdout)["boots"][0]["complaints"]))

    def test_4_one_that_is_not_there_is_refused(self):
        recipe = self.recipe("linux-virt", "kernel: { package: linux-lts }")
        self.fails(1, "build", recipe, "--allow-host-files", "--unsigned", "--mirror", self.mirror.url(),
                   says=["no kernel of linux-lts", "packages.add: linux-lts"])


if __name__ == "__main__":
    main()
