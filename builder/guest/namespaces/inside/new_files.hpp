// Files that scripts make in folders that hand on their group (set-id bit): where that is remembered, the
// kernel hands on the one it knows. The call that makes a file is noted, goes on, and before the next call is
// answered what came of it gets the group.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "builder/guest/namespaces/common/owners.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

class NewFiles {
 public:
  /// A process is about to make `name` in `folder`, or does when it is not there yet.
  void expect(pid_t maker, core::Fd folder, const std::string& name, const Owners& owners);
  /// What `maker` has noted and is not there will not come: it makes another call. 0: for all of them.
  void settle(pid_t maker, Owners& owners);

 private:
  struct Expected {
    pid_t maker;
    core::Fd folder;
    std::string name;
    std::uint32_t group;
  };
  std::vector<Expected> expected_;
};

}  // namespace imgforge::guest
