#include "builder/recipe/document/templates.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

/// Offset of the `}}` that closes the expression beginning at `from`, outside of quotes and on the same line.
std::size_t closing_braces(std::string_view text, std::size_t from) {
  bool quoted = false;
  for (std::size_t i = from; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (!quoted && text.substr(i, 2) == "}}") return i;
  }
  return std::string_view::npos;
}

core::Error unknown_variable(std::string_view word, const std::map<std::string, std::string>& variables) {
  std::vector<std::string> names;
  for (const auto& [name, value] : variables) names.push_back(name);
  const std::string nearest = core::nearest_word(word, names);
  core::Error error(core::Kind::kRecipe, fmt::format("unknown variable \"{}\"", core::escaped(word, 60)));
  error.hint(nearest.empty() ? "known are " + core::join(names, ", ") + "; {{ \"{{\" }} gives literal braces"
                             : fmt::format("did you mean \"{}\"?", nearest));
  return error;
}

}  // namespace

std::string expand_template(std::string_view text, const std::map<std::string, std::string>& variables,
                            const TemplateMark& mark) {
  std::string out;
  std::size_t done = 0;
  std::size_t openings = 0;
  for (std::size_t begin = text.find("{{"); begin != std::string_view::npos; begin = text.find("{{", done)) {
    out += text.substr(done, begin - done);
    const std::size_t end = closing_braces(text, begin + 2);
    if (end == std::string_view::npos) {
      throw core::Error(core::Kind::kRecipe, "\"{{\" is not closed by \"}}\" on its line")
          .hint("{{ \"{{\" }} gives literal braces")
          .at(mark(begin, 2, openings));
    }
    const std::string_view word = core::trimmed(text.substr(begin + 2, end - begin - 2));
    const bool quoted = word.size() >= 2 && word.front() == '"' && word.find('"', 1) == word.size() - 1;
    const auto variable = variables.find(std::string(word));
    if (quoted) {
      out += word.substr(1, word.size() - 2);
    } else if (variable != variables.end()) {
      out += variable->second;
    } else {
      throw unknown_variable(word, variables).at(mark(begin, end + 2 - begin, openings));
    }
    done = end + 2;
    const std::string_view expression = text.substr(begin, done - begin);
    for (std::size_t i = expression.find("{{"); i != std::string_view::npos; i = expression.find("{{", i + 2))
      ++openings;
  }
  out += text.substr(done);
  return out;
}

}  // namespace imgforge::recipe
