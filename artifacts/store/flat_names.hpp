// The names for people beside the releases (`images/hello.qcow2`, `isos/...`): links into releases/, through
// `current` for the name without version. And the one place where `current` is turned.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// A flat name beside others: `out/<folder>/<name>` and what the link there says.
struct FlatLink {
  std::filesystem::path path;
  std::string target;
};

/// What links made by imgforge begin with.
constexpr std::string_view kFlatTarget = "../releases/";

/// Whether a link is as imgforge makes flat names: it begins so and leads to a file of its own name. Anything
/// else in the flat folders is somebody's.
bool is_flat_link(const std::filesystem::path& link);

/// "images", "isos", ...: every folder of flat names, once.
std::vector<std::string> flat_folders();
/// The name of an artifact without its version: the link beside it, and the flat name through `current`.
std::string plain_name(const Manifest& manifest, const ManifestArtifact& artifact);
/// The flat names with version, one for each artifact.
std::vector<FlatLink> version_links(const Store& store, const Manifest& manifest);
/// The flat names of a release: for each artifact the one through `current`, then the one with version.
std::vector<FlatLink> flat_links(const Store& store, const Manifest& manifest);

/// Throws kStore when something else than a link of imgforge has that name.
void check_flat_link(const FlatLink& link);
/// Makes or turns one link in one rename; what is right already is left alone. True when it changed.
bool make_flat_link(const FlatLink& link);
/// Makes the flat names of a release, then turns `current` to it, which is the commit point, then removes
/// flat names through `current` that lead nowhere now. True when `current` was turned. The caller holds the
/// lock and has checked the release's files.
bool point_at(const Store& store, const Manifest& manifest);
/// Removes flat names into releases of that line (empty: of all lines) that are not there, and those through
/// the line's `current` that lead nowhere since it was turned (a format that is no longer made).
void drop_dangling_links(const Store& store, const std::string& line);
/// Makes only the flat names with version: a release that is not to become current. True when one changed.
bool name_version(const Store& store, const Manifest& manifest);
/// Removes the temporary links that a killed run left beside `current` and the flat names. Under the lock
/// they are nobody's.
void remove_leftover_links(const Store& store, const std::string& line);

/// Creates one folder whose parent exists, durably. An existing folder (or link to one) is fine.
void make_folder(const std::filesystem::path& folder);

}  // namespace imgforge::artifacts
