// What is said of a QEMU that ended before it made the machine.
#include "builder/machines/qemu/failed_start.hpp"

#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

TEST(FailedStart, QuotesQemuAndSaysWhatHelps) {
  Settings settings = testing::good_settings("a");
  const core::Error plain = failed_start(settings, "qemu: no such\x1b device\n");
  EXPECT_EQ(plain.kind(), core::Kind::kBoot);
  EXPECT_EQ(plain.quote(), "qemu: no such\\x1b device");
  EXPECT_EQ(plain.hint(), "");
  EXPECT_NE(
      failed_start(settings, "qemu: Could not set up host forwarding rule 'tcp::80-:80'").hint().find("ss -"),
      std::string::npos);
  const std::string said = "access denied by acl file\nqemu: -netdev bridge: bridge helper failed\n";
  EXPECT_EQ(failed_start(settings, said).hint(), "") << "it has no bridge";
  settings.network = "bridge=br7";
  settings.forwards.clear();
  const std::string hint = failed_start(settings, said).hint();
  for (const char* words : {"ip link show br7", "allow br7", "/etc/qemu/bridge.conf", "chmod u+s"})
    EXPECT_NE(hint.find(words), std::string::npos) << hint;
}

}  // namespace
}  // namespace imgforge::machines
