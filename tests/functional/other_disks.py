#!/usr/bin/env python3
"""Disks beside disks: a copy of the same system on another one, and a disk that has become larger. The embedded image, started by
QEMU without imgforge. Needs no mirror."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import SOURCE, Case, main  # noqa: E402
from machine_console import QEMU, Console  # noqa: E402

RECIPE = SOURCE / "recipes" / "hello-boot.yaml"
HELLO = r"hello world from hello-boot"


class OtherDisks(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "disks@test", "--no-passphrase").check_returncode()
        cls.images = {}
        for name, settings in {"plain": [], "second": ["kernel.cmdline=imgforge.disk=vdb"], "fixed": ["kernel.cmdline=imgforge.grow=no"]}.items():
            out = cls.scratch / name
            words = [word for setting in settings for word in ("--set", setting)]
            cls.run_imgforge("build", RECIPE, "--set", "disk.root=writable", *words, output_dir=out).check_returncode()
            cls.images[name] = (out / "images" / "hello-boot.qcow2").resolve()

    def overlay(self, base, name, size=None):
        disk = self.scratch / f"{self.id().rsplit('.', 1)[1]}-{name}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk, *([size] if size else [])], check=True)
        return disk

    def start(self, *words):
        console = Console([*QEMU, *words])
        self.addCleanup(lambda: console.process.poll() is None and console.power_off())
        return console

    def shell(self, *words):
        """A started machine whose console waits for a key before its shell begins."""
        console = self.start(*words)
        console.wait(HELLO)
        console.type("")
        console.wait("hello-boot:/# ")
        return console

    def virtio(self, disk):
        return ["-drive", f"if=virtio,format=qcow2,file={disk}"]

    def refuses(self, *words, disks):
        console = self.start(*words)
        said = console.wait(r"imgforge: ERROR: these disks carry the same system: ([a-z0-9 ]+);|" + HELLO)
        self.assertEqual(said.group(1), disks)
        self.assertNotIn("handing over", console.text)
        console.power_off()

    def test_1_two_copies_on_one_bus_stop_the_start(self):
        first, second = (self.overlay(self.images["plain"], name) for name in "ab")
        self.refuses(*self.virtio(first), *self.virtio(second), disks="vda vdb")

    def test_2_a_copy_on_a_slower_bus_is_seen_as_well(self):
        first, second = (self.overlay(self.images["plain"], name) for name in "ab")
        self.refuses("-machine", "pc,graphics=off", *self.virtio(first), "-drive", f"if=ide,format=qcow2,file={second}", disks="sda vda")

    def test_3_the_command_line_names_one(self):
        first, second = (self.overlay(self.images["second"], name) for name in "ab")
        console = self.shell(*self.virtio(first), *self.virtio(second))
        self.assertIn("/dev/vdb2 / ext4 rw", console.run("cat /proc/mounts"))
        console.power_off()

    def test_4_another_system_beside_it_is_no_matter(self):
        first, second = self.overlay(self.images["plain"], "a"), self.overlay(self.images["fixed"], "b")
        console = self.shell(*self.virtio(second), *self.virtio(first))
        self.assertRegex(console.run("cat /proc/mounts"), r"/dev/vda2 / ext4 rw")
        console.power_off()

    def size_of_root(self, disk):
        """Kilobytes of root, and what the kernel thinks of the partition table."""
        console = self.shell(*self.virtio(disk))
        size = int(re.search(r"\s(\d+)\s+\d+\s+\d+\s+\d+% /$", console.run("df -k /"), re.MULTILINE).group(1))
        table = console.run("dmesg | grep -ic 'alternate gpt\\|gpt:' || true")
        console.run("sync")
        console.power_off()
        return size, table

    def test_5_root_grows_into_a_larger_disk_once(self):
        disk = self.overlay(self.images["plain"], "large", "2G")
        size, _ = self.size_of_root(disk)
        self.assertGreater(size, 1_800_000)
        again, complaints = self.size_of_root(disk)
        self.assertEqual((again, complaints), (size, "0"))
        raw = self.scratch / "large.img"
        subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
        report = subprocess.run(["sgdisk", "-v", raw], capture_output=True, text=True, check=True).stdout
        self.assertIn("No problems found", report)

    def test_6_it_does_not_where_that_is_not_wanted(self):
        size, _ = self.size_of_root(self.overlay(self.images["fixed"], "large", "2G"))
        self.assertLess(size, 130_000)


if __name__ == "__main__":
    main()
