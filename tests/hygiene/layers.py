#!/usr/bin/env python3
"""The layers of builder/README.md, checked in the sources: includes only go down, and each third-party
library is included in the one folder that owns it."""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])

# Folder -> folders it may include, besides itself and everything those may include.
MAY_INCLUDE = {
    "core": [],
    "signing": ["core"],
    "artifacts": ["signing", "core"],
    "artifacts/export": ["artifacts", "signing", "core"],
    "builder/serve": ["core"],
    "builder/machine": ["core"],
    "builder/recipe": ["artifacts", "core"],
    "builder/fetch": ["builder/recipe", "artifacts", "signing", "core"],
    "builder/models": ["builder/fetch", "builder/recipe", "artifacts", "core"],
    "builder/first_boot": ["builder/recipe", "core"],
    "builder/first_boot/verifier": ["builder/image"],  # the early program's system calls and text
    "builder/guest": ["builder/first_boot", "builder/machine", "builder/recipe", "artifacts", "core"],
    "builder/image": ["builder/machine", "artifacts", "signing", "core"],
    "builder/formats": ["builder/image", "builder/machine", "builder/recipe", "artifacts", "signing", "core"],
    "builder/lock": ["builder/models", "builder/recipe", "builder/fetch", "core"],
    "builder/engine": ["core"],
    "builder/plan": ["builder/recipe", "artifacts", "core"],
    "builder/stages": ["artifacts/export", "builder/plan", "builder/lock", "builder/first_boot", "builder/formats", "builder/models", "builder/fetch",
                       "builder/guest", "builder/image", "builder/machine", "builder/recipe", "artifacts", "signing", "core"],
    "builder/cli": ["artifacts/export", "builder/serve", "builder/stages", "builder/formats", "builder/plan", "builder/lock", "builder/models", "builder/fetch",
                    "builder/guest", "builder/image",
                    "builder/machine", "builder/recipe", "artifacts", "signing", "core"],
}

# Library header -> where it may be included.
OWNERS = {
    r"curl/": ["builder/fetch"],
    r"guestfs\.h": ["builder/guest"],
    r"openssl/": ["signing", "core/digest.cpp"],
    r"yaml-cpp/": ["builder/recipe"],
    r"archive(_entry)?\.h": ["artifacts"],
    r"zstd\.h": ["artifacts", "builder/image"],
    r"lzma\.h": ["artifacts", "builder/image"],
    r"zlib\.h": ["builder/fetch", "builder/image", "artifacts"],
    r"(ext2fs/|et/com_err)": ["builder/image"],
    r"libfdisk/": ["builder/image"],
    r"CLI/": ["builder/cli/options.cpp"],
}

INCLUDE = re.compile(r'^\s*#include\s*[<"]([^>"]+)[>"]')


def folder_of(name):
    """Module folder of a repository path, or None."""
    for folder in sorted(MAY_INCLUDE, key=len, reverse=True):
        if name.startswith(folder + "/"):
            return folder
    return None


def main():
    problems = []
    files = 0
    for path in sorted(ROOT.rglob("*.[ch]pp")):
        name = path.relative_to(ROOT).as_posix()
        folder = folder_of(name)
        if folder is None:
            continue
        files += 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            target = folder_of(header)
            if target and target != folder and target not in MAY_INCLUDE[folder]:
                problems.append(f"{name}:{number}: {folder} may not include {header}")
            for pattern, owners in OWNERS.items():
                if re.match(pattern, header) and not any(name == o or name.startswith(o + "/") for o in owners):
                    problems.append(f"{name}:{number}: <{header}> belongs to {' and '.join(owners)}")
    print("\n".join(problems) or f"{files} files keep the layers")
    return 1 if problems or files == 0 else 0


sys.exit(main())
