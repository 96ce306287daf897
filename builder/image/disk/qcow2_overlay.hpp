// qcow2 overlays: disks that hold only what differs from another one, which they name by a relative path.
#pragma once

#include <filesystem>
#include <string>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// Makes the new file `target`, a qcow2 overlay of the same size over `backing` of `format` ("qcow2", "raw").
/// A relative `backing` counts from the folder of `target`. Throws kMachine without qemu-img, kImage.
void make_overlay(const std::filesystem::path& target, const std::string& backing, const std::string& format,
                  core::ProcessRunner& processes, const core::CancelToken& cancel = {});

}  // namespace imgforge::image
