#include "builder/guest/namespaces/common/message.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace imgforge::guest {
namespace {

constexpr std::uint64_t kLongest = std::uint64_t{512} << 20;
constexpr std::string_view kError = "error";

core::Error gone() {
  return {core::Kind::kAppliance, "the sandbox is gone"};
}

struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

void append_number(std::string& text, std::uint64_t number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Sends all of it; the descriptor goes with the first byte.
void send_all(int socket, std::string_view text, int fd) {
  Control control;
  while (!text.empty()) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fd >= 0) {
      header.msg_control = control.bytes.data();
      header.msg_controllen = control.bytes.size();
      cmsghdr* item = CMSG_FIRSTHDR(&header);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(item), &fd, sizeof fd);
    }
    const ssize_t sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) throw gone();
    text.remove_prefix(static_cast<std::size_t>(sent));
    fd = -1;
  }
}

void take_descriptor(msghdr& header, core::Fd& fd) {
  cmsghdr* item = CMSG_FIRSTHDR(&header);
  if (item == nullptr || item->cmsg_type != SCM_RIGHTS) return;
  int number = -1;
  std::memcpy(&number, CMSG_DATA(item), sizeof number);
  fd = core::Fd(number);
}

/// False: the other side went away before all of it came.
bool receive_all(int socket, std::span<std::byte> buffer, core::Fd& fd) {
  while (!buffer.empty()) {
    Control control;
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    const ssize_t n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    take_descriptor(header, fd);
    buffer = buffer.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::vector<std::string> split_fields(std::string_view text) {
  std::vector<std::string> fields;
  while (!text.empty()) {
    std::uint64_t size = 0;
    if (text.size() < sizeof size) throw gone();
    std::memcpy(&size, text.data(), sizeof size);
    text.remove_prefix(sizeof size);
    if (size > text.size()) throw gone();
    fields.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return fields;
}

}  // namespace

const std::string& Message::field(std::size_t place) const {
  if (place >= fields.size()) {
    throw core::Error(core::Kind::kInternal, "a message of the sandbox has too few fields");
  }
  return fields[place];
}

long Message::number(std::size_t place) const {
  const std::string& text = field(place);
  long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void send_message(int socket, const std::vector<std::string>& fields, int fd) {
  std::string body;
  for (const std::string& field : fields) {
    append_number(body, field.size());
    body += field;
  }
  std::string head;
  append_number(head, body.size());
  send_all(socket, head, fd);
  send_all(socket, body, -1);
}

std::optional<Message> receive_message(int socket) {
  Message message;
  std::uint64_t size = 0;
  if (!receive_all(socket, std::as_writable_bytes(std::span(&size, 1)), message.fd)) return std::nullopt;
  if (size > kLongest) throw core::Error(core::Kind::kInternal, "a message of the sandbox is too long");
  std::string body(size, '\0');
  core::Fd none;
  if (!receive_all(socket, std::as_writable_bytes(std::span(body)), none)) return std::nullopt;
  message.fields = split_fields(body);
  return message;
}

std::vector<std::string> error_answer(const core::Error& error) {
  std::vector<std::string> fields{std::string(kError), std::to_string(static_cast<int>(error.kind())),
                                  error.message(), error.hint(), error.quote()};
  fields.insert(fields.end(), error.contexts().begin(), error.contexts().end());
  return fields;
}

bool is_error(const Message& answer) {
  return !answer.fields.empty() && answer.fields.front() == kError;
}

core::Error error_of(const Message& answer) {
  core::Error error(static_cast<core::Kind>(answer.number(1)), answer.field(2));
  if (!answer.field(3).empty()) error.hint(answer.field(3));
  if (!answer.field(4).empty()) error.quote(answer.field(4));
  for (std::size_t i = 5; i < answer.fields.size(); ++i) error.context(answer.fields[i]);
  return error;
}

}  // namespace imgforge::guest
