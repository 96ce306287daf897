// Which mirror is asked next for one download: those that failed come last, one that asked to be left alone
// is, and one that gave wrong data is not asked again.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "builder/fetch/http/http.hpp"
#include "builder/fetch/http/mirrors.hpp"

namespace imgforge::fetch {

struct Mirror {
  std::string url;
  std::string strong = {};  ///< validator that it sent in this run
  bool excluded = false;    ///< not asked again
  bool no_ranges = false;   ///< gives only whole files
  bool suspect = false;     ///< gave bytes of a file that was wrong in the end
  int failures = 0;         ///< in a row, without a byte of progress
  int active = 0;           ///< transfers that run
  ServerHealth::Time ready = {};
};

class MirrorChoice {
 public:
  using Time = ServerHealth::Time;

  MirrorChoice(const std::vector<std::string>& urls, ServerHealth& health, const HttpOptions& options);

  /// The best mirror that may be asked now: healthy before failed, fewest transfers first, then the order
  /// given. Nothing when all must wait or none is left.
  Mirror* pick(Time now, bool need_ranges);
  /// True when no mirror will be asked again.
  bool all_excluded() const;
  bool any_ranges() const;
  /// A fault that may pass: the mirror rests, and is given up after as many as the options say.
  void failed(Mirror& mirror, Failure failure, Time now);
  /// Not asked again; `error` is remembered.
  void exclude(Mirror& mirror, core::Error error, bool absent = false);
  /// Bytes arrived: faults before do not count any more.
  void progressed();
  const MirrorFailures& failures() const { return failures_; }
  std::vector<Mirror>& list() { return mirrors_; }

 private:
  ServerHealth& health_;
  const HttpOptions& options_;
  std::vector<Mirror> mirrors_;
  MirrorFailures failures_;
};

}  // namespace imgforge::fetch
