#include "builder/machines/supervisor/duties/hook.hpp"

#include <sys/stat.h>

#include <fstream>

#include "core/fd.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using testing::kind_of;

std::filesystem::path script(const core::TempDir& folder, const std::string& body) {
  const std::filesystem::path file = folder / "hook";
  std::ofstream(file) << "#!/bin/sh\n" << body << "\n";
  ::chmod(file.c_str(), 0755);
  return file;
}

TEST(Hook, IsCalledWithEachEventInOrder) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "hook");
  Hook hook(script(folder, "printf '%s\\n' \"$1\" >>" + (folder / "told").native()).native());
  hook.call(R"({"event":"a b"})");
  hook.call("$(reboot) second");
  hook.finish();
  EXPECT_EQ(core::read_text_file(folder / "told", 1000), "{\"event\":\"a b\"}\n$(reboot) second\n");
}

TEST(Hook, ThatIsGoneOrHangsHoldsNothingUp) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "hook");
  Hook gone((folder / "none").native());
  gone.call("event");
  gone.finish();
  Hook hangs(script(folder, "sleep 1000").native());
  for (int i = 0; i < 1000; ++i) hangs.call("event");
  ASSERT_TRUE(hangs.deadline());
  hangs.work(Hook::Clock::now());                             // nothing is over
  hangs.work(Hook::Clock::now() + std::chrono::seconds(11));  // the call was ended, and the next one began
  EXPECT_TRUE(hangs.deadline());
}

TEST(Hook, HasToBeAProgramOrAUrl) {
  EXPECT_NO_THROW(check_hook(""));
  EXPECT_NO_THROW(check_hook("/bin/true"));
  for (const char* target : {"true", "/etc/passwd", "/none", "ftp://host/", "file:///bin/true"})
    EXPECT_EQ(kind_of([&] { check_hook(target); }), Kind::kUsage) << target;
}

}  // namespace
}  // namespace imgforge::machines
