// Makes apk v2 packages and indexes, good ones and bad ones, out of parts that a test may spoil: tar
// segments, gzip members, RSA signatures by a key made for the test process with the openssl command.
#pragma once

#include <fcntl.h>
#include <zlib.h>

#include <cstdio>
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

using TarFiles = std::vector<std::pair<std::string, std::string>>;

/// One gzip member.
inline std::string gzip(std::string_view content, int level = 6) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
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

/// A ustar header block; `type` as in the format, `link` for links, `time` in seconds since the epoch.
inline std::string tar_header(const std::string& name, std::size_t size, char type = '0',
                              const std::string& link = "", unsigned time = 0) {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  std::snprintf(block.data() + 100, 8, "%07o", type == '5' ? 0755u : 0644u);
  std::snprintf(block.data() + 108, 8, "%07o", 0u);
  std::snprintf(block.data() + 116, 8, "%07o", 0u);
  std::snprintf(block.data() + 124, 12, "%011zo", size);
  std::snprintf(block.data() + 136, 12, "%011o", time);
  block[156] = type;
  block.replace(157, link.size(), link);
  block.replace(257, 8, std::string_view("ustar\00000", 8));
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(block.data() + 148, 8, "%06o", sum);
  return block;
}

enum class TarEnd { kWhole, kCut };

/// A tar of small files, with or without its end-of-archive blocks.
inline std::string tar_of(const TarFiles& files, TarEnd end = TarEnd::kCut, unsigned time = 0) {
  std::string out;
  for (const auto& [name, content] : files) {
    out += tar_header(name, content.size(), '0', "", time) + content;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  if (end == TarEnd::kWhole) out += std::string(1024, '\0');
  return out;
}

/// An RSA key pair in a folder of its own.
class ApkKey {
 public:
  explicit ApkKey(std::string name = "test.rsa.pub")
      : folder_(std::filesystem::temp_directory_path(), "imgforge-apk-key"), name_(std::move(name)) {
    openssl({"genrsa", "-out", secret(), "2048"});
    openssl({"rsa", "-in", secret(), "-pubout", "-out", path()});
  }
  const std::string& name() const { return name_; }
  std::filesystem::path path() const { return folder_ / name_; }
  std::string pem() const { return core::read_text_file(path()); }
  std::string sign(std::string_view bytes, const std::string& hash = "sha1") const {
    const std::filesystem::path file = folder_ / "bytes";
    std::filesystem::remove(file);
    const core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_EXCL);
    core::write_all(fd.get(), bytes, file.native());
    openssl({"dgst", "-" + hash, "-sign", secret(), "-out", folder_ / "signature", file});
    return core::read_text_file(folder_ / "signature");
  }

 private:
  std::string secret() const { return folder_ / "secret.pem"; }
  core::TempDir folder_;
  std::string name_;
};

/// The signature member and the signed member after it.
inline std::string signed_member(const std::string& member, const ApkKey& key,
                                 const std::string& entry_name = {}) {
  const std::string name = entry_name.empty() ? ".SIGN.RSA." + key.name() : entry_name;
  const std::string hash = name.starts_with(".SIGN.RSA256.") ? "sha256" : "sha1";
  return gzip(tar_of({{name, key.sign(member, hash)}})) + member;
}

/// A package in parts; `bytes` puts them together after the test changed them.
struct ApkParts {
  std::string name = "hello";
  std::string version = "1.0-r0";
  std::string arch = "x86_64";
  std::string data_tar = tar_of({{"usr/bin/hello", "#!/bin/sh\n"}}, TarEnd::kWhole);
  std::string data;          ///< gzip member; empty: made of data_tar
  std::string datahash;      ///< empty: the right one
  std::string pkginfo_more;  ///< lines added to .PKGINFO
  bool with_datahash = true;
  std::string tail;  ///< bytes after the last member

  std::string data_member() const { return data.empty() ? gzip(data_tar) : data; }
  std::string control_member() const {
    std::string info =
        "pkgname = " + name + "\npkgver = " + version + "\narch = " + arch + "\n" + pkginfo_more;
    const std::string right = core::digest_of(core::HashAlgorithm::kSha256, data_member()).hex();
    if (with_datahash) info += "datahash = " + (datahash.empty() ? right : datahash) + "\n";
    return gzip(tar_of({{".PKGINFO", info}}));
  }
  std::string identity() const {
    return "Q1" + core::to_base64(core::digest_of(core::HashAlgorithm::kSha1, control_member()).bytes());
  }
  std::string bytes(const ApkKey& key) const {
    return signed_member(control_member(), key) + data_member() + tail;
  }
  /// Its record in an index.
  std::string index_record(std::size_t size) const {
    return "C:" + identity() + "\nP:" + name + "\nV:" + version + "\nA:x86_64\nS:" + std::to_string(size) +
           "\nI:1\nT:test\nU:u\nL:MIT\n\n";
  }
};

inline std::string index_control(const std::string& text, const std::string& description = "test",
                                 unsigned time = 0) {
  return gzip(tar_of({{"DESCRIPTION", description}, {"APKINDEX", text}}, TarEnd::kWhole, time));
}

}  // namespace imgforge::testing
