// Values that would lead out of a folder, into a shell, past a check, or to an image that cannot work.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "builder/recipe/show/show.hpp"
#include "builder/recipe/values/types.hpp"
#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::error_of;
using testing::expect_refused;
using ::testing::HasSubstr;
using testing::resolved;

/// One more line under a good head is refused there; message or hint contains `words`.
void refused_line(const std::string& line, const std::string& words = "") {
  const core::Error error = error_of([&] { resolved(line + "\n"); });
  EXPECT_EQ(error.kind(), core::Kind::kRecipe) << line << "\n-> " << error.message();
  EXPECT_THAT(error.message() + " / " + error.hint(), HasSubstr(words)) << line;
  ASSERT_TRUE(error.mark()) << line;
  EXPECT_EQ(error.mark()->line, 4) << line;
  EXPECT_EQ(core::escaped(error.message(), 10000), error.message());
}

void refused_alpine(const std::string& fields, const std::string& words = "") {
  const core::Error error = error_of([&] {
    resolve(testing::parsed(testing::with_head("base: { alpine: { release: 3.22, " + fields + " } }\n")), "",
            {});
  });
  EXPECT_EQ(error.kind(), core::Kind::kRecipe) << fields;
  EXPECT_THAT(error.message() + " / " + error.hint(), HasSubstr(words)) << fields;
}

TEST(HostileValues, Sizes) {
  for (const char* size :
       {"10Q", "-1", "1e3", "18446744073709551616", ".nan", "1.5G", "0x10", "''", "1 G", "99999999999T"}) {
    refused_line(fmt::format("disk: {{ size: {} }}", size), "size");
  }
  refused_line("disk: { size: [1G] }", "disk.size takes a size such as 512M or 2G, not a list");
  refused_line("disk: { size: 63M }", "disk.size must be from 64M");
  refused_line("disk: { size: 0 }", "disk.size must be from 64M");
  refused_line("disk: { size: 67108865 }", "whole number of MiB");
  refused_line("disk: { size: 16777215T }", "disk.size must be");
  refused_line("requirements: { memory: 31M }", "requirements.memory must be from 32M");
  refused_line("requirements: { cpus: 0 }", "requirements.cpus must be from 1");
  refused_line("requirements: { cpus: 257 }", "requirements.cpus");
  refused_line("requirements: { cpus: 9999999999 }", "too large");
  refused_line("requirements: { cpus: 1.5 }", "a whole number");
}

TEST(HostileValues, Names) {
  for (const std::string& name :
       {std::string("../x"), std::string("a/b"), std::string("\"\\0\""), std::string("\"a\\0b\""),
        std::string("-a"), std::string(".a"), std::string("'a '"), std::string(300, 'a'), std::string("CON"),
        std::string("\xF0\x9F\x98\x80"), std::string(".."), std::string("''"), std::string("A"),
        std::string("\"a\\n\""), std::string("a b"), std::string("$(id)"), std::string("HEAD")}) {
    const core::Error error =
        error_of([&] { testing::parsed("imgforge: 1\nname: " + name + "\nbase: embedded\n"); });
    EXPECT_EQ(error.kind(), core::Kind::kRecipe);
    EXPECT_THAT(error.message() + error.hint(), HasSubstr("[a-z0-9][a-z0-9._+-]{0,63}")) << name;
    refused_line("version: " + name);
    refused_line("profiles: { ? " + name + " : {} }");
  }
  for (const std::string word : {"current", "head", "lock", "manifest.json"}) {
    expect_refused("imgforge: 1\nname: " + word + "\n", 2, 7, "reserved");
    refused_line("version: " + word, "reserved");
    refused_line("profiles: { " + word + ": {} }", "reserved");
  }
}

TEST(HostileValues, Digests) {
  const std::string hex(64, 'a');
  refused_alpine("sha256: " + hex.substr(1), "64 lower-case hexadecimal digits");
  refused_alpine("sha256: " + hex + "a");
  refused_alpine("sha256: " + std::string(64, 'A'));
  refused_alpine("sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  refused_alpine("sha256: " + hex + hex, "128 digits are a sha512");
  refused_alpine("sha256: sha256:" + hex);
  refused_alpine("sha512: " + hex);
  refused_alpine("sha256: " + hex + ", sha512: " + hex + hex, "both given");
  refused_alpine("sha265: " + hex, "did you mean \"sha256\"?");
}

TEST(HostileValues, Urls) {
  for (const char* url : {"ftp://h/x",
                          "'javascript:alert(1)'",
                          "file://host/x",
                          "file:x",
                          "'http://u:p@h/x'",
                          "'http://u@h/x'",
                          "'http://h/x#frag'",
                          "'http://h/x?q'",
                          "'http://h/x%0d%0aX:'",
                          "'http://h/x%00'",
                          "\"http://h/x\\r\\nX: y\"",
                          "'http://h/x y'",
                          "http://",
                          "'http:///x'",
                          "'http://:80/x'",
                          "'HTTP://h/x'",
                          "'http://h/%zz'",
                          "'http://h/%1'",
                          "'http://h/../x'",
                          "'http://h\\x'",
                          "'file:///'",
                          "''",
                          "'http://\xC3\xA4/'",
                          "'https://h/`id`'"}) {
    refused_alpine(fmt::format("mirrors: [{}]", url));
    const std::string repository(url);
    if (repository.find(':') != std::string::npos)
      refused_line(fmt::format("packages: {{ repositories: [{}] }}", url));
  }
  refused_alpine("mirrors: []", "at least one mirror");
  EXPECT_EQ(url_fault("https://dl-cdn.alpinelinux.org/alpine"), "");
  EXPECT_EQ(url_fault("http://127.0.0.1:8080/a%20b"), "");
  EXPECT_EQ(url_fault("http://[::1]:8080/"), "");
  EXPECT_EQ(url_fault("file:///srv/alpine"), "");
}

TEST(HostileValues, ImagePaths) {
  for (const char* path : {"etc/motd", "/", "/etc/../x", "/etc/./x", "/etc//x", "/etc/", "''", "\"/a\\0b\"",
                           "\"/a\\nb\"", "~/x"}) {
    refused_line(fmt::format("files: [{{ path: {}, content: x }}]", path));
    refused_line(fmt::format("directories: [{{ path: {} }}]", path));
    refused_line(fmt::format("links: [{{ path: {}, target: x }}]", path));
  }
  refused_line("files: [{ path: /x }]", "needs either content or source");
  refused_line("files: [{ path: /x, content: a, source: b }]", "keep one of them");
  refused_line("files: [{ path: /x, content: a, mode: 9 }]", "an octal mode");
  refused_line("files: [{ path: /x, content: a, mode: 0o17 }]", "an octal mode");
  refused_line("files: [{ path: /x, content: a, mode: 777777 }]");
  refused_line("files: [{ path: /x, content: a, owner: 'a b' }]");
  refused_line("files: [{ path: /x, content: a, owner: 'a:b:c' }]");
}

TEST(HostileValues, WhatWouldVanish) {
  for (const char* path :
       {"/run/app.conf", "/tmp/x", "/proc/x", "/dev/x", "/sys/x", "/var/run/x", "/var/lock/x"}) {
    refused_line(fmt::format("files: [{{ path: {}, content: x }}]", path), "empty at each start");
    refused_line(fmt::format("directories: [{{ path: {} }}]", path), "empty at each start");
    refused_line(fmt::format("links: [{{ path: {}, target: x }}]", path), "empty at each start");
  }
  EXPECT_NO_THROW(
      resolved("directories: [{ path: /tmp, mode: '1777' }, { path: /running }, { path: /var/tmp/x }]\n"));
}

TEST(HostileValues, TwoThingsAtOnePath) {
  refused_line("files: [{ path: /x, content: a }, { path: /x, content: b }]", "listed twice");
  expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\nfiles: [{ path: /x, content: a }]\nlinks:\n  - { path: /x, "
      "target: y }\n",
      6, 13, "made twice, first on line 4");
  expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\ndirectories: [{ path: /x }]\nlinks:\n  - { path: /x, target: y "
      "}\n",
      4, 23, "made twice");
  expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\nlinks: [{ path: /x, target: /etc }]\nfiles:\n  - { path: "
      "/x/y/passwd, content: z }\n",
      6, 13, "lies below /x");
  refused_line("packages: { add: [a, a=1] }", "listed twice");
  refused_line("packages: { add: [a], remove: [a] }", "both add and remove");
  refused_line("formats: [raw, raw]", "listed twice");
  refused_line("users: [{ name: a }, { name: a }]", "listed twice");
}

TEST(HostileValues, Words) {
  refused_line("packages: { add: ['a@edge'] }", "without @tag");
  refused_line("packages: { add: ['--root=/'] }");
  refused_line("packages: { add: ['a; reboot'] }");
  refused_line("packages: { add: ['../a.apk'] }");
  refused_line("packages: { remove: ['a>1'] }");
  refused_line("services: { default: ['../x'] }");
  refused_line("services: { single: [x] }", "unknown field");
  refused_line("hostname: 'a b'");
  refused_line("hostname: -a");
  refused_line("timezone: ../../etc/shadow");
  refused_line("modules: ['a b']");
  refused_line("sysctl: { 'a b': 1 }");
  refused_line("sysctl: { a: \"1\\n2\" }");
  refused_line("kernel: { cmdline: ['a b'] }");
  refused_line("kernel: { cmdline: ['a\"b'] }");
  refused_line("boot: { expect: ['('] }", "not a regular expression");
  refused_line("boot: { expect: [\"a\\\\nb\"] }", "spans lines");
  refused_line("boot: { expect: ['a\\nb'] }", "spans lines");
  refused_line("boot: { expect: ['(a)\\1'] }", "refers back");
  refused_line("boot: { expect: ['((a?){99}){99}'] }", "more than 500 characters");
  refused_line("boot: { expect: ['" + std::string(201, 'a') + "'] }", "longer than 200");
  refused_line("description: \"a\\e[31m\"");
  refused_line("description: \"a\\x9b\"");
  refused_line("vars: { A: b }");
  refused_line("base: { alpine: { release: 3 } }", "given twice");
  refused_line("groups: [{ name: a, gid: -1 }]");
  refused_line("users: [{ name: 'root:x' }]");
  refused_line("users: [{ name: a, ssh_keys: [\"ssh-rsa AAAA\\ncommand\"] }]");
}

TEST(HostileValues, PasswordsStayOutOfMessages) {
  for (const char* password :
       {"hunter2", "''", "'$6$salt$a:b'", "\"$6$salt$a\\nroot::0:0\"", "'$'", "'!'", "x"}) {
    const core::Error error =
        error_of([&] { resolved(fmt::format("users: [{{ name: a, password: {} }}]\n", password)); });
    EXPECT_EQ(error.kind(), core::Kind::kRecipe) << password;
    EXPECT_THAT(error.message(), ::testing::Not(HasSubstr("hunter2")));
    EXPECT_EQ(error.mark()->text, "");
    EXPECT_EQ(error.mark()->line, 4);
    EXPECT_THAT(error.hint(), HasSubstr("openssl passwd -6"));
  }
}

class HostileSources : public ::testing::Test {
 protected:
  HostileSources() {
    std::filesystem::create_directory(folder / "recipe");
    core::write_file_atomically(folder / "victim", "secret");
    core::write_file_atomically(folder / "recipe/good", "good");
    std::filesystem::create_symlink("../victim", folder / "recipe/out");
    std::filesystem::create_symlink("/etc", folder / "recipe/etc");
    std::filesystem::create_symlink("good", folder / "recipe/inside");
    std::filesystem::create_symlink("loop", folder / "recipe/loop");
    std::filesystem::create_directory(folder / "recipe-2");
    core::write_file_atomically(folder / "recipe-2/x", "x");
    std::filesystem::create_symlink("../recipe-2/x", folder / "recipe/sibling");
    mkfifo((folder / "recipe/fifo").c_str(), 0600);
    std::filesystem::create_directory(folder / "recipe/directory");
  }

  ResolvedRecipe read(const std::string& source) const {
    return resolved("files:\n  - { path: /x, source: " + source + " }\n", "", {}, folder / "recipe");
  }
  core::Kind kind_of(const std::string& source) const {
    const core::Error error = error_of([&] { read(source); });
    EXPECT_TRUE(error.mark()) << source;
    if (error.mark()) {
      EXPECT_EQ(error.mark()->line, 5) << source;
    }
    return error.kind();
  }

  core::TempDir folder{std::filesystem::temp_directory_path(), "recipe-attack"};
};

TEST_F(HostileSources, StayInTheFolder) {
  EXPECT_EQ(*read("good").files.at(0).content.text(), "good");
  EXPECT_EQ(*read("inside").files.at(0).content.text(), "good");
  EXPECT_EQ(kind_of("../victim"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("directory/../../victim"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("/etc/passwd"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("out"), core::Kind::kUnsafe);
  EXPECT_EQ(kind_of("etc/passwd"), core::Kind::kUnsafe);
  EXPECT_EQ(kind_of("sibling"), core::Kind::kUnsafe);
}

TEST_F(HostileSources, AreRegularFilesOfBoundedSize) {
  EXPECT_EQ(kind_of("missing"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("loop"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("fifo"), core::Kind::kRecipe);
  EXPECT_EQ(kind_of("directory"), core::Kind::kRecipe);
  core::write_file_atomically(folder / "recipe/large", "");
  std::filesystem::resize_file(folder / "recipe/large", (16ull << 30) + 1);
  EXPECT_EQ(kind_of("large"), core::Kind::kUnsafe);
  std::filesystem::resize_file(folder / "recipe/large", (64ull << 20) + 1);
  EXPECT_EQ(kind_of("large, template: true"), core::Kind::kUnsafe);
}

TEST_F(HostileSources, KeysToo) {
  const auto kind = [&](const std::string& key) {
    return error_of([&] { resolved("packages: { keys: [" + key + "] }\n", "", {}, folder / "recipe"); })
        .kind();
  };
  EXPECT_EQ(kind("../victim"), core::Kind::kRecipe);
  EXPECT_EQ(kind("out"), core::Kind::kUnsafe);
  EXPECT_EQ(kind("missing"), core::Kind::kRecipe);
  EXPECT_EQ(kind("/dev/zero"), core::Kind::kRecipe);
}

TEST(HostileTemplates, NothingIsEvaluated) {
  const ResolvedRecipe recipe = resolved(
      "vars: { a: '{{ vars.b }} $(touch /tmp/x)', b: x }\n"
      "files: [{ path: /x, content: '${UNSET} `id` {{ vars.a }}' }]\n");
  EXPECT_EQ(*recipe.files.at(0).content.text(), "${UNSET} `id` {{ vars.b }} $(touch /tmp/x)");
  refused_line("files: [{ path: /x, content: '{{ UNSET }}' }]", "unknown variable");
  refused_line("files: [{ path: /x, content: '{{ vars.a.b }}' }]", "unknown variable");
}

TEST(HostileSet, OptionsAreCheckedLikeRecipes) {
  for (const std::string& option :
       {std::string("="), std::string(""), std::string("a"), std::string("."), std::string(".=x"),
        std::string("disk.=1G"), std::string("disk..size=1G"), std::string("name=../x"),
        std::string("+formats.x=raw"), std::string("formats=raw,raw"), std::string("formats=,"),
        std::string("disk.size=\xff"), std::string("base.alpine=x"), std::string("sysctl.=x"),
        std::string("files.path=/x"), std::string("packages.add=a\nb"), std::string(100'000, '.') + "=x",
        "disk.size=" + std::string(100'000, '1'), std::string("version=\x1b[31m")}) {
    const core::Error error = error_of([&] { resolved("", "", {option}); });
    EXPECT_EQ(error.kind(), core::Kind::kRecipe) << core::escaped(option, 60);
    EXPECT_EQ(core::escaped(error.message(), 10000), error.message());
    EXPECT_LT(error.message().size(), 1000U);
  }
}

}  // namespace
}  // namespace imgforge::recipe
