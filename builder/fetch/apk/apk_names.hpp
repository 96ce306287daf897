// Which names may come out of an index, a release file or a signature: they become parts of URLs and of file
// names, so nothing that means something else there gets through.
#pragma once

#include <string_view>

namespace imgforge::fetch {

/// Package name: letters, digits and ._+- beginning with a letter, a digit or _; at most 128 bytes.
bool is_package_name(std::string_view text);
/// Package version: begins with a digit; letters, digits and ._~- follow; at most 128 bytes.
bool is_package_version(std::string_view text);
/// Plain file name: letters, digits and ._+@- not beginning with a dot; at most 200 bytes.
bool is_plain_file_name(std::string_view text);
/// Architecture: lower-case letters, digits and _.
bool is_arch(std::string_view text);

}  // namespace imgforge::fetch
