#include "builder/recipe/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "builder/recipe/layers.hpp"
#include "builder/recipe/schema/schema.hpp"
#include "builder/recipe/typing.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

const std::string kEmpty;

const std::string& text_of(const Node& node, std::string_view key) {
  const Node* value = node.find(key);
  return value == nullptr ? kEmpty : value->text();
}

/// The recipe without its profiles.
Node without_profiles(const Node& root) {
  std::vector<Entry> entries;
  for (const Entry& entry : root.entries()) {
    if (entry.key.text() != "profiles") entries.push_back(entry);
  }
  return Node::mapping(std::move(entries), root.place());
}

/// The overlay of a profile, or nullptr when there is none to apply.
const Node* find_profile(const Recipe& recipe, const std::string& profile) {
  const std::vector<std::string> names = recipe.profiles();
  if (std::find(names.begin(), names.end(), profile) == names.end()) {
    core::Error error(core::Kind::kUsage,
                      fmt::format("{} has no profile \"{}\"", recipe.name(), core::escaped(profile, 60)));
    const std::string nearest = core::nearest_word(profile, names);
    if (names.front().empty()) {
      error.hint("it has no profiles at all");
    } else {
      error.hint(nearest.empty() ? "it has " + core::join(names, ", ")
                                 : fmt::format("did you mean \"{}\"?", nearest));
    }
    throw error;
  }
  if (profile.empty()) return nullptr;
  const Node* overlay = recipe.root().find("profiles")->find(profile);
  return overlay->is_missing() ? nullptr : overlay;
}

void use_mirrors(ResolvedRecipe& resolved, const std::vector<std::string>& mirrors) {
  auto* alpine = std::get_if<AlpineBase>(&resolved.base);
  if (alpine == nullptr || mirrors.empty()) return;
  alpine->replaced_mirrors = std::exchange(alpine->mirrors, {});
  for (const std::string& mirror : mirrors) {
    const std::string fault = url_fault(mirror);
    if (!fault.empty()) {
      throw core::Error(core::Kind::kUsage, fmt::format("--mirror {} {}", core::escaped(mirror, 100), fault));
    }
    alpine->mirrors.push_back(without_trailing_slash(mirror));
  }
}

}  // namespace

Recipe::Recipe(Document document, std::filesystem::path folder)
    : document_(std::move(document)), folder_(std::filesystem::absolute(folder).lexically_normal()) {
  const Node& root = document_.root();
  // The version comes first: in a recipe of another version every other complaint would mislead.
  const auto is_version = [](const Entry& entry) { return entry.key.text() == "imgforge"; };
  const auto version = std::find_if(root.entries().begin(), root.entries().end(), is_version);
  if (version == root.entries().end()) {
    throw recipe_error(root, "\"imgforge\" is missing").hint("begin the recipe with: imgforge: 1");
  }
  check(Node::mapping({*version}, root.place()), Origin::kRecipe);
  check(root, Origin::kRecipe);
  if (root.find("name") == nullptr) {
    throw recipe_error(root, "\"name\" is missing").hint("for example: name: my-image");
  }
}

const std::string& Recipe::name() const {
  return text_of(root(), "name");
}

const std::string& Recipe::description() const {
  return text_of(root(), "description");
}

std::vector<std::string> Recipe::profiles() const {
  const Node* profiles = root().find("profiles");
  if (profiles == nullptr) return {""};
  std::vector<std::string> names;
  for (const Entry& entry : profiles->entries()) names.push_back(entry.key.text());
  return names;
}

const std::string& Recipe::description_of(const std::string& profile) const {
  const Node* profiles = root().find("profiles");
  const Node* found = profiles == nullptr ? nullptr : profiles->find(profile);
  const Node* own = found == nullptr ? nullptr : found->find("description");
  return own == nullptr ? description() : own->text();
}

std::vector<std::string> named_files(const Recipe& recipe) {
  std::vector<std::string> names;
  if (const Node* files = recipe.root().find("files")) {
    for (const Node& file : files->items()) {
      if (const Node* source = file.find("source")) names.push_back(source->text());
    }
  }
  const Node* packages = recipe.root().find("packages");
  const Node* keys = packages == nullptr ? nullptr : packages->find("keys");
  if (keys != nullptr) {
    for (const Node& key : keys->items()) names.push_back(key.text());
  }
  return names;
}

Recipe load_recipe(const std::filesystem::path& path) {
  return Recipe(Document::load(path), std::filesystem::absolute(path).parent_path());
}

Recipe parse_recipe(std::string_view text, std::string name, std::filesystem::path folder) {
  return Recipe(Document::parse(text, std::move(name)), std::move(folder));
}

ResolvedRecipe resolve(const Recipe& recipe, const std::string& profile, const ResolveOptions& options) {
  Node tree = with_defaults(without_profiles(recipe.root()));
  if (const Node* overlay = find_profile(recipe, profile)) tree = merged(tree, *overlay);
  for (const std::string& option : options.set) tree = merged(tree, parse_override(option));
  tree = with_defaults(tree);
  check_required(tree);
  ResolvedRecipe resolved =
      typed(tree, {profile, recipe.folder(), options.build_time, recipe.copied_files()});
  use_mirrors(resolved, options.mirrors);
  return resolved;
}

}  // namespace imgforge::recipe
