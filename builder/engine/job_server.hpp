// A client of GNU make's jobserver: under `make -j8` a build takes no more of the machine than make gives it.
// Source: the manual of GNU make, "POSIX Jobserver Interaction".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::engine {

/// Every client may run one job without asking; each further one needs a token, which goes back when the job
/// has ended. For one thread at a time.
class JobServer {
 public:
  /// The one that MAKEFLAGS names ("--jobserver-auth=fifo:PATH" or "=R,W"). Null when it names none, or one
  /// that is not open here, because the recipe's line does not begin with `+`.
  static std::unique_ptr<JobServer> find(std::string_view makeflags);
  JobServer(const JobServer&) = delete;
  JobServer& operator=(const JobServer&) = delete;
  /// Gives back what is left.
  ~JobServer();

  /// Takes a token when there is one now.
  bool acquire();
  /// Gives one back.
  void release();

 private:
  JobServer(core::Fd read, core::Fd write) : read_(std::move(read)), write_(std::move(write)) {}

  core::Fd read_, write_;
  std::string tokens_;  ///< bytes, to be given back as they came
};

}  // namespace imgforge::engine
