#!/usr/bin/env python3
"""OpenPGP signatures beside a manifest, made by the real gpg and checked by `verify` with the keys that a user trusts."""

import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from harness import main  # noqa: E402
from store_case import LINE, StoreCase  # noqa: E402


class OpenPgp(StoreCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gnupg = cls.scratch / "gnupg"
        cls.gnupg.mkdir(mode=0o700)
        cls.addClassCleanup(cls.gpg_tool, "gpgconf", "--kill", "all")
        for name, kind in (("good", "ed25519"), ("other", "ed25519"), ("gone", "ed25519"), ("old", "rsa2048")):
            cls.gpg("--quick-generate-key", f"{name}@example.org", kind, "sign", "never")
        # Made long ago; one of them is over.
        cls.gpg("--faked-system-time", "20200101T000000!", "--quick-generate-key", "steady@example.org", "ed25519", "sign", "never")
        cls.gpg("--faked-system-time", "20200101T000000!", "--quick-generate-key", "late@example.org", "ed25519", "sign", "1y")

    @classmethod
    def gpg_tool(cls, *words, **options):
        return subprocess.run([*map(str, words)], env=cls.environment(GNUPGHOME=str(cls.gnupg)), check=True, capture_output=True, **options)

    @classmethod
    def gpg(cls, *words, **options):
        return cls.gpg_tool("gpg", "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", *words, **options)

    def setUp(self):
        super().setUp()
        self.manifest = self.release("v20260103") / "manifest.json"
        self.asc = self.manifest.with_name("manifest.json.asc")
        self.keyrings = self.home / "config" / "imgforge" / "trusted" / "openpgp"
        for file in self.keyrings.glob("*"):
            file.unlink()

    def trust(self, name, *options):
        exported = self.scratch / f"{name}.asc"
        exported.write_bytes(self.gpg("--armor", *options, "--export", f"{name}@example.org").stdout)
        return self.ok("key", "trust", exported, "--openpgp").stdout

    def sign(self, *names, options=()):
        users = [word for name in names for word in ("--local-user", f"{name}@example.org")]
        self.gpg(*options, *users, "--armor", "--output", self.asc, "--detach-sign", self.manifest)

    def row(self, ok=True):
        result = self.run_imgforge("--json", "verify", self.manifest)
        rows = json.loads(result.stdout)["subjects"][0]["checks"]
        row = next(row for row in rows if row["subject"] == self.asc.name)
        self.assertEqual(row["ok"], ok, row)
        self.assertEqual(result.returncode, 0 if ok else 3, result.stdout)
        return row

    def reason(self, ok=False):
        """Why it is refused; of a key that does not count, why not."""
        return self.row(ok)["reason"]

    def fingerprint(self, name):
        lines = self.gpg("--with-colons", "--fingerprint", f"{name}@example.org").stdout.decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def test_a_good_one_is_by_its_key(self):
        self.assertIn(self.fingerprint("good"), self.trust("good"))
        self.ok("sign", f"{LINE}@v20260103", "--gpg-key", "good@example.org", env={"GNUPGHOME": str(self.gnupg)})
        self.assertIn(self.fingerprint("good"), self.row()["detail"])
        # Keyrings as gpg exports them, with or without armour.
        for file in self.keyrings.glob("*"):
            file.unlink()
        (self.keyrings / "two.gpg").write_bytes(self.gpg("--export", "other@example.org", "good@example.org").stdout)
        self.assertIn(self.fingerprint("good"), self.row()["detail"])
        (self.keyrings / "two.gpg").rename(self.keyrings / "not-one.txt")
        (self.keyrings / "good.asc").write_bytes(self.gpg("--armor", "--export", "good@example.org").stdout)
        self.assertIn("by the trusted key", self.row()["detail"])

    def test_it_makes_no_release_trusted(self):
        self.trust("good")
        self.sign("good")
        self.assertIn("by the trusted key", self.row()["detail"])
        for file in self.manifest.parent.glob("*.minisig"):
            file.unlink()
        result = self.fails(3, "verify", self.manifest, "--json")
        reasons = {check.get("reason") for check in json.loads(result.stdout)["subjects"][0]["checks"]}
        self.assertIn("unsigned", reasons)

    def test_unknown_keys_do_not_count(self):
        self.sign("other")
        self.assertIn("not counted", self.row()["detail"])
        self.trust("good")
        self.assertIn("not counted", self.row()["detail"])
        # What lies in the user's own keyring is not asked.
        environment = {"GNUPGHOME": str(self.gnupg)}
        self.assertIn("not counted: ", self.ok("verify", self.manifest, env=environment).stdout)

    def test_keys_whose_time_is_over(self):
        self.trust("late")
        self.sign("late", options=("--faked-system-time", "20200601T000000!"))
        self.assertEqual(self.reason(ok=True), "expired")

    def test_signatures_whose_time_is_over(self):
        self.trust("steady")
        past = ("--faked-system-time", "20200601T000000!")
        self.sign("steady", options=past)
        self.assertIn("by the trusted key", self.row()["detail"])
        self.sign("steady", options=(*past, "--default-sig-expire", "1d"))
        self.assertEqual(self.reason(ok=True), "expired")

    def test_revoked_keys(self):
        self.sign("gone")
        certificate = next((self.gnupg / "openpgp-revocs.d").glob(f"{self.fingerprint('gone')}.rev"))
        self.trust("gone")
        self.assertIn("by the trusted key", self.row()["detail"])
        self.gpg("--import", input=certificate.read_text().replace("\n:---", "\n---").encode())
        (self.keyrings / "gone.gpg").unlink()
        self.trust("gone")
        self.assertEqual(self.reason(ok=True), "revoked_key")

    def test_two_signatures(self):
        self.trust("good")
        self.trust("old")
        self.sign("good", "old")
        self.assertEqual(self.reason(), "malformed")
        self.sign("good")
        self.asc.write_text(self.asc.read_text() * 2)
        self.assertEqual(self.reason(), "malformed")

    def test_weak_digests(self):
        self.trust("old")
        self.sign("old", options=("--digest-algo", "SHA256"))
        self.assertIn("by the trusted key", self.row()["detail"])
        for digest in ("SHA1", "RIPEMD160"):
            self.sign("old", options=("--digest-algo", digest))
            self.assertEqual(self.reason(), "bad_signature", digest)

    def test_signatures_of_something_else(self):
        self.trust("good")
        whole = self.manifest.read_bytes()
        self.manifest.chmod(0o644)
        self.manifest.write_bytes(whole + b" ")
        self.sign("good")
        self.manifest.write_bytes(whole)
        self.assertEqual(self.reason(), "bad_signature")
        # A message with its text inside, a clear-signed text, one over lines instead of bytes.
        for how in ("--sign", "--clear-sign"):
            self.gpg("--local-user", "good@example.org", "--armor", "--output", self.asc, how, self.manifest)
            self.assertEqual(self.reason(), "malformed")
        self.sign("good", options=("--textmode",))
        self.assertEqual(self.reason(), "malformed")
        for text in (b"", b"-----BEGIN PGP SIGNATURE-----\n", b"x" * (65 << 10), bytes(range(256))):
            self.asc.write_bytes(text)
            self.assertEqual(self.reason(), "malformed", text[:60])

    def test_every_changed_byte(self):
        self.trust("good")
        self.sign("good")
        whole = self.asc.read_bytes()
        for at in range(0, len(whole), 11):
            self.asc.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            self.assertEqual(self.reason(), "malformed", at)  # the checksum of the armour
        # The armour may lack its checksum: what is inside is looked at then.
        lines = whole.splitlines()
        bare = b"\n".join(line for line in lines if not line.startswith(b"=")) + b"\n"
        self.asc.write_bytes(bare)
        self.assertIn("by the trusted key", self.row()["detail"])
        raw = base64.b64decode(b"".join(lines[2:-2]))
        start = 8 + int.from_bytes(raw[6:8], "big")  # of what OpenPGP does not sign: hints of key and digest
        end = start + 2 + int.from_bytes(raw[start:start + 2], "big")
        first = end + 2  # a number: its length in bits, which gpgv rounds up to bytes
        second = first + 2 + (int.from_bytes(raw[first:first + 2], "big") + 7) // 8
        unsigned = {*range(start, first), first + 1, second + 1}
        reasons = set()
        for at in range(len(raw)):
            changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]
            self.asc.write_bytes(lines[0] + b"\n\n" + base64.encodebytes(changed) + lines[-1] + b"\n")
            result = self.run_imgforge("--json", "verify", self.manifest)
            row = next(row for row in json.loads(result.stdout)["subjects"][0]["checks"] if row["subject"] == self.asc.name)
            if row["ok"] and at not in unsigned:
                self.assertIn("not counted", row["detail"], at)
            elif not row["ok"]:
                reasons.add(row["reason"])
        self.assertLessEqual(reasons, {"malformed", "bad_signature"})
        self.assertIn("bad_signature", reasons)

    def test_keyrings_that_are_none(self):
        self.trust("good")
        self.sign("good")
        secret = self.gpg("--armor", "--export-secret-keys", "good@example.org").stdout
        for content in (b"", b"keys", secret, (self.gnupg / "pubring.kbx").read_bytes()):
            (self.keyrings / "bad.asc").write_bytes(content)
            self.assertEqual(self.reason(), "malformed", content[:40])
            self.fails(3, "key", "trust", self.keyrings / "bad.asc", "--openpgp", "--name", "again")
        (self.keyrings / "bad.asc").unlink()
        (self.keyrings / "good.gpg").chmod(0o666)
        self.row(ok=False)
        self.assertFalse((self.keyrings / "again.gpg").exists())
        self.fails(2, "key", "trust", self.scratch / "good.asc", "--openpgp", says="good.gpg")
        self.fails(2, "key", "trust", self.scratch / "good.asc", "--openpgp", "--name", "../x", says="name")


if __name__ == "__main__":
    main()
