#!/usr/bin/env python3
"""Alpine images of the shipped recipes booted by every path that they claim. By default one profile on all paths;
IMGFORGE_TEST_FULL=1 (ci/test --full) boots the qcow2 of all profiles too. Sticks need a kernel with USB, which Debian's cloud
kernel is not: the mirror gets Debian's generic one."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import FULL, Case, Mirror, NEEDS_ALPINE, RELEASE, SOURCE, generic_kernel, main  # noqa: E402

RECIPE = SOURCE / "recipes" / "unhinged-os.yaml"
PATHS = ["disk BIOS", "disk UEFI", "cd BIOS", "cd UEFI", "stick BIOS", "stick UEFI", "stick BIOS", "stick UEFI", "kernel"]


@NEEDS_ALPINE
class Matrix(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch, "--kernel-from", generic_kernel())
        cls.addClassCleanup(cls.mirror.close)
        cls.run_imgforge("key", "generate", "matrix@test", "--no-passphrase").check_returncode()

    @classmethod
    def recipe(cls):
        return cls.served_copy(RECIPE, cls.mirror)

    def build(self, *words):
        return json.loads(self.ok(
            "build", self.recipe(), "--mirror", self.mirror.url(), "--set", f"base.alpine.release={RELEASE}", "--set",
            f"packages.keys={self.mirror.key}", "--json", *words, timeout=1400).stdout)["profiles"]

    def test_01_one_profile_boots_by_every_path(self):
        (outcome,) = self.build("--profile", "minimal", "--set", "requirements.memory=384M", "--boot-test", "--format", "qcow2",
                                "--format", "iso", "--format", "usb", "--format", "netboot")
        self.assertEqual([boot["path"] for boot in outcome["boots"]], PATHS)
        for boot in outcome["boots"]:
            self.assertEqual(boot["markers"][-1][0], "ready", boot)
        release = pathlib.Path(outcome["directory"])
        manifest = json.loads((release / "manifest.json").read_text())
        self.assertEqual([boot["path"] for boot in manifest["boots"]], PATHS)
        self.ok("verify", release)

    def test_02_nothing_listens_and_root_is_read_only(self):
        result = self.ok("boot", self.out / "images" / "unhinged-os-minimal.qcow2", "--path", "disk BIOS", "--log-in", "unhinged",
                         "--json", "--run", "netstat -lntuw | tail -n +3", "--run", "grep ' /run/imgforge/lower ' /proc/mounts")
        listening, lower = json.loads(result.stdout)["boots"][0]["commands"]
        self.assertEqual(listening["output"].strip(), "")
        self.assertRegex(lower["output"], r"ext4 ro,")

    @unittest.skipUnless(FULL, "IMGFORGE_TEST_FULL is not 1")
    def test_03_every_profile_boots_on_both_firmwares(self):
        outcomes = self.build("--profile", "minimal", "--profile", "server", "--profile", "desktop", "--profile", "dev", "--set",
                              "requirements.memory=384M", "--format", "qcow2", "--boot-test")
        self.assertEqual([outcome["line"].rsplit("-", 1)[1] for outcome in outcomes], ["minimal", "server", "desktop", "dev"])
        for outcome in outcomes:
            self.assertEqual([boot["path"] for boot in outcome["boots"]], ["disk BIOS", "disk UEFI"])
            print({boot["path"]: boot["markers"][-1][1] / 1000 for boot in outcome["boots"]}, outcome["line"], file=sys.stderr)


if __name__ == "__main__":
    main()
