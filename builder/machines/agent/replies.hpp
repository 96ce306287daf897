// What the agent of a guest answers (QEMU's docs/interop/qemu-ga-ref), read strictly: the guest may be
// anybody's, so nothing of it is believed that cannot be so, and all of it is bounded. Text is as the guest
// said it; who prints it escapes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// State of a command in the guest (guest-exec-status).
struct ExecStatus {
  bool exited = false;
  int exit_code = 0;  ///< 128+n when killed by signal n
  std::string out;
  std::string err;
  bool truncated = false;  ///< the agent kept only the first 16 MiB of a stream
};

/// An address of the guest (guest-network-get-interfaces), never of its loopback.
struct GuestAddress {
  std::string interface;
  std::string address;  ///< numeric, checked
  unsigned prefix = 0;
  bool ipv6 = false;
};

// All throw kIntegrity for what is no such reply.
std::int64_t parse_exec_started(const core::Json& reply);
ExecStatus parse_exec_status(const core::Json& reply);
std::vector<GuestAddress> parse_addresses(const core::Json& reply);
/// What went through all network cards but the loopback (guest-network-get-interfaces), in bytes.
struct NetworkBytes {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
};
NetworkBytes parse_network_bytes(const core::Json& reply);
/// guest-file-open
std::int64_t parse_handle(const core::Json& reply);

struct FilePart {
  std::string content;
  bool at_end = false;
};
/// guest-file-read
FilePart parse_file_part(const core::Json& reply);
/// guest-file-write: how many bytes were taken, at most `most`.
std::size_t parse_written(const core::Json& reply, std::size_t most);

}  // namespace imgforge::machines
