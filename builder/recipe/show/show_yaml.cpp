#include <fmt/format.h>

#include <algorithm>

#include "builder/recipe/show/show.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

using core::Json;

constexpr std::size_t kMaxShown = 4096;
constexpr std::size_t kMaxPortable = 64 << 10;

/// Plain where no YAML reader can take the text for anything else, else in double quotes.
std::string yaml_text(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./-+").find(c) != std::string_view::npos;
  };
  const bool letter_first = !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || text[0] == '/');
  constexpr std::string_view words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  const bool word = std::find(std::begin(words), std::end(words), text) != std::end(words);
  if (letter_first && !word && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      // U+0080 to U+009F steer terminals too.
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string scalar(const Json& value) {
  return value.is_string() ? yaml_text(value.get<std::string>()) : value.dump();
}

/// Literal braces, so that the text means itself when it is read as a recipe.
std::string without_templates(std::string text) {
  constexpr std::string_view literal = "{{ \"{{\" }}";
  for (auto at = text.find("{{"); at != std::string::npos; at = text.find("{{", at + literal.size())) {
    text.replace(at, 2, literal);
  }
  return text;
}

void write_value(std::string& out, const Json& value, std::size_t indent);

void write_members(std::string& out, const Json& object, std::size_t indent, bool first_inline) {
  for (const auto& [key, value] : object.items()) {
    if (!first_inline) out.append(indent, ' ');
    first_inline = false;
    out += yaml_text(key) + ":";
    write_value(out, value, indent + 2);
  }
}

void write_value(std::string& out, const Json& value, std::size_t indent) {
  if (value.is_object() && !value.empty()) {
    out += '\n';
    write_members(out, value, indent, false);
  } else if (value.is_array() && !value.empty()) {
    out += '\n';
    for (const Json& item : value) {
      out.append(indent, ' ');
      out += '-';
      if (item.is_object()) {
        out += ' ';
        write_members(out, item, indent + 2, true);
      } else {
        out += ' ' + scalar(item) + '\n';
      }
    }
  } else {
    out += ' ' + (value.is_object() ? "{}" : value.is_array() ? "[]" : scalar(value)) + '\n';
  }
}

/// The recipe's own spelling of what JSON says in another way.
Json as_recipe(const ResolvedRecipe& recipe, std::size_t longest_content) {
  Json out = to_json(recipe);
  out.erase("profile");
  if (std::holds_alternative<EmbeddedBase>(recipe.base)) {
    out["base"] = "embedded";
  } else if (Json& alpine = out["base"]["alpine"]; alpine.contains("digest")) {
    const core::Digest& digest = *std::get<AlpineBase>(recipe.base).digest;
    alpine.erase("digest");
    alpine[std::string(core::hash_name(digest.algorithm()))] = digest.hex();
  }
  out["packages"]["keys"] = Json::array();
  for (const Marked& key : recipe.packages.keys) out["packages"]["keys"].push_back(key.value);
  for (const char* list : {"files", "directories"}) {
    for (Json& entry : out[list]) {
      entry["owner"] = entry["owner"].get<std::string>() + ":" + entry["group"].get<std::string>();
      entry.erase("group");
    }
  }
  for (std::size_t i = 0; i < recipe.files.size(); ++i) {
    Json& entry = out["files"][i];
    const std::string* content = recipe.files[i].content.text();
    if (content == nullptr || content->size() > longest_content || !core::is_utf8(*content)) continue;
    entry.erase("size");
    entry.erase("digest");
    entry["content"] = without_templates(*content);
  }
  for (std::size_t i = 0; i < recipe.models.size(); ++i) {
    if (recipe.models[i].size) out["models"][i]["size"] = recipe.models[i].size->to_string();
  }
  out["disk"]["size"] = recipe.disk.size.to_string();
  out["usb"]["data_size"] = recipe.usb_data_size.to_string();
  out["vm"]["maximum_memory"] = recipe.vm.maximum_memory.to_string();
  out["requirements"]["memory"] = recipe.requirements.memory.to_string();
  return out;
}

/// Turns the members that are no fields of a recipe into comments.
std::string commented(const std::string& yaml) {
  std::string out;
  for (std::size_t begin = 0; begin < yaml.size();) {
    const std::size_t end = std::min(yaml.find('\n', begin), yaml.size() - 1) + 1;
    std::string line = yaml.substr(begin, end - begin);
    // Sizes that a recipe takes are texts, so they are quoted.
    const bool size = line.starts_with("    size: ") && !line.starts_with("    size: \"");
    if (size || line.starts_with("    digest: ")) line.replace(0, 4, "    # ");
    out += line;
    begin = end;
  }
  return out;
}

}  // namespace

std::string show_yaml(const ResolvedRecipe& recipe) {
  Json body{{"imgforge", 1}, {"description", recipe.description}};
  body.update(as_recipe(recipe, kMaxShown));
  std::string out = fmt::format("# {} {}, resolved\n", recipe.line(), recipe.version);
  write_members(out, body, 0, false);
  return commented(out);
}

std::string portable_yaml(const ResolvedRecipe& recipe) {
  Json body{{"imgforge", 1}, {"description", recipe.description}};
  body.update(as_recipe(recipe, kMaxPortable));
  for (Json& entry : body["files"]) {
    if (entry.contains("content")) continue;
    const std::string digest = entry["digest"];
    entry["source"] = "sources/" + digest.substr(digest.find(':') + 1);
    entry.erase("size");
    entry.erase("digest");
  }
  const Packages& packages = recipe.packages;
  for (std::size_t i = 0; i < packages.keys.size(); ++i) {
    const std::string name = std::filesystem::path(packages.keys[i].value).filename();
    body["packages"]["keys"][i] = fmt::format("sources/{}/{}", packages.key_digests[i].hex(), name);
  }
  // A mirror of the build is nobody's business; the lock has the addresses.
  if (const auto* alpine = std::get_if<AlpineBase>(&recipe.base))
    body["base"]["alpine"]["mirrors"] = alpine->image_mirrors();
  if (!recipe.profile.empty()) body["profiles"] = {{recipe.profile, Json::object()}};
  std::string out =
      fmt::format("# What {} {} was made from, with recipe.lock.json.\n", recipe.line(), recipe.version);
  write_members(out, body, 0, false);
  return out;
}

}  // namespace imgforge::recipe
