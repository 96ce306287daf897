// The client of a catalogue: the workflow of section 5 of TUF's specification, in its order. Nothing is kept
// that was not verified, and what was seen is kept, so that nothing older is believed afterwards.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "artifacts/catalogue/metadata.hpp"

namespace imgforge::catalogue {

/// Gives a file of metadata by its name ("timestamp.json"), at most `limit` bytes; nothing when it is absent.
using Source = std::function<std::optional<std::string>(const std::string& name, std::size_t limit)>;

/// A catalogue that was verified.
struct Catalogue {
  std::uint64_t version = 0;  ///< of its targets
  std::string valid_until;    ///< the earliest end of its files
  std::map<std::string, Target> targets;
};

struct ClientOptions {
  std::filesystem::path state;  ///< folder of what was seen before; made when it is missing
  /// The root to begin with when nothing was seen yet: given by the user, never fetched. Empty: none.
  std::string first_root;
  /// Keys that the user trusts for catalogues: where there is no first root, one that as many of them signed
  /// as the threshold says is fetched to begin with. None: nothing that is fetched begins anything.
  Role vouching{{}, 1};
  core::UnixTime now{};  ///< the one time of the whole run
};

/// Brings the state up to date and returns the catalogue. Another process that does the same is waited for.
/// Throws kSignature, kIntegrity with the reason (expired, rollback, below_threshold, ...), kUsage when there
/// is neither state nor first root, and what `source` throws. A damaged state is refused.
Catalogue refresh(const Source& source, const ClientOptions& options);

/// The files of a folder: of metadata itself, or of a store or exported tree that has a folder `tuf`.
Source folder_source(const std::filesystem::path& folder);

}  // namespace imgforge::catalogue
