// machine.json, and what people write of ports, folders and names.
#include "builder/machines/registry/settings.hpp"

#include "core/json.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using testing::good_settings;
using testing::kind_of;

TEST(Settings, AreReadBack) {
  Settings settings = good_settings();
  settings.forwards = {{"127.0.0.1", 8080, 80, "tcp"}, {"0.0.0.0", 5353, 53, "udp"}};
  settings.shares = {{"/srv/a b", "shared", true}};
  settings.shared = true;
  settings.shared_commands = {"restart: voice-service"};
  settings.expect = {"login:"};
  settings.lacks = {"9p", "virtio-mem"};
  settings.autostart = true;
  EXPECT_EQ(parse_settings(print_settings(settings)), settings);
}

TEST(Settings, EveryMemberIsNeededAndNoOtherTaken) {
  const core::Json good = core::parse_json(print_settings(good_settings()), "test");
  for (const auto& [name, value] : good.items()) {
    core::Json lacks = good;
    lacks.erase(name);
    const bool came_later = name == "autostart" || name == "boot_rom" || name == "lacks";
    EXPECT_EQ(kind_of([&] { parse_settings(lacks.dump()); }),
              came_later ? std::nullopt : std::optional(Kind::kIntegrity))
        << name;
    core::Json other = good;
    other[name] = core::Json::array({1, core::Json::object()});
    EXPECT_EQ(kind_of([&] { parse_settings(other.dump()); }), Kind::kIntegrity) << name;
  }
  core::Json more = good;
  more["run"] = "rm -rf /";
  EXPECT_EQ(kind_of([&] { parse_settings(more.dump()); }), Kind::kIntegrity);
}

TEST(Settings, OfAnOlderProgramSayNothingOfWhatCameLater) {
  core::Json older = core::parse_json(print_settings(good_settings()), "test");
  older.erase("autostart");
  older.erase("boot_rom");
  older.erase("lacks");
  EXPECT_EQ(parse_settings(older.dump()), good_settings());
  older["shares"] = {{{"folder", "/srv"}, {"tag", "shared"}, {"read_only", false}}};
  EXPECT_EQ(parse_settings(older.dump()).shares, (std::vector<Share>{{"/srv", "shared", false, "9p"}}));
}

TEST(Settings, WhatNoMachineCanHaveIsRefused) {
  const auto refused = [](auto change) {
    Settings settings = good_settings();
    change(settings);
    return kind_of([&] { print_settings(settings); }) == Kind::kIntegrity;
  };
  EXPECT_FALSE(refused([](Settings&) {}));
  EXPECT_TRUE(refused([](Settings& s) { s.schema = 2; }));
  EXPECT_TRUE(refused([](Settings& s) { s.name = "../other"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.cpus = 0; }));
  EXPECT_TRUE(refused([](Settings& s) { s.lacks = {"a b"}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.autostart = s.disposable = true; }));
  EXPECT_TRUE(refused([](Settings& s) { s.memory = 1; }));
  EXPECT_TRUE(refused([](Settings& s) { s.max_memory = s.memory - 1; }));
  EXPECT_TRUE(refused([](Settings& s) { s.max_cpus = 256; }));
  EXPECT_TRUE(refused([](Settings& s) { s.firmware = "bios,file=/etc/passwd"; }));
  for (const char* network :
       {"bridge", "bridge=", "bridge=..", "bridge=a,b=c", "bridge=sixteen-letters-", "host"})
    EXPECT_TRUE(refused([&](Settings& s) { s.network = network; })) << network;
  EXPECT_TRUE(refused([](Settings& s) { s.firmware = "kernel"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.cmdline = "quiet"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.firmware = "kernel", s.cmdline = "quiet\n"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.boot_rom = kBootRom; }));
  EXPECT_TRUE(
      refused([](Settings& s) { s.firmware = "kernel", s.cmdline = "quiet", s.boot_rom = "/etc/rom"; }));
  EXPECT_FALSE(
      refused([](Settings& s) { s.firmware = "kernel", s.cmdline = "quiet", s.boot_rom = kBootRom; }));
  EXPECT_TRUE(refused([](Settings& s) { s.mac = "52:54:00:12:34:56,x=y"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.origin.file = "relative"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.origin.format = "vmdk"; }));
  EXPECT_TRUE(refused([](Settings& s) { s.expect = {"("}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shares = {{"/a", "t,x", false}}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shares = {{"/a", "t", false, "nfs"}}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.shares = {{"/a", "t", false}, {"/b", "t", false}}; }));
  EXPECT_TRUE(refused([](Settings& s) { s.forwards = {{"host", 1, 1, "tcp"}}; }));
}

TEST(Forward, IsReadAndWritten) {
  EXPECT_EQ(parse_forward("8080:80"), (Forward{"127.0.0.1", 8080, 80, "tcp"}));
  EXPECT_EQ(parse_forward("0.0.0.0:53:5353/udp"), (Forward{"0.0.0.0", 53, 5353, "udp"}));
  EXPECT_EQ(parse_forward("0.0.0.0:53:5353/udp").text(), "0.0.0.0:53:5353/udp");
  EXPECT_EQ(parse_forward("8080:80/tcp").text(), "127.0.0.1:8080:80");
}

TEST(Forward, NothingElseIsTaken) {
  for (const char* text : {"", "80", "a:80", "80:b", "0:80", "80:0", "65536:80", "80:65536", "-1:80",
                           "80:80/sctp", "80:80/", "localhost:80:80", "1.2.3:80:80", "1.2.3.4:80:80:80",
                           "80:80,x=y", " 80:80", "80:80 ", "80 :80", "+80:80"})
    EXPECT_EQ(kind_of([&] { parse_forward(text); }), Kind::kUsage) << text;
}

TEST(Share, IsAFolderThatIsThere) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "share");
  const std::string name = std::filesystem::canonical(folder.path());
  EXPECT_EQ(parse_share(name, 0), (Share{name, "shared", false}));
  EXPECT_EQ(parse_share(name + "/.:ro", 2), (Share{name, "shared2", true}));
  EXPECT_EQ(parse_share(name + ":virtiofs", 0), (Share{name, "shared", false, "virtiofs"}));
  for (const char* end : {":ro:virtiofs", ":virtiofs:ro"})
    EXPECT_EQ(parse_share(name + end, 0), (Share{name, "shared", true, "virtiofs"})) << end;
  for (const char* end : {"/none", ":ro:ro", ":virtiofs:virtiofs", ":9p"})
    EXPECT_EQ(kind_of([&] { parse_share(name + end, 0); }), Kind::kUsage) << end;
}

TEST(MachineName, IsOneWord) {
  for (const char* name : {"a", "project", "a.b_c+d-e", "0"})
    EXPECT_NO_THROW(check_machine_name(name)) << name;
  for (const char* name : {"", ".", "..", "a/b", "-a", ".a", "a b", "a\n", "\xc3\xa4"})
    EXPECT_EQ(kind_of([&] { check_machine_name(name); }), Kind::kUsage) << name;
  EXPECT_EQ(kind_of([] { check_machine_name(std::string(64, 'a')); }), Kind::kUsage);
}

}  // namespace
}  // namespace imgforge::machines
