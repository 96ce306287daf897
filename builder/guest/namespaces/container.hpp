// The processes of a sandbox of namespaces, as imgforge has them: a keeper in a user namespace, and below it
// the init (init.hpp). The keeper waits for the end of imgforge, however that comes, or of init; then it ends
// the other, removes the root file system, for which it alone has the right when an ordinary user builds, and
// goes.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "builder/guest/namespaces/common/id_map.hpp"
#include "builder/guest/namespaces/inside/mounts.hpp"
#include "core/cancel.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

constexpr const char* kRootFolder = "root";          ///< becomes the root file system
constexpr const char* kIncomingFolder = "incoming";  ///< files handed over

struct ContainerRequest {
  std::filesystem::path folder;     ///< holds the folders kRootFolder, which is empty, and kIncomingFolder
  std::filesystem::path abandoned;  ///< sandboxes of killed runs are removed from here; empty: nowhere
  RootLimits limits;
  Ids ids = Ids::kAutomatic;
  core::CancelToken cancel;
};

class Container {
 public:
  /// Starts it, any thread may. StepFailure says what is forbidden here; kInterrupted.
  explicit Container(const ContainerRequest& request);
  /// Kills all processes in it, and waits for their end.
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  /// Where init listens.
  int socket() const { return socket_.get(); }
  /// The way in which it has owners.
  Ids ids() const { return ids_; }
  /// Whether its root file system lies in memory.
  bool in_memory() const { return in_memory_; }
  /// Ends it, but does not wait. A call that waits for an answer gets none. For any thread.
  void kill() noexcept;
  /// False when it has ended.
  bool running();

 private:
  void start(const ContainerRequest& request);
  void end() noexcept;

  core::Fd socket_;
  core::Fd lifeline_;  ///< the keeper ends when this is closed
  pid_t keeper_ = -1;
  Ids ids_ = Ids::kAutomatic;
  bool in_memory_ = false;
};

}  // namespace imgforge::guest
