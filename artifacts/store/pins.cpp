#include "artifacts/store/pins.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "artifacts/manifest/version.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxPinBytes = 16 << 10;

/// "<line>@<version>" of two plain names; temporary files and what somebody put there are not.
bool is_pin_name(std::string_view name) {
  const std::size_t at = name.find('@');
  return at != std::string_view::npos && is_file_name(name.substr(0, at)) &&
         is_file_name(name.substr(at + 1));
}

Pin parse_pin(const std::string& text) {
  const core::Json json = core::parse_json(text, "the pin", {.bytes = kMaxPinBytes, .depth = 2});
  Pin pin;
  try {
    if (json.at("schema").get<unsigned>() != 1) throw Error(Kind::kIntegrity, "the pin is not of schema 1");
    pin.who = json.at("who").get<std::string>();
    pin.when = json.at("when").get<std::string>();
    pin.reason = json.at("reason").get<std::string>();
  } catch (const core::Json::exception&) {
    throw Error(Kind::kIntegrity, "the pin lacks schema, who, when or reason");
  }
  return pin;
}

Pin read_pin(const fs::path& file) {
  Pin pin;
  try {
    const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
    std::string text(kMaxPinBytes, '\0');
    text.resize(core::read_some(fd.get(), std::as_writable_bytes(std::span(text)), file.native()));
    pin = parse_pin(text);
  } catch (const Error& error) {
    pin.problem = error.message();
  }
  return pin;
}

}  // namespace

std::map<std::string, Pin> read_pins(const fs::path& root, const char* folder) {
  std::map<std::string, Pin> pins;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / folder, error)) {
    std::string name = entry.path().filename().native();
    if (!is_pin_name(name)) continue;
    Pin pin = read_pin(entry.path());
    pins.emplace(std::move(name), std::move(pin));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw core::system_error(error.value(), "cannot list", (root / folder).native());
  }
  return pins;
}

void write_pin(const fs::path& root, const std::string& reference, const Pin& pin, const char* folder_name) {
  if (!core::is_utf8(pin.reason) || pin.reason.size() > kMaxPinReason ||
      std::any_of(pin.reason.begin(), pin.reason.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; })) {
    throw Error(Kind::kUsage,
                "a reason is one line of UTF-8 of at most " + std::to_string(kMaxPinReason) + " bytes");
  }
  if (!is_pin_name(reference)) throw Error(Kind::kInternal, "impossible name of a pin");
  const fs::path folder = root / folder_name;
  if (::mkdir(folder.c_str(), 0755) == 0) {
    core::sync_directory(root);
  } else if (errno != EEXIST) {
    throw core::system_error(errno, "cannot create", folder.native());
  }
  core::write_file_atomically(
      folder / reference,
      core::print_json({{"schema", 1}, {"who", pin.who}, {"when", pin.when}, {"reason", pin.reason}}));
}

bool remove_pin(const fs::path& root, const std::string& reference, const char* folder) {
  const fs::path file = root / folder / reference;
  if (::unlink(file.c_str()) != 0) {
    if (errno == ENOENT) return false;
    throw core::system_error(errno, "cannot remove", file.native());
  }
  core::sync_directory(root / folder);
  return true;
}

std::string user_name() {
  const uid_t uid = ::geteuid();
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return core::escaped(found->pw_name, 100);
  }
  return std::to_string(uid);
}

}  // namespace imgforge::artifacts
