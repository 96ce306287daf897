// What imgforge and the init of a sandbox say to each other: messages of text fields, and at most one file
// descriptor with each, over a stream socket.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

struct Message {
  std::vector<std::string> fields;  ///< bytes of any value
  core::Fd fd;

  /// A field by its place; kInternal when there are fewer.
  const std::string& field(std::size_t place) const;
  /// The same as a decimal number.
  long number(std::size_t place) const;
};

/// `fd` -1: none goes along. kAppliance when the other side is gone.
void send_message(int socket, const std::vector<std::string>& fields, int fd = -1);
/// Waits for a message. Nothing: the other side is gone. kInternal when it is longer than 512 MiB.
std::optional<Message> receive_message(int socket);

/// An answer that tells an error, and the error out of it.
std::vector<std::string> error_answer(const core::Error& error);
bool is_error(const Message& answer);
core::Error error_of(const Message& answer);

}  // namespace imgforge::guest
