// The agent of a running machine (QEMU guest agent, over virtio-serial through the machine's process): it
// works without a network and without SSH.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/machines/agent/replies.hpp"
#include "builder/machines/control/control.hpp"
#include "core/cancel.hpp"

namespace imgforge::machines {

class Agent {
 public:
  /// Both must outlive it.
  Agent(Control& control, const core::CancelToken& cancel) : control_(control), cancel_(cancel) {}

  /// Runs a command, whose program is looked up in the agent's PATH, to its end. `input` becomes its standard
  /// input. Throws kBoot when the agent refuses or ends, kTimeout when the command takes longer.
  ExecStatus run(const std::vector<std::string>& words, std::string_view input,
                 std::chrono::milliseconds patience);
  /// Addresses of the guest's network cards.
  std::vector<GuestAddress> addresses();
  /// Hands out a file of the guest, part by part. Throws kUnsafe beyond `limit` bytes.
  void read_file(const std::string& path, std::uint64_t limit,
                 const std::function<void(std::string_view)>& take);
  std::string read_file(const std::string& path, std::uint64_t limit);
  /// Writes a new file in the guest, or in place of one: what `next` gives until that is empty.
  void write_file(const std::string& path, const std::function<std::string(std::size_t most)>& next);

 private:
  core::Json ask(const char* command, const core::Json& arguments, unsigned seconds = 20);
  Control& control_;
  const core::CancelToken& cancel_;
};

}  // namespace imgforge::machines
