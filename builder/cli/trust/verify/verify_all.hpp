// `imgforge verify --all`: the check of a whole store.
#pragma once

#include "artifacts/fsck/fsck.hpp"
#include "builder/cli/frame/command.hpp"

namespace imgforge::cli {

/// Checks the store of --output-dir and prints what was found. Returns the exit code.
int verify_all(Context& context, artifacts::SignatureCheck signature, artifacts::Digests digests);

}  // namespace imgforge::cli
