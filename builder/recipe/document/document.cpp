#include "builder/recipe/document/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

constexpr std::size_t kMaxQuotedLine = 1000;

int characters(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<int>(std::count_if(text.begin(), text.end(), begins));
}

}  // namespace

SourceText::SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
  }
}

int SourceText::line_of(std::size_t offset) const {
  const auto after =
      std::upper_bound(line_starts_.begin(), line_starts_.end(), std::min(offset, text_.size()));
  return static_cast<int>(after - line_starts_.begin());
}

core::Mark SourceText::mark(std::size_t offset, std::size_t length) const {
  offset = std::min(offset, text_.size());
  core::Mark mark;
  mark.file = name_;
  mark.line = line_of(offset);
  const auto index = static_cast<std::size_t>(mark.line - 1);
  const std::size_t start = line_starts_[index];
  const std::size_t end = index + 1 < line_starts_.size() ? line_starts_[index + 1] - 1 : text_.size();
  std::string_view line = std::string_view(text_).substr(start, end - start);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t begin = std::min(offset - start, line.size());
  const std::string_view word = line.substr(begin, length);
  if (line.size() > kMaxQuotedLine) {
    // Many marks in one huge line must not cost its length each.
    mark.column = static_cast<int>(begin) + 1;
    mark.length = static_cast<int>(std::max<std::size_t>(1, word.size()));
    return mark;
  }
  mark.column = characters(line.substr(0, begin)) + 1;
  mark.length = std::max(1, characters(word));
  const auto steers = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; };
  if (std::none_of(line.begin(), line.end(), steers)) mark.text = line;
  return mark;
}

struct Node::Data {
  NodeKind kind = NodeKind::kScalar;
  ScalarStyle style = ScalarStyle::kPlain;
  bool missing = false;
  std::string text;
  std::vector<Node> items;
  std::vector<Entry> entries;
  Place place;
};

Node Node::scalar(std::string text, ScalarStyle style, Place place) {
  Data data;
  data.text = std::move(text);
  data.style = style;
  data.place = std::move(place);
  return Node(std::make_shared<const Data>(std::move(data)));
}

Node Node::missing(Place place) {
  Data data;
  data.missing = true;
  data.place = std::move(place);
  return Node(std::make_shared<const Data>(std::move(data)));
}

Node Node::sequence(std::vector<Node> items, Place place) {
  Data data;
  data.kind = NodeKind::kSequence;
  data.items = std::move(items);
  data.place = std::move(place);
  return Node(std::make_shared<const Data>(std::move(data)));
}

Node Node::mapping(std::vector<Entry> entries, Place place) {
  Data data;
  data.kind = NodeKind::kMapping;
  data.entries = std::move(entries);
  data.place = std::move(place);
  return Node(std::make_shared<const Data>(std::move(data)));
}

NodeKind Node::kind() const {
  return data_->kind;
}
bool Node::is_missing() const {
  return data_->missing;
}
const std::string& Node::text() const {
  return data_->text;
}
ScalarStyle Node::style() const {
  return data_->style;
}
const std::vector<Node>& Node::items() const {
  return data_->items;
}
const std::vector<Entry>& Node::entries() const {
  return data_->entries;
}
const Place& Node::place() const {
  return data_->place;
}

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : data_->entries) {
    if (entry.key.text() == key) return &entry.value;
  }
  return nullptr;
}

core::Mark Node::mark() const {
  const Place& place = data_->place;
  return place.source ? place.source->mark(place.offset, place.length) : core::Mark{};
}

core::Error recipe_error(const Node& node, std::string message) {
  core::Error error(core::Kind::kRecipe, std::move(message));
  if (node.place().source) error.at(node.mark());
  return error;
}

Document Document::load(const std::filesystem::path& path) {
  const auto refuse = [&](std::string why) {
    return core::Error(core::Kind::kRecipe, core::escaped(path.native()) + " " + std::move(why));
  };
  try {
    return parse(core::read_text_file(path, kMaxBytes), path.native());
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kUnsafe) throw refuse("is larger than 1 MiB");
    if (error.kind() == core::Kind::kIo)
      throw core::Error(core::Kind::kRecipe, core::escaped(error.message()));
    throw;
  }
}

}  // namespace imgforge::recipe
