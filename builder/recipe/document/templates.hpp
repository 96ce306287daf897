// `{{ name }}` in the contents of files. Only names are replaced: there are no expressions, and what a
// variable holds is never expanded again.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace imgforge::recipe {

/// Mark of a stretch of the text that is expanded: byte offset, length, and which `{{` of the text it is
/// (from 0).
using TemplateMark = std::function<core::Mark(std::size_t offset, std::size_t length, std::size_t opening)>;

/// Replaces `{{ word }}` by `variables[word]` and `{{ "text" }}` by the quoted text, so that `{{ "{{" }}`
/// gives literal braces. Throws kRecipe at the mark of an unknown variable or of braces that are not closed.
std::string expand_template(std::string_view text, const std::map<std::string, std::string>& variables,
                            const TemplateMark& mark);

}  // namespace imgforge::recipe
