// What a move asks the two QEMUs (QEMU Machine Protocol, docs/interop/qmp-ref), and the devices that both
// must have.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "builder/machines/control/control.hpp"
#include "core/cancel.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// One command of QEMU's monitor. Throws kMachine with what QEMU says.
core::Json ask_qemu(Control& control, const char* command, const core::Json& arguments,
                    const core::CancelToken& cancel);

/// QEMU's name of the node of the machine's own disk.
std::string disk_node(Control& control, const core::CancelToken& cancel);

/// Memory that came while the machine runs.
struct Dimm {
  std::string id;
  std::string memory;  ///< name of its backend
  std::uint64_t size = 0;
  std::uint64_t address = 0;
  std::uint32_t slot = 0;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("id", self.id);
    visit("memory", self.memory);
    visit("size", self.size);
    visit("address", self.address);
    visit("slot", self.slot);
  }
};
/// A processor that came so.
struct Processor {
  std::string id;
  std::string type;
  std::uint32_t socket = 0;
  std::uint32_t core = 0;
  std::uint32_t thread = 0;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("id", self.id);
    visit("type", self.type);
    visit("socket", self.socket);
    visit("core", self.core);
    visit("thread", self.thread);
  }
};
struct Devices {
  std::vector<Dimm> dimms;
  std::vector<Processor> processors;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("dimms", self.dimms);
    visit("processors", self.processors);
  }
};

/// What a running machine got besides what it was started with.
Devices plugged_devices(Control& control, const core::CancelToken& cancel);
/// Gives the same to one that waits for its state.
void plug(Control& control, const Devices& devices, const core::CancelToken& cancel);

}  // namespace imgforge::machines
