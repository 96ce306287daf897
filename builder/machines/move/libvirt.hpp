// A machine as a domain of libvirt (https://libvirt.org/formatdomain.html).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::machines {

/// The domain's XML: firmware by what it has to do, not by path; the image that the machine stands on is only
/// read. `variables` are those of UEFI, raw (qemu/variables.hpp). Throws kUsage for a folder that is shared
/// by virtiofs.
std::string domain_xml(const Settings& settings, const std::filesystem::path& folder,
                       const std::filesystem::path& variables, machine::Accelerator accelerator);

/// What of the machine libvirt does not take over, in sentences.
std::vector<std::string> left_out_of_domain(const Settings& settings);

}  // namespace imgforge::machines
