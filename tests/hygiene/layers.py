#!/usr/bin/env python3
"""The layers of builder/README.md, checked in the sources: includes only go down, and each third-party
library is included in the one folder that owns it."""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])

# Folder -> folders it may include, besides itself; lowest first.
MAY_INCLUDE = {
    "core": [],
    "signing/primitives": ["core"],
    "signing/keys": ["signing/primitives", "core"],
    "signing/signers": ["signing/formats", "signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/minisign": ["signing/keys", "signing/primitives", "core"],
    "signing/formats": ["signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/trust": ["signing/formats", "signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/apk": ["signing/keys", "signing/primitives", "core"],
    "signing/efi": ["signing/keys", "signing/primitives", "core"],
    "artifacts/blobs": ["core"],
    "artifacts/codec": ["core"],
    "artifacts/manifest": ["core"],
    "artifacts/check": ["artifacts/manifest", "artifacts/codec", "core"],
    "artifacts/store": ["artifacts/check", "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "signing/*",
        "core"],
    "artifacts/fsck": ["artifacts/store", "artifacts/check", "artifacts/codec", "artifacts/blobs", "core"],
    "artifacts/retention": ["artifacts/store", "artifacts/check", "artifacts/manifest", "artifacts/codec", "core"],
    "artifacts/tar": ["artifacts/codec", "core"],
    "artifacts/catalogue": ["artifacts/store", "artifacts/check", "artifacts/manifest", "signing/*", "core"],
    "builder/engine": ["core"],
    "builder/cache": ["builder/engine", "artifacts/store", "artifacts/check", "artifacts/blobs", "core"],
    "builder/image": ["core"],
    "builder/image/fs": ["builder/image", "artifacts/tar", "core"],
    "builder/image/boot": ["builder/image/fs", "builder/image", "artifacts/manifest", "artifacts/codec", "core"],
    "builder/machine": ["core"],
    "builder/image/disk": ["builder/machine", "builder/image/boot", "builder/image/fs", "builder/image",
        "artifacts/codec", "core"],
    "builder/fetch/http": ["artifacts/blobs", "core"],
    "builder/fetch/download": ["builder/fetch/http", "artifacts/blobs", "core"],
    "builder/recipe": ["artifacts/manifest", "core"],
    "builder/fetch/adb": ["core"],
    "builder/fetch/apk": ["builder/recipe", "builder/fetch/download", "builder/fetch/http", "builder/fetch/adb", "artifacts/tar",
        "artifacts/codec", "artifacts/blobs", "signing/*", "core"],
    "builder/fetch/alpine": ["builder/fetch/apk", "builder/recipe", "builder/fetch/download", "builder/fetch/http",
        "artifacts/blobs", "core"],
    "builder/pull": ["builder/fetch/download", "builder/fetch/http", "artifacts/catalogue", "artifacts/retention", "artifacts/store",
        "artifacts/check", "artifacts/manifest", "artifacts/blobs", "core"],
    "builder/first_boot": ["builder/recipe", "core"],
    "builder/shared_folder": ["builder/first_boot", "builder/recipe", "core"],
    "builder/guest": ["builder/shared_folder", "builder/first_boot", "builder/recipe", "builder/machine", "artifacts/tar", "artifacts/codec",
        "core"],
    "builder/guest/namespaces": ["builder/guest", "artifacts/tar", "core"],
    "builder/image/medium": ["builder/image/disk", "builder/machine", "builder/image/boot", "builder/image/fs",
        "builder/image", "core"],
    "builder/export": ["artifacts/catalogue", "artifacts/tar", "artifacts/store", "artifacts/check", "artifacts/manifest", "signing/*",
        "core"],
    "builder/models": ["builder/recipe", "builder/fetch/download", "builder/fetch/http", "artifacts/codec",
        "artifacts/blobs", "core"],
    "builder/lock": ["builder/models", "builder/export", "builder/fetch/apk", "builder/recipe",
        "builder/fetch/download", "builder/fetch/http", "signing/*", "core"],
    "builder/stages": ["builder/lock", "builder/models", "builder/image/medium", "builder/guest/namespaces", "builder/guest",
        "builder/fetch/alpine", "builder/fetch/apk", "builder/recipe", "builder/fetch/http", "builder/machine",
        "builder/image/boot", "builder/image/fs", "builder/engine", "artifacts/tar", "artifacts/store",
        "artifacts/manifest", "artifacts/blobs", "signing/*", "core"],
    "builder/image/bundle": ["builder/machine", "builder/image/boot", "builder/image/fs", "artifacts/tar",
        "artifacts/codec", "core"],
    "builder/image/trust": ["builder/image/disk", "builder/machine", "builder/image/boot", "builder/image",
        "signing/*", "core"],
    "builder/formats": ["builder/image/trust", "builder/image/bundle", "builder/image/medium", "builder/recipe",
        "builder/image/disk", "builder/machine", "builder/image/boot", "builder/image/fs", "builder/image",
        "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "core"],
    "builder/vm": ["builder/image/trust", "builder/image/bundle", "builder/recipe", "builder/image/disk",
        "builder/machine", "builder/image/boot", "builder/image", "artifacts/manifest", "artifacts/codec", "core"],
    "builder/machines/registry": ["artifacts/store", "artifacts/manifest", "core"],
    "builder/machines/group": ["builder/machines/supervisor", "builder/machines/registry", "builder/recipe", "core"],
    "builder/machines/qemu": ["builder/machines/registry", "builder/vm", "builder/machine", "core"],
    "builder/machines/control": ["core"],
    "builder/machines/agent": ["builder/machines/control", "core"],
    "builder/machines/metrics": ["builder/machines/agent", "builder/machines/control", "core"],
    "builder/machines/shared": ["builder/machines/agent", "builder/machines/control", "builder/machines/registry", "core"],
    "builder/machines/supervisor": ["builder/machines/control", "builder/machines/qemu", "builder/machines/registry",
        "builder/vm", "builder/machine", "artifacts/store", "core"],
    "builder/machines/operations": ["artifacts/manifest", "builder/machines/control", "builder/machines/qemu", "builder/machines/registry",
        "builder/machine", "artifacts/store", "core"],
    "builder/machines/move": ["builder/machines/supervisor", "builder/machines/control", "builder/machines/qemu",
        "builder/machines/registry", "builder/vm", "builder/image/disk", "builder/machine", "artifacts/tar", "artifacts/codec", "core"],
    "builder/inspect": ["builder/vm", "builder/formats", "builder/guest", "builder/image/disk", "builder/machine",
        "builder/image/boot", "builder/image/fs", "artifacts/tar", "artifacts/check", "artifacts/manifest",
        "artifacts/codec", "core"],
    "builder/compare": ["builder/image/disk", "builder/image/fs", "artifacts/tar", "artifacts/codec", "core"],
    "builder/content": ["builder/compare", "builder/image/disk", "builder/image/boot", "builder/image/fs",
        "builder/image", "artifacts/tar", "artifacts/check", "artifacts/manifest", "artifacts/codec", "core"],
    "builder/serve": ["core"],
    "builder/dashboard": ["builder/machines/metrics", "builder/machines/qemu", "builder/machines/control",
        "builder/machines/registry", "builder/serve", "builder/machine", "signing/primitives", "core"],
    "builder/sbom": ["artifacts/store", "artifacts/manifest", "core"],
    "builder/steps": ["builder/content", "builder/provenance", "builder/sbom", "builder/vm", "builder/formats", "builder/stages", "builder/lock", "builder/models",
        "builder/image/medium", "builder/guest/namespaces", "builder/guest", "builder/shared_folder", "builder/first_boot", "builder/fetch/apk",
        "builder/recipe", "builder/fetch/http", "builder/machine", "builder/image/boot", "builder/image/fs", "builder/image",
        "builder/engine", "artifacts/store", "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "signing/*",
        "core"],
    "builder/derive": ["builder/content", "builder/provenance", "builder/sbom", "builder/steps", "builder/stages", "builder/formats", "builder/image/disk", "builder/machine",
        "builder/engine", "artifacts/store", "artifacts/check", "artifacts/manifest", "artifacts/codec",
        "artifacts/blobs", "signing/*", "core"],
    "builder/provenance": ["builder/sbom", "builder/lock", "artifacts/store", "artifacts/check", "artifacts/manifest", "signing/*", "core"],
    "builder/policy": ["builder/vm", "builder/recipe", "artifacts/retention", "artifacts/check", "artifacts/manifest", "core"],
    "builder/cli": ["builder/content", "builder/pull", "artifacts/catalogue", "builder/provenance", "builder/policy", "builder/steps", "builder/serve", "builder/inspect", "builder/compare", "builder/vm",
        "builder/sbom", "builder/formats", "builder/derive", "builder/stages", "builder/lock", "builder/models", "builder/export", "builder/guest",
        "builder/recipe", "builder/image/disk", "builder/machine", "builder/cache", "builder/engine",
        "artifacts/retention", "artifacts/fsck", "artifacts/store", "artifacts/check", "artifacts/manifest",
        "artifacts/blobs", "signing/*", "core"],
    "builder/target/runtime": [],
    "builder/target/early": ["builder/target/runtime"],
    "builder/target/verifier": ["builder/target/runtime"],
}

# Library header -> where it may be included.
OWNERS = {
    r"curl/": ["builder/fetch/http"],
    r"guestfs\.h": ["builder/guest"],
    r"seccomp\.h": ["builder/guest/namespaces", "builder/content"],
    r"libwebsockets\.h": ["builder/dashboard"],
    r"p11-kit/": ["signing/signers"],
    r"openssl/": ["core/digest.cpp", "signing"],
    r"yaml-cpp/": ["builder/recipe"],
    r"archive(_entry)?\.h": ["artifacts/codec"],
    r"zstd(_errors)?\.h": ["artifacts/codec", "builder/image/boot", "builder/image/disk", "builder/fetch/adb"],
    r"lzma\.h": ["artifacts/codec", "builder/image/boot", "builder/export"],
    r"zlib\.h": ["artifacts/codec", "builder/image/boot", "builder/image/disk", "builder/fetch/apk", "builder/fetch/adb"],
    r"(ext2fs/|et/com_err)": ["builder/image/fs", "builder/image/disk"],
    r"sqfs/": ["builder/image/fs"],
    r"libfdisk/": ["builder/image/disk"],
    r"CLI/": ["builder/cli/options.cpp"],
}

# The commands about trust, and what they share with all other commands; what doctor says of the dashboard.
MAY_INCLUDE["builder/cli"] += ["builder/cli/trust", "builder/dashboard"]
# Those about machines alone.
MACHINES = [f"builder/machines/{room}" for room in ("shared", "group", "move", "operations", "supervisor", "metrics", "agent", "control", "qemu", "registry")]
MAY_INCLUDE["builder/cli/vm"] = [*MAY_INCLUDE["builder/cli"], *MACHINES, "builder/dashboard", "builder/cli"]
MAY_INCLUDE["builder/cli/vm_move"] = [*MAY_INCLUDE["builder/cli/vm"], "builder/cli/vm", "artifacts/codec"]
MAY_INCLUDE["builder/cli/trust"] = [*MAY_INCLUDE["builder/cli"], "builder/cli", "builder/fetch/http"]

INCLUDE = re.compile(r'^\s*#include\s*[<"]([^>"]+)[>"]')


def folder_of(name):
    """The folder of a repository path when it has a row, or None."""
    folder = name.rpartition("/")[0]
    return folder if folder in MAY_INCLUDE else None


def may_include(folder, target):
    """A row names folders, or `room/*` for all below a room."""
    return any(target.startswith(row[:-1]) if row.endswith("*") else target == row for row in MAY_INCLUDE[folder])


def main():
    problems = []
    files = 0
    for path in sorted(ROOT.rglob("*.[ch]pp")):
        name = path.relative_to(ROOT).as_posix()
        folder = folder_of(name)
        if folder is None:
            if name.startswith(("core/", "signing/", "artifacts/", "builder/")):
                problems.append(f"{name}: its folder has no row here")
            continue
        files += 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            target = folder_of(header)
            if target and target != folder and not may_include(folder, target):
                problems.append(f"{name}:{number}: {folder} may not include {header}")
            for pattern, owners in OWNERS.items():
                if re.match(pattern, header) and not any(name == o or name.startswith(o + "/") for o in owners):
                    problems.append(f"{name}:{number}: <{header}> belongs to {' and '.join(owners)}")
    print("\n".join(problems) or f"{files} files keep the layers")
    return 1 if problems or files == 0 else 0


sys.exit(main())
