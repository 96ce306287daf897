#!/usr/bin/env python3
"""Catalogues over real HTTP: imgforge serve on one side, tuf-js and imgforge's own client on the other."""

import json
import shutil
import subprocess

from harness import PROGRAM, SOURCE, main, wait_for
from store_case import LINE, StoreCase

NPM = SOURCE / "tests" / "npm"
OLD = {"SOURCE_DATE_EPOCH": "1700000000"}


class Catalogue(StoreCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = cls.home / "config" / "imgforge" / "keys"
        for name in ("a", "b", "c", "d", "online"):
            assert cls.run_imgforge("key", "generate", name, "--no-passphrase").returncode == 0
        # The keys of roots sign no releases.
        for name in ("a", "b", "c", "d", "online"):
            (cls.home / "config" / "imgforge" / "trusted" / f"{name}.pub").unlink()

    def setUp(self):
        super().setUp()
        self.web = self.scratch / "web"
        self.state = self.scratch / "node"
        for folder in (self.web, self.state, self.home / "state", self.home / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
        self.state.mkdir()
        self.init()
        self.root = self.scratch / "root.json"
        shutil.copy(self.out / "tuf" / "root.json", self.root)

    def key_file(self, name, suffix="key"):
        return self.keys / f"{name}.{suffix}"

    def imgforge(self, *args, output_dir=None, **env):
        return self.run_imgforge(*args, output_dir=output_dir, env={"XDG_STATE_HOME": str(self.home / "state"), **env})

    def good(self, *args, **env):
        result = self.imgforge(*args, **env)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result

    def refused(self, reason, *args, code=3, **env):
        result = self.imgforge("--json", *args, **env)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertRegex(result.stdout + result.stderr, f'"reason": ?"{reason}"')

    def init(self):
        roots = [word for name in "abc" for word in ("--root-key", self.key_file(name, "pub"))]
        self.good("trust", "init", *roots, "--threshold", "2", "--sign-with", self.key_file("a"), "--sign-with", self.key_file("b"),
                  "--online-key", self.key_file("me", "pub"))

    def update(self, key="me", **env):
        return json.loads(self.good("--json", "catalogue", "update", "--signing-key", self.key_file(key), **env).stdout)

    def test_a_root_is_signed_in_steps_where_the_keys_are(self):
        draft = self.scratch / "draft.json"
        self.update()
        self.good("trust", "rotate", "--root-key", self.key_file("b", "pub"), "--root-key", self.key_file("c", "pub"), "--root-key",
                  self.key_file("d", "pub"), "--draft", draft)
        before = (self.out / "tuf" / "root.json").read_bytes()
        self.refused("unknown_key", "trust", "publish", draft)
        # Each where nothing but the draft and one key is.
        nowhere = {"output_dir": self.scratch / "nowhere"}
        shown = self.good("trust", "sign", draft, "--sign-with", self.key_file("b"), **nowhere).stdout
        self.assertIn("root 2 in ", shown)
        self.assertIn("2 of 3 keys", shown)
        self.assertEqual(shown.count("   signed"), 1)
        self.refused("below_threshold", "trust", "publish", draft)
        answer = self.imgforge("trust", "sign", draft, "--sign-with", self.key_file("b"), **nowhere)
        self.assertEqual(answer.returncode, 2, answer.stderr)
        self.assertFalse((self.scratch / "nowhere").exists())
        self.good("trust", "sign", draft, "--sign-with", self.key_file("c"), **nowhere)
        self.assertEqual((self.out / "tuf" / "root.json").read_bytes(), before)
        self.good("trust", "publish", draft)
        self.assertTrue((self.out / "tuf" / "2.root.json").exists())
        self.refused("wrong_subject", "trust", "publish", draft)
        self.update()
        self.good("catalogue", "show", self.out, "--root", self.root)

    def test_a_first_root_in_steps(self):
        shutil.rmtree(self.out / "tuf")
        draft = self.scratch / "first.json"
        self.good("trust", "init", "--root-key", self.key_file("a", "pub"), "--online-key", self.key_file("me", "pub"), "--draft", draft)
        self.assertFalse((self.out / "tuf").exists())
        self.refused("unknown_key", "trust", "publish", draft)
        self.good("trust", "sign", draft, "--sign-with", self.key_file("a"))
        changed = self.scratch / "changed.json"
        changed.write_bytes(draft.read_bytes().replace(b'"threshold":1', b'"threshold":2', 1))
        self.assertEqual(self.imgforge("trust", "publish", changed).returncode, 3)
        self.good("trust", "publish", draft)
        self.update()

    def test_a_catalogue_begins_with_keys_that_are_trusted_for_it(self):
        self.update()
        self.refused("unknown_key", "catalogue", "show", self.out, code=2)
        trusted = self.home / "config" / "imgforge" / "trusted"
        self.addCleanup((trusted / "trust.json").unlink, missing_ok=True)
        for name in "ab":
            self.addCleanup((trusted / f"{name}.pub").unlink, missing_ok=True)
        # Trusted for everything is not trusted for catalogues by name.
        self.good("key", "trust", self.key_file("a", "pub"))
        self.refused("unknown_key", "catalogue", "show", self.out, code=2)
        self.good("key", "threshold", "catalogue", "2")
        self.good("key", "trust", self.key_file("a", "pub"), "--role", "catalogue")
        self.refused("below_threshold", "catalogue", "show", self.out)
        self.good("key", "trust", self.key_file("b", "pub"), "--role", "catalogue")
        self.good("catalogue", "show", self.out)
        # What was seen counts from now on, whoever is trusted.
        for name in "ab":
            (trusted / f"{name}.pub").unlink()
        self.good("catalogue", "show", self.out)

    def test_what_is_signed_beside_a_manifest_is_pulled_too(self):
        trusted = self.home / "config" / "imgforge" / "trusted"
        self.good("key", "trust", self.key_file("d", "pub"))
        self.addCleanup((trusted / "trust.json").unlink, missing_ok=True)
        self.addCleanup((trusted / "d.pub").unlink, missing_ok=True)
        self.good("sign", LINE, "--signing-key", self.key_file("d"))
        self.good("sign", LINE, "--signing-key", self.key_file("me"), "--ssh")
        self.update()
        self.export()
        self.good("key", "threshold", "release", "2")
        url = self.serve()
        self.good("verify", f"{url}/releases/{LINE}/v20260103/manifest.json")
        pulled = self.scratch / "pulled"
        shutil.rmtree(pulled, ignore_errors=True)
        self.good("pull", url, LINE, "--root", self.root, output_dir=pulled)
        names = {file.name for file in (pulled / "releases" / LINE / "v20260103").iterdir()}
        self.assertIn("manifest.json.sig", names)
        self.assertEqual(len([name for name in names if name.endswith(".minisig")]), 3)
        (trusted / "d.pub").unlink()
        shutil.rmtree(pulled)
        self.refused("below_threshold", "pull", url, LINE, output_dir=pulled)
        self.assertFalse((pulled / "releases" / LINE).exists())

    def export(self):
        self.good("export", self.web, "--signing-key", self.key_file("me"))

    def serve(self):
        server = subprocess.Popen([PROGRAM, "serve", self.web, "--port", "0", "--json"], env=self.environment(),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        text = ""
        while not text.endswith("}\n"):
            text += server.stdout.readline()
        return json.loads(text)["url"].rstrip("/")

    def node(self, url, version):
        if not (self.state / "root.json").exists():
            shutil.copy(self.root, self.state / "root.json")
        return subprocess.run(["node", NPM / "tuf_client.mjs", self.state, url, f"releases/{LINE}/{version}/manifest.json"],
                              capture_output=True, text=True, timeout=60)

    def versions(self):
        return sorted(p.name for p in (self.out / "releases" / LINE).iterdir() if not p.is_symlink())

    def test_tuf_js_and_imgforge_follow_updates_a_rotation_and_a_yank(self):
        version = self.versions()[0]
        self.assertEqual(self.update()["version"], 1)
        self.export()
        url = self.serve()
        seen = self.node(url, version)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertNotIn("yanked", json.loads(seen.stdout)["custom"])
        self.refused("unknown_key", "catalogue", "show", url, code=2)
        shown = json.loads(self.good("--json", "catalogue", "show", url, "--root", self.root).stdout)
        self.assertEqual((shown["version"], len(shown["releases"])), (1, 3))
        release = self.out / "releases" / LINE / version
        before = json.loads(self.imgforge("--json", "verify", "--catalogue", url, release).stdout)["subjects"][0]["checks"]
        row = next(r for r in before if r["check"] == "fresh")
        self.assertTrue(row["ok"], row)
        self.assertIn("fresh catalogue 1, valid until", row["detail"])
        pulled = self.scratch / "pulled"
        shutil.rmtree(pulled, ignore_errors=True)
        self.assertEqual(self.imgforge("pull", url, f"{LINE}@{version}", output_dir=pulled).returncode, 0)
        self.assertEqual((pulled / "releases" / LINE / version / "manifest.json").read_bytes(),
                         (release / "manifest.json").read_bytes())
        again = self.imgforge("--json", "pull", url, f"{LINE}@{version}", output_dir=pulled)
        self.assertTrue(json.loads(again.stdout)["existed"])
        # What is damaged never has a name, and the next try gets the whole.
        newest = self.versions()[-1]
        image = next((self.web / "releases" / LINE / newest).glob("*.qcow2"))
        whole = image.read_bytes()
        image.unlink()
        image.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        result = self.imgforge("pull", url, LINE, output_dir=pulled)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual([p.name for p in (pulled / "releases" / LINE).iterdir()], [version])
        self.assertEqual(list((pulled / ".staging").iterdir()), [])
        image.write_bytes(whole)
        self.assertEqual(self.imgforge("pull", url, LINE, output_dir=pulled).returncode, 0)
        # The server's other lies, over HTTP.
        manifest = self.web / "releases" / LINE / self.versions()[1] / "manifest.json"
        wanted = f"{LINE}@{self.versions()[1]}"
        for file, change, reason in ((manifest, lambda b: bytes([b[0], b[1] ^ 1]) + b[2:], "digest_mismatch"),
                                     (manifest, lambda b: b + b" " * 100, "size_mismatch"),
                                     (manifest, lambda b: b[:-1], "size_mismatch"),
                                     (self.web / "tuf" / "timestamp.json", lambda b: b + b" " * (1 << 20), "size_mismatch"),
                                     (self.web / "tuf" / "targets.json", lambda b: b + b" ", "size_mismatch")):
            bytes_before = file.read_bytes()
            file.unlink()  # it may be one file with the store's
            file.write_bytes(change(bytes_before))
            before_pull = self.snapshot(pulled)
            self.refused(reason, "pull", url, wanted, output_dir=pulled)
            self.assertEqual(self.snapshot(pulled), before_pull)
            file.write_bytes(bytes_before)
        # One old key is not enough, nor are two where only one is of the root.
        self.refused("below_threshold", "trust", "rotate", "--sign-with", self.key_file("a"))
        self.refused("below_threshold", "trust", "rotate", "--sign-with", self.key_file("a"), "--sign-with", self.key_file("d"))
        self.good("trust", "rotate", "--root-key", self.key_file("b", "pub"), "--root-key", self.key_file("c", "pub"), "--root-key",
                  self.key_file("d", "pub"), "--sign-with", self.key_file("b"), "--sign-with", self.key_file("c"), "--online-key",
                  self.key_file("online", "pub"))
        result = self.imgforge("catalogue", "update", "--signing-key", self.key_file("me"))
        self.assertEqual(result.returncode, 3, "the key that the root no longer names")
        self.good("yank", f"{LINE}@{version}", "--reason", "loses data")
        self.refused("yanked", "promote", f"{LINE}@{version}")
        self.refused("yanked", "clone", f"{LINE}@{version}", "trial")
        self.refused("yanked", "rollback", LINE, "--to", version)
        updated = self.update("online")
        self.assertEqual((updated["version"], updated["yanked"]), (2, 1))
        self.export()
        seen = self.node(url, version)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertEqual(json.loads(seen.stdout)["custom"]["yanked"], "loses data")
        self.assertEqual(json.loads((self.state / "root.json").read_text())["signed"]["version"], 2)
        self.refused("yanked", "verify", "--catalogue", url, release)
        self.refused("yanked", "pull", url, f"{LINE}@{version}")
        self.good("unyank", f"{LINE}@{version}")
        self.assertEqual(self.update("online")["yanked"], 0)
        self.export()
        self.assertIn("fresh catalogue 3", self.imgforge("verify", "--catalogue", url, release).stdout)

    def test_a_killed_pull_leaves_no_release_and_the_next_one_no_rest(self):
        self.update()
        self.export()
        url = self.serve()
        pulled = self.scratch / "killed"
        env = self.environment(XDG_STATE_HOME=str(self.home / "state"))
        words = [PROGRAM, "--output-dir", pulled, "pull", url, LINE, "--root", self.root]
        with subprocess.Popen([*words, "--limit-rate", "1K"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as slow:
            wait_for(lambda: list(pulled.glob(".staging/pull*/release/manifest.json")), "the manifest")
            slow.kill()
        self.assertFalse((pulled / "releases" / LINE).exists())
        self.assertNotEqual(list((pulled / ".staging").iterdir()), [])
        self.assertEqual(subprocess.run(words, env=env, capture_output=True, timeout=60).returncode, 0)
        self.assertEqual(list((pulled / ".staging").iterdir()), [])
        release = next((pulled / "releases" / LINE).iterdir())
        for file in self.release(release.name).iterdir():
            self.assertEqual((release / file.name).read_bytes(), file.read_bytes(), file.name)

    def test_older_expired_and_mixed_catalogues_are_refused(self):
        release = self.out / "releases" / LINE / self.versions()[0]
        metadata = self.out / "tuf"
        self.update(**OLD)
        show = ("catalogue", "show", metadata)
        self.refused("expired", *show, "--root", self.root)
        self.update()
        self.good(*show)
        first = self.scratch / "first"
        shutil.rmtree(first, ignore_errors=True)
        shutil.copytree(metadata, first)
        self.update()
        self.good(*show)
        latest = {p.name: p.read_bytes() for p in metadata.iterdir()}
        for name in ("timestamp.json", "snapshot.json", "targets.json"):
            shutil.copy(first / name, metadata / name)
        self.refused("rollback", *show)
        (metadata / "timestamp.json").write_bytes(latest["timestamp.json"])
        self.refused("digest_mismatch", *show)
        (metadata / "snapshot.json").write_bytes(latest["snapshot.json"])
        self.refused("digest_mismatch", *show)
        (metadata / "targets.json").write_bytes(latest["targets.json"])
        self.good(*show)
        with open(metadata / "timestamp.json", "ab") as file:
            file.write(b" " * (1 << 20))
        self.refused("size_mismatch", *show)
        (metadata / "timestamp.json").write_bytes(latest["timestamp.json"].replace(b'"timestamp"', b'"timestamp","_type":"timestamp"', 1))
        self.refused("malformed", *show)
        (metadata / "timestamp.json").write_bytes(latest["timestamp.json"])
        # A damaged state is no reason to believe anything.
        kept = next((self.home / "state" / "imgforge" / "catalogues").iterdir()) / "timestamp.json"
        kept.write_text("{}")
        self.refused("malformed", *show)
        self.assertEqual(self.imgforge("catalogue", "update", "--signing-key", self.key_file("me"), "--expect", "1").returncode, 1)
        self.assertTrue(release.is_dir())


if __name__ == "__main__":
    main()
