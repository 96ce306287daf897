// A YAML text as an immutable tree in which every scalar stays text (3.20 is never the number 3.2) and every
// node and key knows its place. Only the plain part of YAML 1.2 is accepted: what a reader could misjudge
// (duplicate keys, anchors, aliases, merge keys, tags, a second document) is refused with its place, and
// size, depth and number of nodes are bounded, so that a hostile file costs a message and nothing more. The
// code is in document.cpp and document_parser.cpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace imgforge::recipe {

enum class NodeKind { kScalar, kSequence, kMapping };
enum class ScalarStyle { kPlain, kQuoted, kBlock };

/// A text that nodes point into, with its name as shown in messages.
class SourceText {
 public:
  SourceText(std::string name, std::string text);
  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  /// Mark of `length` bytes at a byte offset. Columns and the mark's length count characters; the mark ends
  /// with its line; a line longer than 1000 bytes is not quoted in the mark.
  core::Mark mark(std::size_t offset, std::size_t length) const;
  /// Line number (from 1) of a byte offset.
  int line_of(std::size_t offset) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

/// A stretch of a source; without source it stands for a default value and has no mark.
struct Place {
  std::shared_ptr<const SourceText> source;
  std::size_t offset = 0;
  std::size_t length = 0;
};

struct Entry;

/// A cheap handle of an immutable tree node.
class Node {
 public:
  static Node scalar(std::string text, ScalarStyle style, Place place);
  /// A value that is not there: `key:` with nothing behind it, `~` or `null`. A scalar with empty text.
  static Node missing(Place place);
  static Node sequence(std::vector<Node> items, Place place);
  static Node mapping(std::vector<Entry> entries, Place place);

  NodeKind kind() const;
  bool is_missing() const;
  /// Text of a scalar, as written (escapes and folding resolved); empty for others.
  const std::string& text() const;
  ScalarStyle style() const;
  /// Items of a sequence; empty for others.
  const std::vector<Node>& items() const;
  /// Entries of a mapping in the order written; empty for others.
  const std::vector<Entry>& entries() const;
  /// Value of a key of a mapping, or nullptr.
  const Node* find(std::string_view key) const;
  const Place& place() const;
  /// Where the node begins, covering the word; line 0 for a default value.
  core::Mark mark() const;

 private:
  struct Data;
  explicit Node(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// One `key: value` of a mapping. The key is a scalar.
struct Entry {
  Node key;
  Node value;
};

class Document {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;
  static constexpr std::size_t kMaxDepth = 64;
  static constexpr std::size_t kMaxNodes = 100'000;

  enum class TopLevel { kMapping, kAny };

  /// Parses a text; `name` stands for the file in messages. A byte order mark of UTF-8 is accepted. Throws
  /// kRecipe with a mark. TopLevel::kAny also accepts a sequence (Alpine's release index is one).
  static Document parse(std::string_view text, std::string name, TopLevel top = TopLevel::kMapping);
  /// Parses a regular file. kRecipe when it is missing, not regular or too large; kPermission when
  /// unreadable.
  static Document load(const std::filesystem::path& path);

  const Node& root() const { return root_; }

 private:
  explicit Document(Node root) : root_(std::move(root)) {}
  Node root_;
};

/// A kRecipe error that points at `node`.
core::Error recipe_error(const Node& node, std::string message);

}  // namespace imgforge::recipe
