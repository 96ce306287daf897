#include "builder/fetch/http/file_transfer.hpp"

#include <fmt/format.h>

#include <system_error>

#include "builder/fetch/http/url.hpp"

namespace imgforge::fetch {
namespace {

Failure failed(const Request& request, core::Kind kind, const std::string& why) {
  return Failure{.error = core::Error(kind, redacted_url(request.url) + ": " + why)};
}

/// Why a file could not be opened; a missing permission keeps its kind.
Failure not_opened(const Request& request, const std::filesystem::path& path, const core::Error& error) {
  std::error_code ignored;
  const bool absent = !std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
  const core::Kind kind = error.kind() == core::Kind::kPermission ? error.kind() : core::Kind::kFetch;
  Failure failure = failed(request, kind, absent ? "no such file" : error.message());
  failure.absent = absent && kind == core::Kind::kFetch;
  return failure;
}

std::optional<Failure> check_size(const Request& request, std::uint64_t size) {
  if (request.size && size != *request.size) {
    return failed(request, core::Kind::kIntegrity,
                  fmt::format("expected {} bytes, got {}", *request.size, size));
  }
  if (size > request.limit) {
    return failed(request, core::Kind::kUnsafe,
                  fmt::format("{} bytes are more than the {} allowed", size, request.limit));
  }
  return std::nullopt;
}

}  // namespace

Result transfer_file(const Transfer& transfer, const core::CancelToken& cancel) {
  const Request& request = transfer.request;
  const std::filesystem::path path = file_url_path(request.url);
  core::Fd fd;
  try {
    fd = core::open_regular(path);
  } catch (const core::Error& error) {
    return not_opened(request, path, error);
  }
  if (auto failure = check_size(request, core::file_size(fd.get(), path.native()))) return *failure;
  transfer.sink->restart();
  if (!transfer.sink->begin(Head{.total = core::file_size(fd.get(), path.native())})) {
    Failure failure = failed(request, core::Kind::kFetch, "the file is not what was asked for");
    failure.declined = true;
    return failure;
  }
  std::vector<std::byte> buffer(1 << 18);
  std::uint64_t total = 0;
  while (const std::size_t n = core::read_some(fd.get(), buffer, path.native())) {
    cancel.check();
    total += n;
    if (total > request.limit) break;  // the file grows while it is read
    transfer.sink->write(std::span(buffer.data(), n));
  }
  if (auto failure = check_size(request, total)) return *failure;
  transfer.sink->finish();
  return Response{.final_url = request.url, .bytes = total};
}

}  // namespace imgforge::fetch
