// Versions of the programs that shape an image's bytes: part of the fingerprint of the steps that use
// them, so that an upgraded tool makes a new image and never mixes with an old one from the cache.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <span>
#include <string_view>

#include "core/cancel.hpp"
#include "core/json.hpp"
#include "core/process.hpp"

namespace imgforge::machine {

/// {"mke2fs": "1.47.0", ...} for tools of the table. Asking a program costs a start, so answers are kept in
/// `<cache_dir>/tools.json` for as long as the program file does not change.
core::Json tool_versions(std::span<const std::string_view> names, core::ProcessRunner& processes,
                         const std::filesystem::path& cache_dir, const core::CancelToken& cancel);

/// The same for names that stand in the call.
inline core::Json tool_versions(std::initializer_list<std::string_view> names, core::ProcessRunner& processes,
                                const std::filesystem::path& cache_dir, const core::CancelToken& cancel) {
  return tool_versions(std::span(names.begin(), names.size()), processes, cache_dir, cancel);
}

}  // namespace imgforge::machine
