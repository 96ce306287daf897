// Models in words: rows, sheets and lines for a recipe.
#pragma once

#include <string>

#include "builder/models/model.hpp"

namespace imgforge::cli {

/// "GGUF, 1.1 billion parameters, Q4_K_M · 637.7 MB".
std::string model_facts(const models::Model& model);
/// A line of a list. `cached`: all files are there.
std::string model_row(const models::Model& model, bool cached);
std::string summary_sheet(const models::Summary& summary);
std::string model_sheet(const models::Model& model);
/// The item for `models:` of a recipe, pinned.
std::string recipe_lines(const models::Model& model);

}  // namespace imgforge::cli
