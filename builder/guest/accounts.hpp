// Users and groups of an image as text in, text out: what the recipe asks for is worked into the base's
// passwd, group and shadow (passwd(5), group(5), shadow(5)) on the host, with the same numbers every time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

struct AccountFiles {
  std::string passwd;
  std::string group;
  std::string shadow;
  bool operator==(const AccountFiles&) const = default;
};

/// What other operations need of a user.
struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
  bool created = false;  ///< the base did not have it
};

class Accounts {
 public:
  explicit Accounts(const AccountFiles& files);
  /// Adds groups, then users. A user that exists is changed; a new one gets a group of its own name and the
  /// lowest free number from 1000 on. Throws kCustomize at the recipe's place when numbers clash.
  void apply(const std::vector<recipe::Group>& groups, const std::vector<recipe::User>& users);
  AccountFiles files() const;

  std::optional<Account> find_user(std::string_view name) const;
  std::optional<std::uint32_t> find_group(std::string_view name) const;
  std::vector<std::string> user_names() const;
  std::vector<std::string> group_names() const;

 private:
  using Line = std::vector<std::string>;  ///< fields of one line

  void add_group(const std::string& name, std::optional<std::uint32_t> gid, const core::Mark& mark);
  void add_user(const recipe::User& user);
  void join_groups(const recipe::User& user);
  void set_password(const recipe::User& user, bool created);
  Line* line_of(std::vector<Line>& lines, std::string_view name);
  const Line* line_of(const std::vector<Line>& lines, std::string_view name) const;
  std::uint32_t free_number(const std::vector<Line>& lines) const;

  std::vector<Line> passwd_;
  std::vector<Line> group_;
  std::vector<Line> shadow_;
  std::map<std::string, bool, std::less<>> created_;
};

}  // namespace imgforge::guest
