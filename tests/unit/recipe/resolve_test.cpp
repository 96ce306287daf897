#include "builder/recipe/resolve.hpp"

#include "builder/recipe/schema/schema.hpp"
#include "builder/recipe/show/show.hpp"
#include "core/atomic_file.hpp"
#include "core/temp_dir.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::error_of;
using testing::parsed;
using testing::resolved;
using testing::with_head;
using Words = std::vector<std::string>;

Words values(const std::vector<Marked>& list) {
  Words out;
  for (const Marked& item : list) out.push_back(item.value);
  return out;
}

TEST(Resolve, DefaultsAreThere) {
  const ResolvedRecipe recipe = resolve(parsed(with_head("base: { alpine: { release: 3.20 } }\n")), "",
                                        {.build_time = core::UnixTime(std::chrono::seconds(1795132800))});
  const auto& alpine = std::get<AlpineBase>(recipe.base);
  EXPECT_EQ(alpine.release, "3.20");
  EXPECT_EQ(alpine.arch, "x86_64");
  EXPECT_EQ(alpine.mirrors, Words{"https://dl-cdn.alpinelinux.org/alpine"});
  EXPECT_FALSE(alpine.digest);
  EXPECT_EQ(recipe.version, "v20261120");
  EXPECT_EQ(recipe.profile, "");
  EXPECT_EQ(recipe.line(), "demo");
  EXPECT_EQ(recipe.hostname, "demo");
  EXPECT_EQ(recipe.timezone, "UTC");
  EXPECT_EQ(values(recipe.packages.repositories), (Words{"main", "community"}));
  EXPECT_EQ(recipe.kernel.package, "");
  EXPECT_EQ(values(recipe.formats), Words{"qcow2"});
  EXPECT_EQ(recipe.disk.size, core::gib(1));
  EXPECT_EQ(recipe.disk.root_filesystem, "ext4");
  EXPECT_EQ(recipe.disk.root_mode, RootMode::kReadOnly);
  EXPECT_EQ(recipe.requirements.memory, core::mib(128));
  EXPECT_EQ(recipe.requirements.cpus, 1U);
  EXPECT_EQ(recipe.qcow2_compression, Qcow2Compression::kZstd);
  EXPECT_TRUE(recipe.boot_expect.empty());
}

constexpr std::string_view kEverything = R"(imgforge: 1
name: everything
description: All fields
version: v1.2.0
vars: { greeting: "hi there" }
base:
  alpine:
    release: 3.22.2
    arch: x86_64
    flavor: minirootfs
    mirrors: [http://mirror.example/alpine/, file:///srv/alpine]
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
packages:
  repositories: [main, https://repo.example/x/]
  image_repositories: [https://repo.example/v3/main/]
  keys: [keys/team.rsa.pub]
  add: [alpine-base, "chrony>4", so:libc.musl-x86_64.so.1, openssh=9.6_p1-r0]
  remove: [apk-tools]
files:
  - { path: /etc/motd, content: "{{ vars.greeting }} {{ profile }}\n", mode: 0600, owner: "www:www-data" }
  - path: /opt/tool
    source: files/tool
    template: true
    mode: "4755"
directories:
  - { path: /srv/data, mode: 750, owner: voice:voice }
links:
  - { path: /usr/bin/vi, target: ../../bin/busybox }
groups:
  - { name: voice, gid: 2000 }
users:
  - name: voice
    uid: 2000
    password: $6$salt$abcdefghijklmnopqrstuvwxyz./ABC
    shell: /bin/ash
    home: /srv/voice
    ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE voice@example"]
    groups: [audio]
  - { name: guest, password: none }
services:
  sysinit: [devfs]
  boot: [hostname]
  default: [sshd, net.eth0]
  nonetwork: [local]
  shutdown: [killprocs]
hostname: every.thing
agent: false
timezone: Europe/Berlin
modules: [virtio_snd]
sysctl: { vm.swappiness: 10, kernel.panic: "-1" }
kernel: { package: linux-lts, cmdline: [quiet, mitigations=auto], initramfs_modules: [dm_crypt] }
run:
  - |
    echo one
    echo two
  - echo three
vex:
  - { vulnerability: CVE-1, package: a, status: not_affected, justification: component_not_present, status_notes: looked }
  - { vulnerability: CVE-2, package: a, status: not_affected, impact_statement: never called }
  - { vulnerability: CVE-2, package: b, status: affected, action_statement: update }
models:
  - name: tiny
    source: https://models.example/tiny.gguf
    mirrors: ["https://mirror.example/tiny.gguf?sig=1"]
    version: v1.1
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    size: 637M
    format: gguf
    licence: MIT
    path: /opt/models
    when: build
    layout: ollama
    quantization: Q4_K_M
    parameters: 1.1B
    metadata: { language: en }
    allow_pickle: [pytorch_model.bin]
disk: { size: 2G, root_filesystem: ext4, root: read-only }
requirements: { memory: 256M, cpus: 2 }
formats: [qcow2, raw]
qcow2: { compression: zlib }
vm: { network: bridge, maximum_memory: 3G }
iso: { volume_id: MY_MEDIUM }
usb: { data_size: 128M }
boot: { timeout: 3, default: recovery, recovery: true, quiet: true, expect: ["login:", "voice .* ready"] }
secure_boot: { keys: keys/lab.secure-boot, enroll: force }
first_boot:
  { name: voice, questions: [hostname, model], update: ["https://m.example/models.list"], attempts: 3,
    longest_wait: 9, serial: 12, shared: host, log: /var/log/first }
shared:
  commands: [shutdown, restart, config]
  services: [voice]
  config: [{ key: sensitivity, values: [low, high] }]
profiles:
  only:
)";

class Everything : public ::testing::Test {
 protected:
  Everything() {
    std::filesystem::create_directories(folder / "keys");
    std::filesystem::create_directories(folder / "files");
    core::write_file_atomically(folder / "keys/team.rsa.pub", "key\n");
    core::write_file_atomically(folder / "files/tool", "#!/bin/sh\necho {{ version }}\n");
  }
  core::TempDir folder{std::filesystem::temp_directory_path(), "recipe-test"};
};

TEST_F(Everything, ReadsEveryField) {
  const Recipe recipe = parsed(kEverything, folder.path());
  EXPECT_EQ(recipe.profiles(), Words{"only"});
  const ResolvedRecipe all = resolve(recipe, "only", {});
  EXPECT_EQ(all.line(), "everything-only");
  EXPECT_EQ(all.version, "v1.2.0");
  const auto& alpine = std::get<AlpineBase>(all.base);
  EXPECT_EQ(alpine.mirrors, (Words{"http://mirror.example/alpine", "file:///srv/alpine"}));
  EXPECT_EQ(alpine.digest->to_string().substr(0, 11), "sha256:0123");
  EXPECT_EQ(values(all.packages.repositories), (Words{"main", "https://repo.example/x"}));
  EXPECT_EQ(values(all.packages.image_repositories), Words{"https://repo.example/v3/main"});
  EXPECT_EQ(all.packages.keys.at(0).value, (folder / "keys/team.rsa.pub").native());
  EXPECT_EQ(all.packages.key_digests.at(0), core::digest_of(core::HashAlgorithm::kSha256, "key\n"));
  EXPECT_EQ(values(all.packages.add),
            (Words{"alpine-base", "chrony>4", "so:libc.musl-x86_64.so.1", "openssh=9.6_p1-r0"}));
  EXPECT_EQ(values(all.packages.remove), Words{"apk-tools"});
  EXPECT_EQ(*all.files.at(0).content.text(), "hi there only\n");
  EXPECT_EQ(all.files[0].mode, 0600U);
  EXPECT_EQ(all.files[0].owner, "www");
  EXPECT_EQ(all.files[0].group, "www-data");
  EXPECT_EQ(*all.files.at(1).content.text(), "#!/bin/sh\necho v1.2.0\n");
  EXPECT_EQ(all.files[1].mode, 04755U);
  EXPECT_EQ(all.files[1].mark.line, 21);
  EXPECT_EQ(all.directories.at(0).mode, 0750U);
  EXPECT_EQ(all.links.at(0).target, "../../bin/busybox");
  EXPECT_EQ(all.groups.at(0).gid, 2000U);
  EXPECT_EQ(all.users.at(0).uid, 2000U);
  EXPECT_TRUE(all.users[0].password_hash.starts_with("$6$salt$"));
  EXPECT_FALSE(all.users[0].passwordless);
  EXPECT_EQ(all.users[0].home, "/srv/voice");
  EXPECT_EQ(all.users[0].ssh_keys.size(), 1U);
  EXPECT_TRUE(all.users.at(1).passwordless);
  EXPECT_EQ(all.users[1].shell, "/bin/sh");
  ASSERT_EQ(all.services.size(), 6U);
  EXPECT_EQ(all.services[0].runlevel, "sysinit");
  EXPECT_EQ(all.services[3].name, "net.eth0");
  EXPECT_EQ(all.hostname, "every.thing");
  EXPECT_EQ(all.timezone, "Europe/Berlin");
  EXPECT_EQ(all.modules, Words{"virtio_snd"});
  EXPECT_EQ(all.sysctl.at("vm.swappiness"), "10");
  EXPECT_EQ(all.sysctl.at("kernel.panic"), "-1");
  EXPECT_EQ(all.kernel.package, "linux-lts");
  EXPECT_EQ(all.kernel.cmdline, (Words{"quiet", "mitigations=auto"}));
  EXPECT_EQ(all.run.at(0).script, "echo one\necho two\n");
  EXPECT_EQ(all.run.at(1).script, "echo three");
  ASSERT_EQ(all.models.size(), 1U);
  const Model& model = all.models[0];
  EXPECT_EQ(model.name, "tiny");
  EXPECT_EQ(model.source.kind, SourceKind::kUrl);
  EXPECT_EQ(model.mirrors.front().text, "https://mirror.example/tiny.gguf");
  EXPECT_EQ(model.with_query(model.mirrors.front().text), "https://mirror.example/tiny.gguf?sig=1");
  EXPECT_EQ(model.version, "v1.1");
  EXPECT_EQ(model.sha256->to_string().substr(0, 11), "sha256:0123");
  EXPECT_EQ(model.size, core::mib(637));
  EXPECT_EQ(model.format, "gguf");
  EXPECT_EQ(model.licence, "MIT");
  EXPECT_EQ(model.path, "/opt/models");
  EXPECT_EQ(model.when, ModelTime::kBuild);
  EXPECT_EQ(model.layout, ModelLayout::kOllama);
  EXPECT_EQ(model.quantization, "Q4_K_M");
  EXPECT_EQ(model.parameters, "1.1B");
  EXPECT_EQ(model.metadata.at("language"), "en");
  EXPECT_EQ(model.allow_pickle, Words{"pytorch_model.bin"});
  EXPECT_EQ(all.disk.size, core::gib(2));
  EXPECT_EQ(all.disk.root_mode, RootMode::kReadOnly);
  EXPECT_EQ(all.requirements.cpus, 2U);
  EXPECT_EQ(values(all.formats), (Words{"qcow2", "raw"}));
  EXPECT_EQ(all.qcow2_compression, Qcow2Compression::kZlib);
  EXPECT_EQ(all.vm.network, VmNetwork::kBridge);
  EXPECT_EQ(all.vm.maximum_memory, core::gib(3));
  EXPECT_EQ(all.iso_volume_id, "MY_MEDIUM");
  EXPECT_EQ(all.usb_data_size, core::mib(128));
  EXPECT_EQ(all.kernel.initramfs_modules, Words{"dm_crypt"});
  EXPECT_EQ(all.boot_menu.timeout, 3u);
  EXPECT_EQ(all.boot_menu.recovery_by_default, Toggle::kOn);
  EXPECT_EQ(all.boot_menu.recovery, Toggle::kOn);
  EXPECT_EQ(all.boot_menu.quiet, Toggle::kOn);
  EXPECT_EQ(all.boot_expect, (Words{"login:", "voice .* ready"}));
  ASSERT_TRUE(all.secure_boot);
  EXPECT_EQ(all.secure_boot->keys.value, "keys/lab.secure-boot");
  EXPECT_EQ(all.secure_boot->enrolment, Enrolment::kForce);
  ASSERT_EQ(all.vex.size(), 3U);
  EXPECT_EQ(all.vex[0].status_notes, "looked");
  EXPECT_EQ(all.vex[1].impact_statement, "never called");
  EXPECT_EQ(all.vex[2].action_statement, "update");
  ASSERT_TRUE(all.first_boot);
  EXPECT_EQ(all.first_boot->name, "voice");
  EXPECT_EQ(all.first_boot->questions, (Words{"hostname", "model"}));
  EXPECT_EQ(all.first_boot->update, (Words{"https://m.example/models.list"}));
  EXPECT_EQ(all.first_boot->attempts, 3U);
  EXPECT_EQ(all.first_boot->longest_wait, 9U);
  EXPECT_EQ(all.first_boot->serial, 12U);
  EXPECT_EQ(all.first_boot->shared, "host");
  EXPECT_EQ(all.first_boot->log, "/var/log/first");
  ASSERT_TRUE(all.shared);
  EXPECT_EQ(all.shared->lines(), (Words{"shutdown: graceful", "restart: voice", "config: sensitivity=low",
                                        "config: sensitivity=high"}));
}

TEST_F(Everything, NamesEveryFieldOfTheTable) {
  const Node root = parsed(kEverything, folder.path()).root();
  for (const Field& field : fields()) {
    if (field.path == "base.alpine.sha512") continue;  // only one digest may be given
    const Node* node = &root;
    std::string_view rest = field.path;
    while (node != nullptr && !rest.empty()) {
      const auto dot = std::min(rest.find('.'), rest.size());
      const Node* next = node->find(rest.substr(0, dot));
      for (const Node& item : node->items()) {
        if (next == nullptr) next = item.find(rest.substr(0, dot));
      }
      node = next;
      rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    EXPECT_NE(node, nullptr) << field.path << " is not in the example of all fields";
  }
}

constexpr std::string_view kProfiled = R"(packages: { add: [a, b, c=1] }
files:
  - { path: /a, content: base }
  - { path: /b, content: base }
sysctl: { x: 1, y: 1 }
services: { boot: [one], default: [two] }
description: outer
profiles:
  p:
    description: inner
    packages: { -add: [b], +add: [d, c=2, a] }
    +files: [{ path: /a, content: p }, { path: /c, content: p }]
    -files: [/b]
    sysctl: { y: 2, z: 2 }
    services: { +default: [three] }
    disk: { size: 2G }
    +formats: [raw]
  q:
    packages: { add: [z], +add: [y] }
    base: { alpine: { release: 3.22 } }
  r:
)";

TEST(Profiles, ExtendAndOverride) {
  const ResolvedRecipe p = resolved(kProfiled, "p");
  EXPECT_EQ(values(p.packages.add), (Words{"a", "c=2", "d"}));
  ASSERT_EQ(p.files.size(), 2U);
  EXPECT_EQ(p.files[0].path, "/a");
  EXPECT_EQ(*p.files[0].content.text(), "p");
  EXPECT_EQ(p.files[1].path, "/c");
  EXPECT_EQ(p.sysctl, (std::map<std::string, std::string>{{"x", "1"}, {"y", "2"}, {"z", "2"}}));
  ASSERT_EQ(p.services.size(), 3U);
  EXPECT_EQ(p.services[2].name, "three");
  EXPECT_EQ(p.disk.size, core::gib(2));
  EXPECT_EQ(values(p.formats), (Words{"qcow2", "raw"})) << "+ extends a default too";
  EXPECT_EQ(p.description, "inner");
  EXPECT_EQ(p.line(), "demo-p");
}

TEST(Profiles, ReplaceListsAndBase) {
  const ResolvedRecipe q = resolved(kProfiled, "q");
  EXPECT_EQ(values(q.packages.add), (Words{"z", "y"}));
  EXPECT_EQ(std::get<AlpineBase>(q.base).release, "3.22");
  EXPECT_EQ(std::get<AlpineBase>(q.base).mirrors.size(), 1U);
  EXPECT_EQ(q.description, "outer");
}

TEST(Profiles, MayChangeNothing) {
  EXPECT_EQ(values(resolved(kProfiled, "r").packages.add), (Words{"a", "b", "c=1"}));
}

TEST(Profiles, AreListedInOrderWithTheirDescriptions) {
  const Recipe recipe = parsed(with_head("base: embedded\n" + std::string(kProfiled)));
  EXPECT_EQ(recipe.profiles(), (Words{"p", "q", "r"}));
  EXPECT_EQ(recipe.description_of("p"), "inner");
  EXPECT_EQ(recipe.description_of("q"), "outer");
}

TEST(Profiles, UnknownOneIsAUsageError) {
  const core::Error error = error_of([] { resolved("profiles: { server: }\n", "sever"); });
  EXPECT_EQ(error.kind(), core::Kind::kUsage);
  EXPECT_EQ(error.hint(), "did you mean \"server\"?");
  EXPECT_EQ(error_of([] { resolved("", "p"); }).kind(), core::Kind::kUsage);
  EXPECT_EQ(error_of([] { resolved(kProfiled, ""); }).kind(), core::Kind::kUsage);
}

TEST(Profiles, RemovingWhatIsNotThereIsAnError) {
  const core::Error error = error_of([] {
    resolved("packages: { add: [openssh] }\nprofiles: { p: { packages: { -add: [opensh] } } }\n", "p");
  });
  EXPECT_EQ(error.message(), "packages.add has no \"opensh\" to remove");
  EXPECT_EQ(error.hint(), "did you mean \"openssh\"?");
  EXPECT_EQ(error.mark()->line, 5);
}

TEST(Set, ChangesTextsListsAndMaps) {
  const ResolvedRecipe recipe =
      resolved(kProfiled, "p",
               {"disk.size=3G", "packages.+add=htop,nano", "packages.-add=a", "sysctl.net.ipv4.ip_forward=1",
                "name=other", "boot.expect=", "-files=/c", "hostname=h"});
  EXPECT_EQ(recipe.disk.size, core::gib(3));
  EXPECT_EQ(values(recipe.packages.add), (Words{"c=2", "d", "htop", "nano"}));
  EXPECT_EQ(recipe.sysctl.at("net.ipv4.ip_forward"), "1");
  EXPECT_EQ(recipe.line(), "other-p");
  EXPECT_EQ(recipe.files.size(), 1U);
  EXPECT_EQ(recipe.hostname, "h");
}

TEST(Set, ChangesTheRelease) {
  const Recipe recipe = parsed(with_head("base: { alpine: { release: 3.22 } }\n"));
  const ResolvedRecipe out =
      resolve(recipe, "", {.set = {"base.alpine.release=3.20"}, .mirrors = {"http://127.0.0.1:8/"}});
  EXPECT_EQ(std::get<AlpineBase>(out.base).release, "3.20");
  EXPECT_EQ(std::get<AlpineBase>(out.base).mirrors, Words{"http://127.0.0.1:8"});
  EXPECT_EQ(std::get<AlpineBase>(resolve(recipe, "", {.set = {"base.alpine.mirrors=http://a,http://b"}}).base)
                .mirrors,
            (Words{"http://a", "http://b"}));
  EXPECT_EQ(error_of([&] { resolve(recipe, "", {.mirrors = {"ftp://x/"}}); }).kind(), core::Kind::kUsage);
}

TEST(Set, ErrorsShowTheOption) {
  struct Case {
    std::string option;
    int column;
    int length;
    std::string words;
  };
  for (const Case& c :
       {Case{"disk.size=10Q", 11, 3, "disk.size must be a size"}, Case{"dsk.size=1G", 1, 3, "\"disk\""},
        Case{"disk.sice=1G", 6, 4, "\"size\""}, Case{"disk=1G", 6, 2, "disk takes a mapping"},
        Case{"imgforge=2", 1, 8, "cannot be set"}, Case{"profiles.p.name=x", 1, 8, "cannot be set"},
        Case{"files=/x", 1, 5, "cannot be set"}, Case{"disk.+size=1G", 6, 5, "is not a list"},
        Case{"packages.+add=a,B D", 17, 3, "packages.add must be"}, Case{"nonsense", 1, 8, "path=value"},
        Case{"hostname.x=1", 10, 1, "has no fields"}, Case{"sysctl=1", 8, 1, "sysctl takes"}}) {
    const core::Error error = error_of([&] { resolved("", "", {c.option}); });
    EXPECT_EQ(error.kind(), core::Kind::kRecipe) << c.option;
    EXPECT_NE((error.message() + error.hint()).find(c.words), std::string::npos)
        << c.option << ": " << error.message() << error.hint();
    ASSERT_TRUE(error.mark()) << c.option;
    EXPECT_EQ(error.mark()->file, "--set");
    EXPECT_EQ(error.mark()->text, c.option);
    EXPECT_EQ(error.mark()->column, c.column) << c.option;
    EXPECT_EQ(error.mark()->length, c.length) << c.option;
  }
}

TEST(Resolve, TemplateErrorsPointIntoTheRecipe) {
  testing::expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\nfiles:\n  - path: /x\n    content: |\n      {{ name }}\n      b "
      "{{ nam }}\n",
      8, 9, "unknown variable \"nam\"");
  testing::expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\nfiles: [{ path: /x, content: \"{{ name }} {{ vars.x }}\" }]\n",
      4, 42, "unknown variable \"vars.x\"");
}

TEST_F(Everything, TemplateErrorsPointIntoTheSource) {
  core::write_file_atomically(folder / "files/tool", "one\ntwo {{ oops }}\n");
  const core::Error error = error_of([&] { resolve(parsed(kEverything, folder.path()), "only", {}); });
  EXPECT_EQ(error.mark()->file, (folder / "files/tool").native());
  EXPECT_EQ(error.mark()->line, 2);
  EXPECT_EQ(error.mark()->column, 5);
}

TEST(Resolve, HostNameComesFromTheName) {
  EXPECT_EQ(
      resolve(parse_recipe("imgforge: 1\nname: my_os+1.0-\nbase: embedded\n", "r", "/"), "", {}).hostname,
      "my-os-1-0");
}

TEST(Resolve, ModesAreOctal) {
  const auto mode = [](const std::string& text) {
    return resolved("files: [{ path: /x, content: x, mode: " + text + " }]\n").files.at(0).mode;
  };
  EXPECT_EQ(mode("0755"), 0755U);
  EXPECT_EQ(mode("755"), 0755U);
  EXPECT_EQ(mode("\"0755\""), 0755U);
  EXPECT_EQ(mode("0"), 0U);
}

TEST_F(Everything, LoadsAFile) {
  core::write_file_atomically(folder / "r.yaml", kEverything);
  const Recipe recipe = load_recipe(folder / "r.yaml");
  EXPECT_EQ(recipe.folder(), folder.path());
  EXPECT_EQ(recipe.name(), "everything");
  EXPECT_EQ(resolve(recipe, "only", {}).folder, folder.path());
}

TEST(Resolve, SecureBootIsForDisksThatNobodyWritesTo) {
  const std::string head = "imgforge: 1\nname: a\nbase: embedded\n";
  EXPECT_FALSE(testing::resolved("disk: { root: writable }\n").secure_boot);
  EXPECT_FALSE(testing::resolved("secure_boot: { enroll: off }\n").secure_boot) << "no keys, no Secure Boot";
  EXPECT_EQ(
      testing::resolved("secure_boot: { keys: lab }\nformats: [raw, vmdk, rootfs]\n").secure_boot->enrolment,
      Enrolment::kManual);
  testing::expect_refused(head + "secure_boot: { keys: lab }\ndisk: { root: writable }\n", 5, 15,
                          "needs a read-only root");
  testing::expect_refused(head + "secure_boot: { keys: lab }\nformats: [qcow2, iso]\n", 5, 18,
                          "the format iso cannot be had with secure_boot");
  testing::expect_refused(head + "secure_boot: { keys: lab }\nformats: [vm]\n", 5, 11,
                          "the format vm cannot");
}

TEST(Resolve, TheAgentIsAPackageAServiceAndAModule) {
  const auto names = [](const ResolvedRecipe& recipe) {
    std::vector<std::string> out;
    for (const Marked& package : recipe.packages.add) out.push_back(package.value);
    for (const Service& service : recipe.services) out.push_back(service.runlevel + "/" + service.name);
    out.insert(out.end(), recipe.modules.begin(), recipe.modules.end());
    return out;
  };
  EXPECT_EQ(names(testing::resolved("agent: false\n")), names(testing::resolved("")));
  const Words all{"qemu-guest-agent", "default/qemu-guest-agent", "virtio_console"};
  EXPECT_EQ(names(testing::resolved("agent: true\npackages: { add: [] }\n")), all);
  EXPECT_EQ(names(testing::resolved("agent: true\npackages: { add: [\"qemu-guest-agent=9-r0\"] }\n"
                                    "services: { boot: [qemu-guest-agent] }\nmodules: [virtio_console]\n")),
            (Words{"qemu-guest-agent=9-r0", "boot/qemu-guest-agent", "virtio_console"}));
  testing::expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\nagent: true\npackages: { remove: [qemu-guest-agent] }\n", 4, 8,
      "packages.remove has qemu-guest-agent");
}

TEST(Resolve, FirstBootNeedsNoMoreThanTrue) {
  const std::string head = "imgforge: 1\nname: a\nbase: embedded\n";
  EXPECT_FALSE(testing::resolved("").first_boot);
  EXPECT_FALSE(testing::resolved("first_boot: false\n").first_boot);
  const ResolvedRecipe short_form = testing::resolved("first_boot: true\n");
  ASSERT_TRUE(short_form.first_boot);
  EXPECT_EQ(short_form.first_boot->name, short_form.name);
  EXPECT_EQ(short_form.first_boot->questions,
            (std::vector<std::string>{"network", "model", "interface", "hostname", "timezone"}));
  EXPECT_EQ(short_form.first_boot->log, "/var/log/" + short_form.name + "-first-boot.log");
  EXPECT_EQ(to_json(short_form).at("first_boot"),
            to_json(testing::resolved("first_boot: {}\n")).at("first_boot"));
  testing::expect_refused(head + "first_boot: { attempts: 0 }\n", 4, 25, "from 1 to 1000");
  testing::expect_refused(head + "first_boot: { serial: 0 }\n", 4, 23, "from 1 to 4294967295");
  testing::expect_refused(head + "first_boot: { update: [\"file:///x\"] }\n", 4, 24, "http or https only");
  testing::expect_refused(head + "first_boot: { questions: [colour] }\n", 4, 27,
                          "network, model, interface, hostname, timezone");
  testing::expect_refused(head + "first_boot: yes\n", 4, 13, "must be true, false");
}

TEST(Resolve, TheSharedFolderAllowsWhatHasSomethingToActUpon) {
  const std::string head = "imgforge: 1\nname: demo\nbase: embedded\n";
  EXPECT_FALSE(testing::resolved("").shared);
  EXPECT_FALSE(testing::resolved("shared: false\n").shared);
  const ResolvedRecipe messages = testing::resolved("shared: true\n");
  ASSERT_TRUE(messages.shared);
  EXPECT_EQ(messages.shared->lines(), Words{});
  testing::expect_refused(head + "shared: { commands: [restart] }\n", 4, 9, "shared.services names nothing");
  testing::expect_refused(head + "shared: { services: [sshd] }\n", 4, 9, "shared.commands has no restart");
  testing::expect_refused(head + "shared: { commands: [config], config: [{ key: a, values: [] }] }\n", 4, 40,
                          "needs values");
  testing::expect_refused(head + "shared: { commands: [config], config: [{ key: ../a, values: [b] }] }\n", 4,
                          47, "letters, digits");
  testing::expect_refused(head + "shared: { commands: [run] }\n", 4, 22, "shutdown, restart, config");
}

}  // namespace
}  // namespace imgforge::recipe
