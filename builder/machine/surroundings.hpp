// What a process has of its surroundings without being told: working directory, umask, locale, time zone,
// folder for temporary files, processors. Varied on purpose, as reprotest does, for the second of two builds
// that must give the same bytes.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace imgforge::machine {

/// Other surroundings for as long as the object lives; of the whole process, so only one of these at a time.
/// Threads that are there already keep their processors.
class OtherSurroundings {
 public:
  /// The working directory and TMPDIR become new folders in `folder`. Throws kIo.
  explicit OtherSurroundings(const std::filesystem::path& folder);
  ~OtherSurroundings();
  OtherSurroundings(const OtherSurroundings&) = delete;
  OtherSurroundings& operator=(const OtherSurroundings&) = delete;

  /// What is another one: "umask 0022 -> 0002", "TZ".
  const std::vector<std::string>& varied() const { return varied_; }

 private:
  void set(const char* variable, const std::string& value);

  std::filesystem::path directory_;
  mode_t umask_ = 0;
  std::optional<cpu_set_t> processors_;
  std::vector<std::pair<std::string, std::optional<std::string>>> variables_;  ///< as they were
  std::vector<std::string> varied_;
};

}  // namespace imgforge::machine
