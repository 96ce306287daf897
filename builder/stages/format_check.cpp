#include "builder/stages/format_check.hpp"

#include <fmt/format.h>

#include "builder/image/gpt.hpp"
#include "builder/image/qcow2.hpp"
#include "core/error.hpp"

namespace imgforge::stages {

artifacts::FormatCheck format_check(core::ProcessRunner& processes, const core::CancelToken& cancel) {
  return [&processes, &cancel](const std::filesystem::path& file, std::string_view format) -> std::string {
    if (format == "qcow2") {
      const image::Qcow2Facts facts = image::check_qcow2(file, processes, cancel);
      return fmt::format("qcow2, {} disk, no errors found", facts.virtual_size.to_string());
    }
    if (format == "raw") return fmt::format("GPT, {} partitions", image::check_gpt(file));
    throw core::Error(core::Kind::kImage, fmt::format("this imgforge does not know the format {}", format));
  };
}

}  // namespace imgforge::stages
