// Networks between machines of one user on one host. Each is a multicast group on the loopback interface
// (QEMU, -netdev socket,mcast=): a frame that one sends reaches all others, as on a cable. It takes no root
// and no process of its own, machines come and go, and nothing of it leaves the host. Other users of the host
// who know the group can join it.
#pragma once

#include <string>
#include <string_view>

namespace imgforge::machines {

/// "239.193.17.4:31234": group and port of a network, the same for all machines of this user. Addresses are
/// of the organization-local scope (RFC 2365), whose packets no router passes on.
std::string link_address(std::string_view network);

}  // namespace imgforge::machines
