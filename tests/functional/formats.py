#!/usr/bin/env python3
"""Every format of the embedded image, looked at by the programs of other people, made twice with equal bytes, and started by
its paths. Needs no mirror."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import SOURCE, Case, main  # noqa: E402

FORMATS = ["qcow2", "raw", "vmdk", "vhdx", "vdi", "iso", "usb", "netboot", "rootfs", "oci"]
RECIPE = SOURCE / "recipes" / "hello-boot.yaml"


def wanted(*names):
    return [word for name in names for word in ("--format", name)]


def tool(*words, code=0, **options):
    """Output of a program that must end with that code."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)
    if result.returncode != code:
        raise AssertionError(f"{words} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout + result.stderr


class Formats(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "formats@test", "--no-passphrase").check_returncode()
        built = cls.run_imgforge("build", RECIPE, *wanted(*FORMATS), "--json")
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        cls.built = json.loads(built.stdout)

    def file(self, name):
        return self.out / "releases" / "hello-boot" / "current" / f"hello-boot{name}"

    def part(self, image, number):
        """A partition of a disk image as a file of its own."""
        table = json.loads(tool("sfdisk", "-J", image))["partitiontable"]["partitions"][number - 1]
        copy = self.scratch / f"{image.name}.part{number}"
        tool("dd", f"if={image}", f"of={copy}", "bs=512", f"skip={table['start']}", f"count={table['size']}", "conv=sparse",
             "status=none")
        return copy

    def test_01_the_release_verifies(self):
        release = self.out / "releases" / "hello-boot" / "current"
        report = self.ok("verify", release)
        for word in ("qcow2, 128M disk", "vmdk, 128M disk", "vhdx, 128M disk", "vdi, 128M disk", "GPT, 2 partitions",
                     "GPT, 3 partitions", "El Torito for BIOS and UEFI", "block map of", "iPXE script", "squashfs,", "OCI layout, 1 layer"):
            self.assertIn(word, report.stdout)

    def test_02_disks_pass_their_own_programs(self):
        for name in ("qcow2", "vmdk", "vhdx", "vdi"):
            tool("qemu-img", "check", "-f", name, self.file("." + name))
            tool("qemu-img", "compare", "-f", name, "-F", "raw", self.file("." + name), self.file(".img"))
        self.assertIn("No errors detected", tool("sfdisk", "-V", self.file(".img")))
        tool("fsck.vfat", "-n", self.part(self.file(".img").resolve(), 1))
        tool("fsck.ext4", "-fn", self.part(self.file(".img").resolve(), 2))

    def test_03_the_iso_passes_xorriso(self):
        report = tool("xorriso", "-indev", f"stdio:{self.file('.iso')}", "-report_el_torito", "plain", "-report_system_area", "plain")
        self.assertRegex(report, r"El Torito boot img :\s+1\s+BIOS\s+y")
        self.assertRegex(report, r"El Torito boot img :\s+2\s+UEFI\s+y")
        self.assertIn("MBR isohybrid", report)
        self.assertIn("No errors detected", tool("sfdisk", "-V", self.file(".iso")))
        self.assertIn("/imgforge/root.squashfs", tool("xorriso", "-indev", f"stdio:{self.file('.iso')}", "-find", "/"))

    def test_04_the_stick_passes_and_bmaptool_writes_it(self):
        image = self.file("-usb.img").resolve()
        self.assertIn("No errors detected", tool("sfdisk", "-V", image))
        tool("fsck.vfat", "-n", self.part(image, 1))
        tool("unsquashfs", "-s", self.part(image, 2))
        tool("fsck.ext4", "-fn", self.part(image, 3))
        # A stick that was full of something else before.
        target = self.scratch / "stick"
        target.write_bytes(b"\xa5" * image.stat().st_size)
        tool("bmaptool", "copy", "--bmap", self.file("-usb.img.bmap"), image, target)
        self.assertIn("No errors detected", tool("sfdisk", "-V", target))
        tool("fsck.vfat", "-n", self.part(target, 1))
        tool("fsck.ext4", "-fn", self.part(target, 3))
        spoilt = self.scratch / "spoilt-usb.img"
        shutil.copy(image, spoilt)
        with open(spoilt, "r+b") as file:
            file.seek(2 << 20)
            file.write(b"spoilt")
        self.assertIn("mismatch", tool("bmaptool", "copy", "--bmap", self.file("-usb.img.bmap"), spoilt,
                                       self.scratch / "other-stick", code=1))

    def test_05_archives_are_read_by_others(self):
        self.assertIn("bin/busybox", tool("tar", "--zstd", "-tf", self.file(".rootfs.tar.zst")))
        tool("unsquashfs", "-s", self.file("-root.squashfs"))
        layout = self.scratch / "oci"
        layout.mkdir()
        tool("tar", "-xf", self.file(".oci.tar"), "-C", layout)
        for place in (f"oci:{layout}", f"oci-archive:{self.file('.oci.tar').resolve()}"):
            shown = json.loads(tool("skopeo", "inspect", place))
            self.assertEqual((shown["Architecture"], shown["Os"], len(shown["Layers"])), ("amd64", "linux", 1))
        index = json.loads((layout / "index.json").read_text())
        name = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        self.assertRegex(name, r"^[a-z0-9._-]+:[0-9a-f]{12}$")
        # As README says it for docker.
        packed, docker = self.scratch / "gzip.oci.tar", self.scratch / "docker.tar"
        tool("skopeo", "copy", "--dest-compress-format", "gzip", f"oci-archive:{self.file('.oci.tar').resolve()}",
             f"oci-archive:{packed}")
        tool("skopeo", "copy", f"oci-archive:{packed}", f"docker-archive:{docker}:{name}")
        self.assertEqual(json.loads(tool("tar", "-xOf", docker, "manifest.json"))[0]["RepoTags"], [f"docker.io/library/{name}"])
        tool("skopeo", "copy", f"oci:{layout}", f"dir:{self.scratch / 'copied'}")

    def test_06_equal_inputs_give_equal_bytes(self):
        other = self.scratch / "other"
        again = self.ok("build", RECIPE, *wanted(*FORMATS), "--json", output_dir=other / "out",
                        env={"XDG_CACHE_HOME": str(other / "cache")})
        first = {pathlib.Path(row["file"]).name: row["sha256"] for row in self.built["profiles"][0]["artifacts"]}
        second = {pathlib.Path(row["file"]).name: row["sha256"] for row in json.loads(again.stdout)["profiles"][0]["artifacts"]}
        self.assertEqual(first, second)
        self.assertEqual(len(first), 14)

    def test_07_cd_and_network_start(self):
        result = self.ok("boot", self.file(".iso"), "--path", "cd BIOS", "--path", "cd UEFI", "--json", "--run",
                         "grep -c squashfs /proc/mounts")
        self.assertEqual([row["path"] for row in json.loads(result.stdout)["boots"]], ["cd BIOS", "cd UEFI"])
        result = self.ok("boot", self.file(".ipxe"), "--path", "kernel", "--path", "network", "--json")
        self.assertEqual([row["path"] for row in json.loads(result.stdout)["boots"]], ["kernel", "network"])

    def test_07_the_files_of_the_iso_start_from_a_fat_stick(self):
        # As Rufus copies them, and whoever drags them to a stick.
        tree, stick = self.scratch / "tree", self.scratch / "fat.img"
        tool("xorriso", "-osirrox", "on", "-indev", self.file(".iso").resolve(), "-extract", "/", tree)
        tool("chmod", "-R", "u+w", tree)
        tool("truncate", "-s", "300M", stick)
        tool("mkfs.vfat", "-F32", stick)
        tool("mcopy", "-s", "-i", stick, *tree.iterdir(), "::")
        boot = self.ok("boot", stick, "--path", "disk UEFI", "--expect", "hello world", "--memory", "512M", "--json", "--run",
                       "cat /proc/mounts")
        self.assertIn(" vfat ", json.loads(boot.stdout)["boots"][0]["commands"][0]["output"])

    def test_08_a_stick_grows_to_its_end(self):
        stick = self.scratch / "large-usb.img"
        shutil.copy(self.file("-usb.img"), stick)
        stick.chmod(0o644)
        with open(stick, "r+b") as file:
            file.truncate(400 << 20)
        # The kernel of the embedded image has no USB; the same bytes start as a disk.
        boot = self.ok("boot", stick, "--path", "disk BIOS", "--expect", "hello world", "--memory", "256M", "--json", "--run",
                       "df -k /run/imgforge/overlay")
        (row,) = json.loads(boot.stdout)["boots"][0]["commands"]
        size = int(re.search(r"\s(\d+)\s+\d+\s+\d+\s+\d+%", row["output"]).group(1))
        self.assertGreater(size, 300 << 10, row["output"])

    def test_09_the_recovery_entry_opens_a_shell_before_root(self):
        out = self.scratch / "recovery"
        self.ok("build", RECIPE, "--set", "boot.default=recovery", "--set", "boot.timeout=1", output_dir=out)
        boot = self.ok("boot", out / "images" / "hello-boot.qcow2", "--expect", "imgforge: recovery shell", "--json")
        self.assertEqual([row["path"] for row in json.loads(boot.stdout)["boots"]], ["disk BIOS", "disk UEFI"])

    def test_10_what_cannot_be_made_is_refused(self):
        self.fails(2, "build", RECIPE, "--format", "isoo", says='did you mean "iso"?')
        out = self.scratch / "refused"
        self.fails(1, "build", RECIPE, "--set", "kernel.initramfs_modules=no_such_module", output_dir=out,
                   says="has no module no_such_module")
        self.assertFalse((out / "releases" / "hello-boot").exists())
        iso = self.scratch / "cut.iso"
        iso.write_bytes(self.file(".iso").read_bytes()[:20_000_000])
        self.fails(1, "boot", iso, "--path", "cd BIOS", "--expect", "never", "--timeout", "30")


if __name__ == "__main__":
    main()
