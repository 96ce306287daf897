// The file `move.json` of a machine's folder, which is there while the machine moves to another host, and
// afterwards. It says which of the two may run, so each change of it is durable before the other side hears
// of it:
//
//   here: "leaving"                 there: "arriving"    this one may run (starting it ends the move)
//   here: "gone", unconfirmed       there: "arriving"    that one may run once it is told so
//   here: "gone", confirmed         there: no file       that one may run
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace imgforge::machines {

/// Where a machine moves to, and how that is reached.
struct Destination {
  std::string to;       ///< "ssh://[USER@]HOST[:PORT]", or the absolute path of a state folder of this host
  std::string name;     ///< of the machine there
  std::string program;  ///< imgforge there
  std::string store;    ///< its output folder there; empty: the one that the machine stands on
  std::vector<std::string> ssh_options;  ///< as ssh -o takes them
  bool operator==(const Destination&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("to", self.to);
    visit("name", self.name);
    visit("program", self.program);
    visit("store", self.store);
    visit("ssh_options", self.ssh_options);
  }
};

struct MoveMark {
  unsigned schema = 1;
  std::string id;           ///< of this move, the same on both sides: 32 hex digits
  std::string state;        ///< "leaving", "gone" or "arriving"
  bool confirmed = false;   ///< the other side knows that it may run
  bool live = false;        ///< with the memory of the running machine
  Destination destination;  ///< of what leaves; empty texts on the other side
  bool operator==(const MoveMark&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("schema", self.schema);
    visit("id", self.id);
    visit("state", self.state);
    visit("confirmed", self.confirmed);
    visit("live", self.live);
    visit("destination", self.destination);
  }
};

std::string print_mark(const MoveMark& mark);
/// Throws kIntegrity.
MoveMark parse_mark(std::string_view text);

/// Nothing when the machine does not move. Throws kIntegrity for a damaged one.
std::optional<MoveMark> read_mark(const std::filesystem::path& folder);
/// Durable on return, as is its removal.
void write_mark(const std::filesystem::path& folder, const MoveMark& mark);
void remove_mark(const std::filesystem::path& folder);

/// Why a machine with this mark may not run here, with what to do; nothing for one that leaves.
std::optional<core::Error> refusal_to_run(const std::string& name, const MoveMark& mark);

/// Before a machine starts: what leaves stays, as whoever moved it is gone. `arriving` is the id of the move
/// that the start belongs to; empty: none. Throws kUsage, with what to do, when the machine may not run here.
void settle_mark(const std::filesystem::path& folder, const std::string& arriving);

/// True for 32 hexadecimal digits.
bool is_move_id(std::string_view text);

}  // namespace imgforge::machines
