// Machines that go elsewhere: what is kept and sent of that, and how the other host is reached.
#include "builder/machines/move/bundle.hpp"
#include "builder/machines/move/libvirt.hpp"
#include "builder/machines/move/live_facts.hpp"
#include "builder/machines/move/peer.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/atomic_file.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using testing::good_settings;
using testing::kind_of;

const std::string kId(32, 'a');

MoveMark good_mark(const char* state) {
  MoveMark mark{1, kId, state, false, true, {"ssh://other", "b", "", "", {"Compression=yes"}}};
  if (mark.state == "arriving") mark.destination = {};
  return mark;
}

BundleHead good_head() {
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, "x");
  return {1, good_settings(), digest, 1 << 20, 0, {{"disk.qcow2", 4096, digest}}};
}

template <class Parse>
void expect_strict(const std::string& good, Parse parse) {
  const core::Json all = core::parse_json(good, "test");
  for (const auto& [name, value] : all.items()) {
    core::Json lacks = all;
    lacks.erase(name);
    EXPECT_EQ(kind_of([&] { parse(lacks.dump()); }), Kind::kIntegrity) << name;
    core::Json other = all;
    other[name] = core::Json::array({1, core::Json::object()});
    EXPECT_EQ(kind_of([&] { parse(other.dump()); }), Kind::kIntegrity) << name;
  }
  core::Json more = all;
  more["more"] = 1;
  EXPECT_EQ(kind_of([&] { parse(more.dump()); }), Kind::kIntegrity);
}

TEST(MoveMark, IsReadBackAndStrict) {
  for (const char* state : {"leaving", "gone", "arriving"})
    EXPECT_EQ(parse_mark(print_mark(good_mark(state))), good_mark(state));
  expect_strict(print_mark(good_mark("gone")), [](const std::string& text) { parse_mark(text); });
  MoveMark mark = good_mark("gone");
  mark.id = "../x";
  EXPECT_EQ(kind_of([&] { print_mark(mark); }), Kind::kIntegrity);
  mark = good_mark("gone");
  mark.destination.name = "../x";
  EXPECT_EQ(kind_of([&] { print_mark(mark); }), Kind::kIntegrity);
  mark = good_mark("gone");
  mark.state = "arriving";
  EXPECT_EQ(kind_of([&] { print_mark(mark); }), Kind::kIntegrity);
}

TEST(MoveMark, SaysWhoMayStart) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "mark");
  EXPECT_NO_THROW(settle_mark(folder.path(), ""));
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), kId); }), Kind::kUsage);
  write_mark(folder.path(), good_mark("gone"));
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), ""); }), Kind::kUsage);
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), kId); }), Kind::kUsage);
  write_mark(folder.path(), good_mark("arriving"));
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), ""); }), Kind::kUsage);
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), std::string(32, 'b')); }), Kind::kUsage);
  EXPECT_NO_THROW(settle_mark(folder.path(), kId));
  EXPECT_TRUE(read_mark(folder.path()));
  write_mark(folder.path(), good_mark("leaving"));
  EXPECT_NO_THROW(settle_mark(folder.path(), ""));
  EXPECT_FALSE(read_mark(folder.path()));  // whoever starts it ends the move
  core::write_file_atomically(folder / "move.json", "{");
  EXPECT_EQ(kind_of([&] { settle_mark(folder.path(), ""); }), Kind::kIntegrity);
}

TEST(BundleHead, IsReadBackAndStrict) {
  EXPECT_EQ(parse_head(print_head(good_head())), good_head());
  expect_strict(print_head(good_head()), [](const std::string& text) { parse_head(text); });
}

TEST(BundleHead, HasNoFilesButThoseOfAMachine) {
  const auto refused = [](auto change) {
    BundleHead head = good_head();
    change(head);
    EXPECT_EQ(kind_of([&] { print_head(head); }), Kind::kIntegrity);
  };
  refused([](BundleHead& head) { head.files[0].name = "machine.json"; });
  refused([](BundleHead& head) { head.files[0].name = "../disk.qcow2"; });
  refused([](BundleHead& head) { head.files[0].size = 0; });
  refused([](BundleHead& head) { head.files[0].size = 1ULL << 60; });
  refused([](BundleHead& head) { head.files.push_back({"variables.qcow2", 1, head.base}); });
  refused([](BundleHead& head) { head.variables_size = 4096; });
  refused([](BundleHead& head) { head.disk_size = 1000; });
  refused([](BundleHead& head) { head.base = {}; });
  refused([](BundleHead& head) { head.settings.disposable = true; });
}

TEST(Peer, IsReachedBySshOrHere) {
  Destination destination{"ssh://me@host.example:2222", "b", "/opt/img forge", "/srv/out", {"ProxyJump=x"}};
  const PeerCommand far = peer_command(destination, {"receive", "offer"}, "unused");
  EXPECT_EQ(std::vector<std::string>(far.words.begin() + 1, far.words.end() - 1),
            (std::vector<std::string>{"-T", "-o", "ProxyJump=x", "-p", "2222", "me@host.example"}));
  EXPECT_EQ(
      far.words.back(),
      "'/opt/img forge' '--json' '--progress' 'plain' '--output-dir' '/srv/out' 'vm' 'receive' 'offer'");
  destination = {"/var/state", "b", "", "", {}};
  const PeerCommand near = peer_command(destination, {"receive", "offer"}, "/usr/bin/imgforge");
  EXPECT_EQ(near.state_home, "/var/state");
  EXPECT_EQ(near.words.front(), "/usr/bin/imgforge");
  for (const char* to : {"ssh://", "ssh://-x", "ssh://a@-b", "ssh://a b", "ssh://a;b", "ssh://a:0",
                         "ssh://a:70000", "ssh://@a", "ssh://a@", "http://a", "relative"})
    EXPECT_EQ(kind_of([&] { check_destination(to); }), Kind::kUsage) << to;
  for (const char* to : {"ssh://a", "ssh://a/", "ssh://u@a.example:22", "ssh://[::1]:22", "/state"})
    EXPECT_NO_THROW(check_destination(to)) << to;
}

TEST(LiveFacts, DifferencesAreSaid) {
  const LiveFacts one{"7.2", "kvm", "A (1)"};
  EXPECT_TRUE(differences(one, one).empty());
  EXPECT_EQ(differences({"8.0", "kvm", "B (1)"}, one).size(), 2U);
  EXPECT_EQ(differences({"7.2", "tcg", ""}, one).size(), 1U);
}

TEST(Libvirt, ChoosesFirmwareBySelectionAndEscapes) {
  Settings settings = good_settings();
  settings.firmware = "uefi";
  settings.shares = {{"/srv/it's <a> & b", "shared", true}};
  const std::string xml = domain_xml(settings, "/m", "/m/a&b.fd", machine::Accelerator::kEmulation);
  EXPECT_NE(xml.find("<os firmware='efi'>"), std::string::npos);
  EXPECT_EQ(xml.find("OVMF"), std::string::npos);
  EXPECT_NE(xml.find("<source dir='/srv/it&#39;s &lt;a&gt; &amp; b'/>"), std::string::npos);
  EXPECT_NE(xml.find("<readonly/>"), std::string::npos);
  EXPECT_NE(xml.find("<domain type='qemu'>"), std::string::npos);
  EXPECT_NE(xml.find("<nvram>/m/a&amp;b.fd</nvram>"), std::string::npos);
  EXPECT_NE(xml.find("<feature enabled='no' name='secure-boot'/>"), std::string::npos);
  EXPECT_EQ(xml.find("smm"), std::string::npos);
  settings.firmware = "secure-boot";
  const std::string secure = domain_xml(settings, "/m", "/m/v.fd", machine::Accelerator::kKvm);
  for (const char* part : {"<feature enabled='yes' name='secure-boot'/>", "<nvram>/m/v.fd</nvram>",
                           "<smm state='on'/>", "<suspend-to-mem enabled='no'/>"})
    EXPECT_NE(secure.find(part), std::string::npos) << part;
  settings.firmware = "bios";
  const std::string bios = domain_xml(settings, "/m", "", machine::Accelerator::kKvm);
  for (const char* part : {"nvram", "firmware", "loader", "smm"})
    EXPECT_EQ(bios.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace imgforge::machines
