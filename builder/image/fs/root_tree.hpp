// A root file system on its way into images: the normalised tar, and members that join it only now. Large
// files such as models come straight from where they lie, so that they are never part of the tar.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "core/cancel.hpp"

namespace imgforge::image {

/// A member beside those of the tar. A file's content is `source`, or `text` when that is empty.
struct AddedMember {
  artifacts::TarEntry entry;
  std::filesystem::path source = {};
  std::string text = {};
};

struct RootTree {
  std::filesystem::path tar;
  /// Sorted by path, parents first. A directory that the tar has too is the tar's.
  std::vector<AddedMember> added = {};

  // A tar alone is a tree.
  RootTree(std::filesystem::path file) : tar(std::move(file)) {}  // NOLINT: meant to convert
  RootTree(std::filesystem::path file, std::vector<AddedMember> members)
      : tar(std::move(file)), added(std::move(members)) {}
};

/// Gives a file's content as TarReader::read does.
using ReadContent = std::function<std::size_t(std::span<std::byte>)>;
/// `added` is null for members of the tar.
using VisitMember =
    std::function<void(const artifacts::TarEntry& entry, const ReadContent& read, const AddedMember* added)>;

/// Visits all members, those of the tar first. Throws kImage when an added member stands where the tar has
/// another thing, and what TarReader throws.
void walk_root(const RootTree& tree, const VisitMember& visit);

/// Writes the whole tree as one new tar, for programs that read nothing else.
void write_root_tar(const RootTree& tree, const std::filesystem::path& target,
                    const core::CancelToken& cancel);

}  // namespace imgforge::image
