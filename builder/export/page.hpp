// The catalogue page, `index.html`: one file that loads nothing, readable without its script. It shows the
// releases, their sizes over time, what is in them, how fast they booted, and how to check them.
#pragma once

#include <string>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

/// Who vouches for the whole tree; empty texts: nobody.
struct PageSigners {
  std::string public_key;       ///< line of the minisign key
  std::string gpg_fingerprint;  ///< 40 hexadecimal digits
};

std::string print_page(const Catalogue& catalogue, const PageSigners& signers);

}  // namespace imgforge::exports
