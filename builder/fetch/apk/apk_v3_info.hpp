// What a package of apk 3 says of itself: the same object in its own database and in indexes. Numbers of the
// slots: apk-tools 3.
#pragma once

#include <string_view>

#include "builder/fetch/adb/adb_values.hpp"
#include "builder/fetch/apk/apk_index.hpp"

namespace imgforge::fetch {

/// As an entry of an index, strictly: names, versions and dependencies are those that the text of an index
/// could have. The identity is empty where none is given. Throws kPackage, kUnsafe, naming `what`.
IndexEntry read_v3_info(const AdbObject& info, std::string_view what);

/// The object's slot of the identity.
inline constexpr std::uint32_t kV3InfoIdentity = 3;

}  // namespace imgforge::fetch
