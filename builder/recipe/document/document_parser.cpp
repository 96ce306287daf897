// Turns yaml-cpp's events into nodes. Events are used instead of its node tree because they show what the
// tree hides (duplicate keys, aliases, tags), carry exact positions, and are never walked recursively.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "builder/recipe/document/document.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

using Source = std::shared_ptr<const SourceText>;

constexpr const char* kUnclosed = "is a bracket or a brace before it never closed?";

core::Error error_at(const Source& source, std::size_t offset, std::size_t length, std::string message) {
  core::Error error(core::Kind::kRecipe, std::move(message));
  error.at(source->mark(offset, length));
  return error;
}

/// Offset after the closing quote of the quoted scalar that begins at `begin`; npos when it is not closed.
std::size_t end_of_quoted(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  for (std::size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '\'' && i + 1 < text.size() && text[i + 1] == '\'') {
        ++i;
      } else {
        return i + 1;
      }
    }
  }
  return std::string_view::npos;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Source source) : source_(std::move(source)) {}

  const std::optional<Node>& root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) {
      throw error_at(source_, offset_of(mark), 1, "more than one document in the file")
          .hint("keep what stands before the second \"---\"");
    }
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    throw error_at(source_, offset_of(mark), name.size() + 1, "anchors (&) are not supported")
        .hint("write the value where it is needed; profiles share what stands outside them");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw error_at(source_, offset_of(mark), 1, "aliases (*) are not supported");
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Place place{source_, offset_of(mark), 1};
    Frame* frame = frames_.empty() ? nullptr : &frames_.back();
    if (frame != nullptr && frame->kind == NodeKind::kMapping) {
      if (!frame->key) throw error_at(source_, place.offset, 1, "a key is missing before \":\"");
      // The parser reports an absent value at whatever comes next: the key is the better place.
      place = frame->key->place();
    }
    add(Node::missing(std::move(place)));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    const std::size_t begin = offset_of(mark);
    refuse_tag(begin, tag, "!");
    Place place{source_, begin, 1};
    ScalarStyle style = ScalarStyle::kPlain;
    const std::string_view rest = std::string_view(source_->text()).substr(begin);
    if (tag == "?") {
      // A text over several lines is folded, so it differs from the source: its first line is marked.
      place.length =
          rest.starts_with(value) ? value.size() : core::trimmed(rest.substr(0, rest.find('\n'))).size();
    } else if (rest.starts_with('"') || rest.starts_with('\'')) {
      const std::size_t end = end_of_quoted(source_->text(), begin);
      if (end == std::string_view::npos) throw error_at(source_, begin, 1, "the quoted text is never closed");
      place.length = end - begin;
      style = ScalarStyle::kQuoted;
    } else {
      style = ScalarStyle::kBlock;
    }
    add(Node::scalar(value, style, std::move(place)));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(NodeKind::kSequence, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(NodeKind::kMapping, mark, tag);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    NodeKind kind;
    Place place;
    std::vector<Node> items;
    std::vector<Entry> entries;
    std::map<std::string, int> lines;  ///< line of each key seen
    std::optional<Node> key;           ///< read, still without its value
  };

  std::size_t offset_of(const YAML::Mark& mark) const {
    return mark.pos < 0 ? 0 : std::min(static_cast<std::size_t>(mark.pos), source_->text().size());
  }

  /// Untagged nodes are reported with "?" (or "!" when quoted); a written tag shows in the text as well.
  void refuse_tag(std::size_t begin, const std::string& tag, std::string_view also_allowed) const {
    const std::string& text = source_->text();
    if ((tag == "?" || tag == also_allowed) && (begin >= text.size() || text[begin] != '!')) return;
    const std::size_t end = text.find_first_of(" \t\r\n,", begin);
    throw error_at(source_, begin, end == std::string::npos ? 1 : end - begin, "tags (!) are not supported")
        .hint("a value is read as its field needs it");
  }

  void count_node(const Place& place) {
    if (++nodes_ > Document::kMaxNodes) {
      throw error_at(source_, place.offset, 1,
                     fmt::format("more than {} values in the file", Document::kMaxNodes));
    }
  }

  void open(NodeKind kind, const YAML::Mark& mark, const std::string& tag) {
    Place place{source_, offset_of(mark), 1};
    refuse_tag(place.offset, tag, "?");
    if (frames_.size() >= Document::kMaxDepth) {
      throw error_at(source_, place.offset, 1,
                     fmt::format("nested too deep, more than {} levels", Document::kMaxDepth));
    }
    if (!frames_.empty() && frames_.back().kind == NodeKind::kMapping && !frames_.back().key) {
      throw error_at(source_, place.offset, 1, "a key must be a single word or text").hint(kUnclosed);
    }
    frames_.push_back(Frame{kind, std::move(place), {}, {}, {}, {}});
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    add(frame.kind == NodeKind::kSequence ? Node::sequence(std::move(frame.items), std::move(frame.place))
                                          : Node::mapping(std::move(frame.entries), std::move(frame.place)));
  }

  void add(Node node) {
    count_node(node.place());
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.kind == NodeKind::kSequence) {
      frame.items.push_back(std::move(node));
    } else if (!frame.key) {
      frame.key = checked_key(frame, std::move(node));
    } else {
      frame.entries.push_back(Entry{std::move(*frame.key), std::move(node)});
      frame.key.reset();
    }
  }

  Node checked_key(Frame& frame, Node key) const {
    const std::string& text = source_->text();
    const Place& place = key.place();
    if (key.style() == ScalarStyle::kPlain && key.text() == "<<") {
      throw recipe_error(key, "merge keys (<<) are not supported")
          .hint("profiles extend what stands outside them");
    }
    // yaml-cpp takes a bare word as a key without value; so `services` with a forgotten colon would pass.
    const std::size_t colon = text.find_first_not_of(" \t", place.offset + place.length);
    if (colon == std::string::npos || text[colon] != ':') {
      core::Error error =
          recipe_error(key, fmt::format("\":\" is missing after \"{}\"", core::escaped(key.text(), 60)));
      // The parser takes what stands before the end of an unclosed list for a key.
      if (text.find_first_not_of(" \t\r\n", place.offset + place.length) == std::string::npos)
        error.hint(kUnclosed);
      throw error;
    }
    const int line = source_->line_of(place.offset);
    const auto [seen, is_new] = frame.lines.emplace(key.text(), line);
    if (!is_new) {
      throw recipe_error(key, fmt::format("\"{}\" is given twice, on line {} and on line {}",
                                          core::escaped(key.text(), 60), seen->second, line));
    }
    return key;
  }

  Source source_;
  std::vector<Frame> frames_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
};

/// Refuses what yaml-cpp would pass on or misread: bytes that are not UTF-8 and control characters.
void check_characters(const Source& source) {
  const std::string& text = source->text();
  if (text.size() > Document::kMaxBytes) {
    throw core::Error(core::Kind::kRecipe, core::escaped(source->name()) + " is larger than 1 MiB");
  }
  const auto is_control = [](unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  };
  if (!core::is_utf8(text)) {
    throw core::Error(core::Kind::kRecipe, core::escaped(source->name()) + " is not UTF-8 text")
        .hint("save it as UTF-8");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_control(static_cast<unsigned char>(text[i]))) continue;
    throw core::Error(core::Kind::kRecipe, fmt::format("the control character \\x{:02x} is not allowed",
                                                       static_cast<unsigned>(text[i])))
        .hint("in double quotes it can be written as an escape")
        .at(source->mark(i, 1));
  }
}

core::Error translated(const YAML::Exception& error, const Source& source) {
  const std::size_t size = source->text().size();
  std::size_t offset = error.mark.pos < 0 ? size : std::min(static_cast<std::size_t>(error.mark.pos), size);
  if (offset < size && source->text()[offset] == '*') {
    return error_at(source, offset, 1, "aliases (*) are not supported");
  }
  std::string message = core::escaped(error.msg, 200);
  if (message == "bad file") message = "nested too deep";
  core::Error out = error_at(source, offset, 1, "not valid YAML: " + message);
  const std::string& text = source->text();
  const std::size_t line = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;
  const std::size_t indentation_end = std::min(text.find_first_not_of(" \t", line), size);
  if (text.find('\t', line) < indentation_end) {
    out.hint("indent with spaces, not with tabs");
  } else if (message == "illegal map value") {
    out.hint("is the line before without its \":\"? A text that contains \": \" needs quotes");
  }
  return out;
}

}  // namespace

namespace {

/// A line end of Windows is a line end and no content, wherever it stands (YAML 1.2.2, 5.4).
std::string with_plain_line_ends(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') out += text[i];
  }
  return out;
}

}  // namespace

Document Document::parse(std::string_view text, std::string name, TopLevel top) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  const auto source = std::make_shared<const SourceText>(std::move(name), with_plain_line_ends(text));
  check_characters(source);
  Builder builder(source);
  try {
    std::istringstream stream(source->text());
    YAML::Parser parser(stream);
    // The second call finds a second document, which the builder refuses.
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& error) {
    throw translated(error, source);
  }
  const std::optional<Node>& root = builder.root();
  const bool fits = root && (root->kind() == NodeKind::kMapping ||
                             (top == TopLevel::kAny && root->kind() == NodeKind::kSequence));
  if (!fits) {
    const std::string accepted = top == TopLevel::kAny ? "a mapping or a list" : "a mapping (key: value)";
    throw error_at(source, root ? root->place().offset : 0, root ? root->place().length : 0,
                   "the top level must be " + accepted);
  }
  return Document(*root);
}

}  // namespace imgforge::recipe
