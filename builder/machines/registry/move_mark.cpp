#include "builder/machines/registry/move_mark.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/machines/registry/settings.hpp"
#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kMarkFile = "move.json";
constexpr std::size_t kMostOptions = 64;

void want(bool condition, const char* what) {
  if (!condition) throw Error(Kind::kIntegrity, fmt::format("{}: {} cannot be so", kMarkFile, what));
}

void check(const MoveMark& mark) {
  want(mark.schema == 1, "schema");
  want(is_move_id(mark.id), "id");
  want(mark.state == "leaving" || mark.state == "gone" || mark.state == "arriving", "state");
  want((mark.state == "arriving") == mark.destination.to.empty(), "destination");
  want(mark.destination.ssh_options.size() <= kMostOptions, "destination");
  if (mark.state != "arriving") {
    try {
      check_machine_name(mark.destination.name);
    } catch (const Error&) {
      want(false, "destination");
    }
  }
}

Error gone(const std::string& name, const MoveMark& mark) {
  Error error(Kind::kUsage, fmt::format("the machine {} moved to {}, as {}", name,
                                        core::escaped(mark.destination.to), mark.destination.name));
  return mark.confirmed
             ? error.hint(fmt::format("imgforge vm remove {} removes what is left here", name))
             : error.hint(fmt::format("imgforge vm migrate {} tells that host that it may run there", name));
}

}  // namespace

bool is_move_id(std::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string print_mark(const MoveMark& mark) {
  check(mark);
  return core::print_json(core::write_record(mark));
}

MoveMark parse_mark(std::string_view text) {
  MoveMark mark = core::read_record<MoveMark>(core::parse_json(text, kMarkFile), kMarkFile);
  check(mark);
  return mark;
}

std::optional<MoveMark> read_mark(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder / kMarkFile, error))) return std::nullopt;
  return parse_mark(core::read_text_file(folder / kMarkFile));
}

void write_mark(const fs::path& folder, const MoveMark& mark) {
  core::write_file_atomically(folder / kMarkFile, print_mark(mark), 0600);
}

void remove_mark(const fs::path& folder) {
  if (::unlink((folder / kMarkFile).c_str()) != 0 && errno != ENOENT)
    throw core::system_error(errno, "cannot remove", (folder / kMarkFile).native());
  core::sync_directory(folder);
}

std::optional<Error> refusal_to_run(const std::string& name, const MoveMark& mark) {
  if (mark.state == "gone") return gone(name, mark);
  if (mark.state != "arriving") return std::nullopt;
  return Error(Kind::kUsage,
               fmt::format("the machine {} arrives from another host, which may still run it", name))
      .hint(fmt::format(
          "imgforge vm migrate there goes on; if that host is lost: imgforge vm start {} --force", name));
}

void settle_mark(const fs::path& folder, const std::string& arriving) {
  const std::string name = folder.filename();
  const std::optional<MoveMark> mark = read_mark(folder);
  if (!arriving.empty()) {
    if (mark && mark->state == "arriving" && mark->id == arriving) return;
    throw Error(Kind::kUsage, fmt::format("the machine {} does not arrive by that move", name));
  }
  if (!mark) return;
  if (auto refusal = refusal_to_run(name, *mark)) throw *std::move(refusal);
  remove_mark(folder);
}

}  // namespace imgforge::machines
