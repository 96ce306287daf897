// The JSON Schema of a recipe, for completion and checking in editors. It is a little more lenient than the
// real check: an editor reads 3.20 as a number where imgforge keeps the text.
#include <fmt/format.h>

#include <string>

#include "builder/recipe/schema/schema.hpp"
#include "core/json.hpp"

namespace imgforge::recipe {
namespace {

using core::Json;

enum class Part { kRecipe, kProfile };

Json scalar_schema(Type type, std::span<const std::string_view> choices) {
  Json out;
  if (!choices.empty()) {
    out["enum"] = Json::array();
    for (const std::string_view word : choices) {
      out["enum"].push_back(word);
      // What an editor takes the unquoted word for.
      if (word == "true" || word == "false") out["enum"].push_back(word == "true");
      if (word == kLanguageVersion) out["enum"].push_back(1);
    }
    return out;
  }
  const TypeInfo& info = type_info(type);
  out["type"] = info.plain_number ? Json{"string", "number", "boolean"} : Json("string");
  if (!info.pattern.empty()) out["pattern"] = fmt::format("^({})$", info.pattern);
  out["maxLength"] = info.max_length;
  return out;
}

Json record_schema(std::string_view path, Part place);

Json list_schema(Json items) {
  return Json{{"type", "array"}, {"items", std::move(items)}};
}

Json item_schema(const Field& field) {
  // Items are whole in profiles too.
  return field.shape == Shape::kRecordList ? record_schema(field.path, Part::kRecipe)
                                           : scalar_schema(field.type, field.choices);
}

Json field_schema(const Field& field, Part place) {
  switch (field.shape) {
    case Shape::kScalar:
      return scalar_schema(field.type, field.choices);
    case Shape::kList:
    case Shape::kRecordList:
      return list_schema(item_schema(field));
    case Shape::kRecord: {
      Json record = record_schema(field.path, place);
      if (field.choices.empty()) return record;
      return Json{{"anyOf", Json::array({scalar_schema(field.type, field.choices), std::move(record)})}};
    }
    case Shape::kTextMap:
      return Json{
          {"type", "object"},
          {"propertyNames", Json{{"pattern", fmt::format("^({})$", type_info(field.key_type).pattern)}}},
          {"additionalProperties", scalar_schema(field.type, field.choices)}};
    case Shape::kProfiles:
      break;
  }
  return Json{{"type", "object"},
              {"minProperties", 1},
              {"propertyNames", Json{{"pattern", fmt::format("^({})$", type_info(field.key_type).pattern)}}},
              {"additionalProperties", Json{{"$ref", "#/$defs/profile"}}}};
}

std::string documentation(const Field& field) {
  std::string text(field.description);
  if (field.shape != Shape::kRecord && !field.fallback.empty())
    text += fmt::format(" Default: {}.", field.fallback);
  if (!field.fallback_note.empty()) text += fmt::format(" Default: {}.", field.fallback_note);
  return text;
}

void add_list_operators(Json& properties, const Field& field) {
  Json removed = scalar_schema(field.type, field.choices);
  if (field.shape == Shape::kRecordList) {
    const Field* identity = find_field(fmt::format("{}.{}", field.path, field.identity));
    removed = scalar_schema(identity->type, identity->choices);
  }
  Json add = list_schema(item_schema(field));
  add["description"] = fmt::format("Added to {}; what is there under the same name is replaced.", field.path);
  Json remove = list_schema(std::move(removed));
  remove["description"] = fmt::format("Removed from {}.", field.path);
  properties["+" + std::string(field.name())] = std::move(add);
  properties["-" + std::string(field.name())] = std::move(remove);
}

Json record_schema(std::string_view path, Part place) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field* field : fields_below(path)) {
    if (place == Part::kProfile && field->scope != Scope::kAnywhere) continue;
    Json schema = field_schema(*field, place);
    schema["description"] = documentation(*field);
    properties[std::string(field->name())] = std::move(schema);
    const bool list = field->shape == Shape::kList || field->shape == Shape::kRecordList;
    if (place == Part::kProfile && list) add_list_operators(properties, *field);
    // A profile may complete what the recipe leaves out, so at the top only what no profile can give is
    // required.
    const bool from_recipe = !path.empty() || field->scope != Scope::kAnywhere;
    if (place == Part::kRecipe && field->required && from_recipe) required.push_back(field->name());
  }
  Json out{{"type", "object"}, {"additionalProperties", false}};
  if (!required.empty()) out["required"] = std::move(required);
  out["properties"] = std::move(properties);
  return out;
}

}  // namespace

std::string json_schema() {
  Json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
           {"title", "imgforge recipe"},
           {"description", "An image to build, recipe language version 1."}};
  out.update(record_schema("", Part::kRecipe));
  Json profile = record_schema("", Part::kProfile);
  profile["type"] = Json{"object", "null"};
  out["$defs"]["profile"] = std::move(profile);
  return core::print_json(out);
}

}  // namespace imgforge::recipe
