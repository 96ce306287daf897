#!/usr/bin/env python3
"""From recipe to a verified release that boots, on a real Alpine mirror: the minimal profile of unhinged-os."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

from harness import NEEDS_ALPINE, PROGRAM, RELEASE, SOURCE, Case, Mirror, children_of, flip_byte, main, wait_for

RECIPE = SOURCE / "recipes" / "unhinged-os.yaml"
LINE = "unhinged-os-minimal"


def runs_qemu(pid):
    """Whether a descendant of the process is QEMU with a machine in it, not one that is only asked what it can do."""
    for child in children_of(pid):
        try:
            words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"qemu" in words[0] and b"-kernel" in words:
            return True
    return False


@NEEDS_ALPINE
class Spine(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mirror = Mirror(cls.scratch)
        assert cls.run_imgforge("key", "generate", "release@test", "--no-passphrase").returncode == 0
        cls.first = cls.run_imgforge(*cls.build_words())

    @classmethod
    def tearDownClass(cls):
        cls.mirror.close()
        super().tearDownClass()

    @classmethod
    def build_words(cls, *more, mirror=None):
        return ["build", RECIPE, "--profile", "minimal", "--mirror", mirror or cls.mirror.url(),
                "--set", f"base.alpine.release={RELEASE}", "--set", f"packages.keys={cls.mirror.key}", *more]

    def release(self, out=None):
        return ((out or self.out) / "releases" / LINE / "current").resolve()

    def manifest_image(self):
        return next(self.release().glob(f"{LINE}-v*.qcow2"))

    def test_01_build_makes_a_release_with_every_link(self):
        self.assert_exit(self.first, 0)
        release = self.release()
        self.assertRegex(release.name, r"^v\d{8}$")
        self.assertEqual((self.out / "images" / f"{LINE}.qcow2").resolve(), self.manifest_image())
        self.assertEqual((self.out / "images" / f"{LINE}-{release.name}.qcow2").resolve(), self.manifest_image())
        self.assert_nothing_left()

    def test_01_image_names_the_repositories_of_the_recipe(self):
        aside = Mirror(self.scratch / "aside", copy_of=self.mirror)
        self.addCleanup(aside.close)

        def rootfs(name, mirror, *words):
            out = self.scratch / f"from-{name}"
            self.ok(*self.build_words("--format", "rootfs", *words, mirror=mirror), output_dir=out,
                    env={"XDG_CACHE_HOME": str(self.scratch / f"cache-{name}")})
            return next(self.release(out).glob("*.rootfs.tar.zst"))

        def repositories(file):
            return subprocess.run(["tar", "--zstd", "-xOf", file, "etc/apk/repositories"], check=True, capture_output=True,
                                  text=True).stdout

        files = [rootfs("one", self.mirror.url()), rootfs("two", aside.url()), rootfs("three", f"file://{aside.folder}")]
        self.assertEqual(repositories(files[0]), "".join(
            f"https://dl-cdn.alpinelinux.org/alpine/v{RELEASE}/{name}\n" for name in ("main", "community")))
        self.assertEqual(len({file.read_bytes() for file in files}), 1, "equal packages from three mirrors")
        chosen = rootfs("four", self.mirror.url(), "--set", "packages.image_repositories=https://packages.example.org/main")
        self.assertEqual(repositories(chosen), "https://packages.example.org/main\n")

    def test_02_verify_passes_and_stock_tools_agree(self):
        result = self.ok("verify")
        self.assertIn("verified", result.stdout)
        public = next((self.home / "config" / "imgforge").rglob("*.pub"))
        for name in ("manifest.json", "SHA256SUMS"):
            subprocess.run(["minisign", "-V", "-p", public, "-m", self.release() / name], check=True,
                           capture_output=True)
        subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=self.release(), check=True,
                       capture_output=True)
        subprocess.run(["qemu-img", "check", self.manifest_image()], check=True, capture_output=True)

    def test_02_manifest_and_sbom_list_all_that_is_installed(self):
        packages = {row["name"]: row for row in json.loads((self.release() / "manifest.json").read_text())["packages"]}
        for name in ("musl", "busybox", "apk-tools", "alpine-keys"):
            self.assertEqual(packages[name]["from"], "base")
            self.assertRegex(packages[name]["checksum"], "^Q1.{27}=$")
        self.assertNotIn("from", packages["linux-virt"])
        self.assertRegex(packages["linux-virt"]["sha256"], "^[0-9a-f]{64}$")
        sbom = json.loads((self.release() / "sbom.spdx.json").read_text())
        self.assertLessEqual(set(packages), {row["name"] for row in sbom["packages"]})
        kernel = next(row for row in sbom["packages"] if row["name"] == "linux")
        virt = next(row for row in sbom["packages"] if row["name"] == "linux-virt")
        self.assertEqual(kernel["externalRefs"], virt["externalRefs"], "the kernel is of its package")
        self.assertNotEqual(kernel["checksums"], virt["checksums"], "one is the file that boots, the other the package")
        self.assertNotIn("./bin/busybox", [row["fileName"] for row in sbom["files"]])
        shown = json.loads(self.ok("inspect", LINE, "--json").stdout)
        self.assertEqual(set(shown["packages"]), set(packages))

    def test_03_an_unchanged_build_does_nothing_but_ask_for_the_indexes(self):
        before = self.snapshot()
        seen = len(self.mirror.requests())
        result = self.ok(*self.build_words())
        self.assertIn("nothing to do", result.stderr)
        requests = self.mirror.requests()[seen:]
        self.assertTrue(requests)
        for request in requests:
            self.assertTrue(request["path"].endswith(("APKINDEX.tar.gz", "latest-releases.yaml")), request)
            self.assertEqual(request["status"], 304, request)
        self.assertEqual(self.snapshot(), before)

    def test_04_offline_asks_nobody(self):
        seen = len(self.mirror.requests())
        self.ok(*self.build_words("--offline"))
        self.assertEqual(len(self.mirror.requests()), seen)

    def test_05_equal_inputs_give_equal_bytes(self):
        other = self.scratch / "elsewhere" / "deep" / "out"
        cache = self.scratch / "other-cache"
        self.ok(*self.build_words(), "--cache-dir", cache, output_dir=other)
        ours, theirs = self.manifest_image(), next(self.release(other).glob("*.qcow2"))
        self.assertEqual(subprocess.run(["cmp", ours, theirs]).returncode, 0)
        rootfs = lambda root: sorted(p.name for p in root.rglob("*") if p.is_file() and p.stat().st_size > 20 << 20)
        shared = set(rootfs(self.home / "cache")) & set(rootfs(cache))
        self.assertTrue(shared, "the rootfs.tar blobs of both builds have one digest")

    def test_06_any_changed_byte_is_exit_code_3(self):
        release = self.release()
        copy = self.scratch / "copy" / release.name
        for name in ("manifest.json", "manifest.json.minisig", "SHA256SUMS", "SHA256SUMS.minisig",
                     self.manifest_image().name):
            for place in (0, 1 / 3, 0.5, 0.99):
                shutil.rmtree(copy.parent, ignore_errors=True)
                shutil.copytree(release, copy, symlinks=True)
                target = copy / name
                offset = int(target.stat().st_size * place)
                # The first line of a .minisig is an untrusted comment that no signature covers.
                if name.endswith(".minisig"):
                    offset = max(offset, target.read_bytes().index(b"\n") + 2)
                flip_byte(target, offset)
                with self.subTest(file=name, offset=offset):
                    self.fails(3, "verify", copy)

    def test_07_a_key_that_is_not_trusted_is_exit_code_3(self):
        stranger = {"XDG_CONFIG_HOME": str(self.scratch / "stranger")}
        result = self.run_imgforge("verify", self.release(), env=stranger)
        self.assertEqual(result.returncode, 3, result.stderr)
        public = next((self.home / "config" / "imgforge").rglob("*.pub"))
        self.ok("verify", self.release(), "--public-key", public, env=stranger)

    def test_08_reaches_login_under_seabios_and_ovmf(self):
        before = self.snapshot()
        result = self.ok("boot", self.manifest_image(), "--memory", "256M", "--expect", "unhinged login:")
        self.assertIn("disk BIOS", result.stdout)
        self.assertIn("disk UEFI", result.stdout)
        self.assertEqual(self.snapshot(), before)

    def test_09_a_boot_that_does_not_get_there_quotes_the_console(self):
        result = self.fails(1, "boot", self.manifest_image(), "--firmware", "bios", "--memory", "256M", "--timeout",
                            "170", "--expect", "no such text ever", "--stall", "25")
        self.assertIn("login:", result.stderr)

    def test_10_interrupted_leaves_the_store_as_it_was(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            before = self.snapshot()
            words = [PROGRAM, "--output-dir", self.out,
                     *self.build_words("--set", f"hostname=interrupted{number.value}", "--isolation",
                                      "appliance")]
            process = subprocess.Popen(words, env=self.environment(), stderr=subprocess.PIPE, text=True,
                                       stdin=subprocess.DEVNULL)
            self.addCleanup(process.kill)
            # When its appliance works, there is most to clean up.
            wait_for(lambda: process.poll() is not None or runs_qemu(process.pid), "no appliance was started", 120)
            self.assertIsNone(process.poll(), "the build ended before it could be interrupted")
            descendants = children_of(process.pid)
            process.send_signal(number)
            stderr = process.communicate(timeout=30)[1]
            self.assertEqual(process.returncode, 130 if number == signal.SIGINT else -9, stderr)
            # After SIGKILL it is libguestfs's recovery process that ends QEMU; it looks every two seconds.
            wait_for(lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in descendants), "processes are left", 10)
            self.assertEqual(self.snapshot(), before)
            if number == signal.SIGINT:
                self.assert_nothing_left()
        self.ok(*self.build_words())
        self.assert_nothing_left()

    def test_11_a_changed_package_is_refused_by_name_and_mirror(self):
        broken = self.scratch / "broken"
        shutil.copytree(self.mirror.folder, broken)
        flip_byte(next((broken / "v3.19" / "main" / "x86_64").glob("openrc-0*.apk")), -100)
        self.fails(3, *self.build_words(mirror=f"file://{broken}"), "--cache-dir", self.scratch / "cold1",
                   says=["openrc", str(broken)])

    def test_12_a_package_that_is_gone_is_refused(self):
        broken = self.scratch / "gone"
        shutil.copytree(self.mirror.folder, broken)
        next((broken / "v3.19" / "main" / "x86_64").glob("openrc-0*.apk")).unlink()
        self.fails(5, *self.build_words(mirror=f"file://{broken}"), "--cache-dir", self.scratch / "cold2",
                   says=["openrc", "being synchronised"])

    def test_13_an_index_by_an_unknown_key_is_refused(self):
        words = self.build_words()[:-2]  # without the mirror's key
        self.fails(3, *words, "--cache-dir", self.scratch / "cold3", says="imgforge-test.rsa.pub")

    def test_14_a_mirror_that_fails_is_exit_code_5(self):
        for fault in ("status=404", "status=503", "truncate=700", "redirect=loop", "badlength=5"):
            with self.subTest(fault=fault):
                result = self.run_imgforge(*self.build_words(mirror=self.mirror.url(fault)), "--cache-dir",
                                           self.scratch / f"cold-{fault.partition('=')[0]}{fault[-3:]}")
                self.assertIn(result.returncode, (3, 5), result.stderr)
                self.assertIn("127.0.0.1", result.stderr)
        self.fails(5, *self.build_words(mirror="http://127.0.0.1:1"), "--cache-dir", self.scratch / "cold4")

    def test_15_a_wrong_pin_is_refused(self):
        self.fails(3, *self.build_words("--set", "base.alpine.sha256=" + "0" * 64), "--cache-dir",
                   self.scratch / "cold5", says="0000000")


if __name__ == "__main__":
    main()
