#!/usr/bin/env python3
"""New releases out of published ones (convert, compress, resize), judged by stock programs and by booting them; the source's
bytes, kills in the middle, a limit on the size of files; inspect and diff on the same releases. Needs no mirror."""

import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import PROGRAM, SOURCE, Case, flip_byte, main, wait_for  # noqa: E402

RECIPE = SOURCE / "recipes" / "hello-boot.yaml"
LINE = "hello-boot"
FORMATS = [word for name in ("qcow2", "raw", "usb", "rootfs", "oci") for word in ("--format", name)]


def tool(*words, **options):
    """Output of a program that must succeed."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)
    if result.returncode != 0:
        raise AssertionError(f"{words} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout + result.stderr


class Convert(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A name that shells, qemu and libguestfs would all like to read something into.
        cls.out = cls.scratch / "out a,b:c 'ü'"
        cls.run_imgforge("key", "generate", "convert@test", "--no-passphrase").check_returncode()
        built = cls.run_imgforge("build", RECIPE, *FORMATS, "--json")
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        cls.version = json.loads(built.stdout)["profiles"][0]["version"]
        cls.source = f"{LINE}@{cls.version}"
        cls.before = cls.snapshot(cls, cls.folder(cls.version))

    @classmethod
    def folder(cls, version):
        return cls.out / "releases" / LINE / version

    def setUp(self):
        self.current = os.readlink(self.out / "releases" / LINE / "current")

    def tearDown(self):
        self.assertEqual(self.snapshot(self.folder(self.version)), self.before, "the source was changed")

    def derive(self, *words, source=None, **options):
        """Runs the command; the JSON about the release that came out, which must verify and not be current."""
        result = json.loads(self.ok(words[0], source or self.source, *words[1:], "--json", **options).stdout)
        manifest = json.loads((pathlib.Path(result["directory"]) / "manifest.json").read_text())
        self.assertEqual(manifest["derived_from"]["release"], source or self.source)
        self.assertEqual(manifest["boots"], [])
        self.ok("verify", result["directory"], "--strict")
        if "--promote" not in words:
            self.assertFalse(result["current"])
            self.assertEqual(os.readlink(self.out / "releases" / LINE / "current"), self.current)
        return result

    def image(self, result, number=0):
        return pathlib.Path(result["artifacts"][number]["file"])

    def test_01_every_disk_format_holds_the_same_disk(self):
        raw = self.folder(self.version) / f"{LINE}.img"
        for name in ("vmdk", "vhdx", "vdi"):
            made = self.derive("convert", "--to", name)
            image = self.image(made)
            # stdio names: qemu-img reads protocols out of names with a colon.
            tool("qemu-img", "compare", "-f", name, "-F", "raw", f"file:{image}", f"file:{raw}")
            self.assertTrue((self.out / "images" / image.name).exists())
            self.assertFalse(os.path.lexists(self.out / "images" / f"{LINE}.{name}"))
        again = json.loads(self.ok("convert", self.source, "--to", "vdi", "--json").stdout)
        self.assertEqual((again["published"], again["version"]), (False, made["version"]))
        back = self.derive("convert", "--to", "qcow2", source=f"{LINE}@{made['version']}")
        tool("qemu-img", "check", f"file:{self.image(back)}")
        booted = self.ok("boot", self.image(back), "--path", "disk BIOS")
        self.assertIn("disk BIOS", booted.stdout)

    def test_02_resized_disks_are_sound_and_boot(self):
        made = self.derive("resize", "--size", "700M")
        image = self.image(made)
        tool("qemu-img", "check", f"file:{image}")
        raw = self.scratch / "grown.raw"
        tool("qemu-img", "convert", "-O", "raw", f"file:{image}", raw)
        self.assertEqual(raw.stat().st_size, 700 << 20)
        self.assertIn("No errors detected", tool("sfdisk", "-V", raw))
        table = json.loads(tool("sfdisk", "-J", raw))["partitiontable"]
        old = json.loads(tool("sfdisk", "-J", self.folder(self.version) / f"{LINE}.img"))["partitiontable"]
        self.assertEqual(table["id"], old["id"])
        for now, then in zip(table["partitions"], old["partitions"], strict=True):
            self.assertEqual({k: now.get(k) for k in ("start", "type", "uuid", "name", "attrs")},
                             {k: then.get(k) for k in ("start", "type", "uuid", "name", "attrs")})
        root = table["partitions"][-1]
        self.assertGreater(root["size"] * 512, 660 << 20)
        part = self.scratch / "root.ext4"
        tool("dd", f"if={raw}", f"of={part}", "bs=512", f"skip={root['start']}", f"count={root['size']}", "conv=sparse",
             "status=none")
        tool("e2fsck", "-fn", part)
        blocks = int(re.search(r"Block count:\s+(\d+)", tool("dumpe2fs", "-h", part)).group(1))
        self.assertEqual(blocks * 4096, root["size"] * 512)
        booted = self.ok("boot", image, "--path", "disk BIOS")
        self.assertIn("disk BIOS", booted.stdout)

    def test_03_equal_inputs_give_equal_bytes(self):
        first = self.derive("resize", "--size", "300M", "--as-version", "twin-1")
        made = int(time.time())
        wait_for(lambda: int(time.time()) > made, "the clock stands still")
        second = self.derive("resize", "--size", "300M", "--as-version", "twin-2",
                             env={"XDG_CACHE_HOME": str(self.scratch / "other-cache")})
        self.assertEqual(first["artifacts"][0]["sha256"], second["artifacts"][0]["sha256"])

    def test_03_what_was_made_before_is_known(self):
        self.derive("resize", "--size", "300M", "--as-version", "before")
        again = self.ok("--progress", "json", "resize", self.source, "--size", "300M", "--as-version", "again").stderr
        ends = {event["name"]: event["outcome"] for event in map(json.loads, again.splitlines()) if event["event"] == "end"}
        self.assertEqual(ends[f"{LINE}/qcow2"], "known")
        self.assertEqual(ends[f"{LINE}/release"], "done")

    def test_04_compressed_files_are_checked_on_both_sides(self):
        made = self.derive("compress")
        self.assertEqual([row["format"] for row in made["artifacts"]], ["raw", "usb", "usb"])
        packed = self.image(made)
        self.assertTrue(packed.name.endswith(".img.zst"))
        unpacked = self.scratch / "unpacked.img"
        tool("zstd", "-dq", packed, "-o", unpacked)
        self.assertEqual(hashlib.sha256(unpacked.read_bytes()).hexdigest(),
                         hashlib.sha256((self.folder(self.version) / f"{LINE}.img").read_bytes()).hexdigest())
        stick = self.scratch / "stick"
        tool("bmaptool", "copy", "--bmap", self.image(made, 2), self.image(made, 1), stick)
        self.fails(2, "boot", packed, says="compressed")
        back = self.derive("convert", "--to", "vhdx", source=f"{LINE}@{made['version']}")
        tool("qemu-img", "compare", "-f", "vhdx", "-F", "raw", f"file:{self.image(back)}", unpacked)
        self.fails(2, "compress", f"{LINE}@{made['version']}", says="nothing to compress")
        # A packed file that is right by its own digest but unpacks to something else does not verify.
        lie = self.scratch / "lie"
        shutil.copytree(packed.parent, lie, symlinks=True)
        manifest = json.loads((lie / "manifest.json").read_text())
        self.assertEqual(manifest["artifacts"][0]["media"]["unpacked_size"], str(unpacked.stat().st_size))
        os.chmod(lie / "manifest.json", 0o644)
        manifest["artifacts"][0]["media"]["unpacked_sha256"] = "0" * 64
        # Nothing is looked at that a manifest with a wrong signature names, so this one says that it has none.
        manifest["unsigned"] = True
        (lie / "manifest.json.minisig").unlink()
        (lie / "manifest.json").write_text(json.dumps(manifest))
        self.assertIn("unpacks to other bytes", self.run_imgforge("verify", lie).stdout)

    def test_05_refusals_say_why(self):
        before = self.snapshot()
        for words, says in ((("convert", "--to", "iso"), "made from the root file system"),
                            (("convert", "--to", "vm"), "with other files around it"),
                            (("convert", "--to", "vmkd"), "did you mean vmdk?"),
                            (("convert", "--to", "qcow2"), "has qcow2 already"),
                            (("resize", "--size", "100M"), "it only grows"),
                            (("resize", "--size", "128M"), "it only grows"),
                            (("resize", "--size", "90000T"), "more than"),
                            (("resize", "--size", "1G", "--format", "vmdk"), "is not resized"),
                            (("compress", "--format", "qcow2"), "compressed already"),
                            (("compress", "--format", "iso"), "has no iso"),
                            (("convert", "--to", "vmdk", "--as-version", "../x"), "cannot be the version")):
            self.fails(2, words[0], self.source, *words[1:], says=says)
        self.assertEqual(self.snapshot(), before)
        self.assert_nothing_left()

    def test_06_a_source_that_does_not_verify_is_not_used(self):
        copy = self.scratch / "damaged"
        others = [path.name for path in (self.out / "releases" / LINE).glob("*") if path.name not in (self.version, "current")]
        shutil.copytree(self.out, copy, symlinks=True, ignore=shutil.ignore_patterns(*others))
        flip_byte(copy / "releases" / LINE / self.version / f"{LINE}-{self.version}.img", 5 << 20)
        before = self.snapshot(copy)
        self.fails(3, "convert", self.source, "--to", "vmdk", "--as-version", "x1", output_dir=copy, says="is not used")
        self.fails(3, "resize", self.source, "--size", "1G", output_dir=copy, says="is not used")
        self.assertEqual(self.snapshot(copy), before)
        trusted = self.home / "config" / "imgforge" / "trusted"
        trusted.rename(self.scratch / "trusted")
        try:
            self.fails(3, "convert", self.source, "--to", "vmdk", "--as-version", "x2", says="is not used")
        finally:
            (self.scratch / "trusted").rename(trusted)

    def test_07_killed_in_the_middle(self):
        before = self.snapshot()
        kills = 0
        for delay in (0.05, 0.4, 0.8, 1.2, 2.0):
            process = subprocess.Popen([PROGRAM, "--output-dir", str(self.out), "resize", self.source, "--size", "500M",
                                        "--as-version", "killed"], env=self.environment(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            time.sleep(delay)
            process.kill()
            if process.wait() != -signal.SIGKILL:
                break  # quicker than that: it was published
            kills += 1
            self.assertEqual(os.readlink(self.out / "releases" / LINE / "current"), self.current)
            if not self.folder("killed").exists():
                left = {k: v for k, v in self.snapshot().items() if not k.startswith(".staging/")}
                self.assertEqual(left, before)
        print(f"killed {kills} times", file=sys.stderr)
        self.assertGreaterEqual(kills, 2)
        self.derive("resize", "--size", "500M", "--as-version", "killed")
        self.ok("verify", "--all")
        self.assert_nothing_left()

    def test_08_a_full_disk_is_said(self):
        before = self.snapshot()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))

        result = self.fails(1, "convert", self.source, "--to", "vmdk", "--as-version", "full", preexec_fn=limit)
        self.assertRegex(result.stderr, "(?i)file too large|limit|no space")
        self.assertEqual(self.snapshot(), before)
        self.assert_nothing_left()

    def test_09_promote_and_rollback(self):
        made = self.derive("resize", "--size", "260M", "--promote")
        self.assertTrue(made["current"])
        self.assertEqual((self.out / "images" / f"{LINE}.qcow2").resolve(), self.image(made).resolve())
        self.ok("rollback", LINE, "--to", self.version)
        self.assertEqual(os.readlink(self.out / "releases" / LINE / "current"), self.version)
        # A build of the same recipe still finds its own release, not a derived one.
        again = self.ok("build", RECIPE, *FORMATS, "--json")
        profile = json.loads(again.stdout)["profiles"][0]
        self.assertEqual((profile["published"], profile["version"]), (False, self.version))

    def test_10_inspect(self):
        told = json.loads(self.ok("inspect", self.out / "images" / f"{LINE}.qcow2", "--json").stdout)
        self.assertEqual((told["source"], told["version"]), ("manifest", self.version))
        self.assertIn("convert@test", told["signer"])
        copy = self.scratch / "a,b:c 'copy'.qcow2"
        shutil.copy(self.out / "images" / f"{LINE}.qcow2", copy)
        read = json.loads(self.ok("inspect", copy, "--json", "--checksum").stdout)
        self.assertEqual((read["source"], read["format"], read["virtual_size"]), ("file", "qcow2", 128 << 20))
        self.assertEqual(read["sha256"], hashlib.sha256(copy.read_bytes()).hexdigest())
        self.assertIsNone(json.loads(self.ok("inspect", copy, "--json").stdout)["sha256"])
        self.assertEqual([(p["name"].partition("-")[0], p["file_system"]) for p in read["partitions"]], [("boot", "vfat"), ("root", "ext4")])
        self.assertTrue(read["boot_entries"])
        self.assertEqual(read["cmdline"], told["kernel"]["cmdline"])
        tar = json.loads(self.ok("inspect", f"{LINE}@{self.version}", "--deep", "--json").stdout)
        self.assertEqual(tar["format"], "rootfs")
        for key in ("os_release", "packages", "kernels"):
            self.assertEqual(tar[key], read[key], key)
        container = json.loads(self.ok("inspect", self.folder(self.version) / f"{LINE}.oci.tar", "--deep", "--json").stdout)
        self.assertEqual((container["format"], container["kernels"]), ("oci", tar["kernels"]))
        text = self.ok("inspect", f"{LINE}@{self.version}", "--deep").stdout
        self.assertIn("as read from the file", text)
        hostile = self.scratch / "hostile.qcow2"
        secret = self.scratch / "secret"
        secret.write_text("secret" * 1000)
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", hostile)
        self.fails(1, "inspect", hostile, says="backing file")
        self.fails(2, "inspect", secret, says="no image")

    def test_11_diff(self):
        made = self.derive("resize", "--size", "280M")
        target = f"{LINE}@{made['version']}"
        rows = json.loads(self.ok("diff", target, "--json").stdout)
        self.assertEqual((rows["before"], rows["after"]), (self.source, target))
        artifacts = {row["name"]: row["change"] for row in rows["artifacts"]}
        self.assertEqual(artifacts, {f"{LINE}.qcow2": "changed", f"{LINE}.img": "removed", f"{LINE}-usb.img": "removed",
                                     f"{LINE}-usb.img.bmap": "removed", f"{LINE}.rootfs.tar.zst": "removed",
                                     f"{LINE}.oci.tar": "removed"})
        self.assertEqual(rows["packages"], [])
        notes = self.ok("diff", self.source, target, "--markdown").stdout
        self.assertTrue(notes.startswith(f"# {LINE} {made['version']}\n"))
        self.assertIn("## Artifacts", notes)
        files = json.loads(self.ok("diff", target, "--files", "--json").stdout)["files"]
        self.assertEqual(files, [])
        self.assertIn("no difference", self.ok("diff", self.source, self.source).stdout)


if __name__ == "__main__":
    main()
