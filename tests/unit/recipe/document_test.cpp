#include "builder/recipe/document/document.hpp"

#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::error_of;

Node parse(std::string_view text) {
  return Document::parse(text, "d.yaml", Document::TopLevel::kAny).root();
}

TEST(Document, KeepsScalarsAsText) {
  const Node root = parse("a: 3.20\nb: 0755\nc: yes\nd: 1e3\ne: 'x'\nf: \"y\\n\"\ng: 007\n");
  EXPECT_EQ(root.find("a")->text(), "3.20");
  EXPECT_EQ(root.find("b")->text(), "0755");
  EXPECT_EQ(root.find("c")->text(), "yes");
  EXPECT_EQ(root.find("d")->text(), "1e3");
  EXPECT_EQ(root.find("g")->text(), "007");
  EXPECT_EQ(root.find("e")->style(), ScalarStyle::kQuoted);
  EXPECT_EQ(root.find("f")->text(), "y\n");
  EXPECT_EQ(root.find("a")->style(), ScalarStyle::kPlain);
  EXPECT_EQ(root.find("h"), nullptr);
}

TEST(Document, ReadsBlockScalars) {
  const Node root = parse("a: |\n  one\n    two\n\n  three\nb: >-\n  folded\n  text\n");
  EXPECT_EQ(root.find("a")->text(), "one\n  two\n\nthree\n");
  EXPECT_EQ(root.find("b")->text(), "folded text");
  EXPECT_EQ(root.find("a")->style(), ScalarStyle::kBlock);
}

TEST(Document, ReadsAlpinesReleaseIndex) {
  const Node root =
      parse("---\n-\n  title: \"Mini root filesystem\"\n  desc: |\n    For containers.\n  branch: v3.20\n");
  ASSERT_EQ(root.kind(), NodeKind::kSequence);
  ASSERT_EQ(root.items().size(), 1U);
  EXPECT_EQ(root.items()[0].find("branch")->text(), "v3.20");
}

TEST(Document, MarksCoverTheWord) {
  const Node root = parse("# comment\nlist: [one, \"two words\"]\nmap:\n  key: value # more\n");
  const core::Mark quoted = root.find("list")->items()[1].mark();
  EXPECT_EQ(quoted.file, "d.yaml");
  EXPECT_EQ(quoted.line, 2);
  EXPECT_EQ(quoted.column, 13);
  EXPECT_EQ(quoted.length, 11);
  EXPECT_EQ(quoted.text, "list: [one, \"two words\"]");
  const Entry& entry = root.find("map")->entries()[0];
  EXPECT_EQ(entry.key.mark().column, 3);
  EXPECT_EQ(entry.key.mark().length, 3);
  EXPECT_EQ(entry.value.mark().column, 8);
  EXPECT_EQ(entry.value.mark().length, 5);
}

TEST(Document, ColumnsCountCharactersAndLinesEndWithCrLf) {
  const Node root = parse(
      "\xEF\xBB\xBF"
      "a: 1\r\n\"\xC3\xA4\xC3\xB6\": \xE2\x82\xAC"
      "x\r\n");
  const core::Mark mark = root.entries()[1].value.mark();
  EXPECT_EQ(mark.line, 2);
  EXPECT_EQ(mark.column, 7);
  EXPECT_EQ(mark.length, 2);
  EXPECT_EQ(mark.text,
            "\"\xC3\xA4\xC3\xB6\": \xE2\x82\xAC"
            "x");
}

TEST(Document, LineEndsOfWindowsAreNoContent) {
  const Node root = parse("a: |\r\n  #!/bin/sh\r\n  true\r\nb: \"x\\r\\n\"\r\nc: 'one\r\n  two'\r\n");
  EXPECT_EQ(root.find("a")->text(), "#!/bin/sh\ntrue\n");
  EXPECT_EQ(root.find("b")->text(), "x\r\n") << "what was escaped was meant";
  EXPECT_EQ(root.find("c")->text(), "one two");
}

TEST(Document, DistinguishesNothingFromEmptyText) {
  const Node root = parse("a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\n");
  EXPECT_TRUE(root.find("a")->is_missing());
  EXPECT_TRUE(root.find("b")->is_missing());
  EXPECT_TRUE(root.find("c")->is_missing());
  EXPECT_FALSE(root.find("d")->is_missing());
  EXPECT_EQ(root.find("e")->text(), "null");
  // What is not there is reported at its key.
  EXPECT_EQ(root.find("a")->mark().line, 1);
}

TEST(Document, LeavesVeryLongLinesOutOfMarks) {
  const Node root = parse("a: [" + std::string(2000, 'x') + ", y]\n");
  const core::Mark mark = root.find("a")->items()[1].mark();
  EXPECT_EQ(mark.text, "");
  EXPECT_EQ(mark.column, 2007);
}

TEST(Document, TopLevelIsAMappingUnlessAsked) {
  EXPECT_EQ(error_of([] { Document::parse("- a\n", "d.yaml"); }).message(),
            "the top level must be a mapping (key: value)");
  EXPECT_NO_THROW(parse("- a\n"));
  EXPECT_THROW(parse("text\n"), core::Error);
}

TEST(Document, DocumentMarkersOfOneDocumentAreFine) {
  EXPECT_EQ(parse("---\na: 1\n...\n").find("a")->text(), "1");
  EXPECT_EQ(parse("%YAML 1.2\n---\na: 1\n").find("a")->text(), "1");
}

}  // namespace
}  // namespace imgforge::recipe
