#!/usr/bin/env python3
"""Signatures that others read: each command of the table in signing/README.md on a real release, and on one that was changed; and
signatures that come later, by further keys and by keys on other machines."""

import base64
import json
import shutil
import subprocess

from harness import SOURCE, Case, main

RECIPE = "imgforge: 1\nname: tiny\nbase: embedded\nformats: [rootfs]\n"
NPM = SOURCE / "tests" / "npm"


def as_openssh_key(minisign_key):
    """An unencrypted minisign key as OpenSSH keeps one (PROTOCOL.key)."""
    def field(content):
        return len(content).to_bytes(4, "big") + content

    raw = base64.b64decode(minisign_key.read_text().splitlines()[1])
    seed, point = raw[62:94], raw[94:126]
    public = field(b"ssh-ed25519") + field(point)
    secret = bytes(8) + public + field(seed + point) + field(b"me")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    blob = b"openssh-key-v1\0" + field(b"none") + field(b"none") + field(b"") + (1).to_bytes(4, "big") + field(public) + field(secret)
    return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.encodebytes(blob).decode() + "-----END OPENSSH PRIVATE KEY-----\n"


class Signatures(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        recipe = cls.scratch / "tiny.yaml"
        recipe.write_text(RECIPE)
        for arguments in (("key", "generate", "me", "--no-passphrase", "--sigstore"), ("build", recipe),
                          ("key", "generate", "second", "--no-passphrase"), ("key", "generate", "third", "--no-passphrase")):
            result = cls.run_imgforge(*arguments)
            if result.returncode != 0:
                raise RuntimeError(result.stderr)
        cls.config = cls.home / "config" / "imgforge"
        cls.keys = {name: cls.config / "keys" / f"{name}.key" for name in ("me", "second", "third")}
        cls.made = cls.out.rename(cls.scratch / "made")

    def setUp(self):
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.made, self.out, symlinks=True)
        self.release = (self.out / "releases" / "tiny" / "current").resolve()
        self.manifest = self.release / "manifest.json"

    def run_in(self, folder, command):
        return subprocess.run(command, cwd=folder, shell=True, capture_output=True, text=True, env=self.environment())

    def both_ways(self, command, **files):
        """The command accepts the release, and refuses it with another manifest."""
        for name, text in files.items():
            (self.scratch / name).write_text(text)
        result = self.run_in(self.release, command)
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}{result.stderr}")
        self.manifest.chmod(0o644)
        self.manifest.write_text(self.manifest.read_text().replace("tiny", "tiny ", 1))
        self.assertNotEqual(self.run_in(self.release, command).returncode, 0, command)

    def rows(self, *arguments, code=0):
        result = self.assert_exit(self.run_imgforge("--json", "verify", self.release, *arguments), code)
        return json.loads(result.stdout)["subjects"][0]["checks"]

    def refused(self, *arguments):
        return [(row["subject"], row["reason"]) for row in self.rows(*arguments, code=3) if not row["ok"]]

    def test_minisign(self):
        self.both_ways(f"minisign -Vm manifest.json -p {self.keys['me'].with_suffix('.pub')}")

    def test_ssh(self):
        allowed = self.ok("key", "export", "me", "--format", "ssh").stdout
        self.both_ways(f"ssh-keygen -Y verify -f {self.scratch}/allowed -I me -n imgforge -s manifest.json.sig < manifest.json",
                       allowed=allowed)
        self.assertEqual(subprocess.run(["ssh-keygen", "-Y", "verify", "-f", self.scratch / "allowed", "-I", "me", "-n", "file", "-s",
                                         self.release / "manifest.json.sig"], input=self.manifest.read_bytes(), capture_output=True).returncode, 255)

    def test_sigstore_js(self):
        self.ok("key", "export", "me", "--format", "sigstore")
        pem = self.config / "keys" / "me.p256.pem"
        self.both_ways(f"node {NPM}/sigstore_verify.mjs {pem} manifest.json.sigstore.json manifest.json")

    def test_sigstore_js_reads_the_provenance(self):
        pem = self.config / "keys" / "me.p256.pem"
        command = f"node {NPM}/sigstore_verify.mjs {pem} provenance.sigstore.json"
        self.assertEqual(self.run_in(self.release, command).stdout, "verified\n")
        file = self.release / "provenance.sigstore.json"
        file.chmod(0o644)
        bundle = json.loads(file.read_text())
        self.assertEqual(bundle["dsseEnvelope"]["payload"], json.loads((self.release / "provenance.intoto.jsonl").read_text())["payload"])
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(b"{}").decode()
        file.write_text(json.dumps(bundle))
        self.assertNotEqual(self.run_in(self.release, command).returncode, 0)
        self.assertEqual(self.refused(), [("provenance.sigstore.json", "wrong_subject")])

    def test_openssl(self):
        pem = self.config / "keys" / "me.p256.pem"
        self.both_ways("jq -r .messageSignature.signature manifest.json.sigstore.json | base64 -d > ../signature && "
                       f"openssl dgst -sha256 -verify {pem} -signature ../signature manifest.json")

    def test_gpg(self):
        gpg = self.environment(GNUPGHOME=str(self.scratch / "gnupg"))
        (self.scratch / "gnupg").mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "me@example.org", "ed25519", "sign", "never"],
                       env=gpg, check=True, capture_output=True)
        self.ok("sign", "tiny", "--gpg-key", "me@example.org", "--signing-key", self.keys["me"], env={"GNUPGHOME": gpg["GNUPGHOME"]})
        self.assertIn("not counted", [row["detail"] for row in self.rows() if row["subject"] == "manifest.json.asc"][0])
        self.both_ways(f"GNUPGHOME={gpg['GNUPGHOME']} gpg --verify manifest.json.asc manifest.json")
        subprocess.run(["gpgconf", "--kill", "all"], env=gpg, check=False)

    def test_every_changed_byte(self):
        """Each character of each companion: refused with a reason, unless it says the same or names an unknown key."""
        for name in ("manifest.json.sig", "manifest.json.sigstore.json"):
            file = self.release / name
            file.chmod(0o644)
            whole = file.read_bytes()
            kept = 0
            for at in range(0, len(whole), 7):
                file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
                result = self.run_imgforge("--json", "verify", self.manifest)
                row = [r for r in json.loads(result.stdout)["subjects"][0]["checks"] if r["subject"] == name][0]
                if row["ok"]:
                    self.assertIn("not counted", row["detail"], f"{name} {at}")
                    kept += 1
                else:
                    self.assertIn(row["reason"], ("malformed", "bad_signature", "digest_mismatch", "wrong_subject"))
            file.write_bytes(whole)
            self.assertLess(kept, len(whole) // 14)

    def test_companions_that_are_none(self):
        good = (self.release / "manifest.json.sigstore.json").read_text()
        bundle = json.loads(good)

        def changed(**members):
            return json.dumps({**bundle, **members})

        signature = bundle["messageSignature"]
        for name, text, reason in (
                ("manifest.json.sigstore.json", changed(mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"), "malformed"),
                ("manifest.json.sigstore.json", changed(more=1), "malformed"),
                ("manifest.json.sigstore.json", good[:-2] + ',"mediaType":"x"}', "malformed"),
                ("manifest.json.sigstore.json", changed(messageSignature={**signature, "messageDigest": {
                    "algorithm": "SHA2_256", "digest": base64.b64encode(bytes(32)).decode()}}), "digest_mismatch"),
                ("manifest.json.sigstore.json", changed(messageSignature={**signature, "signature": signature["signature"] + "="}), "malformed"),
                ("manifest.json.sigstore.json", "x" * (17 << 20), "malformed"),
                ("manifest.json.sig", "", "malformed"),
                ("manifest.json.sig", (self.release / "manifest.json.minisig").read_text(), "malformed")):
            file = self.release / name
            whole = file.read_text()
            file.chmod(0o644)
            file.write_text(text)
            self.assertEqual(self.refused(), [(name, reason)], text[:200])
            file.write_text(whole)
        (self.release / "manifest.json.sig").unlink()
        (self.release / "manifest.json.sig").symlink_to("/etc/passwd")
        self.assertIn(("manifest.json.sig", "malformed"), self.refused())

    def test_a_signature_in_another_namespace(self):
        (self.scratch / "me.ssh").write_text(as_openssh_key(self.keys["me"]))
        (self.scratch / "me.ssh").chmod(0o600)
        subprocess.run(f"cp {self.manifest} m && rm -f m.sig && ssh-keygen -Y sign -f me.ssh -n file m", shell=True, cwd=self.scratch,
                       check=True, capture_output=True)
        file = self.release / "manifest.json.sig"
        file.chmod(0o644)
        shutil.copyfile(self.scratch / "m.sig", file)
        self.assertEqual(self.refused(), [("manifest.json.sig", "wrong_subject")])
        # ssh-keygen's own signature for the right namespace is as good as imgforge's.
        subprocess.run("rm m.sig && ssh-keygen -Y sign -f me.ssh -n imgforge m", shell=True, cwd=self.scratch, check=True, capture_output=True)
        shutil.copyfile(self.scratch / "m.sig", file)
        self.assertIn("SSH, by me", [row["detail"] for row in self.rows() if row["subject"] == "manifest.json.sig"][0])

    def test_further_keys(self):
        self.assertEqual(self.refused("--require", "signatures=2"), [("signers", "policy")])
        self.ok("sign", "tiny", "--signing-key", self.keys["second"])
        self.rows("--require", "signatures=2")
        self.assertEqual(self.refused("--require", "signatures=3"), [("signers", "policy")])
        self.rows("--require", "signatures=2", "--require", "signers=[me, second]")
        further = next(self.release.glob("manifest.json.*.minisig"))
        self.assertEqual(self.run_in(self.release, f"minisign -Vm manifest.json -x {further.name} -p {self.keys['second'].with_suffix('.pub')}").returncode, 0)
        self.fails(2, "sign", "tiny", "--signing-key", self.keys["me"], says="already")
        # The same signature under a second name is no second key.
        copy = further.with_name("manifest.json.0123456789ABCDEF.minisig")
        shutil.copy(further, copy)
        self.assertEqual(self.refused("--require", "signatures=3"), [("signers", "policy")])
        copy.unlink()
        further.chmod(0o644)
        shutil.copyfile(self.release / "SHA256SUMS.minisig", copy)
        self.assertEqual(self.refused(), [(copy.name, "bad_signature")])
        copy.unlink()
        tree = self.scratch / "tree"
        self.ok("export", tree, "--signing-key", self.keys["me"])
        self.assertEqual(len(list(tree.rglob(further.name))), 1)
        self.ok("verify", tree, "--strict")
        self.ok("verify", "--all")

    def test_a_key_on_another_machine(self):
        request, answer = self.scratch / "request.json", self.scratch / "answer.minisig"
        self.ok("sign", "tiny", "--request", request)
        text = self.ok("sign", "--answer", request, "--signing-key", self.keys["third"], "--output", answer).stdout
        self.assertIn("signed tiny", text)
        self.ok("sign", "tiny", "--response", answer)
        self.rows("--require", "signatures=2")
        content = json.loads(request.read_text())
        for change in ({"version": "v20200101"}, {"manifest": content["manifest"].replace("tiny", "tinz")}, {"more": 1}, {"sha256": "0" * 64}):
            request.write_text(json.dumps({**content, **change}))
            self.fails(3, "sign", "--answer", request, "--signing-key", self.keys["third"], "--output", answer)
        answer.write_text("nothing\n")
        self.fails(3, "sign", "tiny", "--response", answer)
        self.assertEqual(len(list(self.release.glob("manifest.json.*.minisig"))), 1)

    def test_what_cannot_be_signed(self):
        out = self.scratch / "unsigned"
        self.ok("build", self.recipe(RECIPE), "--unsigned", output_dir=out)
        self.fails(2, "sign", "tiny", "--signing-key", self.keys["me"], output_dir=out, says="unsigned")
        self.manifest.chmod(0o644)
        self.manifest.write_text("{}")
        self.fails(3, "sign", "tiny", "--signing-key", self.keys["second"])
        self.fails(2, "sign", says="name the release")


if __name__ == "__main__":
    main()
