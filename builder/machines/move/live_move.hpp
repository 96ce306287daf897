// The state of a running machine goes to another QEMU: its disk is mirrored until both are the same, then its
// memory is sent, the machine is held, and the last of both is sent. It stands still at the end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "builder/machines/control/control.hpp"
#include "core/cancel.hpp"

namespace imgforge::machines {

class LiveMove {
 public:
  /// Brings a connection of QEMU, a socket, to "disk" or "memory" of the other one.
  using Connect = std::function<void(const std::string& what, int socket)>;
  using Say = std::function<void(const std::string& text)>;

  /// From here on the machine's process undoes the move when this connection ends without `finished`.
  LiveMove(const std::filesystem::path& folder, const core::CancelToken& cancel);
  ~LiveMove();
  LiveMove(const LiveMove&) = delete;
  LiveMove& operator=(const LiveMove&) = delete;

  Control& control() { return control_; }
  /// Sends all. Throws kMachine, kTimeout when QEMU or the other side fails: then the machine goes on here
  /// once this object is gone.
  void send(const Connect& connect, const Say& say);
  /// Sends the memory alone, of a machine that stands still, to a QEMU that listens at `socket`, which counts
  /// from the machine's folder. Throws likewise.
  void send_standing(const std::string& socket);
  /// Nothing is undone any more.
  void finished();

 private:
  void remove_leftover();
  void mirror(const Connect& connect, const Say& say);
  void send_memory(const Connect& connect, const Say& say);
  enum class Hold { kBeforeTheEnd, kNo };
  void prepare_memory(Hold hold);
  /// What query-migrate says, with "status"; kMachine, "the memory <failure>: ...", when it failed.
  core::Json migration_state(const char* failure);
  void end_mirror();
  core::Json ask_while_connecting(const char* command, const core::Json& arguments, const char* socket,
                                  const std::string& what, const Connect& connect);

  std::filesystem::path folder_;
  core::CancelToken cancel_;
  Control guard_;
  Control control_;
};

}  // namespace imgforge::machines
