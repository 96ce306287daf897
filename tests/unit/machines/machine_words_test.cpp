// QEMU's command line for what settings say, and ports that are taken.
#include "builder/machines/qemu/machine_words.hpp"

#include <gmock/gmock.h>

#include <set>

#include "builder/machines/qemu/links.hpp"
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/qemu/virtiofs.hpp"
#include "core/text.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using testing::good_settings;
using ::testing::HasSubstr;
using ::testing::Not;

std::string line_for(const Settings& settings,
                     machine::Accelerator accelerator = machine::Accelerator::kEmulation) {
  return core::join(machine_words(settings, accelerator, {"/m/project", "/fw/code.fd"}), " ");
}

struct Row {
  const char* name;
  void (*change)(Settings&);
  const char* has;
  const char* lacks;
};

class MachineWords : public ::testing::TestWithParam<Row> {};

TEST_P(MachineWords, SayWhatTheSettingsSay) {
  Settings settings = good_settings();
  const std::string before = line_for(settings);
  GetParam().change(settings);
  const std::string line = line_for(settings);
  EXPECT_THAT(line, HasSubstr(GetParam().has));
  EXPECT_THAT(before, Not(HasSubstr(GetParam().has)));
  if (*GetParam().lacks != '\0') {
    EXPECT_THAT(line, Not(HasSubstr(GetParam().lacks)));
    EXPECT_THAT(before, HasSubstr(GetParam().lacks));
  }
}

TEST(VirtiofsCommand, IsRootInANamespaceAndReadsOnlyWhatItMayNotWrite) {
  const Share share{"/a b", "shared", true, "virtiofs"};
  const core::Command command = virtiofs_command(share, 2, "/m/project", 1000);
  const std::string line = core::join(command.args, " ");
  EXPECT_THAT(line, HasSubstr("--map-root-user --map-auto --mount -- sh -c"));
  EXPECT_THAT(line, ::testing::EndsWith("/usr/lib/qemu/virtiofsd /a b share2.sock ro"));
  EXPECT_EQ(command.directory, "/m/project");
  EXPECT_TRUE(command.ends_with_caller);
  EXPECT_THAT(core::join(virtiofs_command(share, 2, "/m", 0).args, " "), Not(HasSubstr("--map")));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, MachineWords,
    ::testing::Values(
        Row{"cpus", [](Settings& s) { s.cpus = 3; }, "-smp 3", "-smp 1"},
        Row{"memory", [](Settings& s) { s.memory = 1U << 30; }, "-m 1024M", "-m 256M"},
        Row{"max_cpus", [](Settings& s) { s.max_cpus = 4; }, "-smp maxcpus=4", ""},
        Row{"max_memory", [](Settings& s) { s.max_memory = 1U << 30; }, "-m slots=32,maxmem=1024M", ""},
        Row{"name", [](Settings& s) { s.name = "other"; }, "name=opt/org.imgforge/hostname,string=other",
            "string=project"},
        Row{"graphics", [](Settings& s) { s.graphics = true; }, "-vga std -vnc unix:vnc.sock", "-vga none"},
        Row{"uefi", [](Settings& s) { s.firmware = "uefi"; },
            "if=pflash,unit=1,format=qcow2,file=/m/project/variables.qcow2", ""},
        Row{"secure", [](Settings& s) { s.firmware = "secure-boot"; }, "smm=on", ""},
        Row{"kernel",
            [](Settings& s) {
              s.firmware = "kernel";
              s.cmdline = "root=LABEL=a quiet";
            },
            "-kernel vmlinuz -initrd initramfs.img -append root=LABEL=a quiet", ""},
        Row{"boot_rom",
            [](Settings& s) {
              s.firmware = "kernel";
              s.boot_rom = kBootRom;
            },
            " -bios qboot.rom", ""},
        Row{"none", [](Settings& s) { s.network = "none"; }, "-nic none", "-netdev"},
        Row{"forward", [](Settings& s) { s.forwards = {parse_forward("127.0.0.1:8080:80/udp")}; },
            "hostfwd=udp:127.0.0.1:8080-:80", ""},
        Row{"ssh", [](Settings& s) { s.ssh_port = 2200; }, "hostfwd=tcp:127.0.0.1:2200-:22", ""},
        Row{"bridge", [](Settings& s) { s.network = "bridge=br0"; }, "-netdev bridge,id=net,br=br0",
            "-netdev user"},
        Row{"link",
            [](Settings& s) {
              s.links = {{"lab", "52:54:00:12:34:57"}};
            },
            ",localaddr=127.0.0.1 -device virtio-net-pci,netdev=link0,mac=52:54:00:12:34:57", ""},
        Row{"autoscale", [](Settings& s) { s.autoscale = parse_autoscale("128M..2G"); }, "-m 2048M",
            "-m 256M"},
        Row{"virtiofs",
            [](Settings& s) {
              s.shares = {{"/a", "shared", true}, {"/b", "other", false, "virtiofs"}};
            },
            "memory-backend-memfd,id=ram,share=on,size=256M -machine memory-backend=ram -chardev "
            "socket,id=share1,path=share1.sock -device vhost-user-fs-pci,chardev=share1,tag=other -fsdev",
            ""},
        Row{"share",
            [](Settings& s) {
              s.shares = {{"/a,b", "shared", true}};
            },
            "local,id=shared,security_model=mapped-xattr,path=/a,,b,readonly=on", ""},
        Row{"agent", [](Settings& s) { s.agent = true; }, "name=org.qemu.guest_agent.0", ""},
        Row{"unknown", [](Settings& s) { s.known = false; }, "name=org.qemu.guest_agent.0", ""},
        Row{"iso", [](Settings& s) { s.origin.format = "iso"; }, "media=cdrom,format=raw,readonly=on", ""}),
    [](const auto& row) { return row.param.name; });

TEST(MachineWordsOf, EveryMachineHaveNothingThatQemuAdds) {
  const std::string line = line_for(good_settings());
  for (const char* word : {"-nodefaults", "-no-user-config", "-display none", "format=qcow2"})
    EXPECT_THAT(line, HasSubstr(word));
  EXPECT_THAT(line_for(good_settings(), machine::Accelerator::kKvm), HasSubstr("-accel kvm -cpu host"));
}

TEST(Links, AreGroupsThatNoRouterPassesOn) {
  EXPECT_EQ(link_address("lab"), link_address("lab"));
  std::set<std::string> all;
  for (const char* name : {"lab", "lab2", "shop.backend", "shop.frontend"}) all.insert(link_address(name));
  EXPECT_EQ(all.size(), 4U);
  for (const std::string& address : all)
    EXPECT_THAT(address, ::testing::MatchesRegex("239\\.19[2-5]\\..*:[2-5][0-9]{4}"));
}

TEST(Ports, ATakenOneNamesWhoWantsIt) {
  Settings settings = good_settings();
  settings.forwards = {{"127.0.0.1", free_port(), 80, "tcp"}};
  EXPECT_NO_THROW(check_ports(settings));
  EXPECT_TRUE(is_free(settings.forwards[0]));
  // An address that is not this host's stands for one that cannot be listened at.
  settings.forwards = {{"192.0.2.1", 8080, 80, "tcp"}};
  try {
    check_ports(settings);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kMachine);
    EXPECT_THAT(error.message(), HasSubstr("project wants tcp port 8080"));
  }
}

}  // namespace
}  // namespace imgforge::machines
