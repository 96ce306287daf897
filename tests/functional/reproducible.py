#!/usr/bin/env python3
"""Builds that can be proven: where two images differ is told down to the line, and `build --verify-reproducible` publishes only
what two builds in different surroundings made alike. Needs no mirror."""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import PROGRAM, RELEASE, SOURCE, Case, Mirror, NEEDS_ALPINE, flip_byte, main  # noqa: E402

HELLO = SOURCE / "recipes" / "hello-boot.yaml"
RANDOM = """imgforge: 1
name: random
base: embedded
hostname: random
run: ["cat /proc/sys/kernel/random/uuid >/etc/build-id"]
formats: [qcow2, rootfs]
"""


def parts(node):
    """The node and all below it, with their paths."""
    yield [node["name"]], node
    for part in node["parts"]:
        for path, found in parts(part):
            yield [node["name"], *path], found


class Diff(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.build("one", "v20260101")
        cls.build("two", "v20260102")

    @classmethod
    def build(cls, hostname, version):
        formats = [word for name in ("qcow2", "iso", "usb", "rootfs", "oci") for word in ("--format", name)]
        result = cls.run_imgforge("build", HELLO, *formats, "--set", f"hostname={hostname}", "--set", f"version={version}",
                                  "--unsigned", "--isolation", "namespace")
        if result.returncode != 0:
            raise AssertionError(result.stderr)

    def file(self, version, suffix):
        return self.out / "releases" / "hello-boot" / version / f"hello-boot-{version}{suffix}"

    def test_every_format_is_told_down_to_the_line(self):
        for suffix, inside in ((".qcow2", "disk"), (".iso", "/imgforge/root.squashfs"), ("-usb.img", "partition 2 (system-"),
                               (".rootfs.tar.zst", "unpacked"), (".oci.tar", "unpacked")):
            with self.subTest(suffix):
                report = json.loads(self.assert_exit(self.run_imgforge(
                    "diff", "--bytes", self.file("v20260101", suffix), self.file("v20260102", suffix), "--json"), 1).stdout)
                self.assertFalse(report["equal"])
                found = [(path, row) for path, node in parts(report["files"][0]) for row in node["differences"]]
                lines = [(path, row) for path, row in found if row["field"] == "line 1" and row["before"] == '"one"']
                self.assertTrue(any(path[-1] == "/etc/hostname" and row["after"] == '"two"' for path, row in lines), found)
                self.assertIn(inside, json.dumps(report))

    def test_releases_are_compared_as_a_whole(self):
        report = self.assert_exit(self.run_imgforge("diff", "--bytes", "hello-boot@v20260101", "hello-boot@v20260102"), 1).stdout
        for name in ("hello-boot.qcow2 (qcow2)", "hello-boot.iso (iso)", "partition 2 (root-", 'line 1: "one" -> "two"'):
            self.assertIn(name, report)
        self.assertIn("the same bytes", self.ok("diff", "--bytes", "hello-boot@v20260101", "hello-boot@v20260101").stdout)

    def test_one_byte_is_found_and_named(self):
        disk = self.scratch / "disk.img"
        self.assert_exit(self.run_imgforge("diff", "--bytes", HELLO, HELLO), 0)
        original = self.file("v20260101", "-usb.img")
        disk.write_bytes(original.read_bytes())
        flip_byte(disk, 512 + 56)
        report = self.assert_exit(self.run_imgforge("diff", "--bytes", original, disk), 1).stdout
        self.assertRegex(report, r"GPT header\n    disk GUID: \S+ -> \S+\n$")

    def test_what_is_wrong_with_the_words(self):
        self.fails(2, "diff", "--bytes", HELLO, says="--bytes compares two")
        self.fails(2, "diff", "--bytes", HELLO, "hello-boot", says="is no file")
        self.fails(2, "diff", "--bytes", "--markdown", HELLO, HELLO, says="--markdown")


class Again(Case):
    """`rebuild`: a release out of nothing but what it keeps."""
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.scratch / "recipe"
        cls.folder.mkdir()
        shutil.copytree(HELLO.parent / "files" / "hello-boot", cls.folder / "files" / "hello-boot")
        (cls.folder / "blob").write_bytes(bytes(range(256)))
        recipe = HELLO.read_text() + "profiles:\n  small:\n    +files:\n      - { path: /usr/share/blob, source: blob }\n  plain: {}\n"
        (cls.folder / "again.yaml").write_text(recipe)
        cls.run_imgforge("key", "generate", "again@test", "--no-passphrase")
        cls.built = cls.run_imgforge("build", cls.folder / "again.yaml", "--format", "qcow2", "--format", "iso",
                                     "--isolation", "namespace", "--set", "name=again")

    def setUp(self):
        self.assert_exit(self.built, 0)

    def rebuild(self, *words, code=0, release="again-small"):
        return self.assert_exit(self.run_imgforge("rebuild", release, "--isolation", "namespace", *words), code)

    def test_gives_the_same_bytes_without_recipe_and_cache(self):
        again = self.rebuild("--sources", self.folder)
        self.assertRegex(again.stdout, r"^again-small@v\d{8}: rebuilt, 2 files the same bytes\n$")
        report = json.loads(self.rebuild("--sources", self.folder, "--json").stdout)
        self.assertEqual([row["file"].rsplit(".", 1)[1] for row in report["files"]], ["qcow2", "iso"])
        self.assertEqual(len(list((self.out / "releases" / "again-small").glob("v*"))), 1, "nothing is published")

    def test_each_profile_keeps_a_lock_of_its_own(self):
        self.assertIn("again-plain@", self.rebuild(release="again-plain").stdout)

    def test_says_which_files_it_lacks(self):
        refusal = self.rebuild(code=2).stderr
        self.assertIn("40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880", refusal)
        self.assertIn("--sources", refusal)

    def test_tells_where_other_bytes_are(self):
        built = self.run_imgforge("build", HELLO, "--format", "qcow2", "--unsigned", "--isolation", "namespace",
                                  env={"SOURCE_DATE_EPOCH": "1000000000"}, output_dir=self.scratch / "other")
        self.assert_exit(built, 0)
        again = self.assert_exit(self.run_imgforge("rebuild", "hello-boot", "--isolation", "namespace", output_dir=self.scratch / "other"), 3)
        self.assertIn("hello-boot.qcow2 (qcow2)", again.stdout)
        self.assertIn("SOURCE_DATE_EPOCH", again.stderr)

    def test_believes_the_manifest_alone(self):
        release = self.scratch / "copy"
        shutil.copytree(self.out, release, symlinks=True)
        recipe = next((release / "releases" / "again-small").glob("v*/recipe.yaml"))
        recipe.chmod(0o644)
        recipe.write_text(recipe.read_text().replace("hello", "hallo"))
        refusal = self.run_imgforge("rebuild", "again-small", "--sources", self.folder, output_dir=release)
        self.assertNotEqual(refusal.returncode, 0)
        self.assertIn("recipe.yaml is not what the manifest says", refusal.stderr)

    def test_a_derived_release_names_its_source(self):
        self.ok("convert", "again-small", "--to", "raw", "--as-version", "1.0")
        self.assertIn("rebuild that one", self.rebuild(release="again-small@1.0", code=2).stderr)


class Draft(Case):
    WARM = True

    def test_is_packed_fast_and_never_current(self):
        words = ("build", HELLO, "--format", "iso", "--unsigned", "--isolation", "namespace")
        self.assertIn("unsigned, draft", self.ok(*words, "--draft").stdout)
        line = self.out / "releases" / "hello-boot"
        self.assertFalse((line / "current").exists())
        draft = next(line.glob("v*"))
        self.assertTrue(json.loads((draft / "manifest.json").read_text())["draft"])
        self.fails(2, "promote", f"hello-boot@{draft.name}", says="is a draft")
        self.ok(*words)
        proper = (line / "current").resolve()
        self.assertNotEqual(proper.name, draft.name)
        self.assertNotIn("draft", json.loads((proper / "manifest.json").read_text()))
        size = {folder: next(folder.glob("*-v*.iso")).stat().st_size for folder in (draft, proper)}
        self.assertLess(size[proper], size[draft])
        self.assertRegex(self.ok("rebuild", f"hello-boot@{draft.name}", "--isolation", "namespace").stdout, "rebuilt, 1 file")


class Twice(Case):
    WARM = True

    def test_hello_boot_is_reproducible(self):
        result = self.ok("build", HELLO, "--verify-reproducible", "--unsigned", "--json", "--isolation", "namespace")
        report = json.loads(result.stdout)
        varied = " ".join(report["reproducible"]["varied"])
        for word in ("cache folder", "working directory", "TMPDIR", "LC_ALL", "TZ", "umask", "jobs"):
            self.assertIn(word, varied)
        self.assertTrue(report["profiles"][0]["published"])
        again = self.ok("build", HELLO, "--unsigned", "--isolation", "namespace")
        self.assertIn("nothing to do", again.stderr)
        text = self.ok("build", HELLO, "--verify-reproducible", "--unsigned", "--isolation", "namespace").stdout
        self.assertIn("hello-boot: reproducible, 1 file the same bytes twice; varied: cache folder", text)
        self.assert_nothing_left()

    def test_the_file_and_the_line_that_differ_are_named(self):
        recipe = self.recipe(RANDOM)
        result = self.fails(3, "build", recipe, "--verify-reproducible", "--unsigned", "--isolation", "namespace",
                            says=("two builds gave different bytes: random.qcow2, random.rootfs.tar.zst", "nothing was published"))
        uuid = r'"[0-9a-f]{8}-[0-9a-f-]{27}"'
        self.assertRegex(result.stdout, rf"(?s)partition 2 \(root-[0-9a-f]+\) \(ext4\)\n.* /etc/build-id \(text\)\n +line 1: {uuid} -> {uuid}\n")
        self.assertRegex(result.stdout, rf"unpacked \(tar\)\n +/etc/build-id \(text\)\n +line 1: {uuid} -> {uuid}\n")
        self.assertFalse((self.out / "releases" / "random").exists())
        self.assert_nothing_left()

    @NEEDS_ALPINE
    def test_packages_of_a_mirror_are_fetched_once(self):
        mirror = Mirror(self.scratch)
        self.addCleanup(mirror.close)
        recipe = self.recipe(f"""imgforge: 1
name: alpine
base:
  alpine: {{ release: {RELEASE}, mirrors: ["{mirror.url()}"] }}
packages:
  add: [alpine-base]
  keys: ["{mirror.key}"]
run: ["date -u -d @0 >/etc/epoch"]
formats: [rootfs]
""", "alpine.yaml")
        text = self.ok("build", recipe, "--verify-reproducible", "--unsigned", "--isolation", "namespace").stdout
        self.assertIn("alpine: reproducible, 1 file", text)
        packages = [row["path"] for row in mirror.requests() if row["path"].endswith(".apk")]
        self.assertEqual(len(packages), len(set(packages)))


class Environments(Case):
    """What a user's shell has set is no part of an image."""

    RECIPE = """imgforge: 1
name: same
base: embedded
files: [{ path: "/usr/share/\u0130stanbul/notes.txt", content: "\u0131\n" }]
directories: [{ path: /srv/data }]
run: ["umask >/etc/umask; date +%z >/etc/zone; echo $LC_ALL $HOME $PATH >/etc/words"]
disk: { size: 128M }
formats: [qcow2, iso, usb, rootfs, oci]
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.scratch / "same.yaml"
        cls.file.write_text(cls.RECIPE)
        cls.expected = cls.digests("plain")

    @classmethod
    def digests(cls, name, drop=(), mask=0o022, **variables):
        """Builds with a cache of its own; sha256 of every artifact by format."""
        env = {key: value for key, value in cls.environment(**variables).items() if key not in drop}
        out = cls.scratch / name
        result = subprocess.run([PROGRAM, "--output-dir", out, "--cache-dir", cls.scratch / f"{name}-cache", "build", cls.file,
                                 "--unsigned", "--isolation", "namespace"], env=env, umask=mask, capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        manifest = json.loads((out / "releases" / "same" / "current" / "manifest.json").read_text())
        return {row["format"]: row["sha256"] for row in manifest["artifacts"]}

    def test_umask(self):
        self.assertEqual(self.digests("private", mask=0o077), self.expected)
        self.assertEqual(self.digests("open", mask=0), self.expected)
        for name in ("private", "open"):
            for path in (self.scratch / name).rglob("*"):
                mode = path.lstat().st_mode
                if path.is_file() and path.parent.parent.name == "same":
                    self.assertEqual(mode & 0o777, 0o777 if path.is_symlink() else 0o444, path)
                self.assertFalse(mode & 0o002 and not path.is_symlink(), path)

    def test_root_of_the_image_is_for_all_to_read(self):
        archive = self.scratch / "plain" / "rootfs" / "same.rootfs.tar.zst"
        rows = subprocess.run(["tar", "--zstd", "-tvf", archive], check=True, capture_output=True, text=True).stdout.splitlines()
        self.assertTrue(rows[0].startswith("drwxr-xr-x 0/0") and rows[0].endswith("./"), rows[0])

    def test_locale(self):
        self.assertEqual(self.digests("locale", LC_ALL="tr_TR.UTF-8", LANG="tr_TR.UTF-8"), self.expected)

    def test_time_zone(self):
        self.assertEqual(self.digests("zone", TZ="Pacific/Chatham"), self.expected)

    def test_no_home(self):
        self.assertEqual(self.digests("homeless", drop=["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"]), self.expected)

    def test_a_user_s_path_without_sbin(self):
        self.assertEqual(self.digests("path", PATH="/usr/local/bin:/usr/bin:/bin"), self.expected)


if __name__ == "__main__":
    main()
