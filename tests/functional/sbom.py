#!/usr/bin/env python3
"""What a release says that it consists of, and what a security database says about it: by the program, on real Alpine packages."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import NEEDS_ALPINE, RELEASE, SOURCE, MirrorCase, flip_byte, main  # noqa: E402

RECIPE = """imgforge: 1
name: listed
base: {{ alpine: {{ release: "{release}" }} }}
packages: {{ add: [openrc], keys: [{key}] }}
formats: [rootfs]
"""


@NEEDS_ALPINE
class Sbom(MirrorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        recipe = cls.scratch / "listed.yaml"
        recipe.write_text(RECIPE.format(release=RELEASE, key=cls.mirror.key))
        cls.run_imgforge("build", recipe, "--allow-host-files", "--mirror", cls.mirror.url()).check_returncode()
        cls.release = cls.out / "releases" / "listed" / "current"
        cls.packages = {row["name"]: row for row in json.loads((cls.release / "manifest.json").read_text())["packages"]}

    def database(self, secfixes, name="busybox"):
        folder = self.scratch / self.id().rsplit(".", 1)[1]
        folder.mkdir()
        (folder / "main.json").write_text(json.dumps({
            "distroversion": f"v{RELEASE}", "reponame": "main", "urlprefix": "https://dl-cdn.alpinelinux.org/alpine",
            "packages": [{"pkg": {"name": name, "secfixes": secfixes}}]}))
        return folder

    def test_both_forms_list_all_with_licence_and_source(self):
        self.assertEqual(self.packages["busybox-binsh"]["origin"], "busybox")
        self.assertEqual(self.packages["openrc"]["licence"], "BSD-2-Clause")
        for form, rows, file in (("spdx", "packages", "sbom.spdx.json"), ("cyclonedx", "components", "sbom.cdx.json")):
            printed = self.ok("sbom", "listed", "--format", form).stdout
            self.assertEqual(printed, (self.release / file).read_text())
            self.assertLessEqual(set(self.packages), {row["name"] for row in json.loads(printed)[rows]})
        openrc = next(row for row in json.loads(printed)["components"] if row["name"] == "openrc")
        self.assertEqual(openrc["licenses"], [{"expression": "BSD-2-Clause"}])
        self.assertTrue(openrc["purl"].startswith("pkg:apk/alpine/openrc@"))

    def test_validators_of_others_take_both_forms(self):
        npm = SOURCE / "tests" / "npm"
        spdx = [npm / "validate_json.mjs", npm / "schemas" / "spdx-2.3.schema.json"]
        for words, name in (([npm / "validate_cyclonedx.mjs"], "sbom.cdx.json"), (spdx, "sbom.spdx.json")):
            good = self.release / name
            self.assertEqual(subprocess.run(["node", *words, good], capture_output=True, text=True).stdout, "valid\n", name)
            broken = json.loads(good.read_text())
            rows = broken["components" if name == "sbom.cdx.json" else "packages"]
            rows[0].pop("name")
            file = self.scratch / name
            file.write_text(json.dumps(broken))
            result = subprocess.run(["node", *words, file], capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout), (1, ""), name)

    def test_diff_names_what_one_release_alone_has(self):
        recipe = self.scratch / "fewer.yaml"
        recipe.write_text(RECIPE.format(release=RELEASE, key=self.mirror.key).replace("name: listed", "name: fewer")
                          .replace("add: [openrc], ", ""))
        self.ok("build", recipe, "--allow-host-files", "--mirror", self.mirror.url())
        version = self.packages["openrc"]["version"]
        report = json.loads(self.ok("sbom", "diff", "fewer", "listed", "--json").stdout)
        self.assertIn({"name": "openrc", "change": "added", "before": None, "after": version}, report["packages"])
        self.assertNotIn("busybox", {row["name"] for row in report["packages"]})
        self.assertEqual((report["licences"], report["models"]), ([], []))
        self.assertIn(f"- openrc {version}", self.ok("sbom", "diff", "listed", "fewer").stdout)
        self.assertIn("no difference", self.ok("sbom", "diff", "listed", "listed").stdout)
        self.fails(2, "sbom", says="sbom diff BEFORE AFTER")

    def test_diff_reads_no_manifest_that_nobody_trusted_signed(self):
        file = self.release / "manifest.json"
        mode, content = file.stat().st_mode, file.read_bytes()
        file.chmod(0o644)
        self.addCleanup(lambda: (file.write_bytes(content), file.chmod(mode)))
        flip_byte(file, 100)
        result = self.fails(3, "sbom", "diff", "listed", "listed", says="no manifest that a trusted key signed")
        self.assertEqual(result.stdout, "")

    def test_a_changed_document_is_not_printed(self):
        file = self.release / "sbom.cdx.json"
        mode, content = file.stat().st_mode, file.read_bytes()
        file.chmod(0o644)
        self.addCleanup(lambda: (file.write_bytes(content), file.chmod(mode)))
        flip_byte(file, 100)
        result = self.fails(3, "sbom", "listed", "--format", "cyclonedx", says="is not what its signed manifest lists")
        self.assertEqual(result.stdout, "")

    def test_what_a_newer_version_mends_is_named(self):
        installed = self.packages["busybox"]["version"]
        newer = self.database({"99.0-r0": ["CVE-2099-0001", "CVE-2099-0002"], "1.0-r0": ["CVE-2000-0001"], "0": ["CVE-2000-0002"]})
        result = self.run_imgforge("scan", "listed", "--db", newer, "--json")
        self.assertEqual(result.returncode, 1, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["database"], [f"v{RELEASE} main"])
        found = {row["package"]: row for row in report["vulnerable"]}
        self.assertEqual(found["busybox"], {"package": "busybox", "source_package": "busybox", "installed": installed, "fixed": "99.0-r0",
                                            "ids": ["CVE-2099-0001", "CVE-2099-0002"]})
        self.assertIn("busybox-binsh", found, "what is built from the same source")
        self.assertNotIn("openrc", found)
        self.assertIn("CVE-2099-0001", self.fails(1, "scan", "listed", "--db", newer).stdout)

    def test_nothing_to_mend_is_success(self):
        result = self.ok("scan", "listed", "--db", self.database({self.packages["busybox"]["version"]: ["CVE-2099-0001"]}))
        self.assertIn("none of", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_no_database_is_said(self):
        empty = self.scratch / "empty"
        empty.mkdir()
        self.fails(2, "scan", "listed", "--db", empty, says=["holds no security database", "secdb.alpinelinux.org"])


if __name__ == "__main__":
    main()
