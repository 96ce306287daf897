#include "builder/fetch/apk/repository/apk_index_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "artifacts/codec/gzip.hpp"
#include "artifacts/tar/tar_format.hpp"
#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

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
  std::string record = fmt::format("C:{}\nP:{}\nV:{}\nA:{}\nS:{}\n", identity_text(entry.identity),
                                   entry.name, entry.version, entry.arch, entry.size);
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
  const auto mtime = static_cast<std::int64_t>(time);
  const std::string control = artifacts::gzip(artifacts::tar_member("DESCRIPTION", description, mtime) +
                                              artifacts::tar_member("APKINDEX", text, mtime) +
                                              std::string(2 * artifacts::kTarBlock, '\0'));
  std::string signatures;
  for (const signing::ApkSignatureEntry& entry : signer.sign(core::as_bytes(control))) {
    if (entry.name.size() > 99)
      throw core::Error(core::Kind::kUsage,
                        "the name of the key is too long: " + core::escaped(signer.key_name(), 120));
    signatures += artifacts::tar_member(entry.name, entry.bytes, mtime);
  }
  return artifacts::gzip(signatures) + control;
}

}  // namespace imgforge::fetch
