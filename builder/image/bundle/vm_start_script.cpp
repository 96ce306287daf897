// start.sh of a virtual machine bundle: the file vm_start.sh beside this one, with a few facts filled in.
#include <fmt/format.h>

#include <initializer_list>
#include <string_view>
#include <utility>

#include "builder/image/bundle/vm_bundle.hpp"
#include "builder/machine/accelerator.hpp"
#include "core/embed.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

IMGFORGE_EMBED(vm_start, IMGFORGE_IMAGE_SCRIPTS "vm_start.sh")

namespace imgforge::image {
namespace {

/// For printf(1).
std::string octal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("\\{:03o}", static_cast<unsigned char>(byte));
  return text;
}

/// Whole MiB, rounded up.
std::uint64_t mebibytes(core::Bytes size) {
  return (size.value + (1u << 20) - 1) >> 20;
}

/// Puts the values in place of their @names@, which stand in the file in this order, once each.
std::string filled(std::string_view text,
                   std::initializer_list<std::pair<std::string_view, std::string>> values) {
  std::string out;
  for (const auto& [name, value] : values) {
    const std::size_t at = text.find(name);
    if (at == std::string_view::npos)
      throw core::Error(core::Kind::kInternal, fmt::format("vm_start.sh has no {}", name));
    out.append(text.substr(0, at)).append(value);
    text.remove_prefix(at + name.size());
  }
  return out.append(text);
}

}  // namespace

std::string vm_start_script(const VmSpec& spec) {
  return filled(IMGFORGE_EMBEDDED(vm_start), {{"@name@", spec.name},
                                              {"@uuid@", core::derived_uuid("imgforge vm " + spec.identity)},
                                              {"@cpus@", std::to_string(spec.cpus)},
                                              {"@memory@", std::to_string(mebibytes(spec.memory))},
                                              {"@maximum@", std::to_string(mebibytes(spec.maximum_memory))},
                                              {"@slots@", std::to_string(kVmMemorySlots)},
                                              {"@probe_code@", octal(machine::kvm_probe_code())}});
}

}  // namespace imgforge::image
