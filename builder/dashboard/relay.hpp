// The ends of a machine that a WebSocket is joined to: its console (control.hpp) and its screen (QEMU's VNC
// server, RFC 6143, on a socket of the machine's folder).
#pragma once

#include <string_view>

#include "builder/dashboard/session.hpp"
#include "builder/machines/registry/registry.hpp"

namespace imgforge::dashboard {

/// Sets what the session's WebSocket is for, by the path of its request, and connects to the machine's end.
/// Throws kUsage for a path that is for none, a machine that is not there, does not run or has no screen.
void open_peer(const machines::Registry& registry, Session& session);

/// Puts what the machine's end said into the outbox: of the console first {"writes": true}, whether what is
/// typed counts, as a text. False when that end says something else, or the outbox is full.
bool take_from_peer(Session& session, std::string_view data);

}  // namespace imgforge::dashboard
