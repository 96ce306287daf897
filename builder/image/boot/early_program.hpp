// The early program (builder/target/early): opens dm-verity, grows a partition and its file system. It is
// compiled with imgforge and carried inside it, so that an initramfs needs nothing from the image for that.
#pragma once

#include <string_view>

namespace imgforge::image {

/// The program's bytes: a static ELF executable for x86-64. The initramfs holds it as /bin/early.
std::string_view early_program();

}  // namespace imgforge::image
