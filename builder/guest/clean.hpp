// What an image must not carry: an identity that several machines would share, traces of the build, and
// noise that would make two equal builds differ. One record per kind of trace; the table is also
// documentation.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "builder/guest/sandbox.hpp"

namespace imgforge::guest {

struct CleanUp {
  enum class How {
    kRemove,      ///< whatever matches goes
    kEmpty,       ///< files that are there become empty
    kRemoveFiles  ///< files below go, folders stay
  };
  std::string_view name;
  std::string_view description;
  How how = How::kRemove;
  std::string_view paths;  ///< patterns of the shell, separated by spaces; absolute
};

/// All clean-ups, in their order.
std::span<const CleanUp> clean_ups();

/// The script that does them.
std::string clean_script();

/// Does them all. The guest's programs cannot be run afterwards: the private folder goes too.
void clean_identity(Sandbox& guest);

}  // namespace imgforge::guest
