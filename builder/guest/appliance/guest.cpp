#include "builder/guest/appliance/guest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "builder/guest/appliance/appliance.hpp"
#include "builder/machine/tools.hpp"
#include "core/file_bytes.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

constexpr std::string_view kMediaDevice = "/dev/sdb";
constexpr Seconds kGrace{60};                      ///< what the watchdog gives a script beyond its own limit
constexpr std::size_t kLongestArgument = 100'000;  ///< of execve(2), less than 128 KiB

using CText = core::Handle<&::free, char>;  // the library allocates with malloc

/// Runs /.imgforge/step with a limit and prints its exit code, seconds taken and output. The step has a
/// session of its own, so that what it leaves behind can be killed; the pipe caps the output without failing
/// the step, and nothing is kept in files, which a full disk would lose.
constexpr std::string_view kRunner = R"sh(
cd / && umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TZ=UTC TERM=dumb
box=/.imgforge
rm -f $box/pipe
mkfifo -m 600 $box/pipe || exit 1
started=$(date +%s)
(
  setsid timeout -s KILL {limit} env -i {environment} /bin/sh -e $box/step >$box/pipe 2>&1 </dev/null &
  group=$!
  code=0
  wait $group || code=$?
  kill -9 -$group 2>/dev/null
  exit $code
) &
waiter=$!
output=$(tail -c 1048576 <$box/pipe | tr -d '\000')
code=0
wait $waiter || code=$?
echo $code $(($(date +%s) - started))
printf '%s\n' "$output"
rm -f $box/pipe $box/step
)sh";

ScriptResult parse_result(std::string_view text, Seconds limit) {
  const std::size_t end = text.find('\n');
  const std::string_view head = text.substr(0, end);
  const std::size_t space = head.find(' ');
  ScriptResult result;
  long seconds = 0;
  if (end == std::string_view::npos || space == std::string_view::npos) {
    throw core::Error(core::Kind::kInternal, "a script in the guest reported no exit code")
        .quote(core::tail_lines(text));
  }
  std::from_chars(head.data(), head.data() + space, result.exit_code);
  std::from_chars(head.data() + space + 1, head.data() + head.size(), seconds);
  result.timed_out = result.exit_code == 137 && seconds >= limit.count();
  result.output = text.substr(end + 1);
  return result;
}

/// Overwrites the beginning of the disk behind kMedia.
void copy_over(const std::filesystem::path& image, const std::filesystem::path& disk) {
  const core::Fd source = core::open_regular(image);
  const core::Fd target = core::open_file(disk, O_WRONLY);
  core::read_whole(source.get(), image.native(), [&](std::span<const std::byte> data) {
    core::write_all(target.get(), data, disk.native());
  });
}

}  // namespace

Guest::Guest(std::unique_ptr<Appliance> appliance) : appliance_(std::move(appliance)) {}
Guest::Guest(Guest&&) noexcept = default;
Guest& Guest::operator=(Guest&&) noexcept = default;

Guest::~Guest() = default;

machine::Accelerator Guest::accelerator() const {
  return appliance_->accelerator;
}
const std::optional<std::string>& Guest::kvm_failure() const {
  return appliance_->kvm_failure;
}
SandboxKind Guest::kind() const {
  return {"appliance", std::string(machine::accelerator_name(accelerator())), reason_};
}
const core::CancelToken& Guest::cancel() const {
  return appliance_->options.cancel;
}
const std::filesystem::path& Guest::scratch() const {
  return appliance_->folder.path();
}

void Guest::tar_in(const std::filesystem::path& archive, std::string_view into,
                   std::string_view compression) {
  const std::string folder(into);
  const std::string method(compression);
  appliance_->call("unpacking " + archive.filename().string(), [&](guestfs_h* handle) {
    if (method.empty())
      return guestfs_tar_in_opts(handle, archive.c_str(), folder.c_str(), GUESTFS_TAR_IN_OPTS_XATTRS, 1, -1);
    return guestfs_tar_in_opts(handle, archive.c_str(), folder.c_str(), GUESTFS_TAR_IN_OPTS_XATTRS, 1,
                               GUESTFS_TAR_IN_OPTS_COMPRESS, method.c_str(), -1);
  });
}

void Guest::tar_out(std::string_view from, int target, const std::vector<std::string>& excludes) {
  const std::string folder(from);
  const std::string file = fmt::format("/dev/fd/{}", target);
  std::vector<char*> patterns;
  for (const std::string& pattern : excludes) patterns.push_back(const_cast<char*>(pattern.c_str()));
  patterns.push_back(nullptr);
  appliance_->call("reading the root file system", [&](guestfs_h* handle) {
    return guestfs_tar_out_opts(handle, folder.c_str(), file.c_str(), GUESTFS_TAR_OUT_OPTS_NUMERICOWNER, 1,
                                GUESTFS_TAR_OUT_OPTS_XATTRS, 1, GUESTFS_TAR_OUT_OPTS_EXCLUDES,
                                patterns.data(), -1);
  });
}

void Guest::cancel_transfer() noexcept {
  guestfs_user_cancel(appliance_->handle.get());
}

void Guest::write(std::string_view path, std::string_view content) {
  const std::string name(path);
  appliance_->call("writing " + name, [&](guestfs_h* handle) {
    return guestfs_write(handle, name.c_str(), content.data(), content.size());
  });
}

std::string Guest::read(std::string_view path) {
  const std::string name(path);
  const int exists = appliance_->call("looking for " + name, [&](guestfs_h* handle) {
    return guestfs_is_file_opts(handle, name.c_str(), GUESTFS_IS_FILE_OPTS_FOLLOWSYMLINKS, 1, -1);
  });
  if (exists == 0) return {};
  std::size_t size = 0;
  const CText content(appliance_->call(
      "reading " + name, [&](guestfs_h* handle) { return guestfs_read_file(handle, name.c_str(), &size); }));
  return std::string(content.get(), size);
}

void Guest::present(const std::filesystem::path& folder) {
  const std::filesystem::path image = appliance_->folder / "media.squashfs";
  core::Command command;
  command.program = machine::require_program("mksquashfs");
  command.args = {folder.native(), image.native(), "-noappend", "-quiet", "-no-progress",
                  "-noI",          "-noD",         "-noF",      "-noX",   "-all-root"};
  core::system_processes().check(command, cancel(), core::Kind::kIo);
  remove_media();
  copy_over(image, appliance_->media);
  std::filesystem::remove(image);
  const std::string device(kMediaDevice);
  const std::string mount_point(kMedia);
  // The kernel read the empty disk when it looked for partitions; those pages must go.
  appliance_->call("handing over files", [&](guestfs_h* handle) {
    if (guestfs_blockdev_flushbufs(handle, device.c_str()) < 0) return -1;
    if (guestfs_mkdir_p(handle, mount_point.c_str()) < 0) return -1;
    return guestfs_mount_vfs(handle, "ro", "squashfs", device.c_str(), mount_point.c_str());
  });
  appliance_->media_shown = true;
}

void Guest::remove_media() {
  if (!appliance_->media_shown) return;
  appliance_->call("taking files back",
                   [](guestfs_h* handle) { return guestfs_umount(handle, std::string(kMedia).c_str()); });
  appliance_->media_shown = false;
}

ScriptResult Guest::run(std::string_view script, Seconds limit) {
  write(std::string(kPrivate) + "/step", script);
  const std::string runner = fmt::format(kRunner, fmt::arg("limit", limit.count()),
                                         fmt::arg("environment", fmt::join(kScriptEnvironment, " ")));
  const CText output(appliance_->call(
      "running a script", [&](guestfs_h* handle) { return guestfs_sh(handle, runner.c_str()); },
      limit + kGrace));
  return parse_result(output.get(), limit);
}

std::string Guest::query(std::string_view script) {
  std::string command(script);
  if (command.size() > kLongestArgument) {
    const std::string file = std::string(kPrivate) + "/query";
    write(file, script);
    command = "/bin/sh " + file;
  }
  const CText output(appliance_->call("looking at the root file system", [&](guestfs_h* handle) {
    return guestfs_sh(handle, command.c_str());
  }));
  return output.get();
}

void Guest::remove_private_folder() {
  remove_media();
  appliance_->call("removing the private folder",
                   [](guestfs_h* handle) { return guestfs_rm_rf(handle, std::string(kPrivate).c_str()); });
}

void Guest::finish() {
  // The library is content with an appliance that has died.
  if (!appliance_->qemu.running()) throw appliance_->error("shutting down");
  appliance_->call("shutting down", [](guestfs_h* handle) { return guestfs_shutdown(handle); });
  appliance_->handle.reset();
}

}  // namespace imgforge::guest
