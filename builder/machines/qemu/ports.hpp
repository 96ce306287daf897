// Ports of the host that lead into a machine.
#pragma once

#include <cstdint>
#include <string>

#include "builder/machines/registry/settings.hpp"

namespace imgforge::machines {

/// A port of 127.0.0.1 that nobody listens at now.
std::uint16_t free_port();
/// True when this machine could listen there now.
bool is_free(const Forward& forward);
/// Throws kMachine for the first forward whose port is taken, saying who wants it.
void check_ports(const Settings& settings);

}  // namespace imgforge::machines
