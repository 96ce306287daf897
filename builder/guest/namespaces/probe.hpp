// Whether this machine allows a sandbox of namespaces. No setting is read: too many of them say so, and some
// lie. An empty one is started.
#pragma once

#include <filesystem>
#include <string>

#include "builder/guest/namespaces/common/id_map.hpp"

namespace imgforge::guest {

struct NamespaceProbe {
  bool works = false;
  std::string way = {};   ///< in which it has owners: "range" or "notify"; empty: neither works
  std::string step = {};  ///< that failed, in the last way tried: "making namespaces"
  int error_number = 0;   ///< of it
  std::string mend = {};  ///< what an administrator can do

  /// "making namespaces: Operation not permitted"; empty when it works.
  std::string failure() const;
};

/// Takes a tenth of a second at most. `folder`: where sandboxes will have their files; file systems differ in
/// what they allow.
NamespaceProbe probe_namespaces(const std::filesystem::path& folder, Ids ids = Ids::kAutomatic);

}  // namespace imgforge::guest
