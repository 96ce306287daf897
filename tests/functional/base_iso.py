#!/usr/bin/env python3
"""Alpine's ISO images: fetched into the store from a real HTTP server."""

import hashlib
import json
import os

from alpine_iso import add_release
from harness import NEEDS_ALPINE, RELEASE, SOURCE, Case, Mirror, flip_byte, main

VERSION = "3.19.4"
NAME = f"alpine-base-{VERSION}-x86_64.iso"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@NEEDS_ALPINE
class FetchBase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch, "--no-kernel")
        cls.image = cls.scratch / "virt.iso"
        cls.image.write_bytes(os.urandom(3 << 20))
        add_release(cls.mirror.folder, "virt", cls.image)
        cls.file = cls.out / "isos" / NAME

    @classmethod
    def tearDownClass(cls):
        cls.mirror.close()
        super().tearDownClass()

    def fetch(self, *more):
        return ["fetch", "base", "--release", RELEASE, "--mirror", self.mirror.url(), *more]

    def test_01_the_image_is_in_the_store(self):
        result = json.loads(self.ok(*self.fetch("--json")).stdout)
        self.assertEqual(result["schema"], 1)
        self.assertEqual(result["file"], str(self.file))
        self.assertEqual((result["version"], result["placed"]), (VERSION, True))
        self.assertEqual(result["sha256"], sha256(self.image))
        self.assertEqual(sha256(self.file), sha256(self.image))
        self.assert_nothing_left()

    def test_02_again_and_offline_cost_no_download(self):
        before = len([r for r in self.mirror.requests() if r["path"].endswith(".iso")])
        self.assertEqual(self.ok(*self.fetch()).stdout, f"{self.file}\n")
        self.assertIn("is there already", self.ok(*self.fetch()).stderr)
        result = json.loads(self.ok(*self.fetch("--offline", "--json")).stdout)
        self.assertFalse(result["placed"])
        self.file.unlink()
        self.ok(*self.fetch("--offline"))
        self.assertEqual(sha256(self.file), sha256(self.image))
        self.assertEqual(len([r for r in self.mirror.requests() if r["path"].endswith(".iso")]), before)

    def test_03_a_changed_file_is_refused_and_left_alone(self):
        flip_byte(self.file, 1000)
        changed = sha256(self.file)
        self.fails(1, *self.fetch(), says=["in the way", "move it elsewhere"])
        self.assertEqual(sha256(self.file), changed)
        self.file.unlink()

    def test_04_a_wrong_digest_is_never_placed(self):
        before = self.snapshot()
        self.fails(3, *self.fetch("--sha256", "0" * 64), says="sha256:000000")
        self.fails(2, *self.fetch("--sha256", "abc"), says="--sha256")
        folder = f"{self.mirror.url('corrupt=2000')}"
        self.fails(3, "--cache-dir", self.scratch / "other", "fetch", "base", "--release", RELEASE,
                   "--mirror", folder, says="expected")
        self.assertEqual(self.snapshot(), before)

    def test_05_flavors(self):
        self.fails(5, *self.fetch("--flavor", "xen"), says=["no release of flavor alpine-xen", "virt"])
        self.fails(2, *self.fetch("--flavor", "minirootfs"), says="no ISO image")
        self.fails(2, *self.fetch("--flavor", "../virt"), says="not a flavor")
        self.fails(2, "fetch", says="")

    def test_06_releases_beside_it_are_built_and_verified(self):
        self.ok(*self.fetch())
        self.ok("key", "generate", "release@test", "--no-passphrase")
        self.ok("build", SOURCE / "recipes" / "hello-boot.yaml", "--format", "rootfs", timeout=600)
        self.ok("verify")
        self.assertEqual(sha256(self.file), sha256(self.image))


if __name__ == "__main__":
    main()
