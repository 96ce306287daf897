// Two files compared byte by byte and explained by what they are: disks down to partitions, file systems down
// to files, files down to lines, archives down to members and what these hold in turn.
#pragma once

#include <filesystem>
#include <string>

#include "builder/compare/members/members.hpp"
#include "builder/compare/report/report.hpp"

namespace imgforge::compare {

/// An empty node when both have the same bytes; else at least one difference. What cannot be looked into, for
/// it is damaged or beyond a bound, is noted as that and compared by bytes. Throws kIo, kNoSpace, kMachine
/// for a missing program.
Node compare_files(const std::string& name, const std::filesystem::path& before,
                   const std::filesystem::path& after, const CompareTools& tools);

}  // namespace imgforge::compare
