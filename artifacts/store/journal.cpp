#include "artifacts/store/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "artifacts/store/pins.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxLine = 64 << 10;
constexpr std::uint64_t kMaxJournal = 256 << 20;

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return core::escaped(name.data(), 100);
}

std::string print_entry(const JournalEntry& entry) {
  const Json json{{"schema", 1},
                  {"time", entry.time},
                  {"user", entry.user},
                  {"host", entry.host},
                  {"pid", entry.pid},
                  {"command", entry.command},
                  {"line", entry.line},
                  {"version", entry.version},
                  {"outcome", entry.outcome},
                  {"detail", entry.detail},
                  {"imgforge", entry.imgforge}};
  return json.dump() + "\n";
}

JournalEntry parse_entry(std::string_view text) {
  const Json json = core::parse_json(text, "the line", {.bytes = kMaxLine, .depth = 2});
  const auto word = [&](const char* member) { return json.at(member).get<std::string>(); };
  return {word("time"),    word("user"),    word("host"),    json.at("pid").get<std::uint64_t>(),
          word("command"), word("line"),    word("version"), word("outcome"),
          word("detail"),  word("imgforge")};
}

void append(const fs::path& file, std::string line) {
  const bool fresh = ::access(file.c_str(), F_OK) != 0;
  core::Fd fd = core::open_file(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0644);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw core::system_error(errno, "cannot examine", file.native());
  if (!S_ISREG(status.st_mode)) throw Error(Kind::kStore, file.native() + " is not a regular file");
  char last = '\n';
  if (status.st_size > 0 && ::pread(fd.get(), &last, 1, status.st_size - 1) != 1) last = '\0';
  if (last != '\n') line.insert(0, "\n");
  const ssize_t n = ::write(fd.get(), line.data(), line.size());
  if (n < 0) throw core::system_error(errno, "cannot write", file.native());
  if (static_cast<std::size_t>(n) != line.size())
    throw core::system_error(ENOSPC, "cannot write all of a line to", file.native());
  core::sync_fd(fd.get(), file.native());
  fd.close(file.native());
  if (fresh) core::sync_directory(file.parent_path());
}

}  // namespace

std::string append_journal(const fs::path& root, JournalEntry entry) noexcept {
  try {
    try {
      if (entry.time.empty()) entry.time = core::iso_time(core::system_clock().now());
      if (entry.user.empty()) entry.user = user_name();
      if (entry.host.empty()) entry.host = host_name();
      if (entry.pid == 0) entry.pid = static_cast<std::uint64_t>(::getpid());
      if (entry.imgforge.empty()) entry.imgforge = IMGFORGE_VERSION;
      append(root / kJournalFile, print_entry(entry));
      return "";
    } catch (const Error& error) {
      return "the change is done, but not noted in the journal: " + error.message();
    }
  } catch (const std::exception&) {
    return "not noted in the journal";  // short enough not to need memory
  }
}

Journal read_journal(const fs::path& root) {
  const fs::path file = root / kJournalFile;
  Journal journal;
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return journal;
  const std::string text = core::read_text_file(file, kMaxJournal);
  for (const std::string& line : core::split(text, '\n')) {
    if (line.empty()) continue;
    try {
      journal.entries.push_back(parse_entry(line));
    } catch (const std::exception&) {
      ++journal.damaged;
    }
  }
  return journal;
}

}  // namespace imgforge::artifacts
