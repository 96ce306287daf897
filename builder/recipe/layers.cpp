#include "builder/recipe/layers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

std::string below(std::string_view path, std::string_view word) {
  return path.empty() ? std::string(word) : fmt::format("{}.{}", path, word);
}

Entry* entry_of(std::vector<Entry>& entries, std::string_view key) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key.text() == key; });
  return found == entries.end() ? nullptr : &*found;
}

void put(std::vector<Entry>& entries, const Node& key, Node value) {
  if (Entry* entry = entry_of(entries, key.text())) {
    *entry = Entry{key, std::move(value)};
  } else {
    entries.push_back(Entry{key, std::move(value)});
  }
}

Node removed(const Field& field, const Node& list, const Node& names) {
  std::vector<Node> items = list.items();
  for (const Node& name : names.items()) {
    const std::string wanted = identity_of(field, name);
    const auto kept = std::remove_if(items.begin(), items.end(),
                                     [&](const Node& item) { return is_named(field, item, name); });
    if (kept == items.end()) {
      std::vector<std::string> present;
      for (const Node& item : items) present.push_back(identity_of(field, item));
      const std::string nearest = core::nearest_word(wanted, present);
      core::Error error = recipe_error(
          name, fmt::format("{} has no \"{}\" to remove", field.path, core::escaped(wanted, 60)));
      if (!nearest.empty()) error.hint(fmt::format("did you mean \"{}\"?", core::escaped(nearest, 60)));
      throw error;
    }
    items.erase(kept, items.end());
  }
  return Node::sequence(std::move(items), list.place());
}

Node extended(const Field& field, const Node& list, const Node& more) {
  std::vector<Node> items = list.items();
  for (const Node& item : more.items()) {
    const std::string identity = identity_of(field, item);
    const auto same = field.type == Type::kLines && field.shape == Shape::kList
                          ? items.end()
                          : std::find_if(items.begin(), items.end(), [&](const Node& other) {
                              return identity_of(field, other) == identity;
                            });
    if (same == items.end()) {
      items.push_back(item);
    } else {
      *same = item;
    }
  }
  return Node::sequence(std::move(items), list.place());
}

Node merged_record(std::string_view path, const Node& base, const Node& overlay);

/// Applies one plain entry of an overlay.
void replace_entry(std::string_view path, std::vector<Entry>& entries, const Entry& change) {
  const Field* field = find_field(below(path, change.key.text()));
  const Entry* old = entry_of(entries, change.key.text());
  const bool both =
      old != nullptr && old->value.kind() == NodeKind::kMapping && change.value.kind() == NodeKind::kMapping;
  if (field != nullptr && both && field->shape == Shape::kRecord) {
    put(entries, change.key, merged_record(field->path, old->value, change.value));
  } else if (field != nullptr && both && field->shape == Shape::kTextMap) {
    std::vector<Entry> map = old->value.entries();
    for (const Entry& entry : change.value.entries()) put(map, entry.key, entry.value);
    put(entries, change.key, Node::mapping(std::move(map), change.value.place()));
  } else {
    put(entries, change.key, change.value);
  }
}

Node merged_record(std::string_view path, const Node& base, const Node& overlay) {
  std::vector<Entry> entries = base.entries();
  // Whatever the order in the overlay: a list is replaced, then shortened, then extended.
  for (const char op : {'=', '-', '+'}) {
    for (const Entry& change : overlay.entries()) {
      const KeyParts key = split_key(change.key.text());
      if (key.op != op) continue;
      if (op == '=') {
        replace_entry(path, entries, change);
        continue;
      }
      const Field* field = find_field(below(path, key.word));
      if (field == nullptr) continue;
      const Entry* old = entry_of(entries, key.word);
      const Node list = old != nullptr ? old->value : Node::sequence({}, change.value.place());
      const Place& place = change.key.place();
      const Node plain_key = Node::scalar(std::string(key.word), ScalarStyle::kPlain, place);
      put(entries, plain_key,
          op == '-' ? removed(*field, list, change.value) : extended(*field, list, change.value));
    }
  }
  return Node::mapping(std::move(entries), base.place());
}

Node default_value(const Field& field) {
  if (field.shape != Shape::kList) return Node::scalar(std::string(field.fallback), ScalarStyle::kPlain, {});
  std::vector<Node> items;
  for (const std::string& word : core::split(field.fallback, ',')) {
    items.push_back(Node::scalar(std::string(core::trimmed(word)), ScalarStyle::kPlain, {}));
  }
  return Node::sequence(std::move(items), {});
}

Node record_with_defaults(std::string_view path, const Node& record) {
  std::vector<Entry> entries = record.entries();
  for (const Field* field : fields_below(path)) {
    Entry* entry = entry_of(entries, field->name());
    if (entry == nullptr) {
      if (field->fallback.empty()) continue;
      const Node key = Node::scalar(std::string(field->name()), ScalarStyle::kPlain, {});
      entries.push_back(Entry{key, field->shape == Shape::kRecord
                                       ? record_with_defaults(field->path, Node::mapping({}, {}))
                                       : default_value(*field)});
    } else if (field->shape == Shape::kRecord && entry->value.kind() == NodeKind::kMapping) {
      entry->value = record_with_defaults(field->path, entry->value);
    } else if (field->shape == Shape::kRecordList) {
      std::vector<Node> items;
      for (const Node& item : entry->value.items()) items.push_back(record_with_defaults(field->path, item));
      entry->value = Node::sequence(std::move(items), entry->value.place());
    }
  }
  return Node::mapping(std::move(entries), record.place());
}

void check_required_below(std::string_view path, const Node& record) {
  for (const Field* field : fields_below(path)) {
    const Node* value = record.find(field->name());
    if (value == nullptr) {
      if (!field->required) continue;
      core::Error error = recipe_error(record, fmt::format("\"{}\" is missing", field->path));
      if (!field->example.empty()) error.hint(fmt::format("for example: {}", field->example));
      throw error;
    }
    if (field->shape == Shape::kRecord) {
      if (value->kind() == NodeKind::kMapping) check_required_below(field->path, *value);
    }
  }
}

/// The option's text while it is turned into a tree.
class OverrideParser {
 public:
  explicit OverrideParser(const std::string& option)
      : source_(std::make_shared<const SourceText>("--set", option)), equals_(option.find('=')) {}

  Node parse() {
    if (equals_ == std::string::npos || equals_ == 0) {
      throw recipe_error(Node::missing(place(0, source_->text().size())), "--set takes path=value")
          .hint("for example: --set disk.size=2G");
    }
    return record(0, "");
  }

 private:
  Place place(std::size_t begin, std::size_t length) const { return {source_, begin, length}; }

  Node text_node(std::size_t begin, std::size_t end) const {
    return Node::scalar(source_->text().substr(begin, end - begin), ScalarStyle::kQuoted,
                        place(begin, end - begin));
  }

  /// The mapping for the words from `begin` on, which stand below `path`. Unknown words become keys as they
  /// are: the check against the table says what is wrong with them.
  Node record(std::size_t begin, std::string_view path) {
    const std::string& text = source_->text();
    const std::size_t end = std::min(text.find('.', begin), equals_);
    const Node key = text_node(begin, end);
    const Field* field = find_field(below(path, split_key(key.text()).word));
    if (end == equals_)
      return Node::mapping({Entry{key, value(field, split_key(key.text()).op)}}, place(begin, end - begin));
    Node inner = Node::missing(place(begin, end - begin));
    if (field != nullptr && field->shape == Shape::kTextMap) {
      inner = Node::mapping({Entry{text_node(end + 1, equals_), value(nullptr, '=')}}, place(end + 1, 1));
    } else if (field != nullptr && field->shape == Shape::kRecord) {
      inner = record(end + 1, field->path);
    } else if (field != nullptr && field->scope != Scope::kRecipeOnly) {
      throw recipe_error(text_node(end + 1, equals_),
                         fmt::format("{} has no fields that --set could reach", field->path));
    }
    return Node::mapping({Entry{key, inner}}, place(begin, end - begin));
  }

  Node value(const Field* field, char op) const {
    const std::string& text = source_->text();
    const std::size_t begin = equals_ + 1;
    const bool records = field != nullptr && field->shape == Shape::kRecordList;
    if (records && op != '-') {
      throw recipe_error(text_node(0, equals_),
                         fmt::format("{} cannot be set on the command line", field->path))
          .hint("write it in the recipe or a profile");
    }
    if (field == nullptr || (field->shape != Shape::kList && !records)) return text_node(begin, text.size());
    std::vector<Node> items;
    for (std::size_t item = begin; item < text.size();) {
      const std::size_t comma = std::min(text.find(',', item), text.size());
      items.push_back(text_node(item, comma));
      item = comma + 1;
    }
    return Node::sequence(std::move(items), place(begin, text.size() - begin));
  }

  std::shared_ptr<const SourceText> source_;
  std::size_t equals_;
};

}  // namespace

Node merged(const Node& base, const Node& overlay) {
  return merged_record("", base, overlay);
}

Node with_defaults(const Node& top) {
  return record_with_defaults("", top);
}

void check_required(const Node& top) {
  check_required_below("", top);
}

Node parse_override(const std::string& option) {
  if (!core::is_utf8(option)) {
    throw core::Error(core::Kind::kRecipe,
                      fmt::format("--set {} is not UTF-8 text", core::escaped(option, 100)));
  }
  Node overlay = OverrideParser(option).parse();
  check(overlay, Origin::kCommandLine);
  return overlay;
}

}  // namespace imgforge::recipe
