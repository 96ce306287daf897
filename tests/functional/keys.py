#!/usr/bin/env python3
"""Keys over their life: rules about when they count and revocations, as the commands that verify see them."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from harness import PROGRAM, main, wait_for  # noqa: E402
from signer_case import FakeAgent, SignerCase, field  # noqa: E402
from store_case import LINE, StoreCase  # noqa: E402


class Keys(StoreCase):
    def setUp(self):
        super().setUp()
        for name in ("trust.json", "again.pub"):
            (self.trusted / name).unlink(missing_ok=True)

    @property
    def trusted(self):
        return self.home / "config" / "imgforge" / "trusted"

    def own_line(self):
        return (self.trusted / "me.pub").read_text().splitlines()[1]

    def rule(self, **members):
        row = {"public_key": self.own_line(), **members}
        (self.trusted / "trust.json").write_text(json.dumps({"schema": 1, "keys": [row]}))

    def reasons(self, *more):
        answer = json.loads(self.fails(3, "verify", self.release("v20260103") / "manifest.json", "--json", *more).stdout)
        return {check.get("reason") for subject in answer["subjects"] for check in subject["checks"]} - {None, ""}

    def test_a_revoked_key_is_refused_everywhere(self):
        self.ok("verify", self.release("v20260103") / "manifest.json")
        line = self.own_line()
        self.ok("key", "revoke", "me", "--reason", "laptop lost", "--since", "2026-01-02T03:04:05Z")
        self.assertIn("revoked_key", self.reasons())
        self.assertIn("revoked_key", self.reasons("--public-key", line))
        self.assertIn("laptop lost", self.fails(3, "verify", self.release("v20260103") / "manifest.json").stdout)
        self.fails(3, "sbom", LINE)
        self.assertEqual(self.json("list")["releases"][0]["signature"], {"status": "refused", "signer": "me"})
        self.assertIn("refused: revoked_key", self.ok("key", "show").stdout)
        self.assertEqual(self.json("key", "show")["keys"][0]["refused"], "revoked_key")
        # To trust the key again does not lift its revocation.
        self.ok("key", "trust", line, "--name", "again")
        self.assertIn("revoked_key", self.reasons())

    def test_a_key_counts_in_its_time_only(self):
        self.rule(valid_until="2001-01-01T00:00:00Z")
        self.assertIn("expired", self.reasons())
        self.rule(valid_from="2900-01-01T00:00:00Z")
        self.assertIn("not_yet_valid", self.reasons())
        self.rule(valid_from="2001-01-01T00:00:00Z", valid_until="2900-01-01T00:00:00Z")
        self.ok("verify", self.release("v20260103") / "manifest.json")

    def test_damaged_rules_trust_nobody(self):
        (self.trusted / "trust.json").write_text("{")
        self.fails(3, "verify", self.release("v20260103") / "manifest.json", says="malformed rules of trusted keys")
        self.fails(3, "key", "revoke", "me", "--reason", "x", says="malformed rules")
        self.assertEqual((self.trusted / "trust.json").read_text(), "{")

    def test_mistakes(self):
        self.fails(2, "key", "revoke", "me")
        self.fails(2, "key", "revoke", "me", "--reason", "x", "--since", "yesterday", says="is not a time")
        self.fails(2, "key", "revoke", "me", "--reason", "", says="reason")
        self.assertFalse((self.trusted / "trust.json").exists())


class Teams(StoreCase):
    """Several people sign: thresholds, roles, keys that introduce others."""

    def setUp(self):
        super().setUp()
        self.config = self.home / "config" / "imgforge"
        for folder in ("keys", "trusted"):
            for file in (self.config / folder).iterdir():
                if not file.name.startswith("me."):
                    file.unlink()
        # Somebody else, who trusts what he is given.
        self.other = self.scratch / self.id().rsplit(".", 1)[1]
        self.other.mkdir()

    def elsewhere(self):
        return {"XDG_CONFIG_HOME": str(self.other)}

    def generate(self, name):
        self.ok("key", "generate", name, "--no-passphrase")
        return self.config / "keys" / f"{name}.key"

    def line_of(self, name):
        return (self.config / "trusted" / f"{name}.pub").read_text().splitlines()[1]

    def manifest(self, version="v20260103"):
        return self.release(version) / "manifest.json"

    def reasons(self, *args, **options):
        answer = json.loads(self.fails(3, "verify", *args, "--json", **options).stdout)
        return {check.get("reason") for subject in answer["subjects"] for check in subject["checks"]} - {None, ""}

    def test_two_of_three_have_to_sign(self):
        second = self.generate("second")
        self.ok("key", "threshold", "release", "2")
        self.assertEqual(self.json("key", "list")["thresholds"], {"release": 2})
        self.assertEqual(self.reasons(self.manifest()), {"below_threshold"})
        self.fails(3, "clone", LINE, "trial")
        self.fails(3, "promote", f"{LINE}@v20260102")
        # The same key again is not a second one.
        self.fails(2, "sign", LINE, "--signing-key", self.key, says="has signed")
        self.ok("sign", LINE, "--signing-key", second)
        shown = self.ok("verify", self.manifest()).stdout
        self.assertRegex(shown, r"signed by me \(.*\), second \(")
        self.assertIn("not counted, as the manifest's signature is", shown)
        self.assertEqual(self.reasons(self.manifest("v20260102")), {"below_threshold"})
        self.ok("key", "threshold", "release", "1")
        self.ok("verify", self.manifest("v20260102"))

    def test_the_first_key_was_revoked_and_the_release_is_signed_again(self):
        second = self.generate("second")
        self.ok("key", "revoke", "me", "--reason", "laptop lost")
        self.assertIn("revoked_key", self.reasons(self.manifest()))
        self.fails(3, "sign", LINE, "--signing-key", second, says="laptop lost")
        self.ok("sign", LINE, "--signing-key", second, "--anew")
        self.ok("verify", self.manifest())
        self.assertIn("revoked_key", self.reasons(self.manifest("v20260102")))

    def test_a_key_vouches_for_its_roles_only(self):
        signed = self.other / "models.list"
        signed.write_text("models\n")
        subprocess.run(["minisign", "-S", "-W", "-s", self.generate("models"), "-m", signed, "-t", "x"], check=True,
                       stdout=subprocess.DEVNULL)
        line = self.line_of("models")
        self.ok("verify", signed)
        (self.config / "trusted" / "models.pub").unlink()
        self.ok("key", "trust", line, "--name", "models", "--role", "models")
        self.assertEqual(self.reasons(signed), {"unknown_key"})
        self.ok("verify", signed, "--role", "models")
        self.assertEqual([key["roles"] for key in self.json("key", "show", "models")["keys"]], [["models"]])
        self.fails(2, "verify", signed, "--role", "root", says="is no role of a key")

    def test_two_signatures_of_a_file_that_has_no_manifest(self):
        signed = self.other / "SUMS"
        signed.write_text("a list\n")
        for number, name in enumerate(("one", "two")):
            key = self.generate(name)
            key_id = self.json("key", "show", name)["keys"][0]["id"]
            subprocess.run(["minisign", "-S", "-W", "-s", key, "-m", signed, "-t", "x", "-x",
                            f"{signed}.minisig" if number == 0 else f"{signed}.{key_id}.minisig"], check=True,
                           stdout=subprocess.DEVNULL)
        self.ok("key", "threshold", "release", "2")
        self.ok("verify", signed)
        (self.other / f"SUMS.{key_id}.minisig").unlink()
        self.assertEqual(self.reasons(signed), {"below_threshold"})

    def test_a_folder_of_trusted_keys_of_a_project(self):
        project = self.other / "keys"
        project.mkdir()
        (project / "release.pub").write_text((self.config / "trusted" / "me.pub").read_text())
        manifest = self.manifest()
        self.fails(3, "verify", manifest, env=self.elsewhere())
        self.ok("verify", manifest, "--public-key", project, env=self.elsewhere())
        (project / "trust.json").write_text('{"schema": 1, "keys": [], "thresholds": {"release": 2}}')
        self.assertEqual(self.reasons(manifest, "--public-key", project, env=self.elsewhere()),
                         {"below_threshold"})
        project.chmod(0o777)
        self.fails(1, "verify", manifest, "--public-key", project, env=self.elsewhere(), says="everybody may write")

    def test_rotation_along_a_chain(self):
        self.ok("key", "trust", self.line_of("me"), "--name", "vendor", env=self.elsewhere())
        statements = []
        key = self.key
        for name in ("me-2027", "me-2028"):
            statements.append(self.other / f"{name}.json")
            self.ok("key", "rotate", name, "--no-passphrase", "--signing-key", key, "--output", statements[-1])
            key = self.config / "keys" / f"{name}.key"
        self.ok("sign", LINE, "--signing-key", key)
        (self.release("v20260103") / "manifest.json.minisig").unlink()
        further = next(self.release("v20260103").glob("manifest.json.*.minisig"))
        further.rename(self.release("v20260103") / "manifest.json.minisig")
        self.assertIn("unknown_key", self.reasons(self.manifest(), env=self.elsewhere()))
        self.fails(3, "key", "trust", statements[1], env=self.elsewhere(), says="no signature by a trusted key")
        shown = self.ok("key", "trust", statements[1], statements[0], env=self.elsewhere()).stdout
        self.assertRegex(shown, r"trusting me-2028 \(.*\), introduced by me-2027 \(")
        self.ok("verify", self.manifest(), env=self.elsewhere())
        self.assertIn("nothing new", self.ok("key", "trust", statements[0], env=self.elsewhere()).stdout)
        said = self.ok("key", "revoke", "me-2027", "--reason", "lost", env=self.elsewhere()).stdout
        self.assertRegex(said, r"still trusted, and introduced by it: me-2028 \(")

    def test_a_key_that_was_revoked_introduces_nobody(self):
        self.ok("key", "trust", self.line_of("me"), "--name", "vendor", env=self.elsewhere())
        self.generate("new")
        statement = self.other / "new.json"
        self.ok("key", "introduce", "new", "--signing-key", self.key, "--role", "release", "--output", statement)
        self.ok("key", "revoke", "vendor", "--reason", "laptop lost", env=self.elsewhere())
        self.fails(3, "key", "trust", statement, env=self.elsewhere(), says="laptop lost")
        self.assertEqual([key["name"] for key in self.json("key", "list", env=self.elsewhere())["keys"]], ["vendor"])

    def test_two_introduce_a_third(self):
        second = self.generate("second")
        self.generate("third")
        for name in ("me", "second"):
            self.ok("key", "trust", self.line_of(name), "--name", name, env=self.elsewhere())
        self.ok("key", "threshold", "release", "2", env=self.elsewhere())
        statement = self.other / "third.json"
        self.ok("key", "introduce", "third", "--signing-key", self.key, "--output", statement, "--valid-until",
                "2900-01-01T00:00:00Z")
        self.fails(3, "key", "trust", statement, env=self.elsewhere(), says="1 of the 2 keys")
        self.ok("key", "introduce", statement, "--signing-key", second)
        self.fails(2, "key", "introduce", statement, "--signing-key", second, says="already")
        self.ok("key", "trust", statement, env=self.elsewhere())
        (key,) = self.json("key", "show", "third", env=self.elsewhere())["keys"]
        self.assertEqual(key["valid_until"], "2900-01-01T00:00:00Z")
        self.assertEqual(sorted(key["introduced_by"]), sorted([self.line_of("me"), self.line_of("second")]))

    def test_a_key_of_minisigns_is_imported(self):
        secret, public = self.other / "mini.key", self.other / "mini.pub"
        subprocess.run(["minisign", "-G", "-W", "-s", secret, "-p", public], check=True, stdout=subprocess.DEVNULL)
        secret.chmod(0o644)
        self.fails(1, "key", "import", secret, says="chmod 600")
        secret.chmod(0o600)
        self.ok("key", "import", secret)
        self.assertEqual((self.config / "keys" / "mini.key").read_bytes(), secret.read_bytes())
        self.assertEqual((self.config / "keys" / "mini.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.line_of("mini"), public.read_text().splitlines()[1])
        self.ok("sign", LINE, "--signing-key", self.config / "keys" / "mini.key")
        self.fails(2, "key", "import", secret, says="exists already")

    def test_forms_and_keys_that_nobody_may_use(self):
        signed = self.other / "file"
        signed.write_text("text\n")
        key = self.generate("old")
        subprocess.run(["minisign", "-S", "-W", "-l", "-s", key, "-m", signed, "-t", "x"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["minisign", "-V", "-q", "-p", self.config / "keys" / "old.pub", "-m", signed], check=True)
        self.assertEqual(self.reasons(signed), {"malformed"})
        # A point of order 1: with it one signature fits every file.
        point = base64.b64encode(b"Ed" + bytes(8) + b"\x01" + bytes(31)).decode()
        self.fails(3, "verify", signed, "--public-key", point, says="weak public key")
        self.fails(3, "key", "trust", point, says="weak public key")

    def test_mistakes(self):
        self.fails(2, "key", "threshold", "release", "0", says="from 1 to 32")
        self.fails(2, "key", "threshold", "release", "two", says="from 1 to 32")
        self.fails(2, "key", "threshold", "root", "2", says="is no role")
        self.fails(2, "key", "trust", self.line_of("me"), "--role", "everything", says="is no role")
        self.fails(2, "key", "trust", self.line_of("me"), "--valid-until", "soon", says="is not a time")
        self.fails(2, "key", "show", "nobody", says="no trusted key")
        self.fails(2, "key", "trust", self.line_of("me"), self.line_of("me"), says="one key, or statements")
        self.assertFalse((self.config / "trusted" / "trust.json").exists())


class Signers(SignerCase):
    """Keys that never lie on this machine's disk: in a real ssh-agent, and behind a program."""

    def program(self, text):
        file = self.folder / "program"
        file.write_text("#!/bin/sh\n" + text)
        file.chmod(0o755)
        return file

    def test_ssh_agent(self):
        key = self.ssh_key()
        environment = self.agent(key)
        self.ok("key", "attach", "far", f"{key}.pub", "--ssh-agent", env=environment)
        text = self.ok("sign", LINE, "--signing-key", self.signer, env=environment).stdout
        self.assertIn("manifest.json.", text)
        self.ok("sign", LINE, "--ssh", "--signing-key", self.signer, env=environment)
        rows = json.loads(self.run_imgforge("--json", "verify", self.release("v20260103") / "manifest.json", "--require",
                                            "signatures=2").stdout)["subjects"][0]["checks"]
        self.assertEqual([row["detail"] for row in rows if not row["ok"]], [])
        self.assertIn("SSH, by far", " ".join(row["detail"] for row in rows))
        further = next(self.release("v20260103").glob("manifest.json.*.minisig"))
        subprocess.run(["minisign", "-Vm", "manifest.json", "-x", further.name, "-p", self.signer.with_suffix(".pub")],
                       cwd=self.release("v20260103"), check=True, stdout=subprocess.DEVNULL)
        # The agent is gone, or has lost the key.
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, says="ssh-agent")
        subprocess.run(["ssh-add", "-q", "-D"], env={**os.environ, **environment}, check=True, stderr=subprocess.DEVNULL)
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, env=environment, says="does not hold")

    def test_keys_that_cannot_be_attached(self):
        key = self.ssh_key()
        environment = self.agent()
        self.fails(3, "key", "attach", "far", f"{key}.pub", "--ssh-agent", env=environment, says="does not hold")
        self.fails(3, "key", "attach", "far", f"{self.ssh_key('ecdsa')}.pub", "--ssh-agent", env=environment)
        self.fails(2, "key", "attach", "far", f"{key}.pub", says="either")
        self.fails(2, "key", "attach", "far", f"{key}.pub", "--ssh-agent", "--signer-command", "x", says="either")
        self.assertFalse(self.signer.exists())

    def test_an_agent_that_lies(self):
        key = self.ssh_key()
        blob = base64.b64decode((self.folder / "ed25519.pub").read_text().split()[1])
        has_it = field(b"\x0c" + (1).to_bytes(4, "big") + field(blob) + field(b""))
        signature = field(b"\x0e" + field(field(b"ssh-ed25519") + field(bytes(64))))
        for number, (answers, says) in enumerate((
                ([b"\xff\xff\xff\xff"], "an answer of"), ([bytes(4)], "an answer of 0"), ([field(b"\x05")], "does not list"),
                ([field(b"\x0c\xff\xff\xff\xff")], "too early"), ([b""], "hung up"), ([has_it, field(b"\x05")], "does not sign"),
                ([has_it, signature, signature], "does not verify"), ([has_it, field(b"\x0e" + field(field(b"ssh-rsa") + field(b"x")))], "another kind"),
                ([has_it, field(b"\x0e" + field(field(b"ssh-ed25519") + field(b"x")))], "another length"))):
            agent = FakeAgent(self.folder / f"agent{number}", answers)
            self.fails(3, "key", "attach", "far", f"{key}.pub", "--ssh-agent", env={"SSH_AUTH_SOCK": str(self.folder / f"agent{number}")},
                       says=says)
            agent.close()
        self.assertFalse(self.signer.exists())

    def test_a_program(self):
        """openssl signs, as a program in front of a hardware module would."""
        subprocess.run("openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -outform DER -out key.der",
                       shell=True, cwd=self.folder, check=True)
        point = (self.folder / "key.der").read_bytes()[-32:]
        public = self.folder / "key.pub"
        public.write_text("ssh-ed25519 " + base64.b64encode(field(b"ssh-ed25519") + field(point)).decode() + "\n")
        program = self.program(f"cat > {self.folder}/m && openssl pkeyutl -sign -rawin -inkey {self.folder}/key.pem -in {self.folder}/m | base64 -w0\n")
        self.ok("key", "attach", "far", public, "--signer-command", program)
        self.ok("sign", LINE, "--signing-key", self.signer)
        self.ok("verify", self.release("v20260103") / "manifest.json", "--require", "signatures=2")
        # What it gives is verified before it is used.
        for text, says in (("echo no", "no signature"), ("exit 7", "7"), ("head -c 64 /dev/zero | base64 -w0", "does not verify"),
                           ("head -c 100000 /dev/zero", "no signature"), ("", "no signature")):
            self.program(text)
            self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, says=says)
        self.assertEqual(list(self.release("v20260102").glob("manifest.json.*")), [self.release("v20260102") / "manifest.json.minisig"])

    def test_a_program_that_hangs_is_ended_by_the_user(self):
        program = self.program(f"touch {self.folder}/runs; sleep 600\n")
        self.signer.write_text(json.dumps({"imgforge_signer": 1, "command": [str(program)]}))
        self.signer.chmod(0o600)
        shutil.copy(self.key.with_suffix(".pub"), self.signer.with_suffix(".pub"))
        with subprocess.Popen([PROGRAM, "--output-dir", self.out, "sign", LINE, "--signing-key", self.signer], env=self.environment(),
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            wait_for((self.folder / "runs").exists, "the program")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=20), 130)

    def test_signer_files_that_are_none(self):
        shutil.copy(self.key.with_suffix(".pub"), self.signer.with_suffix(".pub"))
        for text in ("", "{}", '{"imgforge_signer": 2, "agent": true}', '{"imgforge_signer": 1, "agent": false}',
                     '{"imgforge_signer": 1, "command": []}', '{"imgforge_signer": 1, "command": "x"}',
                     '{"imgforge_signer": 1, "agent": true, "command": ["x"]}', '{"imgforge_signer": 1, "imgforge_signer": 1}'):
            self.signer.write_text(text)
            self.signer.chmod(0o600)
            self.fails(3, "sign", LINE, "--signing-key", self.signer, says="malformed signer")
        self.signer.chmod(0o666)
        self.fails(1, "sign", LINE, "--signing-key", self.signer)


if __name__ == "__main__":
    main()
