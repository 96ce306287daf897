#!/usr/bin/env python3
"""`verify --deep`: one file changed inside an image of each format, by the programs of other people, and named by its path. Needs no
mirror."""

import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Case, flip_byte, main  # noqa: E402

FORMATS = ["qcow2", "raw", "iso", "netboot", "rootfs", "oci", "vm", "vdi"]
RECIPE = """imgforge: 1
name: deep
base: embedded
disk: { size: 80M }
files:
  - { path: /etc/marked, content: "a text that stands nowhere else\\n" }
formats: [%s]
""" % ", ".join(FORMATS)
MARK = b"a text that stands nowhere else"


def tool(*words, **options):
    subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=120, **options)


class Deep(Case):
    WARM = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_imgforge("key", "generate", "deep@test", "--no-passphrase").check_returncode()
        recipe = cls.scratch / "deep.yaml"
        recipe.write_text(RECIPE)
        built = cls.run_imgforge("build", recipe)
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        cls.release = (cls.out / "releases" / "deep" / "current").resolve()
        cls.stem = f"deep-{cls.release.name}"
        cls.tar = cls.scratch / "root.tar"
        tool("zstd", "-dq", cls.release / f"{cls.stem}.rootfs.tar.zst", "-o", cls.tar)

    def copy(self):
        """The release in a folder of this test, its files writable."""
        folder = self.scratch / self._testMethodName / self.release.name
        shutil.copytree(self.release, folder, symlinks=True)
        for file in folder.iterdir():
            if not file.is_symlink():
                file.chmod(0o644)
        return folder

    def rows(self, path, code=3):
        result = self.assert_exit(self.run_imgforge("verify", "--deep", "--json", path), code)
        checks = json.loads(result.stdout)["subjects"][0]["checks"]
        return [row for row in checks if row["check"] == "content"]

    def assert_named(self, folder, suffix, reason, *words, only=True):
        """One row about this file has the reason and each of the words."""
        failed = [row for row in self.rows(folder / f"{self.stem}{suffix}") if not row["ok"]]
        found = [row for row in failed if row["reason"] == reason and all(word in row["detail"] for word in words)]
        self.assertEqual(len(found), 1, failed)
        if only:
            self.assertEqual(len(failed), 1, failed)

    def changed_tar(self, change=lambda member, content: content, added=()):
        """The root file system as tar bytes; `change` may edit a member in place and returns its content."""
        out = io.BytesIO()
        with tarfile.open(self.tar) as source, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as target:
            for member in source:
                content = source.extractfile(member).read() if member.isreg() else None
                content = change(member, content)
                if content is not None:
                    member.size = len(content)
                target.addfile(member, io.BytesIO(content) if content is not None else None)
            for name, mode in added:
                member = tarfile.TarInfo(name)
                member.mode = mode
                target.addfile(member)
        return out.getvalue()

    @staticmethod
    def flip_mark(member, content):
        return content.replace(b"nowhere", b"Nowhere") if member.name == "etc/marked" else content

    def squashfs(self, tar, target):
        target.unlink(missing_ok=True)
        tool("mksquashfs", "-", target, "-tar", "-quiet", "-no-progress", "-comp", "gzip", "-root-mode", "755", input=tar)

    def test_what_was_built_is_as_listed_and_stays_untouched(self):
        def state():
            return {file.name: (file.lstat().st_mtime_ns, file.lstat().st_ctime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
                    for file in sorted(self.release.iterdir())}
        before = state()
        rows = self.rows(self.release, code=0)
        self.assertEqual(before, state())
        readable = [row for row in rows if "files as listed" in row["detail"]]
        self.assertEqual(len(readable), len(FORMATS) - 1, rows)
        self.assertEqual([row["subject"] for row in rows if "not looked into" in row["detail"]], [f"{self.stem}.vdi"])

    def test_a_byte_on_a_disk(self):
        folder = self.copy()
        disk = folder / f"{self.stem}.img"
        at = disk.read_bytes().find(MARK)
        flip_byte(disk, at + 3)
        self.assert_named(folder, ".img", "digest_mismatch", "/etc/marked: changed: sha256")
        qcow2 = folder / f"{self.stem}.qcow2"
        for options in ([], ["-c"]):  # imgforge itself packs by zstd
            with self.subTest(options=options):
                tool("qemu-img", "convert", "-O", "qcow2", *options, disk, qcow2)
                self.assert_named(folder, ".qcow2", "digest_mismatch", "/etc/marked: changed: sha256")

    def test_modes_owners_names_and_attributes_on_a_disk(self):
        folder = self.copy()
        disk = folder / f"{self.stem}.img"
        start = json.loads(subprocess.run(["sfdisk", "-J", disk], capture_output=True, check=True).stdout)
        offset = start["partitiontable"]["partitions"][1]["start"] * 512
        original = disk.read_bytes()
        empty = self.scratch / "empty"
        empty.write_bytes(b"")
        for request, reason, words in (
                ("set_inode_field /bin/busybox mode 0104755", "digest_mismatch", ("/bin/busybox: changed: mode 0755, is 4755",)),
                ("set_inode_field /etc/marked uid 1000", "digest_mismatch", ("/etc/marked: changed: uid 0, is 1000",)),
                ("ea_set /etc/marked user.secret x", "digest_mismatch", ("/etc/marked", "extended attributes")),
                ("rm /etc/marked", "missing", ("/etc/marked: missing: file",)),
                (f"write {empty} lost+found/hidden", "wrong_subject", ("/lost+found/hidden: not in the list",)),
                ("mknod memory c 1 1", "wrong_subject", ("/memory: not in the list: character-device",)),
                ("mknod /dev/memory c 1 1", "malformed", ("a name that no file can have: /dev/memory",))):
            with self.subTest(request=request):
                disk.write_bytes(original)
                tool("debugfs", "-w", "-R", request, f"{disk}?offset={offset}")
                self.assert_named(folder, ".img", reason, *words)

    def test_squashfs_alone_and_on_a_medium(self):
        folder = self.copy()

        def change(member, content):
            if member.name == "bin/busybox":
                member.mode |= 0o4000
            return self.flip_mark(member, content)
        root = folder / f"{self.stem}-root.squashfs"
        self.squashfs(self.changed_tar(change, [("etc/added", 0o644)]), root)
        self.assert_named(folder, "-root.squashfs", "digest_mismatch", "/etc/marked: changed: sha256", only=False)
        self.assert_named(folder, "-root.squashfs", "digest_mismatch", "/bin/busybox: changed: mode 0755, is 4755", only=False)
        self.assert_named(folder, "-root.squashfs", "wrong_subject", "/etc/added: not in the list", only=False)
        medium = folder / f"{self.stem}.iso"
        changed = folder / "changed.iso"
        tool("xorriso", "-indev", medium, "-outdev", changed, "-boot_image", "any", "keep", "-rm", "/imgforge/root.squashfs", "--",
             "-map", root, "/imgforge/root.squashfs")
        changed.rename(medium)
        self.assert_named(folder, ".iso", "digest_mismatch", "/etc/marked: changed: sha256", only=False)

    def test_tars_and_container_images(self):
        folder = self.copy()
        tar = folder / f"{self.stem}.rootfs.tar.zst"
        tar.write_bytes(subprocess.run(["zstd", "-qc"], input=self.changed_tar(self.flip_mark), capture_output=True, check=True).stdout)
        self.assert_named(folder, ".rootfs.tar.zst", "digest_mismatch", "/etc/marked: changed: sha256")
        image = folder / f"{self.stem}.oci.tar"
        out = io.BytesIO()
        with tarfile.open(image) as source, tarfile.open(fileobj=out, mode="w") as target:
            for member in source:
                content = source.extractfile(member).read() if member.isreg() else None
                if member.size > 1 << 20:
                    content = tar.read_bytes()
                    member.size = len(content)
                target.addfile(member, io.BytesIO(content) if content is not None else None)
        image.write_bytes(out.getvalue())
        self.assert_named(folder, ".oci.tar", "digest_mismatch", "/etc/marked: changed: sha256")

    def test_no_list_no_content(self):
        folder = self.copy()
        flip_byte(folder / "files.json.zst", 100)
        self.assert_named(folder, ".img", "digest_mismatch", "files.json.zst is not what the manifest lists")
        (folder / "files.json.zst").unlink()
        self.assert_named(folder, ".img", "missing", "files.json.zst is missing")

    def test_what_cannot_be_read_is_malformed(self):
        folder = self.copy()
        disk = folder / f"{self.stem}.img"
        disk.write_bytes(b"\0" * (1 << 20))
        self.assert_named(folder, ".img", "malformed", "no partition table")
        root = folder / f"{self.stem}-root.squashfs"
        content = bytearray(root.read_bytes())
        content[96:len(content) // 2] = b"\xa5" * (len(content) // 2 - 96)
        root.write_bytes(content)
        self.assert_named(folder, "-root.squashfs", "malformed", "squashfs is damaged")

    def test_the_list_goes_along_with_derived_releases(self):
        self.ok("convert", "deep", "--to", "vmdk")
        derived = next(folder for folder in self.release.parent.iterdir() if folder.name.startswith(self.release.name + "."))
        self.assertEqual((derived / "files.json.zst").read_bytes(), (self.release / "files.json.zst").read_bytes())


if __name__ == "__main__":
    main()
