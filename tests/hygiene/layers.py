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
    "signing/minisign": ["signing/keys", "signing/primitives", "core"],
    "signing/formats": ["signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/signers": ["signing/formats", "signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/trust": ["signing/formats", "signing/minisign", "signing/keys", "signing/primitives", "core"],
    "signing/apk": ["signing/keys", "signing/primitives", "core"],
    "signing/efi": ["signing/keys", "signing/primitives", "core"],
    "artifacts/blobs": ["core"],
    "artifacts/codec": ["core"],
    "artifacts/manifest": ["core"],
    "artifacts/check": ["artifacts/manifest", "artifacts/codec", "core"],
    "artifacts/store": ["artifacts/check", "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "signing/*", "core"],
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
    "builder/image/disk/foreign": ["core", "artifacts/codec"],
    "builder/image/disk": ["builder/image/disk/foreign", "builder/machine", "builder/image/boot", "builder/image/fs",
        "builder/image", "artifacts/codec", "core"],
    "builder/fetch/http": ["artifacts/blobs", "core"],
    "builder/fetch/download": ["builder/fetch/http", "artifacts/blobs", "core"],
    "builder/recipe/document": ["core"],
    "builder/recipe/values": ["core", "builder/recipe/document"],
    "builder/recipe/schema": ["core", "builder/recipe/values", "builder/recipe/document", "artifacts/manifest"],
    "builder/recipe": ["builder/recipe/values", "builder/recipe/schema", "builder/recipe/document", "artifacts/manifest", "core"],
    "builder/fetch/adb": ["core"],
    "builder/fetch/apk": ["builder/fetch/adb", "artifacts/tar", "signing/*", "core"],
    "builder/fetch/alpine": ["builder/fetch/apk", "builder/recipe/document", "builder/fetch/download", "builder/fetch/http",
        "artifacts/blobs", "core"],
    "builder/pull": ["builder/fetch/download", "builder/fetch/http", "artifacts/catalogue", "artifacts/retention",
        "artifacts/store", "artifacts/check", "artifacts/manifest", "artifacts/blobs", "core"],
    "builder/first_boot": ["builder/recipe", "core"],
    "builder/shared_folder": ["builder/first_boot", "builder/recipe", "core"],
    "builder/guest": ["builder/shared_folder", "builder/first_boot", "builder/recipe", "artifacts/tar", "artifacts/codec",
        "core"],
    "builder/guest/appliance": ["core", "builder/machine", "builder/guest"],
    "builder/guest/namespaces/common": ["core"],
    "builder/guest/namespaces/inside": ["core", "builder/guest/namespaces/common", "builder/guest", "artifacts/tar"],
    "builder/guest/namespaces": ["builder/guest", "builder/guest/appliance", "builder/guest/namespaces/common",
        "builder/guest/namespaces/inside", "core"],
    "builder/image/medium": ["builder/image/disk", "builder/machine", "builder/image/boot", "builder/image/fs", "builder/image",
        "core"],
    "builder/export": ["artifacts/catalogue", "artifacts/tar", "artifacts/store", "artifacts/check", "artifacts/manifest",
        "signing/*", "core"],
    "builder/models/files": ["core", "artifacts/codec"],
    "builder/models": ["builder/models/files", "builder/recipe/values", "artifacts/blobs", "core"],
    "builder/fetch/apk/repository": ["signing/*", "core", "builder/recipe", "builder/fetch/http", "builder/fetch/download",
        "builder/fetch/apk", "artifacts/tar", "artifacts/codec", "artifacts/blobs"],
    "builder/lock": ["builder/models", "builder/export", "builder/fetch/apk", "builder/fetch/apk/repository", "builder/recipe",
        "builder/fetch/download", "builder/fetch/http", "signing/*", "core"],
    "builder/models/sources": ["core", "builder/recipe/values", "builder/recipe/document", "builder/models/files",
        "builder/models", "builder/fetch/http", "builder/fetch/download"],
    "builder/stages": ["builder/lock", "builder/models", "builder/models/sources", "builder/image/medium",
        "builder/guest/namespaces", "builder/guest", "builder/fetch/alpine", "builder/fetch/apk", "builder/fetch/apk/repository",
        "builder/recipe", "builder/fetch/http", "builder/machine", "builder/image/boot", "builder/image/fs", "builder/engine",
        "artifacts/tar", "artifacts/store", "artifacts/manifest", "artifacts/blobs", "signing/*", "core"],
    "builder/image/bundle": ["builder/machine", "builder/image/boot", "builder/image/fs", "artifacts/tar", "artifacts/codec",
        "core"],
    "builder/image/trust": ["builder/image/disk", "builder/machine", "builder/image/boot", "builder/image", "signing/*", "core"],
    "builder/formats": ["builder/image/trust", "builder/image/bundle", "builder/image/medium", "builder/recipe",
        "builder/image/disk", "builder/image/disk/foreign", "builder/machine", "builder/image/boot", "builder/image/fs",
        "builder/image", "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "core"],
    "builder/vm/console": ["core"],
    "builder/vm": ["builder/vm/console", "builder/image/trust", "builder/image/bundle", "builder/recipe", "builder/image/disk",
        "builder/machine", "builder/image/boot", "builder/image", "artifacts/manifest", "artifacts/codec", "core"],
    "builder/machines/registry": ["artifacts/store", "artifacts/manifest", "core"],
    "builder/machines/control": ["core"],
    "builder/machines/qemu": ["builder/machines/registry", "builder/vm", "builder/machine", "core"],
    "builder/machines/supervisor/talk": ["core", "builder/machines/control"],
    "builder/machines/supervisor/duties": ["core", "builder/vm/console", "builder/machines/supervisor/talk",
        "builder/machines/registry", "builder/machines/control"],
    "builder/machines/supervisor": ["builder/machines/supervisor/talk", "builder/machines/supervisor/duties",
        "builder/machines/control", "builder/machines/qemu", "builder/machines/registry", "builder/machine", "artifacts/store",
        "core"],
    "builder/machines/group": ["builder/machines/supervisor/duties", "builder/machines/registry", "builder/recipe/document",
        "core"],
    "builder/machines/agent": ["builder/machines/control", "core"],
    "builder/machines/metrics": ["builder/machines/agent", "builder/machines/control", "core"],
    "builder/machines/shared": ["builder/machines/agent", "builder/machines/control", "builder/machines/registry", "core"],
    "builder/machines/operations": ["artifacts/manifest", "builder/machines/control", "builder/machines/qemu",
        "builder/machines/registry", "builder/machine", "artifacts/store", "core"],
    "builder/machines/move": ["builder/machines/supervisor/duties", "builder/machines/control", "builder/machines/qemu",
        "builder/machines/registry", "builder/image/disk", "builder/machine", "artifacts/tar", "artifacts/codec", "core"],
    "builder/inspect": ["builder/vm", "builder/formats", "builder/guest/appliance", "builder/image/disk", "builder/machine",
        "builder/image/boot", "builder/image/fs", "artifacts/tar", "artifacts/check", "artifacts/manifest", "artifacts/codec",
        "core"],
    "builder/compare/report": ["core"],
    "builder/compare/members": ["core", "builder/compare/report", "artifacts/tar"],
    "builder/compare": ["builder/compare/report", "builder/compare/members", "builder/image/disk", "builder/image/fs",
        "artifacts/codec", "core"],
    "builder/content": ["builder/compare/members", "builder/image/disk", "builder/image/boot", "builder/image/fs",
        "builder/image", "artifacts/tar", "artifacts/check", "artifacts/manifest", "artifacts/codec", "core"],
    "builder/serve": ["core"],
    "builder/dashboard": ["builder/machines/metrics", "builder/machines/qemu", "builder/machines/control",
        "builder/machines/registry", "builder/serve", "builder/machine", "signing/primitives", "core"],
    "builder/sbom": ["artifacts/store", "artifacts/manifest", "core"],
    "builder/recipe/show": ["core", "builder/recipe"],
    "builder/guest/apk": ["core", "builder/recipe", "builder/guest"],
    "builder/steps/profile": ["core", "builder/stages", "builder/recipe/show", "builder/recipe", "builder/machine",
        "builder/guest/namespaces", "builder/guest/appliance", "builder/guest/apk", "builder/guest",
        "builder/fetch/apk/repository", "builder/engine", "artifacts/blobs"],
    "builder/steps/root": ["core", "builder/steps/profile", "builder/stages", "builder/shared_folder", "builder/recipe/values",
        "builder/recipe/show", "builder/guest/apk", "builder/guest", "builder/first_boot", "builder/fetch/http",
        "builder/fetch/apk/repository", "builder/fetch/apk", "builder/engine", "artifacts/manifest"],
    "builder/steps/image": ["core", "builder/vm", "builder/steps/root", "builder/steps/profile", "builder/stages",
        "builder/recipe/show", "builder/machine", "builder/image/medium", "builder/image/fs", "builder/image/boot",
        "builder/image", "builder/guest/apk", "builder/formats", "builder/engine", "artifacts/manifest", "artifacts/codec"],
    "builder/provenance": ["builder/sbom", "builder/lock", "artifacts/store", "artifacts/check", "artifacts/manifest",
        "signing/*", "core"],
    "builder/steps/release": ["signing/*", "core", "builder/vm", "builder/steps/root", "builder/steps/profile",
        "builder/steps/image", "builder/stages", "builder/sbom", "builder/recipe/show", "builder/recipe", "builder/provenance",
        "builder/lock", "builder/fetch/http", "builder/fetch/apk", "builder/engine", "builder/content", "artifacts/store",
        "artifacts/manifest"],
    "builder/steps": ["builder/steps/release", "builder/steps/profile", "builder/stages", "builder/lock",
        "builder/fetch/apk/repository", "builder/recipe", "builder/fetch/http", "builder/machine", "builder/engine",
        "artifacts/store", "artifacts/manifest", "signing/*", "core"],
    "builder/derive": ["builder/content", "builder/provenance", "builder/sbom", "builder/steps", "builder/steps/profile",
        "builder/stages", "builder/formats", "builder/image/disk", "builder/machine", "builder/engine", "artifacts/store",
        "artifacts/check", "artifacts/manifest", "artifacts/codec", "artifacts/blobs", "signing/*", "core"],
    "builder/policy": ["builder/vm", "builder/recipe/document", "artifacts/retention", "artifacts/check", "artifacts/manifest",
        "core"],
    "builder/cli/frame": ["core", "builder/recipe/document", "artifacts/manifest"],
    "builder/cli/progress": ["core", "builder/cli/frame"],
    "builder/cli": ["builder/cli/progress", "builder/cli/frame", "builder/recipe/schema", "signing/*", "core"],
    "builder/target/runtime": [],
    "builder/target/early": ["builder/target/runtime"],
    "builder/target/verifier": ["builder/target/runtime"],
    "builder/cli/arguments": ["signing/*", "core", "builder/stages", "builder/recipe", "builder/pull", "builder/provenance",
        "builder/lock", "builder/derive", "builder/cli/frame", "builder/cache", "artifacts/store", "artifacts/retention",
        "artifacts/manifest", "artifacts/check", "artifacts/catalogue"],
    "builder/cli/vm": ["builder/machine", "signing/*", "core", "builder/machines/operations", "builder/machines/supervisor",
        "builder/machines/supervisor/duties", "builder/machines/supervisor/talk", "builder/machines/agent",
        "builder/machines/control", "builder/machines/registry", "builder/cli/arguments", "builder/cli/frame"],
    "builder/cli/vm/reach": ["core", "builder/machines/supervisor/talk", "builder/machines/shared", "builder/machines/registry",
        "builder/machines/agent", "builder/machine", "builder/cli/vm"],
    "builder/cli/vm/make": ["core", "builder/vm", "builder/stages", "builder/machines/supervisor/duties",
        "builder/machines/registry", "builder/machines/qemu", "builder/machines/operations", "builder/machine",
        "builder/image/disk", "builder/cli/vm/reach", "builder/cli/vm", "builder/cli/arguments", "artifacts/store",
        "artifacts/manifest", "artifacts/blobs"],
    "builder/cli/vm_move": ["builder/image/disk", "builder/machine", "artifacts/store", "signing/*", "core",
        "builder/machines/move", "builder/machines/operations", "builder/machines/qemu", "builder/machines/registry",
        "builder/cli/arguments", "builder/cli/vm/make", "builder/cli/vm", "artifacts/codec"],
    "builder/cli/trust": ["builder/pull", "artifacts/catalogue", "builder/provenance", "builder/sbom", "builder/lock",
        "artifacts/store", "artifacts/check", "artifacts/manifest", "signing/*", "core", "builder/cli/arguments",
        "builder/cli/frame"],
    "builder/cli/images": ["core", "builder/vm", "builder/stages", "builder/machine", "builder/inspect", "builder/compare/report",
        "builder/compare", "builder/cli/frame", "builder/cli/arguments", "artifacts/store", "artifacts/manifest",
        "artifacts/check"],
    "builder/cli/recipes": ["core", "builder/steps/release", "builder/steps/profile", "builder/steps", "builder/stages",
        "builder/recipe/values", "builder/recipe/show", "builder/recipe/schema", "builder/recipe", "builder/provenance",
        "builder/models/sources", "builder/models/files", "builder/models", "builder/machine", "builder/lock",
        "builder/dashboard", "builder/cli/images", "builder/cli/frame", "builder/cli/arguments", "builder/cache",
        "artifacts/store", "artifacts/check", "artifacts/blobs"],
    "builder/cli/vm/watch": ["core", "builder/machines/supervisor", "builder/machines/registry", "builder/machines/qemu",
        "builder/machines/metrics", "builder/dashboard", "builder/cli/vm", "builder/cli/frame", "builder/cli/arguments"],
    "builder/cli/trust/verify": ["signing/*", "core", "builder/pull", "builder/provenance", "builder/policy",
        "builder/models/sources", "builder/lock", "builder/inspect", "builder/fetch/http", "builder/export", "builder/content",
        "builder/cli/frame", "builder/cli/arguments", "artifacts/store", "artifacts/manifest", "artifacts/fsck",
        "artifacts/check"],
    "builder/cli/store": ["signing/*", "core", "builder/vm", "builder/serve", "builder/machine", "builder/image/disk",
        "builder/export", "builder/cli/trust/verify", "builder/cli/frame", "builder/cli/arguments", "builder/cache",
        "artifacts/store", "artifacts/retention", "artifacts/manifest", "artifacts/fsck", "artifacts/check"],
    "builder/cli/trust/keys": ["signing/*", "core", "builder/cli/frame", "builder/cli/arguments", "artifacts/catalogue"],
    "builder/cli/vm/group": ["core", "builder/machines/registry", "builder/machines/group", "builder/cli/vm/make",
        "builder/cli/vm", "builder/cli/arguments"],
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
    r"CLI/": ["builder/cli/frame/options.cpp", "builder/cli/frame/help_text.hpp",
        "builder/cli/frame/help_text.cpp"],
}

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
