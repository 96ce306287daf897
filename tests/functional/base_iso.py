#!/usr/bin/env python3
"""Alpine's ISO images: fetched into the store from a real HTTP server, and remastered with a recipe's
configuration into media that start."""

import hashlib
import json
import os
import subprocess

import alpine_iso
from alpine_iso import add_release
from harness import NEEDS_ALPINE, RELEASE, SOURCE, Case, Mirror, flip_byte, main

VERSION = "3.19.4"
NAME = f"alpine-base-{VERSION}-x86_64.iso"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@NEEDS_ALPINE
class FetchBase(Case):
    WARM = True

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


RECIPE = """imgforge: 1
name: kiosk
version: v1
base: { alpine: { release: 3.19, flavor: virt-iso } }
formats: [iso]
packages: { add: [chrony, jq=1.7.1-r0] }
services: { default: [local, chronyd] }
users: [{ name: root, password: none }, { name: voice, uid: 2000 }]
files:
  - path: /etc/local.d/marker.start
    mode: "0755"
    content: |
      #!/bin/sh
      echo "KIOSK $(hostname) $(jq -n 1+1) $(id -u voice) $(cat /etc/motd)" >/dev/ttyS0
  - { path: /etc/motd, content: "hello from {{ name }}\\n" }
requirements: { memory: 256M }
boot: { expect: ["KIOSK kiosk 2 2000 hello from kiosk", "login:"] }
"""


@NEEDS_ALPINE
class Remaster(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch)
        cls.work = cls.scratch / "medium"
        cls.work.mkdir()
        cls.image = alpine_iso.make_iso(cls.mirror.folder, cls.work)
        add_release(cls.mirror.folder, "virt", cls.image)
        cls.file = cls.out / "isos" / "kiosk.iso"
        assert cls.run_imgforge("key", "generate", "release@test", "--no-passphrase").returncode == 0

    @classmethod
    def tearDownClass(cls):
        cls.mirror.close()
        super().tearDownClass()

    def build(self, text=RECIPE, *more):
        return ["build", self.recipe(text), "--mirror", self.mirror.url(), *more]

    def serve(self, image):
        add_release(self.mirror.folder, "virt", image)

    def test_01_the_medium_starts_and_takes_on_the_configuration(self):
        self.ok(*self.build())
        self.assertIn("verified", self.ok("verify").stdout)
        manifest = json.loads((self.file.resolve().parent / "manifest.json").read_text())
        self.assertEqual(manifest["base"]["kind"], "iso")
        self.assertEqual(manifest["base"]["sha256"], sha256(self.image))
        self.assertIn("cloud-amd64", manifest["kernel"]["release"])
        result = self.ok("boot", self.file, "--path", "cd BIOS", "--run", "rc-update show default; id voice",
                         timeout=600)
        self.assertRegex(result.stdout + result.stderr, r"chronyd \|")
        self.assertIn("uid=2000(voice)", result.stdout + result.stderr)

    def test_02_it_starts_by_uefi_as_the_image_did(self):
        self.ok("boot", self.file, "--path", "cd UEFI", timeout=600)

    def test_03_the_same_again_costs_nothing_and_gives_the_same_bytes(self):
        first = sha256(self.file)
        result = self.ok(*self.build(), "--offline")
        self.assertIn("nothing to do", result.stderr)
        other = self.scratch / "other-out"
        self.ok("--cache-dir", self.scratch / "other-cache", *self.build(), output_dir=other)
        self.assertEqual(sha256(other / "isos" / "kiosk.iso"), first)
        plan = json.loads(self.ok("plan", self.recipe(RECIPE), "--mirror", self.mirror.url(), "--json").stdout)
        self.assertIn("kiosk/iso", json.dumps(plan))

    def test_04_all_files_of_alpine_are_as_they_were(self):
        def listing(image):
            out = subprocess.run(["xorriso", "-indev", f"stdio:{image.resolve()}", "-find", "/", "-type", "f", "-exec",
                                  "lsdl"], check=True,
                                 capture_output=True, text=True).stdout
            rows = (line.split() for line in out.splitlines() if line.startswith("-"))
            return {row[-1]: row[4] for row in rows}

        before, after = listing(self.image), listing(self.file)
        self.assertEqual(after.pop("'/kiosk.apkovl.tar.gz'") > "0", True)
        self.assertGreater(len(before), 100)
        self.assertEqual(after, before)
        label = subprocess.run(["blkid", "-o", "value", "-s", "LABEL", self.file.resolve()], check=True,
                               capture_output=True, text=True).stdout.strip()
        self.assertEqual(label, alpine_iso.VOLUME)

    def test_05_what_the_medium_does_not_carry_is_named_at_its_place(self):
        self.ok(*self.build())
        before = self.snapshot()
        self.fails(1, *self.build(RECIPE.replace("jq=1.7.1-r0", "htop")),
                   says=["recipe.yaml:6:", "does not carry the package htop"])
        self.fails(1, *self.build(RECIPE.replace("jq=1.7.1-r0", "jq=9-r0")), says="carries jq 1.7.1-r0, not 9-r0")
        self.fails(1, *self.build(RECIPE.replace("chronyd", "chronid")), says=["no service", "chronyd"])
        self.fails(2, *self.build(RECIPE.replace("[iso]", "[iso, qcow2]")),
                   says=["recipe.yaml:5:", "makes only the format iso"])
        self.assertEqual(self.snapshot(), before)
        self.assert_nothing_left()

    def test_06_media_that_are_not_alpines_are_refused(self):
        self.ok(*self.build())
        before = self.snapshot()
        tree = self.work / "tree"
        (tree / ".alpine-release").rename(self.work / "kept")
        alpine_iso.write_iso(tree, self.work / "other.iso")
        (self.work / "kept").rename(tree / ".alpine-release")
        self.serve(self.work / "other.iso")
        self.fails(1, *self.build(), says=["is not an Alpine ISO image: it lacks .alpine-release"])
        cut = self.work / "cut.iso"
        cut.write_bytes(self.image.read_bytes()[:30 << 20])
        self.serve(cut)
        self.fails(1, *self.build(), says="is not a whole ISO image")
        text = self.work / "text.iso"
        text.write_text("not an image")
        self.serve(text)
        self.fails(1, *self.build(), says="is not a whole ISO image")
        package = next((tree / "apks" / "x86_64").glob("chrony-4*.apk"))
        flip_byte(package, 20000)
        alpine_iso.write_iso(tree, self.work / "changed.iso")
        flip_byte(package, 20000)
        self.serve(self.work / "changed.iso")
        self.fails(3, *self.build(), says="chrony-4.5-r0")
        self.serve(self.image)
        self.assertEqual(self.snapshot(), before)
        self.assert_nothing_left()
        self.fails(3, *self.build(RECIPE.replace("virt-iso", f"virt-iso, sha256: {'0' * 64}")), says="the recipe")

    def test_07_a_lock_holds_the_medium(self):
        def lock(*more):
            self.ok(*more, "lock", self.recipe(RECIPE), "--mirror", self.mirror.url())
            return json.loads((self.scratch / "recipe.lock.json").read_text())

        self.addCleanup((self.scratch / "recipe.lock.json").unlink, True)
        cold = self.scratch / "lock-cache"
        locked = lock("--cache-dir", cold)
        self.assertEqual([(row["flavor"], row["version"], row["checksum"]) for row in locked["bases"]],
                         [("virt", VERSION, f"sha256-{sha256(self.image)}")])
        self.assertEqual(locked["profiles"][0]["packages"], [])
        self.ok("--cache-dir", cold, *self.build(), "--locked", "--offline")
        first = sha256(self.file)
        self.assertEqual(lock("--cache-dir", cold), locked, "after a build, whose record of the base is another step's")
        self.ok(*self.build(), "--ignore-lock")
        self.assertEqual(lock(), locked)
        self.assertEqual(sha256(self.file), first)
        self.assertIn("nothing is outdated", self.ok("outdated", self.recipe(RECIPE), "--mirror", self.mirror.url()).stderr)


if __name__ == "__main__":
    main()
