#include "artifacts/store/release_reference.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kMaxCandidates = 5000;  // what the nearest name is looked for among

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::directory;
}

/// Every folder archive/<month>/<stem>.
std::vector<fs::path> archived_folders(const Store& store) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& month : fs::directory_iterator(store.root() / "archive", error)) {
    if (month.path().filename().native().starts_with('.')) continue;  // .staging
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(month.path(), ignored)) {
      if (is_file_name(entry.path().filename().native()) && is_folder(entry.path()))
        found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The release `version` of `line`, in place or archived.
std::optional<ReleaseLocation> locate(const Store& store, const std::string& line,
                                      const std::string& version) {
  if (!is_file_name(line) || !Version::parse(version)) return std::nullopt;
  const fs::path direct = store.line_directory(line) / version;
  if (is_folder(direct)) return ReleaseLocation{line, version, direct, false};
  for (const fs::path& folder : archived_folders(store)) {
    if (folder.filename().native() == line + "-" + version)
      return ReleaseLocation{line, version, folder, true};
  }
  return std::nullopt;
}

ReleaseLocation current_of(const Store& store, const std::string& line) {
  const std::optional<Version> current = store.current(line);
  if (!current) {
    throw Error(Kind::kStore, line + " has no current release")
        .hint("name one as " + line + "@VERSION (imgforge list " + line + ")");
  }
  return {line, current->to_string(), store.release_directory(line, *current), false};
}

/// All ways to read "LINE-VERSION".
std::vector<ReleaseLocation> by_stem(const Store& store, const std::string& text) {
  std::vector<ReleaseLocation> found;
  for (std::size_t dash = text.find('-'); dash != std::string::npos; dash = text.find('-', dash + 1)) {
    const std::string line = text.substr(0, dash);
    const std::string version = text.substr(dash + 1);
    if (!is_file_name(line) || !Version::parse(version)) continue;
    const fs::path direct = store.line_directory(line) / version;
    if (is_folder(direct)) found.push_back({line, version, direct, false});
  }
  if (!found.empty()) return found;
  for (const fs::path& folder : archived_folders(store)) {
    if (folder.filename().native() != text) continue;
    // The longest line that is there; otherwise versions are taken to have no dash.
    std::size_t dash = text.rfind('-');
    for (const std::string& line : store.lines()) {
      if (text.starts_with(line + "-")) dash = line.size();
    }
    if (dash == std::string::npos) continue;
    found.push_back({text.substr(0, dash), text.substr(dash + 1), folder, true});
  }
  return found;
}

/// The release that a path leads into; nothing when it does not exist.
std::optional<ReleaseLocation> by_path(const Store& store, const fs::path& path) {
  std::error_code error;
  const fs::path resolved = fs::canonical(path, error);
  if (error) return std::nullopt;
  const fs::path inside = resolved.lexically_relative(fs::canonical(store.root(), error));
  std::vector<std::string> parts;
  for (const fs::path& part : inside) parts.push_back(part.native());
  if (parts.size() >= 3 && parts[0] == "releases" && Version::parse(parts[2]))
    return locate(store, parts[1], parts[2]);
  if (parts.size() == 2 && parts[0] == "releases") return current_of(store, parts[1]);
  if (parts.size() >= 3 && parts[0] == "archive") {
    for (ReleaseLocation& found : by_stem(store, parts[2])) {
      if (found.archived) return found;
    }
  }
  throw Error(Kind::kUsage, core::escaped(path.native(), 200) + " does not lead into a release of " +
                                core::escaped(store.root().native(), 200))
      .hint("choose the store with --output-dir");
}

std::string nearest(const Store& store, const std::string& text) {
  std::vector<std::string> candidates = store.lines();
  const std::vector<std::string> lines = candidates;
  for (const std::string& line : lines) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store.line_directory(line), error)) {
      const std::string version = entry.path().filename().native();
      if (candidates.size() > kMaxCandidates || !Version::parse(version)) continue;
      candidates.push_back(line + "@" + version);
      candidates.push_back(line + "-" + version);
    }
  }
  return core::nearest_word(text, candidates);
}

Error unknown(const Store& store, const std::string& what, const std::string& text) {
  const std::string near = nearest(store, text);
  Error error(Kind::kUsage, "there is no " + what + " \"" + core::escaped(text, 200) + "\" in " +
                                core::escaped(store.root().native(), 200));
  error.hint(near.empty() ? "imgforge list shows what there is" : "did you mean " + near + "?");
  return error;
}

}  // namespace

ReleaseLocation find_release(const Store& store, std::string_view reference) {
  const std::string text(reference);
  if (text.find('/') == std::string::npos) {
    if (const std::size_t at = text.find('@'); at != std::string::npos) {
      if (auto found = locate(store, text.substr(0, at), text.substr(at + 1))) return *found;
      throw unknown(store, "release", text);
    }
    if (is_file_name(text) && is_folder(store.line_directory(text))) return current_of(store, text);
    const std::vector<ReleaseLocation> found = by_stem(store, text);
    if (found.size() == 1) return found.front();
    if (found.size() > 1) {
      throw Error(Kind::kUsage, text + " can be read in two ways")
          .hint("say " + found[0].reference() + " or " + found[1].reference());
    }
  }
  if (!text.empty()) {
    if (auto found = by_path(store, text)) return *found;
  }
  throw unknown(store, "release", text);
}

ReleaseLocation find_release_in_place(const Store& store, std::string_view text) {
  ReleaseLocation location = find_release(store, text);
  if (!location.archived) return location;
  throw Error(Kind::kStore, location.reference() + " is archived")
      .hint("imgforge restore " + location.reference());
}

std::string find_line(const Store& store, std::string_view name) {
  std::string line(name);
  if (is_file_name(line) && is_folder(store.line_directory(line))) return line;
  throw unknown(store, "line", line);
}

}  // namespace imgforge::artifacts
