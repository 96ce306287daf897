#include "builder/cli/frame/configuration.hpp"

#include "builder/recipe/document/document.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

core::Error wrong(const recipe::Node& node, const std::string& message) {
  core::Error error(core::Kind::kUsage, message);
  return std::move(error.at(node.mark()));
}

}  // namespace

void apply_configuration(CommandLine& line, const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return;
  const recipe::Document document = recipe::Document::load(file);
  for (const recipe::Entry& entry : document.root().entries()) {
    const std::string& name = entry.key.text();
    if (entry.value.kind() != recipe::NodeKind::kScalar || entry.value.is_missing())
      throw wrong(entry.value, core::escaped(name, 60) + " is one word or number here");
    try {
      line.set_default(name, entry.value.text());
    } catch (const core::Error& error) {
      throw wrong(entry.key, error.message()).hint(error.hint());
    }
  }
}

}  // namespace imgforge::cli
