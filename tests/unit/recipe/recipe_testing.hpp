// Helpers shared by the recipe tests.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "builder/recipe/resolve.hpp"
#include "core/error.hpp"

namespace imgforge::recipe::testing {

/// The error that `body` throws; a test failure when it throws none.
inline core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was refused";
  return core::Error(core::Kind::kInternal, "nothing was refused");
}

/// The head that every recipe needs, two lines long.
inline std::string with_head(std::string_view rest) {
  return "imgforge: 1\nname: demo\n" + std::string(rest);
}

inline Recipe parsed(std::string_view text, const std::filesystem::path& folder = "/nonexistent") {
  return parse_recipe(text, "r.yaml", folder);
}

/// Resolves a recipe on an embedded base; time 0 is v19700101.
inline ResolvedRecipe resolved(std::string_view rest, const std::string& profile = "",
                               std::vector<std::string> set = {},
                               const std::filesystem::path& folder = "/nonexistent") {
  return resolve(parsed(with_head("base: embedded\n" + std::string(rest)), folder), profile,
                 ResolveOptions{.set = std::move(set)});
}

/// Expects a kRecipe error at a place whose message or hint contains `words`.
inline void expect_refused(std::string_view text, int line, int column, const std::string& words) {
  const core::Error error = error_of([&] {
    const Recipe recipe = parsed(text);
    for (const std::string& profile : recipe.profiles()) resolve(recipe, profile, {});
  });
  EXPECT_EQ(error.kind(), core::Kind::kRecipe) << error.message();
  EXPECT_NE((error.message() + " / " + error.hint()).find(words), std::string::npos)
      << text << "\n-> " << error.message() << " / " << error.hint();
  ASSERT_TRUE(error.mark()) << error.message();
  EXPECT_EQ(error.mark()->file, "r.yaml");
  EXPECT_EQ(error.mark()->line, line) << text << "\n-> " << error.message();
  EXPECT_EQ(error.mark()->column, column) << text << "\n-> " << error.message();
}

}  // namespace imgforge::recipe::testing
