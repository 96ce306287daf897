// What is kept of machines, and what the agents of guests answer.
#include <stdexcept>
#include <string>

#include "builder/machines/agent/replies.hpp"
#include "builder/machines/agent/ssh_access.hpp"
#include "builder/machines/move/bundle.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "builder/machines/registry/settings.hpp"
#include "builder/machines/shared/report.hpp"
#include "core/json.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {

void machine_settings(std::string_view bytes) {
  const std::string text = machines::print_settings(machines::parse_settings(bytes));
  if (machines::print_settings(machines::parse_settings(text)) != text)
    throw std::logic_error("what was printed is read as something else:\n" + text);
}

void move_mark(std::string_view bytes) {
  const std::string text = machines::print_mark(machines::parse_mark(bytes));
  if (machines::print_mark(machines::parse_mark(text)) != text)
    throw std::logic_error("what was printed is read as something else:\n" + text);
}

void machine_bundle(std::string_view bytes) {
  const std::string text = machines::print_head(machines::parse_head(bytes));
  if (machines::print_head(machines::parse_head(text)) != text)
    throw std::logic_error("what was printed is read as something else:\n" + text);
}

/// {"asked": "guest-exec-status", "return": ...}
void agent_reply(std::string_view bytes) {
  const core::Json all = core::parse_json(bytes, "input");
  if (!all.is_object() || !all.contains("return")) return;
  const core::Json& reply = all.at("return");
  const core::Json asked = all.value("asked", core::Json());
  if (asked == "guest-exec") machines::parse_exec_started(reply);
  if (asked == "guest-exec-status") machines::parse_exec_status(reply);
  if (asked == "guest-network-get-interfaces") machines::parse_addresses(reply);
  if (asked == "guest-network-statistics") machines::parse_network_bytes(reply);
  if (asked == "guest-file-open") machines::parse_handle(reply);
  if (asked == "guest-file-read") machines::parse_file_part(reply);
  if (asked == "guest-file-write") machines::parse_written(reply, 1000);
}

/// vm-to-host.txt, in two pieces.
void shared_report(std::string_view bytes) {
  machines::LineSplitter lines;
  for (const std::string_view piece : {bytes.substr(0, bytes.size() / 2), bytes.substr(bytes.size() / 2)}) {
    lines.add(piece);
    while (const auto line = lines.next()) {
      if (line->size() > machines::LineSplitter::kLongestLine) throw std::logic_error("a line is too long");
      const machines::ReportLine read = machines::parse_report_line(*line);
      if (read.time.size() + read.text.size() + (read.time.empty() ? 0 : 2) != line->size())
        throw std::logic_error("a line lost something: " + *line);
    }
  }
}

/// A passwd file and host keys of a guest in one.
void guest_accounts(std::string_view bytes) {
  machines::first_user(bytes);
  machines::known_hosts(bytes, "machine");
}

}  // namespace imgforge::fuzz
