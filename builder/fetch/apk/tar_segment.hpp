// The signature and control parts of apk files: a few small files in a tar that is cut before its
// end-of-archive blocks (so that the parts concatenate to one archive), which the strict tar reader rightly
// refuses. Read from memory, regular files only. Formats: POSIX.1-2001 ustar and pax headers; Alpine's apk
// v2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::fetch {

struct SegmentFile {
  std::string name;  ///< as stored
  std::string content;
  std::uint64_t modified = 0;  ///< seconds since the epoch
};

/// Files in stored order. Nothing but regular files and harmless pax records may be there; the segment ends
/// with its last byte or with zero blocks. Throws kPackage, naming `what`.
std::vector<SegmentFile> read_tar_segment(std::string_view bytes, std::string_view what);

}  // namespace imgforge::fetch
