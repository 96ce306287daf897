#include "builder/guest/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.hpp"

namespace imgforge::guest {
namespace {

constexpr std::uint32_t kFirstNumber = 1000;
constexpr std::size_t kName = 0;
constexpr std::size_t kPassword = 1;
constexpr std::size_t kNumber = 2;  ///< uid in passwd, gid in group
constexpr std::size_t kPrimaryGroup = 3;
constexpr std::size_t kMembers = 3;
constexpr std::size_t kHome = 5;
constexpr std::size_t kShell = 6;
constexpr std::size_t kPasswdFields = 7;
constexpr std::size_t kGroupFields = 4;
constexpr std::size_t kShadowFields = 9;

using Lines = std::vector<std::vector<std::string>>;

Lines parse(std::string_view text, std::size_t fields) {
  Lines lines;
  for (const std::string& line : core::split(text, '\n')) {
    if (core::trimmed(line).empty()) continue;
    lines.push_back(core::split(line, ':'));
    lines.back().resize(std::max(lines.back().size(), fields));
  }
  return lines;
}

std::string print(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += core::join(line, ":") + "\n";
  return text;
}

std::optional<std::uint32_t> number_in(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

bool has_number(const Lines& lines, std::uint32_t number) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return number_in(line[kNumber]) == number; });
}

std::vector<std::string> names_of(const Lines& lines) {
  std::vector<std::string> names;
  for (const auto& line : lines) names.push_back(line[kName]);
  return names;
}

core::Error mistake(std::string message, const core::Mark& mark) {
  return std::move(core::Error(core::Kind::kCustomize, std::move(message)).at(mark));
}

}  // namespace

Accounts::Accounts(const AccountFiles& files)
    : passwd_(parse(files.passwd, kPasswdFields)),
      group_(parse(files.group, kGroupFields)),
      shadow_(parse(files.shadow, kShadowFields)) {}

void Accounts::apply(const std::vector<recipe::Group>& groups, const std::vector<recipe::User>& users) {
  // Those with a number first: an automatic number must not take one that is asked for further down.
  for (const recipe::Group& group : groups) {
    if (group.gid) add_group(group.name, group.gid, group.mark);
  }
  for (const recipe::Group& group : groups) {
    if (!group.gid) add_group(group.name, std::nullopt, group.mark);
  }
  for (const recipe::User& user : users) {
    if (user.uid) add_user(user);
  }
  for (const recipe::User& user : users) {
    if (!user.uid) add_user(user);
  }
  for (const recipe::User& user : users) join_groups(user);
}

AccountFiles Accounts::files() const {
  return {print(passwd_), print(group_), print(shadow_)};
}

Accounts::Line* Accounts::line_of(std::vector<Line>& lines, std::string_view name) {
  return const_cast<Line*>(std::as_const(*this).line_of(lines, name));
}

const Accounts::Line* Accounts::line_of(const std::vector<Line>& lines, std::string_view name) const {
  const auto found =
      std::find_if(lines.begin(), lines.end(), [&](const Line& line) { return line[kName] == name; });
  return found == lines.end() ? nullptr : &*found;
}

std::uint32_t Accounts::free_number(const std::vector<Line>& lines) const {
  std::uint32_t number = kFirstNumber;
  while (has_number(lines, number)) ++number;
  return number;
}

void Accounts::add_group(const std::string& name, std::optional<std::uint32_t> gid, const core::Mark& mark) {
  if (const Line* line = line_of(group_, name)) {
    if (gid && number_in((*line)[kNumber]) != gid) {
      throw mistake(fmt::format("group \"{}\" exists with gid {}", name, (*line)[kNumber]), mark);
    }
    return;
  }
  if (gid && has_number(group_, *gid)) {
    throw mistake(fmt::format("gid {} of group \"{}\" is taken", *gid, name), mark);
  }
  group_.push_back({name, "x", fmt::format("{}", gid.value_or(free_number(group_))), ""});
}

void Accounts::add_user(const recipe::User& user) {
  if (Line* line = line_of(passwd_, user.name)) {
    if (user.uid && number_in((*line)[kNumber]) != user.uid) {
      throw mistake(fmt::format("user \"{}\" exists with uid {}", user.name, (*line)[kNumber]), user.mark);
    }
    // The recipe's default is no wish: a daemon's account keeps its nologin.
    if (user.shell != recipe::User().shell) (*line)[kShell] = user.shell;
    if (!user.home.empty()) (*line)[kHome] = user.home;
    set_password(user, false);
    return;
  }
  if (user.uid && has_number(passwd_, *user.uid)) {
    throw mistake(fmt::format("uid {} of user \"{}\" is taken", *user.uid, user.name), user.mark);
  }
  std::uint32_t uid = user.uid.value_or(kFirstNumber);
  // Without a number asked for, the user and its group get the same one.
  while (!user.uid && (has_number(passwd_, uid) || has_number(group_, uid))) ++uid;
  if (line_of(group_, user.name) == nullptr) {
    const bool taken = has_number(group_, uid);
    add_group(user.name, taken ? std::nullopt : std::optional(uid), user.mark);
  }
  const std::string gid = (*line_of(group_, user.name))[kNumber];
  const std::string home = user.home.empty() ? "/home/" + user.name : user.home;
  passwd_.push_back({user.name, "x", fmt::format("{}", uid), gid, "", home, user.shell});
  created_[user.name] = true;
  set_password(user, true);
}

void Accounts::set_password(const recipe::User& user, bool created) {
  if (Line* line = line_of(passwd_, user.name)) (*line)[kPassword] = "x";
  Line* line = line_of(shadow_, user.name);
  if (line == nullptr) {
    // No date of the last change: ageing is off, and the text does not depend on the day of the build.
    shadow_.push_back(
        {user.name, "*", "", created ? "0" : "", created ? "99999" : "", created ? "7" : "", "", "", ""});
    line = &shadow_.back();
  }
  // "*" matches no password but, unlike "!", leaves log-in by ssh key open.
  (*line)[kPassword] = user.passwordless ? "" : user.password_hash.empty() ? "*" : user.password_hash;
}

void Accounts::join_groups(const recipe::User& user) {
  for (const std::string& name : user.groups) {
    Line* line = line_of(group_, name);
    if (line == nullptr) {
      core::Error error =
          mistake(fmt::format("user \"{}\" is to join group \"{}\", which does not exist", user.name, name),
                  user.mark);
      const std::string near = core::nearest_word(name, group_names());
      if (!near.empty()) error.hint(fmt::format("did you mean \"{}\"?", near));
      throw error;
    }
    std::vector<std::string> members;
    for (const std::string& member : core::split((*line)[kMembers], ',')) {
      if (!member.empty()) members.push_back(member);
    }
    if (std::find(members.begin(), members.end(), user.name) == members.end()) members.push_back(user.name);
    (*line)[kMembers] = core::join(members, ",");
  }
}

std::optional<Account> Accounts::find_user(std::string_view name) const {
  const Line* line = line_of(passwd_, name);
  if (line == nullptr) return std::nullopt;
  const std::optional<std::uint32_t> uid = number_in((*line)[kNumber]);
  const std::optional<std::uint32_t> gid = number_in((*line)[kPrimaryGroup]);
  if (!uid || !gid) return std::nullopt;
  return Account{*uid, *gid, (*line)[kHome], created_.contains(name)};
}

std::optional<std::uint32_t> Accounts::find_group(std::string_view name) const {
  const Line* line = line_of(group_, name);
  return line == nullptr ? std::nullopt : number_in((*line)[kNumber]);
}

std::vector<std::string> Accounts::user_names() const {
  return names_of(passwd_);
}
std::vector<std::string> Accounts::group_names() const {
  return names_of(group_);
}

}  // namespace imgforge::guest
