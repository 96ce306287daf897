#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/facts.hpp"
#include "builder/guest/operations.hpp"
#include "builder/guest/overlay.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

const core::Mark kMark{"recipe.yaml", 12, 5, 0, "    - path: /x"};

/// A small root: /etc, /bin -> usr/bin, /etc/passwd, OpenRC with two services.
Facts root_facts() {
  return parse_facts(
      "d /etc\nd /usr\nd /usr/bin\nD /bin\n/usr/bin\nd /var\nD /var/run\n/run\nf /etc/passwd\n"
      "l /etc/dangling\nd /etc/init.d\nf /etc/init.d/sshd\nf /sbin/openrc-run\ni sshd\ni hostname\n"
      "t /etc/passwd\n31\nroot:x:0:0:root:/root:/bin/ash\n"
      "t /etc/group\n11\nroot:x:0:\n\n"
      "t /etc/inittab\n0\n");
}

std::map<std::string, artifacts::TarEntry> written(const Overlay& overlay) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-overlay");
  const std::filesystem::path file = folder / "overlay.tar";
  core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT);
  overlay.write(fd.get(), "overlay");
  fd.close("overlay");
  artifacts::TarReader reader(file, {});
  std::map<std::string, artifacts::TarEntry> entries;
  artifacts::TarEntry entry;
  while (reader.next(entry)) entries[entry.path] = entry;
  return entries;
}

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {core::Kind::kInternal, ""};
}

TEST(Facts, AreReadFromTheShellsAnswer) {
  const Facts facts = root_facts();
  EXPECT_EQ(facts.at("/etc").kind, PathKind::kDirectory);
  EXPECT_EQ(facts.at("/etc").real, "/etc");
  EXPECT_EQ(facts.at("/bin").real, "/usr/bin");
  EXPECT_EQ(facts.at("/nothing").kind, PathKind::kAbsent);
  EXPECT_EQ(facts.text("/etc/passwd"), "root:x:0:0:root:/root:/bin/ash\n");
  EXPECT_EQ(facts.text("/etc/group"), "root:x:0:\n\n");
  EXPECT_EQ(facts.services, (std::vector<std::string>{"hostname", "sshd"}));
  EXPECT_THROW(parse_facts("t /etc/passwd\n100\nshort\n"), core::Error);
  EXPECT_THROW(parse_facts("what\n"), core::Error);
}

TEST(Facts, ScriptIsAskedOfARealShell) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-facts");
  const std::string root = folder.path().native();
  std::filesystem::create_directories(folder / "usr/bin it's");
  std::filesystem::create_symlink("usr", folder / "link");
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  core::Command command;
  command.program = "sh";
  command.args = {"-c", facts_script({root + "/link/bin it's/new/file", root + "/dangling"})};
  const Facts facts = parse_facts(core::system_processes().check(command, {}).out);
  EXPECT_EQ(facts.at(root + "/link").kind, PathKind::kLinkToDirectory);
  EXPECT_EQ(facts.at(root + "/link").real, root + "/usr");
  EXPECT_EQ(facts.at(root + "/link/bin it's").real, root + "/usr/bin it's");
  EXPECT_EQ(facts.at(root + "/dangling").kind, PathKind::kLink);
  EXPECT_EQ(facts.at(root + "/link/bin it's/new").kind, PathKind::kAbsent);
}

TEST(Overlay, FollowsLinksToFoldersAndMakesMissingParentsOnly) {
  const Facts facts = root_facts();
  Overlay overlay(facts, 77);
  overlay.add_file("/bin/tool", "x", {0755, 0, 0});
  overlay.add_file("/var/run/new/deep/file", "y", {});
  overlay.add_directory("/var/run/new", {0700, 3, 4});
  const auto entries = written(overlay);
  EXPECT_EQ(entries.at("usr/bin/tool").mode, 0755U);
  EXPECT_EQ(entries.at("usr/bin/tool").mtime, 77);
  EXPECT_EQ(entries.at("run/new").mode, 0700U);
  EXPECT_EQ(entries.at("run/new").uid, 3U);
  EXPECT_EQ(entries.at("run/new/deep").mode, 0755U);
  EXPECT_TRUE(entries.contains("run/new/deep/file"));
  EXPECT_FALSE(entries.contains("run")) << "a folder of the image would get another mode";
  EXPECT_FALSE(entries.contains("usr/bin"));
  EXPECT_EQ(entries.size(), 4U);
}

TEST(Overlay, RefusesWhatWouldDamageTheRoot) {
  const Facts facts = root_facts();
  Overlay overlay(facts, 0);
  overlay.add_file("/new", "", {}, kMark);
  for (const auto& body : std::vector<std::function<void()>>{
           [&] { overlay.add_file("/etc", "", {}, kMark); }, [&] { overlay.add_file("/bin", "", {}, kMark); },
           [&] { overlay.add_link("/usr", "/etc", kMark); },
           [&] { overlay.add_directory("/etc/passwd", {}, kMark); },
           [&] { overlay.add_file("/etc/passwd/below", "", {}, kMark); },
           [&] { overlay.add_file("/etc/dangling/below", "", {}, kMark); },
           [&] { overlay.add_file("/new/below", "", {}, kMark); },
           [&] { overlay.add_file("/new", "", {}, kMark); }}) {
    const core::Error error = error_of(body);
    EXPECT_EQ(error.kind(), core::Kind::kCustomize) << error.message();
    ASSERT_TRUE(error.mark());
    EXPECT_EQ(error.mark()->line, 12);
  }
  overlay.add_file("/etc/dangling", "a link that leads nowhere is replaced", {}, kMark);
}

struct Job {
  explicit Job(recipe::ResolvedRecipe wanted, Facts root = root_facts())
      : recipe(std::move(wanted)),
        facts(std::move(root)),
        accounts({facts.text("/etc/passwd"), facts.text("/etc/group"), facts.text("/etc/shadow")}),
        overlay(facts, 0) {}
  void apply() {
    Customisation job{recipe, facts, accounts, overlay};
    for (const Operation& operation : operations()) operation.apply(job);
  }
  recipe::ResolvedRecipe recipe;
  Facts facts;
  Accounts accounts;
  Overlay overlay;
};

TEST(Operations, EachIsDescribedOnce) {
  std::set<std::string_view> names;
  for (const Operation& operation : operations()) {
    EXPECT_TRUE(names.insert(operation.name).second);
    EXPECT_FALSE(operation.description.empty());
  }
}

TEST(Operations, AServiceThatDoesNotExistIsAMistakeWithTheNearestName) {
  recipe::ResolvedRecipe recipe;
  recipe.services = {{"default", "shd", kMark}};
  const core::Error error = error_of([&] { Job(recipe).apply(); });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
  EXPECT_EQ(error.hint(), "did you mean \"sshd\"?");
  EXPECT_EQ(error.mark()->line, 12);
}

TEST(Operations, AServiceOfTheRecipesOwnFileMustBeExecutable) {
  recipe::ResolvedRecipe recipe;
  recipe.files = {{"/etc/init.d/mine", "", 0644, "root", "root", {}}};
  recipe.services = {{"default", "mine", kMark}};
  EXPECT_EQ(error_of([&] { Job(recipe).apply(); }).message(), "/etc/init.d/mine is not executable");
  recipe.files[0].mode = 0755;
  Job good(recipe);
  good.apply();
  EXPECT_EQ(written(good.overlay).at("etc/runlevels/default/mine").link_target, "/etc/init.d/mine");
}

TEST(Operations, ServicesWithoutOpenRcAreAMistake) {
  Facts facts = root_facts();
  facts.paths.erase("/sbin/openrc-run");
  recipe::ResolvedRecipe recipe;
  recipe.services = {{"default", "sshd", kMark}};
  const core::Error error = error_of([&] { Job(recipe, facts).apply(); });
  EXPECT_EQ(error.kind(), core::Kind::kCustomize);
  EXPECT_EQ(error.mark()->line, 12);
}

TEST(Operations, UnknownOwnersAndTimeZonesAreMistakes) {
  recipe::ResolvedRecipe recipe;
  recipe.files = {{"/x", "", 0644, "rot", "root", kMark}};
  EXPECT_EQ(error_of([&] { Job(recipe).apply(); }).hint(), "did you mean \"root\"?");
  recipe.files.clear();
  recipe.timezone = "Europe/Atlantis";
  EXPECT_EQ(error_of([&] { Job(recipe).apply(); }).kind(), core::Kind::kCustomize);
}

TEST(Operations, TheRecipesOwnFileWinsOverAGeneratedOne) {
  recipe::ResolvedRecipe recipe;
  recipe.hostname = "forge";
  recipe.files = {{"/etc/hosts", "mine\n", 0600, "root", "root", {}}};
  Job job(recipe);
  job.apply();
  EXPECT_EQ(written(job.overlay).at("etc/hosts").mode, 0600U);
}

TEST(Operations, SerialConsole) {
  const std::string getty = "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100\n";
  EXPECT_EQ(with_serial_console("a\n#ttyS0::respawn:/sbin/getty -L ttyS0 9600\nb\n"), "a\n" + getty + "b\n");
  EXPECT_EQ(with_serial_console("a"), "a\n" + getty);
  EXPECT_EQ(with_serial_console("ttyS0::off\n"), "ttyS0::off\n");
}

}  // namespace
}  // namespace imgforge::guest
