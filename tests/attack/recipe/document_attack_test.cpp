// Files that try to hang, crash or mislead the reader of recipes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "builder/recipe/document/document.hpp"
#include "core/atomic_file.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

/// Parses hostile text: it must be refused as a recipe, quickly, with a printable message.
core::Error refused(const std::string& text) {
  const auto begin = std::chrono::steady_clock::now();
  const core::Error error = error_of([&] { Document::parse(text, "r.yaml"); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(error.kind(), core::Kind::kRecipe) << error.message();
  EXPECT_EQ(core::escaped(error.message(), 10000), error.message());
  return error;
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(HostileDocument, TopLevelThatIsNoMapping) {
  for (const char* text :
       {"", "\n", "# only a comment\n", "~", "null\n", "echo text", "- a\n", "[]", "---\n", "\"\"\n"}) {
    EXPECT_EQ(refused(text).message(), "the top level must be a mapping (key: value)") << text;
  }
}

TEST(HostileDocument, SecondDocument) {
  const core::Error error = refused("a: 1\n---\na: 2\n");
  EXPECT_THAT(error.message(), HasSubstr("more than one document"));
  EXPECT_EQ(error.mark()->line, 2);
  refused("a: 1\n...\nb: 2\n");
  refused("a: 1\n---\n");
  // yaml-cpp reports these as documents without end.
  refused("a: 1\n...\n,,,");
  refused(repeated("[],", 1000));
}

TEST(HostileDocument, DuplicateKeys) {
  const core::Error error = refused("version: 1\nx: 2\n\"version\": 2\n");
  EXPECT_EQ(error.message(), "\"version\" is given twice, on line 1 and on line 3");
  EXPECT_EQ(error.mark()->line, 3);
  EXPECT_EQ(error.mark()->length, 9);
  refused("a: { b: 1, 'b': 2 }\n");
  refused("a: { b: 1, \"\\x62\": 2 }\n");
}

TEST(HostileDocument, SharingIsNotSupported) {
  for (const char* text : {"a: &x 1\n", "a: &x [*x]\n", "a: &x {b: *x}\n", "a: *x\n", "a: 1\n<<: {b: 1}\n",
                           "a: &x {b: 1}\nc:\n  <<: *x\n", "a: !!python/object:os.system x\n", "a: !!str x\n",
                           "a: ! x\n", "a: !<?> x\n", "a: !local [x]\n", "!!map\na: b\n", "a: !!null\n",
                           "!!str a: b\n", "&a a: b\n", "%TAG ! tag:x,2000:\n---\na: !b c\n"}) {
    EXPECT_THAT(refused(text).message(), HasSubstr("not supported")) << text;
  }
}

TEST(HostileDocument, AliasBombs) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string{c} + ": &" + c + " [" +
            repeated("*" + std::string(1, static_cast<char>(c - 1)) + ",", 9) + "]\n";
  }
  refused(bomb);
  std::string chain = "k0: &k0 x\n";
  for (int i = 1; i < 30000; ++i) chain += fmt::format("k{}: &k{} *k{}\n", i, i, i - 1);
  refused(chain);
}

TEST(HostileDocument, Depth) {
  const core::Error error = refused("a: " + repeated("[", 500) + repeated("]", 500));
  EXPECT_THAT(error.message(), HasSubstr("nested too deep"));
  for (const char* unit : {"[", "{", "[a,", "{a: ", "- ", "[{a: "})
    refused("a:\n " + repeated(unit, 100'000));
  std::string indented;
  for (int i = 0; i < 100; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(refused(indented + std::string(100, ' ') + "x").message(), HasSubstr("nested too deep"));
  EXPECT_NO_THROW(Document::parse("a: " + repeated("[", 60) + repeated("]", 60), "r.yaml"));
}

TEST(HostileDocument, DepthOnASmallStack) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_t thread{};
    const auto body = [](void*) -> void* {
      for (const char* unit : {"[", "{a: ", "- ", "? "}) {
        try {
          Document::parse("a:\n " + repeated(unit, 100'000), "r.yaml");
          _exit(2);
        } catch (const core::Error&) {
          continue;
        }
      }
      return nullptr;
    };
    pthread_create(&thread, &attributes, body, nullptr);
    pthread_join(thread, nullptr);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "crashed on 256 KiB of stack";
}

TEST(HostileDocument, Size) {
  EXPECT_THAT(refused("a: " + std::string(3 << 20, 'x')).message(), HasSubstr("larger than 1 MiB"));
  EXPECT_THAT(refused("a: [" + repeated("b,", 150'000) + "]").message(),
              HasSubstr("more than 100000 values"));
  EXPECT_NO_THROW(Document::parse("a: " + std::string(1'000'000, 'x'), "r.yaml"));
}

TEST(HostileDocument, ShapesThatCostAParserTime) {
  for (const std::string& text :
       {repeated("!", 100'000), repeated("#", 100'000), repeated("\n", 100'000), repeated("? ", 100'000),
        repeated("'", 299'999), "a: \"" + repeated("\\", 300'001), repeated("&a ", 100'000),
        repeated("%\n", 100'000), repeated("--- a\n", 100'000), repeated("[],", 100'000),
        repeated("{},", 100'000), repeated("- - ", 100'000), "a: [" + repeated("{a: b},", 140'000) + "]",
        "a: |\n" + repeated(" x\n", 100'000) + "b"}) {
    refused(text);
  }
}

TEST(HostileDocument, BrokenSyntaxHasAPlace) {
  struct Case {
    const char* text;
    int line;
    int column;
    const char* words;
  };
  for (const Case& c :
       {Case{"a:\n\t- x\n", 2, 2, "not valid YAML"},
        Case{"name: a\nservices\nb: c\n", 3, 2, "not valid YAML"},
        Case{"name: a\nservices\n", 2, 1, "\":\" is missing"}, Case{"a: [b, c\nd: e\n", 0, 0, ""},
        Case{"a: {b, c: d}\n", 1, 5, "\":\" is missing after \"b\""},
        Case{"a: \"abc\n", 1, 4, "never closed"}, Case{"a: 'abc\n", 1, 4, "never closed"},
        Case{"a: \"abc\\\"\n", 1, 4, "never closed"}, Case{"\"abc\n", 1, 1, "never closed"},
        Case{"a: 'it''s\n", 1, 4, "never closed"}, Case{"a: b: c\n", 1, 5, "not valid YAML"},
        Case{"a: 1\n]\n", 2, 1, "not valid YAML"}, Case{"? [a]\n: b\n", 1, 3, "a key must be"},
        Case{": x\n", 1, 1, "a key is missing"}, Case{"a: b\n c: d\n", 0, 0, ""},
        Case{"a: \"\\q\"\n", 1, 0, "not valid YAML"}, Case{"a: @x\n", 1, 4, "not valid YAML"}}) {
    const core::Error error = refused(c.text);
    EXPECT_THAT(error.message(), HasSubstr(c.words)) << c.text;
    ASSERT_TRUE(error.mark()) << c.text;
    EXPECT_GT(error.mark()->line, 0);
    if (c.line != 0) {
      EXPECT_EQ(error.mark()->line, c.line) << c.text << error.message();
    }
    if (c.column != 0) {
      EXPECT_EQ(error.mark()->column, c.column) << c.text << error.message();
    }
  }
}

TEST(HostileDocument, CommonSlipsGetAHint) {
  EXPECT_THAT(refused("a:\n\t- x\n").hint(), HasSubstr("spaces"));
  EXPECT_THAT(refused("name: a\nservices\nb: c\n").hint(), HasSubstr("without its \":\""));
  EXPECT_THAT(refused("description: a: b\n").hint(), HasSubstr("quotes"));
}

TEST(HostileDocument, ManyMarksInOneHugeLineAreCheap) {
  const Document document = Document::parse("a: [" + repeated("bb,", 90'000) + "]", "r.yaml");
  const auto begin = std::chrono::steady_clock::now();
  int sum = 0;
  for (const Node& item : document.root().find("a")->items()) sum += item.mark().line;
  EXPECT_EQ(sum, 90'000);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(HostileDocument, Characters) {
  refused("a: \xff\n");
  refused("a: \xc0\x80\n");
  refused("a: \xed\xa0\x80\n");
  refused(
      "\xff\xfe"
      "a\0:\0 \0b\0");
  refused(std::string("a\0:\0 \0b\0\n\0", 10));
  const core::Error error = refused("a: b\nc: d\x1b[31m\n");
  EXPECT_EQ(error.mark()->line, 2);
  EXPECT_EQ(error.mark()->column, 5);
  EXPECT_EQ(error.mark()->text, "") << "the line would steer the terminal";
  refused(std::string("a: b\0c\n", 7));
  refused("a: b\x04\nc: d\n");  // yaml-cpp takes it for the end of the file
  EXPECT_NO_THROW(
      Document::parse("\xEF\xBB\xBF"
                      "a: b\n",
                      "r.yaml"));
}

class RecipePaths : public ::testing::Test {
 protected:
  core::TempDir folder{std::filesystem::temp_directory_path(), "recipe-attack"};
};

TEST_F(RecipePaths, OnlyRegularFilesAreRead) {
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  core::write_file_atomically(folder / "large", std::string(3 << 20, 'x'));
  for (const std::filesystem::path& path : {folder / "missing", folder.path(), folder / "fifo",
                                            std::filesystem::path("/dev/zero"), folder / "large"}) {
    EXPECT_EQ(error_of([&] { load_recipe(path); }).kind(), core::Kind::kRecipe) << path;
  }
}

/// For root, who can read every file: nobody's rights, as long as it lives.
class OrdinaryUser {
 public:
  OrdinaryUser() : before_(geteuid()) {
    if (before_ == 0) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~OrdinaryUser() { EXPECT_EQ(seteuid(before_), 0); }

 private:
  uid_t before_;
};

TEST_F(RecipePaths, UnreadableFileIsAPermissionError) {
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  core::write_file_atomically(folder / "r.yaml", "imgforge: 1\n", 0);
  core::write_file_atomically(folder / "readable.yaml", "imgforge: 1\n", 0644);
  const OrdinaryUser user;
  EXPECT_EQ(error_of([&] { load_recipe(folder / "r.yaml"); }).kind(), core::Kind::kPermission);
  EXPECT_EQ(error_of([&] { load_recipe(folder / "readable.yaml"); }).kind(), core::Kind::kRecipe);
}

}  // namespace
}  // namespace imgforge::recipe
