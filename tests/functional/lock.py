#!/usr/bin/env python3
"""Locks: what they hold, that a build keeps to them when mirrors move on or go, and how they are moved and vendored."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import unittest

from apk_repository import Repository
from harness import NEEDS_ALPINE, RELEASE, CopyCase, Mirror, main

# The packages of three days.
FIRST = [("tool", "1.0-r0", "part"), ("part", "1.0-r0"), ("other", "5.0-r0")]
SECOND = [("tool", "1.1-r0", "part"), ("part", "2.0-r0"), ("other", "6.0-r0")]
THIRD = [("tool", "2.0-r0", "part>=2.0"), ("part", "2.0-r0"), ("other", "6.0-r0")]


@NEEDS_ALPINE
class Lock(CopyCase):
    """Each test begins with an image that was built without lock on the first day, and then locked."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.aside)
        cls.extra = Repository(cls.mirror.folder / f"v{RELEASE}" / "extra")
        cls.extra.publish(*FIRST)
        assert cls.run_imgforge("key", "generate", "lock@test", "--no-passphrase").returncode == 0
        cls.file = cls.scratch / "locked.yaml"
        cls.write_recipe("tool, other, linux-virt")
        cls.lock_file = cls.scratch / "locked.lock.json"
        cls.run_imgforge("build", cls.file).check_returncode()
        cls.expected = cls.digest(cls.out)
        cls.locked = cls.run_imgforge("lock", cls.file, "--json")
        cls.locked.check_returncode()
        cls.day = cls.extra.time
        shutil.copytree(cls.extra.packages, cls.aside / "first-day")
        cls.keep()

    def setUp(self):
        super().setUp()
        shutil.rmtree(self.extra.packages)
        shutil.copytree(self.aside / "first-day", self.extra.packages)
        self.extra.time = self.day

    @classmethod
    def tearDownClass(cls):
        cls.mirror.close()
        super().tearDownClass()

    @classmethod
    def write_recipe(cls, packages):
        cls.file.write_text(f"""imgforge: 1
name: locked
base:
  alpine:
    release: "{RELEASE}"
    mirrors: ["{cls.mirror.url()}"]
packages:
  repositories: [main, extra]
  keys: ["{cls.mirror.key}", "{cls.extra.key}"]
  add: [{packages}]
disk: {{ size: 256M }}
formats: [qcow2]
""")

    def lock(self):
        return json.loads(self.lock_file.read_text())

    def versions(self):
        return {row["name"]: row["version"] for row in self.lock()["contents"]["packages"]}

    def requests_of(self, *args, **options):
        seen = len(self.mirror.requests())
        result = self.ok(*args, **options)
        return result, [request["path"] for request in self.mirror.requests()[seen:]]

    @staticmethod
    def digest(out):
        manifest = json.loads(next((out / "releases" / "locked").glob("v*/manifest.json")).read_text())
        return manifest["artifacts"][0]["sha256"]

    def vendored(self):
        """A folder with all that the lock names, out of the cache."""
        folder = self.scratch / "vendored"
        self.ok("vendor", self.file, folder, "--offline")
        return folder

    def test_lock_writes_down_what_is_fetched(self):
        self.assertTrue(json.loads(self.locked.stdout)["written"])
        lock = self.lock()
        self.assertEqual(self.versions()["tool"], "1.0-r0")
        self.assertEqual(self.versions()["part"], "1.0-r0")
        self.assertEqual(lock["bases"][0]["version"][:4], RELEASE)
        self.assertEqual(lock["profiles"][0]["asked"]["add"], ["tool", "other", "linux-virt"])
        self.assertIn("install tool 1.0-r0", lock["profiles"][0]["packages"])
        for row in lock["contents"]["packages"]:
            line = json.dumps(row["name"])
            self.assertEqual(sum(f'"name": {line}' in text for text in self.lock_file.read_text().splitlines()), 1, "a row a line")
            if row["repository"] == "extra":
                package = self.extra.packages / f"{row['name']}-{row['version']}.apk"
                digest = subprocess.run(["sha256sum", package], check=True, capture_output=True, text=True).stdout.split()[0]
                self.assertEqual(row["sha256"], digest)

    def test_locking_again_changes_nothing(self):
        before = self.lock_file.read_bytes()
        result = self.ok("lock", self.file)
        self.assertIn("unchanged", result.stderr)
        self.assertEqual(self.lock_file.read_bytes(), before)
        self.assertIn("nothing is outdated", self.ok("outdated", self.file).stderr)

    def test_a_locked_build_asks_for_nothing_when_the_cache_has_it(self):
        result, requests = self.requests_of("build", self.file, "--locked")
        self.assertEqual(requests, [])
        self.assertIn("nothing to do", result.stderr)

    def test_mirrors_that_move_on_do_not_move_the_image(self):
        self.extra.publish(*SECOND)
        out = self.scratch / "moved"
        _, requests = self.requests_of("build", self.file, "--locked", output_dir=out)
        self.assertEqual(requests, [])
        self.assertEqual(self.digest(out), self.expected)

    def test_outdated_lists_what_has_moved(self):
        self.extra.publish(*SECOND)
        rows = {row["name"]: row for row in json.loads(self.ok("outdated", self.file, "--json").stdout)["outdated"]}
        self.assertEqual(set(rows), {"tool", "part", "other"})
        self.assertEqual((rows["tool"]["locked"], rows["tool"]["newest"]), ("1.0-r0", "1.1-r0"))

    def test_a_vendored_lock_builds_without_network_and_cache(self):
        self.extra.publish(*SECOND)
        folder = self.vendored()
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
        public = next((self.home / "config" / "imgforge").rglob("*.pub"))
        subprocess.run(["minisign", "-V", "-p", public, "-m", folder / "SHA256SUMS"], check=True, capture_output=True)
        self.assertTrue((folder / f"v{RELEASE}/main/x86_64/APKINDEX.tar.gz").is_file())
        out = self.scratch / "from-vendored"
        _, requests = self.requests_of("--cache-dir", self.scratch / "cold-cache", "build", self.file, "--vendor", folder, output_dir=out)
        self.assertEqual(requests, [])
        self.assertEqual(self.digest(out), self.expected)

    def apk(self, root, *words):
        """The stock apk of the base in a root of its own, without network; it sees the vendored folder as /vendored."""
        return subprocess.run(["unshare", "--mount", "--net", "sh", "-c", 'mount --bind "$0" "$1/vendored" && exec chroot "$@"',
                               self.scratch / "apk-vendored", root, "/sbin/apk", "--repositories-file", "/none",
                               *words], capture_output=True, text=True)

    @unittest.skipUnless(os.geteuid() == 0, "runs stock apk in a root folder")
    def test_stock_apk_installs_from_a_vendored_repository(self):
        key = self.scratch / "project.rsa"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        key.chmod(0o644)
        folder = self.scratch / "apk-vendored"
        self.fails(1, "vendor", self.file, folder, "--offline", "--apk-key", key, says="chmod 600")
        key.chmod(0o600)
        self.ok("vendor", self.file, folder, "--offline", "--apk-key", key)
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
        root = self.scratch / "apk-root"
        (root / "vendored").mkdir(parents=True)
        (root / "none").touch()
        subprocess.run(["tar", "-xf", next(folder.glob("v*/releases/*/alpine-minirootfs-*.tar.gz")), "-C", root], check=True)
        words = ["-X", f"/vendored/v{RELEASE}/main", "-X", f"/vendored/v{RELEASE}/extra", "add", "--no-scripts", "tool", "other"]
        refused = self.apk(root, *words)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("UNTRUSTED", refused.stdout + refused.stderr)
        done = self.apk(root, "--keys-dir", "/vendored/keys", *words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((root / "usr/bin/tool").read_text(), "#!/bin/sh\necho tool 1.0-r0\n")
        self.assertTrue((root / "usr/bin/part").is_file(), "what it needs came, too")
        names = {row["name"] for row in self.lock()["contents"]["packages"]}
        for repository in ("main", "extra"):
            with tarfile.open(folder / f"v{RELEASE}/{repository}/x86_64/APKINDEX.tar.gz") as index:
                listed = set(re.findall(r"^P:(.*)$", index.extractfile("APKINDEX").read().decode(), re.M))
            self.assertLessEqual(listed, names)
            self.assertTrue((folder / f"v{RELEASE}/{repository}/x86_64/upstream.APKINDEX.tar.gz").is_file())
        # It builds like the other one, and the same key gives the same folder.
        self.ok("--cache-dir", self.scratch / "apk-cache", "plan", self.file, "--vendor", folder)
        before = self.snapshot(folder)
        self.ok("vendor", self.file, folder, "--offline", "--apk-key", key)
        after = self.snapshot(folder)
        self.assertEqual({name for name in before if before[name] != after[name]} - {"SHA256SUMS.minisig"}, set())

    def test_a_changed_or_missing_vendored_file_is_refused(self):
        folder = self.vendored()
        package = next(folder.rglob("tool-*.apk"))
        content = package.read_bytes()
        package.chmod(0o644)
        package.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        empty = self.scratch / "empty-cache"
        self.fails(3, "--cache-dir", empty, "build", self.file, "--vendor", folder, says=[package.name])
        package.unlink()
        self.fails(5, "--cache-dir", empty, "build", self.file, "--vendor", folder, says=["tool-1.0-r0", "neither in the cache"])
        self.fails(1, "vendor", self.file, self.mirror.folder, "--offline", says=["no export made"])

    def test_gc_keeps_what_a_lock_names(self):
        cache = self.home / "cache" / "imgforge"
        shutil.rmtree(cache / "steps")
        names = {row["sha256"] for row in self.lock()["contents"]["packages"]}

        def kept():
            return {path.parent.name + path.name for path in (cache / "blobs" / "sha256").rglob("*") if path.is_file()} & names

        before = kept()
        self.assertEqual(before, names)
        self.ok("gc", "--yes", output_dir=self.scratch / "no-store")
        self.assertEqual(kept(), names)

    def test_update_moves_only_what_is_named(self):
        self.extra.publish(*SECOND)
        result = self.ok("update", self.file, "tool")
        self.assertRegex(result.stdout, r"tool\s+1\.0-r0 -> 1\.1-r0")
        self.assertEqual((self.versions()["tool"], self.versions()["part"], self.versions()["other"]),
                         ("1.1-r0", "1.0-r0", "5.0-r0"))
        out = self.scratch / "updated"
        self.ok("build", self.file, "--locked", output_dir=out)
        manifest = json.loads(next((out / "releases" / "locked").glob("v*/manifest.json")).read_text())
        packages = {row["name"]: row["version"] for row in manifest["packages"]}
        self.assertEqual((packages["tool"], packages["part"], packages["other"]), ("1.1-r0", "1.0-r0", "5.0-r0"))

    def test_an_update_that_cannot_be_says_why_and_leaves_the_lock(self):
        self.extra.publish(*THIRD)
        before = self.lock_file.read_bytes()
        self.fails(1, "update", self.file, "tool", says=["part"])
        self.assertEqual(self.lock_file.read_bytes(), before)
        self.fails(2, "update", self.file, "tol", says=["did you mean tool?"])

    def test_update_without_names_moves_everything(self):
        self.extra.publish(*THIRD)
        result = self.ok("update", self.file)
        self.assertRegex(result.stdout, r"other\s+5\.0-r0 -> 6\.0-r0")
        self.assertEqual((self.versions()["tool"], self.versions()["part"]), ("2.0-r0", "2.0-r0"))

    def test_a_mirror_that_goes_back_is_not_followed(self):
        self.extra.publish(*SECOND)
        earlier_index = (self.extra.packages / "APKINDEX.tar.gz").read_bytes()
        self.extra.publish(*THIRD)
        self.ok("update", self.file)
        second = Mirror(self.scratch / "second", copy_of=self.mirror)
        self.addCleanup(second.close)
        index = self.extra.packages / "APKINDEX.tar.gz"
        index.unlink()
        index.write_bytes(earlier_index)
        before = self.lock_file.read_bytes()
        self.fails(3, "update", self.file, says=["went backwards", "2023-11-15", "2023-11-16", "--allow-older-index"])
        self.assertEqual(self.lock_file.read_bytes(), before)
        self.assertIn("nothing is outdated", self.ok("outdated", self.file, "--mirror", self.mirror.url(),
                                                     "--mirror", second.url()).stderr)
        self.assertIn(f"/v{RELEASE}/extra/x86_64/APKINDEX.tar.gz", [request["path"] for request in second.requests()])
        self.assertIn("nothing is outdated", self.ok("outdated", self.file, "--offline", "--mirror", self.mirror.url(),
                                                     "--mirror", second.url()).stderr)
        self.ok("plan", self.file, "--locked")
        result = self.ok("outdated", self.file, "--allow-older-index")
        self.assertIn("went backwards", result.stderr)
        self.assertRegex(result.stdout, r"tool +2\.0-r0 +1\.1-r0")
        self.assertNotIn("went backwards", self.ok("outdated", self.file).stderr)

    def test_a_stale_lock_is_told_with_the_line(self):
        self.write_recipe("tool, linux-virt, jq")
        result = self.fails(2, "build", self.file, "--locked", says=["stale", "jq", "imgforge lock"])
        self.assertRegex(result.stderr, r"locked\.yaml:10:\d+")
        self.assertIn("not used", self.ok("plan", self.file).stderr)
        self.lock_file.unlink()
        self.fails(2, "build", self.file, "--locked", says=["does not exist", "imgforge lock"])

    def test_a_damaged_lock_is_refused(self):
        self.lock_file.write_text("{}")
        self.fails(3, "build", self.file, says=["locked.lock.json"])


if __name__ == "__main__":
    main()
