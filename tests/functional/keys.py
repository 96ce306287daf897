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
