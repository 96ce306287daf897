// What goes wrong inside a healthy sandbox, and in what words it is told. One sandbox serves all cases.

#include <fcntl.h>

#include "builder/guest/base.hpp"
#include "builder/guest/customize.hpp"
#include "builder/guest/export.hpp"
#include "integration/guest/fixture.hpp"

namespace imgforge::guest::test {
namespace {

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {core::Kind::kInternal, ""};
}

void expect_package_errors(Sandbox& guest, const std::filesystem::path& mirror) {
  core::Error error = error_of([&] { resolve(guest, world_of(mirror, {"openrc", "hello-imgforg"})); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_EQ(error.hint(), "did you mean \"hello-imgforge\"?");
  ASSERT_TRUE(error.mark());
  EXPECT_EQ(error.mark()->line, 11);

  error = error_of([&] { resolve(guest, world_of(mirror, {"py3-pyserial"})); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_NE(error.quote().find("required by: py3-pyserial"), std::string::npos) << error.quote();

  error = error_of([&] { resolve(guest, world_of(mirror, {"jq>9"})); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  ASSERT_TRUE(error.mark());
  EXPECT_NE(error.quote().find("breaks: world[jq>9]"), std::string::npos) << error.quote();

  World world = world_of(mirror, {"jq"});
  world.remove = {{"musl", {"recipe.yaml", 20, 5, 0, "  - musl"}}};
  error = error_of([&] { resolve(guest, world); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  ASSERT_TRUE(error.mark());
  EXPECT_EQ(error.mark()->line, 20);

  const World broken = world_of(mirror, {"hello-imgforge-broken"});
  const std::vector<PlannedPackage> plan = resolve(guest, broken);
  error = error_of([&] { install(guest, broken, plan, files_of(broken, plan), {}); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_EQ(error.message(),
            "the post-install script of package hello-imgforge-broken failed with exit code 7");
  EXPECT_NE(error.quote().find("failing on purpose"), std::string::npos) << error.quote();
  ASSERT_TRUE(error.mark());
}

void expect_untrusted_index(Sandbox& guest, const std::filesystem::path& mirror) {
  World world = world_of(mirror, {"jq"});
  world.keys.clear();
  const core::Error error = error_of([&] { resolve(guest, world); });
  EXPECT_EQ(error.kind(), core::Kind::kSignature);
}

recipe::ResolvedRecipe recipe_running(std::vector<std::string> scripts) {
  recipe::ResolvedRecipe recipe;
  int line = 30;
  for (std::string& script : scripts)
    recipe.run.push_back({std::move(script), {"recipe.yaml", line++, 5, 0, ""}});
  return recipe;
}

void expect_run_step_errors(Sandbox& guest) {
  core::Error error = error_of([&] {
    customize(guest,
              recipe_running({"true", "echo before\nprintf 'esc \\033[31m\\n' >&2\nfalse\necho after"}), {});
  });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
  EXPECT_EQ(error.message(), "run step 2 of 2 failed with exit code 1");
  ASSERT_TRUE(error.mark());
  EXPECT_EQ(error.mark()->line, 31);
  EXPECT_NE(error.quote().find("before\nesc \\x1b[31m"), std::string::npos) << error.quote();
  EXPECT_EQ(error.quote().find("after"), std::string::npos);

  CustomizeOptions options;
  options.step_limit = Seconds(2);
  error = error_of([&] { customize(guest, recipe_running({"echo looping\nwhile :; do :; done"}), options); });
  EXPECT_EQ(error.kind(), core::Kind::kTimeout);
  EXPECT_NE(error.quote().find("looping"), std::string::npos);

  error = error_of(
      [&] { customize(guest, recipe_running({"sleep 1000 &\nyes | head -c 20000000\nnosuchprogram"}), {}); });
  EXPECT_EQ(error.message(), "run step 1 of 1 failed with exit code 127");
  EXPECT_LT(error.quote().size(), 20000U);

  error = error_of([&] { customize(guest, recipe_running({"wget -T 2 http://192.0.2.1/"}), {}); });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
}

constexpr core::Bytes kDisk = core::mib(256);
constexpr const char* kFillDisk = "dd if=/dev/zero of=/big bs=1M count=300 2>&1";

void expect_full_disk(Sandbox& guest) {
  const core::Error error = error_of([&] { customize(guest, recipe_running({kFillDisk}), {}); });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
  EXPECT_NE(error.quote().find("No space left on device"), std::string::npos) << error.quote();
  const core::Error writing = error_of([&] { guest.write("/more", std::string(1 << 20, 'x')); });
  EXPECT_EQ(writing.kind(), core::Kind::kImage) << writing.message();
  guest.query("rm -f /big /more");
}

/// A folder has no end that a script could meet: the sandbox ends the script.
void expect_full_folder(Sandbox& guest) {
  const auto fill = [&] {
    customize(guest, recipe_running({"echo x >/small\n" + std::string(kFillDisk)}), {});
  };
  for (const core::Error& error : {error_of(fill), error_of([&] { guest.write("/more", "x"); })}) {
    EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
    EXPECT_EQ(error.message(), "the root file system of 256M is full");
  }
  guest.query("rm -f /big /more");
  guest.write("/more", "x");
}

/// A reader that fails ends the stream, and its own error is the one that is told.
void expect_error_of_reader(Sandbox& guest, const core::TempDir& folder) {
  const core::Error error =
      error_of([&] { export_rootfs(guest, folder / "rootfs.tar", 0, folder / "no/such/spool"); });
  EXPECT_NE(error.message().find("no/such/spool"), std::string::npos) << error.message();
  EXPECT_FALSE(std::filesystem::exists(folder / "rootfs.tar"));
}

using Start = std::unique_ptr<Sandbox> (*)(const core::TempDir& folder, core::Bytes disk);

void expect_failures(Start start, void (*expect_full)(Sandbox&)) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-guest");
  const std::filesystem::path mirror = make_mirror(folder.path());
  IMGFORGE_NEED_MIRROR(mirror);
  {
    const std::unique_ptr<Sandbox> guest = start(folder, kDisk);
    unpack_base(*guest, minirootfs(mirror));
    expect_untrusted_index(*guest, mirror);
    expect_package_errors(*guest, mirror);
    expect_run_step_errors(*guest);
    expect_full(*guest);
    expect_error_of_reader(*guest, folder);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "work"));
  EXPECT_EQ(children(), "");
}

TEST(Failures, AreToldWithTheirPlaceInTheRecipe) {
  expect_failures(start_appliance, expect_full_disk);
}

TEST(Failures, InNamespacesAreToldAlike) {
  IMGFORGE_NEED_NAMESPACES();
  expect_failures(start_namespaces<Ids::kAutomatic>, expect_full_folder);
  expect_failures(start_namespaces<Ids::kNotify>, expect_full_folder);
}

TEST(Failures, ABaseThatIsNoRootFileSystemIsRefusedOnTheHost) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-guest");
  core::Fd file = core::open_file(folder / "x.tar", O_WRONLY | O_CREAT);
  artifacts::TarWriter writer(file.get(), "x.tar");
  artifacts::TarEntry entry;
  entry.path = "hello";
  writer.add(entry, "");
  writer.finish();
  EXPECT_EQ(error_of([&] { check_base(folder / "x.tar"); }).kind(), core::Kind::kArchive);
}

}  // namespace
}  // namespace imgforge::guest::test
