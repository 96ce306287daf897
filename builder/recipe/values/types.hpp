// The kinds of scalar that a recipe can hold: what each looks like (as a pattern that checking and the JSON
// Schema share), how it is described to people, and how it becomes a typed value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "builder/recipe/document/document.hpp"
#include "core/bytes.hpp"
#include "core/digest.hpp"

namespace imgforge::recipe {

enum class Type {
  kText,
  kLines,
  kContent,
  kName,
  kVersion,
  kRelease,
  kChoice,
  kSize,
  kCount,
  kId,
  kMode,
  kSha256,
  kSha512,
  kUrl,
  kRepository,
  kKeyFile,
  kSecureBootKeys,
  kPackage,
  kPackageName,
  kImagePath,
  kSourcePath,
  kModelSource,
  kFileName,
  kLinkTarget,
  kOwner,
  kUserName,
  kPassword,
  kSshKey,
  kService,
  kHostname,
  kTimezone,
  kModule,
  kVolumeId,
  kWord,
  kRegex,
  kVariableName,
  kSysctlKey,
  kSetting,
};

/// Control characters that a text may contain.
enum class Controls { kNone, kLineBreaks, kAll };

struct TypeInfo {
  Type type;
  std::string_view word;     ///< short name for the reference: "size"
  std::string_view form;     ///< completes "must be ...": "a size such as 512M or 2G"
  std::string_view pattern;  ///< ECMAScript pattern of the whole text; empty: any
  std::size_t max_length;    ///< bytes
  bool plain_number;         ///< an editor may see the unquoted text as a number
  Controls controls;         ///< line breaks (and tabs), or any for the contents of files
  /// Further check; throws kRecipe at the node. May be null.
  void (*check)(const Node&);
};

const TypeInfo& type_info(Type type);

/// Checks a scalar of any type but kChoice; `label` ("disk.size") begins the message.
void check_scalar(Type type, const Node& node, std::string_view label);

// Typed values of scalars that were checked.
core::Bytes read_size(const Node& node);
std::uint32_t read_number(const Node& node);
/// Octal, with or without leading zero: 0755, 755 and "0755" are the same.
std::uint32_t read_mode(const Node& node);
/// Owner and group of "user" or "user:group"; the group defaults to root.
std::pair<std::string, std::string> read_owner(const Node& node);
/// Package name of apk's "name", "name=1.2-r0", "name>1".
std::string_view package_name(std::string_view dependency);

/// Why a text cannot be the URL of a source (empty: it can): https, http or file, without user, query or
/// fragment, without characters that could change its meaning further on.
std::string url_fault(std::string_view url);

}  // namespace imgforge::recipe
