#!/usr/bin/env python3
"""Signing keys on a PKCS #11 token (a real SoftHSM, and a module that lies), and P-256 keys in a real ssh-agent and on a token."""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from harness import PROGRAM, SOURCE, main, wait_for  # noqa: E402
from signer_case import FakeAgent, SignerCase, field  # noqa: E402
from store_case import LINE  # noqa: E402

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
FAKE = os.environ.get("IMGFORGE_FAKE_PKCS11", str(pathlib.Path(PROGRAM).parent / "tests" / "fake_pkcs11.so"))
NPM = SOURCE / "tests" / "npm"
URI = "pkcs11:token=imgforge;object=release"
PIN = "31415"


class Token(SignerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokens = cls.scratch / "tokens"
        cls.tokens.mkdir()
        conf = cls.scratch / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {cls.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        cls.env = {"SOFTHSM2_CONF": str(conf)}
        cls.tool("softhsm2-util", "--init-token", "--free", "--label", "imgforge", "--pin", PIN, "--so-pin", "271828")
        for number, (kind, label) in enumerate((("edwards25519", "release"), ("prime256v1", "bundles"), ("secp384r1", "large"))):
            cls.pkcs11("--keypairgen", "--key-type", f"EC:{kind}", "--label", label, "--id", f"0{number + 1}")
        cls.pkcs11("--keypairgen", "--key-type", "EC:edwards25519", "--label", "careful", "--id", "07", "--always-auth")
        cls.kept = cls.scratch / "kept-tokens"
        shutil.copytree(cls.tokens, cls.kept)

    @classmethod
    def tool(cls, *words):
        return subprocess.run(words, env={**os.environ, **cls.env}, check=True, capture_output=True, text=True).stdout

    @classmethod
    def pkcs11(cls, *words):
        return cls.tool("pkcs11-tool", "--module", SOFTHSM, "--login", "--pin", PIN, *words)

    def setUp(self):
        super().setUp()
        shutil.rmtree(self.tokens)
        shutil.copytree(self.kept, self.tokens)

    def pin(self, text=PIN, mode=0o600):
        file = self.folder / "pin"
        file.write_text(text + "\n")
        file.chmod(mode)
        return file

    def attach(self, *more, uri=URI):
        return self.ok("key", "attach", "far", *more, "--pkcs11", uri, "--passphrase-file", self.pin(), env=self.env)

    def test_a_key_on_a_token_signs(self):
        self.attach()
        self.assertEqual(self.attached(), ["far.pub", "far.pub", "far.signer"])
        self.assertEqual(json.loads(self.signer.read_text()), {"imgforge_signer": 1, "pkcs11": URI})
        self.assertNotIn(PIN, self.signer.read_text())
        self.ok("sign", LINE, "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env)
        self.ok("sign", LINE, "--ssh", "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env)
        # Verified without token and PIN, and by minisign.
        text = self.ok("verify", self.release("v20260103") / "manifest.json", "--require", "signatures=2").stdout
        self.assertIn("SSH, by far", text)
        further = next(self.release("v20260103").glob("manifest.json.*.minisig"))
        subprocess.run(["minisign", "-Vm", "manifest.json", "-x", further.name, "-p", self.signer.with_suffix(".pub")],
                       cwd=self.release("v20260103"), check=True, stdout=subprocess.DEVNULL)

    def test_a_key_that_the_caller_names(self):
        pem = self.folder / "key.pem"
        self.pkcs11("--read-object", "--type", "pubkey", "--label", "release", "--output-file", str(pem))
        point = base64.b64decode("".join(pem.read_text().splitlines()[1:-1]))[-32:]

        def public(content):
            file = self.folder / "key.pub"
            file.write_text("ssh-ed25519 " + base64.b64encode(field(b"ssh-ed25519") + field(content)).decode() + "\n")
            return file

        self.attach(public(point))
        for file in (self.signer, self.signer.with_suffix(".pub"), self.config / "trusted" / "far.pub"):
            file.unlink()
        # It is not the key on the token: found before anything is written.
        self.fails(3, "key", "attach", "far", self.key.with_suffix(".pub"), "--pkcs11", URI, "--passphrase-file", self.pin(), env=self.env,
                   says="does not verify")
        # Another name for the same key, its module named too, and the PIN in a file that the URI names.
        self.attach(public(point), uri=f"pkcs11:id=%01;token=imgforge?module-path={SOFTHSM}")
        self.signer.unlink()
        self.signer.with_suffix(".pub").unlink()
        self.ok("key", "attach", "far", "--pkcs11", f"{URI}?pin-source=file:{self.pin()}", env=self.env)
        self.ok("sign", LINE, "--signing-key", self.signer, env=self.env)

    def test_a_key_that_asks_for_the_pin_each_time(self):
        self.attach(uri="pkcs11:token=imgforge;object=careful")
        self.ok("sign", LINE, "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env)
        self.ok("verify", self.release("v20260103") / "manifest.json", "--require", "signatures=2")

    def test_pins(self):
        self.fails(3, "key", "attach", "far", "--pkcs11", URI, "--passphrase-file", self.pin("99999"), env=self.env, says="the PIN is wrong")
        self.fails(2, "key", "attach", "far", "--pkcs11", URI, "--passphrase-file", self.pin(""), env=self.env, says="PIN")
        self.fails(1, "key", "attach", "far", "--pkcs11", URI, "--passphrase-file", self.pin(mode=0o644), env=self.env)
        self.fails(2, "key", "attach", "far", "--pkcs11", f"{URI}?pin-value={PIN}", env=self.env, says="can be read by everybody")
        self.fails(2, "key", "attach", "far", "--pkcs11", f"{URI}?pin-source=%7Ccat", env=self.env, says="pin-source")
        self.assertEqual(self.attached(), [])
        self.attach()
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, "--passphrase-file", self.pin("99999"), env=self.env,
                   says="the PIN is wrong")
        self.assertEqual(self.companions(), [])

    def test_tokens_and_keys_that_are_not_there(self):
        for uri, says in (("pkcs11:token=other;object=release", "no token"), ("pkcs11:token=imgforge;object=other", "no public key"),
                          ("pkcs11:token=imgforge;object=bundles", "no public key"), ("pkcs11:token=imgforge?module-path=/nowhere.so", "cannot load")):
            self.fails(3, "key", "attach", "far", "--pkcs11", uri, "--passphrase-file", self.pin(), env=self.env, says=says)
        self.fails(3, "key", "attach", "far", self.key.with_suffix(".pub"), "--pkcs11", "pkcs11:token=imgforge;object=other",
                   "--passphrase-file", self.pin(), env=self.env, says="does not hold the key")
        for uri in ("", "pkcs11", "file:/x", "pkcs11:token=imgforge;vendor=x?y", "pkcs11:token=%zz"):
            self.fails(2, "key", "attach", "far", "--pkcs11", uri, env=self.env)
        self.fails(2, "key", "attach", "far", "--ssh-agent", env=self.env, says="public half")
        self.assertEqual(self.attached(), [])
        # Two keys of one name, then none; then no token at all.
        self.attach()
        self.pkcs11("--keypairgen", "--key-type", "EC:edwards25519", "--label", "release", "--id", "09")
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env, says="several keys")
        for number in ("09", "01"):
            self.pkcs11("--delete-object", "--type", "privkey", "--id", number)
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env,
                   says="does not hold the key")
        for token in self.tokens.iterdir():
            shutil.rmtree(token)
        self.fails(3, "sign", f"{LINE}@v20260102", "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env, says="no token")
        self.assertEqual(self.companions(), [])

    def test_bundles_by_a_key_on_a_token(self):
        self.attach()
        uri = "pkcs11:token=imgforge;object=bundles"
        self.fails(3, "key", "attach", "far", "--sigstore", "--pkcs11", "pkcs11:token=imgforge;object=large", "--passphrase-file", self.pin(),
                   env=self.env, says="another length")
        self.attach("--sigstore", uri=uri)
        self.assertEqual(self.attached(), ["far.p256-signer", "far.p256.pem", "far.p256.pem", "far.pub", "far.pub", "far.signer"])
        self.ok("sign", LINE, "--sigstore", "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env)
        verified_by_sigstore_js(self, self.release("v20260103"), self.config / "keys" / "far.p256.pem")
        # A build signs all that it makes so.
        out = self.folder / "out"
        recipe = self.recipe("imgforge: 1\nname: tiny\nbase: embedded\nformats: [rootfs]\n")
        self.ok("build", recipe, "--signing-key", self.signer, "--passphrase-file", self.pin(), env=self.env, output_dir=out)
        release = (out / "releases" / "tiny" / "current").resolve()
        verified_by_sigstore_js(self, release, self.config / "keys" / "far.p256.pem")
        self.assertEqual(subprocess.run(["node", NPM / "sigstore_verify.mjs", self.config / "keys" / "far.p256.pem", "provenance.sigstore.json"],
                                        cwd=release, capture_output=True, text=True).stdout, "verified\n")
        text = self.ok("verify", release).stdout
        self.assertIn("signed by far", text)


def verified_by_sigstore_js(case, release, pem):
    command = ["node", NPM / "sigstore_verify.mjs", pem, "manifest.json.sigstore.json", "manifest.json"]
    result = subprocess.run(command, cwd=release, capture_output=True, text=True)
    case.assertEqual(result.returncode, 0, result.stdout + result.stderr)
    case.assertIn("Sigstore bundle, by a trusted key", case.ok("verify", release / "manifest.json").stdout)


class Liar(SignerCase):
    """The module may do what it likes: it is told, in time, and nothing is written."""

    URI = f"pkcs11:token=fake?module-path={FAKE}"

    def test_what_is_refused(self):
        public = self.key.with_suffix(".pub")
        for way, says in (("", "does not verify"), ("noise", "does not verify"), ("short signature", "another length"),
                          ("huge signature", "another length"), ("crash", "ended its process"), ("crash at start", "ended its process"),
                          ("refuse to start", "cannot start"), ("many slots", "tokens"), ("more slots later", "does not verify"),
                          ("many keys", "several keys"), ("no key", "does not hold"), ("cannot sign", "does not make signatures")):
            with self.subTest(way=way):
                self.fails(3, "key", "attach", "far", public, "--pkcs11", self.URI, env={"FAKE_PKCS11": way}, says=says)
        for way, says in (("", "weak public key"), ("short point", "another length"), ("huge point", "another length"), ("no key", "no public key")):
            with self.subTest(way=f"public key, {way}"):
                result = self.fails(3, "key", "attach", "far", "--pkcs11", self.URI, env={"FAKE_PKCS11": way})
                self.assertIn(says, result.stderr)
        result = self.fails(3, "key", "attach", "far", public, "--pkcs11", f"pkcs11:?module-path={FAKE}", env={"FAKE_PKCS11": "escapes"})
        self.assertNotIn("\033", result.stderr)
        self.fails(3, "key", "attach", "far", "--sigstore", self.folder_pem(), "--pkcs11", self.URI, env={"FAKE_PKCS11": ""},
                   says="does not verify")
        self.assertEqual(self.attached(), [])

    def folder_pem(self):
        file = self.folder / "key.pem"
        subprocess.run(f"openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out {file}", shell=True, check=True, capture_output=True)
        return file

    def test_reasons(self):
        public = self.key.with_suffix(".pub")
        for way, reason in (("", "bad_signature"), ("noise", "bad_signature"), ("short signature", "malformed")):
            result = self.fails(3, "--json", "key", "attach", "far", public, "--pkcs11", self.URI, env={"FAKE_PKCS11": way})
            self.assertIn(f'"{reason}"', result.stderr)

    def test_one_that_hangs_is_ended_by_the_user(self):
        self.signer.write_text(json.dumps({"imgforge_signer": 1, "pkcs11": self.URI}))
        self.signer.chmod(0o600)
        shutil.copy(self.key.with_suffix(".pub"), self.signer.with_suffix(".pub"))
        for way in ("hang", "hang at start"):
            runs = self.folder / way.replace(" ", "-")
            with subprocess.Popen([PROGRAM, "--output-dir", self.out, "sign", f"{LINE}@v20260102", "--signing-key", self.signer],
                                  env=self.environment(FAKE_PKCS11=way, FAKE_PKCS11_RUNS=str(runs)), stderr=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL) as process:
                wait_for(runs.exists, "the module")
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(timeout=20), 130)
            wait_for(lambda: not self.children(), "the child is gone")
        # Nobody is left either when whoever asks is killed.
        runs = self.folder / "killed"
        with subprocess.Popen([PROGRAM, "--output-dir", self.out, "sign", f"{LINE}@v20260102", "--signing-key", self.signer],
                              env=self.environment(FAKE_PKCS11="hang", FAKE_PKCS11_RUNS=str(runs)), stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL) as process:
            wait_for(runs.exists, "the module")
            self.assertTrue(self.children())
            process.kill()
            process.wait(timeout=20)
        wait_for(lambda: not self.children(), "the child is gone")
        self.assertEqual(self.companions(), [])

    def children(self):
        """Processes that are imgforge asking a module of this test."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if b"--pkcs11-child" in (folder / "cmdline").read_bytes() and str(self.folder).encode() in (folder / "environ").read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
        return found


class Agent(SignerCase):
    """The P-256 key for Sigstore bundles is in a real ssh-agent."""

    def test_bundles(self):
        ed25519, ecdsa = self.ssh_key("ed25519"), self.ssh_key("ecdsa", ("-b", "256"))
        environment = self.agent(ed25519, ecdsa)
        self.ok("key", "attach", "far", f"{ed25519}.pub", "--ssh-agent", env=environment)
        self.ok("key", "attach", "far", f"{ecdsa}.pub", "--ssh-agent", "--sigstore", env=environment)
        # Signatures have numbers of 32 bytes and shorter ones, with and without a zero before them.
        for number in range(12):
            self.ok("sign", LINE, "--sigstore", "--signing-key", self.signer, env=environment)
            self.ok("verify", self.release("v20260103") / "manifest.json")
            if number == 0:
                verified_by_sigstore_js(self, self.release("v20260103"), self.config / "keys" / "far.p256.pem")
            (self.release("v20260103") / "manifest.json.sigstore.json").unlink()
        # The public half in PEM is the same key.
        for file in (self.config / "keys").glob("far.p256*"):
            file.unlink()
        subprocess.run(f"ssh-keygen -e -m PKCS8 -f {ecdsa}.pub > {self.folder}/key.pem", shell=True, check=True)
        self.ok("key", "attach", "far", self.folder / "key.pem", "--ssh-agent", "--sigstore", env=environment)
        subprocess.run(["ssh-add", "-q", "-d", ecdsa], env={**os.environ, **environment}, check=True, stderr=subprocess.DEVNULL)
        self.fails(3, "sign", f"{LINE}@v20260102", "--sigstore", "--signing-key", self.signer, env=environment, says="does not hold")
        self.assertEqual(self.companions(), [])

    def test_an_agent_that_lies(self):
        key = self.ssh_key("ecdsa", ("-b", "256"))
        has_it = field(b"\x0c" + (1).to_bytes(4, "big") + field(base64.b64decode(pathlib.Path(f"{key}.pub").read_text().split()[1])) + field(b""))

        def signed(content, kind=b"ecdsa-sha2-nistp256"):
            return field(b"\x0e" + field(field(kind) + field(content)))

        one = field(b"\x01")
        for number, (answer, says) in enumerate((
                (signed(one + one), "does not verify"), (signed(one), "too early"), (signed(one + one + b"x"), "behind its end"),
                (signed(b""), "too early"), (signed(one + field(b"\x80")), "negative"), (signed(one + field(b"\x01" * 33)), "another length"),
                (signed(field(b"") + field(b"")), "does not verify"), (signed(one + one, b"ssh-ed25519"), "another kind"),
                (field(b"\x05"), "does not sign"))):
            agent = FakeAgent(self.folder / f"agent{number}", [has_it, answer])
            self.fails(3, "key", "attach", "far", f"{key}.pub", "--ssh-agent", "--sigstore",
                       env={"SSH_AUTH_SOCK": str(self.folder / f"agent{number}")}, says=says)
            agent.close()
        self.assertEqual(self.attached(), [])

    def test_what_cannot_be_attached(self):
        ed25519, ecdsa, large = self.ssh_key("ed25519"), self.ssh_key("ecdsa", ("-b", "256")), self.ssh_key("ecdsa", ("-b", "384"))
        environment = self.agent(ed25519, large)
        self.fails(3, "key", "attach", "far", f"{ecdsa}.pub", "--ssh-agent", "--sigstore", env=environment, says="does not hold")
        for key in (ed25519, large):
            self.fails(3, "key", "attach", "far", f"{key}.pub", "--ssh-agent", "--sigstore", env=environment, says="P-256")
        self.fails(2, "key", "attach", "far", f"{ecdsa}.pub", "--signer-command", "/bin/true", "--sigstore", env=environment, says="Ed25519")
        self.fails(2, "key", "attach", "far", f"{ecdsa}.pub", "--ssh-agent", "--pkcs11", "pkcs11:token=x", says="either")
        self.assertEqual(self.attached(), [])


if __name__ == "__main__":
    main()
