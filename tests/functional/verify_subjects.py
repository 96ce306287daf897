#!/usr/bin/env python3
"""What can be handed to `imgforge verify`: releases and each of their files, exported trees, vendored folders, signed files, URLs,
files that a lock names; and what a policy asks for. Each refusal has its reason, and nothing that is verified is changed."""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile

from harness import PROGRAM, Case, flip_byte, main
from model_hub import Server

RECIPE = """imgforge: 1
name: tiny
base: embedded
formats: [FORMAT]
files:
  - path: /etc/greeting
    content: hello
"""


class TinyRelease(Case):
    FORMAT = "rootfs"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for arguments in (("key", "generate", "me", "--no-passphrase"), ("build", cls.write("tiny.yaml", RECIPE.replace("FORMAT", cls.FORMAT))),
                          ("export", cls.scratch / "made-tree")):
            result = cls.run_imgforge(*arguments)
            if result.returncode != 0:
                raise RuntimeError(result.stderr)
        cls.key = cls.home / "config" / "imgforge" / "keys" / "me.key"

    @classmethod
    def write(cls, name, text):
        path = cls.scratch / name
        path.write_text(text)
        return path

    def setUp(self):
        self.work = self.scratch / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def copied_release(self):
        source = (self.out / "releases" / "tiny" / "current").resolve()
        return pathlib.Path(shutil.copytree(source, self.work / source.name, symlinks=True))

    def copied_tree(self):
        return pathlib.Path(shutil.copytree(self.scratch / "made-tree", self.work / "tree", symlinks=True))

    def sign(self, path):
        signature = path.with_name(path.name + ".minisig")
        signature.unlink(missing_ok=True)
        subprocess.run(["minisign", "-S", "-s", self.key, "-m", path], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL)

    def reasons(self, *arguments):
        """Exit code 3, and the reasons of the failed rows in their order."""
        result = self.assert_exit(self.run_imgforge("--json", "verify", *arguments, timeout=60), 3)
        rows = [row for subject in json.loads(result.stdout)["subjects"] for row in subject["checks"]]
        failed = [row for row in rows if not row["ok"]]
        self.assertTrue(failed, result.stdout)
        for row in failed:
            self.assertIn("reason", row)
        return [row["reason"] for row in failed]

    def artifact(self, release):
        return next(path for path in release.iterdir() if path.name.endswith(".tar.zst") and not path.is_symlink())


class Subjects(TinyRelease):
    def test_each_file_of_a_release(self):
        release = self.copied_release()
        before = self.snapshot(release)
        for path in release.iterdir():
            if not path.name.endswith(".minisig"):
                self.assertIn("verified", self.ok("verify", path).stdout, path.name)
        self.assertEqual(self.snapshot(release), before)

    def test_reasons_of_a_release(self):
        def changed(change):
            release = self.copied_release()
            for path in release.iterdir():
                if not path.is_symlink():
                    path.chmod(0o644)
            change(release)
            reasons = self.reasons(release)
            shutil.rmtree(release)
            return reasons

        def grow(path):
            path.write_bytes(path.read_bytes() + b"x")

        def swap(release):
            shutil.copy(release / "SHA256SUMS.minisig", release / "manifest.json.minisig")

        def other_key(release):
            other = self.work / "other"
            subprocess.run(["minisign", "-G", "-W", "-p", f"{other}.pub", "-s", f"{other}.key"], check=True,
                           stdout=subprocess.DEVNULL)
            (release / "manifest.json.minisig").unlink()
            subprocess.run(["minisign", "-S", "-s", f"{other}.key", "-m", release / "manifest.json"], check=True,
                           stdout=subprocess.DEVNULL)

        self.assertEqual(changed(lambda r: flip_byte(self.artifact(r), 1000))[0], "digest_mismatch")
        self.assertEqual(changed(lambda r: grow(self.artifact(r)))[0], "size_mismatch")
        self.assertEqual(changed(lambda r: self.artifact(r).unlink())[0], "missing")
        self.assertEqual(changed(lambda r: (r / "manifest.json.minisig").unlink())[0], "unsigned")
        self.assertEqual(changed(swap)[0], "bad_signature")
        self.assertEqual(changed(other_key)[0], "unknown_key")
        self.assertEqual(changed(lambda r: (r / "manifest.json.minisig").write_text("nothing\n"))[0], "malformed")
        self.assertEqual(changed(lambda r: (r / "SHA256SUMS").write_text("")), ["bad_signature", "digest_mismatch"])
        self.assertEqual(changed(lambda r: (r / "tiny.rootfs.tar.zst").unlink() or (r / "tiny.rootfs.tar.zst").write_text("x")),
                         ["wrong_subject"])

    def test_another_release_under_its_name(self):
        release = self.copied_release()
        other = release.rename(release.with_name("v20200101"))
        self.assertEqual(self.reasons(other), ["wrong_subject"])

    def test_a_file_with_a_signature_of_its_own(self):
        path = self.work / "models.list"
        path.write_text("a model\n")
        self.assertEqual(self.reasons(path), ["unsigned"])
        self.sign(path)
        self.assertIn("signed by me", self.ok("verify", path).stdout)
        path.write_text("another model\n")
        self.assertEqual(self.reasons(path), ["bad_signature"])

    def test_an_exported_tree(self):
        tree = self.copied_tree()
        before = self.snapshot(tree)
        text = self.ok("verify", tree, "--strict").stdout
        self.assertIn("files are as listed", text)
        self.assertIn("nothing beside what is listed", text)
        self.assertEqual(self.snapshot(tree), before)
        (tree / "more").write_text("x")
        self.ok("verify", tree)
        self.assertEqual(self.reasons(tree, "--strict"), ["wrong_subject"])
        page = tree / "index.html"
        page.unlink()
        self.assertEqual(self.reasons(tree), ["digest_mismatch", "missing"])
        page.symlink_to("/etc/passwd")
        self.assertEqual(self.reasons(tree), ["digest_mismatch", "malformed"])
        page.unlink()
        os.mkfifo(page)
        self.assertEqual(self.reasons(tree), ["digest_mismatch", "malformed"])

    def test_a_list_that_lies_about_names(self):
        tree = self.work / "list"
        tree.mkdir()
        (tree / "a").write_text("")
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        for lines in (f"{empty}  ../a\n", f"{empty}  /etc/hostname\n", f"{empty}  a\n{empty}  a\n", f"{empty}  a",
                      f"{empty} *a\n", f"{empty.upper()}  a\n", "", f"{empty}  a\\n\n", f"{empty}  ./a\n", f"{empty[:-1]}  a\n"):
            (tree / "SHA256SUMS").write_text(lines)
            self.sign(tree / "SHA256SUMS")
            self.assertEqual(self.reasons(tree), ["malformed"], lines)
        (tree / "SHA256SUMS").write_text(f"{empty}  a\n")
        self.sign(tree / "SHA256SUMS")
        self.ok("verify", tree)

    def test_what_a_lock_names(self):
        tree = self.copied_tree()
        lock = next(tree.rglob("recipe.lock.json"))
        self.assertEqual(self.reasons(lock, "--lock", lock), ["digest_mismatch"])
        self.fails(3, "verify", lock, "--lock", self.write("no-lock", "{}"))

    def test_a_url(self):
        tree = self.copied_tree()
        with subprocess.Popen([PROGRAM, "serve", tree, "--port", "0"], env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as server:
            try:
                url = server.stdout.readline().strip().rstrip("/")
                release = next((tree / "releases" / "tiny").glob("v*"))
                base = f"{url}/releases/tiny/{release.name}"
                artifact = self.artifact(release)
                for address in (f"{base}/", base, f"{base}/{artifact.name}", f"{base}/manifest.json", f"{base}/recipe.yaml"):
                    self.assertIn("verified: tiny", self.ok("verify", address).stdout, address)
                for name in (artifact.name, "recipe.yaml"):
                    path = release / name
                    whole = path.read_bytes()
                    path.unlink()
                    self.assertEqual(self.reasons(f"{base}/"), ["missing"])
                    path.write_bytes(whole[:-1])
                    self.assertEqual(self.reasons(f"{base}/{name}"), ["size_mismatch"])
                    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
                    self.assertEqual(self.reasons(f"{base}/{name}"), ["digest_mismatch"])
                    path.write_bytes(whole)
                self.assertEqual(self.reasons(f"{base}/nothing"), ["wrong_subject"])
                (release / "manifest.json.minisig").unlink()
                self.assertEqual(self.reasons(f"{base}/{artifact.name}"), ["unsigned"])
                self.fails(2, "verify", f"{base}/?x=1", says="no query")
            finally:
                server.kill()


class ImageServer(Server):
    """A registry that holds one image, unpacked from its archive."""

    def __init__(self, archive):
        super().__init__()
        self.files = {}
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                if member.isfile():
                    self.files[member.name] = tar.extractfile(member).read()
        self.digest = json.loads(self.files["index.json"])["manifests"][0]["digest"]
        self.blobs = {name.rsplit("/", 1)[1]: content for name, content in self.files.items() if name.startswith("blobs/")}

    @property
    def manifest(self):
        return self.blobs[self.digest[7:]]

    def answer(self, path, headers):
        kind, _, name = path.partition("/v2/team/tiny/")[2].partition("/")
        if kind == "manifests" and name in ("latest", "v1", self.digest):
            return 200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, self.manifest
        body = self.blobs.get(name.removeprefix("sha256:")) if kind == "blobs" else None
        return (200, {}, body) if body is not None else (404, {}, b"")


class Images(TinyRelease):
    FORMAT = "oci"

    def setUp(self):
        super().setUp()
        self.server = ImageServer(next(self.out.glob("releases/tiny/current/tiny-v*.oci.tar")))
        self.addCleanup(self.server.close)
        self.name = f"oci://127.0.0.1:{self.server.port}/team/tiny"

    def test_an_image_in_a_registry(self):
        for name in (self.name, f"{self.name}:v1", f"{self.name}@{self.server.digest}", self.name.replace("oci:", "docker:")):
            self.assertIn("verified: tiny", self.ok("verify", name).stdout, name)
        self.assertEqual(self.reasons(f"{self.name}:v2"), ["missing"])
        self.assertEqual(self.reasons(f"{self.name}/other"), ["missing"])

    def test_an_image_of_nobody(self):
        self.server.blobs[self.server.digest[7:]] += b" "
        self.assertEqual(self.reasons(self.name), ["wrong_subject"])
        self.assertEqual(self.reasons(f"{self.name}@{self.server.digest}"), ["digest_mismatch"])

    def test_changed_layers(self):
        layer = json.loads(self.server.manifest)["layers"][0]["digest"][7:]
        whole = self.server.blobs[layer]
        for content, reason in ((whole[:-1] + bytes([whole[-1] ^ 1]), "digest_mismatch"), (whole + b"x", "size_mismatch"),
                                (whole[:-1], "size_mismatch"), (None, "missing")):
            self.server.blobs[layer] = content
            self.assertEqual(self.reasons(self.name), [reason])

    def test_references_that_are_none(self):
        for name in ("oci://host", "oci://host/Upper", "oci://host/a:b:c", "oci://host/a@sha256:12", "oci://ho st/a", "oci:///a"):
            self.fails(2, "verify", name, says="no reference")


class Policies(TinyRelease):
    def policy(self, text):
        path = self.work / "policy.yaml"
        path.write_text("policy: 1\n" + text)
        return path

    def asks(self, text, code):
        result = self.assert_exit(self.run_imgforge("--json", "verify", self.out / "releases" / "tiny" / "current", "--policy",
                                                    self.policy(text)), code)
        rows = json.loads(result.stdout)["subjects"][0]["checks"] if result.stdout else []
        return [row for row in rows if row["check"] == "policy" and not row["ok"]]

    def test_what_holds(self):
        self.assertEqual(self.asks("signers: [me]\nsbom: true\ninsecure: []\nisolation: [namespaces, appliance]\nformats: [rootfs]\n"
                                   "max-age: 1y\nforbidden-packages: [telnet]\n", 0), [])

    def test_what_does_not(self):
        for text, field in (("signers: [alice]\n", "signers"), ("signatures: 2\n", "signers"), ("provenance: true\nfresh: true\n", "fresh"),
                            ("booted: [disk UEFI]\n", "booted"), ("isolation: [vacuum]\n", "isolation"), ("formats: [qcow2]\n", "formats"),
                            ("rebuilt-by: 2\n", "rebuilt-by")):
            rows = self.asks(text, 3)
            self.assertEqual({row["reason"] for row in rows}, {"policy"}, text)
            self.assertIn(field, [row["subject"] for row in rows])

    def test_mistakes_have_their_place(self):
        for text, says in (("sigers: [me]\n", "signers"), ("signers: []\n", "ask for nothing"), ("sbom: perhaps\n", "true or false"),
                           ("signatures: 0\n", "1 to 100"), ("booted: [disk EFI]\n", "disk UEFI"), ("max-age: soon\n", "age"),
                           ("sbom: true\nsbom: true\n", "sbom")):
            result = self.fails(2, "verify", self.out, "--policy", self.policy(text))
            self.assertIn("policy.yaml:", result.stderr, text)
            self.assertIn(says, result.stderr, text)
        path = self.work / "two.yaml"
        path.write_text("policy: 2\n")
        self.fails(2, "verify", self.out, "--policy", path, says="another kind")
        path.write_text("signers: [me]\n")
        self.fails(2, "verify", self.out, "--policy", path, says="no policy")

    def test_promote_asks_the_same(self):
        self.fails(3, "promote", "tiny", "--policy", self.policy("signers: [alice]\n"), says="policy")
        self.ok("promote", "tiny", "--policy", self.policy("signers: [me]\n"))

    def test_what_has_no_manifest_cannot_answer(self):
        path = self.work / "list"
        path.write_text("x")
        self.sign(path)
        self.assertEqual(self.reasons(path, "--policy", self.policy("sbom: true\n")), ["policy"])


if __name__ == "__main__":
    main()
