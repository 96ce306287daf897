#!/usr/bin/env python3
"""AI models from outside: looked into, fetched, put into images, listed in the SBOM. Stock programs read the images."""

import hashlib
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Case, main  # noqa: E402
from model_files import gguf  # noqa: E402


class Models(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.run_imgforge("key", "generate", "release@test", "--no-passphrase").returncode == 0
        cls.model = gguf()
        cls.sha256 = hashlib.sha256(cls.model).hexdigest()
        (cls.scratch / "tiny.gguf").write_bytes(cls.model)

    def with_models(self, pin, disk="128M"):
        return self.recipe(f"""imgforge: 1
name: withmodel
base: embedded
disk: {{ size: {disk} }}
formats: [raw]
models:
  - {{ name: tiny, source: tiny.gguf, licence: MIT{pin} }}
""")

    def test_1_a_file_is_looked_into(self):
        summary = json.loads(self.ok("model", "inspect", self.scratch / "tiny.gguf", "--json").stdout)["summary"]
        self.assertEqual(summary["architecture"], "llama")
        self.assertEqual(summary["context_length"], 2048)
        bad = self.scratch / "bad.gguf"
        bad.write_bytes(b"\x80\x04K\x01.")
        self.fails(3, "model", "inspect", bad, says="pickle-based format refused")

    def test_2_without_a_digest_the_line_to_paste_is_offered(self):
        self.fails(2, "build", self.with_models(""), says=[f"sha256: {self.sha256}", "recipe.yaml:7"])

    def test_3_a_disk_too_small_is_said_before_the_work(self):
        with open(self.scratch / "large.gguf", "wb") as file:
            file.truncate(100 << 20)
        recipe = self.recipe(self.with_models(f", sha256: {'a' * 64}").read_text().replace("tiny.gguf", "large.gguf"))
        self.fails(2, "build", recipe, says=["the models take", "disk.size"])

    def test_4_the_bytes_are_in_the_image(self):
        self.ok("build", self.with_models(f", sha256: {self.sha256}"))
        release = self.out / "releases" / "withmodel" / "current"
        image = next(release.glob("withmodel-v*.img"))
        table = subprocess.run(["sfdisk", "--json", image], check=True, capture_output=True, text=True).stdout
        root = json.loads(table)["partitiontable"]["partitions"][1]
        ext4 = self.scratch / "root.ext4"
        subprocess.run(["dd", f"if={image}", f"of={ext4}", "bs=512", f"skip={root['start']}", f"count={root['size']}"],
                       check=True, capture_output=True)
        subprocess.run(["e2fsck", "-fn", ext4], check=True, capture_output=True)
        folder = "/var/lib/withmodel/models/tiny"
        found = subprocess.run(["debugfs", "-R", f"cat {folder}/{self.sha256[:12]}/tiny.gguf", ext4], check=True,
                               capture_output=True).stdout
        self.assertEqual(hashlib.sha256(found).hexdigest(), self.sha256)
        link = subprocess.run(["debugfs", "-R", f"stat {folder}/current", ext4], check=True, capture_output=True,
                              text=True).stdout
        self.assertRegex(link, f'Fast link dest: "{self.sha256[:12]}"')
        manifest = json.loads((release / "manifest.json").read_text())
        self.assertEqual(manifest["models"][0]["sha256"], self.sha256)
        sbom = json.loads((release / "sbom.spdx.json").read_text())
        row = next(row for row in sbom["packages"] if row["name"] == "tiny")
        self.assertEqual(row["checksums"][0]["checksumValue"], self.sha256)
        self.assertEqual(row["licenseDeclared"], "MIT")
        self.ok("verify")

    def test_5_every_carrier_has_the_bytes(self):
        recipe = self.with_models(f", sha256: {self.sha256}")
        self.ok("build", recipe, "--format", "iso", "--format", "rootfs", output_dir=self.scratch / "carriers")
        release = self.scratch / "carriers" / "releases" / "withmodel" / "current"
        path = f"var/lib/withmodel/models/tiny/{self.sha256[:12]}/tiny.gguf"
        squashfs = self.scratch / "root.squashfs"
        image = next(release.glob("withmodel-v*.iso"))
        names = subprocess.run(["xorriso", "-indev", image, "-find", "/", "-name", "*.squashfs"], check=True, capture_output=True,
                               text=True).stdout
        subprocess.run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", names.split("'")[1], squashfs], check=True,
                       capture_output=True)
        found = subprocess.run(["unsquashfs", "-cat", squashfs, path], check=True, capture_output=True).stdout
        self.assertEqual(hashlib.sha256(found).hexdigest(), self.sha256)
        archive = next(release.glob("withmodel-v*.tar.zst"))
        found = subprocess.run(["tar", "--zstd", "-xOf", archive, path], check=True, capture_output=True).stdout
        self.assertEqual(hashlib.sha256(found).hexdigest(), self.sha256)

    def test_5_layouts_of_stock_clients(self):
        recipe = self.recipe(self.with_models(f", sha256: {self.sha256}, layout: ollama").read_text(), "ollama.yaml")
        self.ok("build", recipe, "--format", "rootfs", output_dir=self.scratch / "layouts")
        archive = next((self.scratch / "layouts" / "releases" / "withmodel" / "current").glob("withmodel-v*.tar.zst"))
        base = "var/lib/withmodel/models/ollama"
        def read(path):
            return subprocess.run(["tar", "--zstd", "-xOf", archive, path], check=True, capture_output=True).stdout
        manifest = json.loads(read(f"{base}/manifests/registry.ollama.ai/library/tiny/latest"))
        for row in [manifest["config"], *manifest["layers"]]:
            content = read(f"{base}/blobs/{row['digest'].replace(':', '-')}")
            self.assertEqual((f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)), (row["digest"], row["size"]))
        self.assertEqual(manifest["layers"][0]["digest"], f"sha256:{self.sha256}")

    def test_5_the_list_for_the_first_start_is_signed(self):
        recipe = self.recipe(self.with_models(f", sha256: {self.sha256}, size: {len(self.model)}, when: first-boot").read_text()
                             .replace("source: tiny.gguf", "source: https://models.example/tiny.gguf"), "later.yaml")
        self.ok("build", recipe, "--format", "rootfs", "--offline", output_dir=self.scratch / "later")
        archive = next((self.scratch / "later" / "releases" / "withmodel" / "current").glob("withmodel-v*.tar.zst"))
        folder = self.scratch / "list"
        folder.mkdir()
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder, "--strip-components=2", "etc/withmodel"], check=True)
        subprocess.run(["minisign", "-V", "-p", folder / "models.pub", "-m", folder / "models.list"], check=True,
                       capture_output=True)
        self.assertRegex((folder / "models.list").read_text(), r"\A# serial: [1-9]\d{9}\n")
        rows = [line.split("\t") for line in (folder / "models.list").read_text().splitlines() if not line.startswith("#")]
        self.assertEqual([row[0] for row in rows], ["tiny"])
        self.assertEqual(rows[0][2:], ["tiny.gguf", str(len(self.model)), self.sha256, "https://models.example/tiny.gguf"])

    def test_5_a_lock_holds_the_model_and_vendors_it(self):
        recipe = self.with_models(f", sha256: {self.sha256}")
        self.ok("lock", recipe)
        row = json.loads((self.scratch / "recipe.lock.json").read_text())["models"][0]
        self.assertEqual((row["name"], row["files"][0]["sha256"], row["files"][0]["urls"]), ("tiny", self.sha256, []))
        folder = self.scratch / "vendored"
        self.ok("vendor", recipe, folder)
        self.assertEqual((folder / "models" / "tiny" / row["version"] / "tiny.gguf").read_bytes(), self.model)
        self.ok("build", recipe, "--locked", output_dir=self.scratch / "locked")
        (self.scratch / "tiny.gguf").write_bytes(gguf(1 << 20))
        try:
            other = hashlib.sha256((self.scratch / "tiny.gguf").read_bytes()).hexdigest()
            recipe = self.with_models(f", sha256: {other}")
            self.fails(2, "build", recipe, "--locked", output_dir=self.scratch / "locked", says=["stale", "model"])
        finally:
            (self.scratch / "tiny.gguf").write_bytes(self.model)
            (self.scratch / "recipe.lock.json").unlink()

    def test_5_again_is_nothing_to_do(self):
        self.assertIn("nothing to do", self.ok("build", self.with_models(f", sha256: {self.sha256}")).stderr)

    def test_6_the_cache_lists_verifies_and_forgets(self):
        self.assertRegex(self.ok("model", "list").stdout, r"tiny +[0-9a-f]{12} +gguf")
        self.ok("model", "verify")
        self.assertIn(self.sha256, self.ok("model", "add", "twin", self.scratch / "tiny.gguf").stdout)
        self.ok("model", "remove", "twin")
        self.assertRegex(self.ok("model", "gc", "--yes").stdout, "removed 0 files")
        self.ok("model", "verify", "tiny")
        self.ok("model", "remove", "tiny")
        self.assertRegex(self.ok("model", "gc", "--yes").stdout, "removed 1 file ")
        self.fails(2, "model", "inspect", "tiny", says="there is no model")


if __name__ == "__main__":
    main()
