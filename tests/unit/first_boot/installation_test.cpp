// Which files first boot brings into an image, and what they say.
#include "builder/first_boot/installation.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace imgforge::first_boot {
namespace {

recipe::FirstBoot section() {
  recipe::FirstBoot out;
  out.name = "demo";
  out.questions = {"network", "model"};
  out.update = {"https://a.example/list", "https://b.example/list"};
  out.attempts = 7;
  out.longest_wait = 30;
  out.shared = "shared";
  out.log = "/var/log/it's first.log";
  return out;
}

const File* file_at(const Installation& all, const std::string& path) {
  const auto found =
      std::find_if(all.files.begin(), all.files.end(), [&](const File& file) { return file.path == path; });
  return found == all.files.end() ? nullptr : &*found;
}

TEST(Installation, BringsProgramsSettingsAndTheService) {
  const Installation all = installation(section(), Init::kOpenRc);
  const File* setup = file_at(all, "/usr/lib/imgforge/first-boot/setup");
  ASSERT_NE(setup, nullptr);
  EXPECT_TRUE(setup->content.starts_with("#!/bin/sh\n"));
  EXPECT_TRUE(setup->content.ends_with("\n"));
  EXPECT_EQ(setup->mode, 0755U);
  const File* verifier = file_at(all, "/usr/lib/imgforge/first-boot/verify-signature");
  ASSERT_NE(verifier, nullptr);
  EXPECT_TRUE(verifier->content.starts_with("\177ELF"));
  EXPECT_EQ(verifier->mode, 0755U);
  const File* service = file_at(all, "/etc/init.d/first-boot");
  ASSERT_NE(service, nullptr);
  EXPECT_TRUE(service->content.starts_with("#!/sbin/openrc-run\n"));
  EXPECT_EQ(file_at(all, "/etc/local.d/first-boot.start"), nullptr);
  EXPECT_EQ(all.links.front().path, "/usr/bin/demo-model");
}

TEST(Installation, WithoutOpenRcAScriptOfLocalStartsIt) {
  const Installation all = installation(section(), Init::kLocalScripts);
  EXPECT_EQ(file_at(all, "/etc/init.d/first-boot"), nullptr);
  ASSERT_NE(file_at(all, "/etc/local.d/first-boot.start"), nullptr);
  EXPECT_EQ(file_at(all, "/etc/local.d/first-boot.start")->mode, 0755U);
}

TEST(Installation, SettingsAreQuotedForTheShell) {
  EXPECT_EQ(settings_text(section()),
            "# Written by imgforge from the section first_boot of the recipe.\n"
            "name='demo'\n"
            "questions='network model'\n"
            "updates='https://a.example/list https://b.example/list'\n"
            "attempts='7'\n"
            "longest_wait='30'\n"
            "stall='30'\n"
            "shared_tag='shared'\n"
            "log_file='/var/log/it'\\''s first.log'\n");
}

TEST(Installation, KnowsAllItsPaths) {
  const std::vector<std::string> all = paths(section());
  for (const char* path : {"/etc/demo", "/usr/bin/model", "/etc/init.d/first-boot",
                           "/etc/local.d/first-boot.start", "/usr/lib/imgforge/first-boot/settings"}) {
    EXPECT_NE(std::find(all.begin(), all.end(), path), all.end()) << path;
  }
}

}  // namespace
}  // namespace imgforge::first_boot
