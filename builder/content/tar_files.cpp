#include "builder/content/tar_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <map>
#include <thread>
#include <vector>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"

namespace imgforge::content {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using artifacts::TarReader;
using core::Error;
using core::Kind;

constexpr std::size_t kPiece = 1 << 18;
constexpr std::uint64_t kLargestDocument = 1 << 20;
constexpr std::size_t kMostDocuments = 64;

artifacts::TarPolicy policy() {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  policy.total = core::gib(64);
  return policy;
}

TarReader rewound(int fd, const std::string& name) {
  if (::lseek(fd, 0, SEEK_SET) != 0) throw core::system_error(errno, "cannot rewind", name);
  return {fd, name, policy()};
}

/// Small members by their paths.
std::map<std::string, std::string> documents_in(int fd, const std::string& name) {
  std::map<std::string, std::string> documents;
  TarReader reader = rewound(fd, name);
  TarEntry entry;
  while (reader.next(entry)) {
    if (entry.type != EntryType::kFile || entry.size > kLargestDocument) continue;
    if (documents.size() == kMostDocuments) throw Error(Kind::kUnsafe, "it has too many documents");
    documents[entry.path] = reader.read_text(kLargestDocument);
  }
  return documents;
}

/// "blobs/sha256/<hex>" of a descriptor (OCI image specification).
std::string blob_of(const core::Json& descriptor) {
  return "blobs/sha256/" + core::Digest::parse(descriptor.at("digest").get<std::string>()).hex();
}

std::string layer_of(const std::map<std::string, std::string>& documents) {
  const auto document = [&](const std::string& path) {
    const auto found = documents.find(path);
    if (found == documents.end()) throw Error(Kind::kImage, "the container image has no " + path);
    return core::parse_json(found->second, "container image", {.bytes = kLargestDocument, .depth = 32});
  };
  try {
    const core::Json manifest = document(blob_of(document("index.json").at("manifests").at(0)));
    if (manifest.at("layers").size() != 1) throw Error(Kind::kImage, "the container image has not one layer");
    return blob_of(manifest.at("layers").at(0));
  } catch (const core::Json::exception&) {
    throw Error(Kind::kImage, "the documents of the container image are malformed");
  }
}

}  // namespace

void read_root_tar(int fd, const std::string& name, Comparison& comparison) {
  TarReader reader(fd, name, policy());
  TarEntry entry;
  while (reader.next(entry)) {
    if (entry.type == EntryType::kHardlink) {
      comparison.take_link(entry.path, entry.link_target);
      continue;
    }
    FoundFile found{entry.path, row_of(entry), {}};
    if (entry.type == EntryType::kFile) {
      found.read = [&reader](const TakeContent& take) {
        std::vector<std::byte> buffer(kPiece);
        while (const std::size_t n = reader.read(buffer))
          take({reinterpret_cast<const char*>(buffer.data()), n});
      };
    }
    comparison.take(found);
  }
}

void read_layer(int fd, const std::string& name, Comparison& comparison) {
  const std::string layer = layer_of(documents_in(fd, name));
  TarReader archive = rewound(fd, name);
  TarEntry entry;
  do {
    if (!archive.next(entry)) throw Error(Kind::kImage, "the container image lacks its layer");
  } while (entry.path != layer || entry.type != EntryType::kFile);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw core::system_error(errno, "cannot make", "a pipe");
  core::Fd out(ends[0]);
  core::Fd in(ends[1]);
  // What the reader of the layer says of a cut one comes second to why it is cut.
  std::exception_ptr failure;
  std::thread feeder([&] {
    try {
      std::vector<std::byte> buffer(kPiece);
      while (const std::size_t n = archive.read(buffer))
        core::write_all(in.get(), std::span<const std::byte>(buffer).first(n), name);
    } catch (...) {
      failure = std::current_exception();
    }
    in.reset();
  });
  std::exception_ptr first;
  try {
    read_root_tar(out.get(), name, comparison);
  } catch (...) {
    first = std::current_exception();
  }
  out.reset();  // ends the feeder when it still writes
  feeder.join();
  if (first) std::rethrow_exception(first);
  if (failure) std::rethrow_exception(failure);
}

MemberPlace find_disk(int fd, const std::string& name) {
  std::array<std::byte, 512> head{};
  const std::size_t got = core::read_at(fd, name, 0, head);
  if (!artifacts::begins_as({reinterpret_cast<const char*>(head.data()), got}, artifacts::Content::kTar))
    throw Error(Kind::kArchive, "it is no uncompressed tar");
  TarReader reader = rewound(fd, name);
  TarEntry entry;
  while (reader.next(entry)) {
    if (entry.type == EntryType::kFile && entry.path.ends_with(".qcow2"))
      return {reader.position(), entry.size};
  }
  throw Error(Kind::kImage, "the virtual machine has no disk");
}

}  // namespace imgforge::content
