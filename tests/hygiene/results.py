#!/usr/bin/env python3
"""What ci/results.py says about runs of ctest: made here by ctest itself, so that its files are real."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

RESULTS = pathlib.Path(sys.argv.pop(1)) / "ci" / "results.py"

# Name, program, labels: what a run may hold.
BOOT = ("integration.boot", "true", "integration;boot")
APPLIANCE = ("functional.build", "true", "functional;appliance")
PLAIN = ("functional.store", "true", "functional")
SKIPPED = ("functional.spine", "skip", "functional;appliance;boot")
FAILED = ("integration.broken", "false", "integration;boot")
MISSING = ("integration.missing", "/nonexistent/program", "integration")

COMMANDS = {"skip": '"sh" "-c" "exit 77"'}


class Results(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="imgforge-results.")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ctest(self, *words):
        return subprocess.run(["ctest", "--test-dir", self.folder, *words], capture_output=True, text=True).stdout

    def judge(self, *runs, need=("appliance", "boot")):
        """Status, last line and standard error after a run of ctest for each list of tests."""
        files = []
        for number, tests in enumerate(runs):
            (self.folder / "CTestTestfile.cmake").write_text("".join(
                f'add_test({name} {COMMANDS.get(program) or chr(34) + program + chr(34)})\n'
                f'set_tests_properties({name} PROPERTIES LABELS "{labels}" SKIP_RETURN_CODE 77)\n' for name, program, labels in tests))
            files.append(self.folder / f"{number}.xml")
            self.ctest("--output-junit", files[-1])
        (self.folder / "CTestTestfile.cmake").write_text("".join(
            f'add_test({name} true)\nset_tests_properties({name} PROPERTIES LABELS "{labels}")\n'
            for tests in runs for name, _, labels in tests))
        (self.folder / "tests.json").write_text(self.ctest("--show-only=json-v1"))
        words = [word for label in need for word in ("--need", label)]
        done = subprocess.run([RESULTS, self.folder / "tests.json", *files, *words], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1], done.stderr

    def test_a_boot_or_an_appliance_that_passed_is_enough(self):
        for proof in (BOOT, APPLIANCE):
            self.assertEqual(self.judge([PLAIN, proof, SKIPPED]), (0, "100% tests passed, 0 tests failed out of 3 (1 skipped)", ""))

    def test_without_any_the_run_is_refused(self):
        status, line, said = self.judge([PLAIN, SKIPPED])
        self.assertEqual((status, line), (1, "100% tests passed, 0 tests failed out of 2 (1 skipped)"))
        self.assertIn("appliance, boot", said)
        self.assertEqual(self.judge([PLAIN])[0], 1)
        self.assertEqual(self.judge([])[:2], (1, "0% tests passed, 0 tests failed out of 0 (0 skipped)"))

    def test_one_that_failed_is_no_proof(self):
        self.assertEqual(self.judge([PLAIN, FAILED])[:2], (1, "50% tests passed, 1 tests failed out of 2 (0 skipped)"))
        self.assertIn("boot", self.judge([PLAIN, FAILED])[2])

    def test_some_tests_need_no_proof(self):
        self.assertEqual(self.judge([PLAIN], need=()), (0, "100% tests passed, 0 tests failed out of 1 (0 skipped)", ""))
        self.assertEqual(self.judge([PLAIN, FAILED], need=())[0], 1)

    def test_a_test_whose_program_is_missing_has_failed(self):
        self.assertEqual(self.judge([BOOT, MISSING]), (1, "50% tests passed, 1 tests failed out of 2 (0 skipped)", ""))

    def test_runs_are_summed(self):
        self.assertEqual(self.judge([PLAIN], [BOOT, SKIPPED]), (0, "100% tests passed, 0 tests failed out of 3 (1 skipped)", ""))


unittest.main()
