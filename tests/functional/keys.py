#!/usr/bin/env python3
"""Keys over their life: rules about when they count and revocations, as the commands that verify see them."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from harness import main  # noqa: E402
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


if __name__ == "__main__":
    main()
