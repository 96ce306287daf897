// What a console says of services that failed while the image came up. An image may be ready and lack one.
#pragma once

#include <string_view>

namespace imgforge::vm {

/// True for a line in which OpenRC, busybox's init or a service manager tells that a service did not start or
/// gave up, and in which the kernel tells that a program crashed.
bool is_complaint(std::string_view line);

}  // namespace imgforge::vm
