#!/usr/bin/env python3
"""Every header of the program compiles alone: headers.py SOURCES COMPILER.

The modules are compiled with a precompiled header, which would hide that a header lacks an include; here there is none. Where there
is ccache, what was compiled before is known, also in another folder."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT, COMPILER = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
FOLDERS = ("core", "signing", "artifacts", "builder")
WORDS = [COMPILER, "-std=c++20", "-O0", "-w", "-I.", '-DIMGFORGE_VERSION=""', "-x", "c++", "-c"]


def check(name, folder):
    """What the compiler says against the header; empty when it is good."""
    ccache = [shutil.which("ccache")] if shutil.which("ccache") else []
    environment = {**os.environ, "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    done = subprocess.run([*ccache, *WORDS, "-o", f"{folder}/{name.replace('/', '_')}.o", name], cwd=ROOT, capture_output=True, text=True, env=environment)
    return done.stderr if done.returncode != 0 else ""


def main():
    headers = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.hpp"))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [said for said in pool.map(lambda name: check(name, folder), headers) if said]
    print("\n".join(problems) or f"{len(headers)} headers compile alone")
    return 1 if problems or not headers else 0


sys.exit(main())
