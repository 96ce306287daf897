// New releases made from published ones without a recipe: converted, compressed, resized. The source is
// verified first and never changed; what comes out is a signed release of its own in the same line, which
// says in its manifest what it was made from. Each file is made by a step of the engine, so that what was
// made before from the same bytes is known. Code: convert.cpp, compress.cpp, resize.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifacts/store/release_reference.hpp"
#include "artifacts/store/store.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::derive {

/// What all of them need.
struct DeriveRequest {
  artifacts::ReleaseLocation source;
  std::optional<artifacts::Version> version;  ///< none: the next revision of the source's
  artifacts::Current current = artifacts::Current::kLeave;
  artifacts::SignatureCheck signature;  ///< whose signature of the source is accepted
  /// Whose of a release that is there already and the same: these, and the key that signs now. That key
  /// vouches for what it makes and not for what it is given.
  artifacts::SignatureCheck identical_signature;
  signing::Signer signer;  ///< as in PublishRequest
  core::UnixTime build_time;
  std::string builder_id = {};  ///< as in steps::ReleaseRequest
};

/// The disk of the release as `to`; `from` chooses the format that is read, empty: the best there is.
/// kUsage with the reason when `to` is no format of a disk, or is in the release already.
artifacts::PublishResult convert_release(stages::Toolbox& tools, artifacts::Store& store,
                                         const DeriveRequest& request, const std::string& to,
                                         const std::string& from);

/// The release for distribution: qcow2 with zstd clusters, raw disks and sticks as zstd files. `formats`
/// chooses; empty: all of them that are not small already, and kUsage when there is none. `level` is 1 to 19.
artifacts::PublishResult compress_release(stages::Toolbox& tools, artifacts::Store& store,
                                          const DeriveRequest& request,
                                          const std::vector<std::string>& formats, int level);

/// The raw or qcow2 disk of the release grown to `size`, with its last partition and the ext4 in it. `format`
/// chooses which, empty: qcow2 before raw.
artifacts::PublishResult resize_release(stages::Toolbox& tools, artifacts::Store& store,
                                        const DeriveRequest& request, core::Bytes size,
                                        const std::string& format);

}  // namespace imgforge::derive
