#!/usr/bin/env python3
"""What was switched off for a build stands in its manifest and in what is made from it; manifests that nobody trusted signed are
not acted upon."""

import json
import os

from harness import SOURCE, Case, flip_byte, main

RECIPE = SOURCE / "recipes" / "hello-boot.yaml"


class Trust(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.run_imgforge("key", "generate", "release@test", "--no-passphrase").returncode == 0

    def build(self, *more, **options):
        return self.ok("build", RECIPE, "--format", "raw", *more, timeout=600, **options)

    @staticmethod
    def manifest(out, version="current"):
        return json.loads((out / "releases" / "hello-boot" / version / "manifest.json").read_text())

    def rewrite(self, path, change):
        manifest = json.loads(path.read_text())
        change(manifest)
        os.chmod(path, 0o644)
        path.write_text(json.dumps(manifest, indent=2) + "\n")

    def test_switched_off_checks_are_in_the_manifest(self):
        out = self.scratch / "older"
        self.build("--allow-older-index", output_dir=out)
        self.assertEqual(self.manifest(out)["insecure"], ["--allow-older-index"])
        self.assertIn("made with --allow-older-index", self.ok("verify", output_dir=out).stdout)
        self.assertEqual(json.loads(self.ok("verify", "--json", output_dir=out).stdout)["subjects"][0]["insecure"],
                         ["--allow-older-index"])
        self.assertIn("made with --allow-older-index", self.ok("verify", "--all", output_dir=out).stdout)
        self.assertRegex(self.ok("show", "hello-boot", output_dir=out).stdout, r"insecure +--allow-older-index")
        self.assertEqual(json.loads(self.ok("list", "--json", output_dir=out).stdout)["releases"][0]["insecure"],
                         ["--allow-older-index"])
        self.ok("compress", "hello-boot", "--promote", timeout=600, output_dir=out)
        self.assertEqual(self.manifest(out)["insecure"], ["--allow-older-index"])
        self.assertIn("sbom.spdx.json", [row["file"] for row in self.manifest(out)["documents"]])

    def test_an_unsigned_release_says_so(self):
        out = self.scratch / "unsigned"
        self.build("--unsigned", "--allow-older-index", output_dir=out)
        manifest = self.manifest(out)
        self.assertTrue(manifest["unsigned"])
        self.assertEqual(manifest["insecure"], ["--allow-older-index", "--unsigned"])
        self.assertIn("--allow-older-index, --unsigned", self.fails(3, "verify", output_dir=out).stdout)
        self.assertRegex(self.ok("show", "hello-boot", output_dir=out).stdout, r"insecure .*--unsigned")
        self.ok("promote", f"hello-boot@{manifest['version']}", output_dir=out)

    def test_a_signed_build_has_nothing_switched_off_and_an_sbom(self):
        out = self.scratch / "plain"
        self.build(output_dir=out)
        self.assertEqual(self.manifest(out)["insecure"], [])
        self.assertNotIn("insecure", self.ok("verify", output_dir=out).stdout)
        sbom = json.loads((out / "releases" / "hello-boot" / "current" / "sbom.spdx.json").read_text())
        self.assertEqual(sbom["spdxVersion"], "SPDX-2.3")

    def test_a_forged_manifest_is_not_acted_upon(self):
        out = self.scratch / "forged"
        self.build(output_dir=out)
        version = self.manifest(out)["version"]
        release = out / "releases" / "hello-boot" / version
        self.ok("compress", "hello-boot", "--promote", timeout=600, output_dir=out)
        signature = (release / "manifest.json.minisig").read_bytes()
        text = (release / "manifest.json").read_bytes()
        self.rewrite(release / "manifest.json", lambda manifest: manifest["kernel"].update(cmdline="init=/bin/sh"))
        before = self.snapshot(out)
        reference = f"hello-boot@{version}"
        self.fails(3, "promote", reference, output_dir=out, says="signature")
        self.fails(3, "rollback", "hello-boot", "--to", version, output_dir=out, says="signature")
        self.fails(3, "clone", reference, "trial", output_dir=out, says="signature")
        self.fails(3, "build", RECIPE, "--format", "raw", timeout=600, output_dir=out, says=["the same files", "nobody trusted"])
        self.assertEqual(self.snapshot(out), before)
        (release / "manifest.json").write_bytes(text)
        (release / "manifest.json.minisig").unlink()
        self.fails(3, "promote", reference, output_dir=out, says="manifest.json.minisig: missing")
        (release / "manifest.json.minisig").write_bytes(signature)
        trusted = next((self.home / "config" / "imgforge" / "trusted").glob("*.pub"))
        aside = self.scratch / "aside.pub"
        trusted.rename(aside)
        try:
            self.fails(3, "promote", reference, output_dir=out)
            self.assertIn("is there already", self.build(output_dir=out).stderr, "the key that it signs with is trusted")
            self.ok("promote", reference, "--public-key", aside, output_dir=out)
        finally:
            aside.rename(trusted)
        flip_byte(next(release.glob(f"*{version}.img")), 100)
        self.ok("promote", f"hello-boot@{version}.1", output_dir=out)
        self.fails(3, "promote", reference, output_dir=out, says="sha256")


if __name__ == "__main__":
    main()
