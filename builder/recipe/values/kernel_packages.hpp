// Which packages are kernels.
#pragma once

#include <string_view>

namespace imgforge::recipe {

/// True for the kernels that Alpine has or had ("linux-virt", "linux-lts", ...): packages that bring a
/// boot/vmlinuz with its modules and modules.dep, and whose scripts only make an initramfs.
bool is_kernel_package(std::string_view name);

}  // namespace imgforge::recipe
