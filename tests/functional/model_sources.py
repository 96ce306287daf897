#!/usr/bin/env python3
"""Models from a hub and from registries, end to end: what is asked of whom, secrets, wrong bytes, one blob for many, and what
stock clients find in the image."""

import json
import os
import subprocess
import unittest

from harness import FreshCase, flip_byte, main
from model_files import gguf
from model_hub import HUB_TOKEN, REGISTRY_TOKEN, Content, Hub, Registry, git_blob, safetensors, sha256

INDEX = "model.safetensors.index.json"
SHARDS = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
CONFIG = json.dumps({"model_type": "llama", "max_position_embeddings": 2048}).encode()


def sharded():
    """The files of a model in two parts, as a hub has them."""
    parts = {name: safetensors(f"w{number}", 300_000, number) for number, name in enumerate(SHARDS)}
    index = {"metadata": {"total_size": 600_000}, "weight_map": {f"w{number}": name for number, name in enumerate(SHARDS)}}
    return {**parts, INDEX: json.dumps(index).encode(), "config.json": CONFIG}


class Sources(FreshCase):
    def setUp(self):
        super().setUp()
        self.content = Content()
        self.hub, self.registry = Hub(self.content), Registry(self.content)
        for server in (self.content, self.hub, self.registry):
            self.addCleanup(server.close)
        self.gguf = gguf(256 << 10)
        self.commit = self.hub.publish({"tiny.gguf": self.gguf, **sharded()})
        self.token_file = self.scratch / "tokens"
        self.token_file.write_text(f"127.0.0.1 {HUB_TOKEN}\n")
        self.token_file.chmod(0o600)
        self.cache = self.home / "cache" / "imgforge"

    def run_imgforge(self, *args, **options):
        env = {"HF_ENDPOINT": f"http://127.0.0.1:{self.hub.port}", "IMGFORGE_TOKEN_FILE": str(self.token_file)}
        return super().run_imgforge(*args, env={**env, **options.pop("env", {})}, **options)

    def models(self, *rows, name="recipe.yaml", profiles=""):
        text = "imgforge: 1\nname: withmodel\nbase: embedded\ndisk: { size: 128M }\nformats: [raw]\nmodels:\n"
        return self.recipe(text + "".join(f"  - {{ {row} }}\n" for row in rows) + profiles, name)

    def blob(self, content):
        digest = sha256(content)
        return self.cache / "blobs" / "sha256" / digest[:2] / digest[2:]

    def asked(self):
        return [len(server.requests) for server in (self.hub, self.registry, self.content)]

    def assert_no_secret(self, result):
        """No token and no signed URL in what was printed and in what was kept."""
        secrets = [HUB_TOKEN, REGISTRY_TOKEN, "S3cretSignature"]
        for text in (result.stdout, result.stderr):
            for secret in secrets:
                self.assertNotIn(secret, text)
        for path in self.cache.rglob("*"):
            if path.is_file() and path.stat().st_size < 100_000:
                content = path.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret.encode(), content, path)

    def test_a_hub_leads_elsewhere_and_the_token_stays_with_it(self):
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf")
        result = self.ok("-v", "model", "fetch", recipe, "--json")
        model = json.loads(result.stdout)["models"][0]
        self.assertEqual((model["revision"], model["files"][0]["sha256"]), (self.commit, sha256(self.gguf)))
        self.assertEqual(self.blob(self.gguf).read_bytes(), self.gguf)
        self.assertEqual({authorization for _, authorization in self.hub.requests}, {f"Bearer {HUB_TOKEN}"})
        self.assertEqual({authorization for _, authorization in self.content.requests}, {""})
        self.assertEqual(self.content.count(self.gguf), 1)
        self.assert_no_secret(result)
        self.ok("model", "verify", "tiny")

    def test_the_query_of_a_url_is_sent_and_written_nowhere(self):
        url = self.content.url(self.gguf)
        recipe = self.models(f"name: tiny, source: '{url}', sha256: {sha256(self.gguf)}")
        self.assert_no_secret(self.ok("-v", "model", "fetch", recipe))
        self.assertIn("S3cretSignature", self.content.paths()[0])
        self.assert_no_secret(self.ok("lock", recipe))
        self.assert_no_secret(self.ok("show", recipe))
        lock = recipe.with_suffix(".lock.json").read_text()
        self.assertIn(sha256(self.gguf), lock)
        self.assertNotIn("S3cretSignature", lock)
        gone = "http://127.0.0.1:9/tiny.gguf"
        mirrored = self.models(f"name: tiny, source: '{gone}', mirrors: ['{url}'], sha256: {sha256(self.gguf)}", name="mirrored.yaml")
        self.assert_no_secret(self.ok("model", "fetch", mirrored, env={"XDG_CACHE_HOME": str(self.scratch / "another-cache")}))
        self.assertIn("S3cretSignature", self.content.paths()[-1])
        self.assert_no_secret(self.ok("show", mirrored))
        wrong = self.models(f"name: tiny, source: '{url}', sha256: {'0' * 64}", name="wrong.yaml")
        self.assert_no_secret(self.fails(3, "model", "fetch", wrong))

    def test_a_recipe_names_files_elsewhere_only_when_that_is_allowed(self):
        secret = self.scratch / "elsewhere" / "secret.gguf"
        secret.parent.mkdir()
        secret.write_bytes(self.gguf)
        recipe = self.models(f"name: tiny, source: {secret}, sha256: {sha256(self.gguf)}")
        self.fails(3, "model", "fetch", recipe, says=["not below the recipe's folder", "--allow-host-files"])
        self.assertFalse(self.blob(self.gguf).exists())
        unpinned = self.models(f"name: tiny, source: {secret}", name="unpinned.yaml")
        self.fails(2, "model", "fetch", unpinned, "--allow-host-files", says="no sha256")
        self.assertFalse(self.blob(self.gguf).exists(), "copied before anybody promised it")
        self.ok("model", "fetch", recipe, "--allow-host-files")
        self.assertEqual(self.cache.stat().st_mode & 0o777, 0o700, "others could read the copy")
        self.assertTrue(self.blob(self.gguf).exists())

    def test_without_its_token_a_hub_says_no(self):
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf")
        self.token_file.write_text("another.example secret\n")
        self.fails(5, "model", "fetch", recipe, says=["HTTP 401", "recipe.yaml:7"])
        self.token_file.write_text(f"127.0.0.1 {HUB_TOKEN}\n")
        self.token_file.chmod(0o644)
        result = self.fails(1, "model", "fetch", recipe, says="chmod 600")
        self.assert_no_secret(result)

    def test_a_renamed_repository_is_followed_and_recorded(self):
        self.hub.name = "new-org/new-repo"
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf")
        result = self.ok("build", recipe, "--unsigned", "--format", "rootfs")
        self.assertIn("the hub calls org/repo new-org/new-repo today", result.stderr)
        manifest = json.loads((self.out / "releases" / "withmodel" / "current" / "manifest.json").read_text())
        self.assertEqual(manifest["models"][0]["metadata"]["repository_today"], "new-org/new-repo")

    def test_a_commit_stays_when_the_branch_moves(self):
        pinned = self.models(f"name: tiny, source: hf://org/repo@{self.commit}/tiny.gguf", name="pinned.yaml")
        moving = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf", name="moving.yaml")
        other = gguf(300 << 10)
        self.hub.publish({"tiny.gguf": other})
        self.ok("model", "fetch", pinned)
        self.assertTrue(self.blob(self.gguf).is_file())
        before = self.asked()
        self.ok("model", "fetch", pinned)
        self.assertEqual(self.asked(), before, "a commit cannot move: nobody is asked")
        model = json.loads(self.ok("model", "fetch", moving, "--json").stdout)["models"][0]
        self.assertEqual(model["files"][0]["sha256"], sha256(other))
        self.assertEqual(self.content.count(self.gguf), 1)

    def test_wrong_bytes_are_refused_and_nothing_is_recorded(self):
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf",
                             f"name: art, source: 'oci://{self.registry.host()}/org/model:v1'", name="both.yaml")
        weights = gguf(200 << 10)
        self.registry.push("org/model", "v1", [("application/gguf", weights, "weights.gguf")])
        self.content.spoiled = {sha256(self.gguf), sha256(weights)}
        result = self.fails(3, "model", "fetch", recipe, says=[sha256(self.gguf), "the hub"])
        self.assert_no_secret(result)
        self.assertFalse(self.blob(self.gguf).exists())
        self.content.spoiled.remove(sha256(self.gguf))
        self.fails(3, "model", "fetch", recipe, says=[sha256(weights), "the manifest"])
        rows = json.loads(self.ok("model", "list", "--json").stdout)["models"]
        self.assertEqual([row["name"] for row in rows], ["tiny"])
        self.content.spoiled.clear()
        self.ok("model", "fetch", recipe)
        self.ok("model", "verify")

    def test_a_registry_gives_a_token_that_only_it_gets(self):
        weights, readme = gguf(200 << 10), b"read me\n" * 200
        manifest = self.registry.push("org/model", "v1", [("application/gguf", weights, "weights.gguf"),
                                                          ("text/plain", readme, "README.md")])
        recipe = self.models(f"name: art, source: 'oci://{self.registry.host()}/org/model:v1'")
        result = self.ok("-v", "model", "fetch", recipe, "--json")
        files = {file["path"]: file["sha256"] for file in json.loads(result.stdout)["models"][0]["files"]}
        self.assertEqual(files, {"weights.gguf": sha256(weights), "README.md": sha256(readme)})
        self.assertEqual({authorization for _, authorization in self.content.requests}, {""})
        self.assertLessEqual({authorization for _, authorization in self.registry.requests}, {"", f"Bearer {REGISTRY_TOKEN}"})
        self.assertNotIn(HUB_TOKEN, str(self.registry.requests))
        self.assert_no_secret(result)
        # By digest a tag that moves is of no interest, and a manifest of another digest is refused.
        digest = f"sha256:{sha256(manifest)}"
        self.registry.push("org/model", "v1", [("application/gguf", gguf(100 << 10), "weights.gguf")])
        fixed = self.models(f"name: art, source: 'oci://{self.registry.host()}/org/model@{digest}'", name="fixed.yaml")
        before = len(self.content.requests)
        self.ok("model", "fetch", fixed)
        self.assertEqual(len(self.content.requests), before, "the blobs were there")
        self.registry.manifests[f"/v2/org/model/manifests/{digest}"] = manifest + b"\n"
        self.ok("model", "remove", "art")
        self.fails(3, "model", "fetch", fixed, says=[digest, "fixed.yaml:7"])

    def test_stock_clients_find_the_models_in_the_image(self):
        template = b"{{ .Prompt }}" * 100
        kind = "application/vnd.ollama.image."
        config = json.dumps({"model_format": "gguf"}).encode()
        manifest = self.registry.push("library/tiny", "latest", [(kind + "model", self.gguf, ""),
                                                                 (kind + "template", template, "")], config)
        recipe = self.models(f"name: whole, source: 'hf://org/repo@main/{INDEX}', layout: huggingface",
                             f"name: tiny, source: 'ollama://{self.registry.host()}/library/tiny', layout: ollama")
        self.ok("build", recipe, "--unsigned", "--format", "rootfs", "--format", "raw")
        release = self.out / "releases" / "withmodel" / "current"
        root = self.scratch / "root"
        root.mkdir()
        archive = next(release.glob("withmodel-v*.tar.zst"))
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", root, "var/lib/withmodel/models"], check=True)
        folder = root / "var/lib/withmodel/models"
        self.look_as_hugging_face_does(folder / "huggingface" / "models--org--repo")
        self.look_as_ollama_does(folder / "ollama", manifest)
        self.compare_with_disk(next(release.glob("withmodel-v*.img")), root)

    def look_as_hugging_face_does(self, repo):
        """The way of huggingface_hub without network: ref, snapshot, link, blob by its ETag."""
        commit = (repo / "refs" / "main").read_text()
        self.assertEqual(commit, self.commit)
        snapshot = repo / "snapshots" / commit
        files = sharded()
        self.assertEqual({path.name for path in snapshot.iterdir()}, set(files))
        for name, content in files.items():
            etag = sha256(content) if len(content) >= 1024 else git_blob(content)
            self.assertEqual(os.readlink(snapshot / name), f"../../blobs/{etag}")
            self.assertEqual((snapshot / name).read_bytes(), content)
        self.assertEqual(len(list((repo / "blobs").iterdir())), len(files))

    def look_as_ollama_does(self, folder, manifest):
        """The way of Ollama: a manifest below the registry's name, its blobs by digest."""
        found = (folder / "manifests" / self.registry.host() / "library" / "tiny" / "latest").read_bytes()
        self.assertEqual(found, manifest)
        rows = json.loads(found)
        for row in [rows["config"], *rows["layers"]]:
            content = (folder / "blobs" / row["digest"].replace(":", "-")).read_bytes()
            self.assertEqual((f"sha256:{sha256(content)}", len(content)), (row["digest"], row["size"]))
        self.assertEqual(len(list((folder / "blobs").iterdir())), 1 + len(rows["layers"]))

    def compare_with_disk(self, image, root):
        """Links and bytes of the ext4 are those of the archive."""
        table = json.loads(subprocess.run(["sfdisk", "--json", image], check=True, capture_output=True, text=True).stdout)
        part = table["partitiontable"]["partitions"][1]
        ext4 = self.scratch / "root.ext4"
        subprocess.run(["dd", f"if={image}", f"of={ext4}", "bs=1M", f"skip={part['start'] * 512}", f"count={part['size'] * 512}",
                        "iflag=skip_bytes,count_bytes"], check=True, capture_output=True)
        subprocess.run(["e2fsck", "-fn", ext4], check=True, capture_output=True)
        copy = self.scratch / "copy"
        copy.mkdir()
        subprocess.run(["debugfs", "-R", f"rdump /var/lib/withmodel/models {copy}", ext4], check=True, capture_output=True)
        self.assertEqual(self.snapshot(copy / "models"), self.snapshot(root / "var/lib/withmodel/models"))

    def test_profiles_and_models_share_what_is_equal(self):
        self.registry.push("org/model", "v1", [("application/gguf", self.gguf, "weights.gguf")])
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf", "name: twin, source: hf://org/repo/tiny.gguf",
                             f"name: art, source: 'oci://{self.registry.host()}/org/model:v1'",
                             profiles="profiles:\n  one: {}\n  two: { disk: { size: 160M } }\n")
        rows = json.loads(self.ok("fetch", recipe, "--json").stdout)["files"]
        self.assertEqual(self.content.count(self.gguf), 1, self.content.paths())
        fetched = [row for row in rows if row["from"] == "fetched" and row["sha256"] == sha256(self.gguf)]
        self.assertEqual(len(fetched), 1, rows)
        stored = [path for path in (self.cache / "blobs").rglob("*") if path.is_file() and path.stat().st_size == len(self.gguf)]
        self.assertEqual(stored, [self.blob(self.gguf)])
        before = self.asked()
        self.ok("fetch", recipe, "--offline")
        self.assertEqual(self.asked(), before)
        # What one of them forgets the others still need.
        self.ok("model", "remove", "tiny", "art")
        self.assertRegex(self.ok("model", "gc", "--yes").stdout, "removed 0 files")
        self.ok("model", "verify", "twin")

    def test_a_model_that_rotted_is_found_put_aside_and_fetched_again(self):
        recipe = self.models(f"name: tiny, source: hf://org/repo@{self.commit}/tiny.gguf")
        self.ok("model", "fetch", recipe)
        flip_byte(self.blob(self.gguf), 1000)
        self.fails(3, "model", "verify", says="not whole")
        self.assertEqual([path.name.split(".")[0] for path in (self.cache / "blobs" / "quarantine").iterdir()],
                         [sha256(self.gguf)])
        self.fails(5, "model", "fetch", recipe, "--offline", says=["offline", "tiny.gguf"])
        self.ok("model", "fetch", recipe)
        self.ok("model", "verify")
        self.assertEqual(self.content.count(self.gguf), 2)

    @unittest.skipUnless(os.geteuid() == 0, "mounts the cache read-only")
    def test_a_read_only_cache_that_has_everything_is_enough(self):
        recipe = self.models("name: tiny, source: hf://org/repo@main/tiny.gguf")
        self.ok("fetch", recipe)
        subprocess.run(["mount", "--bind", self.cache, self.cache], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", self.cache], check=True)
            self.ok("model", "verify")
            self.ok("model", "list")
            self.ok("fetch", recipe, "--offline")
            self.ok("model", "fetch", recipe, "--offline")
            self.ok("plan", recipe)
            for words in (["build", recipe, "--unsigned", "--offline"], ["fetch", recipe], ["lock", recipe]):
                self.fails(1, *words, says=[str(self.cache), "Read-only", "--cache-dir"])
        finally:
            subprocess.run(["umount", self.cache], check=True)


if __name__ == "__main__":
    main()
