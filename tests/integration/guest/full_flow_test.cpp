// Real sandboxes from the base tarball to the exported root file system, which is the same out of each.

#include "builder/guest/base.hpp"
#include "builder/guest/clean.hpp"
#include "builder/guest/customize.hpp"
#include "builder/guest/export.hpp"
#include "integration/guest/fixture.hpp"

namespace imgforge::guest::test {
namespace {

constexpr std::int64_t kEpoch = 1'763'596'800;

recipe::ResolvedRecipe recipe_with_everything() {
  recipe::ResolvedRecipe recipe;
  recipe.name = "test";
  recipe.hostname = "forge";
  recipe.timezone = "Europe/Vienna";
  recipe.groups = {{"media", 2000, {}}};
  recipe::User user;
  user.name = "ada";
  user.groups = {"media", "wheel"};
  user.ssh_keys = {"ssh-ed25519 AAAA ada@example"};
  recipe::User root;
  root.name = "root";
  root.passwordless = true;
  recipe.users = {user, root};
  recipe.directories = {{"/srv/data", 02775, "ada", "media", {}}};
  recipe.files = {{"/srv/data/hello", "hello\n", 0640, "ada", "media", {}},
                  {"/var/run/through-a-link/x", "", 0644, "root", "root", {}},
                  {"/etc/init.d/forge", "#!/sbin/openrc-run\n", 0755, "root", "root", {}}};
  recipe.links = {{"/usr/local/bin/say", "/usr/bin/hello-imgforge", {}}};
  recipe.services = {{"boot", "hostname", {}}, {"default", "forge", {}}};
  recipe.modules = {"virtio_net"};
  recipe.sysctl = {{"vm.swappiness", "10"}};
  recipe.run = {{"echo step one; id -u > /etc/step-one\nmkdir -p /var/tmp/x; date > /var/log/noise; echo "
                 "secret > /root/.ash_history",
                 {}},
                {"adduser -S -D daemon2\n! wget -q -T 3 http://127.0.0.1:1/ || exit 9", {}}};
  return recipe;
}

void expect_customised(const std::map<std::string, Member>& rootfs) {
  EXPECT_EQ(rootfs.at("etc/hostname").content, "forge\n");
  EXPECT_NE(rootfs.at("etc/hosts").content.find("127.0.1.1\tforge\n"), std::string::npos);
  EXPECT_NE(rootfs.at("etc/passwd").content.find("ada:x:1000:1000::/home/ada:/bin/sh\n"), std::string::npos);
  EXPECT_NE(rootfs.at("etc/group").content.find("media:x:2000:ada\n"), std::string::npos);
  EXPECT_NE(rootfs.at("etc/shadow").content.find("root:::"), std::string::npos);
  EXPECT_EQ(rootfs.at("etc/shadow").entry.mode, 0640U);
  EXPECT_EQ(rootfs.at("etc/shadow").entry.gid, 42U);
  EXPECT_EQ(rootfs.at("home/ada/.ssh/authorized_keys").entry.mode, 0600U);
  EXPECT_EQ(rootfs.at("home/ada/.ssh").entry.mode, 0700U);
  EXPECT_EQ(rootfs.at("home/ada/.ssh").entry.uid, 1000U);
  EXPECT_EQ(rootfs.at("srv/data").entry.mode, 02775U);
  EXPECT_EQ(rootfs.at("srv/data").entry.gid, 2000U);
  EXPECT_EQ(rootfs.at("srv/data/hello").content, "hello\n");
  EXPECT_EQ(rootfs.at("usr/local/bin/say").entry.link_target, "/usr/bin/hello-imgforge");
  EXPECT_EQ(rootfs.at("etc/runlevels/boot/hostname").entry.link_target, "/etc/init.d/hostname");
  EXPECT_EQ(rootfs.at("etc/runlevels/default/forge").entry.link_target, "/etc/init.d/forge");
  EXPECT_EQ(rootfs.at("etc/localtime").entry.link_target, "/usr/share/zoneinfo/Europe/Vienna");
  EXPECT_NE(rootfs.at("etc/modules").content.find("virtio_net\n"), std::string::npos);
  EXPECT_EQ(rootfs.at("etc/sysctl.d/imgforge.conf").content, "vm.swappiness = 10\n");
  EXPECT_NE(rootfs.at("etc/inittab").content.find("\nttyS0::respawn:"), std::string::npos);
  EXPECT_EQ(rootfs.at("etc/step-one").content, "0\n");
  EXPECT_EQ(rootfs.at("var/run").entry.type, artifacts::EntryType::kSymlink);
}

void expect_packages(const std::map<std::string, Member>& rootfs) {
  EXPECT_TRUE(rootfs.contains("boot/vmlinuz-virt"));
  EXPECT_FALSE(rootfs.contains("boot/initramfs-virt")) << "the kernel's trigger has run";
  EXPECT_TRUE(rootfs.contains("usr/bin/hello-imgforge"));
  EXPECT_NE(rootfs.at("var/lib/hello-imgforge/log").content.find("post-install"), std::string::npos);
  EXPECT_EQ(rootfs.at("etc/apk/repositories").content,
            "https://alpine.example/v3.19/main\nhttps://alpine.example/v3.19/community\n");
  EXPECT_EQ(rootfs.at("etc/apk/world").content,
            "alpine-base\nalpine-baselayout\nalpine-keys\napk-tools\nbusybox\nhello-imgforge\nlibc-utils\n"
            "linux-virt\nopenrc\ntzdata\n");
}

void expect_clean(const std::map<std::string, Member>& rootfs) {
  for (const char* absent : {"lost+found", ".imgforge", "var/log/noise", "root/.ash_history", "var/tmp/x",
                             "etc/resolv.conf", "etc/passwd-", "etc/shadow-", "etc/group-"}) {
    EXPECT_FALSE(rootfs.contains(absent)) << absent;
  }
  for (const char* folder : {"proc/", "sys/", "dev/", "run/", "tmp/", "var/cache/apk/"}) {
    const auto below = rootfs.upper_bound(folder);
    EXPECT_TRUE(below == rootfs.end() || !below->first.starts_with(folder)) << below->first;
    EXPECT_TRUE(rootfs.contains(std::string(folder, std::strlen(folder) - 1))) << folder;
  }
  for (const auto& [path, member] : rootfs) EXPECT_LE(member.entry.mtime, kEpoch) << path;
  // An account that a run step made carries no date.
  EXPECT_NE(rootfs.at("etc/shadow").content.find("daemon2:!::"), std::string::npos)
      << rootfs.at("etc/shadow").content;
}

/// All that a build does in a sandbox.
void run_flow(Sandbox& guest, const std::filesystem::path& mirror, const std::filesystem::path& target,
              Stopwatch& watch) {
  unpack_base(guest, minirootfs(mirror));
  watch.lap("base");
  const World world = world_of(mirror, {"alpine-base", "openrc", "linux-virt", "hello-imgforge", "tzdata"});
  const std::vector<PlannedPackage> plan = resolve(guest, world);
  watch.lap("resolve");
  EXPECT_GT(plan.size(), 8U);
  EXPECT_EQ(plan, resolve(guest, world)) << "resolving twice differs";
  watch.lap("resolve again");
  install(guest, world, plan, files_of(world, plan), {{"linux-virt"}, kEpoch, Seconds(300)});
  watch.lap("install");
  std::size_t steps = 0;
  CustomizeOptions customize_options;
  customize_options.epoch = kEpoch;
  customize_options.on_step = [&](std::size_t, std::size_t) { ++steps; };
  customize(guest, recipe_with_everything(), customize_options);
  watch.lap("customise");
  EXPECT_EQ(steps, 2U);
  clean_identity(guest, recipe_with_everything());
  watch.lap("clean");
  const artifacts::NormaliseResult result = export_rootfs(guest, target, kEpoch, guest.scratch());
  watch.lap("export");
  guest.finish();
  watch.lap("finish");
  EXPECT_EQ(result.entries, read_tar(target).size());
}

using Start = std::unique_ptr<Sandbox> (*)(const core::TempDir& folder, core::Bytes disk);

/// The flow in a sandbox that is gone afterwards, without a file left.
void make_root_file_system(Start start, const core::TempDir& folder, const std::filesystem::path& mirror,
                           const std::filesystem::path& target) {
  Stopwatch watch;
  {
    const std::unique_ptr<Sandbox> guest = start(folder, core::gib(8));
    watch.lap("start");
    run_flow(*guest, mirror, target, watch);
  }
  watch.lap("end");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "work"));
  EXPECT_EQ(children(), "");
  const std::map<std::string, Member> rootfs = read_tar(target);
  expect_customised(rootfs);
  expect_packages(rootfs);
  expect_clean(rootfs);
}

/// Says which members differ; the digests alone tell nobody anything.
void expect_same(const std::filesystem::path& one, const std::filesystem::path& other) {
  const auto bytes = [](const std::filesystem::path& file) { return core::read_text_file(file, 1 << 30); };
  if (bytes(one) == bytes(other)) return;
  ADD_FAILURE() << "the root file systems differ";
  const std::map<std::string, Member> ones = read_tar(one);
  const std::map<std::string, Member> others = read_tar(other);
  for (const auto& [path, member] : ones) {
    const auto found = others.find(path);
    if (found == others.end()) {
      ADD_FAILURE() << path << " is in the first alone";
      continue;
    }
    const artifacts::TarEntry& a = member.entry;
    const artifacts::TarEntry& b = found->second.entry;
    EXPECT_TRUE(a.type == b.type && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid &&
                a.mtime == b.mtime && a.link_target == b.link_target && a.xattrs == b.xattrs)
        << fmt::format("{}: mode {:o} {:o}, owner {} {}, mtime {} {}, link {} {}", path, a.mode, b.mode,
                       a.uid, b.uid, a.mtime, b.mtime, a.link_target, b.link_target);
    EXPECT_TRUE(member.content == found->second.content) << path << " has another content";
  }
  for (const auto& [path, member] : others)
    EXPECT_TRUE(ones.contains(path)) << path << " is in the other alone";
}

TEST(FullFlow, InNamespacesMakesACleanRootFileSystemFromBasePackagesAndRecipe) {
  IMGFORGE_NEED_NAMESPACES();
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-guest");
  const std::filesystem::path mirror = make_mirror(folder.path());
  IMGFORGE_NEED_MIRROR(mirror);
  make_root_file_system(start_namespaces<>, folder, mirror, folder / "rootfs.tar");
}

TEST(FullFlow, InTheApplianceMakesTheSameRootFileSystemToTheByte) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-guest");
  const std::filesystem::path mirror = make_mirror(folder.path());
  IMGFORGE_NEED_MIRROR(mirror);
  make_root_file_system(start_appliance, folder, mirror, folder / "appliance.tar");
  IMGFORGE_NEED_NAMESPACES();
  make_root_file_system(start_namespaces<>, folder, mirror, folder / "namespaces.tar");
  expect_same(folder / "appliance.tar", folder / "namespaces.tar");
}

/// By a user who has no range of ids: its sandbox has one, and remembers the owners.
TEST(FullFlow, InNamespacesWithOneIdMakesTheSameRootFileSystemToTheByte) {
  IMGFORGE_NEED_NAMESPACES();
  if (!probe_namespaces(std::filesystem::temp_directory_path(), Ids::kRange).works) {
    GTEST_SKIP() << "there is no range of ids to compare with";
  }
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-guest");
  const std::filesystem::path mirror = make_mirror(folder.path());
  IMGFORGE_NEED_MIRROR(mirror);
  make_root_file_system(start_namespaces<Ids::kRange>, folder, mirror, folder / "range.tar");
  const core::TempDir own(folder.path(), "own");
  ASSERT_TRUE(runs_as_ordinary_user(own.path(), [&] {
    make_root_file_system(start_namespaces<Ids::kNotify>, own, mirror, own / "notify.tar");
  }));
  expect_same(folder / "range.tar", own / "notify.tar");
}

}  // namespace
}  // namespace imgforge::guest::test
