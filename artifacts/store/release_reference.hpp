// How people name a release: one parser for all commands. `LINE` is its current release, `LINE@VERSION` and
// `LINE-VERSION` that version, and a path is the release that it leads into: a release folder, one of its
// files, `current`, or a flat name such as out/images/hello-boot.qcow2.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// A release that is there, in releases/ or in archive/. Found by names alone: nothing of it was read.
struct ReleaseLocation {
  std::string line;
  std::string version;
  std::filesystem::path directory;
  bool archived = false;
  std::string reference() const { return line + "@" + version; }
};

/// Throws kUsage, with the nearest name as a hint, when the text names no release or more than one, and
/// kStore when it names a line without usable `current`. Names are tried before paths unless there is a '/'.
ReleaseLocation find_release(const Store& store, std::string_view text);
/// The same for one whose files are used as they lie there. Throws kStore for an archived one.
ReleaseLocation find_release_in_place(const Store& store, std::string_view text);
/// The line of that name. Throws kUsage with the nearest name.
std::string find_line(const Store& store, std::string_view name);

}  // namespace imgforge::artifacts
