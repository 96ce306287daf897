// The customise operations: one record each, in the order in which they act. They change nothing themselves
// but put what they want into the overlay.
#pragma once

#include <span>
#include <string_view>

#include "builder/guest/accounts.hpp"
#include "builder/guest/facts.hpp"
#include "builder/guest/overlay.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

/// What an operation reads and writes.
struct Customisation {
  const recipe::ResolvedRecipe& recipe;
  const Facts& facts;
  Accounts& accounts;
  Overlay& overlay;
};

struct Operation {
  std::string_view name;
  std::string_view description;
  void (*apply)(Customisation&);
};

std::span<const Operation> operations();

/// The inittab(5) of busybox with a log-in on the first serial port: added when no line has one.
std::string with_serial_console(std::string_view inittab);
/// `text` with those of `lines` that it does not have yet.
std::string with_lines(std::string_view text, const std::vector<std::string>& lines);

}  // namespace imgforge::guest
