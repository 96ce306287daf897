// Versions of programs: asked once, remembered where that is possible.
#include "builder/machine/tool_versions.hpp"

#include <gtest/gtest.h>

#include <array>

#include "core/atomic_file.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

constexpr std::array<std::string_view, 1> kPrograms{"qemu-img"};

TEST(ToolVersions, AreRemembered) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "tools");
  const core::Json first = tool_versions(kPrograms, core::system_processes(), folder / "cache", {});
  EXPECT_TRUE(std::filesystem::exists(folder / "cache/tools.json"));
  EXPECT_EQ(tool_versions(kPrograms, core::system_processes(), folder / "cache", {}), first);
}

TEST(ToolVersions, AreToldWhereNothingCanBeRemembered) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "tools");
  core::write_file_atomically(folder / "file", "");
  const core::Json versions = tool_versions(kPrograms, core::system_processes(), folder / "file/cache", {});
  EXPECT_FALSE(versions.at("qemu-img").get<std::string>().empty());
}

}  // namespace
}  // namespace imgforge::machine
