// gzip (RFC 1952) of what is small enough for memory.
#pragma once

#include <string>
#include <string_view>

namespace imgforge::artifacts {

/// One member without name and time, at the highest level: equal bytes of the same zlib for equal bytes.
std::string gzip(std::string_view data);

}  // namespace imgforge::artifacts
