#include "builder/fetch/apk_index_writer.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <tuple>

#include "builder/fetch/apk_package.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::size_t kBlock = 512;

/// Fields of the index that stand once in .PKGINFO, and those whose lines are put together, in apk's order.
constexpr std::pair<char, std::string_view> kSingle[] = {
    {'I', "size"},       {'T', "pkgdesc"},   {'U', "url"},    {'L', "license"},          {'o', "origin"},
    {'m', "maintainer"}, {'t', "builddate"}, {'c', "commit"}, {'k', "provider_priority"}};
constexpr std::pair<char, std::string_view> kLists[] = {
    {'D', "depend"}, {'p', "provides"}, {'i', "install_if"}, {'r', "replaces"}};

std::multimap<std::string, std::string, std::less<>> fields_of(const std::string& pkginfo) {
  std::multimap<std::string, std::string, std::less<>> fields;
  for (const std::string& line : core::split(pkginfo, '\n')) {
    const auto equals = line.find(" = ");
    if (line.starts_with('#') || equals == std::string::npos) continue;
    fields.emplace(line.substr(0, equals), line.substr(equals + 3));
  }
  return fields;
}

/// apk wants these two in every record.
std::string_view fallback(char letter) {
  return letter == 'I' ? "0" : letter == 'T' || letter == 'L' ? "unknown" : "";
}

std::string record_of(const IndexedPackage& package) {
  const IndexEntry& entry = package.entry;
  const auto fields = fields_of(read_pkginfo(package.file.path(), entry));
  std::string record =
      fmt::format("C:Q1{}\nP:{}\nV:{}\nA:{}\nS:{}\n", core::to_base64(entry.identity.bytes()), entry.name,
                  entry.version, entry.arch, entry.size);
  for (const auto& [letter, key] : kSingle) {
    const auto found = fields.find(key);
    const std::string_view value = found == fields.end() ? fallback(letter) : std::string_view(found->second);
    if (!value.empty()) record += fmt::format("{}:{}\n", letter, value);
  }
  for (const auto& [letter, key] : kLists) {
    std::vector<std::string> words;
    const auto [begin, end] = fields.equal_range(key);
    for (auto row = begin; row != end; ++row) words.push_back(row->second);
    if (!words.empty()) record += fmt::format("{}:{}\n", letter, core::join(words, " "));
  }
  return record + "\n";
}

std::string tar_member(const std::string& name, std::string_view content, std::uint64_t time) {
  std::string block(kBlock, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", content.size()));
  put(136, fmt::format("{:011o}", time));
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\00000", 8));
  const unsigned sum = std::accumulate(block.begin(), block.end(), 0u, [](unsigned all, char c) {
    return all + static_cast<unsigned char>(c);
  });
  put(148, fmt::format("{:06o}", sum) + std::string(1, '\0'));
  block += content;
  block.resize((block.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return block;
}

std::string gzip_member(std::string_view content) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw core::Error(core::Kind::kInternal, "zlib failed");
  std::string out(deflateBound(&stream, static_cast<uLong>(content.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) throw core::Error(core::Kind::kInternal, "zlib failed");
  return out;
}

}  // namespace

std::string make_signed_index(std::vector<IndexedPackage> packages, const std::string& description,
                              const signing::ApkSigner& signer) {
  std::sort(packages.begin(), packages.end(), [](const IndexedPackage& a, const IndexedPackage& b) {
    return std::tie(a.entry.name, a.entry.version) < std::tie(b.entry.name, b.entry.version);
  });
  std::string text;
  std::uint64_t time = 0;
  for (const IndexedPackage& package : packages) {
    text += record_of(package);
    time = std::max(time, package.entry.build_time);
  }
  const std::string control = gzip_member(tar_member("DESCRIPTION", description, time) +
                                          tar_member("APKINDEX", text, time) + std::string(2 * kBlock, '\0'));
  std::string signatures;
  for (const signing::ApkSignatureEntry& entry : signer.sign(core::as_bytes(control))) {
    if (entry.name.size() > 99)
      throw core::Error(core::Kind::kUsage,
                        "the name of the key is too long: " + core::escaped(signer.key_name(), 120));
    signatures += tar_member(entry.name, entry.bytes, time);
  }
  return gzip_member(signatures) + control;
}

}  // namespace imgforge::fetch
