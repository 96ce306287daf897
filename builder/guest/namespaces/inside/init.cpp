#include "builder/guest/namespaces/inside/init.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builder/guest/namespaces/common/clone.hpp"
#include "builder/guest/namespaces/common/message.hpp"
#include "builder/guest/namespaces/common/owners.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/common/tree.hpp"
#include "builder/guest/namespaces/inside/disk_watch.hpp"
#include "builder/guest/namespaces/inside/mounts.hpp"
#include "builder/guest/namespaces/inside/notify.hpp"
#include "builder/guest/namespaces/inside/script.hpp"
#include "builder/guest/sandbox.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

using Clock = std::chrono::steady_clock;
using Fields = std::vector<std::string>;

constexpr std::size_t kOutputKept = 1 << 20;                     ///< of a script, as in the appliance
constexpr std::size_t kAnswerKept = std::size_t{64} << 20;       ///< of a script of imgforge's own
constexpr std::uint64_t kLongestRead = std::uint64_t{64} << 20;  ///< of a "small" file
constexpr int kTick = 100;                                       ///< ms

/// Reads what a script prints and keeps its end.
class Stream {
 public:
  Stream(core::Fd fd, std::size_t kept) : fd_(std::move(fd)), kept_(kept) {
    if (fd_) ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  /// Takes what is there.
  void read() {
    std::array<char, 1 << 16> buffer;
    // Who prints without end must not keep init from looking at the clock. A pipe holds a megabyte at most.
    for (int i = 0; fd_ && i < 20; ++i) {
      const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
      if (n <= 0) {
        fd_.reset();
        return;
      }
      text_.append(buffer.data(), static_cast<std::size_t>(n));
      if (text_.size() > 2 * kept_) text_.erase(0, text_.size() - kept_);
    }
  }
  std::string take() {
    if (text_.size() > kept_) text_.erase(0, text_.size() - kept_);
    return std::move(text_);
  }

 private:
  core::Fd fd_;
  std::size_t kept_;
  std::string text_;
};

constexpr std::string_view kNoAccounts =
    "imgforge: this sandbox has one user id, so programs cannot become other accounts (su, setuid): give the "
    "user who builds ranges of ids in /etc/subuid and /etc/subgid\n";

enum class Disk { kWatched, kAsItIs };

/// How a child of init ended.
struct End {
  int code = 0;
  bool timed_out = false;
  bool aborted = false;
  std::optional<core::Error> error = {};  ///< why it was killed
};

int code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// As the appliance's runner shapes it: no NULs, one newline at the end.
std::string shaped(std::string text) {
  std::erase(text, '\0');
  while (text.ends_with('\n')) text.pop_back();
  return text + '\n';
}

class Init {
 public:
  Init(int socket, const RootLimits& limits, Ids ids)
      : socket_(socket),
        disk_(kStageRoot, limits.memory.value != 0 ? limits.memory : limits.disk),
        largest_file_(limits.disk),
        ids_(ids) {
    ::mkdir((kStageRoot + std::string(Sandbox::kPrivate)).c_str(), 0755);
  }

  void serve_all() {
    while (std::optional<Message> message = next_message()) {
      if (message->field(0) == request::kAbort) continue;  // too late
      try {
        serve(*message);
      } catch (const core::Error& error) {
        send_message(socket_, error_answer(error));
      } catch (const StepFailure& failure) {
        send_message(socket_, error_answer(error_of(failure)));
      }
    }
  }

 private:
  void serve(Message& message) {
    const std::string& what = message.field(0);
    if (what == request::kRun) {
      run(message);
    } else if (what == request::kQuery) {
      query(message);
    } else if (what == request::kShow) {
      media_ = message.field(1);
      answer({});
    } else if (what == request::kTry) {
      try_root();
    } else {
      work(message);
    }
  }

  void answer(Fields fields) {
    fields.insert(fields.begin(), "ok");
    send_message(socket_, fields);
  }

  /// Waits for a child, reading what it prints, within limits of time and, if told, of disk.
  End watch(pid_t child, const std::vector<Stream*>& streams, OwnerCalls& calls, std::optional<Seconds> limit,
            Disk disk) {
    const core::Fd handle(open_process(child));
    const auto deadline = Clock::now() + limit.value_or(Seconds(1'000'000));
    End end;
    while (!wait_for_events(handle.get(), streams, calls)) {
      if (heard_abort()) end.aborted = true;
      if (Clock::now() >= deadline) end.timed_out = true;
      if (disk == Disk::kWatched) end.error = disk_.check();
      if (end.aborted || end.timed_out || end.error) break;
    }
    ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    calls.finish(owners_);
    for (Stream* stream : streams) stream->read();
    end.code = code_of(status);
    if (disk == Disk::kWatched && !end.error) {
      using Measure = DiskWatch::Measure;
      end.error = disk_.check(end.code == 0 ? Measure::kWhenShrunk : Measure::kAlways);
    }
    return end;
  }

  /// True when the child has ended.
  bool wait_for_events(int child, const std::vector<Stream*>& streams, OwnerCalls& calls) {
    std::vector<pollfd> events{{child, POLLIN, 0}, {calls.fd(), POLLIN, 0}, {socket_, POLLIN, 0}};
    for (const Stream* stream : streams) events.push_back({stream->fd(), POLLIN, 0});
    ::poll(events.data(), events.size(), kTick);
    if ((events[1].revents & POLLIN) != 0) calls.answer(owners_);
    for (Stream* stream : streams) stream->read();
    return events[0].revents != 0;
  }

  std::optional<Message> next_message() {
    if (early_) return std::exchange(early_, std::nullopt);
    return receive_message(socket_);
  }

  /// An abort may come while something is done, the end of imgforge, and, when the answer has just gone out,
  /// the next request.
  bool heard_abort() {
    pollfd event{socket_, POLLIN, 0};
    if (early_ || ::poll(&event, 1, 0) <= 0) return false;
    early_ = receive_message(socket_);
    if (!early_) ::_exit(0);
    if (early_->field(0) != request::kAbort) return false;
    early_.reset();
    return true;
  }

  // --- scripts

  ScriptCall call_for(Fields words) const { return {std::move(words), media_, largest_file_, ids_}; }

  /// Throws what kept the script from starting or killed it.
  static void check(const RunningScript& script, const End& end) {
    std::array<int, 2> numbers{};
    if (::read(script.failure.get(), numbers.data(), sizeof numbers) == sizeof numbers) {
      const StepFailure failure{static_cast<Step>(numbers[0]), numbers[1]};
      throw core::Error(core::Kind::kAppliance,
                        fmt::format("the sandbox cannot run a program: {}: {}", step_name(failure.step),
                                    std::generic_category().message(failure.error_number)));
    }
    if (end.error) throw core::Error(*end.error);
  }

  void run(const Message& message) {
    const Seconds limit(message.number(1));
    touch_dev();
    RunningScript script = start_script(call_for({"/bin/sh", "-e", std::string(Sandbox::kPrivate) + "/step"}),
                                        Streams::kTogether);
    Stream output(std::move(script.output), kOutputKept);
    OwnerCalls calls(std::move(script.owners));
    const End end = watch(script.process, {&output}, calls, limit, Disk::kWatched);
    check(script, end);
    std::string text = shaped(output.take());
    if (end.code != 0 && calls.wanted_account()) text += kNoAccounts;
    answer({std::to_string(end.code), end.timed_out ? "1" : "0", text});
  }

  /// The appliance shows its own /dev in the root file system from the first script on, also to who reads it
  /// out. The folder below is the same but for its time.
  static void touch_dev() {
    const std::string dev = std::string(kStageRoot) + "/dev";
    ::utimensat(AT_FDCWD, dev.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  }

  void query(const Message& message) {
    const Seconds limit(message.number(1));
    RunningScript script =
        start_script(call_for({message.fields.begin() + 2, message.fields.end()}), Streams::kApart);
    Stream output(std::move(script.output), kAnswerKept);
    Stream errors(std::move(script.errors), kOutputKept);
    OwnerCalls calls(std::move(script.owners));
    const End end = watch(script.process, {&output, &errors}, calls, limit, Disk::kAsItIs);
    check(script, end);
    answer({std::to_string(end.code), end.timed_out ? "1" : "0", output.take(), errors.take()});
  }

  void try_root() {
    in_child(CLONE_NEWPID | CLONE_NEWNS, Disk::kAsItIs, ids_, [] {
      enter_root({});
      require(::chown("/", kIds - 1, 0), Step::kNotify);
      require(::chown("/", 0, 0), Step::kNotify);
      return Fields();
    });
  }

  // --- files

  void work(Message& message) {
    const bool adds = message.field(0) == request::kUnpack || message.field(0) == request::kWrite;
    if (adds) {
      if (std::optional<core::Error> full = disk_.check()) throw std::move(*full);
    }
    // Who makes no files has nothing to ask.
    in_child(0, adds ? Disk::kWatched : Disk::kAsItIs, adds ? ids_ : Ids::kRange,
             [&] { return do_work(message); });
  }

  /// Runs `body` in a process of its own, and passes its results on as the answer.
  template <class Body>
  void in_child(std::uint64_t namespaces, Disk disk, Ids ids, Body body) {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), Step::kFork);
    Stream result{core::Fd{ends[0]}, kAnswerKept + (1 << 20)};
    core::Fd inner{ends[1]};
    ListenerPair owners;
    const pid_t child = require(clone_process(namespaces), Step::kFork);
    if (child == 0) {
      result.close();
      ::close(socket_);
      ::_exit(tell_results(inner.get(), [&] {
        ListenerPair::hand_over(owners.inner(), ids == Ids::kNotify ? answer_owner_calls() : core::Fd());
        return body();
      }));
    }
    inner.reset();
    OwnerCalls calls(owners.receive());
    const End end = watch(child, {&result}, calls, std::nullopt, disk);
    if (end.code == 0) {
      core::write_all(socket_, result.take(), "the socket of the sandbox");
    } else if (end.error) {
      throw core::Error(*end.error);
    } else if (end.aborted) {
      throw core::Error(core::Kind::kInterrupted, "the transfer was given up");
    } else {
      throw core::Error(core::Kind::kAppliance, fmt::format("a process of the sandbox died ({})", end.code));
    }
  }

  /// 0 when something was told.
  template <class Body>
  static int tell_results(int socket, Body body) noexcept {
    try {
      try {
        Fields fields = body();
        fields.insert(fields.begin(), "ok");
        send_message(socket, fields);
      } catch (const core::Error& error) {
        send_message(socket, error_answer(error));
      } catch (const StepFailure& failure) {
        send_message(socket, error_answer(error_of(failure)));
      }
      return 0;
    } catch (const std::exception&) {
      return 1;
    }
  }

  Fields do_work(Message& message) const {
    if (::chroot(kStageRoot) != 0 || ::chdir("/") != 0)
      throw core::system_error(errno, "cannot enter", "the root");
    ::umask(022);
    const std::string& what = message.field(0);
    const std::string& path = message.field(1);
    if (what == request::kUnpack) {
      enter(path);
      unpack(message.fd.get());
    } else if (what == request::kPack) {
      enter(path);
      pack(message.fd.get(), {message.fields.begin() + 2, message.fields.end()}, owners_);
    } else if (what == request::kWrite) {
      write(path, message.field(2));
    } else if (what == request::kRead) {
      return {read(path)};
    } else if (what == request::kRemove) {
      remove(path);
    } else {
      throw core::Error(core::Kind::kInternal, "an unknown request to the sandbox");
    }
    return {};
  }

  static void enter(const std::string& folder) {
    if (::chdir(folder.c_str()) != 0) throw core::system_error(errno, "cannot enter", core::escaped(folder));
  }

  static void write(const std::string& path, const std::string& content) {
    core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK, 0644);
    core::write_all(fd.get(), content, path);
    fd.close(path);
  }

  static std::string read(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    return core::read_text_file(path, kLongestRead);
  }

  static void remove(const std::string& path) {
    const core::Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder) empty_folder(folder.get());
    if (::unlinkat(AT_FDCWD, path.c_str(), folder ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
      throw core::system_error(errno, "cannot remove", core::escaped(path));
    }
  }

  int socket_;
  DiskWatch disk_;
  core::Bytes largest_file_;
  Ids ids_;
  Owners owners_;  ///< with one id; who packs has a copy
  std::string media_;
  std::optional<Message> early_;  ///< came while something else was done
};

}  // namespace

void serve(int socket, const RootLimits& limits, Ids ids) {
  int code = 1;
  try {
    Init(socket, limits, ids).serve_all();
    code = 0;
  } catch (const std::exception&) {
    // The other side sees the end.
  }
  ::_exit(code);
}

}  // namespace imgforge::guest
