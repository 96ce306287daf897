#!/usr/bin/env python3
"""What a release was made from: its provenance as SLSA has it, in an envelope that openssl verifies, checked against recipe and lock;
and what other builders state after they have built it again."""

import base64
import hashlib
import json
import shutil
import subprocess

from harness import Case, main

RECIPE = """imgforge: 1
name: tiny
base: embedded
formats: [rootfs]
files:
  - path: /etc/greeting
    content: hello
"""
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def secret_seed(key):
    """The Ed25519 seed in an unencrypted minisign key."""
    return base64.b64decode(key.read_text().splitlines()[1])[62:94]


def key_id(key):
    return base64.b64decode(key.read_text().splitlines()[1])[54:62][::-1].hex().upper()


def pre_authentication(payload, kind=PAYLOAD_TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


class Provenance(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recipe_file = cls.scratch / "tiny.yaml"
        cls.recipe_file.write_text(RECIPE)
        for arguments in (("key", "generate", "me", "--no-passphrase"), ("build", cls.recipe_file, "--builder-id", "https://ci.example/job/1"),
                          ("key", "generate", "second", "--no-passphrase"), ("key", "generate", "third", "--no-passphrase")):
            result = cls.run_imgforge(*arguments)
            if result.returncode != 0:
                raise RuntimeError(result.stderr)
        cls.keys = {name: cls.home / "config" / "imgforge" / "keys" / f"{name}.key" for name in ("me", "second", "third")}
        cls.made = cls.out.rename(cls.scratch / "made")

    def setUp(self):
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.made, self.out, symlinks=True)
        self.release = (self.out / "releases" / "tiny" / "current").resolve()
        self.file = self.release / "provenance.intoto.jsonl"

    def statement(self):
        return json.loads(base64.b64decode(json.loads(self.file.read_text())["payload"]))

    def openssl_sign(self, key, message):
        der = bytes.fromhex("302e020100300506032b657004220420") + secret_seed(key)
        (self.scratch / "key.der").write_bytes(der)
        (self.scratch / "message").write_bytes(message)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.scratch / "key.der", "-keyform", "DER", "-in",
                               self.scratch / "message"], check=True, capture_output=True).stdout

    def envelope(self, payload, *names, kind=PAYLOAD_TYPE):
        rows = [{"keyid": key_id(self.keys[name]),
                 "sig": base64.b64encode(self.openssl_sign(self.keys[name], pre_authentication(payload, kind))).decode()} for name in names]
        return json.dumps({"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": rows}) + "\n"

    def put(self, text):
        """Another provenance in a release that is signed again, as whoever holds the key could make it."""
        self.file.chmod(0o644)
        self.file.write_text(text)
        manifest = self.release / "manifest.json"
        content = json.loads(manifest.read_text())
        for row in content["documents"]:
            if row["file"] == self.file.name:
                row.update(size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest(),
                           sha512=hashlib.sha512(text.encode()).hexdigest())
        sums = self.release / "SHA256SUMS"
        lines = {line.split("  ")[1]: line.split("  ")[0] for line in sums.read_text().splitlines()}
        manifest.chmod(0o644)
        manifest.write_text(json.dumps(content, indent=2) + "\n")
        for path in (self.file, manifest):
            lines[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        sums.chmod(0o644)
        sums.write_text("".join(f"{digest}  {name}\n" for name, digest in lines.items()))
        for path in (manifest, sums):
            path.with_name(path.name + ".minisig").unlink()
            path.with_name(path.name + ".sig").unlink(missing_ok=True)
            subprocess.run(["minisign", "-S", "-s", self.keys["me"], "-m", path], check=True, stdout=subprocess.DEVNULL)

    def rows(self, *arguments, code=0):
        result = self.assert_exit(self.run_imgforge("--json", "verify", self.release, *arguments), code)
        return json.loads(result.stdout)["subjects"][0]["checks"]

    def refused(self, *arguments):
        return [(row["check"], row["reason"]) for row in self.rows(*arguments, code=3) if not row["ok"]]

    def test_what_it_says(self):
        statement = self.statement()
        self.assertEqual(statement["_type"], "https://in-toto.io/Statement/v1")
        self.assertEqual(statement["predicateType"], "https://slsa.dev/provenance/v1")
        manifest = json.loads((self.release / "manifest.json").read_text())
        self.assertEqual([(row["name"], row["digest"]["sha256"]) for row in statement["subject"]],
                         [(row["file"], row["sha256"]) for row in manifest["artifacts"]])
        build, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
        self.assertEqual(set(build), {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"})
        self.assertEqual(run["builder"]["id"], "https://ci.example/job/1")
        named = {row["name"]: row["digest"]["sha256"] for row in build["resolvedDependencies"]}
        self.assertEqual(named["recipe"], hashlib.sha256(self.recipe_file.read_bytes()).hexdigest())
        for name in ("recipe.yaml", "recipe.lock.json"):
            self.assertEqual(named[name], hashlib.sha256((self.release / name).read_bytes()).hexdigest())
        self.assertEqual(build["internalParameters"]["insecure"], [])
        text = self.ok("provenance", "tiny").stdout
        self.assertIn("https://ci.example/job/1", text)
        self.assertEqual(json.loads(self.ok("provenance", "tiny", "--format", "intoto").stdout), statement)
        self.assertEqual(json.loads(self.ok("--json", "provenance", "tiny").stdout)["provenance"], statement["predicate"])

    def test_openssl_verifies_it(self):
        """The command of builder/provenance/README.md, in its steps."""
        envelope = json.loads(self.file.read_text())
        point = base64.b64decode(self.keys["me"].with_suffix(".pub").read_text().splitlines()[1])[10:]
        (self.scratch / "public.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + point)
        (self.scratch / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        for payload, code in ((base64.b64decode(envelope["payload"]), 0), (b"{}", 1)):
            (self.scratch / "message").write_bytes(pre_authentication(payload))
            result = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey",
                                     self.scratch / "public.der", "-sigfile", self.scratch / "signature", "-in", self.scratch / "message"],
                                    capture_output=True)
            self.assertEqual(result.returncode, code)

    def test_was_it_built_from_exactly_this(self):
        self.ok("provenance", "tiny", "--check", self.recipe_file, "--lock", self.release / "recipe.lock.json")
        self.ok("provenance", "tiny", "--check", self.release / "recipe.yaml")
        other = self.recipe(RECIPE.replace("hello", "bye"), "other.yaml")
        self.fails(3, "provenance", "tiny", "--check", other, says="something else")
        result = self.assert_exit(self.run_imgforge("--json", "provenance", "tiny", "--check", other), 3)
        self.assertFalse(json.loads(result.stdout)["same"])

    def test_an_unsigned_release_has_none(self):
        out = self.scratch / "unsigned"
        self.ok("build", self.recipe_file, "--unsigned", output_dir=out)
        self.assertEqual(list(out.rglob("provenance*")), [])

    def test_a_derived_release_says_what_from(self):
        self.ok("build", self.recipe(RECIPE.replace("rootfs", "raw"), "disk.yaml"), "--set", "name=disk", "--signing-key", self.keys["me"])
        self.ok("compress", "disk", "--signing-key", self.keys["me"], timeout=120)
        document = next(path for path in self.out.rglob("provenance.intoto.jsonl") if ".1/" in str(path) and path.parent.name.endswith(".1"))
        build = json.loads(base64.b64decode(json.loads(document.read_text())["payload"]))["predicate"]["buildDefinition"]
        self.assertEqual(build["buildType"], "urn:imgforge:build:derive:1")
        self.assertIn("disk@", build["externalParameters"]["release"])

    def test_statements_that_do_not_hold(self):
        good = self.statement()
        payload = json.dumps(good).encode()

        def changed(change):
            other = json.loads(payload)
            change(other)
            return self.envelope(json.dumps(other).encode(), "me")

        def foreign_digest(statement):
            statement["subject"][0]["digest"]["sha256"] = "0" * 64

        for text, reason in (
                (self.envelope(payload, "me", kind="text/plain"), "wrong_subject"),
                (changed(lambda s: s.update(subject=[])), "wrong_subject"),
                (changed(lambda s: s["subject"].append(s["subject"][0])), "wrong_subject"),
                (changed(foreign_digest), "wrong_subject"),
                (changed(lambda s: s.update(predicateType="https://slsa.dev/provenance/v0.2")), "wrong_subject"),
                (changed(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")), "malformed"),
                (changed(lambda s: s.update(more=1)), "malformed"),
                (changed(lambda s: s.update(predicate=[])), "malformed"),
                (self.envelope(payload[:-1] + b',"predicate":{}}', "me"), "malformed"),
                (self.envelope(payload, "me").replace(key_id(self.keys["me"]), "0" * 16)[:-4] + "\n", "malformed"),
                (json.dumps(dict(json.loads(self.envelope(payload, "me")), payload=base64.b64encode(payload + b" ").decode())), "bad_signature"),
                ("x" * (17 << 20), "malformed")):
            self.put(text)
            self.assertEqual(self.refused(), [("provenance", reason)], text[:300])
            self.fails(3, "provenance", "tiny")
        self.put(self.envelope(payload, "me", "second"))
        self.assertTrue(all(row["ok"] for row in self.rows()))

    def attest(self, key):
        return self.ok("rebuild", "tiny", "--attest", "--signing-key", self.keys[key])

    def test_other_builders(self):
        self.assertEqual(self.refused("--require", "rebuilt-by=1"), [("policy", "policy")])
        self.attest("me")
        # Whoever built it is no second witness.
        self.assertEqual(self.refused("--require", "rebuilt-by=1"), [("policy", "policy")])
        self.attest("second")
        self.attest("third")
        files = sorted(path.name for path in self.release.glob("rebuilt.*"))
        self.assertEqual(len(files), 3)
        rows = self.rows("--require", "rebuilt-by=2", "--require", "provenance")
        self.assertEqual(len([row for row in rows if row["check"] == "rebuilt"]), 3)
        self.ok("verify", "--all")
        self.assertEqual(self.refused("--require", "rebuilt-by=3"), [("policy", "policy")])
        # They go along.
        tree = self.scratch / "tree"
        self.ok("export", tree, "--signing-key", self.keys["me"])
        self.assertEqual(sorted(path.name for path in tree.rglob("rebuilt.*")), files)
        self.ok("verify", tree, "--strict")

    def test_statements_of_others_that_do_not_hold(self):
        self.attest("second")
        file = next(self.release.glob("rebuilt.*"))
        text = file.read_text()
        file.chmod(0o644)
        file.write_text(text.replace('"sig":"', '"sig":"AAAA', 1))
        self.assertEqual(self.refused(), [("rebuilt", "bad_signature")])
        payload = json.loads(base64.b64decode(json.loads(text)["payload"]))
        payload["predicate"]["manifest"] = "0" * 64
        file.write_text(self.envelope(json.dumps(payload).encode(), "second"))
        self.assertEqual(self.refused(), [("rebuilt", "wrong_subject")])
        # A name that tells another key than signed it, and a key that nobody trusts: not counted, and no fault of the release.
        file.write_text(text)
        file.rename(file.with_name(f"rebuilt.{key_id(self.keys['third'])}.intoto.jsonl"))
        rows = [row for row in self.rows() if row["check"] == "rebuilt"]
        self.assertIn("not counted", rows[0]["detail"])
        self.assertEqual(self.refused("--require", "rebuilt-by=1"), [("policy", "policy")])

    def test_a_statement_in_a_file(self):
        file = self.scratch / "statement"
        self.ok("rebuild", "tiny", "--attest", "--output", file, "--signing-key", self.keys["second"])
        self.assertEqual(list(self.release.glob("rebuilt.*")), [])
        shutil.copy(file, self.release / f"rebuilt.{key_id(self.keys['second'])}.intoto.jsonl")
        self.rows("--require", "rebuilt-by=1")


if __name__ == "__main__":
    main()
