#!/usr/bin/env python3
"""The shipped recipes as the machines that people run: clones of a golden image, a virtual machine with its start script,
a stick that keeps what was written, an ISO that sets itself up. Part of ci/test --full."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import FULL, Case, Mirror, NEEDS_ALPINE, RELEASE, SOURCE, generic_kernel, main, wait_for  # noqa: E402
from machine_console import QEMU, Console, Monitor  # noqa: E402

RECIPES = SOURCE / "recipes"


@NEEDS_ALPINE
@unittest.skipUnless(FULL, "IMGFORGE_TEST_FULL is not 1")
class Machines(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch, "--kernel-from", generic_kernel())
        cls.addClassCleanup(cls.mirror.close)
        cls.run_imgforge("key", "generate", "machines@test", "--no-passphrase").check_returncode()

    def build(self, recipe, *words):
        return json.loads(self.ok(
            "build", recipe, "--mirror", self.mirror.url(), "--set", f"base.alpine.release={RELEASE}", "--set",
            f"packages.keys={self.mirror.key}", "--json", *words, timeout=1400).stdout)["profiles"]

    def start(self, words, **options):
        console = Console(words, **options)
        self.addCleanup(lambda: console.process.poll() is None and console.power_off())
        return console

    def test_1_clones_of_a_golden_image_get_their_own_identity(self):
        recipe = self.served_copy(RECIPES / "kodeimage.yaml", self.mirror)
        recipe.write_text(recipe.read_text().replace("password: locked", "password: none"))
        (outcome,) = self.build(recipe, "--set", "requirements.memory=384M", "--boot-test")
        self.assertEqual([boot["path"] for boot in outcome["boots"]], ["disk BIOS", "disk UEFI"])
        golden = (self.out / "images" / "kodeimage.qcow2").resolve()
        before = hashlib.sha256(golden.read_bytes()).hexdigest()
        identities = {}
        for name, options in {"clone-a": ["-fw_cfg", "name=opt/org.imgforge/hostname,string=clone-a"],
                              "clone-b": ["-smbios", "type=1,serial=clone-b"]}.items():
            disk = self.scratch / f"{name}.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", golden, disk], check=True)
            console = self.start([*QEMU, "-drive", f"if=virtio,format=qcow2,file={disk}", *options])
            self.assertEqual(console.log_in("kode"), name)
            identities[name] = console.run("cat /etc/machine-id")
            self.assertRegex(identities[name], r"^[0-9a-f]{32}$")
            self.assertEqual(console.run("hostname"), name)
            self.assertEqual(console.run("doas id -u"), "0")
            console.power_off()
            print(name, "writes", disk.stat().st_size, file=sys.stderr)
        self.assertNotEqual(identities["clone-a"], identities["clone-b"])
        self.assertEqual(hashlib.sha256(golden.read_bytes()).hexdigest(), before)

    def test_2_a_virtual_machine_with_balloon_shared_folder_hotplug_and_snapshots(self):
        recipe = self.served_copy(RECIPES / "quetzalcore-vm.yaml", self.mirror)
        (outcome,) = self.build(recipe, "--set", "requirements.memory=384M", "--boot-test")
        self.assertEqual([boot["path"] for boot in outcome["boots"]], ["disk BIOS", "disk UEFI"])
        bundle = self.scratch / "vm"
        bundle.mkdir()
        with tarfile.open(next((self.out / "vms").glob("quetzalcore-vm.vm.tar"))) as tar:
            tar.extractall(bundle)
        (script,) = bundle.rglob("start.sh")
        shared = self.scratch / "shared"
        shared.mkdir()
        (shared / "from-host").write_text("hello guest\n")
        socket_path = self.scratch / "qmp.sock"
        words = ["sh", script, "--accel", "tcg", "--max-memory", "1G", "--shared", shared, "--monitor", socket_path,
                 "--snapshot", "first"]
        console = self.start(words, stderr=subprocess.DEVNULL)
        self.assertEqual(console.log_in("quetzalcore"), "quetzalcore")
        total = lambda: int(console.run("awk '/MemTotal/ {print $2}' /proc/meminfo"))  # noqa: E731
        self.assertEqual(console.run("doas mount -t 9p -o trans=virtio shared /mnt && cat /mnt/from-host"), "hello guest")
        console.run("echo hello host | doas tee /mnt/from-guest")
        self.assertEqual((shared / "from-guest").read_text(), "hello host\n")
        monitor = Monitor(socket_path)
        self.addCleanup(monitor.close)
        # With deflate-on-oom the pages count as used and not as gone: what is available tells.
        available = lambda: int(console.run("awk '/MemAvailable/ {print $2}' /proc/meminfo"))  # noqa: E731
        before, free = total(), available()
        for size, condition in ((320 << 20, lambda: available() < free - 40_000), (384 << 20, lambda: available() > free - 20_000)):
            monitor.execute("balloon", value=size)
            wait_for(lambda: monitor.execute("query-balloon")["actual"] == size, "the balloon does not follow")
            wait_for(condition, "the guest does not notice")
        monitor.execute("object-add", **{"qom-type": "memory-backend-ram", "id": "m1", "size": 256 << 20})
        monitor.execute("device_add", driver="pc-dimm", id="d1", memdev="m1")
        wait_for(lambda: total() > before + 200_000, "the added memory does not arrive")
        print("MemTotal", before, "kB, with a DIMM of 256M", total(), "kB", file=sys.stderr)
        console.run("echo kept > ~/note; sync")
        console.power_off()
        self.assertTrue((script.parent / "snapshots" / "first.qcow2").exists())
        console = self.start([*words[:4], "--snapshot", "first"], stderr=subprocess.DEVNULL)
        console.log_in("quetzalcore")
        self.assertEqual(console.run("cat ~/note"), "kept")
        console.power_off()

    def test_3_a_stick_keeps_what_was_written(self):
        recipe = self.served_copy(RECIPES / "unhinged-os.yaml", self.mirror)
        self.build(recipe, "--profile", "minimal", "--format", "usb")
        stick = self.scratch / "stick.img"
        shutil.copyfile(self.out / "usb" / "unhinged-os-minimal-usb.img", stick)
        with open(stick, "r+b") as file:
            file.truncate(700 << 20)
        words = [*QEMU, "-device", "qemu-xhci", "-drive", f"if=none,id=media,format=raw,file={stick}", "-device",
                 "usb-storage,drive=media,removable=on"]
        console = self.start(words)
        console.log_in("unhinged")
        console.run("echo still here > ~/note && sync")
        size = int(console.run("df -m /run/imgforge/overlay | awk 'END {print $2}'"))
        self.assertGreater(size, 500, "the data partition grows to the stick's end")
        console.power_off()
        console = self.start(words)
        console.log_in("unhinged")
        self.assertEqual(console.run("cat ~/note"), "still here")
        console.power_off()

    def test_4_an_iso_sets_itself_up_from_answers(self):
        recipe = self.served_copy(RECIPES / "unhinged-os.yaml", self.mirror)
        self.build(recipe, "--profile", "custom")
        shared = self.scratch / "answers"
        shared.mkdir()
        (shared / "unhinged.conf").write_text("hostname=kitchen\nuser=anna\n")
        result = self.ok("boot", self.out / "isos" / "unhinged-os-custom.iso", "--path", "cd BIOS", "--memory", "384M",
                         "--shared", shared, "--log-in", "anna", "--run", "hostname; id -nG; cat /etc/unhinged/answers", "--json")
        output = json.loads(result.stdout)["boots"][0]["commands"][0]["output"]
        self.assertEqual(output.split("\n")[0].strip(), "kitchen")
        self.assertIn("audio", output)
        self.assertIn("user=anna", output)


if __name__ == "__main__":
    main()
