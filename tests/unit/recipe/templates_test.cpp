#include "builder/recipe/document/templates.hpp"

#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

std::string expand(std::string_view text) {
  const TemplateMark mark = [](std::size_t offset, std::size_t length, std::size_t opening) {
    return core::Mark{"t", static_cast<int>(opening), static_cast<int>(offset), static_cast<int>(length), ""};
  };
  return expand_template(text, {{"name", "demo"}, {"vars.x", "{{ name }} $(id) `id`"}}, mark);
}

TEST(Templates, ReplacesVariables) {
  EXPECT_EQ(expand("a {{ name }}{{name}} b"), "a demodemo b");
  EXPECT_EQ(expand("{{ vars.x }}"), "{{ name }} $(id) `id`") << "values are not expanded again";
  EXPECT_EQ(expand("${UNSET} $(id) { {name} }}"), "${UNSET} $(id) { {name} }}");
  EXPECT_EQ(expand(""), "");
}

TEST(Templates, QuotedTextIsLiteral) {
  EXPECT_EQ(expand("{{ \"{{\" }} name }}"), "{{ name }}");
  EXPECT_EQ(expand("{{ \"}}\" }}"), "}}");
}

TEST(Templates, RefusesWhatItDoesNotKnow) {
  core::Error error = testing::error_of([] { expand("{{ name }} {{ nane }}"); });
  EXPECT_EQ(error.kind(), core::Kind::kRecipe);
  EXPECT_EQ(error.message(), "unknown variable \"nane\"");
  EXPECT_EQ(error.hint(), "did you mean \"name\"?");
  EXPECT_EQ(error.mark()->column, 11);
  EXPECT_EQ(error.mark()->length, 10);
  EXPECT_EQ(error.mark()->line, 1) << "it is the second opening";
  EXPECT_THROW(expand("{{ }}"), core::Error);
  EXPECT_THROW(expand("{{ name"), core::Error);
  EXPECT_THROW(expand("{{ name\n}}"), core::Error);
  EXPECT_THROW(expand("{{ name | upper }}"), core::Error);
}

}  // namespace
}  // namespace imgforge::recipe
