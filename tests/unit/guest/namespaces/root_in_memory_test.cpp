// A root file system that lies in memory.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "builder/guest/namespaces/namespace_sandbox.hpp"
#include "builder/guest/namespaces/probe.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest::test {
namespace {

class RootInMemory : public ::testing::Test {
 protected:
  std::unique_ptr<NamespaceSandbox> start(Ids ids, core::Bytes memory) {
    NamespaceOptions options;
    options.work_dir = folder_ / "work";
    options.memory = memory;
    options.ids = ids;
    return std::make_unique<NamespaceSandbox>(options);
  }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-root-in-memory"};
};

TEST_F(RootInMemory, SaysWhenItHasOutgrownIt) {
  if (!probe_namespaces(folder_.path(), Ids::kRange).works) GTEST_SKIP() << "no range of ids here";
  const std::string large(5 << 20, 'x');
  const auto sandbox = start(Ids::kRange, core::mib(2));
  sandbox->write("/small", "content");
  EXPECT_FALSE(sandbox->outgrew_memory());
  std::optional<core::Error> error;
  try {
    sandbox->write("/large", large);
    sandbox->write("/more", large);  // looks again, should the one before have been too quick
  } catch (const core::Error& caught) {
    error = caught;
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), core::Kind::kImage);
  EXPECT_TRUE(sandbox->outgrew_memory());

  const auto other = start(Ids::kRange, {});
  other->write("/large", large);
  EXPECT_EQ(other->read("/large").size(), large.size());
}

TEST_F(RootInMemory, IsNotUsedWithOneId) {
  if (!probe_namespaces(folder_.path(), Ids::kNotify).works) GTEST_SKIP() << "no namespaces here";
  const auto sandbox = start(Ids::kNotify, core::mib(2));
  sandbox->write("/large", std::string(5 << 20, 'x'));
  EXPECT_FALSE(sandbox->outgrew_memory());
}

}  // namespace
}  // namespace imgforge::guest::test
