#!/usr/bin/env python3
"""Releases that leave: archive, restore, prune, remove, backup, clone, gc, on stores of tiny releases; and a clone of a real image
that boots. No mirror."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(__file__))
from harness import PROGRAM, SOURCE, Case, flip_byte, main  # noqa: E402
from store_case import LINE, MAKER, StoreCase  # noqa: E402

MARKER = b"hello world from hello-boot"


class RetentionCase(StoreCase):
    def versions(self):
        return [row["version"] for row in self.json("list")["releases"]]

    def states(self):
        return {row["version"]: row["state"] for row in self.json("list")["releases"]}

    def dangling(self):
        return [p for p in self.out.rglob("*") if p.is_symlink() and not p.exists()]


class Prune(RetentionCase):
    def test_says_then_does(self):
        self.ok("pin", f"{LINE}@v20260101")
        before = self.snapshot()
        dry = self.json("prune", "--keep-last", 1)
        self.assertEqual(self.snapshot(), before)
        self.assertEqual([r["version"] for r in dry["releases"] if not r["keep"]], ["v20260102"])
        self.assertIn("would remove 1 release, free 32.8 kB; keeps 2 (current 1, pinned 1) · run again with --yes",
                      self.ok("prune", "--keep-last", 1).stdout)
        done = self.json("prune", "--keep-last", 1, "--yes")
        self.assertEqual([r["version"] for r in done["releases"] if r["done"]], ["v20260102"])
        self.assertEqual(self.versions(), ["v20260103", "v20260101"])
        self.assertEqual(self.dangling(), [])
        self.ok("verify", "--all")
        self.assertIn("nothing to remove", self.ok("prune", "--keep-last", 1, "--yes").stdout)

    def test_refusals(self):
        before = self.snapshot()
        self.fails(2, "prune", says="nothing is guessed")
        self.fails(2, "prune", "--yes", says="--keep-last 3")
        for value in ("0", "-1", "x", "99999999999999"):
            self.fails(2, "prune", f"--keep-last={value}", "--yes", says="at least 1")
        self.fails(2, "archive", "--older-than", "soon", says="not an age")
        self.fails(1, "remove", LINE, "--yes", says="stays: current")
        self.fails(2, "prune", "demo0-minima", "--keep-last", "1", says=f"did you mean {LINE}?")
        self.assertEqual(self.snapshot(), before)

    def test_links_of_others_are_named_and_stay(self):
        lab = self.out / "images" / "latest-lab.qcow2"
        lab.symlink_to(f"../releases/{LINE}/v20260101/{LINE}-v20260101.qcow2")
        (self.out / "lab" / "racks").mkdir(parents=True)
        (self.out / "lab" / "racks" / "seven").symlink_to(self.out / "images" / f"{LINE}-v20260101.qcow2")
        (self.out / "releases" / LINE / "stable").symlink_to("v20260102")
        names = {"v20260101": ["images/latest-lab.qcow2", "lab/racks/seven"], "v20260102": [f"releases/{LINE}/stable"]}
        kept = [lab, self.out / "lab" / "racks" / "seven", self.out / "releases" / LINE / "stable"]
        for words, going in ((["prune", "--keep-last", 1], ["v20260101", "v20260102"]), (["remove", f"{LINE}@v20260101"], ["v20260101"]),
                             (["archive", "--keep-last", 1, "--dry-run"], ["v20260101", "v20260102"])):
            with self.subTest(words=words):
                rows = {row["version"]: row["links"] for row in self.json(*words)["releases"]}
                self.assertEqual({v: rows[v] for v in going}, {v: names[v] for v in going})
                self.assertEqual(rows.get("v20260103", []), [])
                self.assertIn("images/latest-lab.qcow2 leads to it", self.ok(*words).stdout)
        self.assertIn("images/latest-lab.qcow2 led to it and leads nowhere now",
                      self.ok("remove", f"{LINE}@v20260101", "--yes").stdout)
        self.assertIn(f"releases/{LINE}/stable led to it and leads nowhere now", self.ok("archive", "--keep-last", 1).stdout)
        self.assertTrue(all(link.is_symlink() for link in kept), "nobody removes what is not his")
        self.assertFalse((self.out / "images" / f"{LINE}-v20260101.qcow2").is_symlink())
        self.assertIn("images/latest-lab.qcow2: leads to", self.assert_exit(self.run_imgforge("verify", "--all"), 3).stdout)

    def test_foreign_and_damaged_stay(self):
        (self.release("v20260101") / "notes.txt").write_text("mine")
        (self.release("v20260102") / "manifest.json").unlink()
        rows = {r["version"]: r["why"] for r in self.json("prune", "--keep-last", 1, "--yes")["releases"]}
        self.assertIn("holds notes.txt", rows["v20260101"][0])
        self.assertIn("damaged", rows["v20260102"][0])
        self.assertEqual(len(self.versions()), 3)
        self.ok("remove", f"{LINE}@v20260102", "--yes")
        self.assertEqual(len(self.versions()), 2)


class Archive(RetentionCase):
    def test_there_and_back(self):
        other = self.release("v20260101") / f"{LINE}-v20260101.iso"
        data = other.read_bytes()
        self.assertIn("would archive 2 releases", self.ok("archive", "--older-than", "30d", "--dry-run").stdout)
        self.ok("archive", "--older-than", "30d")
        self.assertEqual(self.states(), {"v20260103": "current", "v20260102": "archived", "v20260101": "archived"})
        self.assertEqual(self.dangling(), [])
        self.ok("verify", "--all")
        folder = self.out / "archive" / "202601" / f"{LINE}-v20260101"
        self.ok("verify", folder)
        self.assertIn("nothing to archive", self.ok("archive", "--older-than", "30d").stdout)
        self.fails(1, "promote", f"{LINE}@v20260101", says="archived")
        self.ok("restore", f"{LINE}@v20260101")
        self.assertEqual(other.read_bytes(), data)
        self.assertIn("is not archived", self.ok("restore", f"{LINE}@v20260101").stdout)
        self.ok("prune", "--archived", "--keep-tagged", "--yes")
        self.assertEqual(self.states(), {"v20260103": "current", "v20260101": "old"})
        self.ok("verify", "--all")
        self.assertEqual([e["command"] for e in self.json("log")["entries"][:4]], ["prune", "restore", "archive", "archive"])

    def test_stock_programs_unpack_it(self):
        big = self.scratch / "big"
        self.make(big, "--releases", 3, "--size", 300000)
        for option, program, ending in (("--older-than=30d", "zstd", ".zst"), ("--xz", "xz", ".xz")):
            words = ["archive", option] if option != "--xz" else ["archive", "--keep-last=1", "--xz"]
            if ending == ".xz":
                for version in ("v20260101", "v20260102"):
                    self.ok("restore", f"{LINE}@{version}", output_dir=big)
            self.ok(*words, output_dir=big)
            packed = big / "archive" / "202601" / f"{LINE}-v20260101" / f"{LINE}-v20260101.iso{ending}"
            plain = subprocess.run([program, "-dc", packed], check=True, capture_output=True).stdout
            sums = (packed.parent / "SHA256SUMS").read_text()
            digest = subprocess.run(["sha256sum"], input=plain, check=True, capture_output=True).stdout[:64].decode()
            self.assertIn(digest, sums)
        shutil.rmtree(big)

    def test_damage(self):
        flip_byte(self.release("v20260101") / f"{LINE}-v20260101.iso", 9)
        result = self.assert_exit(self.run_imgforge("archive", "--keep-last", 1), 3)
        self.assertIn("damaged", result.stdout)
        self.assertEqual(self.states()["v20260101"], "old")
        self.assertEqual(self.states()["v20260102"], "archived")
        folder = self.out / "archive" / "202601" / f"{LINE}-v20260102"
        flip_byte(next(folder.glob("*.iso*")), 50)
        self.fails(3, "restore", f"{LINE}@v20260102")
        self.fails(3, "restore", f"{LINE}@v20260102", env={"XDG_CONFIG_HOME": str(self.scratch / "nobody")})
        self.assertEqual(self.states()["v20260102"], "archived")
        self.assert_exit(self.run_imgforge("verify", "--all"), 3)

    def test_unusual_paths(self):
        for name in ("with blanks", "ümläut %s", "new\nline"):
            other = self.scratch / name
            shutil.copytree(self.made, other, symlinks=True)
            self.ok("archive", "--keep-last", 2, output_dir=other)
            self.ok("restore", f"{LINE}@v20260101", output_dir=other)
            self.ok("backup", "--all", self.scratch / f"{name} backup", output_dir=other)
            self.ok("verify", "--all", output_dir=self.scratch / f"{name} backup")
            self.ok("prune", "--keep-last", 1, "--yes", output_dir=other)
            self.ok("verify", "--all", output_dir=other)
            shutil.rmtree(other)


class Elsewhere(RetentionCase):
    def mount(self, folder, options):
        folder.mkdir(exist_ok=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]).returncode != 0:
            self.skipTest("cannot mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)

    def test_archive_on_another_file_system(self):
        self.mount(self.scratch / "far", "size=4m")
        (self.out / "archive").symlink_to(self.scratch / "far")
        self.ok("archive", "--keep-last", 1)
        self.assertEqual(sorted(self.states().values()), ["archived", "archived", "current"])
        self.ok("verify", "--all")
        self.ok("restore", f"{LINE}@v20260102")
        self.ok("verify", "--all")

    def test_archive_without_space(self):
        self.mount(self.scratch / "tight", "size=24k")
        (self.out / "archive").symlink_to(self.scratch / "tight")
        before = {k: v for k, v in self.snapshot().items() if k.startswith("releases")}
        self.fails(1, "archive", "--keep-last", 1, says="space")
        after = {k: v for k, v in self.snapshot().items() if k.startswith("releases")}
        self.assertEqual(before, after)
        self.assertEqual(list((self.scratch / "tight").rglob("*.json")), [])

    def test_a_read_only_store_is_said(self):
        self.mount(self.scratch / "ro", "size=4m")
        shutil.copytree(self.made, self.scratch / "ro" / "out", symlinks=True)
        subprocess.run(["mount", "-o", "remount,ro", self.scratch / "ro"], check=True)
        store = self.scratch / "ro" / "out"
        self.ok("prune", "--keep-last", 1, output_dir=store)
        self.ok("archive", "--keep-last", 1, "--dry-run", output_dir=store)
        for words in (["prune", "--keep-last", "1", "--yes"], ["archive", "--keep-last", "1"], ["clone", LINE, "trial"]):
            self.fails(1, *words, output_dir=store, says="ead-only")

    def test_backup(self):
        self.ok("archive", "--older-than", "30d")
        self.ok("restore", f"{LINE}@v20260102")
        self.ok("pin", f"{LINE}@v20260102")
        folder = self.scratch / "backup"
        self.assertIn("copied 3 releases", self.ok("backup", "--all", folder).stdout)
        before = self.snapshot(folder)
        self.assertIn("3 there already", self.ok("backup", "--all", folder).stdout)
        before.pop("backup.json")
        self.assertEqual({k: v for k, v in self.snapshot(folder).items() if k != "backup.json"}, before)
        self.ok("verify", "--all", output_dir=folder)
        self.fails(1, "backup", "--all", "/etc", says="something else")
        self.fails(2, "backup", "--all", self.out / "inner", says="inside the store")
        self.fails(2, "backup", folder, says="--all")


class Together(RetentionCase):
    def test_writers_at_once(self):
        """Two promotes, a prune, an archive and a publisher: each done or refused for a reason, nothing broken."""
        for round_ in range(3):
            self.setUp()
            commands = [["promote", f"{LINE}@v20260101"], ["promote", f"{LINE}@v20260102"], ["prune", "--keep-last", "1", "--yes"],
                        ["archive", "--keep-last", "1"]]
            running = [subprocess.Popen([PROGRAM, "--output-dir", self.out, *words], env=self.environment(), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True) for words in commands]
            running.append(subprocess.Popen([MAKER, self.out, "--releases", "2", "--first", "3", "--key", self.key],
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            for process in running:
                _, err = process.communicate(timeout=120)
                self.assertIn(process.returncode, (0, 1, 2), err)
                if process.returncode != 0:
                    self.assertRegex(err, "is not a release|no release|archived|just gone", process.args)
            self.ok("verify", "--all")
            self.assertEqual(self.dangling(), [])
            versions = self.versions()
            self.assertEqual(len(versions), len(set(versions)))
            self.assertIn("v20260105", versions)

    def test_two_publishers_in_one_second(self):
        running = [subprocess.Popen([MAKER, self.out, "--releases", "1", "--first", "9", "--key", self.key]) for _ in range(4)]
        self.assertEqual([process.wait(timeout=60) for process in running], [0] * 4)
        self.assertEqual(sorted(self.versions())[-4:], ["v20260110", "v20260110.1", "v20260110.2", "v20260110.3"])
        self.ok("verify", "--all")


class Cache(RetentionCase):
    def test_gc(self):
        recipe = SOURCE / "recipes" / "hello-boot.yaml"
        self.ok("validate", recipe)
        blobs = self.home / "cache" / "imgforge" / "blobs"
        digest = self.json("list")["releases"][0]["artifacts"][0]["sha256"]
        for name in (digest, "0" * 64):
            path = blobs / "sha256" / name[:2] / name[2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("blob")
        (blobs / "staging").mkdir()
        (blobs / "staging" / "put.1").write_text("half")
        self.assertIn("would remove 2 files", self.ok("gc").stdout)
        self.assertIn("nothing to remove", self.ok("gc", "--older-than", "1h").stdout)
        with open(blobs / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.fails(1, "gc", "--yes", says=f"(process {os.getpid()})")
        self.ok("gc", "--yes")
        self.assertTrue((blobs / "sha256" / digest[:2] / digest[2:]).exists())
        self.assertFalse((blobs / "sha256" / "00" / ("0" * 62)).exists())


class Clones(Case):
    """A real image: the clone boots, writes into itself, and the release is as before."""

    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for words in (["key", "generate", "me", "--no-passphrase"],
                      ["build", SOURCE / "recipes" / "hello-boot.yaml", "--set", "version=1.0"],
                      ["build", SOURCE / "recipes" / "hello-boot.yaml", "--set", "version=2.0"]):
            result = cls.run_imgforge(*words, timeout=600)
            if result.returncode != 0:
                raise RuntimeError(result.stderr)

    def test_a_clone_boots_and_its_release_stays(self):
        line = "hello-boot"
        backing = self.out / "releases" / line / "1.0" / f"{line}-1.0.qcow2"
        before = subprocess.run(["sha256sum", backing], check=True, capture_output=True).stdout
        disk = self.out / "clones" / "trial" / "disk.qcow2"
        self.ok("clone", f"{line}@1.0", "trial")
        self.assertIn("was there already", self.ok("clone", f"{line}@1.0", "trial").stdout)
        self.fails(2, "clone", f"{line}@2.0", "trial", says="there is a clone")
        self.fails(2, "clone", f"{line}@1.0", "../evil", says="cannot be the name")
        info = subprocess.run(["qemu-img", "info", "-U", disk], check=True, capture_output=True, text=True).stdout
        self.assertIn(f"../../releases/{line}/1.0/{line}-1.0.qcow2", info)
        size = disk.stat().st_blocks
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64,+rdrand", "-m", "256", "-nographic", "-nodefaults", "-no-reboot",
             "-serial", "stdio", "-drive", f"file={disk},if=virtio,format=qcow2"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = threading.Timer(120, machine.kill)
        deadline.start()
        try:
            seen = b""
            while MARKER not in seen and (piece := machine.stdout.read1(4096)):
                seen += piece
            self.assertIn(MARKER, seen, seen[-2000:])
            self.fails(1, "remove", "trial", "--yes", says="running machine")
            self.assertIn("running", self.ok("list", "--clones").stdout)
        finally:
            deadline.cancel()
            machine.kill()
            machine.communicate()
        # The machine need not write to its disk; this does.
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 0x55 64M 1M", disk], check=True, stdout=subprocess.DEVNULL)
        self.assertGreater(disk.stat().st_blocks, size)
        usage = json.loads(self.ok("du", "--json").stdout)
        self.assertEqual([(row["name"], row["stored"]) for row in usage["clones"]], [("trial", disk.stat().st_blocks * 512)])
        self.assertEqual(subprocess.run(["sha256sum", backing], check=True, capture_output=True).stdout, before)
        for words in (["prune", "--keep-last", "1", "--yes"], ["archive", "--keep-last", "1"]):
            self.assertIn("clones 1", self.ok(*words).stdout)
        self.fails(1, "remove", f"{line}@1.0", "--yes", says="clone trial")
        self.ok("verify", "--all")
        copy = self.scratch / "copy"
        self.ok("backup", f"{line}@1.0", copy)
        self.ok("verify", copy / "releases" / line / "1.0")
        self.ok("verify", copy / "images" / f"{line}-1.0.qcow2")
        elsewhere = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        self.ok("clone", f"{line}@1.0", "other", "--dir", elsewhere)
        subprocess.run(["qemu-img", "check", elsewhere / "other" / "disk.qcow2"], check=True, stdout=subprocess.DEVNULL)
        self.ok("remove", "trial", "other", "--yes")
        self.assertFalse(disk.parent.exists())
        self.assertFalse((elsewhere / "other").exists())
        self.ok("prune", "--keep-last", "1", "--yes")
        self.assertFalse(backing.exists())
        self.ok("verify", "--all")


if __name__ == "__main__":
    main()
