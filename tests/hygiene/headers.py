#!/usr/bin/env python3
"""Every header of the program compiles alone: headers.py SOURCES COMPILER FOLDER.

The modules are compiled with a precompiled header, which would hide that a header lacks an include; here there is none. FOLDER
keeps what was found good, by the digest of everything that was read, so that only what has changed is compiled again."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT, COMPILER, FOLDER = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
FOLDERS = ("core", "signing", "artifacts", "builder")
WORDS = [COMPILER, "-std=c++20", "-fsyntax-only", "-O0", "-w", "-I.", '-DIMGFORGE_VERSION=""', "-x", "c++"]


def digest(files, version):
    """Of the compiler, the options and the contents of the files."""
    sum_ = hashlib.sha256(json.dumps([version, WORDS[1:]]).encode())
    for name in files:
        path = ROOT / name
        sum_.update(f"\0{name}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    return sum_.hexdigest()


def check(name, version):
    """What the compiler says against the header; empty when it is good."""
    stamp = FOLDER / f"{name.replace('/', '_')}.json"
    if stamp.exists():
        known = json.loads(stamp.read_text())
        if known["digest"] == digest(known["files"], version):
            return ""
    rule = FOLDER / f"{name.replace('/', '_')}.d"
    done = subprocess.run([*WORDS, "-MD", "-MF", rule, name], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr
    read = rule.read_text().replace("\\\n", " ").split()[1:]
    rule.unlink()
    files = sorted({file for file in read if not file.startswith("/")})
    stamp.write_text(json.dumps({"digest": digest(files, version), "files": files}))
    return ""


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([COMPILER, "--version"], check=True, capture_output=True, text=True).stdout
    headers = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.hpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [said for said in pool.map(lambda name: check(name, version), headers) if said]
    print("\n".join(problems) or f"{len(headers)} headers compile alone")
    return 1 if problems or not headers else 0


sys.exit(main())
