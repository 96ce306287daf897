// Trying mirrors one after the other: which failures were seen, and which of them to tell when all mirrors
// failed. A wrong digest or signature says more than a mirror that did not answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace imgforge::fetch {

/// Every mirror has answered, and none has the file as it was promised. Thrown for downloads that say what
/// names them.
class Unavailable : public core::Error {
 public:
  using core::Error::Error;
  explicit Unavailable(core::Error error) : core::Error(std::move(error)) {}
};

class MirrorFailures {
 public:
  void add(core::Error error, bool absent = false);
  bool empty() const { return failures_.empty(); }
  /// True when every mirror answered: it has no such file, or another one.
  bool all_answered() const;
  /// The most telling failure, `what` in front of its message and the other failures quoted.
  core::Error error(std::string_view what) const;

 private:
  struct Seen {
    core::Error error;
    bool absent;
  };
  std::vector<Seen> failures_;
};

/// False for faults of this machine and cancelling, which another mirror cannot mend.
bool mirror_may_help(const core::Error& error);

}  // namespace imgforge::fetch
