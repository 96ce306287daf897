#!/usr/bin/env python3
"""What a unit compiles of others' inline code: members of large values that are not defined in one place, templates that each
unit makes anew. It is most of the time that a compile takes, so it has a budget: the bytes of weak symbols of each object."""

import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

LIMIT = 100_000  # bytes; --list shows the largest
# Where a library's templates are compiled on purpose, once for all.
ONCE_FOR_ALL = {"json.cpp.o", "options.cpp.o"}
build = pathlib.Path(sys.argv[1])


def weak_bytes(path):
    listing = subprocess.run(["nm", "--print-size", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listing.splitlines())
    return sum(int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "WVu")


objects = sorted(path for path in build.glob("CMakeFiles/imgforge_*.dir/**/*.cpp.o") if path.name not in ONCE_FOR_ALL)
if len(objects) < 200:
    sys.exit(f"only {len(objects)} objects in {build}: this looks at nothing")
with ThreadPoolExecutor() as pool:
    sizes = sorted(zip(pool.map(weak_bytes, objects), objects), reverse=True)
if "--list" in sys.argv:
    for size, path in sizes[:20]:
        print(f"{size:8} {path.relative_to(build)}")
over = [f"{path.relative_to(build)}: {size:,} bytes of others' inline code, above {LIMIT:,}" for size, path in sizes if size > LIMIT]
print("\n".join(over) or f"{len(objects)} units, at most {sizes[0][0]:,} bytes of others' inline code")
sys.exit(1 if over else 0)
