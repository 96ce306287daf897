#include "builder/dashboard/assets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "builder/serve/static_files.hpp"
#include "core/embed.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

IMGFORGE_EMBED(dashboard_index, IMGFORGE_DASHBOARD_PAGE "index.html")
IMGFORGE_EMBED(dashboard_style, IMGFORGE_DASHBOARD_PAGE "style.css")
IMGFORGE_EMBED(dashboard_page, IMGFORGE_DASHBOARD_PAGE "page.js")
IMGFORGE_EMBED(dashboard_graph, IMGFORGE_DASHBOARD_PAGE "graph.js")
IMGFORGE_EMBED(dashboard_api, IMGFORGE_DASHBOARD_PAGE "api.js")
IMGFORGE_EMBED(dashboard_console, IMGFORGE_DASHBOARD_PAGE "console.js")
IMGFORGE_EMBED(dashboard_parts, IMGFORGE_DASHBOARD_PAGE "parts.js")
IMGFORGE_EMBED(dashboard_screen, IMGFORGE_DASHBOARD_PAGE "screen.js")
IMGFORGE_EMBED(dashboard_snapshots, IMGFORGE_DASHBOARD_PAGE "snapshots.js")
IMGFORGE_EMBED(dashboard_schema, IMGFORGE_DASHBOARD_PAGE "api.schema.json")

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kXterm = "/usr/share/nodejs/xterm/lib";
constexpr const char* kNovnc = "/usr/share/novnc";
constexpr std::uint64_t kLargestFile = 1 << 20;
constexpr const char* kScript = "text/javascript; charset=utf-8";
constexpr const char* kStyle = "text/css; charset=utf-8";

struct File {
  std::string_view path;
  const char* type;
  std::string_view text;
};

/// What the page takes from a package of this host.
struct Package {
  const char* subject;
  const char* name;  ///< of Debian's package
  const char* folder;
  const char* file;  ///< one that it cannot do without
  const char* purpose;
};

constexpr Package kXtermPackage{"xterm.js", "node-xterm", kXterm, "public/Terminal.js",
                                "consoles in the dashboard"};
constexpr Package kNovncPackage{"noVNC", "novnc", kNovnc, "core/rfb.js", "screens in the dashboard"};

Answer not_installed(const Package& package) {
  return error_answer(Error(Kind::kMachine, fmt::format("{} is not installed", package.subject))
                          .hint(machine::install_command(package.name)),
                      404);
}

/// xterm.js comes as modules that name each other by require(), as Node.js has it; here they become one
/// script that defines the global Terminal. The loader is all that is added.
Answer xterm_script() {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator at(kXterm, fs::directory_options::follow_directory_symlink, error),
       end;
       !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.ends_with(".js") && !name.ends_with(".test.js") && at->is_regular_file())
      files.push_back(at->path());
  }
  if (files.empty()) return not_installed(kXtermPackage);
  std::sort(files.begin(), files.end());
  std::string script = "\"use strict\";\n(() => {\nconst modules = {}, loaded = {};\n";
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(kXterm).replace_extension().native();
    if (name.starts_with("addons/") && name != "addons/fit/fit") continue;
    script += "modules[\"" + name + "\"] = (require, module, exports) => {\n" +
              core::read_text_file(file, kLargestFile) + "\n};\n";
  }
  script +=
      "const load = (name) => {\n"
      "  if (loaded[name]) return loaded[name].exports;\n"
      "  const module = loaded[name] = { exports: {} };\n"
      "  const folder = name.split('/').slice(0, -1);\n"
      "  modules[name]((wanted) => {\n"
      "    const parts = [...folder];\n"
      "    for (const part of wanted.split('/')) {\n"
      "      if (part === '..') parts.pop(); else if (part !== '.') parts.push(part);\n"
      "    }\n"
      "    return load(parts.join('/'));\n"
      "  }, module, module.exports);\n"
      "  return module.exports;\n"
      "};\n"
      "const { Terminal } = load('public/Terminal');\n"
      "load('addons/fit/fit').apply(Terminal);\n"
      "globalThis.Terminal = Terminal;\n"
      "})();\n";
  return {200, kScript, std::move(script), {}};
}

/// A script below core/ or vendor/ of noVNC.
Answer novnc_file(const std::string& path) {
  if (!fs::exists(kNovnc)) return not_installed(kNovncPackage);
  const bool is_script = path.ends_with(".js") && (path.starts_with("core/") || path.starts_with("vendor/"));
  serve::StaticFiles files(kNovnc);
  serve::OpenFile file;
  if (!is_script || files.open(path, file) != serve::Lookup::kFound || file.size > kLargestFile)
    return error_answer(Error(Kind::kUsage, "noVNC has no such script"), 404);
  std::string text(static_cast<std::size_t>(file.size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const std::size_t n = core::read_some(
        file.fd.get(), std::as_writable_bytes(std::span(text.data() + have, text.size() - have)), path);
    if (n == 0) break;
    have += n;
  }
  text.resize(have);
  return {200, kScript, std::move(text), {}};
}

}  // namespace

std::vector<machine::Finding> examine_packages(const fs::path& root) {
  std::vector<machine::Finding> findings;
  for (const Package& package : {kXtermPackage, kNovncPackage}) {
    std::error_code error;
    const fs::path folder = root / fs::path(package.folder).relative_path();
    const bool there = fs::is_regular_file(folder / package.file, error);
    findings.push_back({there ? machine::Health::kGood : machine::Health::kWarning, package.subject,
                        there ? package.folder : fmt::format("missing: {}", package.purpose),
                        there ? "" : machine::install_command(package.name)});
  }
  return findings;
}

std::optional<Answer> page_file(const std::string& path) {
  static const std::array files{
      File{"/", "text/html; charset=utf-8", IMGFORGE_EMBEDDED(dashboard_index)},
      File{"/style.css", kStyle, IMGFORGE_EMBEDDED(dashboard_style)},
      File{"/page.js", kScript, IMGFORGE_EMBEDDED(dashboard_page)},
      File{"/graph.js", kScript, IMGFORGE_EMBEDDED(dashboard_graph)},
      File{"/api.js", kScript, IMGFORGE_EMBEDDED(dashboard_api)},
      File{"/console.js", kScript, IMGFORGE_EMBEDDED(dashboard_console)},
      File{"/parts.js", kScript, IMGFORGE_EMBEDDED(dashboard_parts)},
      File{"/screen.js", kScript, IMGFORGE_EMBEDDED(dashboard_screen)},
      File{"/snapshots.js", kScript, IMGFORGE_EMBEDDED(dashboard_snapshots)},
      File{"/api.schema.json", "application/schema+json", IMGFORGE_EMBEDDED(dashboard_schema)},
  };
  for (const File& file : files)
    if (file.path == path) return Answer{200, file.type, std::string(file.text), {}};
  constexpr std::string_view novnc = "/vendor/novnc/";
  if (path == "/vendor/xterm.js") return xterm_script();
  if (path == "/vendor/xterm.css") {
    const fs::path style = fs::path(kXterm) / "xterm.css";
    if (!fs::exists(style)) return not_installed(kXtermPackage);
    return Answer{200, kStyle, core::read_text_file(style, kLargestFile), {}};
  }
  if (path.starts_with(novnc)) return novnc_file(path.substr(novnc.size()));
  return std::nullopt;
}

}  // namespace imgforge::dashboard
