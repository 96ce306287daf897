#include "builder/guest/accounts.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace imgforge::guest {
namespace {

const AccountFiles kBase{
    "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2:daemon:/sbin:/sbin/nologin\n",
    "root:x:0:root\ndaemon:x:2:root,bin\nwheel:x:10:root\n",
    "root:*::0:::::\ndaemon:!:19000:0:99999:7:::\n",
};

recipe::User user_named(const std::string& name) {
  recipe::User user;
  user.name = name;
  user.mark = {"recipe.yaml", 7, 3, 0, "  - name: " + name};
  return user;
}

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {core::Kind::kInternal, ""};
}

TEST(Accounts, NothingAskedForChangesNothing) {
  Accounts accounts(kBase);
  accounts.apply({}, {});
  EXPECT_EQ(accounts.files(), kBase);
}

TEST(Accounts, ANewUserGetsItsOwnGroupAndTheSameNumber) {
  Accounts accounts(kBase);
  accounts.apply({{"taken", 1000, {}}}, {user_named("ada")});
  EXPECT_TRUE(accounts.files().passwd.ends_with("\nada:x:1001:1001::/home/ada:/bin/sh\n"));
  EXPECT_TRUE(accounts.files().group.ends_with("\ntaken:x:1000:\nada:x:1001:\n"));
  EXPECT_TRUE(accounts.files().shadow.ends_with("\nada:*::0:99999:7:::\n"));
  EXPECT_TRUE(accounts.find_user("ada")->created);
  EXPECT_FALSE(accounts.find_user("root")->created);
}

TEST(Accounts, ANumberAskedForLaterIsNotGivenAwayBefore) {
  Accounts accounts(kBase);
  recipe::User second = user_named("bob");
  second.uid = 1000;
  accounts.apply({}, {user_named("ada"), second});
  EXPECT_EQ(accounts.find_user("bob")->uid, 1000U);
  EXPECT_EQ(accounts.find_user("ada")->uid, 1001U);
}

TEST(Accounts, PasswordsAreLockedEmptyOrAsGiven) {
  Accounts accounts(kBase);
  recipe::User root = user_named("root");
  root.passwordless = true;
  recipe::User ada = user_named("ada");
  ada.password_hash = "$6$salt$hash";
  accounts.apply({}, {root, ada});
  EXPECT_TRUE(accounts.files().shadow.starts_with("root:::0:::::\n"));
  EXPECT_NE(accounts.files().shadow.find("\nada:$6$salt$hash:"), std::string::npos);
}

TEST(Accounts, AnExistingUserKeepsWhatTheRecipeDoesNotSay) {
  Accounts accounts(kBase);
  recipe::User daemon = user_named("daemon");
  daemon.groups = {"wheel", "wheel"};
  accounts.apply({}, {daemon});
  EXPECT_NE(accounts.files().passwd.find("daemon:x:2:2:daemon:/sbin:/sbin/nologin\n"), std::string::npos);
  EXPECT_NE(accounts.files().group.find("wheel:x:10:root,daemon\n"), std::string::npos);
}

TEST(Accounts, ClashingNumbersPointAtTheRecipe) {
  recipe::User user = user_named("ada");
  user.uid = 2;
  for (const auto& body :
       std::vector<std::function<void()>>{[&] { Accounts(kBase).apply({}, {user}); },
                                          [&] {
                                            Accounts(kBase).apply({{"new", 10, user.mark}}, {});
                                          },
                                          [&] {
                                            Accounts(kBase).apply({{"wheel", 11, user.mark}}, {});
                                          }}) {
    const core::Error error = error_of(body);
    EXPECT_EQ(error.kind(), core::Kind::kCustomize);
    ASSERT_TRUE(error.mark());
    EXPECT_EQ(error.mark()->line, 7);
  }
}

TEST(Accounts, AnUnknownGroupIsAMistakeWithTheNearestName) {
  recipe::User user = user_named("ada");
  user.groups = {"whel"};
  const core::Error error = error_of([&] { Accounts(kBase).apply({}, {user}); });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
  EXPECT_EQ(error.hint(), "did you mean \"wheel\"?");
}

}  // namespace
}  // namespace imgforge::guest
