"""Tests on stores of tiny releases that store_maker publishes."""

import json
import os
import pathlib
import shutil
import subprocess

from harness import PROGRAM, Case

MAKER = os.environ.get("IMGFORGE_STORE_MAKER", str(pathlib.Path(PROGRAM).parent / "tests" / "store_maker"))
LINE = "demo0-minimal"


class StoreCase(Case):
    """Each test has a store of its own: one line of three days, signed by a trusted key."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        result = cls.run_imgforge("key", "generate", "me", "--no-passphrase")
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        cls.key = cls.home / "config" / "imgforge" / "keys" / "me.key"
        cls.made = cls.scratch / "made"
        cls.make(cls.made, "--releases", 3)

    @classmethod
    def make(cls, folder, *options):
        subprocess.run([MAKER, str(folder), *map(str, options), "--key", str(cls.key)], check=True)

    def setUp(self):
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.made, self.out, symlinks=True)

    def json(self, *args, **options):
        return json.loads(self.ok("--json", *args, **options).stdout)

    def release(self, version):
        return self.out / "releases" / LINE / version
