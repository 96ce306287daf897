#include "builder/machines/agent/replies.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::size_t kMostAddresses = 256;
constexpr std::size_t kLongestInterface = 64;

[[noreturn]] void refuse(const char* what) {
  throw Error(Kind::kIntegrity, fmt::format("the agent in the machine answers nonsense: {}", what));
}

const Json& member(const Json& object, const char* name) {
  if (!object.is_object()) refuse("no object");
  const auto found = object.find(name);
  if (found == object.end()) refuse(name);
  return *found;
}

std::int64_t number(const Json& object, const char* name, std::int64_t least, std::int64_t most) {
  const Json& value = member(object, name);
  if (!value.is_number_integer()) refuse(name);
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
    refuse(name);
  const auto found = value.get<std::int64_t>();
  if (found < least || found > most) refuse(name);
  return found;
}

bool truth(const Json& object, const char* name, std::optional<bool> otherwise = {}) {
  if (otherwise && object.is_object() && !object.contains(name)) return *otherwise;
  const Json& value = member(object, name);
  if (!value.is_boolean()) refuse(name);
  return value.get<bool>();
}

std::string text(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_string()) refuse(name);
  return value.get<std::string>();
}

std::string decoded(const std::string& base64, const char* name) {
  try {
    const std::vector<std::uint8_t> bytes = core::from_base64(base64);
    return {bytes.begin(), bytes.end()};
  } catch (const Error&) {
    refuse(name);
  }
}

std::string stream(const Json& reply, const char* name) {
  return reply.contains(name) ? decoded(text(reply, name), name) : std::string();
}

/// The address in its own canonical form; nothing for loopback and link-local ones.
std::optional<GuestAddress> address_of(const Json& row, const std::string& interface) {
  const std::string type = text(row, "ip-address-type");
  if (type != "ipv4" && type != "ipv6") refuse("ip-address-type");
  GuestAddress found{interface, {}, 0, type == "ipv6"};
  const int family = found.ipv6 ? AF_INET6 : AF_INET;
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> printed{};
  if (::inet_pton(family, text(row, "ip-address").c_str(), bytes.data()) != 1 ||
      ::inet_ntop(family, bytes.data(), printed.data(), printed.size()) == nullptr)
    refuse("ip-address");
  found.address = printed.data();
  found.prefix = static_cast<unsigned>(number(row, "prefix", 0, found.ipv6 ? 128 : 32));
  const bool local =
      found.ipv6 ? found.address == "::1" || found.address.starts_with("fe80:") : bytes[0] == 127;
  if (local) return std::nullopt;
  return found;
}

}  // namespace

std::int64_t parse_exec_started(const Json& reply) {
  return number(reply, "pid", 0, INT64_MAX);
}

ExecStatus parse_exec_status(const Json& reply) {
  ExecStatus status;
  status.exited = truth(reply, "exited");
  if (!status.exited) return status;
  if (reply.contains("signal")) {
    status.exit_code = 128 + static_cast<int>(number(reply, "signal", 1, 127));
  } else {
    status.exit_code = static_cast<int>(number(reply, "exitcode", 0, 255));
  }
  status.out = stream(reply, "out-data");
  status.err = stream(reply, "err-data");
  status.truncated = truth(reply, "out-truncated", false) || truth(reply, "err-truncated", false);
  return status;
}

std::vector<GuestAddress> parse_addresses(const Json& reply) {
  if (!reply.is_array() || reply.size() > kMostAddresses) refuse("the list of interfaces");
  std::vector<GuestAddress> found;
  for (const Json& interface : reply) {
    const std::string name = text(interface, "name");
    if (name.size() > kLongestInterface) refuse("name");
    if (!interface.contains("ip-addresses")) continue;
    const Json& rows = interface.at("ip-addresses");
    if (!rows.is_array() || rows.size() > kMostAddresses) refuse("ip-addresses");
    for (const Json& row : rows) {
      if (found.size() == kMostAddresses) refuse("ip-addresses");
      if (auto address = address_of(row, name)) found.push_back(*std::move(address));
    }
  }
  return found;
}

NetworkBytes parse_network_bytes(const Json& reply) {
  constexpr std::int64_t most = INT64_MAX / static_cast<std::int64_t>(kMostAddresses);
  if (!reply.is_array() || reply.size() > kMostAddresses) refuse("the list of interfaces");
  NetworkBytes all;
  for (const Json& interface : reply) {
    if (text(interface, "name") == "lo" || !interface.contains("statistics")) continue;
    const Json& statistics = interface.at("statistics");
    all.received += static_cast<std::uint64_t>(number(statistics, "rx-bytes", 0, most));
    all.sent += static_cast<std::uint64_t>(number(statistics, "tx-bytes", 0, most));
  }
  return all;
}

std::int64_t parse_handle(const Json& reply) {
  if (!reply.is_number_integer()) refuse("the file's handle");
  return reply.get<std::int64_t>();
}

FilePart parse_file_part(const Json& reply) {
  FilePart part;
  part.content = decoded(text(reply, "buf-b64"), "buf-b64");
  part.at_end = truth(reply, "eof");
  if (static_cast<std::size_t>(number(reply, "count", 0, 1 << 30)) != part.content.size()) refuse("count");
  return part;
}

std::size_t parse_written(const Json& reply, std::size_t most) {
  return static_cast<std::size_t>(number(reply, "count", 0, static_cast<std::int64_t>(most)));
}

}  // namespace imgforge::machines
