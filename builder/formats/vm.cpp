#include <fmt/format.h>

#include <array>

#include "builder/formats/qcow2.hpp"
#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/bundle/vm_bundle.hpp"

namespace imgforge::formats {
namespace {

image::VmCard card_of(recipe::VmNetwork network) {
  switch (network) {
    case recipe::VmNetwork::kUser:
      return image::VmCard::kUser;
    case recipe::VmNetwork::kBridge:
      return image::VmCard::kBridge;
    case recipe::VmNetwork::kNone:
      break;
  }
  return image::VmCard::kNone;
}

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const recipe::ResolvedRecipe& recipe = parts.recipe();
  image::VmSpec spec;
  spec.name = recipe.line();
  spec.profile = recipe.profile;
  spec.description = recipe.description;
  spec.identity = parts.identity();
  spec.memory = recipe.requirements.memory;
  spec.maximum_memory = recipe.vm.maximum_memory;
  spec.cpus = recipe.requirements.cpus;
  spec.disk_size = recipe.disk.size;
  spec.network = card_of(recipe.vm.network);
  spec.epoch = parts.epoch();
  const MadeFile disk = write_qcow2_file(parts, folder / "disk.qcow2");
  const std::filesystem::path output = folder / "artifact.vm.tar";
  image::write_vm_bundle(disk.path, spec, output, parts.cancel());
  std::filesystem::remove(disk.path);
  return {{{"image", output, disk.virtual_size, disk.media}}, parts.disk().layout.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner&,
                const core::CancelToken& cancel) {
  const image::VmFacts facts = image::check_vm_bundle(file, cancel);
  return {fmt::format("virtual machine, {} memory, {} processor{}, {} disk", facts.memory.to_string(),
                      facts.cpus, facts.cpus == 1 ? "" : "s", facts.disk_size.to_string()),
          facts.disk_size.value};
}

}  // namespace

constexpr std::array<std::string_view, 4> kSettings{"description", "qcow2", "requirements", "vm"};

const Format kVm{"vm", kDiskTools, kSettings, make, check};

}  // namespace imgforge::formats
