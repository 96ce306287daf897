// The directories of an ISO 9660 medium with Rock Ridge (ECMA-119; IEEE P1282, RRIP), record by record.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/cancel.hpp"

namespace imgforge::compare {

/// A directory record (ECMA-119, 9.1).
struct IsoRecord {
  std::string name;
  std::uint64_t extent = 0;  ///< bytes
  std::uint64_t size = 0;
  bool is_directory = false;
  std::vector<std::pair<const char*, std::string>> fields;  ///< what else it says
};

/// Bytes of the medium from an offset on: fewer than `size` at its end.
using ReadIso = std::function<std::string(std::uint64_t offset, std::size_t size)>;
using VisitIso = std::function<void(const std::string& path, const IsoRecord& record)>;

/// Visits every file and directory, parents first. Throws kImage for directories that go in a circle, are too
/// deep or too large.
void visit_iso(const ReadIso& read, const core::CancelToken& cancel, const VisitIso& visit);

}  // namespace imgforge::compare
