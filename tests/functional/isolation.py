#!/usr/bin/env python3
"""The sandboxes of builds from outside: the same bytes out of each, the choice told and recorded, nothing left of killed builds,
two builds at once on one cache."""

import hashlib
import io
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from apk_repository import Repository  # noqa: E402
from harness import PROGRAM, RELEASE, SOURCE, Case, Mirror, NEEDS_ALPINE, children_of, main, wait_for  # noqa: E402

HELLO = SOURCE / "recipes" / "hello-boot.yaml"
SLOW = """imgforge: 1
name: slow
base: embedded
hostname: slow
run: ["echo begun >/begun; sleep 300"]
formats: [rootfs]
"""
# What a script sees of the place where it runs.
SURROUNDINGS = """imgforge: 1
name: surroundings
base: embedded
hostname: surroundings
run:
  - env | sort >/environment
  - (pwd; umask; id; hostname; tty; ulimit -c) >/state || true
  - ls -a / >/listing
formats: [rootfs]
"""


class SandboxCase(Case):
    def build(self, recipe, *words, cache, prefix=(), **options):
        """Digests of the root file systems, by line."""
        words = [*map(str, prefix), PROGRAM, "--output-dir", f"{cache}-out", "--cache-dir", cache, "build", recipe, "--unsigned",
                 "--format", "rootfs", "--json", *words]
        result = subprocess.run([str(word) for word in words], env=self.environment(**options), capture_output=True, text=True,
                                timeout=1500, stdin=subprocess.DEVNULL)
        self.assert_exit(result, 0)
        profiles = json.loads(result.stdout)["profiles"]
        self.manifests = [json.loads((pathlib.Path(p["directory"]) / "manifest.json").read_text()) for p in profiles]
        return {p["line"]: [a["sha256"] for a in p["artifacts"]] for p in profiles}

    def nobody(self):
        """A user without ranges of ids, the words that make one of root, and a folder of its own."""
        user = pwd.getpwnam("nobody")
        for table in ("/etc/subuid", "/etc/subgid"):
            if os.path.exists(table):
                self.assertNotIn("nobody:", pathlib.Path(table).read_text())
        os.chmod(self.scratch, 0o755)
        folder = self.scratch / "nobody"
        folder.mkdir(exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
        return ["setpriv", "--reuid", user.pw_uid, "--regid", user.pw_gid, "--clear-groups"], folder


class Isolation(SandboxCase):
    def wait_for_script(self, process):
        def works():
            return any(b"sleep\x00300" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes() for child in children_of(process.pid)
                       if os.path.exists(f"/proc/{child}/cmdline"))
        wait_for(works, "the run step did not begin", 60)

    def test_the_choice_is_told_recorded_and_shown(self):
        for words, told in ((["--isolation", "namespace"], "namespaces (--isolation says so)"), ([], None)):
            result = self.ok("build", HELLO, "--unsigned", "--format", "rootfs", "--set", f"hostname=h{len(words)}", "--set",
                             f"version=v2026010{len(words)}", *words)
            lines = [line.strip() for line in result.stderr.splitlines() if line.strip().startswith("sandbox:")]
            self.assertEqual(len(lines), 1, result.stderr)
            if told:
                self.assertEqual(lines[0], f"sandbox: {told}")
        manifest = json.loads(self.ok("show", "hello-boot@v20260102", "--json").stdout)["release"]["manifest"]
        self.assertEqual(manifest["isolation"], "namespaces")
        self.assertIn("made in    namespaces", self.ok("show", "hello-boot@v20260102").stdout)

    def test_environment_and_configuration_choose_too(self):
        result = self.ok("doctor", "--json", env={"IMGFORGE_ISOLATION": "namespace"})
        finding = next(row for row in json.loads(result.stdout)["findings"] if row["subject"] == "sandbox of builds")
        self.assertRegex(finding["detail"], r"^namespaces \((range|notify)\): --isolation says so$")
        config = self.home / "config" / "imgforge"
        config.mkdir(parents=True, exist_ok=True)
        (config / "config.yaml").write_text("isolation: appliance\n")
        self.addCleanup((config / "config.yaml").unlink)
        self.assertIn("appliance", self.ok("doctor").stdout)
        (config / "config.yaml").write_text("isolation: chroot\n")
        self.fails(2, "doctor", says=["config.yaml:1:1", "chroot"])

    def test_killed_and_interrupted_builds_leave_nothing(self):
        mounts = pathlib.Path("/proc/mounts").read_text()
        for number in (signal.SIGINT, signal.SIGKILL):
            words = [PROGRAM, "--output-dir", self.out, "build", self.recipe(SLOW), "--unsigned", "--isolation", "namespace"]
            process = subprocess.Popen(list(map(str, words)), env=self.environment(), stderr=subprocess.PIPE, text=True,
                                       stdin=subprocess.DEVNULL)
            self.addCleanup(process.kill)
            self.wait_for_script(process)
            descendants = children_of(process.pid)
            process.send_signal(number)
            stderr = process.communicate(timeout=30)[1]
            self.assertEqual(process.returncode, 130 if number == signal.SIGINT else -9, stderr)
            wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in descendants), "processes are left", 10)
            self.assertEqual(pathlib.Path("/proc/mounts").read_text(), mounts)
        self.ok("build", HELLO, "--unsigned", "--format", "rootfs")
        self.assertEqual(list((self.home / "cache" / "imgforge" / "tmp").iterdir()), [])

    def test_two_builds_at_once_on_one_cache(self):
        recipes = []
        for name in ("one", "two"):
            recipes.append(self.recipe(SLOW.replace("slow", name).replace("sleep 300", "sleep 2"), f"{name}.yaml"))
        processes = [subprocess.Popen([PROGRAM, "--output-dir", str(self.out), "build", str(recipe), "--unsigned", "--json"],
                                      env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                     for recipe in (*recipes, recipes[0])]
        digests = {}
        for process in processes:
            out, err = process.communicate(timeout=240)
            self.assertEqual(process.returncode, 0, err)
            (profile,) = json.loads(out)["profiles"]
            digests.setdefault(profile["line"], set()).add(profile["artifacts"][0]["sha256"])
        self.assertEqual(sorted(digests), ["one", "two"])
        self.assertTrue(all(len(found) == 1 for found in digests.values()), digests)


@NEEDS_ALPINE
class SameBytes(SandboxCase):
    """Every shipped recipe with every profile, in the appliance, in namespaces with a range of ids and with one id."""

    def test_in_the_appliance_and_in_namespaces(self):
        mirror = Mirror(self.scratch)
        self.addCleanup(mirror.close)
        prefix, folder = self.nobody()
        program = folder / "imgforge"
        shutil.copy(PROGRAM, program)
        recipes = self.scratch / "recipes"
        # Other tests put copies with a dot there while they run.
        shutil.copytree(SOURCE / "recipes", recipes, ignore=shutil.ignore_patterns(".*"))
        (recipes / "surroundings.yaml").write_text(SURROUNDINGS)
        for recipe in sorted(recipes.glob("*.yaml")):
            words = []
            if recipe.stem not in ("hello-boot", "surroundings"):
                recipe = self.served_copy(recipe, mirror)
                words = ["--mirror", mirror.url(), "--set", f"base.alpine.release={RELEASE}", "--set",
                         f"packages.keys={mirror.key}"]
            with self.subTest(recipe=recipe.name):
                ranged = self.build(recipe, *words, "--isolation", "namespace", cache=self.scratch / "range")
                self.assertEqual({m["isolation"] for m in self.manifests}, {"namespaces"})
                one_id = self.build(recipe, *words, "--isolation", "namespace", cache=folder / "cache", prefix=prefix,
                                    HOME=str(folder), XDG_CACHE_HOME=str(folder), XDG_CONFIG_HOME=str(folder))
                self.assertEqual(one_id, ranged)
                appliance = self.build(recipe, *words, "--isolation", "appliance", cache=self.scratch / "appliance")
                self.assertEqual({m["isolation"] for m in self.manifests}, {"appliance"})
                self.assertEqual(appliance, ranged)


# What `setcap cap_net_raw+ep` writes: struct vfs_ns_cap_data of linux/capability.h, revision 2.
CAPABILITY = "\x01\0\0\x02\0\x20" + "\0" * 14
ATTRIBUTES = {"security.capability": CAPABILITY, "user.note": "text"}


@NEEDS_ALPINE
class Attributes(SandboxCase):
    """Extended attributes of files of the base and of packages, out of both sandboxes into every format."""

    FILES = ["usr/bin/of-base", "usr/bin/of-package"]

    def setUp(self):
        self.mirror = Mirror(self.scratch)
        self.addCleanup(self.mirror.close)
        extra = Repository(self.mirror.folder / f"v{RELEASE}" / "extra")
        extra.publish(("of-package", "1.0-r0", "", None, ATTRIBUTES))
        self.add_to_base("./usr/bin/of-base", ATTRIBUTES)
        self.file = self.recipe(f"""imgforge: 1
name: attributes
base: {{ alpine: {{ release: "{RELEASE}", mirrors: ["{self.mirror.url()}"] }} }}
packages:
  repositories: [main, extra]
  keys: ["{self.mirror.key}", "{extra.key}"]
  add: [linux-virt, of-package]
disk: {{ size: 128M }}
""")

    def add_to_base(self, name, attributes):
        """Adds a file to the mirror's base, with the digests that belong to it."""
        folder = self.mirror.folder / f"v{RELEASE}" / "releases" / "x86_64"
        base = next(folder.glob(f"alpine-minirootfs-{RELEASE}*.tar.gz"))
        before = base.read_bytes()
        content = io.BytesIO()
        with tarfile.open(base) as old, tarfile.open(fileobj=content, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
            for entry in old:
                tar.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in attributes.items()}
            tar.addfile(info)
        after = content.getvalue()
        base.unlink()
        base.write_bytes(after)
        listing = folder / "latest-releases.yaml"
        text = listing.read_text().replace(f"size: {len(before)}", f"size: {len(after)}")
        for algorithm in ("sha256", "sha512"):
            digest = hashlib.new(algorithm, after).hexdigest()
            text = text.replace(hashlib.new(algorithm, before).hexdigest(), digest)
            (folder / f"{base.name}.{algorithm}").write_text(f"{digest}  {base.name}\n")
        listing.write_text(text)

    def attributes_in_tar(self, content):
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            headers = {entry.name: entry.pax_headers for entry in tar if entry.name in self.FILES}
        return {name: {key.removeprefix("SCHILY.xattr."): value for key, value in found.items() if "xattr" in key}
                for name, found in headers.items()}

    def partition(self, disk, label):
        """That partition of a raw disk as a file."""
        rows = json.loads(subprocess.run(["sfdisk", "-J", disk], check=True, capture_output=True, text=True).stdout)
        row = next(row for row in rows["partitiontable"]["partitions"] if row["name"].startswith(label))
        file = self.scratch / label
        subprocess.run(["dd", f"if={disk}", f"of={file}", "bs=512", f"skip={row['start']}", f"count={row['size']}", "conv=sparse"],
                       check=True, capture_output=True)
        return file

    @unittest.skipUnless(os.geteuid() == 0, "unpacks capabilities")
    def test_capabilities_come_through(self):
        cache = self.scratch / "namespace"
        formats = [word for name in ("oci", "qcow2", "usb") for word in ("--format", name)]
        digests = self.build(self.file, *formats, "--isolation", "namespace", cache=cache)
        folder = pathlib.Path(f"{cache}-out") / "releases" / "attributes" / "current"
        expected = {name: ATTRIBUTES for name in self.FILES}

        with self.subTest("rootfs"):
            unpacked = subprocess.run(["zstd", "-dcf", folder / "attributes.rootfs.tar.zst"], check=True, capture_output=True).stdout
            self.assertEqual(self.attributes_in_tar(unpacked), expected)
        with self.subTest("oci"), tarfile.open(folder / "attributes.oci.tar") as archive:
            layer = max((entry for entry in archive if "blobs/" in entry.name), key=lambda entry: entry.size)
            layer = subprocess.run(["zstd", "-dc"], input=archive.extractfile(layer).read(), check=True, capture_output=True).stdout
            self.assertEqual(self.attributes_in_tar(layer), expected)
        with self.subTest("ext4"):
            disk = self.scratch / "disk.raw"
            subprocess.run(["qemu-img", "convert", "-O", "raw", folder / "attributes.qcow2", disk], check=True)
            root = self.partition(disk, "root")
            for name in self.FILES:
                shown = subprocess.run(["debugfs", "-R", f"ea_list /{name}", root], check=True, capture_output=True, text=True).stdout
                self.assertIn("security.capability (20) = 01 00 00 02 00 20 00", shown)
                self.assertIn('user.note (4) = "text"', shown)
        with self.subTest("squashfs"):
            target = self.scratch / "unpacked"
            subprocess.run(["unsquashfs", "-d", target, self.partition(folder / "attributes-usb.img", "system"), *self.FILES],
                           check=True, capture_output=True)
            for name in self.FILES:
                self.assertEqual(os.getxattr(target / name, "security.capability"), CAPABILITY.encode())
        with self.subTest("appliance"):
            appliance = self.build(self.file, "--isolation", "appliance", cache=self.scratch / "appliance")
            self.assertIn(appliance["attributes"][0], digests["attributes"])


if __name__ == "__main__":
    main()
