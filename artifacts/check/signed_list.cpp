#include "artifacts/check/signed_list.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "artifacts/check/attempt.hpp"
#include "artifacts/check/signatures.hpp"
#include "artifacts/manifest/companions.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

/// More rows about single files than this say nothing to anybody.
constexpr std::size_t kMaxFileRows = 100;

/// Opens a regular file below a folder; no part of its name may be a link.
core::Fd open_beneath(int folder, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  core::Fd fd(static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how)));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR)
      throw Error(Kind::kIntegrity, "missing").reason(Reason::kMissing);
    if (errno == ELOOP || errno == EXDEV)
      throw Error(Kind::kIntegrity, "a link is on the way to it").reason(Reason::kMalformed);
    throw core::system_error(errno, "cannot open", core::escaped(name, 200));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    throw core::system_error(errno, "cannot examine", core::escaped(name, 200));
  if (!S_ISREG(status.st_mode))
    throw Error(Kind::kIntegrity, "not a regular file").reason(Reason::kMalformed);
  return fd;
}

Error bad_line(std::size_t number, const std::string& why) {
  return std::move(
      Error(Kind::kIntegrity, "line " + std::to_string(number) + ": " + why).reason(Reason::kMalformed));
}

CheckRow check_listed(int folder, const SumsLine& file) {
  CheckRow row{core::escaped(file.file, 200), "digest", false, {}, {}, {}};
  try {
    const core::Fd fd = open_beneath(folder, file.file);
    core::Hasher hasher(core::HashAlgorithm::kSha256);
    core::read_whole(fd.get(), file.file, [&](std::span<const std::byte> data) { hasher.update(data); });
    const core::Digest found = hasher.finish();
    if (found != file.sha256)
      throw Error(Kind::kIntegrity, "sha256 is " + found.hex() + ", the list says " + file.sha256.hex())
          .reason(Reason::kDigestMismatch);
    row.ok = true;
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    row.fail(error);
  }
  return row;
}

/// What lies below the folder and is not listed, names in order; links are not followed.
std::vector<std::string> unlisted(const fs::path& directory, const std::vector<SumsLine>& files,
                                  std::string_view marker) {
  std::set<std::string, std::less<>> known{kSumsFile};
  for (const SumsLine& file : files) known.insert(file.file);
  const auto is_explained = [&](const std::string& name) {
    if (known.contains(name) || name == marker) return true;
    for (const std::string_view suffix : {std::string_view(kSignatureSuffix), std::string_view(".asc")}) {
      if (name.ends_with(suffix) &&
          known.contains(std::string_view(name).substr(0, name.size() - suffix.size())))
        return true;
    }
    const fs::path path(name);
    if (!key_id_in(name, std::string(kSumsFile) + ".", kSignatureSuffix).empty()) return true;
    return is_companion(path.filename().native()) &&
           known.contains((path.parent_path() / kManifestFile).native());
  };
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.symlink_status().type() == fs::file_type::directory) continue;
    std::string name = entry.path().lexically_relative(directory).native();
    const bool is_file = entry.symlink_status().type() == fs::file_type::regular;
    if (!is_file || !is_explained(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The bytes of a file whose signature was accepted.
std::optional<std::string> read_signed(std::vector<CheckRow>& rows, const fs::path& file,
                                       const VerifyOptions& options) {
  std::string bytes;
  const std::string name = file.filename();
  if (!attempt(rows, name, "file", [&] {
        bytes = read_bounded(file, kMaxListBytes);
        return std::to_string(bytes.size()) + " bytes";
      }))
    return std::nullopt;
  if (!check_signatures(rows, file, bytes, options.signature)) return std::nullopt;
  return bytes;
}

}  // namespace

std::vector<SumsLine> parse_sums(std::string_view text) {
  constexpr std::size_t kHex = 64;
  std::vector<SumsLine> files;
  std::set<std::string_view> names;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) throw bad_line(number, "it does not end");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.size() < kHex + 3 || line.substr(kHex, 2) != "  ")
      throw bad_line(number, "a checksum, two blanks and a name are expected");
    const std::string_view name = line.substr(kHex + 2);
    if (name.front() == '/' || name.find('\0') != std::string_view::npos ||
        name.find('\\') != std::string_view::npos)
      throw bad_line(number, "not a name below this folder");
    for (const fs::path& part : fs::path(name)) {
      if (part.empty() || part == "." || part == "..") throw bad_line(number, "not a name below this folder");
    }
    if (!names.insert(name).second) throw bad_line(number, "listed twice");
    const std::string_view hex = line.substr(0, kHex);
    if (std::any_of(hex.begin(), hex.end(), [](char c) { return c >= 'A' && c <= 'F'; }))
      throw bad_line(number, "the checksum is not in lower case");
    files.push_back({std::string(name), core::Digest::from_hex(core::HashAlgorithm::kSha256, hex)});
  }
  if (files.empty()) throw Error(Kind::kIntegrity, "it lists nothing").reason(Reason::kMalformed);
  return files;
}

std::vector<CheckRow> verify_list(const fs::path& directory, const VerifyOptions& options,
                                  std::string_view marker) {
  std::vector<CheckRow> rows;
  const std::optional<std::string> text = read_signed(rows, directory / kSumsFile, options);
  if (!text) return rows;
  std::vector<SumsLine> files;
  std::vector<CheckRow> found;
  if (!attempt(rows, kSumsFile, "list", [&] {
        files = parse_sums(*text);
        return std::to_string(files.size()) + " files";
      }))
    return rows;
  attempt(rows, directory.native(), "digest", [&] {
    const core::Fd folder = core::open_file(directory, O_PATH | O_DIRECTORY);
    found.resize(files.size());
    core::for_each_parallel(files.size(), core::kOneACore,
                            [&](std::size_t i) { found[i] = check_listed(folder.get(), files[i]); });
    const auto whole = std::count_if(found.begin(), found.end(), [](const CheckRow& row) { return row.ok; });
    if (static_cast<std::size_t>(whole) != files.size())
      throw Error(Kind::kIntegrity, std::to_string(files.size() - static_cast<std::size_t>(whole)) + " of " +
                                        std::to_string(files.size()) + " files are not as listed")
          .reason(Reason::kDigestMismatch);
    return std::to_string(whole) + " files are as listed";
  });
  std::size_t told = 0;
  for (CheckRow& row : found) {
    if (!row.ok && ++told <= kMaxFileRows) rows.push_back(std::move(row));
  }
  std::vector<std::string> extras;
  attempt(rows, directory.native(), "listing", [&] {
    extras = unlisted(directory, files, marker);
    return extras.empty() ? std::string("nothing beside what is listed")
                          : std::to_string(extras.size()) + " names are not listed";
  });
  if (extras.size() > kMaxFileRows) extras.resize(kMaxFileRows);
  for (const std::string& name : extras) {
    const bool ok = options.extras == Extras::kNote;
    rows.push_back({core::escaped(name, 200), "extra", ok, "not listed",
                    ok ? std::nullopt : std::optional(Kind::kIntegrity),
                    ok ? Reason::kNone : Reason::kWrongSubject});
  }
  return rows;
}

std::vector<CheckRow> verify_detached(const fs::path& file, const VerifyOptions& options) {
  std::vector<CheckRow> rows;
  read_signed(rows, file, options);
  return rows;
}

}  // namespace imgforge::artifacts
