#!/usr/bin/env bash
# Sources are formatted as .clang-format says.
set -euo pipefail
cd "$1"
find core signing artifacts builder tests -name '*.[ch]pp' -print0 | sort -z | xargs -0 clang-format --dry-run -Werror
