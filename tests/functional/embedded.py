#!/usr/bin/env python3
"""Everything that can be shown without a mirror: the embedded base, mistakes in recipes, run steps that fail,
full disks, unprivileged users."""

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import time

from harness import PROGRAM, SOURCE, CopyCase, children_of, main

HELLO = SOURCE / "recipes" / "hello-boot.yaml"

TINY = """imgforge: 1
name: tiny
base: embedded
disk: { size: 128M }
"""


class Embedded(CopyCase):
    """Each test begins with hello-boot, built by an empty cache and seen to boot."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.run_imgforge("key", "generate", "release@test", "--no-passphrase").returncode == 0
        cls.first = cls.run_imgforge("build", HELLO, "--require-boot")
        cls.keep()

    def setUp(self):
        super().setUp()
        self.assert_exit(self.first, 0)

    def test_hello_boots_in_both_firmwares(self):
        result = self.first
        self.assertRegex(result.stdout + result.stderr, r"disk BIOS \d+\.\d+ s")
        self.assertIn("disk UEFI", result.stdout + result.stderr)
        self.ok("verify")
        self.assertTrue((self.out / "images" / "hello-boot.qcow2").exists())

    def test_nothing_is_published_that_was_not_seen_to_boot(self):
        before = self.snapshot()
        self.fails(1, "build", HELLO, "--format", "iso", "--require-boot", says="cannot be seen to boot as a stick")
        self.assertEqual(before, self.snapshot())
        out = self.scratch / "unproven"
        self.ok("build", HELLO, "--format", "qcow2", output_dir=out)
        result = self.fails(1, "build", HELLO, "--format", "qcow2", "--require-boot", output_dir=out,
                            says=["was not seen to boot: hello-boot-v", "choose another version"])
        self.assertIn("disk UEFI", result.stderr)

    def test_boot_by_one_path_runs_commands_and_takes_a_picture(self):
        picture = self.scratch / "screen.png"
        image = self.out / "images" / "hello-boot.qcow2"
        result = self.ok("boot", image, "--path", "disk bios", "--run", "uname -r", "--screenshot", picture, "--json")
        boots = json.loads(result.stdout)["boots"]
        self.assertEqual([boot["path"] for boot in boots], ["disk BIOS"])
        self.assertEqual([row["status"] for row in boots[0]["commands"]], [0])
        self.assertRegex(boots[0]["commands"][0]["output"], r"^\d+\.\d+")
        self.assertEqual(picture.read_bytes()[:4], b"\x89PNG")
        for words in (["--path", "cd BIOS"], ["--path", "disk"], ["--path", "disk BIOS", "--firmware", "uefi"]):
            self.fails(2, "boot", image, *words)

    def test_secure_boot_keys_are_made_once(self):
        made = self.ok("key", "generate", "boot@test", "--secure-boot").stdout
        folder = pathlib.Path(re.search(r" in (/.*)", made).group(1))
        self.assertEqual(folder.name, "boot@test.secure-boot")
        self.assertEqual(len(list(folder.iterdir())), 13)
        before = (folder / "db.key").read_bytes()
        again = self.run_imgforge("key", "generate", "boot@test", "--secure-boot")
        self.assertEqual(again.returncode, 2)
        self.assertIn("is not overwritten", again.stderr)
        self.assertEqual((folder / "db.key").read_bytes(), before)
        words = self.run_imgforge("key", "generate", "other", "--secure-boot", "--passphrase-file", "/dev/null")
        self.assertEqual(words.returncode, 2)
        self.assertIn("without a passphrase", words.stderr)
        # They are no signing keys of releases: the one key is still found without being named.
        self.assertNotIn("boot@test", self.ok("key", "show").stdout)

    def test_a_virtual_machine_bundle_starts_by_its_own_script(self):
        out = self.scratch / "vms"
        self.ok("build", HELLO, "--format", "vm", output_dir=out)
        self.assertIn("virtual machine, 256M memory, 1 processor, 128M disk", self.ok("verify", output_dir=out).stdout)
        bundle = out / "vms" / "hello-boot.vm.tar"
        self.fails(2, "boot", bundle)
        subprocess.run(["tar", "-xf", bundle, "-C", self.scratch], check=True)
        folder = self.scratch / "hello-boot"
        before = self.snapshot(folder)
        serial = self.scratch / "serial.log"
        with open(serial, "wb") as log:
            machine = subprocess.Popen([folder / "start.sh"], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT, env=self.environment(TMPDIR=str(self.scratch)))
        try:
            deadline = time.monotonic() + 120
            while b"hello world from hello-boot" not in serial.read_bytes():
                self.assertIsNone(machine.poll(), serial.read_text(errors="replace"))
                self.assertLess(time.monotonic(), deadline, serial.read_text(errors="replace"))
                time.sleep(0.2)
            started = children_of(machine.pid)
            self.assertEqual(len(started), 1)
        finally:
            machine.terminate()
            machine.wait(timeout=30)
        self.assertFalse(pathlib.Path(f"/proc/{started[0]}").exists(), "QEMU ends with the script")
        self.assertEqual(list(self.scratch.glob("imgforge-vm.*")), [])
        self.assertEqual(self.snapshot(folder), before, "nothing is written without being asked for")

    def test_again_is_nothing_to_do(self):
        before = self.snapshot()
        self.assertIn("nothing to do", self.ok("build", HELLO, "--boot-test").stderr)
        self.assertEqual(self.snapshot(), before)

    def test_a_dry_run_and_a_plan_change_nothing(self):
        before = self.snapshot()
        plan = self.ok("plan", HELLO).stdout
        self.assertIn("rootfs", plan)
        self.assertIn("known", plan)
        self.assertIn("rootfs", self.ok("build", HELLO, "--dry-run", "--set", "hostname=other").stdout)
        why = self.ok("plan", HELLO, "--why", "--set", "hostname=other").stdout
        self.assertIn("hostname", why)
        self.assertEqual(self.snapshot(), before)

    def test_disks_of_other_lines_and_sizes_have_other_identifiers(self):
        recipe = self.recipe("imgforge: 1\nname: twins\nbase: embedded\nformats: [vdi]\nprofiles:\n"
                             "  one: { disk: { size: 128M } }\n  two: { disk: { size: 128M } }\n  big: { disk: { size: 160M } }\n")
        self.ok("build", recipe)
        identifiers = set()
        for profile in ("one", "two", "big"):
            with open(self.out / "images" / f"twins-{profile}.vdi", "rb") as file:
                file.seek(392)  # uuidCreate of VirtualBox's header
                identifiers.add(file.read(16))
        self.assertEqual(len(identifiers), 3)

    def test_a_second_different_build_of_a_day_gets_a_number(self):
        first = os.readlink(self.out / "releases" / "hello-boot" / "current")
        self.ok("build", HELLO, "--set", "disk.size=160M")
        self.assertEqual(os.readlink(self.out / "releases" / "hello-boot" / "current"), first + ".1")
        self.ok("verify")

    def test_a_failing_run_step_shows_output_and_place(self):
        before = self.snapshot()
        recipe = self.recipe(TINY + "run:\n  - |\n    echo about to fail\n    echo '\x1b[31mred' >&2\n    exit 7\n".replace("\x1b", ""))
        result = self.fails(1, "build", recipe, says=["recipe.yaml:6", "about to fail", "7"])
        self.assertIn("run", result.stderr)
        self.assertEqual(self.snapshot(), before)
        self.assert_nothing_left()

    def test_mistakes_in_a_recipe_are_shown_at_their_place(self):
        result = self.fails(2, "validate", self.recipe("imgforge: 1\nname: x\nbase: embedded\nsevices: {}\n"))
        self.assertRegex(result.stderr, r"recipe.yaml:4:1: error:.*sevices")
        self.assertIn("services", result.stderr)
        self.assertIn("^~~~~~~", result.stderr)
        self.fails(2, "build", self.scratch / "missing.yaml")
        self.fails(2, "build", HELLO, "--profile", "nope", says="nope")
        self.fails(2, "build", HELLO, "--set", "disk.size=10Q", says="10Q")
        self.fails(2, "no-such-command")

    def test_without_a_key_there_is_a_hint_before_any_work(self):
        result = self.fails(2, "build", HELLO, env={"XDG_CONFIG_HOME": str(self.scratch / "nobody")},
                            says=["imgforge key generate", "--unsigned"])
        self.assertNotIn("rootfs", result.stderr)

    def test_unsigned_is_explicit_recorded_and_not_verified(self):
        out = self.scratch / "unsigned"
        self.ok("build", HELLO, "--unsigned", output_dir=out)
        manifest = next(out.glob("releases/*/*/manifest.json")).read_text()
        self.assertIn("unsigned", manifest)
        self.fails(3, "verify", output_dir=out)

    def test_a_disk_too_small_says_what_it_needs(self):
        recipe = self.recipe(TINY.replace("128M", "64M") + "run: ['head -c 60000000 /dev/urandom > /big']\n")
        self.fails(1, "build", recipe, says="disk.size")
        self.assert_nothing_left()

    def test_a_full_disk_is_an_error_and_nothing_is_left(self):
        if os.geteuid() != 0:
            self.skipTest("mounting a small tmpfs needs root")
        small = self.scratch / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
        try:
            result = self.run_imgforge("build", HELLO, output_dir=small / "out", timeout=120)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("space", result.stderr.lower())
            self.assertEqual(list((small / "out").glob("releases/*/*")), [])
        finally:
            subprocess.run(["umount", small], check=True)

    def test_an_unwritable_output_is_an_error_before_any_work(self):
        if os.geteuid() == 0:
            target = pathlib.Path("/proc/imgforge-cannot-be-here")
        else:
            target = self.scratch / "locked"
            target.mkdir(mode=0o555)
        result = self.run_imgforge("build", HELLO, output_dir=target)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(str(target), result.stderr)

    def test_works_for_an_unprivileged_user(self):
        if os.geteuid() != 0:
            self.skipTest("this run is unprivileged already, so every other test shows it")
        home = self.scratch / "nobody-home"
        home.mkdir()
        recipe = home / "recipe.yaml"
        recipe.write_text(TINY)
        program = home / "imgforge"
        shutil.copy(PROGRAM, program)
        user = pwd.getpwnam("nobody")
        for path in (home, recipe, program):
            os.chown(path, user.pw_uid, user.pw_gid)
        os.chmod(self.scratch, 0o755)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "CI": "true", "TMPDIR": str(home)}
        words = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", program]
        for args in (["key", "generate", "me", "--no-passphrase"], ["build", recipe], ["verify"]):
            result = subprocess.run([*map(str, words), *map(str, args)], env=env, cwd=home, capture_output=True,
                                    text=True, timeout=300)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_appliance_failing_names_the_cause_and_quotes_its_log(self):
        result = self.fails(1, "build", HELLO, "--set", "hostname=broken", "--isolation", "appliance",
                            env={"LIBGUESTFS_HV": "/bin/false"})
        self.assertRegex(result.stderr, r"appliance")
        self.assert_nothing_left()

    def test_data_is_on_standard_output_and_json_is_json(self):
        self.assertEqual(json.loads(self.ok("doctor", "--json").stdout)["schema"], 1)
        self.assertEqual(json.loads(self.ok("show", HELLO, "--json").stdout)["name"], "hello-boot")
        self.assertEqual(json.loads(self.ok("verify", "--json").stdout)["schema"], 1)
        self.assertEqual(json.loads(self.ok("plan", HELLO, "--json").stdout)["schema"], 1)
        with open("/dev/full", "w") as device:
            full = subprocess.run([PROGRAM, "help"], stdout=device, stderr=subprocess.PIPE, text=True)
        self.assertNotEqual(full.returncode, 0)

    def test_flags_come_from_the_environment_too(self):
        other = self.scratch / "from-environment"
        words = [PROGRAM, "plan", HELLO]
        env = self.environment(IMGFORGE_OUTPUT_DIR=str(other), IMGFORGE_SET="disk.size=10Q")
        result = subprocess.run(words, env=env, capture_output=True, text=True)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("10Q", result.stderr)


if __name__ == "__main__":
    main()
