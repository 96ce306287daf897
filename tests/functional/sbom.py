#!/usr/bin/env python3
"""What a release says that it consists of, and what a security database says about it: by the program, on real Alpine packages."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import NEEDS_ALPINE, RELEASE, SOURCE, Case, MirrorCase, flip_byte, main  # noqa: E402

RECIPE = """imgforge: 1
name: listed
base: {{ alpine: {{ release: "{release}" }} }}
packages: {{ add: [openrc], keys: [{key}] }}
files: [{{ path: /etc/motd, content: "changed\\n" }}, {{ path: /opt/mine, content: "mine\\n" }}]
formats: [rootfs]
vex:
  - {{ vulnerability: CVE-2099-1001, package: busybox, status: not_affected, justification: vulnerable_code_not_present }}
  - {{ vulnerability: CVE-2099-1002, package: busybox, status: affected, action_statement: wait for the next release }}
  - {{ vulnerability: CVE-2099-1003, package: nothing, status: fixed }}
"""


NPM = SOURCE / "tests" / "npm"
VALIDATORS = {"sbom.cdx.json": [NPM / "validate_cyclonedx.mjs"],
              "sbom.spdx.json": [NPM / "validate_json.mjs", NPM / "schemas" / "spdx-2.3.schema.json"],
              "vex.openvex.json": [NPM / "validate_json.mjs", NPM / "schemas" / "openvex-0.2.0.schema.json"]}
BILLS = ("sbom.cdx.json", "sbom.spdx.json")

EMBEDDED = """imgforge: 1
name: parts
base: embedded
disk: { size: 96M }
formats: [raw, iso]
boot: { timeout: 3 }
files: [{ path: /etc/mine, content: "mine\\n" }]
vex: [{ vulnerability: CVE-2099-1, package: openssl, status: not_affected, justification: component_not_present }]
"""


def validated(file):
    """What the validators of others print about a document."""
    return subprocess.run(["node", *VALIDATORS[file.name], file], capture_output=True, text=True).stdout


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Parts(Case):
    """Boot loaders, kernel and files of no package: what the documents say against what is in the images."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "parts@test", "--no-passphrase").check_returncode()
        cls.text = cls.scratch / "parts.yaml"
        cls.text.write_text(EMBEDDED)
        cls.run_imgforge("build", cls.text, timeout=600).check_returncode()
        cls.release = cls.out / "releases" / "parts" / "current"
        cls.components = cls.read(cls.release)

    @staticmethod
    def read(release):
        return json.loads((release / "sbom.cdx.json").read_text())["components"]

    @staticmethod
    def by_digest(components):
        return {row["hashes"][0]["content"]: row for row in components if row["type"] != "file"}

    def one(self, name, components=None):
        return next(row for row in components or self.components if row["name"] == name)

    def extracted(self, program, *args):
        return subprocess.run([program, *map(str, args)], check=True, capture_output=True).stdout

    def test_loaders_in_the_disk_are_components_with_their_debian_package(self):
        known = self.by_digest(self.components)
        for path in ("EFI/BOOT/BOOTX64.EFI", "syslinux/menu.c32", "syslinux/libutil.c32"):
            content = self.extracted("mcopy", "-n", "-i", f"{self.release / 'parts.img'}@@1M", f"::{path}", "-")
            self.assertIn(sha256(content), known, path)
        loader = self.one("systemd-bootx64.efi")
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "systemd-boot-efi"], capture_output=True, text=True,
                                 check=True).stdout
        self.assertEqual(loader["version"], version)
        self.assertTrue(loader["purl"].startswith("pkg:deb/debian/systemd-boot-efi@" + version.replace("+", "%2B") + "?arch="))
        code = pathlib.Path("/usr/lib/syslinux/mbr/gptmbr.bin").read_bytes()
        with open(self.release / "parts.img", "rb") as disk:
            self.assertEqual(disk.read(len(code)), code)
        self.assertIn(sha256(code), known)

    def test_loaders_in_the_iso_are_components(self):
        known = self.by_digest(self.components)
        folder = self.scratch / "iso"
        self.extracted("xorriso", "-osirrox", "on", "-indev", self.release / "parts.iso", "-extract", "/isolinux", folder)
        for name in ("ldlinux.c32", "menu.c32", "libutil.c32"):
            self.assertIn(sha256((folder / name).read_bytes()), known, name)
        # isolinux.bin is patched with its place on the medium: all but the table is the same.
        original = pathlib.Path("/usr/lib/ISOLINUX/isolinux.bin").read_bytes()
        self.assertEqual((folder / "isolinux.bin").read_bytes()[64:], original[64:])
        self.assertIn(sha256(original), known)
        self.assertIn("isohdpfx.bin", [row["name"] for row in known.values()])

    def test_kernel_and_shell_of_the_embedded_base_have_their_package(self):
        manifest = json.loads((self.release / "manifest.json").read_text())
        kernel = self.one("linux")
        self.assertEqual(kernel["version"], manifest["kernel"]["release"])
        self.assertTrue(kernel["purl"].startswith(f"pkg:deb/debian/linux-image-{kernel['version']}@"), kernel["purl"])
        image = self.extracted("mcopy", "-n", "-i", f"{self.release / 'parts.img'}@@1M", "::imgforge/vmlinuz", "-")
        self.assertEqual(kernel["hashes"][0]["content"], sha256(image))
        self.assertTrue(self.one("busybox")["purl"].startswith("pkg:deb/debian/busybox-static@"))

    def test_files_of_no_package_have_their_digests(self):
        mine = self.one("/etc/mine")
        self.assertEqual(mine["type"], "file")
        self.assertEqual([row["content"] for row in mine["hashes"]],
                         [hashlib.sha1(b"mine\n").hexdigest(), sha256(b"mine\n")])
        spdx = json.loads((self.release / "sbom.spdx.json").read_text())
        self.assertIn("./etc/mine", [row["fileName"] for row in spdx["files"]])

    def test_validators_of_others_take_both_forms(self):
        for name in BILLS:
            self.assertEqual(validated(self.release / name), "valid\n", name)

    def test_diff_names_the_loader_that_one_has_alone(self):
        other = self.scratch / "other.yaml"
        other.write_text(EMBEDDED.replace("name: parts", "name: other").replace("[raw, iso]", "[raw]"))
        self.ok("build", other)
        report = json.loads(self.ok("sbom", "diff", "other", "parts", "--json").stdout)
        added = {row["name"]: row["change"] for row in report["components"]}
        self.assertEqual(added, {"boot loader isolinux.bin": "added", "boot loader isohdpfx.bin": "added",
                                 "boot loader ldlinux.c32": "added"})

    def fake_dpkg(self, name):
        """A PATH on which dpkg-query notes that it was asked, and knows nothing."""
        folder = self.scratch / name
        folder.mkdir()
        program = folder / "dpkg-query"
        program.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\nexit 2\n")
        program.chmod(0o755)
        return folder, {"PATH": f"{folder}:{os.environ['PATH']}"}

    def test_what_is_known_is_not_asked_again(self):
        folder, env = self.fake_dpkg("again")
        out = self.scratch / "again-out"
        self.ok("build", self.text, output_dir=out, env=env)
        self.assertFalse((folder / "asked").exists(), "a known image has its origins in its record")
        self.assertEqual(self.read(out / "releases" / "parts" / "current"), self.components)

    def test_without_dpkg_a_component_is_known_by_its_digest(self):
        folder, env = self.fake_dpkg("without")
        out = self.scratch / "without-out"
        self.ok("--cache-dir", self.scratch / "without-cache", "build", self.text, output_dir=out, env=env)
        self.assertTrue((folder / "asked").exists())
        loader = self.one("systemd-bootx64.efi", self.read(out / "releases" / "parts" / "current"))
        self.assertNotIn("purl", loader)
        self.assertNotIn("version", loader)
        self.assertEqual(loader["hashes"], self.one("systemd-bootx64.efi")["hashes"])

    def test_a_converted_release_has_the_same_parts(self):
        out = self.scratch / "converted"
        self.ok("build", self.text, output_dir=out)
        self.ok("convert", "parts", "--to", "vmdk", "--promote", output_dir=out)
        derived = out / "releases" / "parts" / "current"
        self.assertTrue(list(derived.glob("*.vmdk")))
        self.assertEqual(self.read(derived), self.components)
        self.assertEqual(validated(derived / "sbom.spdx.json"), "valid\n")
        self.assertEqual(validated(derived / "vex.openvex.json"), "valid\n")
        first, second = (json.loads((release / "vex.openvex.json").read_text())["statements"][0]["products"][0]
                         for release in (self.release, derived))
        self.assertEqual(second["subcomponents"], [{"@id": "pkg:apk/alpine/openssl"}])
        self.assertEqual(second["@id"], first["@id"] + ".1", "about the new release")
        self.ok("verify", output_dir=out)


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

    def test_files_are_those_that_no_package_brought(self):
        rows = {row["name"]: row for row in json.loads((self.release / "sbom.cdx.json").read_text())["components"]
                if row["type"] == "file"}
        self.assertEqual(rows["/opt/mine"]["hashes"][1]["content"], sha256(b"mine\n"))
        self.assertEqual(rows["/etc/motd"]["properties"][1],
                         {"name": "imgforge:in_place_of_package", "value": "alpine-baselayout"})
        self.assertIn("/lib/apk/db/installed", rows)
        self.assertNotIn("/bin/busybox", rows, "as its package brought it")
        self.assertNotIn("/sbin/openrc", rows)

    def test_validators_of_others_take_both_forms(self):
        for name in BILLS:
            good = self.release / name
            self.assertEqual(validated(good), "valid\n", name)
            broken = json.loads(good.read_text())
            rows = broken["components" if name == "sbom.cdx.json" else "packages"]
            rows[0].pop("name")
            file = self.scratch / name
            file.write_text(json.dumps(broken))
            result = subprocess.run(["node", *VALIDATORS[name], file], capture_output=True, text=True)
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

    def test_what_the_recipe_says_is_an_openvex_document(self):
        file = self.release / "vex.openvex.json"
        self.assertEqual(validated(file), "valid\n")
        printed = self.ok("sbom", "listed", "--format", "openvex").stdout
        self.assertEqual(printed, file.read_text())
        document = json.loads(printed)
        manifest = json.loads((self.release / "manifest.json").read_text())
        self.assertEqual(document["timestamp"], manifest["created"])
        self.assertIn("vex.openvex.json", [row["file"] for row in manifest["documents"]])
        self.assertEqual([row["vulnerability"]["name"] for row in document["statements"]], ["CVE-2099-1001", "CVE-2099-1002"],
                         "what the image does not have is not spoken of")
        bill = json.loads((self.release / "sbom.cdx.json").read_text())
        product = document["statements"][0]["products"][0]
        self.assertEqual(product["@id"], bill["metadata"]["component"]["purl"])
        named = [row["@id"] for row in product["subcomponents"]]
        self.assertLessEqual(set(named), {row.get("purl") for row in bill["components"]}, "by the names of the bill")
        self.assertGreater(len(named), 1, "all that is built from the source package")
        broken = self.scratch / "vex.openvex.json"
        document["statements"][0].pop("justification")
        broken.write_text(json.dumps(document))
        self.assertEqual(validated(broken), "")

    def test_a_scan_heeds_what_the_release_says(self):
        known = self.database({"99.0-r0": ["CVE-2099-1001"]})
        result = self.ok("scan", "listed", "--db", known)
        self.assertRegex(result.stdout, r"busybox .*CVE-2099-1001 +not_affected: vulnerable_code_not_present")
        self.assertIn("none of", result.stderr)
        self.assertIn("more by what the release says", result.stderr)
        report = json.loads(self.ok("scan", "listed", "--db", known, "--json").stdout)
        self.assertEqual(report["vulnerable"], [])
        self.assertEqual({row["status"] for row in report["excused"]}, {"not_affected"})

    def test_a_scan_counts_what_the_release_says_is_affected(self):
        both = self.database({"99.0-r0": ["CVE-2099-1001", "CVE-2099-1002", "CVE-2099-1009"]})
        result = self.run_imgforge("scan", "listed", "--db", both, "--json")
        self.assertEqual(result.returncode, 1, result.stderr)
        report = json.loads(result.stdout)
        rows = [(row["ids"], row.get("status")) for row in report["vulnerable"] if row["package"] == "busybox"]
        self.assertEqual(rows, [(["CVE-2099-1002"], "affected"), (["CVE-2099-1009"], None)])
        self.assertIn("wait for the next release", json.dumps(report["vulnerable"]))

    def test_a_changed_statement_is_not_heeded(self):
        file = self.release / "vex.openvex.json"
        mode, content = file.stat().st_mode, file.read_bytes()
        file.chmod(0o644)
        self.addCleanup(lambda: (file.write_bytes(content), file.chmod(mode)))
        file.write_bytes(content.replace(b"CVE-2099-1001", b"CVE-2099-0001"))
        database = self.database({"99.0-r0": ["CVE-2099-0001"]})
        result = self.fails(3, "scan", "listed", "--db", database, says="is not what its signed manifest lists")
        self.assertEqual(result.stdout, "")
        self.fails(3, "sbom", "listed", "--format", "openvex", says="is not what its signed manifest lists")
        self.fails(3, "verify", "listed")

    def test_a_release_without_statements_says_so(self):
        recipe = self.scratch / "silent.yaml"
        text = RECIPE.format(release=RELEASE, key=self.mirror.key).replace("name: listed", "name: silent")
        recipe.write_text(text[:text.index("vex:")])
        self.ok("build", recipe, "--allow-host-files", "--mirror", self.mirror.url())
        self.assertFalse((self.out / "releases" / "silent" / "current" / "vex.openvex.json").exists())
        self.fails(1, "sbom", "silent", "--format", "openvex", says=["says nothing about vulnerabilities", "vex:"])

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
