#!/usr/bin/env python3
"""Downloads that are killed, shared, spoiled and starved of room; and a recipe's sources fetched once for builds without
network."""

import hashlib
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

from harness import FULL, NEEDS_ALPINE, PROGRAM, RELEASE, SOURCE, Case, FreshCase, Mirror, flip_byte, main

VERSION = "3.22.2"
PATH = f"v3.22/releases/x86_64/alpine-virt-{VERSION}-x86_64.iso"
SIZE = 6 << 20


class FaultServer:
    """tests/support/fault_server.py over a folder with one file where Alpine's image would be."""

    def __init__(self, folder):
        self.root, self.log = folder / "root", folder / "log"
        file = self.root / PATH
        file.parent.mkdir(parents=True)
        self.content = random.Random(1).randbytes(SIZE)
        file.write_bytes(self.content)
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.process = subprocess.Popen([sys.executable, SOURCE / "tests" / "support" / "fault_server.py", self.root, self.log],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def url(self, fault=""):
        return f"http://127.0.0.1:{self.port}" + (f"/x/{fault}" if fault else "")

    def requests(self):
        return self.log.read_text().splitlines()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Downloads(FreshCase):
    def setUp(self):
        super().setUp()
        self.server = FaultServer(self.scratch)
        self.addCleanup(self.server.close)

    def words(self, fault="", out=None, *more):
        return [PROGRAM, "--output-dir", str(out or self.out), *more, "fetch", "base", "--release", VERSION,
                "--sha256", self.server.sha256, "--mirror", self.server.url(fault)]

    def start(self, *args):
        return subprocess.Popen(self.words(*args), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def fetch(self, fault="", *more):
        return subprocess.run(self.words(fault, None, *more), env=self.environment(), capture_output=True, text=True, timeout=120)

    def part(self):
        return next((self.home / "cache" / "imgforge" / "partial").glob("*.part"), None)

    def assert_whole(self, out=None):
        image = (out or self.out) / "isos" / f"alpine-base-{VERSION}-x86_64.iso"
        self.assertEqual(image.read_bytes(), self.server.content)
        self.assertEqual(list((self.home / "cache" / "imgforge" / "partial").iterdir()), [])

    def test_a_library_that_is_not_there_is_named_and_others_can_do_without_it(self):
        libraries = self.scratch / "libraries"
        libraries.mkdir()
        (libraries / "libcurl.so.4").write_text("no library")
        damaged = {"LD_LIBRARY_PATH": str(libraries)}
        if "libcurl.so.4" in subprocess.run(["readelf", "-d", PROGRAM], check=True, capture_output=True, text=True).stdout:
            self.fail("the program was built with all libraries loaded at its start")
        self.fails(4, "fetch", "base", "--release", VERSION, "--sha256", self.server.sha256, "--mirror", self.server.url(), env=damaged,
                   says=["libcurl.so.4", "hint: install"])
        self.ok("key", "list", env=damaged)

    def wait_for_bytes(self, count):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.part() and self.part().stat().st_size > count:
                return
            time.sleep(0.02)
        self.fail("the download does not move")

    def test_a_killed_download_goes_on_every_time(self):
        reached = []
        for step in range(3):
            process = self.start("rate-3000000")
            self.wait_for_bytes(reached[-1] + 400_000 if reached else 700_000)
            process.kill()
            process.communicate()
            reached.append(self.part().stat().st_size)
        self.assert_exit(self.fetch("rate-8000000"), 0)
        self.assert_whole()
        starts = [int(line.split("bytes=")[1].split("-")[0]) for line in self.server.requests()[1:]]
        self.assertEqual(starts, reached, "each run goes on at the byte where the one before was killed")

    def test_an_interrupted_download_says_so_and_goes_on(self):
        process = self.start("rate-3000000")
        self.wait_for_bytes(700_000)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)
        kept = self.part().stat().st_size
        self.assert_exit(self.fetch(), 0)
        self.assert_whole()
        self.assertIn(f"bytes={kept}-", self.server.requests()[-1])

    def test_two_at_once_share_one_download(self):
        outs = [self.scratch / "one", self.scratch / "two"]
        processes = [self.start("rate-4000000", out) for out in outs]
        for process in processes:
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, errors)
        for out in outs:  # only now: the second holds the part for as long as it looks what the first has left
            self.assert_whole(out)
        self.assertEqual(len(self.server.requests()), 1)

    def test_a_blob_that_rotted_is_put_aside_and_fetched_again(self):
        self.assert_exit(self.fetch(), 0)
        digest = self.server.sha256
        blob = self.home / "cache" / "imgforge" / "blobs" / "sha256" / digest[:2] / digest[2:]
        blob.chmod(0o600)
        with open(blob, "r+b") as file:
            file.seek(SIZE // 2)
            byte = file.read(1)[0]
            file.seek(SIZE // 2)
            file.write(bytes([byte ^ 1]))
        self.out = self.scratch / "again"
        self.assert_exit(self.fetch(), 0)
        self.assert_whole()
        self.assertEqual(len(self.server.requests()), 2)
        quarantine = self.home / "cache" / "imgforge" / "blobs" / "quarantine"
        self.assertEqual([entry.name.split(".")[0] for entry in quarantine.iterdir()], [digest])

    def test_wrong_bytes_are_never_taken(self):
        result = self.assert_exit(self.fetch("flip"), 3)
        self.assertIn(self.server.sha256, result.stderr)
        rejected = next((self.home / "cache" / "imgforge" / "partial").glob("*.rejected"))
        self.assertIn(str(rejected), result.stderr)
        self.assertFalse((self.out / "isos").exists() and any((self.out / "isos").iterdir()))

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_room_is_asked_for_before_a_byte_is_fetched(self):
        small = self.scratch / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=18m", "none", small], check=True)
        try:
            result = self.assert_exit(self.fetch("", "--cache-dir", str(small)), 1)
            self.assertIn("has room for", result.stderr)
            self.assertIn("--cache-dir", result.stderr)
            self.assertEqual([path for path in small.rglob("*.part")], [])
        finally:
            subprocess.run(["umount", small], check=True)

    def test_the_rate_is_limited(self):
        begin = time.monotonic()
        self.out.mkdir()
        words = self.words() + ["--limit-rate", "4M"]
        subprocess.run(words, env=self.environment(), check=True, capture_output=True, timeout=60)
        self.assertGreater(time.monotonic() - begin, 1.3)
        self.assert_whole()


class LargeFile(http.server.BaseHTTPRequestHandler):
    """Ranges of one sparse file, which is the server's `file`; the server's `ranges` holds what was asked for."""

    def do_GET(self):
        path, wanted = self.server.file, self.headers["Range"]
        self.server.ranges.append(wanted)
        size = path.stat().st_size
        begin, end = (int(text or size - 1) for text in wanted.removeprefix("bytes=").split("-")) if wanted else (0, size - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end + 1 - begin))
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{end}/{size}")
        self.end_headers()
        with open(path, "rb") as file:
            while begin <= end:
                begin += os.sendfile(self.connection.fileno(), file.fileno(), begin, min(1 << 22, end + 1 - begin))

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # the client was killed
            pass


@unittest.skipUnless(FULL, "IMGFORGE_TEST_FULL is not 1")
class Large(Case):
    """A model of more than 2^32 bytes, killed behind them."""

    SIZE = 6 << 30
    KILLED = 4_600_000_000

    def test_it_goes_on_behind_4_gib(self):
        source = self.scratch / "large"
        with open(source, "wb") as file:
            file.truncate(self.SIZE)
            for place in (0, 1 << 32, 5 << 30, self.SIZE - 8):
                file.seek(place)
                file.write(place.to_bytes(8, "big"))
        sha256 = subprocess.run(["sha256sum", source], capture_output=True, text=True, check=True).stdout[:64]
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LargeFile)
        server.file, server.ranges = source, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        recipe = self.recipe(f"""imgforge: 1
name: large
base: embedded
disk: {{ size: 8G }}
models:
  - name: large
    source: http://127.0.0.1:{server.server_port}/large
    sha256: {sha256}
    size: {self.SIZE}
    format: raw
""")
        partial = self.home / "cache" / "imgforge" / "partial"
        process = subprocess.Popen([PROGRAM, "--output-dir", self.out, "model", "fetch", recipe], env=self.environment(),
                                   stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not any(part.stat().st_size > self.KILLED for part in partial.glob("*.part")):
            time.sleep(0.02)
        process.kill()
        self.assertEqual(process.communicate()[1], "")
        self.assertEqual(process.returncode, -signal.SIGKILL)
        before = len(server.ranges)
        self.ok("model", "fetch", recipe)
        starts = [int(wanted.removeprefix("bytes=").split("-")[0]) for wanted in server.ranges[before:]]
        self.assertGreater(min(starts), 1 << 32, "the run after the kill asks for nothing that was there")
        blob = self.home / "cache" / "imgforge" / "blobs" / "sha256" / sha256[:2] / sha256[2:]
        self.assertEqual(subprocess.run(["cmp", blob, source]).returncode, 0)


@NEEDS_ALPINE
class Recipe(Case):
    """fetch RECIPE, then a build that asks nobody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch)

    @classmethod
    def tearDownClass(cls):
        cls.mirror.close()
        super().tearDownClass()

    def words(self, command, *more):
        return [command, SOURCE / "recipes" / "unhinged-os.yaml", "--profile", "minimal", "--mirror", self.mirror.url(),
                "--set", f"base.alpine.release={RELEASE}", "--set", f"packages.keys={self.mirror.key}", *more]

    def test_everything_is_fetched_once_and_a_build_asks_nobody(self):
        first = json.loads(self.ok("--json", *self.words("fetch")).stdout)
        self.assertEqual(first["schema"], 1)
        kinds = {row["name"].split()[0] for row in first["files"]}
        self.assertLessEqual({"index", "package"}, kinds)
        self.assertTrue(any(row["name"].startswith("alpine-minirootfs") for row in first["files"]))
        self.assertEqual({row["from"] for row in first["files"]}, {"fetched"})
        for row in first["files"]:
            self.assertRegex(row["sha256"], r"^[0-9a-f]{64}$")
            self.assertTrue(row["url"].startswith(self.mirror.url()), row)

        before = len(self.mirror.requests())
        again = self.ok(*self.words("fetch"))
        self.assertNotIn("fetched", again.stdout)
        asked = [request["path"] for request in self.mirror.requests()[before:]]
        self.assertEqual(sorted(path.rsplit("/", 1)[1] for path in asked),
                         ["APKINDEX.tar.gz", "APKINDEX.tar.gz", "latest-releases.yaml"], "one conditional request an index")

        before = len(self.mirror.requests())
        package = next(row for row in first["files"] if row["name"].startswith("package "))
        index = next(row for row in first["files"] if row["name"].startswith("index "))
        cache = self.home / "cache" / "imgforge"
        blobs = cache / "blobs" / "sha256"
        body = next(path for path in (cache / "http").glob("*.body")
                    if hashlib.sha256(path.read_bytes()).hexdigest() == index["sha256"])
        for rotten in (blobs / package["sha256"][:2] / package["sha256"][2:], blobs / index["sha256"][:2] / index["sha256"][2:], body):
            flip_byte(rotten, 100)
        again = json.loads(self.ok("--json", *self.words("fetch")).stdout)
        self.assertEqual({row["name"] for row in again["files"] if row["from"] == "fetched"}, {package["name"], index["name"]})
        self.assertIn(200, [request["status"] for request in self.mirror.requests()[before:]
                            if request["path"].endswith("APKINDEX.tar.gz")], "fetched whole, not asked whether it is unchanged")
        quarantined = {path.name.split(".")[0] for path in (cache / "blobs" / "quarantine").iterdir()}
        self.assertEqual(quarantined, {package["sha256"]} | ({index["sha256"]} & quarantined))

        before = len(self.mirror.requests())
        self.ok(*self.words("fetch", "--offline"))
        self.ok(*self.words("build", "--offline", "--unsigned", "--format", "rootfs"), timeout=900)
        self.assertEqual(len(self.mirror.requests()), before)


main()
