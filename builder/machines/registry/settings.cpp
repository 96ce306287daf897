#include "builder/machines/registry/settings.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/pattern.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 63;  // of a host name's label
constexpr std::size_t kMostRows = 64;
constexpr std::size_t kMostLinks = 8;
constexpr unsigned kMostFree = 45;  // percent; twice that has to be less than all
constexpr std::size_t kLongestHook = 4096;
constexpr std::size_t kMostCommands = 1000;
constexpr std::size_t kLongestCmdline = 2000;
constexpr unsigned kMostCpus = 255;
constexpr std::uint64_t kLeastMemory = 16ULL << 20;
constexpr std::uint64_t kMostMemory = 4ULL << 40;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_machine_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '_' || c == '+' || c == '-';
         });
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (i % 3 == 2 ? c != ':' : !hex) return false;
  }
  return true;
}

template <class... Word>
bool is_one_of(const std::string& text, Word... words) {
  return ((text == words) || ...);
}

/// dev_valid_name() of Linux, without what QEMU's options would have to escape.
bool is_interface(std::string_view name) {
  return !name.empty() && name.size() < 16 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_network(std::string_view text) {
  constexpr std::string_view kBridge = "bridge=";
  return text == "user" || text == "none" ||
         (text.starts_with(kBridge) && is_interface(text.substr(kBridge.size())));
}

void want(bool condition, std::string_view what) {
  if (!condition) throw Error(Kind::kIntegrity, fmt::format("machine.json: {} cannot be so", what));
}

void check(const Origin& origin) {
  want(is_one_of(origin.kind, "release", "file"), "origin.kind");
  want(is_one_of(origin.format, "qcow2", "raw", "iso"), "origin.format");
  want(origin.file.starts_with('/') && origin.file.find('\0') == std::string::npos, "origin.file");
  want(!origin.is_release() || origin.store.starts_with('/'), "origin.store");
}

bool is_cmdline(const std::string& text) {
  return text.size() <= kLongestCmdline &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 127; });
}

void check(const Settings& settings, const Autoscale& autoscale) {
  if (autoscale.most == 0) {
    want(autoscale == Autoscale{}, "autoscale");
    return;
  }
  want(autoscale.least >= kLeastMemory && autoscale.most <= kMostMemory &&
           autoscale.least <= settings.memory && settings.memory <= autoscale.most &&
           settings.max_memory == 0 && autoscale.free_below >= 1 && autoscale.free_below <= kMostFree,
       "autoscale");
}

void check(const Settings& settings) {
  want(settings.schema == 1, "schema");
  want(is_machine_name(settings.name), "name");
  check(settings.origin);
  want(!settings.autostart || !settings.disposable, "autostart");
  want(settings.cpus >= 1 && settings.cpus <= kMostCpus, "cpus");
  want(settings.memory >= kLeastMemory && settings.memory <= kMostMemory, "memory");
  want(settings.max_cpus == 0 || (settings.max_cpus >= settings.cpus && settings.max_cpus <= kMostCpus),
       "max_cpus");
  want(settings.max_memory == 0 ||
           (settings.max_memory >= settings.memory && settings.max_memory <= kMostMemory),
       "max_memory");
  want(is_one_of(settings.firmware, "bios", "uefi", "secure-boot", "kernel"), "firmware");
  want((settings.firmware == "kernel") != settings.cmdline.empty() && is_cmdline(settings.cmdline),
       "cmdline");
  want(settings.boot_rom.empty() || (settings.firmware == "kernel" && settings.boot_rom == kBootRom),
       "boot_rom");
  check(settings, settings.autoscale);
  want(settings.hook.size() <= kLongestHook && settings.hook.find('\0') == std::string::npos, "hook");
  want(is_network(settings.network), "network");
  want(is_mac(settings.mac), "mac");
  want(is_one_of(settings.restart, "never", "on-failure"), "restart");
  want(settings.forwards.size() <= kMostRows, "forwards");
  for (const Forward& forward : settings.forwards) {
    want(is_ipv4(forward.address) && forward.host_port != 0 && forward.guest_port != 0 &&
             is_one_of(forward.protocol, "tcp", "udp"),
         "forwards");
  }
  want(settings.shares.size() <= kMostRows, "shares");
  std::set<std::string> tags;
  for (const Share& share : settings.shares) {
    want(share.folder.starts_with('/') && share.folder.find('\0') == std::string::npos, "shares");
    want(is_one_of(share.driver, "9p", "virtiofs"), "shares");
    want(is_machine_name(share.tag) && share.tag.size() <= 31 && tags.insert(share.tag).second, "shares");
  }
  want(settings.links.size() <= kMostLinks, "links");
  for (const Link& link : settings.links) want(is_machine_name(link.network) && is_mac(link.mac), "links");
  want(settings.shared_commands.size() <= kMostCommands, "shared_commands");
  want(settings.lacks.size() <= kMostRows &&
           std::all_of(settings.lacks.begin(), settings.lacks.end(),
                       [](const std::string& name) { return is_machine_name(name); }),
       "lacks");
  want(settings.expect.size() <= kMostRows, "expect");
  for (const std::string& pattern : settings.expect) {
    try {
      core::Pattern{pattern};
    } catch (const Error&) {
      want(false, "expect");
    }
  }
}

std::uint16_t parse_port(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    throw Error(Kind::kUsage, fmt::format("\"{}\" has no port from 1 to 65535 where one belongs",
                                          core::escaped(whole, 100)))
        .hint("write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 127.0.0.1:8080:80");
  }
  return port;
}

}  // namespace

std::string Forward::text() const {
  return fmt::format("{}:{}:{}{}", address, host_port, guest_port, protocol == "udp" ? "/udp" : "");
}

Forward parse_forward(std::string_view text) {
  Forward forward;
  std::string_view rest = text;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    forward.protocol = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  const std::vector<std::string> parts = core::split(rest, ':');
  if (parts.size() < 2 || parts.size() > 3 || !is_one_of(forward.protocol, "tcp", "udp")) {
    throw Error(Kind::kUsage, fmt::format("\"{}\" forwards no port", core::escaped(text, 100)))
        .hint("write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 127.0.0.1:8080:80");
  }
  if (parts.size() == 3) forward.address = parts.front();
  if (!is_ipv4(forward.address)) {
    throw Error(Kind::kUsage,
                fmt::format("\"{}\" is no IPv4 address of this host", core::escaped(forward.address, 100)));
  }
  forward.host_port = parse_port(parts[parts.size() - 2], text);
  forward.guest_port = parse_port(parts.back(), text);
  return forward;
}

Share parse_share(std::string_view text, std::size_t index) {
  Share share;
  share.tag = index == 0 ? "shared" : fmt::format("shared{}", index);
  constexpr std::string_view kReadOnly = ":ro";
  constexpr std::string_view kVirtiofs = ":virtiofs";
  while (true) {
    if (!share.read_only && text.ends_with(kReadOnly)) {
      share.read_only = true;
      text.remove_suffix(kReadOnly.size());
    } else if (!share.is_virtiofs() && text.ends_with(kVirtiofs)) {
      share.driver = "virtiofs";
      text.remove_suffix(kVirtiofs.size());
    } else {
      break;
    }
  }
  std::error_code error;
  const fs::path folder = fs::canonical(fs::path(text), error);
  if (error || !fs::is_directory(folder))
    throw Error(Kind::kUsage, fmt::format("{} is no folder to share", core::escaped(text)));
  share.folder = folder;
  return share;
}

bool Settings::lacks_feature(std::string_view feature) const {
  return std::find(lacks.begin(), lacks.end(), feature) != lacks.end();
}

std::string Origin::text() const {
  return is_release() ? line + "@" + version : file;
}

void check_network(std::string_view text) {
  if (is_network(text)) return;
  throw Error(Kind::kUsage, core::escaped(text) + " is no network: user, none, or bridge=NAME");
}

std::string Autoscale::text() const {
  return fmt::format("{}..{}:{}%", core::Bytes{least}.to_string(), core::Bytes{most}.to_string(), free_below);
}

Autoscale parse_autoscale(std::string_view text) {
  const auto wrong = [&] {
    return Error(Kind::kUsage, fmt::format("{} says no memory that can follow", core::escaped(text)))
        .hint("LEAST..MOST:PERCENT%, such as 256M..1G:15%");
  };
  const std::size_t dots = text.find("..");
  const std::size_t colon = text.find(':');
  if (dots == std::string_view::npos || (colon != std::string_view::npos && colon < dots)) throw wrong();
  Autoscale scale;
  scale.least = core::Bytes::parse(text.substr(0, dots)).value >> 20 << 20;
  scale.most = core::Bytes::parse(text.substr(dots + 2, colon - dots - 2)).value >> 20 << 20;
  if (colon != std::string_view::npos) {
    std::string_view percent = text.substr(colon + 1);
    if (percent.ends_with('%')) percent.remove_suffix(1);
    const auto [end, error] =
        std::from_chars(percent.data(), percent.data() + percent.size(), scale.free_below);
    if (error != std::errc() || end != percent.data() + percent.size()) throw wrong();
  }
  if (scale.least < kLeastMemory || scale.least > scale.most || scale.most > kMostMemory ||
      scale.free_below < 1 || scale.free_below > kMostFree)
    throw wrong();
  return scale;
}

void check_machine_name(std::string_view name) {
  if (!is_machine_name(name)) {
    throw Error(Kind::kUsage, fmt::format("\"{}\" cannot be the name of a machine", core::escaped(name, 120)))
        .hint("use letters, digits, '.', '_', '+' and '-', beginning with a letter or digit");
  }
}

void add_later_members(core::Json& settings) {
  static const core::Json later{{"autostart", false}, {"boot_rom", ""}, {"lacks", core::Json::array()}};
  if (!settings.is_object()) return;
  for (const auto& [name, value] : later.items()) {
    if (!settings.contains(name)) settings[name] = value;
  }
  const auto shares = settings.find("shares");
  if (shares == settings.end() || !shares->is_array()) return;
  for (core::Json& share : *shares) {
    if (share.is_object() && !share.contains("driver")) share["driver"] = "9p";
  }
}

std::string print_settings(const Settings& settings) {
  check(settings);
  return core::print_json(core::write_record(settings));
}

Settings parse_settings(std::string_view text) {
  core::Json json = core::parse_json(text, "machine.json");
  add_later_members(json);
  Settings settings = core::read_record<Settings>(json, "machine.json");
  check(settings);
  return settings;
}

}  // namespace imgforge::machines
