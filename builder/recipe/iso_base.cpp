#include "builder/recipe/iso_base.hpp"

#include <fmt/format.h>

#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

constexpr const char* kOtherBase = "leave it out, or build on base.alpine.flavor: minirootfs";

core::Error refused(const core::Mark& mark, std::string message, std::string hint = kOtherBase) {
  return std::move(core::Error(core::Kind::kRecipe, std::move(message)).at(mark).hint(std::move(hint)));
}

void refuse_list(const std::vector<Marked>& list, std::string_view field, const std::string& flavor) {
  if (list.empty()) return;
  throw refused(list.front().mark, fmt::format("{} cannot be used with the base {}", field, flavor));
}

void refuse_node(const Node& top, std::string_view record, std::string_view key, const std::string& flavor) {
  const Node* node = top.find(record);
  const Node* list = node == nullptr ? nullptr : node->find(key);
  if (list == nullptr || list->items().empty()) return;
  throw refused(list->items().front().mark(),
                fmt::format("{}.{} cannot be used with the base {}: its kernel and boot menu stay", record,
                            key, flavor));
}

}  // namespace

void check_iso_base(const Node& top, const ResolvedRecipe& recipe) {
  const AlpineBase* base = recipe.iso_base();
  if (base == nullptr) return;
  for (const Marked& format : recipe.formats) {
    if (format.value == "iso") continue;
    throw refused(format.mark,
                  fmt::format("the base {} makes only the format iso, not {}", base->flavor, format.value),
                  "write formats: [iso], or build on base.alpine.flavor: minirootfs");
  }
  refuse_list(recipe.packages.remove, "packages.remove", base->flavor);
  refuse_list(recipe.packages.keys, "packages.keys", base->flavor);
  refuse_node(top, "kernel", "cmdline", base->flavor);
  refuse_node(top, "kernel", "initramfs_modules", base->flavor);
  if (!recipe.run.empty()) {
    throw refused(recipe.run.front().mark,
                  fmt::format("run cannot be used with the base {}: its system comes together when it starts",
                              base->flavor),
                  "write the script to /etc/local.d/NAME.start and enable the service local");
  }
  for (const Marked& package : recipe.packages.add) {
    if (package.value.find_first_of("<>~!@") == std::string::npos) continue;
    throw refused(package.mark,
                  fmt::format("the base {} has one version of each package: {} cannot choose", base->flavor,
                              core::escaped(package.value, 80)),
                  "write the name alone, or name=version");
  }
}

}  // namespace imgforge::recipe
