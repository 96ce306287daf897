// The recipe language as one table of fields. Everything that must agree about it comes from the table: what
// is checked, what a message says is accepted, which default applies, the JSON Schema for editors and the
// reference page. The code is in schema_table.cpp, schema_check.cpp, json_schema.cpp and reference.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/values/types.hpp"

namespace imgforge::recipe {

enum class Shape {
  kScalar,
  kList,        ///< list of scalars
  kRecord,      ///< mapping with known fields
  kRecordList,  ///< list of mappings, told apart by the field named by `identity`
  kTextMap,     ///< mapping from free keys (of `key_type`) to scalars
  kProfiles,    ///< mapping from profile names to overriding recipes
};

/// Where a field may stand.
enum class Scope {
  kAnywhere,       ///< recipe, profiles and --set
  kNotInProfiles,  ///< recipe and --set
  kRecipeOnly,
};

struct Field {
  std::string_view path;  ///< dotted; items of a list of mappings are below the list's path
  Shape shape = Shape::kScalar;
  Type type = Type::kText;  ///< of the scalar, the list's items or the map's values
  std::string_view description;
  std::string_view
      fallback{};  ///< value when absent; comma separated for lists; "{}": a record made of defaults
  std::string_view fallback_note{};  ///< says the default in words when it is not a constant
  std::string_view example{};        ///< YAML
  std::span<const std::string_view>
      choices{};                       ///< words of Type::kChoice; for a record: words accepted instead of it
  std::string_view identity{};         ///< kRecordList: the field that names an item
  std::string_view second_identity{};  ///< kRecordList: tells items of one name apart; empty: there are none
  Type key_type = Type::kText;         ///< kTextMap: type of the keys
  bool required = false;
  Scope scope = Scope::kAnywhere;

  /// Last word of the path.
  std::string_view name() const;
};

/// The language version that this imgforge reads.
constexpr std::string_view kLanguageVersion = "1";

/// All fields in the order of the reference.
std::span<const Field> fields();
/// The field of a path such as "disk.size", or nullptr.
const Field* find_field(std::string_view path);
/// Fields directly below a path ("" for the top level).
std::vector<const Field*> fields_below(std::string_view path);
/// The text that tells items of a list apart: the path or name of a mapping, the name part of a package.
std::string identity_of(const Field& list, const Node& item);
/// Whether an item of a list is one of those that `name` removes.
bool is_named(const Field& list, const Node& item, const Node& name);

/// Operator of a key: `+add` appends to the list `add`, `-add` removes from it.
struct KeyParts {
  char op = '=';
  std::string_view word;
};
KeyParts split_key(std::string_view key);

/// Where a mapping that is checked stands.
enum class Origin { kRecipe, kProfile, kCommandLine };

/// Checks keys, shapes and values of a recipe with its profiles, or of an overlay. Throws kRecipe with a
/// mark.
void check(const Node& top, Origin origin);

/// Draft 2020-12 JSON Schema of a recipe file, for editors.
std::string json_schema();
/// The reference page recipes/README.md.
std::string reference_markdown();

}  // namespace imgforge::recipe
