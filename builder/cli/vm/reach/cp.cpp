#include <fcntl.h>
#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/agent/agent.hpp"
#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = 16ULL << 30;

struct Arguments {
  std::string source;
  std::string target;
};

/// "machine:/path"; a text with a '/' before the ':' is a path of this host.
struct Place {
  std::string machine;
  std::string path;
};

Place parse_place(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || text.find('/') < colon) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::uint64_t copy_out(const Context& context, const Place& from, fs::path to) {
  if (fs::is_directory(to)) to /= fs::path(from.path).filename();
  machines::Control control = control_of(from.machine);
  core::AtomicFile file(to);
  std::uint64_t size = 0;
  machines::Agent(control, context.cancel).read_file(from.path, kLargestFile, [&](std::string_view part) {
    file.write(part);
    size += part.size();
  });
  file.commit();
  return size;
}

std::uint64_t copy_in(const Context& context, const fs::path& from, Place to) {
  if (to.path.ends_with('/')) to.path += from.filename();
  const core::Fd file = core::open_regular(from);
  machines::Control control = control_of(to.machine);
  std::uint64_t size = 0;
  machines::Agent(control, context.cancel).write_file(to.path, [&](std::size_t most) {
    std::string part(most, '\0');
    part.resize(core::read_some(file.get(), std::as_writable_bytes(std::span(part)), from.native()));
    size += part.size();
    return part;
  });
  return size;
}

int copy(Context& context, const Arguments& arguments) {
  const Place from = parse_place(arguments.source);
  const Place to = parse_place(arguments.target);
  if (from.machine.empty() == to.machine.empty())
    throw Error(Kind::kUsage, "one of both has to be in a machine").hint("write it as MACHINE:/PATH");
  const std::uint64_t size =
      to.machine.empty() ? copy_out(context, from, to.path) : copy_in(context, from.path, to);
  print(context.options.json ? core::print_json({{"schema", 1}, {"bytes", size}})
                             : fmt::format("{} to {}: {}\n", core::escaped(arguments.source),
                                           core::escaped(arguments.target), core::Bytes{size}.human()));
  return 0;
}

}  // namespace

void declare_vm_cp(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("cp", "copy a file into a machine or out of it, by its agent");
  set.positional("source", arguments->source, "a file, or MACHINE:/PATH").required();
  set.positional("target", arguments->target,
                 "likewise; a folder takes the file's name, in a machine with '/' behind it")
      .required();
  set.set_footer(
      "Examples:\n  imgforge vm cp site.conf project:/etc/site.conf\n"
      "  imgforge vm cp project:/var/log/messages .");
  set.set_runner([arguments](Context& context) { return copy(context, *arguments); });
}

}  // namespace imgforge::cli
