// The journal of a store, `journal.jsonl`: one JSON object a line for every change, appended by one write and
// synced. It is a record for people, not a source of truth: nothing is decided by it, and a change whose
// process died right after it took effect is missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::artifacts {

struct JournalEntry {
  std::string time;  ///< "2026-11-20T01:02:03Z"
  std::string user;  ///< name of the user
  std::string host;  ///< name of the machine
  std::uint64_t pid = 0;
  std::string command;  ///< "publish", "promote", "rollback", "pin", ...
  std::string line;     ///< empty when the change concerns the whole store
  std::string version;
  std::string outcome;   ///< "done", or what makes it different: "was published already"
  std::string detail;    ///< "v20261120 -> v20261121", the reason of a pin, ...
  std::string imgforge;  ///< version of the program
  bool operator==(const JournalEntry&) const = default;
};

constexpr const char* kJournalFile = "journal.jsonl";

/// Appends one line; time, user, host, pid and program are filled in when empty. After a torn last line a new
/// one is begun. The caller holds the store's lock. Returns a warning when that failed and an empty text
/// otherwise: a change that has happened is not undone because it could not be noted.
[[nodiscard]] std::string append_journal(const std::filesystem::path& root, JournalEntry entry) noexcept;

struct Journal {
  std::vector<JournalEntry> entries;  ///< oldest first
  std::size_t damaged = 0;            ///< lines that could not be read
};
/// Reads all of it; without a journal it is empty. Lines that are no entries are counted and passed over.
/// Throws kIo, kPermission.
Journal read_journal(const std::filesystem::path& root);

}  // namespace imgforge::artifacts
