// The root file system that a build starts from: a tarball, looked at on the host before the guest sees it.
#pragma once

#include <filesystem>

#include "builder/guest/sandbox.hpp"

namespace imgforge::guest {

/// Looks at every member without unpacking. Throws kArchive and kUnsafe as the tar reader finds, kUnsafe for
/// devices outside dev/, and kArchive when it has neither bin/sh nor etc/alpine-release: "not a root
/// filesystem".
void check_base(const std::filesystem::path& tarball);

/// Unpacks a root file system (tar, or tar.gz, .xz, .zst, .bz2, told by content) into the empty root.
/// Checks it first, as check_base does.
void unpack_base(Sandbox& guest, const std::filesystem::path& tarball);

}  // namespace imgforge::guest
