#include "builder/fetch/apk/apk_v3_info.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_names.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// Slots of the package's object.
enum Slot : std::uint32_t {
  kName = 1,
  kVersion,
  kIdentity,
  kDescription,
  kArch,
  kLicense,
  kOrigin,
  kMaintainer,
  kUrl,
  kCommit,
  kBuildTime,
  kInstalledSize,
  kFileSize,
  kPriority,
  kDepends,
  kProvides,
  kReplaces,
  kInstallIf,
};
static_assert(kIdentity == kV3InfoIdentity);

/// Slots of a dependency, and the bits of how its version is compared.
constexpr std::uint32_t kDependencyName = 1;
constexpr std::uint32_t kDependencyVersion = 2;
constexpr std::uint32_t kDependencyMatch = 3;
constexpr std::uint64_t kEqual = 1;
constexpr std::uint64_t kLess = 2;
constexpr std::uint64_t kGreater = 4;
constexpr std::uint64_t kFuzzy = 8;
constexpr std::uint64_t kConflict = 16;

core::Error wrong(std::string_view what, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", what, why));
}

/// A text of one line, as it would stand in the text of an index.
std::string line(std::string_view text, std::string_view what) {
  if (text.find_first_of(std::string_view("\0\n", 2)) != std::string_view::npos)
    throw wrong(what, "a text that is more than a line: \"" + core::escaped(text, 60) + "\"");
  return std::string(text);
}

/// A word of a list of dependencies, without what begins another one or a comparison.
std::string word(std::string_view text, std::string_view what) {
  const auto good = [](char c) {
    return c > ' ' && c < '\x7f' && std::string_view("<>=~!@").find(c) == std::string_view::npos;
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), good))
    throw wrong(what, "a bad name or version in a dependency: \"" + core::escaped(text, 60) + "\"");
  return std::string(text);
}

std::string_view comparison(std::uint64_t match, std::string_view what) {
  switch (match & ~kConflict) {
    case 0:
    case kEqual:
      return "=";
    case kLess:
      return "<";
    case kLess | kEqual:
      return "<=";
    case kGreater:
      return ">";
    case kGreater | kEqual:
      return ">=";
    case kFuzzy:
    case kFuzzy | kEqual:
      return "~";
    case kFuzzy | kEqual | kLess:
      return "<~";
    case kFuzzy | kEqual | kGreater:
      return ">~";
    case kLess | kGreater:  // a checksum
      return "><";
    default:
      throw wrong(what, fmt::format("an unknown comparison {} in a dependency", match));
  }
}

/// "!name", "name>=1.2".
std::string dependency(const AdbObject& object, std::string_view what) {
  const std::uint64_t match = object.number(kDependencyMatch);
  std::string text = (match & kConflict) != 0 ? "!" : "";
  text += word(object.blob(kDependencyName), what);
  if (!object.has(kDependencyVersion)) return text;
  const std::string_view compared = comparison(match, what);
  const std::string_view version = object.blob(kDependencyVersion);
  // The padding of base64 is no comparison.
  const bool checksum = compared == "><";
  return text + std::string(compared) + (checksum ? line(version, what) : word(version, what));
}

std::vector<std::string> dependencies(const AdbObject& list, std::string_view what) {
  std::vector<std::string> words;
  words.reserve(list.size());
  for (std::uint32_t i = 1; i <= list.size(); ++i) words.push_back(dependency(list.object(i), what));
  return words;
}

std::string hex(std::string_view bytes) {
  return core::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

}  // namespace

IndexEntry read_v3_info(const AdbObject& info, std::string_view what) {
  IndexEntry entry;
  entry.name = info.blob(kName);
  entry.version = info.blob(kVersion);
  entry.arch = info.blob(kArch);
  if (!is_package_name(entry.name))
    throw wrong(what, "bad package name \"" + core::escaped(entry.name, 60) + "\"");
  if (!is_package_version(entry.version))
    throw wrong(what, fmt::format("{}: bad version \"{}\"", entry.name, core::escaped(entry.version, 60)));
  const std::string named = fmt::format("{}: {}", what, entry.full_name());
  if (!is_arch(entry.arch)) throw wrong(named, "bad arch \"" + core::escaped(entry.arch, 40) + "\"");
  if (info.has(kIdentity)) {
    try {
      entry.identity = identity_of_bytes(info.blob(kIdentity));
    } catch (const core::Error& error) {
      throw wrong(named, error.message());
    }
  }
  entry.description = line(info.blob(kDescription), named);
  entry.license = line(info.blob(kLicense), named);
  entry.origin = line(info.blob(kOrigin), named);
  entry.maintainer = line(info.blob(kMaintainer), named);
  entry.url = line(info.blob(kUrl), named);
  entry.commit = hex(info.blob(kCommit));
  entry.build_time = info.number(kBuildTime);
  entry.unpacked = info.number(kInstalledSize);
  entry.size = info.number(kFileSize);
  entry.priority = info.number(kPriority);
  entry.depends = dependencies(info.object(kDepends), named);
  entry.provides = dependencies(info.object(kProvides), named);
  entry.replaces = dependencies(info.object(kReplaces), named);
  entry.install_if = dependencies(info.object(kInstallIf), named);
  return entry;
}

}  // namespace imgforge::fetch
