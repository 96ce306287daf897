#include <fmt/format.h>

#include "builder/cli/frame/command.hpp"
#include "builder/serve/server.hpp"
#include "core/bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct ServeArguments {
  std::filesystem::path folder = ".";
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;
};

int serve_folder(Context& context, const ServeArguments& arguments) {
  serve::ServerOptions options;
  options.folder = arguments.folder;
  options.address = arguments.address;
  options.port = arguments.port;
  if (context.options.verbose > 0) {
    options.log = [&](std::string_view request, int status, std::uint64_t bytes) {
      context.progress.note(
          fmt::format("{} {} · {}", status, core::escaped(request, 200), core::Bytes{bytes}.human()));
    };
  }
  serve::Server server(options);
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"url", server.url()},
                                                 {"port", server.port()},
                                                 {"directory", arguments.folder.native()}})
                             : server.url() + "\n");
  context.progress.note("serving " + core::escaped(arguments.folder.native()) + " · Ctrl-C ends it");
  server.run(context.cancel);
  return 0;
}

}  // namespace

Runner declare_serve(OptionSet& set) {
  auto arguments = std::make_shared<ServeArguments>();
  set.positional("dir", arguments->folder, "folder to serve, such as one that imgforge export wrote")
      .show_default();
  set.option("--port", arguments->port, "port to listen on; 0: any free one").show_default();
  set.option("--bind", arguments->address, "numeric address to listen on; 0.0.0.0: every IPv4 address")
      .show_default();
  set.set_footer(
      "It runs until Ctrl-C and prints the address that it listens on.\n\n"
      "Example:\n  imgforge serve /srv/www/images --port 8080\n"
      "  curl -C - -O http://127.0.0.1:8080/releases/hello/v20261120/hello-v20261120.qcow2\n");
  return [arguments](Context& context) { return serve_folder(context, *arguments); };
}

}  // namespace imgforge::cli
