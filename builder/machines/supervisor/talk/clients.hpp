// Those who talk to a machine's process over its control socket (control.hpp): who watches, who sees the
// console, and who may write to it.
#pragma once

#include <poll.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/machines/control/channel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"

namespace imgforge::machines {

class Clients {
 public:
  using Id = std::uint64_t;
  /// Does what a request asks for. It answers now or later, with `answer` or `refuse`.
  using Handle = std::function<void(Id, const core::Json& request)>;

  /// Listens in the machine's folder.
  Clients(const std::filesystem::path& folder, Handle handle);

  /// Called with what the writer of the console types.
  std::function<void(std::string_view)> on_typed;
  /// Called when the one that a machine lives for is gone.
  std::function<void()> on_owner_gone;

  /// Called when one that moves the machine is gone without having said that it is done.
  std::function<void()> on_mover_gone;

  // Nobody minds a client that is gone meanwhile.
  void answer(Id id, const core::Json& value);
  /// The same for a whole line of somebody else, {"return": ...} or {"error": ...}, which has no newline.
  void answer_line(Id id, const std::string& line);
  void refuse(Id id, core::Kind kind, const std::string& message);
  enum class Owner { kNo, kYes };
  void watch(Id id, Owner owner);
  /// Whether there ever was one that the machine lives for.
  bool had_owner() const { return had_owner_; }
  enum class Mover { kNo, kYes };
  void guard(Id id, Mover mover);
  enum class Wants { kRead, kWrite };
  /// Shows the console from now on, `recent` first. One that wants to write can when no other does.
  void attach(Id id, Wants wants, std::string_view recent);

  /// An event for all who watch.
  void tell(const core::Json& event);
  /// The console's bytes for all who are attached.
  void show(std::string_view raw);

  /// Adds what poll(2) has to wait for.
  void add_to(std::vector<pollfd>& polls) const;
  /// Accepts, reads, writes; forgets those who are gone.
  void work();
  /// Writes what waits, for at most a moment: the machine ends.
  void finish();

 private:
  struct Client {
    explicit Client(core::Fd fd);
    Channel channel;
    bool busy = false;  ///< a request waits for its answer
    bool watches = false;
    bool attached = false;
    bool writes = false;
    bool owner = false;
    bool mover = false;
  };
  Client* find(Id id);
  void accept_all();
  void serve(Id id);

  core::Fd socket_;
  Handle handle_;
  std::map<Id, Client> clients_;
  Id last_ = 0;
  bool had_owner_ = false;
};

}  // namespace imgforge::machines
