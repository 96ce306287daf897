"""A small signed Alpine repository whose packages a test makes, moves on and takes away."""

import base64
import gzip
import hashlib
import io
import pathlib
import subprocess
import tarfile

KEY_NAME = "extra-test.rsa"


def tar_of(members, end, time=1700000000, attributes=None):
    """Uncompressed tar of (name, bytes, or None for a folder). `end`: the data part, which has an end of its own. `attributes`:
    extended ones of its files, by name."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            info.mode = 0o755 if content is None or name.startswith(("usr", "etc/init.d/")) else 0o644
            info.mtime = time
            if end and content is not None:  # the data part: apk wants each file's checksum
                info.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(content).hexdigest(),
                                **{f"SCHILY.xattr.{key}": value for key, value in (attributes or {}).items()}}
            tar.addfile(info, io.BytesIO(content or b""))
        size = tar.offset
    return raw.getvalue() if end else raw.getvalue()[:size]


def member(content):
    return gzip.compress(content, mtime=0)


class Repository:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.packages = self.folder / "x86_64"
        self.packages.mkdir(parents=True)
        self.time = 1700000000  # of the next index
        self.secret = self.folder / KEY_NAME
        self.key = self.folder / f"{KEY_NAME}.pub"
        subprocess.run(["openssl", "genrsa", "-out", self.secret, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", self.secret, "-pubout", "-out", self.key], check=True, capture_output=True)

    def sign(self, content):
        return subprocess.run(["openssl", "dgst", "-sha1", "-sign", self.secret], input=content, check=True,
                              capture_output=True).stdout

    def make(self, name, version, depends="", files=None, attributes=None):
        """Writes one package that puts its version into /usr/bin/NAME, or `files` ({path: bytes}) in its place; returns its record
        for the index."""
        files = files or {f"usr/bin/{name}": f"#!/bin/sh\necho {name} {version}\n".encode()}
        folders = sorted({str(parent) for path in files for parent in pathlib.PurePath(path).parents} - {"."})
        data = member(tar_of([*((folder, None) for folder in folders), *files.items()], end=True,
                             attributes=attributes))
        fields = {"pkgname": name, "pkgver": version, "pkgdesc": f"test package {name}", "url": "https://example.org/",
                  "builddate": "1700000000", "size": "512", "arch": "x86_64", "origin": name, "license": "MIT"}
        info = "".join(f"{key} = {value}\n" for key, value in fields.items())
        info += "".join(f"depend = {word}\n" for word in depends.split())
        info += f"datahash = {hashlib.sha256(data).hexdigest()}\n"
        control = member(tar_of([(".PKGINFO", info.encode())], end=False))
        signature = member(tar_of([(f".SIGN.RSA.{KEY_NAME}.pub", self.sign(control))], end=False))
        package = signature + control + data
        (self.packages / f"{name}-{version}.apk").write_bytes(package)
        checksum = "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode()
        record = f"C:{checksum}\nP:{name}\nV:{version}\nA:x86_64\nS:{len(package)}\nI:512\nT:test package {name}\n"
        record += f"U:https://example.org/\nL:MIT\no:{name}\nt:1700000000\n"
        return record + (f"D:{depends}\n" if depends else "")

    def publish(self, *packages):
        """Makes the repository consist of these (name, version[, depends[, files[, attributes]]]) and nothing else; a day later than before."""
        for old in self.packages.glob("*"):
            old.unlink()
        index = "\n".join(self.make(*package) for package in packages) + "\n"
        content = member(tar_of([("DESCRIPTION", b"test"), ("APKINDEX", index.encode())], end=True, time=self.time))
        self.time += 86400
        signature = member(tar_of([(f".SIGN.RSA.{KEY_NAME}.pub", self.sign(content))], end=False))
        (self.packages / "APKINDEX.tar.gz").write_bytes(signature + content)
