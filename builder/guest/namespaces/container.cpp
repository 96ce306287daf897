#include "builder/guest/namespaces/container.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "builder/guest/namespaces/clone.hpp"
#include "builder/guest/namespaces/init.hpp"
#include "builder/guest/namespaces/message.hpp"
#include "builder/guest/namespaces/mounts.hpp"
#include "builder/guest/namespaces/steps.hpp"
#include "builder/guest/namespaces/tree.hpp"
#include "core/late_library.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

constexpr int kSocket = 3;                   ///< of the keeper and init
constexpr int kLifeline = 4;                 ///< of the keeper
constexpr const char* kHostName = "(none)";  ///< as in the appliance
constexpr int kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

std::pair<core::Fd, core::Fd> make_pair() {
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), Step::kFork);
  return {core::Fd(ends[0]), core::Fd(ends[1])};
}

// --- the processes inside

/// Nothing of imgforge stays open, above all not the ends of other sandboxes' sockets. Its terminal and its
/// signals are not for these processes.
void leave_imgforge(int socket, int lifeline) {
  const int null = require(::open("/dev/null", O_RDWR | O_CLOEXEC), Step::kFork);
  const int first = require(::fcntl(socket, F_DUPFD_CLOEXEC, 10), Step::kFork);
  const int second = require(::fcntl(lifeline, F_DUPFD_CLOEXEC, 10), Step::kFork);
  for (const int standard : {0, 1, 2}) require(::dup2(null, standard), Step::kFork);
  require(::dup3(first, kSocket, O_CLOEXEC), Step::kFork);
  require(::dup3(second, kLifeline, O_CLOEXEC), Step::kFork);
  require(::close_range(kLifeline + 1, ~0U, 0), Step::kFork);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
}

/// A user of the host until here, to whom the host's folders are open; root of the namespace from now on.
void become_root(Ids ids) {
  // With one id of his own a user cannot leave his groups; nothing of theirs can be reached from inside.
  const int left = ::setgroups(0, nullptr);
  if (ids == Ids::kRange) require(left, Step::kBecomeRoot);
  require(::setresgid(0, 0, 0), Step::kBecomeRoot);
  require(::setresuid(0, 0, 0), Step::kBecomeRoot);
}

[[noreturn]] void run_init(const StageParts& parts, RootLimits limits, Ids ids) {
  int code = 1;
  try {
    // The keeper may be gone already: then so is the other end of everything.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NAME, "imgforge-init");
    ::close(kLifeline);
    // Owners with one id are remembered by inodes' generations, which a tmpfs does not tell.
    if (ids == Ids::kNotify) limits.memory = {};
    enter_stage(parts, limits);
    require(::sethostname(kHostName, std::char_traits<char>::length(kHostName)), Step::kPivot);
    send_message(kSocket, {"ready", limits.memory.value != 0 ? "memory" : "disk"});
    serve(kSocket, limits, ids);
  } catch (const StepFailure& failure) {
    send_message(kSocket, {"failed", std::to_string(static_cast<int>(failure.step)),
                           std::to_string(failure.error_number)});
  } catch (const std::exception&) {
    code = 2;
  }
  ::_exit(code);
}

/// Until imgforge or init has ended.
void wait_for_end(pid_t init) {
  const core::Fd handle(open_process(init));
  std::array<pollfd, 2> events{{{handle.get(), POLLIN, 0}, {kLifeline, POLLIN, 0}}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  ::kill(init, SIGKILL);
  while (::waitpid(init, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void keep(const ContainerRequest& request) {
  // A folder above may be closed to root of a user namespace; the current one goes along.
  require(::chdir(request.folder.c_str()), Step::kMountRoot);
  require(::unshare(kNamespaces), Step::kUnshare);
  send_message(kSocket, {"unshared"});
  const std::optional<Message> mapped = receive_message(kSocket);
  if (!mapped) return;
  const Ids ids = mapped->field(1) == name_of(Ids::kNotify) ? Ids::kNotify : Ids::kRange;
  const core::Fd root(require(::open(kRootFolder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), Step::kMountRoot));
  StageParts parts = take_parts(kRootFolder, kIncomingFolder);
  become_root(ids);
  if (!request.abandoned.empty()) core::TempDir::reclaim(request.abandoned);
  // Init has the mounts of the host in a namespace of its own, out of which it moves them.
  const pid_t init = require(clone_process(CLONE_NEWNS), Step::kFork);
  if (init == 0) run_init(parts, request.limits, ids);
  ::close(kSocket);
  parts = {};
  wait_for_end(init);
  empty_folder(root.get());
  ::fchmod(root.get(), 0755);  // a script may have closed it
}

[[noreturn]] void run_keeper(const ContainerRequest& request, int socket, int lifeline) {
  core::forbid_late_libraries();
  try {
    ::prctl(PR_SET_NAME, "imgforge-keep");
    leave_imgforge(socket, lifeline);
    keep(request);
  } catch (const StepFailure& failure) {
    try {
      send_message(kSocket, {"failed", std::to_string(static_cast<int>(failure.step)),
                             std::to_string(failure.error_number)});
    } catch (const core::Error&) {
      ::_exit(1);  // nobody listens
    }
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

// --- imgforge's side

/// The next word of a sandbox that starts.
Message expect(int socket, std::string_view word) {
  std::optional<Message> message = receive_message(socket);
  if (!message) throw StepFailure{Step::kFork, ECHILD, "see what the kernel's log says"};
  if (message->field(0) == word) return std::move(*message);
  throw StepFailure{static_cast<Step>(message->number(1)), static_cast<int>(message->number(2))};
}

}  // namespace

Container::Container(const ContainerRequest& request) {
  try {
    start(request);
  } catch (...) {
    end();
    throw;
  }
}

void Container::start(const ContainerRequest& request) {
  auto [socket, inner_socket] = make_pair();
  auto [lifeline, inner_lifeline] = make_pair();
  socket_ = std::move(socket);
  lifeline_ = std::move(lifeline);
  core::load_late_libraries();  // inside are only the libraries of the image
  // fork, and not clone: the locks of the C library must be free in the child of a process with threads.
  keeper_ = require(::fork(), Step::kFork);
  if (keeper_ == 0) run_keeper(request, inner_socket.get(), inner_lifeline.get());
  inner_socket.reset();
  inner_lifeline.reset();
  expect(socket_.get(), "unshared");
  ids_ = map_ids(keeper_, request.ids, request.cancel);
  send_message(socket_.get(), {"mapped", std::string(name_of(ids_))});
  in_memory_ = expect(socket_.get(), "ready").field(1) == "memory";
}

Container::~Container() {
  end();
}

void Container::kill() noexcept {
  ::shutdown(lifeline_.get(), SHUT_RDWR);
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Container::running() {
  pollfd event{socket_.get(), POLLIN, 0};
  return ::poll(&event, 1, 0) == 0;
}

void Container::end() noexcept {
  socket_.reset();
  lifeline_.reset();
  if (keeper_ < 0) return;
  while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
  keeper_ = -1;
}

}  // namespace imgforge::guest
