// The sandbox that a build starts.

#include "builder/steps/profile/start_sandbox.hpp"

#include "builder/guest/namespaces/probe.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::steps::testing {
namespace {

class SandboxOfABuild : public StepsLab {
 protected:
  SandboxOfABuild() {
    tools_.start_sandbox = {};
    tools_.host = std::make_shared<stages::HostFacts>(core::system_processes(), progress_, folder_ / "cache",
                                                      cancel_, stages::IsolationWish::kNamespaces);
  }
};

TEST_F(SandboxOfABuild, OfNamespacesStartsInTheWorkFolderAndGoesWithItsFiles) {
  const guest::NamespaceProbe probe = guest::probe_namespaces(folder_.path());
  if (!probe.works) GTEST_SKIP() << "namespaces do not work here: " << probe.failure() << "; " << probe.mend;
  const fs::path work = tools_.scratch() / "build";
  {
    const std::unique_ptr<guest::Sandbox> sandbox = start_sandbox(tools_, {work, "demo-minimal"})->get();
    EXPECT_EQ(sandbox->kind().isolation, "namespaces");
    EXPECT_EQ(sandbox->kind().accelerator, "");
    EXPECT_EQ(sandbox->kind().reason, "--isolation says so");
    sandbox->write("/file", "content");
    EXPECT_EQ(sandbox->read("/file"), "content");
    EXPECT_EQ(sandbox->read("/none"), "");
    EXPECT_EQ(sandbox->scratch().parent_path().parent_path(), work);
    sandbox->finish();
  }
  EXPECT_TRUE(fs::is_empty(work));
}

TEST_F(SandboxOfABuild, OfNamespacesIsCancelledWithIt) {
  if (!guest::probe_namespaces(folder_.path()).works) GTEST_SKIP() << "namespaces do not work here";
  const std::unique_ptr<guest::Sandbox> sandbox =
      start_sandbox(tools_, {tools_.scratch(), "demo-minimal"})->get();
  cancel_.cancel();
  EXPECT_EQ(error_of([&] { sandbox->write("/file", "content"); }).kind(), core::Kind::kInterrupted);
}

class RootInMemory : public StepsLab {
 protected:
  RootInMemory() { recipe_ = small_recipe(mirror_.url()); }
  SmallAlpine mirror_;
};

TEST_F(RootInMemory, ThatIsFullIsLeftForADisk) {
  script_.outgrows_memory = true;
  EXPECT_EQ(run().outcome, artifacts::PublishOutcome::kPublished);
  EXPECT_EQ(script_.count("start"), 2);
  EXPECT_EQ(script_.count("finish"), 1);
}

TEST_F(RootInMemory, IsNoReasonToTryAgainWhatFailsElsewise) {
  script_.on_run = [](std::string_view) -> guest::ScriptResult { return {1, "no\n", false}; };
  failure();
  EXPECT_EQ(script_.count("run"), 1);
  EXPECT_EQ(script_.count("start"), 1);
}

}  // namespace
}  // namespace imgforge::steps::testing
