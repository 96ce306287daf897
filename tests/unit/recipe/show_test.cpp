#include "builder/recipe/show/show.hpp"

#include "core/atomic_file.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::parsed;
using testing::resolved;

constexpr std::string_view kAwkward =
    "description: 'a: \"b\" # c'\n"
    "files:\n"
    "  - { path: /a, content: \"{{ \\\"{{\\\" }} x }}\\n\\ttab \\\\ \\x07\\x9b \xC3\xA4\\n\", owner: www:www "
    "}\n"
    "  - { path: \"/b c\", content: '' }\n"
    "users: [{ name: u, password: none, groups: [audio] }, { name: l, uid: 5 }]\n"
    "groups: [{ name: g, gid: 7 }]\n"
    "directories: [{ path: /d }]\n"
    "links: [{ path: /l, target: d }]\n"
    "services: { default: [no, off] }\n"
    "sysctl: { a.b: \"1\", c: 'yes' }\n"
    "kernel: { cmdline: [\"a=1,2\"] }\n"
    "run: [\"echo '#' - : {\\n\"]\n"
    "boot: { expect: ['a\\d+\"'] }\n"
    "qcow2: { compression: none }\n";

TEST(Show, YamlIsARecipeThatMeansTheSame) {
  const ResolvedRecipe first = resolved(kAwkward);
  const std::string yaml = show_yaml(first);
  const ResolvedRecipe second = resolve(parsed(yaml), "", {});
  EXPECT_EQ(to_json(second), to_json(first)) << yaml;
  EXPECT_EQ(second.description, first.description);
  EXPECT_EQ(*second.files.at(0).content.text(), "{{ x }}\n\ttab \\ \a\xC2\x9b \xC3\xA4\n");
  EXPECT_EQ(show_yaml(second), yaml);
  EXPECT_EQ(yaml.find('\a'), std::string::npos);
  EXPECT_EQ(yaml.find("\xC2\x9b"), std::string::npos);
}

TEST(Show, YamlOfAnAlpineBaseReadsBack) {
  const ResolvedRecipe first =
      resolve(parsed(testing::with_head("base: { alpine: { release: 3.20, sha512: '" + std::string(128, 'a') +
                                        "' } }\n"
                                        "packages: { add: ['chrony>4'] }\n")),
              "", {});
  const std::string yaml = show_yaml(first);
  EXPECT_EQ(to_json(resolve(parsed(yaml), "", {})), to_json(first)) << yaml;
  EXPECT_NE(yaml.find("release: \"3.20\""), std::string::npos) << yaml;
}

TEST(Show, LargeContentsBecomeAComment) {
  const ResolvedRecipe recipe =
      resolved("files: [{ path: /x, content: '" + std::string(5000, 'x') + "' }]\n");
  const std::string yaml = show_yaml(recipe);
  EXPECT_NE(yaml.find("    # size: 5000\n    # digest: \"sha256:"), std::string::npos) << yaml;
  EXPECT_LT(yaml.size(), 2000U);
}

TEST(Show, PortableRecipesNameFilesByTheirDigests) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "portable");
  const std::string binary("\0\xFF", 2);
  const std::string long_text(70000, 'x');
  core::write_file_atomically(folder / "binary", binary);
  core::write_file_atomically(folder / "long", long_text);
  const ResolvedRecipe first = resolved(
      "files: [{ path: /b, source: binary, mode: '0755' }, { path: /l, source: long }, { path: /t, content: "
      "t }]\n",
      "", {}, folder.path());
  const std::string yaml = portable_yaml(first);
  EXPECT_EQ(yaml.find(folder.path().native()), std::string::npos) << "no paths of this machine";
  const Recipe kept = parse_recipe(yaml, "recipe.yaml", folder.path());
  const auto name_of = [](const std::string& text) {
    return "sources/" + core::digest_of(core::HashAlgorithm::kSha256, text).hex();
  };
  EXPECT_EQ(named_files(kept), (std::vector{name_of(binary), name_of(long_text)}));
  std::filesystem::create_directory(folder / "sources");
  core::write_file_atomically(folder / name_of(binary), binary);
  core::write_file_atomically(folder / name_of(long_text), long_text);
  EXPECT_EQ(to_json(resolve(kept, "", {})), to_json(first)) << yaml;
}

TEST(Show, JsonIsCanonical) {
  const ResolvedRecipe one = resolved("description: one\nsysctl: { b: 1, a: 2 }\n# comment\n");
  const ResolvedRecipe two = resolved("sysctl: { a: 2, b: 1 }\ndescription: two\n", "", {}, "/other");
  EXPECT_EQ(to_json(one).dump(), to_json(two).dump());
  EXPECT_NE(show_json(one), show_json(two)) << "people see the description";
  EXPECT_EQ(core::parse_json(show_json(one), "show")["schema"], 1);
  EXPECT_EQ(core::parse_json(show_json(one), "show")["line"], "demo");
}

TEST(Show, JsonChangesWithEveryValue) {
  const std::string before = to_json(resolved("")).dump();
  for (const char* option : {"disk.size=2G",
                             "disk.root=writable",
                             "requirements.memory=64M",
                             "requirements.cpus=2",
                             "formats=raw",
                             "qcow2.compression=none",
                             "vm.network=none",
                             "vm.maximum_memory=3G",
                             "hostname=x",
                             "timezone=Europe/Berlin",
                             "modules=a",
                             "sysctl.a=1",
                             "kernel.package=x",
                             "kernel.cmdline=x",
                             "run=x",
                             "boot.expect=x",
                             "packages.add=x",
                             "packages.remove=x",
                             "packages.repositories=x",
                             "services.boot=x",
                             "version=v1",
                             "name=x"}) {
    EXPECT_NE(to_json(resolved("", "", {option})).dump(), before) << option;
  }
  EXPECT_NE(to_json(resolved("files: [{ path: /x, content: a }]\n")).dump(),
            to_json(resolved("files: [{ path: /x, content: b }]\n")).dump());
}

TEST(Show, KeysStandForTheirContents) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "recipe-test");
  core::write_file_atomically(folder / "a.pub", "one");
  const auto json = [&] {
    return to_json(resolved("packages: { keys: [a.pub] }\n", "", {}, folder.path())).dump();
  };
  const std::string before = json();
  EXPECT_EQ(before.find(folder.path().native()), std::string::npos);
  core::write_file_atomically(folder / "a.pub", "two");
  EXPECT_NE(json(), before);
}

}  // namespace
}  // namespace imgforge::recipe
