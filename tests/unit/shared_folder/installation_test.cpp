// Which files the shared folder brings into an image, and what they say.
#include "builder/shared_folder/installation.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace imgforge::shared_folder {
namespace {

using first_boot::Init;

recipe::SharedFolder section() {
  recipe::SharedFolder out;
  out.shutdown = true;
  out.services = {"voice-service"};
  out.config = {{"sensitivity", {"low", "high"}}};
  return out;
}

const first_boot::File* file_at(const first_boot::Installation& all, const std::string& path) {
  const auto found = std::find_if(all.files.begin(), all.files.end(),
                                  [&](const first_boot::File& file) { return file.path == path; });
  return found == all.files.end() ? nullptr : &*found;
}

TEST(SharedFolder, BringsTheServiceAndExactlyWhatIsAllowed) {
  const first_boot::Installation all = installation(section(), Init::kOpenRc);
  const first_boot::File* allowed = file_at(all, "/etc/shared-folder/allowed");
  ASSERT_NE(allowed, nullptr);
  EXPECT_EQ(
      allowed->content,
      "shutdown: graceful\nrestart: voice-service\nconfig: sensitivity=low\nconfig: sensitivity=high\n");
  EXPECT_EQ(allowed->mode, 0644U);
  for (const char* program : {"mount", "serve", "once", "message"}) {
    const first_boot::File* file = file_at(all, std::string("/usr/lib/imgforge/shared-folder/") + program);
    ASSERT_NE(file, nullptr) << program;
    EXPECT_TRUE(file->content.starts_with("#!/bin/sh\n"));
    EXPECT_EQ(file->mode, 0755U);
  }
  ASSERT_NE(file_at(all, "/etc/init.d/shared-folder"), nullptr);
  EXPECT_EQ(all.links.back().path, "/etc/runlevels/boot/shared-folder");
  EXPECT_EQ(file_at(all, "/etc/local.d/shared-folder.start"), nullptr);
}

TEST(SharedFolder, WithoutOpenRcAScriptOfLocalStartsIt) {
  const first_boot::Installation all = installation(section(), Init::kLocalScripts);
  EXPECT_EQ(file_at(all, "/etc/init.d/shared-folder"), nullptr);
  ASSERT_NE(file_at(all, "/etc/local.d/shared-folder.start"), nullptr);
}

TEST(SharedFolder, KnowsAllItsPaths) {
  const std::vector<std::string> all = paths(section());
  for (const char* path :
       {"/shared", "/etc/shared-folder/allowed", "/usr/bin/shared-message", "/etc/init.d/shared-folder",
        "/etc/local.d/shared-folder.start", "/usr/lib/imgforge/shared-folder/serve"}) {
    EXPECT_NE(std::find(all.begin(), all.end(), path), all.end()) << path;
  }
}

}  // namespace
}  // namespace imgforge::shared_folder
