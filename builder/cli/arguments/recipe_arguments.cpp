#include "builder/cli/arguments/recipe_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/recipe/advice.hpp"
#include "builder/recipe/resolve.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

std::shared_ptr<RecipeArguments> declare_recipe(OptionSet& set, Choice choice) {
  auto arguments = std::make_shared<RecipeArguments>();
  set.positional("recipe", arguments->file, "recipe file (YAML)").required();
  if (choice == Choice::kOfUser) {
    set.option("-p,--profile", arguments->profiles, "profile to take; repeatable [all]");
    set.option("-f,--format", arguments->formats, "format to make; repeatable [what the recipe says]");
  }
  set.option("--set", arguments->set, "PATH=VALUE: override a field, as in disk.size=2G; repeatable");
  set.option("--mirror", arguments->mirrors, "URL that takes the place of the recipe's mirrors; repeatable");
  return arguments;
}

std::vector<recipe::ResolvedRecipe> resolve_profiles(const RecipeArguments& arguments,
                                                     core::UnixTime build_time) {
  const recipe::Recipe recipe = recipe::load_recipe(arguments.file);
  std::vector<std::string> chosen = recipe.profiles();
  for (const std::string& wanted : arguments.profiles) {
    if (std::find(chosen.begin(), chosen.end(), wanted) != chosen.end()) continue;
    const std::string near = core::nearest_word(wanted, chosen);
    core::Error error(core::Kind::kUsage, fmt::format("{} has no profile \"{}\"", arguments.file.native(),
                                                      core::escaped(wanted, 60)));
    throw error.hint(near.empty() ? "its profiles are: " + core::join(chosen, ", ")
                                  : "did you mean " + near + "?");
  }
  if (!arguments.profiles.empty()) {
    std::erase_if(chosen, [&](const std::string& name) {
      return std::find(arguments.profiles.begin(), arguments.profiles.end(), name) ==
             arguments.profiles.end();
    });
  }
  recipe::ResolveOptions options{arguments.set, build_time, arguments.mirrors};
  if (!arguments.formats.empty()) options.set.push_back("formats=" + core::join(arguments.formats, ","));
  std::vector<recipe::ResolvedRecipe> resolved;
  for (const std::string& profile : chosen) resolved.push_back(recipe::resolve(recipe, profile, options));
  return resolved;
}

std::vector<std::string> warn_of(Context& context, const std::vector<recipe::ResolvedRecipe>& profiles) {
  std::vector<std::string> texts;
  for (const recipe::ResolvedRecipe& profile : profiles) {
    for (const recipe::Advice& advice : recipe::advise(profile)) {
      const std::string place =
          advice.mark.line == 0 ? ""
                                : fmt::format("{}:{}: ", core::escaped(advice.mark.file), advice.mark.line);
      std::string text = place + core::escaped(advice.text) + "; " + core::escaped(advice.hint);
      if (std::find(texts.begin(), texts.end(), text) != texts.end()) continue;
      context.progress.warn(text);
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

}  // namespace imgforge::cli
