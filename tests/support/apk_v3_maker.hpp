// Makes files of apk 3, good ones and bad ones, out of parts that a test may spoil: databases, blocks,
// signatures by RSA and ECDSA keys made for the test process with the openssl command. Written after
// apk-v3(5).
#pragma once

#include <fcntl.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "support/openssl.hpp"

namespace imgforge::testing {

inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

inline std::string digest_bytes(core::HashAlgorithm algorithm, std::string_view text) {
  const core::Digest digest = core::digest_of(algorithm, text);
  return {digest.bytes().begin(), digest.bytes().end()};
}

/// Writes the values of a database; each call gives the tag of what it wrote.
class AdbMaker {
 public:
  using Tag = std::uint32_t;
  Tag number(std::uint64_t value) {
    if (value < 0x1000'0000) return 0x1000'0000U | static_cast<Tag>(value);
    if (value <= 0xffff'ffffU) return 0x2000'0000U | put(little_endian(value, 4), 4);
    return 0x3000'0000U | put(little_endian(value, 8), 4);
  }
  Tag blob(std::string_view text) {
    if (text.empty()) return 0;
    if (text.size() < 0x100) return 0x8000'0000U | put(little_endian(text.size(), 1) + std::string(text), 1);
    if (text.size() < 0x10000)
      return 0x9000'0000U | put(little_endian(text.size(), 2) + std::string(text), 2);
    return 0xa000'0000U | put(little_endian(text.size(), 4) + std::string(text), 4);
  }
  /// Slots from 1 on; those at the end that are absent are left out.
  Tag object(std::vector<Tag> slots) {
    while (!slots.empty() && slots.back() == 0) slots.pop_back();
    std::string out = little_endian(slots.size() + 1, 4);
    for (const Tag slot : slots) out += little_endian(slot, 4);
    return 0xe000'0000U | put(out, 4);
  }
  /// None for an empty one.
  Tag list(const std::vector<Tag>& items) { return items.empty() ? 0 : object(items); }
  std::string finish(Tag root) const {
    std::string out = bytes_;
    return out.replace(4, 4, little_endian(root, 4));
  }

 private:
  Tag put(const std::string& bytes, std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment, '\0');
    const std::size_t at = bytes_.size();
    bytes_ += bytes;
    return static_cast<Tag>(at);
  }
  std::string bytes_ = std::string(8, '\0');
};

enum class BlockHead { kShort, kLong };

/// A block with its padding. `type`: 0 database, 1 signature, 2 data.
inline std::string adb_block(unsigned type, const std::string& content, BlockHead head = BlockHead::kShort) {
  std::string out = head == BlockHead::kShort ? little_endian((type << 30) | (content.size() + 4), 4)
                                              : little_endian((3U << 30) | type, 4) + std::string(4, '\0') +
                                                    little_endian(content.size() + 16, 8);
  out += content;
  out.resize((out.size() + 7) / 8 * 8, '\0');
  return out;
}

inline const std::string kIndexSchema = "indx";
inline const std::string kPackageSchema = "pckg";

inline std::string deflate_raw(std::string_view content) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, static_cast<uLong>(content.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string zstd_frame(std::string_view content) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3));
  return out;
}

enum class AdbPacking { kNone, kShortDeflate, kNamedNone, kNamedDeflate, kZstd };

/// The file of the plain bytes ("ADB.", schema, blocks).
inline std::string adb_file(const std::string& plain, AdbPacking packing) {
  switch (packing) {
    case AdbPacking::kShortDeflate:
      return "ADBd" + deflate_raw(plain);
    case AdbPacking::kNamedNone:
      return std::string("ADBc\0\1", 6) + plain;
    case AdbPacking::kNamedDeflate:
      return std::string("ADBc\1\6", 6) + deflate_raw(plain);
    case AdbPacking::kZstd:
      return std::string("ADBc\2\3", 6) + zstd_frame(plain);
    default:
      return plain;
  }
}

/// A key pair for signatures of apk 3.
class ApkV3Key {
 public:
  enum class Type { kRsa, kEcdsa };
  explicit ApkV3Key(Type type, std::string name)
      : folder_(std::filesystem::temp_directory_path(), "imgforge-apk-key"), name_(std::move(name)) {
    const std::string secret = folder_ / "secret.pem";
    if (type == Type::kRsa) {
      openssl({"genrsa", "-out", secret, "2048"});
      openssl({"rsa", "-in", secret, "-RSAPublicKey_out", "-outform", "DER", "-out", folder_ / "bare"});
    } else {
      openssl({"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", secret});
      openssl({"pkey", "-in", secret, "-pubout", "-outform", "DER", "-out", folder_ / "bare"});
    }
    openssl({"pkey", "-in", secret, "-pubout", "-out", folder_ / "public.pem"});
    std::string bare = core::read_text_file(folder_ / "bare");
    // The point of the curve ends the description of the key.
    if (type == Type::kEcdsa) bare.erase(0, bare.size() - 65);
    id_ = digest_bytes(core::HashAlgorithm::kSha512, bare).substr(0, 16);
  }
  const std::string& name() const { return name_; }
  const std::string& id() const { return id_; }
  std::string pem() const { return core::read_text_file(folder_ / "public.pem"); }
  /// The content of a signature block. `digest`: 4 SHA-512, 3 SHA-256.
  std::string sign(const std::string& schema, const std::string& database, char digest = 4,
                   const std::string& id = {}) const {
    const std::string head = std::string("\0", 1) + digest + (id.empty() ? id_ : id);
    const auto algorithm = digest == 4 ? core::HashAlgorithm::kSha512 : core::HashAlgorithm::kSha256;
    const std::filesystem::path file = folder_ / "bytes";
    core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
    core::write_all(fd.get(), schema + head + digest_bytes(algorithm, database), file.native());
    fd.close(file.native());
    openssl({"dgst", "-sha512", "-sign", folder_ / "secret.pem", "-out", folder_ / "signature", file});
    return head + core::read_text_file(folder_ / "signature");
  }

 private:
  core::TempDir folder_;
  std::string name_;
  std::string id_;
};

/// A dependency: "name", or with a version and the bits of its comparison (1 =, 2 <, 4 >, 8 ~, 16 !).
struct V3Dependency {
  std::string name;
  std::string version = {};
  unsigned match = 0;
};

/// What a package says of itself.
struct V3Info {
  std::string name = "hello";
  std::string version = "1.0-r0";
  std::string arch = "x86_64";
  std::string identity = {};  ///< bytes
  std::uint64_t size = 0;
  std::vector<V3Dependency> depends = {}, provides = {}, replaces = {}, install_if = {};
  std::string description = "a test";

  AdbMaker::Tag write(AdbMaker& adb) const {
    return adb.object({adb.blob(name), adb.blob(version), adb.blob(identity), adb.blob(description),
                       adb.blob(arch), adb.blob("MIT"), adb.blob(name), adb.blob("Me <me@here>"),
                       adb.blob("https://here"), adb.blob(std::string(20, '\xab')), adb.number(1'700'000'000),
                       adb.number(4096), adb.number(size), adb.number(10), list(adb, depends),
                       list(adb, provides), list(adb, replaces), list(adb, install_if)});
  }

 private:
  static AdbMaker::Tag list(AdbMaker& adb, const std::vector<V3Dependency>& dependencies) {
    std::vector<AdbMaker::Tag> items;
    for (const V3Dependency& row : dependencies) {
      items.push_back(adb.object(
          {adb.blob(row.name), adb.blob(row.version), row.match == 0 ? 0 : adb.number(row.match)}));
    }
    return adb.list(items);
  }
};

/// The database of an index.
inline std::string v3_index_database(const std::vector<V3Info>& packages, const std::string& pattern = {},
                                     const std::string& description = "test index") {
  AdbMaker adb;
  std::vector<AdbMaker::Tag> items;
  for (const V3Info& info : packages) items.push_back(info.write(adb));
  return adb.finish(adb.object({adb.blob(description), adb.list(items), adb.blob(pattern)}));
}

/// An index, signed by each of `keys`.
inline std::string v3_index(const std::string& database, const std::vector<const ApkV3Key*>& keys,
                            AdbPacking packing = AdbPacking::kShortDeflate) {
  std::string plain = "ADB." + kIndexSchema + adb_block(0, database);
  for (const ApkV3Key* key : keys) plain += adb_block(1, key->sign(kIndexSchema, database));
  return adb_file(plain, packing);
}

/// A file of a package. `target`: with the two bytes of its type, of what is no regular file.
struct V3File {
  std::string name;
  std::string content = {};
  std::string target = {};
  std::string digest = {};   ///< bytes; empty: the right one
  std::uint64_t size = ~0U;  ///< as the package says it; this: the right one
};

inline std::string v3_link(const std::string& target) {
  return std::string("\x00\xa0", 2) + target;
}
inline std::string v3_hard_link(const std::string& target) {
  return std::string("\x00\x80", 2) + target;
}

struct V3Folder {
  std::string name;  ///< empty: the root
  std::vector<V3File> files = {};
};

/// A package in parts; `bytes` puts them together after the test changed them.
struct V3Package {
  V3Info info = {};
  std::vector<V3Folder> folders = {{""},
                                   {"usr", {}},
                                   {"usr/bin",
                                    {{"hello", "#!/bin/sh\n"},
                                     {"hello-link", "", v3_link("hello")},
                                     {"hello-too", "", v3_hard_link("usr/bin/hello")}}},
                                   {"etc", {{"empty"}, {"hello.conf", "a=b\n"}}}};
  bool with_own_id = false;
  AdbPacking packing = AdbPacking::kZstd;
  std::string tail = {};  ///< blocks after the last content

  std::string database() const {
    AdbMaker adb;
    V3Info own = info;
    if (with_own_id) own.identity = std::string(20, '\0');
    const AdbMaker::Tag object = own.write(adb);
    const AdbMaker::Tag access = adb.object({adb.number(0755), adb.blob("root"), adb.blob("root")});
    std::vector<AdbMaker::Tag> paths;
    for (const V3Folder& folder : folders) {
      std::vector<AdbMaker::Tag> files;
      for (const V3File& file : folder.files) files.push_back(write(adb, file, access));
      paths.push_back(adb.object({adb.blob(folder.name), access, adb.list(files)}));
    }
    std::string out = adb.finish(adb.object({object, adb.list(paths)}));
    if (!with_own_id) return out;
    const std::string id = digest_bytes(core::HashAlgorithm::kSha256, out).substr(0, 20);
    return out.replace(out.find('\x14' + std::string(20, '\0')) + 1, 20, id);
  }
  /// What an index says of it: 32 bytes, or with `size` 20 the shortened form.
  std::string identity(std::size_t size = 32) const {
    return digest_bytes(core::HashAlgorithm::kSha256, database()).substr(0, size);
  }
  std::string own_id() const {
    const std::string text = database();
    const std::size_t end = text.find(info.description) - 1;
    return text.substr(text.rfind('\x14', end - 20) + 1, 20);
  }
  std::string contents() const {
    std::string out;
    for (std::size_t i = 0; i < folders.size(); ++i) {
      for (std::size_t k = 0; k < folders[i].files.size(); ++k) {
        if (!folders[i].files[k].content.empty()) out += content(i + 1, k + 1, folders[i].files[k].content);
      }
    }
    return out;
  }
  static std::string content(std::uint64_t folder, std::uint64_t number, const std::string& text) {
    return adb_block(2, little_endian(folder, 4) + little_endian(number, 4) + text);
  }
  std::string bytes() const { return bytes_with(database(), contents()); }
  std::string bytes_with(const std::string& own_database, const std::string& own_contents) const {
    return adb_file("ADB." + kPackageSchema + adb_block(0, own_database) +
                        adb_block(1, std::string(40, 's')) + own_contents + tail,
                    packing);
  }

 private:
  static AdbMaker::Tag write(AdbMaker& adb, const V3File& file, AdbMaker::Tag access) {
    const std::string digest =
        file.digest.empty() ? digest_bytes(core::HashAlgorithm::kSha256, file.content) : file.digest;
    const std::uint64_t size = file.size == ~0U ? file.content.size() : file.size;
    return adb.object({adb.blob(file.name), access, adb.number(size), adb.number(1'700'000'000),
                       file.target.empty() ? adb.blob(digest) : 0, adb.blob(file.target)});
  }
};

}  // namespace imgforge::testing
