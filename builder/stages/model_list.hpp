// The list of models that a machine fetches itself, as an image carries it: numbered, so that a machine knows
// the newer of two, and signed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "builder/engine/engine.hpp"
#include "core/clock.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::stages {

/// Signs the list.
struct ListSigner {
  signing::Signer signer = {};  ///< nobody: the list is not signed
  core::UnixTime time = {};     ///< of the build, which signatures tell
  bool time_is_given = false;   ///< by SOURCE_DATE_EPOCH: no signature of another time will do
};

struct ModelList {
  std::string text;       ///< of models.list: the rows below "# serial: N"
  std::string signature;  ///< text of models.list.minisig; empty without a key
  std::uint64_t serial = 0;
  /// The number of the list before, when that is higher, or the same with other rows: machines that have it
  /// refuse this one.
  std::optional<std::uint64_t> clash = {};
};

/// Numbers and signs the rows of a line's list. The number is `fixed` (the recipe's or SOURCE_DATE_EPOCH) or
/// else the build's time in seconds, and in any case higher than that of the list before; rows that did not
/// change keep number and signature, so that the same list gives the same image. What was the list before is
/// remembered in `steps` for each key.
ModelList numbered_list(engine::Cache& steps, const std::string& line, const std::string& rows,
                        const ListSigner& signer, std::optional<std::uint64_t> fixed);

}  // namespace imgforge::stages
