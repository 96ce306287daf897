#!/usr/bin/env python3
"""Mirrors that are out of step: with each other, with their own index, and with what the cache has of them."""

import shutil

from apk_repository import Repository
from harness import NEEDS_ALPINE, RELEASE, FreshCase, Mirror, main

FIRST = [("tool", "1.0-r0", "part"), ("part", "1.0-r0")]
SECOND = [("tool", "1.1-r0", "part"), ("part", "2.0-r0")]


@NEEDS_ALPINE
class Mirrors(FreshCase):
    """Two mirrors of the same first day."""

    WARM = True

    def setUp(self):
        super().setUp()
        self.one = Mirror(self.scratch / "one", "--no-kernel")
        self.addCleanup(self.one.close)
        self.extra = Repository(self.packages(self.one).parent)
        self.extra.publish(*FIRST)
        self.two = Mirror(self.scratch / "two", copy_of=self.one)
        self.addCleanup(self.two.close)
        self.file = self.recipe(f"""imgforge: 1
name: skewed
base: {{ alpine: {{ release: "{RELEASE}", mirrors: ["{self.one.url()}", "{self.two.url()}"] }} }}
packages: {{ repositories: [main, extra], keys: ["{self.one.key}", "{self.extra.key}"], add: [tool] }}
formats: [rootfs]
""")

    @staticmethod
    def packages(mirror):
        return mirror.folder / f"v{RELEASE}" / "extra" / "x86_64"

    def asked(self, mirror, name):
        return [request["status"] for request in mirror.requests() if request["path"].endswith(f"/extra/x86_64/{name}")]

    def move_on(self):
        """The second mirror moves on to the second day; the first keeps its index, and loses the packages that it names."""
        folder = self.packages(self.one)
        index = (folder / "APKINDEX.tar.gz").read_bytes()
        self.extra.publish(*SECOND)
        shutil.rmtree(self.packages(self.two))
        shutil.copytree(folder, self.packages(self.two))
        (folder / "APKINDEX.tar.gz").write_bytes(index)

    def test_a_package_comes_from_the_mirror_that_has_it(self):
        (self.packages(self.one) / "tool-1.0-r0.apk").unlink()
        part = self.packages(self.one) / "part-1.0-r0.apk"
        part.unlink()
        self.extra.make("part", "1.0-r0", "tool")  # rebuilt after the index was made
        self.ok("fetch", self.file)
        self.assertEqual(self.asked(self.two, "tool-1.0-r0.apk"), [200])
        self.assertEqual(self.asked(self.two, "part-1.0-r0.apk"), [200])
        self.assertEqual(self.asked(self.two, "APKINDEX.tar.gz"), [], "one index counts")

    def test_a_package_that_no_mirror_has_is_told_with_its_index(self):
        for mirror in (self.one, self.two):
            (self.packages(mirror) / "tool-1.0-r0.apk").unlink()
        self.fails(5, "fetch", self.file,
                   says=["error: package tool-1.0-r0: ", f"{self.two.url()}/v{RELEASE}/extra/x86_64/tool-1.0-r0.apk",
                         f"the index {self.two.url()}/v{RELEASE}/extra/x86_64/APKINDEX.tar.gz names it",
                         "the mirror is being synchronised", "try again later, or name another mirror"])
        for mirror in (self.one, self.two):
            self.assertEqual(self.asked(mirror, "tool-1.0-r0.apk"), [404, 404], "by each of two indexes once")
            self.assertEqual(self.asked(mirror, "APKINDEX.tar.gz"), [200])

    def test_other_bytes_on_every_mirror_are_told_so_too(self):
        for mirror in (self.one, self.two):
            folder = self.packages(mirror)
            (folder / "tool-1.0-r0.apk").unlink()
            shutil.copy(folder / "part-1.0-r0.apk", folder / "tool-1.0-r0.apk")
        self.fails(3, "fetch", self.file, says=["package tool-1.0-r0: ", "names it", "the mirror is being synchronised"])

    def test_a_mirror_that_lags_is_left_for_the_one_that_moved_on(self):
        self.move_on()
        built = self.ok("build", self.file, "--unsigned")
        self.assertIn("fetching the indexes anew", built.stderr)
        self.assertIn('"version": "1.1-r0"', self.ok("show", "skewed", "--json").stdout)
        self.assertEqual(self.asked(self.one, "tool-1.0-r0.apk"), [404])

    def test_offline_a_stale_index_is_named(self):
        self.ok("fetch", self.file)
        self.extra.publish(*SECOND)
        (self.packages(self.one) / "tool-1.1-r0.apk").unlink()
        self.fails(5, "fetch", self.file, says="the mirror is being synchronised")
        self.fails(5, "fetch", self.file, "--offline",
                   says=["package tool-1.1-r0: offline: it is not in the cache; the index "
                         f"{self.one.url()}/v{RELEASE}/extra/x86_64/APKINDEX.tar.gz names it"])

    def test_a_lock_forbids_another_plan(self):
        self.ok("lock", self.file)
        self.move_on()
        said = self.fails(5, "--cache-dir", self.scratch / "cold", "build", self.file, "--unsigned",
                          says=["the lock names it", "imgforge update"])
        self.assertNotIn("anew", said.stderr)


if __name__ == "__main__":
    main()
