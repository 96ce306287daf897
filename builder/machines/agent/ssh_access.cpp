#include "builder/machines/agent/ssh_access.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;

constexpr std::chrono::seconds kPatience{60};
constexpr std::uint64_t kLongestPasswd = 1 << 20;
constexpr std::size_t kMostKeys = 16;
constexpr unsigned kFirstId = 1000;
constexpr unsigned kNobody = 65534;

bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                  c == '-' || c == '.';
         });
}

bool is_key_type(std::string_view type) {
  return type == "ssh-ed25519" || type == "ssh-rsa" || type == "ecdsa-sha2-nistp256" ||
         type == "ecdsa-sha2-nistp384" || type == "ecdsa-sha2-nistp521";
}

bool is_base64(std::string_view text) {
  return text.size() >= 40 && text.size() <= 4096 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
                  c == '/' || c == '=';
         });
}

// The words of the guest's shell; "$1" and so on are arguments, no text of the script.
constexpr const char* kAddKey =
    "set -e; home=$(getent passwd \"$1\" 2>/dev/null || grep \"^$1:\" /etc/passwd); "
    "group=$(echo \"$home\" | cut -d: -f4); home=$(echo \"$home\" | cut -d: -f6); umask 077; "
    "mkdir -p \"$home/.ssh\"; file=$home/.ssh/authorized_keys; "
    "grep -qxF \"$2\" \"$file\" 2>/dev/null || echo \"$2\" >> \"$file\"; "
    "chown \"$1:$group\" \"$home/.ssh\" \"$file\"";

ExecStatus run_script(Agent& agent, const char* script, std::vector<std::string> arguments) {
  std::vector<std::string> words{"sh", "-c", script, "sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return agent.run(words, {}, kPatience);
}

}  // namespace

std::string first_user(std::string_view passwd) {
  for (const std::string& line : core::split(passwd, '\n')) {
    const std::vector<std::string> fields = core::split(line, ':');
    if (fields.size() != 7 || !is_user_name(fields[0])) continue;
    unsigned id = 0;
    const auto [end, error] = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), id);
    if (error != std::errc() || end != fields[2].data() + fields[2].size() || id < kFirstId || id >= kNobody)
      continue;
    if (fields[6].ends_with("nologin") || fields[6].ends_with("false")) continue;
    return fields[0];
  }
  return "root";
}

std::string known_hosts(std::string_view public_keys, const std::string& alias) {
  std::string out;
  std::size_t count = 0;
  for (const std::string& line : core::split(public_keys, '\n')) {
    const std::vector<std::string> words = core::split(line, ' ');
    if (words.size() < 2 || !is_key_type(words[0]) || !is_base64(words[1]) || ++count > kMostKeys) continue;
    out += alias + " " + words[0] + " " + words[1] + "\n";
  }
  if (out.empty()) throw Error(Kind::kBoot, "the machine has no host key of SSH");
  return out;
}

SshAccess hand_over(Agent& agent, const std::string& public_key, std::string user, const std::string& alias) {
  SshAccess access;
  access.user = user.empty() ? first_user(agent.read_file("/etc/passwd", kLongestPasswd)) : std::move(user);
  if (!is_user_name(access.user))
    throw Error(Kind::kUsage, "\"" + core::escaped(access.user, 100) + "\" is no name of a user");
  const ExecStatus added = run_script(agent, kAddKey, {access.user, public_key});
  if (added.exit_code != 0) {
    throw Error(Kind::kBoot, "the machine does not take a key for " + access.user)
        .quote(core::tail_lines(added.err));
  }
  access.known_hosts = known_hosts(run_script(agent, "cat /etc/ssh/ssh_host_*_key.pub", {}).out, alias);
  return access;
}

}  // namespace imgforge::machines
