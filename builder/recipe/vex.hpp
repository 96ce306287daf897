// The list `vex`: what the recipe's authors say about vulnerabilities of the packages in the image, in the
// words of OpenVEX 0.2.0 (https://github.com/openvex/spec).
#pragma once

#include <string>
#include <vector>

#include "builder/recipe/document/document.hpp"
#include "core/error.hpp"

namespace imgforge::recipe {

struct VexStatement {
  std::string vulnerability;  ///< "CVE-2023-42363"
  std::string package;        ///< an installed package, or a source package for all that were built from it
  std::string status;         ///< "not_affected", "affected", "fixed", "under_investigation"
  std::string justification;  ///< OpenVEX's word for why it is not affected; empty: none
  std::string impact_statement;
  std::string action_statement;
  std::string status_notes;
  core::Mark mark;
};

/// The statements in their order. Throws kRecipe at the item whose status asks for another explanation.
std::vector<VexStatement> read_vex(const Node& top);

}  // namespace imgforge::recipe
