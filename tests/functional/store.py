#!/usr/bin/env python3
"""The commands about the store, on stores of tiny releases that store_maker publishes. No mirror, no images."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from harness import PROGRAM, SOURCE, FreshCase, flip_byte, main, wait_for  # noqa: E402
from store_case import LINE, StoreCase  # noqa: E402


class Seeing(StoreCase):
    def test_list(self):
        self.ok("pin", f"{LINE}@v20260101", "--reason", "field")
        rows = self.json("list")["releases"]
        self.assertEqual([row["version"] for row in rows], ["v20260103", "v20260102", "v20260101"])
        self.assertEqual([row["state"] for row in rows], ["current", "old", "old"])
        self.assertEqual(rows[0]["signature"], {"status": "trusted", "signer": "me"})
        self.assertEqual(rows[2]["pin"]["reason"], "field")
        self.assertEqual([a["format"] for a in rows[0]["artifacts"]], ["qcow2", "iso"])
        text = self.ok("list", LINE).stdout
        self.assertIn("qcow2 4.1 kB, iso 4.1 kB", text)
        self.assertIn("old, pinned", text)
        self.fails(2, "list", "demo0-minima", says=f"did you mean {LINE}?")

    def test_show(self):
        for reference in (LINE, f"{LINE}@v20260103", f"{LINE}-v20260103", self.out / "images" / f"{LINE}.qcow2",
                          self.release("v20260103")):
            self.assertIn("demo0-minimal v20260103", self.ok("show", reference).stdout)
        shown = self.json("show", LINE)["release"]
        self.assertEqual(len(shown["manifest"]["packages"]), 10)
        recipe = self.recipe("imgforge: 1\nname: hello\nbase: embedded\n", "odd-name")
        self.assertIn("name: hello", self.ok("show", recipe).stdout)
        self.fails(2, "show", LINE, "--set", "disk.size=2G", says="nothing to override")
        self.fails(2, "show", f"{LINE}@v2026010", says=f"did you mean {LINE}@v2026010")

    def test_show_says_when_the_signature_is_not_good(self):
        manifest = self.release("v20260103") / "manifest.json"
        manifest.chmod(0o644)
        manifest.write_text(manifest.read_text().replace("2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"))
        self.assertIn("NOBODY TRUSTED", self.ok("show", LINE).stdout)

    def test_du(self):
        self.ok("pin", f"{LINE}@v20260101")
        usage = self.json("du")
        line = usage["lines"][0]
        self.assertEqual(usage["total"]["stored"], line["stored"])
        self.assertEqual([row["freeable"] > 0 for row in line["releases"]], [False, True, False])
        self.assertEqual(line["freeable"], line["releases"][1]["stored"])
        blocks = sum(p.stat().st_blocks * 512 for p in self.release("v20260102").iterdir() if not p.is_symlink())
        self.assertEqual(line["freeable"], blocks)

    def test_a_read_only_store_is_read_and_not_written(self):
        """As another user without write permission: no lock, no file."""
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        before = self.snapshot()
        self.scratch.chmod(0o755)
        subprocess.run(["chmod", "-R", "a-w,a+rX", str(self.out)], check=True)
        reader = dict(self.environment(), HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent", XDG_CACHE_HOME="/nonexistent")
        public = self.scratch / "me.pub"
        shutil.copy(self.key.with_suffix(".pub"), public)
        public.chmod(0o644)
        program = self.scratch / "imgforge"
        shutil.copy(PROGRAM, program)
        for words in (["list"], ["du"], ["log"], ["show", LINE], ["repair", "--public-key", str(public)],
                      ["verify", "--all", "--public-key", str(public)], ["clean", "--dry-run"]):
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--output-dir", self.out,
                                   *words], env=reader, capture_output=True, text=True, cwd="/")
            self.assertEqual(done.returncode, 0, f"{words} {done.stdout} {done.stderr}")
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--output-dir", self.out,
                               "rollback", LINE], env=reader, capture_output=True, text=True, cwd="/")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("permission", done.stderr.lower())
        self.assertEqual(self.snapshot(), before)

    def test_unusual_store_paths(self):
        for name in ("with blanks", "ümläut %s", "new\nline", "x" * 200):
            other = self.scratch / name
            shutil.copytree(self.made, other, symlinks=True)
            self.ok("list", output_dir=other)
            self.ok("rollback", LINE, output_dir=other)
            self.ok("pin", LINE, output_dir=other)
            self.ok("verify", "--all", output_dir=other)
            self.assertEqual(len(self.ok("log", output_dir=other).stdout.splitlines()), 1 + 3 + 2)
            shutil.rmtree(other)


class Pointer(StoreCase):
    def current(self):
        return os.readlink(self.out / "releases" / LINE / "current")

    def test_rollback_promote_log(self):
        self.assertEqual(self.ok("rollback", LINE).stdout, f"{LINE}: v20260103 -> v20260102 (all formats)\n")
        self.assertEqual(self.current(), "v20260102")
        self.ok("rollback", LINE, "--to", "v20260101")
        self.fails(2, "rollback", LINE, says="no release before v20260101")
        self.fails(1, "promote", f"{LINE}-v20260103", "--require-boot", says="was not seen to boot: demo0-minimal-v20260103.iso by cd BIOS")
        self.assertEqual(os.readlink(self.out / "releases" / LINE / "current"), "v20260101")
        self.ok("promote", f"{LINE}-v20260103")
        self.assertIn("current already", self.ok("promote", LINE).stdout)
        entries = self.json("log")["entries"]
        self.assertEqual([e["command"] for e in entries[:3]], ["promote", "rollback", "rollback"])
        self.assertEqual(entries[0]["detail"], "v20260101 -> v20260103")
        self.assertEqual(len(self.json("log", "--last", 2)["entries"]), 2)
        self.ok("verify", "--all")

    def test_damage_is_refused(self):
        flip_byte(self.release("v20260102") / f"{LINE}-v20260102.iso", 100)
        before = self.snapshot()
        self.fails(3, "rollback", LINE, says="sha256 is")
        self.fails(3, "promote", f"{LINE}@v20260102", says="hint: a damaged release")
        self.assertEqual(self.snapshot(), before)

    def test_broken_current_is_explained(self):
        link = self.out / "releases" / LINE / "current"
        for target in ("v20200101", "/etc", "../..", None):
            link.unlink() if link.is_symlink() else None
            link.mkdir() if target is None else link.symlink_to(target)
            before = self.snapshot()
            self.fails(1, "promote", f"{LINE}@v20260102", says=["current", "look at what is there"])
            self.assertEqual(self.snapshot(), before)
            self.fails(3, "verify", "--all")
        self.assertTrue(link.is_dir())

    def test_pins(self):
        self.ok("pin", f"{LINE}@v20260101", LINE)
        self.assertEqual(sorted(p.name for p in (self.out / ".pins").iterdir()),
                         [f"{LINE}@v20260101", f"{LINE}@v20260103"])
        shutil.rmtree(self.release("v20260101"))
        self.assertIn("no longer pinned", self.ok("unpin", f"{LINE}@v20260101").stdout)
        self.assertIn("was not pinned", self.ok("unpin", f"{LINE}@v20260102").stdout)
        self.fails(2, "pin", LINE, "--reason", "a\nb", says="one line")


class Checking(StoreCase):
    def findings(self):
        result = self.run_imgforge("--json", "verify", "--all")
        report = json.loads(result.stdout)
        self.assertEqual(result.returncode, 0 if report["verified"] else 3)
        return {(f["damage"], os.path.relpath(f["path"], self.out)) for f in report["findings"]}

    def test_each_damage_is_named(self):
        self.assertEqual(self.findings(), set())
        flip_byte(self.release("v20260101") / f"{LINE}-v20260101.qcow2", 9)
        (self.release("v20260102") / "boot-disk-bios.log").unlink()
        (self.release("v20260102") / "SHA256SUMS").unlink()
        (self.out / "isos" / f"{LINE}.iso").unlink()
        (self.out / "notes.txt").write_text("mine")
        (self.out / ".staging" / "publish.4194000.0123456789ab").mkdir(parents=True)
        base = f"releases/{LINE}"
        self.assertEqual(self.findings(), {
            ("file", f"{base}/v20260101/{LINE}-v20260101.qcow2"), ("file", f"{base}/v20260102/boot-disk-bios.log"),
            ("sums", f"{base}/v20260102/SHA256SUMS"), ("flat name", f"isos/{LINE}.iso"), ("foreign", "notes.txt"),
            ("leftover", ".staging/publish.4194000.0123456789ab")})
        before = self.snapshot()
        self.assert_exit(self.run_imgforge("repair"), 3)
        self.assertEqual(self.snapshot(), before)
        self.assertIn("removed 1 leftover", self.ok("clean").stdout)
        (self.out / ".staging" / "repair.4194000.0123456789ab").mkdir(parents=True)
        self.assert_exit(self.run_imgforge("repair", "--yes"), 3)
        # The log's bytes are in the other releases too, but only as documents: those are not looked for.
        self.assertEqual(self.findings(), {
            ("file", f"{base}/v20260101/{LINE}-v20260101.qcow2"), ("file", f"{base}/v20260102/boot-disk-bios.log"),
            ("foreign", "notes.txt")})

    def test_links_are_looked_at(self):
        images = self.out / "images"
        (images / "latest-lab.qcow2").symlink_to(f"../releases/{LINE}/v20260101/{LINE}-v20260101.qcow2")
        (self.out / "isos" / "mine.iso").symlink_to(__file__)
        self.assertEqual(self.findings(), {("foreign", "images/latest-lab.qcow2"), ("foreign", "isos/mine.iso")})
        other = self.scratch / "other"
        shutil.rmtree(other, ignore_errors=True)
        self.make(other, "--lines", 2)
        shutil.move(other / "releases" / "demo1-minimal", self.out / "releases" / "demo1-minimal")
        for folder in ("images", "isos"):
            for link in (other / folder).glob("demo1*"):
                shutil.move(link, self.out / folder / link.name)
        known = self.findings()
        for name, target, finding in (
                ("images", f"demo1-minimal.qcow2 ../releases/{LINE}/current/{LINE}.qcow2", "flat name"),
                ("images", f"demo1-minimal-v20250101.qcow2 ../releases/{LINE}/v20260101/{LINE}-v20260101.qcow2", "flat name"),
                ("isos", f"{LINE}-v20260101.iso ../releases/{LINE}/v20260102/{LINE}-v20260102.iso", "flat name"),
                ("images", "lab.qcow2 ../releases/gone/v1/gone.qcow2", "flat name"),
                ("images", "lab.qcow2 /nowhere", "flat name"),
                (f"releases/{LINE}", "current ../demo1-minimal/v20260101", "current")):
            with self.subTest(target):
                link, to = target.split()
                path = self.out / name / link
                before = os.readlink(path) if path.is_symlink() else None
                path.unlink(missing_ok=True)
                path.symlink_to(to)
                self.assertIn((finding, f"{name}/{link}"), self.findings() - known)
                path.unlink()
                if before:
                    path.symlink_to(before)
        self.assertEqual(self.findings(), known)

    def test_folders_behind_links(self):
        real = self.scratch / "real"
        shutil.move(self.out, real)
        self.out.symlink_to(real)
        self.addCleanup(shutil.rmtree, real)
        self.addCleanup(self.out.unlink)
        self.ok("verify", "--all")
        everything = (["verify"], ["verify", "--all"], ["list"], ["du"], ["log"], ["gc"], ["repair"], ["clean"], ["show", LINE],
                      ["prune", "--keep-last", 1], ["archive", "--keep-last", 1], ["remove", f"{LINE}@v20260101"],
                      ["pin", f"{LINE}@v20260101"], ["rollback", LINE], ["checksum", LINE], ["backup", "--all", self.scratch / "copies"],
                      ["export", self.scratch / "www"], ["build", "--unsigned", SOURCE / "recipes" / "hello-boot.yaml"])
        for name in ("releases", f"releases/{LINE}", "images"):
            with self.subTest(name):
                aside = self.scratch / "aside"
                shutil.move(self.out / name, aside)
                (self.out / name).symlink_to(aside)
                before = self.snapshot(real), self.snapshot(aside)
                for words in everything:
                    self.assertIn(f"{name} is a symbolic link", self.fails(1, *words).stderr, words)
                self.assertEqual((self.snapshot(real), self.snapshot(aside)), before)
                (self.out / name).unlink()
                (self.out / name).symlink_to("/not/mounted")
                self.assertIn(f"{name} is a symbolic link", self.fails(1, "verify", "--all").stderr)
                (self.out / name).unlink()
                shutil.move(aside, self.out / name)

    def test_a_lost_file_comes_back_from_the_cache(self):
        lost = self.release("v20260102") / f"{LINE}-v20260102.iso"
        data = lost.read_bytes()
        digest = subprocess.run(["sha256sum", lost], check=True, capture_output=True, text=True).stdout[:64]
        blob = self.home / "cache" / "imgforge" / "blobs" / "sha256" / digest[:2] / digest[2:]
        blob.parent.mkdir(parents=True)
        blob.write_bytes(data)
        flip_byte(lost, 5)
        self.ok("repair", "--yes")
        self.assertEqual(lost.read_bytes(), data)
        self.assertEqual(self.findings(), set())

    def test_nobody_trusted(self):
        self.fails(3, "verify", "--all", env={"XDG_CONFIG_HOME": str(self.scratch / "nobody")})
        self.fails(3, "checksum", LINE, env={"XDG_CONFIG_HOME": str(self.scratch / "nobody")}, says="trusted key")

    def test_nothing_is_hashed_for_a_manifest_that_nobody_signed(self):
        folder = self.release("v20260101")
        os.truncate(folder / f"{LINE}-v20260101.iso", 1 << 41)
        manifest = folder / "manifest.json"
        text = manifest.read_text()
        changed = re.sub(r'("size": ?)4096', rf"\g<1>{1 << 41}", text)
        self.assertNotEqual(text, changed)
        os.chmod(manifest, 0o644)
        manifest.write_text(changed)
        for words in (["--all"], [folder]):
            result = self.assert_exit(self.run_imgforge("verify", *words, timeout=30), 3)
            self.assertIn("bad signature", result.stdout)

    def test_checksum_is_what_stock_tools_check(self):
        folder = self.release("v20260103")
        for algorithm in ("sha256", "sha512"):
            sums = self.scratch / "sums"
            self.ok("checksum", LINE, "--algorithm", algorithm, "--output", sums)
            subprocess.run([f"{algorithm}sum", "-c", "--strict", "--quiet", sums], check=True, cwd=folder)
        self.assertEqual(self.ok("checksum", LINE).stdout, (folder / "SHA256SUMS").read_text())

    def test_thorough_needs_all(self):
        self.ok("verify", "--all", "--thorough")
        self.fails(2, "verify", "--thorough")
        self.fails(2, "verify", "--all", self.out, says="--output-dir")


class Holes(FreshCase):
    """Files of a terabyte that hold next to nothing."""

    def sparse(self, name, place, content):
        path = self.scratch / name
        with open(path, "wb") as file:
            file.truncate(1 << 40)
            file.seek(place)
            file.write(content)
        return path

    def test_comparing_passes_over_common_holes(self):
        one, two = self.sparse("one", 1 << 30, b"abc"), self.sparse("two", 1 << 39, b"abd")
        start = time.monotonic()
        result = self.assert_exit(self.run_imgforge("diff", "--bytes", one, two, timeout=60), 1)
        self.assertLess(time.monotonic() - start, 30)
        self.assertIn(f"bytes {1 << 39}-{(1 << 39) + 2}", result.stdout)

    def test_a_hole_that_is_hashed_is_not_read_and_can_be_interrupted(self):
        file = self.sparse("one", 510, b"\x55\xaa" + b"EFI PART")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130)):
            process = subprocess.Popen([PROGRAM, "inspect", "--checksum", file], env=self.environment(), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            io = pathlib.Path(f"/proc/{process.pid}")
            wait_for(lambda: int((io / "stat").read_text().split()[13]) > 50, "it does not hash")
            read = int((io / "io").read_text().split()[1])
            self.assertLess(read, 32 << 20, "holes are not read")
            process.send_signal(number)
            _, errors = process.communicate(timeout=5)
            self.assertEqual(process.returncode, code, errors)


if __name__ == "__main__":
    main()
