// The texts of a virtual machine bundle, each read by the program that it is for, and the bundle itself.
#include "builder/image/bundle/vm_bundle.hpp"

#include <gmock/gmock.h>

#include "core/bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class VmBundle : public testing::ImageTest {
 protected:
  VmBundle() {
    spec.name = "demo-server";
    spec.profile = "server";
    spec.description = "One <machine> & 'another'";
    spec.identity = "demo";
    spec.memory = core::mib(256);
    spec.maximum_memory = core::gib(1);
    spec.cpus = 2;
    spec.disk_size = core::mib(64);
    spec.epoch = 1700000000;
    spill(path("disk"), std::string("QFI\xfb") + std::string(3000000, 'x'));
  }

  fs::path write(const char* name = "demo.tar") {
    write_vm_bundle(path("disk"), spec, path(name), {});
    return path(name);
  }

  /// The bundle unpacked; returns its folder.
  fs::path unpack(const fs::path& tar) {
    run("tar", {"-xf", tar.native(), "-C", path("").native()});
    return path(spec.name);
  }

  core::ProcessResult start(const fs::path& folder, std::vector<std::string> args, const char* shell = "sh") {
    core::Command command;
    command.program = shell;
    if (std::string_view(shell) == "busybox") command.args = {"sh"};
    command.args.push_back(folder / "start.sh");
    command.args.insert(command.args.end(), args.begin(), args.end());
    command.environment["TMPDIR"] = "/var/tmp";
    return core::system_processes().run(command, {});
  }

  void expect_refused(const fs::path& file, const char* why) {
    try {
      check_vm_bundle(file, {});
      ADD_FAILURE() << "accepted";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kImage);
      EXPECT_THAT(std::string(error.what()), HasSubstr(why));
    }
  }

  VmSpec spec;
};

TEST_F(VmBundle, EqualArgumentsGiveEqualBytes) {
  EXPECT_EQ(slurp(write("a")), slurp(write("b")));
  spec.identity = "other";
  EXPECT_NE(slurp(write("c")), slurp(path("a")));
  EXPECT_EQ(run("tar", {"-tf", path("a").native()}),
            "demo-server/\ndemo-server/config.json\ndemo-server/disk.qcow2\ndemo-server/domain.xml\n"
            "demo-server/network.conf\ndemo-server/start.sh\n");
}

TEST_F(VmBundle, IsCheckedWhole) {
  const VmFacts facts = check_vm_bundle(write(), {});
  EXPECT_EQ(facts.name, "demo-server");
  EXPECT_EQ(facts.memory, core::mib(256));
  EXPECT_EQ(facts.cpus, 2U);
  EXPECT_EQ(facts.disk_size, core::mib(64));
  std::string bytes = slurp(path("demo.tar"));
  bytes[bytes.size() / 2] ^= 1;  // in the disk
  spill(path("damaged"), bytes);
  expect_refused(path("damaged"), "not the one that config.json names");
}

TEST_F(VmBundle, RefusesOtherMembers) {
  const fs::path folder = unpack(write());
  const auto packed = [&](const char* name) {
    run("tar", {"-C", path("").native(), "--sort=name", "-cf", path(name).native(), "demo-server"});
    return path(name);
  };
  EXPECT_NO_THROW(check_vm_bundle(packed("same"), {}));
  spill(folder / "more", "x");
  expect_refused(packed("more.tar"), "6 members");
  fs::remove(folder / "more");
  fs::permissions(folder / "start.sh", fs::perms::owner_read);
  expect_refused(packed("mode.tar"), "cannot be started");
  fs::remove(folder / "start.sh");
  expect_refused(packed("less.tar"), "no start.sh");
  fs::create_symlink("/bin/sh", folder / "start.sh");
  expect_refused(packed("link.tar"), "no place");
}

TEST_F(VmBundle, TheDomainIsValidForLibvirt) {
  for (const VmCard card : {VmCard::kUser, VmCard::kBridge, VmCard::kNone}) {
    for (const core::Bytes maximum : {core::gib(1), spec.memory}) {
      spec.network = card;
      spec.maximum_memory = maximum;
      spill(path("domain.xml"), vm_domain_xml(spec));
      EXPECT_THAT(run("virt-xml-validate", {path("domain.xml").native(), "domain"}), HasSubstr("validates"));
    }
  }
  EXPECT_EQ(run("xmllint", {"--xpath", "string(/domain/description)", path("domain.xml").native()}),
            spec.description + "\n");
}

TEST_F(VmBundle, TheDomainNamesTheFolderInWhichItIs) {
  const fs::path odd = path("a & b's |\\1 <c>");
  fs::rename(unpack(write()), odd);
  const core::ProcessResult result = start(odd, {"--domain"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  spill(path("domain.xml"), result.out);
  EXPECT_EQ(
      run("xmllint", {"--xpath", "string(/domain/devices/disk/source/@file)", path("domain.xml").native()}),
      (odd / "disk.qcow2").native() + "\n");
}

TEST_F(VmBundle, ConfigurationAndNetworkAgree) {
  const core::Json config = core::parse_json(vm_config(spec, {}, core::mib(3)), "config");
  EXPECT_EQ(config.at("memory").at("maximum"), std::uint64_t{1} << 30);
  EXPECT_EQ(config.at("network").at("mac"), vm_hardware_address(spec));
  EXPECT_THAT(vm_network_conf(spec),
              HasSubstr("NETWORK_MODE=user\nBRIDGE=br0\nMAC=" + vm_hardware_address(spec)));
  EXPECT_TRUE(vm_hardware_address(spec).starts_with("52:")) << "locally administered, unicast";
  spec.network = VmCard::kNone;
  EXPECT_FALSE(core::parse_json(vm_config(spec, {}, {}), "config").at("network").contains("mac"));
}

TEST_F(VmBundle, TheStartScriptIsPosixShell) {
  spill(path("start.sh"), vm_start_script(spec));
  run("sh", {"-n", path("start.sh").native()});
  run("busybox", {"sh", "-n", path("start.sh").native()});
}

TEST_F(VmBundle, ADryRunPrintsTheCommand) {
  const fs::path folder = unpack(write());
  for (const char* shell : {"sh", "busybox"}) {
    const core::ProcessResult plain = start(folder, {"--dry-run", "--accel", "tcg"}, shell);
    ASSERT_EQ(plain.exit_code, 0) << plain.err;
    EXPECT_EQ(
        plain.out,
        "mkdir -p /var/tmp/imgforge-vm.demo-server\n"
        "qemu-system-x86_64 -name demo-server -machine q35,graphics=off -accel tcg -cpu qemu64,+rdrand "
        "-m 256M,slots=4,maxmem=1024M -smp 2 -uuid " +
            core::parse_json(slurp(folder / "config.json"), "config").at("uuid").get<std::string>() +
            " -nodefaults -no-user-config -display none -vga none -serial mon:stdio "
            "-qmp unix:/var/tmp/imgforge-vm.demo-server/qmp.sock,server=on,wait=off "
            "-drive if=virtio,format=qcow2,discard=unmap,snapshot=on,file=" +
            folder.native() + "/disk.qcow2 -netdev user,id=net -device virtio-net-pci,netdev=net,mac=" +
            vm_hardware_address(spec) +
            " -device virtio-balloon-pci,id=balloon,deflate-on-oom=on "
            "-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng -device "
            "virtio-serial-pci "
            "-chardev socket,id=agent,path=/var/tmp/imgforge-vm.demo-server/agent.sock,server=on,wait=off "
            "-device virtserialport,chardev=agent,name=org.qemu.guest_agent.0\n");
  }
  EXPECT_FALSE(fs::exists("/var/tmp/imgforge-vm.demo-server"));
}

TEST_F(VmBundle, OptionsChangeTheCommand) {
  const fs::path folder = unpack(write());
  fs::create_directory(path("a, b"));
  spill(folder / "network.conf", "NETWORK_MODE=user\nMAC=\nHOST_FORWARDS='tcp::2222-:22 udp::5-:6'\n");
  const core::ProcessResult result =
      start(folder, {"--dry-run", "--accel", "kvm", "--memory", "1G", "--cpus", "3", "--uefi", "--snapshot",
                     "work", "--shared", path("a, b").native(), "--monitor", "/x/m.sock"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"-accel kvm -cpu host -m 1024M -smp 3 ", "-qmp unix:/x/m.sock,", "OVMF_CODE",
                           "snapshots/work.fd", "qemu-img create -q -f qcow2 -F qcow2 -b ../disk.qcow2 ",
                           "discard=unmap,file=", "user,id=net,hostfwd=tcp::2222-:22,hostfwd=udp::5-:6 ",
                           "-device virtio-net-pci,netdev=net ", "/a,, b'"})
    EXPECT_THAT(result.out, HasSubstr(part));
  EXPECT_FALSE(fs::exists(folder / "snapshots"));
  const core::ProcessResult writable = start(folder, {"--dry-run", "--accel", "tcg", "--writable"});
  EXPECT_THAT(writable.out, Not(HasSubstr("snapshot")));
}

TEST_F(VmBundle, WrongOptionsAreRefused) {
  const fs::path folder = unpack(write());
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--memory", "1X"},
                                             {"--memory"},
                                             {"--memory", "0"},
                                             {"--cpus", "a"},
                                             {"--snapshot", "../x"},
                                             {"--snapshot", "a", "--writable"},
                                             {"--accel", "xen"},
                                             {"--nonsense"}}) {
    std::vector<std::string> args = words;
    args.push_back("--dry-run");
    if (words.size() == 1 && words[0] == "--memory") args.pop_back();
    const core::ProcessResult result = start(folder, args);
    EXPECT_EQ(result.exit_code, 2) << words[0] << result.out;
    EXPECT_THAT(result.err, HasSubstr("--help"));
  }
  EXPECT_THAT(start(folder, {"--help"}).out, HasSubstr("--snapshot NAME"));
}

}  // namespace
}  // namespace imgforge::image
