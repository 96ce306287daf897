// Memory that follows what the guest needs. The machine is started with the most that it may have, and its
// balloon takes away what it does not need: the guest's driver tells how much could be had without swapping
// (virtio specification 1.2, 5.5.6.3, VIRTIO_BALLOON_S_AVAIL).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "builder/machines/registry/settings.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// A look at a machine's memory, in bytes.
struct MemoryView {
  std::uint64_t given = 0;
  std::uint64_t available = 0;  ///< of it, that programs could still have
};

/// What QEMU says of the balloon's statistics (qom-get of guest-stats); nothing while the guest's driver has
/// told none, or tells what cannot be.
std::optional<std::uint64_t> available_memory(const core::Json& stats);

struct MemoryChange {
  std::uint64_t bytes = 0;  ///< that it is to have
  std::string why;          ///< for people: "9 % of 256M was free"
};

/// Decides, look by look. It gives at once and by a quarter, and takes back by an eighth after six looks in
/// each of which far more was free than has to be, so that it does not go to and fro.
class Autoscaler {
 public:
  explicit Autoscaler(const Autoscale& policy) : policy_(policy) {}
  std::optional<MemoryChange> look(const MemoryView& view);

 private:
  Autoscale policy_;
  unsigned idle_looks_ = 0;
};

}  // namespace imgforge::machines
