#include "builder/recipe/values/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <regex>

#include "builder/recipe/values/model.hpp"
#include "core/pattern.hpp"
#include "core/percent.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

constexpr std::string_view kNamePattern = "[a-z0-9][a-z0-9._+-]{0,63}";
constexpr std::string_view kUserPattern = "[a-z_][a-z0-9_-]{0,31}";
constexpr std::string_view kPasswordPattern = "locked|none|\\$[0-9a-z]{1,8}\\$[A-Za-z0-9./$=,_+-]{1,240}";
constexpr std::string_view kAnyPackage = "[A-Za-z0-9_][A-Za-z0-9._+:-]*";

void check_reserved(const Node& node) {
  // Words that the output directory uses for itself.
  constexpr std::array<std::string_view, 4> reserved{"current", "head", "lock", "manifest.json"};
  if (std::find(reserved.begin(), reserved.end(), node.text()) != reserved.end()) {
    throw recipe_error(node, fmt::format("\"{}\" is reserved for the output directory", node.text()));
  }
}

void check_size(const Node& node) {
  try {
    core::Bytes::parse(node.text());
  } catch (const core::Error& error) {
    throw recipe_error(node, error.message()).hint(error.hint());
  }
}

void check_number(const Node& node) {
  std::uint32_t value = 0;
  const std::string& text = node.text();
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    throw recipe_error(node, fmt::format("{} is too large", core::escaped(text, 60)));
  }
}

void check_url(const Node& node) {
  const std::string fault = url_fault(node.text());
  if (!fault.empty())
    throw recipe_error(node, fmt::format("\"{}\" {}", core::escaped(node.text(), 100), fault));
}

void check_model_source(const Node& node) {
  const std::string fault = model_source_fault(node.text());
  if (!fault.empty())
    throw recipe_error(node, fmt::format("\"{}\" {}", core::escaped(node.text(), 100), fault));
}

void check_repository(const Node& node) {
  if (node.text().find(':') != std::string::npos) check_url(node);
}

void check_components(const Node& node) {
  for (const std::string& part : core::split(node.text(), '/')) {
    if (part == ".." || part == ".") {
      throw recipe_error(
          node, fmt::format("\"{}\" must not contain \"{}\"", core::escaped(node.text(), 100), part));
    }
    if (part.size() > 255) throw recipe_error(node, "a part of the path is longer than 255 bytes");
  }
}

void check_image_path(const Node& node) {
  check_components(node);
  const std::string& path = node.text();
  if (path.ends_with('/') || path.find("//") != std::string::npos) {
    throw recipe_error(node, fmt::format("\"{}\" has a slash too many", core::escaped(path, 100)));
  }
}

/// A password never appears in a message, so the line is not quoted.
void check_password(const Node& node) {
  static const std::regex hash(std::string{kPasswordPattern}, std::regex::ECMAScript | std::regex::nosubs);
  if (std::regex_match(node.text(), hash)) return;
  core::Error error(core::Kind::kRecipe,
                    "a password must be locked, none or a hash that begins with $, never the plain text");
  core::Mark mark = node.mark();
  mark.text.clear();
  throw error.hint("make a hash with: openssl passwd -6").at(std::move(mark));
}

void check_regex(const Node& node) {
  try {
    const core::Pattern pattern(node.text());
  } catch (const core::Error& error) {
    throw recipe_error(node, error.message())
        .hint(error.hint().empty() ? "ECMAScript syntax; write \\ before a character that is meant literally"
                                   : error.hint());
  }
}

/// One row per type; kChoice has its words in the field table.
const std::array kTypes{
    TypeInfo{Type::kText, "text", "one line of text", "", 4096, true, Controls::kNone, nullptr},
    TypeInfo{Type::kLines, "lines of text", "text of any number of lines", "", 1 << 20, true,
             Controls::kLineBreaks, nullptr},
    TypeInfo{Type::kContent, "content", "text with any characters", "", 1 << 20, true, Controls::kAll,
             nullptr},
    TypeInfo{Type::kName, "name", "a name; allowed: [a-z0-9][a-z0-9._+-]{0,63}", kNamePattern, 64, true,
             Controls::kNone, check_reserved},
    TypeInfo{Type::kVersion, "version", "\"date\" or a version; allowed: [a-z0-9][a-z0-9._+-]{0,63}",
             kNamePattern, 64, true, Controls::kNone, check_reserved},
    TypeInfo{Type::kRelease, "release", "an Alpine branch such as 3.22 or edge, or a release such as 3.22.2",
             "v?[0-9]{1,3}\\.[0-9]{1,3}(\\.[0-9]{1,3}(_(alpha|beta|rc)[0-9]{1,3})?)?|edge|latest-stable|"
             "20[0-9]{6}",
             24, true, Controls::kNone, nullptr},
    TypeInfo{Type::kChoice, "word", "one of its words", "", 64, false, Controls::kNone, nullptr},
    TypeInfo{Type::kSize, "size", "a size such as 512M or 2G", "[0-9]{1,20}([KMGTkmgt](B|iB)?)?", 24, true,
             Controls::kNone, check_size},
    TypeInfo{Type::kCount, "number", "a whole number such as 2", "[0-9]{1,10}", 10, true, Controls::kNone,
             check_number},
    TypeInfo{Type::kId, "identity", "a whole number such as 1000", "[0-9]{1,10}", 10, true, Controls::kNone,
             check_number},
    TypeInfo{Type::kMode, "mode", "an octal mode such as \"0755\"", "[0-7]{1,5}", 5, true, Controls::kNone,
             nullptr},
    TypeInfo{Type::kSha256, "sha256", "64 lower-case hexadecimal digits", "[0-9a-f]{64}", 256, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kSha512, "sha512", "128 lower-case hexadecimal digits", "[0-9a-f]{128}", 256, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kUrl, "URL", "a URL that begins with https://, http:// or file:///", "", 1024, false,
             Controls::kNone, check_url},
    TypeInfo{Type::kRepository, "repository", "a repository name such as main, or a URL", "[A-Za-z0-9][^ ]*",
             1024, false, Controls::kNone, check_repository},
    TypeInfo{Type::kKeyFile, "key file", "the path of a public key file", "[^ ]+", 1024, false,
             Controls::kNone, check_components},
    TypeInfo{Type::kSecureBootKeys, "Secure Boot keys",
             "the name of Secure Boot keys, or the path of their folder such as keys/lab.secure-boot",
             "[^ ]+", 1024, false, Controls::kNone, check_components},
    TypeInfo{Type::kPackage, "package", "a package such as openssh or openssh=9.6_p1-r0 (without @tag)",
             "[A-Za-z0-9_][A-Za-z0-9._+:-]*((=|<|>|~|<=|>=|=~|~=)[A-Za-z0-9][A-Za-z0-9._+~-]*)?", 200, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kPackageName, "package name", "a package name such as openssh", kAnyPackage, 128, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kImagePath, "path", "an absolute path in the image such as /etc/motd", "/.+", 1024, false,
             Controls::kNone, check_image_path},
    TypeInfo{Type::kSourcePath, "source file", "a path below the recipe's folder such as files/motd",
             "[^/].*", 1024, true, Controls::kNone, check_components},
    TypeInfo{Type::kModelSource, "model source",
             "https://..., a path, hf://ORG/REPO@REVISION/PATH, oci://REGISTRY/REPO:TAG or ollama://NAME:TAG",
             "[^ ]+", 4096, false, Controls::kNone, check_model_source},
    TypeInfo{Type::kFileName, "file name", "the name of a file such as pytorch_model.bin",
             "[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", 128, true, Controls::kNone, nullptr},
    TypeInfo{Type::kLinkTarget, "link target", "the target of a link such as ../lib/name", ".+", 1024, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kOwner, "owner", "an owner such as root or www:www-data",
             "([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}))?", 65, true,
             Controls::kNone, nullptr},
    TypeInfo{Type::kUserName, "user name", "a user or group name; allowed: [a-z_][a-z0-9_-]{0,31}",
             kUserPattern, 32, false, Controls::kNone, nullptr},
    TypeInfo{Type::kPassword, "password", "locked, none or a hash that begins with $", kPasswordPattern, 250,
             false, Controls::kNone, nullptr},
    TypeInfo{Type::kSshKey, "public key", "a line of an OpenSSH public key file",
             "(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?", 2000, false, Controls::kNone, nullptr},
    TypeInfo{Type::kService, "service", "the name of an OpenRC service such as syslog",
             "[A-Za-z0-9_][A-Za-z0-9._-]*", 64, true, Controls::kNone, nullptr},
    TypeInfo{Type::kHostname, "host name", "a host name such as server-1",
             "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
             64, true, Controls::kNone, nullptr},
    TypeInfo{Type::kTimezone, "time zone", "a time zone such as UTC or Europe/Berlin",
             "[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", 64, false, Controls::kNone, nullptr},
    TypeInfo{Type::kModule, "module", "the name of a kernel module such as virtio_snd", "[A-Za-z0-9_-]+", 64,
             true, Controls::kNone, nullptr},
    TypeInfo{Type::kVolumeId, "volume id", "a volume id of at most 32 characters out of A-Z, 0-9 and _",
             "[A-Z0-9_]{1,32}", 32, true, Controls::kNone, nullptr},
    TypeInfo{Type::kWord, "word", "one word, without spaces, quotes or backslashes", "[!#-&(-\\[\\]-~]+", 200,
             true, Controls::kNone, nullptr},
    TypeInfo{Type::kRegex, "regular expression", "a regular expression of at most 200 bytes", ".+", 200, true,
             Controls::kNone, check_regex},
    TypeInfo{Type::kVariableName, "variable", "a variable name such as greeting", "[a-z_][a-z0-9_]*", 64,
             false, Controls::kNone, nullptr},
    TypeInfo{Type::kSysctlKey, "key", "a sysctl key such as vm.swappiness", "[A-Za-z0-9_][A-Za-z0-9_./*-]*",
             128, false, Controls::kNone, nullptr},
    TypeInfo{Type::kSetting, "setting", "letters, digits, '.', '_' and '-', such as high",
             "[A-Za-z0-9_][A-Za-z0-9._-]*", 64, true, Controls::kNone, nullptr},
};

const std::regex& compiled(const TypeInfo& info) {
  static const std::map<Type, std::regex> all = [] {
    std::map<Type, std::regex> made;
    for (const TypeInfo& row : kTypes) {
      made.emplace(row.type,
                   std::regex(std::string(row.pattern), std::regex::ECMAScript | std::regex::nosubs));
    }
    return made;
  }();
  return all.at(info.type);
}

/// Control characters of ASCII and of U+0080 to U+009F, which steer terminals too.
bool has_control(std::string_view text, Controls allowed) {
  if (allowed == Controls::kAll) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (allowed == Controls::kLineBreaks && (byte == '\n' || byte == '\t')) continue;
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

const TypeInfo& type_info(Type type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeInfo& row) { return row.type == type; });
}

void check_scalar(Type type, const Node& node, std::string_view label) {
  const TypeInfo& info = type_info(type);
  const std::string& text = node.text();
  const auto refuse = [&] {
    return recipe_error(node,
                        fmt::format("{} must be {}, not \"{}\"", label, info.form, core::escaped(text, 60)));
  };
  if (type == Type::kPassword) return check_password(node);
  if (text.size() > info.max_length) {
    throw recipe_error(node, fmt::format("{} is longer than {} bytes", label, info.max_length))
        .hint(fmt::format("it must be {}", info.form));
  }
  if (has_control(text, info.controls)) throw refuse().hint("control characters are not allowed");
  if (!info.pattern.empty() && !std::regex_match(text, compiled(info))) {
    if (type == Type::kSha256 && text.size() == 128) throw refuse().hint("128 digits are a sha512");
    if (type == Type::kMode || type == Type::kRelease)
      throw refuse().hint("the text is taken as it stands here");
    throw refuse();
  }
  if (info.check != nullptr) info.check(node);
}

core::Bytes read_size(const Node& node) {
  return core::Bytes::parse(node.text());
}

std::uint32_t read_number(const Node& node) {
  return static_cast<std::uint32_t>(std::stoull(node.text()));
}

std::uint32_t read_mode(const Node& node) {
  return static_cast<std::uint32_t>(std::stoul(node.text(), nullptr, 8));
}

std::pair<std::string, std::string> read_owner(const Node& node) {
  const auto colon = node.text().find(':');
  if (colon == std::string::npos) return {node.text(), "root"};
  return {node.text().substr(0, colon), node.text().substr(colon + 1)};
}

std::string_view package_name(std::string_view dependency) {
  return dependency.substr(0, dependency.find_first_of("=<>~"));
}

std::string url_fault(std::string_view url) {
  const auto scheme_end = url.find("://");
  const std::string_view scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos || (scheme != "https" && scheme != "http" && scheme != "file")) {
    return "must begin with https://, http:// or file:///";
  }
  const auto strange = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7F || std::string_view("\\\"<>^`{|}").find(c) != std::string_view::npos;
  };
  if (std::any_of(url.begin(), url.end(), strange)) return "contains a character that a URL cannot have";
  if (url.find_first_of("?#") != std::string_view::npos) return "must have no query (?) and no fragment (#)";
  for (std::size_t i = url.find('%'); i != std::string_view::npos; i = url.find('%', i + 1)) {
    const std::optional<char> byte = core::escaped_byte(url, i);
    if (!byte) return "has a bad % escape";
    if (static_cast<unsigned char>(*byte) < 0x20 || *byte == 0x7F)
      return "contains an escaped control character";
  }
  const std::string_view rest = url.substr(scheme_end + 3);
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (scheme == "file")
    return host.empty() && rest.size() > 1 ? "" : "must name an absolute path, as in file:///srv/alpine";
  if (host.find('@') != std::string_view::npos) return "must not contain a user name or password";
  if (host.empty() || host.front() == ':') return "has no host";
  for (const std::string& part : core::split(rest, '/')) {
    if (part == "..") return "must not contain \"..\"";
  }
  return "";
}

}  // namespace imgforge::recipe
