#include "builder/guest/export.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {
namespace {

const std::vector<std::string> kExcluded{"./lost+found", "./.imgforge", "./proc/*", "./sys/*",
                                         "./dev/*",      "./run/*",     "./tmp/*"};

artifacts::NormaliseResult normalise(int source, const std::filesystem::path& target, std::int64_t epoch,
                                     const std::filesystem::path& spool) {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  artifacts::TarReader reader(source, "root file system", policy);
  core::Fd file = core::open_file(target, O_WRONLY | O_CREAT | O_EXCL);
  artifacts::NormaliseOptions options;
  options.latest_mtime = epoch;
  const artifacts::NormaliseResult result = artifacts::normalise_rootfs(reader, file.get(), spool, options);
  file.close(target.native());
  return result;
}

/// Reads what is left, so that the appliance's writer is never stopped by SIGPIPE or a full pipe.
void drain(int source) {
  std::array<std::byte, 1 << 16> buffer;
  while (::read(source, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

artifacts::NormaliseResult export_rootfs(Sandbox& guest, const std::filesystem::path& target,
                                         std::int64_t epoch, const std::filesystem::path& spool) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw core::system_error(errno, "cannot create", "a pipe");
  const core::Fd source(ends[0]);
  core::Fd sink(ends[1]);
  artifacts::NormaliseResult result;
  // Each side's failure makes the other fail as well; only the first tells the cause.
  std::mutex mutex;
  std::exception_ptr first;
  const auto failed = [&](std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (!first) first = std::move(error);
  };
  std::thread reader([&] {
    try {
      result = normalise(source.get(), target, epoch, spool);
    } catch (...) {
      failed(std::current_exception());
      guest.cancel_transfer();
    }
    drain(source.get());
  });
  try {
    guest.tar_out("/", sink.get(), kExcluded);
  } catch (...) {
    failed(std::current_exception());
  }
  sink.reset();
  reader.join();
  if (!first) return result;
  std::error_code ignored;
  std::filesystem::remove(target, ignored);
  std::rethrow_exception(first);
}

}  // namespace imgforge::guest
