#include "builder/guest/namespaces/namespace_sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "builder/guest/appliance/watchdog.hpp"
#include "builder/guest/namespaces/common/message.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/container.hpp"
#include "builder/guest/namespaces/inside/init.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

constexpr Seconds kGrace{60};                      ///< what the watchdog gives a script beyond its own limit
constexpr std::size_t kLongestArgument = 100'000;  ///< of execve(2), less than 128 KiB

void make_folder(const std::filesystem::path& folder) {
  // The umask of the user is not for what the root of an image becomes.
  if (::mkdir(folder.c_str(), 0755) != 0 || ::chmod(folder.c_str(), 0755) != 0) {
    throw core::system_error(errno, "cannot create", folder.native());
  }
}

/// The same file under another name, or a copy where that would not be readable to the sandbox or a link
/// cannot be.
void hand_over(const std::filesystem::path& source, const std::filesystem::path& target) {
  struct stat status {};
  std::error_code error = std::make_error_code(std::errc::permission_denied);
  if (::stat(source.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    std::filesystem::create_hard_link(source, target, error);
  }
  if (error) core::clone_file(source, target);
}

/// The tree `source` again as `target`, made of hard links.
void mirror(const std::filesystem::path& source, const std::filesystem::path& target) {
  make_folder(target);
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    const std::filesystem::path name = target / entry.path().filename();
    if (entry.is_symlink()) {
      std::filesystem::copy_symlink(entry.path(), name);
    } else if (entry.is_directory()) {
      mirror(entry.path(), name);
    } else {
      hand_over(entry.path(), name);
    }
  }
}

}  // namespace

struct NamespaceSandbox::State {
  explicit State(NamespaceOptions given)
      : options(std::move(given)), folder(options.work_dir, "namespaces"), scratch(folder / "scratch") {
    make_folder(scratch);
    make_folder(incoming());
    make_folder(folder / kRootFolder);
    give_to_root(folder / kRootFolder);
    container.emplace(ContainerRequest{
        folder.path(), options.abandoned, {options.disk, options.memory}, options.ids, options.cancel});
    watchdog.emplace(
        folder.path(), [token = options.cancel] { return token.cancelled(); }, [this] { container->kill(); });
  }

  std::filesystem::path incoming() const { return folder / kIncomingFolder; }

  /// Asks and waits for the answer. Errors that init tells are thrown, or why there is none.
  Message call(const std::string& doing, const std::vector<std::string>& request, int fd = -1,
               std::chrono::milliseconds limit = {}) {
    if (std::optional<core::Error> verdict = watchdog->verdict()) throw std::move(*verdict);
    options.cancel.check();
    if (limit.count() == 0) limit = options.call_timeout;
    std::optional<Message> answer;
    try {
      const Watchdog::Call watched(*watchdog, doing, limit);
      {
        const std::lock_guard lock(sending);
        send_message(container->socket(), request, fd);
      }
      answer = receive_message(container->socket());
    } catch (const core::Error&) {
      // It died while it was asked.
    }
    if (std::optional<core::Error> verdict = watchdog->verdict()) throw std::move(*verdict);
    if (!answer) throw core::Error(core::Kind::kAppliance, fmt::format("the sandbox died ({})", doing));
    if (is_error(*answer)) {
      core::Error error = error_of(*answer);
      outgrew_memory = container->in_memory() && error.kind() == core::Kind::kImage;
      throw std::move(error.context(doing));
    }
    return std::move(*answer);
  }

  NamespaceOptions options;
  core::TempDir folder;
  std::filesystem::path scratch;
  unsigned handed_over = 0;  ///< folders below `incoming`; the last is shown
  bool media_shown = false;
  bool outgrew_memory = false;
  std::mutex sending;
  std::optional<Container> container;
  std::optional<Watchdog> watchdog;
};

NamespaceSandbox::NamespaceSandbox(NamespaceOptions options) {
  try {
    state_ = std::make_unique<State>(std::move(options));
  } catch (const StepFailure& failure) {
    throw error_of(failure);
  }
}

NamespaceSandbox::~NamespaceSandbox() = default;

Ids NamespaceSandbox::ids() const {
  return state_->container->ids();
}
SandboxKind NamespaceSandbox::kind() const {
  return {"namespaces", "", state_->options.reason};
}
const core::CancelToken& NamespaceSandbox::cancel() const {
  return state_->options.cancel;
}
const std::filesystem::path& NamespaceSandbox::scratch() const {
  return state_->scratch;
}

void NamespaceSandbox::tar_in(const std::filesystem::path& archive, std::string_view into, std::string_view) {
  const core::Fd file = core::open_regular(archive);
  state_->call("unpacking " + archive.filename().string(), {request::kUnpack, std::string(into)}, file.get());
}

void NamespaceSandbox::tar_out(std::string_view from, int target, const std::vector<std::string>& excludes) {
  std::vector<std::string> fields{request::kPack, std::string(from)};
  fields.insert(fields.end(), excludes.begin(), excludes.end());
  state_->call("reading the root file system", fields, target);
}

void NamespaceSandbox::cancel_transfer() noexcept {
  try {
    const std::lock_guard lock(state_->sending);
    send_message(state_->container->socket(), {request::kAbort});
  } catch (const core::Error&) {
    // A sandbox that is gone transfers nothing.
  }
}

void NamespaceSandbox::write(std::string_view path, std::string_view content) {
  const std::string name(path);
  state_->call("writing " + name, {request::kWrite, name, std::string(content)});
}

std::string NamespaceSandbox::read(std::string_view path) {
  const std::string name(path);
  return state_->call("reading " + name, {request::kRead, name}).field(1);
}

void NamespaceSandbox::present(const std::filesystem::path& folder) {
  const unsigned before = state_->handed_over++;
  const std::string name = std::to_string(state_->handed_over);
  mirror(folder, state_->incoming() / name);
  state_->call("handing over files", {request::kShow, name});
  state_->media_shown = true;
  std::error_code ignored;
  std::filesystem::remove_all(state_->incoming() / std::to_string(before), ignored);
}

void NamespaceSandbox::remove_media() {
  if (!std::exchange(state_->media_shown, false)) return;
  state_->call("taking files back", {request::kShow, ""});
}

ScriptResult NamespaceSandbox::run(std::string_view script, Seconds limit) {
  write(std::string(kPrivate) + "/step", script);
  const Message answer =
      state_->call("running a script", {request::kRun, std::to_string(limit.count())}, -1, limit + kGrace);
  return {static_cast<int>(answer.number(1)), answer.field(3), answer.number(2) != 0};
}

std::string NamespaceSandbox::query(std::string_view script) {
  const std::string limit = std::to_string((state_->options.call_timeout + kGrace).count());
  std::vector<std::string> fields{request::kQuery, limit, "/bin/sh", "-c", std::string(script)};
  if (script.size() > kLongestArgument) {
    const std::string file = std::string(kPrivate) + "/query";
    write(file, script);
    fields = {request::kQuery, limit, "/bin/sh", file};
  }
  const std::string doing = "looking at the root file system";
  Message answer = state_->call(doing, fields);
  if (answer.number(1) != 0) {
    throw core::Error(core::Kind::kAppliance, fmt::format("the sandbox failed ({})", doing))
        .quote(core::tail_lines(answer.field(4)));
  }
  return std::move(answer.fields.at(3));
}

void NamespaceSandbox::remove_private_folder() {
  remove_media();
  state_->call("removing the private folder", {request::kRemove, std::string(kPrivate)});
}

bool NamespaceSandbox::outgrew_memory() const {
  return state_->outgrew_memory;
}

void NamespaceSandbox::finish() {
  if (std::optional<core::Error> verdict = state_->watchdog->verdict()) throw std::move(*verdict);
  if (!state_->container->running()) {
    throw core::Error(core::Kind::kAppliance, "the sandbox died (shutting down)");
  }
}

namespace {

class PendingNamespaces final : public PendingSandbox {
 public:
  explicit PendingNamespaces(NamespaceOptions options)
      : sandbox_(std::async(std::launch::async, [options = std::move(options)] {
          return std::make_unique<NamespaceSandbox>(options);
        })) {}
  std::unique_ptr<Sandbox> get() override { return sandbox_.get(); }

 private:
  std::future<std::unique_ptr<NamespaceSandbox>> sandbox_;
};

}  // namespace

std::unique_ptr<PendingSandbox> start_in_namespaces(NamespaceOptions options) {
  return std::make_unique<PendingNamespaces>(std::move(options));
}

}  // namespace imgforge::guest
