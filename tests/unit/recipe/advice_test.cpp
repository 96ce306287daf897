// What is allowed in a recipe and rarely meant.
#include "builder/recipe/advice.hpp"

#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::parsed;
using testing::with_head;

ResolvedRecipe whole(const std::string& text) {
  return resolve(parsed(with_head(text)), "", {});
}

constexpr const char* kAlpine = "base: { alpine: { release: 3.22 } }\n";

std::vector<std::string> advice_on(const std::string& text) {
  std::vector<std::string> out;
  for (const Advice& advice : advise(whole(text))) out.push_back(advice.text);
  return out;
}

bool says(const std::vector<std::string>& all, std::string_view words) {
  return all.size() == 1 && all.front().find(words) != std::string::npos;
}

std::string alpine(const std::string& more) {
  return kAlpine + std::string("packages: { add: [linux-virt] }\n") + more;
}

TEST(Advice, NothingIsSaidOfAPlainRecipe) {
  EXPECT_TRUE(advice_on("base: embedded\n").empty());
  EXPECT_TRUE(advice_on(alpine("")).empty());
}

TEST(Advice, FormatsThatStartNeedAKernel) {
  EXPECT_TRUE(says(advice_on(std::string(kAlpine) + "formats: [rootfs, qcow2]\n"), "qcow2 needs a kernel"));
  EXPECT_TRUE(advice_on(std::string(kAlpine) + "formats: [rootfs, oci]\n").empty());
  EXPECT_TRUE(
      says(advice_on(std::string(kAlpine) + "packages: { add: [linux-pam, linux-firmware] }\n"), "kernel"));
  EXPECT_TRUE(advice_on(std::string(kAlpine) + "packages: { add: [linux-lts=6.6] }\n").empty());
  EXPECT_TRUE(advice_on(std::string(kAlpine) + "run: [\"make a kernel\"]\n").empty());
}

TEST(Advice, HostKeysOnARootThatForgets) {
  const std::string sshd = "services: { default: [sshd] }\n";
  EXPECT_TRUE(says(advice_on(alpine(sshd)), "sshd makes new host keys at every start"));
  EXPECT_TRUE(advice_on(alpine(sshd + "disk: { root: writable }\nformats: [qcow2]\n")).empty());
  EXPECT_TRUE(says(advice_on(alpine(sshd + "disk: { root: writable }\nformats: [qcow2, usb]\n")), "of usb"));
  EXPECT_TRUE(advice_on(alpine(sshd + "formats: [rootfs]\n")).empty());
  EXPECT_TRUE(
      advice_on(alpine(sshd + "files: [{ path: /etc/ssh/ssh_host_ed25519_key, content: x }]\n")).empty());
  EXPECT_TRUE(says(advice_on(alpine("services: { default: [dropbear] }\n")), "dropbear makes"));
}

TEST(Advice, NetworkingNeedsItsInterfaces) {
  const std::string networking = "services: { boot: [networking] }\n";
  EXPECT_TRUE(says(advice_on(alpine(networking)), "/etc/network/interfaces"));
  EXPECT_TRUE(
      advice_on(alpine(networking + "files: [{ path: /etc/network/interfaces, content: x }]\n")).empty());
  EXPECT_TRUE(
      advice_on(alpine(networking + "links: [{ path: /etc/network/interfaces, target: x }]\n")).empty());
}

TEST(Advice, ScriptsFromWindows) {
  const std::string file =
      "files: [{ path: /usr/bin/x, mode: \"0755\", content: \"#!/bin/sh\\r\\necho\\r\\n\" }]\n";
  ResolvedRecipe recipe = whole(alpine(file));
  ASSERT_EQ(advise(recipe).size(), 1U);
  EXPECT_NE(advise(recipe).front().text.find("/usr/bin/x cannot be started"), std::string::npos);
  recipe.files.front().content = core::Content("text\r\n#!/bin/sh\r\n");
  EXPECT_TRUE(advise(recipe).empty());
}

}  // namespace
}  // namespace imgforge::recipe
