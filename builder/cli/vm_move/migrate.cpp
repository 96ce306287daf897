#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <list>

#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/leave.hpp"
#include "builder/machines/move/live_facts.hpp"
#include "builder/machines/move/live_move.hpp"
#include "builder/machines/move/monitor.hpp"
#include "builder/machines/move/peer.hpp"
#include "builder/machines/operations/snapshots.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using machines::MoveMark;
using machines::Peer;
namespace fs = std::filesystem;

constexpr std::chrono::minutes kPatience{2};
constexpr std::chrono::hours kLongest{24};

struct Arguments {
  std::string name;
  bool live = false;
  StopOptions stop;
  machines::Destination destination;
};

/// What a file takes of its file system.
std::uint64_t bytes_on_disk(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) throw core::system_error(errno, "cannot examine", file.native());
  return static_cast<std::uint64_t>(found.st_blocks) * 512;
}

/// This program's path, for the other state folder of this host.
std::string this_program() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "imgforge" : path.native();
}

/// One move of a machine, from what stands in its folder.
class Moving {
 public:
  Moving(Context& context, const machines::Registry& registry, const Arguments& arguments)
      : context_(context),
        registry_(registry),
        arguments_(arguments),
        leaving_(context, registry, arguments.name),
        activity_(context.progress.begin("vm/" + arguments.name)) {
    if (const auto mark = machines::read_mark(leaving_.folder())) mark_ = *mark;
  }

  /// Goes on with a move that was interrupted after the machine was given away.
  bool is_gone() const { return mark_.state == "gone"; }
  void tell_again() {
    if (mark_.confirmed) machines::settle_mark(leaving_.folder(), {});
    ask({"release", mark_.destination.name, "--move", mark_.id}, "");
    confirm();
  }

  void begin() {
    if (arguments_.destination.to.empty()) throw Error(Kind::kUsage, "--to says where the machine moves to");
    machines::check_destination(arguments_.destination.to);
    const bool again = mark_.state == "leaving" && mark_.destination == destination();
    if (!again) mark_.id = core::random_hex(16);
    mark_.destination = destination();
    mark_.live = arguments_.live;
    mark_.state = "leaving";
    mark_.confirmed = false;
  }

  void move_cold() {
    const bool ran = stop_first();
    leaving_.require_stopped();
    const machines::BundleHead head = leaving_.describe(machines::DiskContent::kIn);
    offer(head, std::nullopt);
    leave(head);
    give_away();
    ask({"release", mark_.destination.name, "--move", mark_.id}, "");
    confirm();
    if (ran) {
      activity_.say("it starts there");
      Peer start(command({"start", mark_.destination.name, "--for", "process"}));
      start.close_input();
      start.finish(kPatience, context_.cancel);
    }
  }

  void move_live() {
    machines::Control control = machines::Control::require(leaving_.folder());
    check_live(control);
    const machines::BundleHead head = leaving_.describe(machines::DiskContent::kLeftOut);
    offer(head, machines::live_facts(context_.processes, context_.options.cache_dir, context_.cancel));
    leave(head);
    Peer other(command({"open", mark_.destination.name, "--move", mark_.id}));
    try {
      other.say(Json{{"devices", core::write_record(machines::plugged_devices(control, context_.cancel))},
                     {"reached", reached(control)}}
                    .dump() +
                "\n");
      other.next(kPatience, context_.cancel);
      send(other);
    } catch (const Error&) {
      take_back();
      throw;
    }
  }

 private:
  machines::Destination destination() const {
    machines::Destination destination = arguments_.destination;
    if (destination.name.empty()) destination.name = arguments_.name;
    machines::check_machine_name(destination.name);
    return destination;
  }

  machines::PeerCommand command(std::vector<std::string> words) const {
    if (words.front() != "import" && words.front() != "start") words.insert(words.begin(), "receive");
    return machines::peer_command(mark_.destination, words, this_program());
  }

  Json ask(std::vector<std::string> words, std::string_view input) const {
    return machines::ask_peer(command(std::move(words)), input, kPatience, context_.cancel);
  }

  bool stop_first() {
    const bool ran = machines::is_running(leaving_.folder());
    if (ran) {
      activity_.say("it shuts down");
      stop_machine(context_, registry_, arguments_.name, arguments_.stop);
    }
    return ran;
  }

  /// What blocks it is said before it begins.
  void refuse(const std::vector<std::string>& problems) const {
    if (problems.empty()) return;
    throw Error(Kind::kUsage, fmt::format("{} cannot move to {}: {}", arguments_.name,
                                          core::escaped(mark_.destination.to), core::join(problems, "; ")));
  }

  void offer(const machines::BundleHead& head, const std::optional<machines::LiveFacts>& live) {
    Json asked{{"head", core::write_record(head)}};
    if (live) {
      asked["live"] = core::write_record(*live);
      asked["disk_bytes"] = bytes_on_disk(leaving_.folder() / machines::kDiskFile);
    }
    const Json answer = ask({"offer", mark_.destination.name, "--move", mark_.id}, asked.dump() + "\n");
    std::vector<std::string> problems = std::move(problems_);
    for (const Json& problem : answer.at("problems"))
      problems.push_back("there: " + core::escaped(problem.get<std::string>(), 1000));
    refuse(problems);
  }

  /// The mark, then the machine without the right to run.
  void leave(const machines::BundleHead& head) {
    machines::write_mark(leaving_.folder(), mark_);
    try {
      Peer import(command({"import", "-", "--name", mark_.destination.name, "--arriving", mark_.id}));
      try {
        machines::write_bundle(import.input(), "the other host", head, leaving_.folder());
      } catch (const Error& error) {
        import.close_input();
        import.finish(kPatience, context_.cancel);  // it says why it reads no more
        throw;
      }
      import.close_input();
      import.finish(kLongest, context_.cancel);
      for (const std::string& warning : import.warnings()) context_.progress.warn("there: " + warning);
    } catch (const Error&) {
      take_back();
      throw;
    }
  }

  /// From here on it may not run here.
  void give_away() {
    mark_.state = "gone";
    machines::write_mark(leaving_.folder(), mark_);
  }

  void confirm() {
    mark_.confirmed = true;
    machines::write_mark(leaving_.folder(), mark_);
    activity_.done(fmt::format("{} runs from now on at {}", mark_.destination.name, mark_.destination.to));
  }

  /// It stays: what has arrived goes, as far as that can be reached.
  void take_back() {
    if (mark_.state != "leaving") return;  // it was given away
    machines::remove_mark(leaving_.folder());
    try {
      machines::ask_peer(command({"discard", mark_.destination.name, "--move", mark_.id}), "", kPatience, {});
    } catch (const Error& error) {
      context_.progress.warn(
          fmt::format("there may be a rest of {}: {}", mark_.destination.name, error.message()));
    }
  }

  void check_live(machines::Control& control) {
    if (!leaving_.settings().shares.empty())
      problems_.push_back("it shares a folder, which QEMU cannot move while it runs");
    if (!machines::list_snapshots({registry_, arguments_.name, {}, context_.processes, context_.cancel})
             .empty())
      problems_.push_back(
          "it has snapshots, which stay behind while it runs (vm snapshot remove, or move it stopped)");
    const Json status = machines::ask_qemu(control, "query-status", Json::object(), context_.cancel);
    if (!status.value("running", false)) problems_.push_back("it is paused");
  }

  Json reached(machines::Control& control) const {
    const Json status = control.ask({{"command", "status"}}, std::chrono::seconds(20), context_.cancel);
    Json names = Json::array();
    for (const Json& state : status.at("states")) names.push_back(state.at("name"));
    return names;
  }

  void send(Peer& other) {
    std::list<Peer> channels;
    machines::LiveMove move(leaving_.folder(), context_.cancel);
    move.send(
        [&](const std::string& what, int socket) {
          channels.emplace_back(command({what, mark_.destination.name, "--move", mark_.id}), socket);
        },
        [&](const std::string& text) { activity_.say(text); });
    // Both have the state and stand still: until the mark is written this one may go on, then that one.
    other.say("arrived\n");
    other.next(kPatience, context_.cancel);
    give_away();
    try {
      other.say("release\n");
      other.next(kPatience, context_.cancel);
    } catch (const Error& error) {
      // The machine's process ends here, and what the other host has waits for word.
      throw Error(Kind::kMachine, fmt::format("{} moved, and whether it runs there is not known: {}",
                                              arguments_.name, error.message()))
          .hint("imgforge vm migrate " + arguments_.name + " tells it again");
    }
    confirm();
  }

  Context& context_;
  const machines::Registry& registry_;
  const Arguments& arguments_;
  Leaving leaving_;
  core::Activity activity_;
  MoveMark mark_;
  std::vector<std::string> problems_;
};

int migrate(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  const fs::path folder = registry.find(arguments.name).folder;
  {
    Moving moving(context, registry, arguments);
    if (moving.is_gone()) {
      moving.tell_again();
    } else {
      moving.begin();
      arguments.live ? moving.move_live() : moving.move_cold();
    }
  }
  machines::wait_until_stopped(folder, std::chrono::seconds(30), context.cancel);
  const auto mark = machines::read_mark(folder);
  const machines::Destination destination = mark ? mark->destination : machines::Destination{};
  print(
      context.options.json
          ? core::print_json(
                {{"schema", 1}, {"name", destination.name}, {"to", destination.to}, {"live", arguments.live}})
          : fmt::format("{} is now {} at {}; what is left here: imgforge vm remove {}\n", arguments.name,
                        destination.name, core::escaped(destination.to), arguments.name));
  return 0;
}

}  // namespace

void declare_vm_migrate(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("migrate", "move a machine to another host");
  declare_machine(set, arguments->name);
  set.option("--to", arguments->destination.to,
             "ssh://[USER@]HOST[:PORT], or the path of another XDG_STATE_HOME of this host");
  set.flag("--live", arguments->live, "while it runs [it is shut down, and started there]");
  declare_stop_options(set, arguments->stop);
  set.option("--name", arguments->destination.name, "of the machine there [the same]");
  set.option("--imgforge", arguments->destination.program, "program there [imgforge]");
  set.option("--store", arguments->destination.store,
             "output folder there that has its release [where it was here]");
  set.option("--ssh-option", arguments->destination.ssh_options, "as ssh -o takes it; repeatable");
  set.set_footer(
      "The release that the machine stands on has to be there. Exactly one of the two can run, also when "
      "this\n"
      "command or a host ends meanwhile: the same command again goes on, without --to when it was given "
      "away.\n"
      "Example: imgforge vm migrate project --to ssh://other.example --live");
  set.set_runner([arguments](Context& context) { return migrate(context, *arguments); });
}

}  // namespace imgforge::cli
