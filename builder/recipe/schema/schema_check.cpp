// Checks a tree against the field table.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "builder/recipe/schema/schema.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

std::string_view kind_word(const Node& node) {
  if (node.is_missing()) return "nothing";
  switch (node.kind()) {
    case NodeKind::kSequence:
      return "a list";
    case NodeKind::kMapping:
      return "a mapping";
    case NodeKind::kScalar:
      break;
  }
  return "a single text";
}

std::string words(std::span<const std::string_view> choices) {
  return fmt::format("{}", fmt::join(choices, ", "));
}

std::string accepted_form(const Field& field) {
  switch (field.shape) {
    case Shape::kScalar:
      return field.choices.empty() ? std::string(type_info(field.type).form) : words(field.choices);
    case Shape::kList:
      return fmt::format("a list of {}",
                         field.choices.empty() ? type_info(field.type).form : words(field.choices));
    case Shape::kRecordList:
      return "a list of mappings";
    case Shape::kTextMap:
      return "a mapping from keys to texts";
    case Shape::kProfiles:
      return "a mapping from names to profiles";
    case Shape::kRecord:
      break;
  }
  std::vector<std::string> names;
  for (const Field* below : fields_below(field.path)) names.emplace_back(below->name());
  const std::string mapping = fmt::format("a mapping with {}", core::join(names, ", "));
  return field.choices.empty() ? mapping : fmt::format("{} or {}", words(field.choices), mapping);
}

class Checker {
 public:
  explicit Checker(Origin origin) : origin_(origin) {}

  void top(const Node& node) const { record("", node); }

 private:
  [[noreturn]] static void wrong_kind(const Field& field, const Node& node) {
    core::Error error = node.is_missing()
                            ? recipe_error(node, fmt::format("{} has no value; it takes {}", field.path,
                                                             accepted_form(field)))
                            : recipe_error(node, fmt::format("{} takes {}, not {}", field.path,
                                                             accepted_form(field), kind_word(node)));
    if (!field.example.empty()) error.hint(fmt::format("for example: {}", field.example));
    throw error;
  }

  static void expect(const Field& field, const Node& node, NodeKind kind) {
    if (node.kind() != kind || node.is_missing()) wrong_kind(field, node);
  }

  [[noreturn]] static void unknown_key(std::string_view parent, const Node& key) {
    std::vector<std::string> names;
    for (const Field* field : fields_below(parent)) names.emplace_back(field->name());
    const std::string nearest = core::nearest_word(split_key(key.text()).word, names);
    core::Error error = recipe_error(key, fmt::format("unknown field \"{}\"", core::escaped(key.text(), 60)));
    error.hint(nearest.empty()
                   ? fmt::format("{} has {}", parent.empty() ? "a recipe" : parent, core::join(names, ", "))
                   : fmt::format("did you mean \"{}\"?", nearest));
    throw error;
  }

  const Field& field_of(std::string_view parent, const Node& key) const {
    const KeyParts parts = split_key(key.text());
    const Field* field =
        find_field(parent.empty() ? std::string(parts.word) : fmt::format("{}.{}", parent, parts.word));
    if (field == nullptr) unknown_key(parent, key);
    if (origin_ == Origin::kProfile && field->scope != Scope::kAnywhere) {
      throw recipe_error(key, fmt::format("{} cannot be changed by a profile", field->path));
    }
    if (origin_ == Origin::kCommandLine && field->scope == Scope::kRecipeOnly) {
      throw recipe_error(key, fmt::format("{} cannot be set on the command line", field->path));
    }
    if (parts.op == '=') return *field;
    if (field->shape != Shape::kList && field->shape != Shape::kRecordList) {
      throw recipe_error(key, fmt::format("{} is not a list: {} cannot be used", field->path, parts.op))
          .hint(fmt::format("write \"{}\"", field->name()));
    }
    if (origin_ == Origin::kRecipe) {
      throw recipe_error(
          key, fmt::format("{} extends a list in a profile; here there is nothing to extend", key.text()))
          .hint(fmt::format("write \"{}\"", field->name()));
    }
    return *field;
  }

  void record(std::string_view path, const Node& node) const {
    for (const Entry& entry : node.entries()) {
      const Field& field = field_of(path, entry.key);
      if (split_key(entry.key.text()).op == '-') {
        removal(field, entry.value);
      } else {
        value(field, entry.value);
      }
    }
  }

  void removal(const Field& field, const Node& node) const {
    expect(field, node, NodeKind::kSequence);
    const Field* identity = nullptr;
    if (field.shape == Shape::kRecordList)
      identity = find_field(fmt::format("{}.{}", field.path, field.identity));
    for (const Node& item : node.items()) {
      if (item.kind() != NodeKind::kScalar || item.is_missing()) {
        throw recipe_error(item,
                           fmt::format("-{} takes a list of the {}s to remove", field.name(),
                                       identity != nullptr ? identity->name() : type_info(field.type).word));
      }
      if (identity != nullptr) {
        scalar(*identity, item);
      } else {
        scalar(field, item);
      }
    }
  }

  void value(const Field& field, const Node& node) const {
    switch (field.shape) {
      case Shape::kScalar:
        expect(field, node, NodeKind::kScalar);
        return scalar(field, node);
      case Shape::kList:
        expect(field, node, NodeKind::kSequence);
        for (const Node& item : node.items()) {
          expect(field, item, NodeKind::kScalar);
          scalar(field, item);
        }
        return no_duplicates(field, node);
      case Shape::kRecordList:
        expect(field, node, NodeKind::kSequence);
        for (const Node& item : node.items()) record_item(field, item);
        return no_duplicates(field, node);
      case Shape::kTextMap:
        return text_map(field, node);
      case Shape::kProfiles:
        return profiles(field, node);
      case Shape::kRecord:
        if (!field.choices.empty() && node.kind() == NodeKind::kScalar && !node.is_missing())
          return choice(field, node);
        expect(field, node, NodeKind::kMapping);
        return record(field.path, node);
    }
  }

  static void choice(const Field& field, const Node& node) {
    const auto& choices = field.choices;
    if (std::find(choices.begin(), choices.end(), node.text()) != choices.end()) return;
    const std::string nearest = core::nearest_word(node.text(), {choices.begin(), choices.end()});
    core::Error error = recipe_error(node, fmt::format("{} must be {}, not \"{}\"", field.path,
                                                       accepted_form(field), core::escaped(node.text(), 60)));
    if (field.path == "imgforge") {
      error.hint(fmt::format("this imgforge reads version {} of the recipe language", kLanguageVersion));
    } else if (!nearest.empty()) {
      error.hint(fmt::format("did you mean \"{}\"?", nearest));
    }
    throw error;
  }

  static void scalar(const Field& field, const Node& node) {
    if (!field.choices.empty()) return choice(field, node);
    check_scalar(field.type, node, field.path);
  }

  void record_item(const Field& list, const Node& item) const {
    expect(list, item, NodeKind::kMapping);
    // A list's item is always whole, in profiles too: operators have no meaning inside.
    const Checker whole(origin_ == Origin::kRecipe ? Origin::kRecipe : Origin::kProfile);
    for (const Entry& entry : item.entries()) {
      if (split_key(entry.key.text()).op != '=') unknown_key(list.path, entry.key);
    }
    whole.record(list.path, item);
    for (const Field* field : fields_below(list.path)) {
      if (field->required && item.find(field->name()) == nullptr) {
        throw recipe_error(item,
                           fmt::format("\"{}\" is missing in this item of {}", field->name(), list.path))
            .hint(fmt::format("it must be {}", accepted_form(*field)));
      }
    }
  }

  static void no_duplicates(const Field& field, const Node& list) {
    if (field.type == Type::kLines) return;  // run: a step may be repeated
    std::map<std::string, const Node*> seen;
    for (const Node& item : list.items()) {
      const auto [first, is_new] = seen.emplace(identity_of(field, item), &item);
      if (is_new) continue;
      throw recipe_error(
          item, fmt::format("\"{}\" is listed twice in {}, first on line {}", core::escaped(first->first, 60),
                            field.path, first->second->mark().line));
    }
  }

  static void text_map(const Field& field, const Node& node) {
    expect(field, node, NodeKind::kMapping);
    for (const Entry& entry : node.entries()) {
      check_scalar(field.key_type, entry.key, fmt::format("a key of {}", field.path));
      const std::string label = fmt::format("{}.{}", field.path, entry.key.text());
      if (entry.value.kind() != NodeKind::kScalar || entry.value.is_missing()) {
        throw recipe_error(entry.value, fmt::format("{} takes {}, not {}", label, type_info(field.type).form,
                                                    kind_word(entry.value)));
      }
      check_scalar(field.type, entry.value, label);
    }
  }

  static void profiles(const Field& field, const Node& node) {
    expect(field, node, NodeKind::kMapping);
    if (node.entries().empty()) {
      throw recipe_error(node, "profiles names no profile")
          .hint("leave the field out for a recipe without profiles");
    }
    for (const Entry& entry : node.entries()) {
      check_scalar(field.key_type, entry.key, "the name of a profile");
      if (entry.value.is_missing()) continue;  // `minimal:` changes nothing
      if (entry.value.kind() != NodeKind::kMapping) {
        throw recipe_error(
            entry.value, fmt::format("a profile takes a mapping of fields, not {}", kind_word(entry.value)));
      }
      Checker(Origin::kProfile).top(entry.value);
    }
  }

  Origin origin_;
};

}  // namespace

KeyParts split_key(std::string_view key) {
  if (key.size() > 1 && (key.front() == '+' || key.front() == '-')) return {key.front(), key.substr(1)};
  return {'=', key};
}

std::string identity_of(const Field& list, const Node& item) {
  if (item.kind() == NodeKind::kMapping) {
    const Node* name = item.find(list.identity);
    const Node* second = list.second_identity.empty() ? nullptr : item.find(list.second_identity);
    if (second != nullptr && name != nullptr) return name->text() + " " + second->text();
    return name == nullptr ? std::string() : name->text();
  }
  return list.type == Type::kPackage ? std::string(package_name(item.text())) : item.text();
}

bool is_named(const Field& list, const Node& item, const Node& name) {
  if (list.second_identity.empty()) return identity_of(list, item) == identity_of(list, name);
  return item.find(list.identity)->text() == name.text();
}

void check(const Node& top, Origin origin) {
  Checker(origin).top(top);
}

}  // namespace imgforge::recipe
