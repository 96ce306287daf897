#include "artifacts/retention/foreign_links.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "artifacts/store/flat_names.hpp"

namespace imgforge::artifacts {
namespace {

namespace fs = std::filesystem;

/// Folders that hold nothing but what imgforge put there.
bool is_closed(const Store& store, const fs::path& folder) {
  static const std::set<std::string> names{".staging", ".pins",   ".yanked", ".clones",
                                           ".damaged", "archive", "clones"};
  if (folder.parent_path() == store.root()) return names.contains(folder.filename().native());
  return folder.parent_path().parent_path() == store.releases();
}

bool is_own(const Store& store, const fs::path& link) {
  if (link.parent_path().parent_path() == store.releases()) return link.filename() == "current";
  return is_flat_link(link);
}

}  // namespace

std::vector<ForeignLink> foreign_links(const Store& store) {
  std::vector<ForeignLink> found;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(store.root(), options, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_symlink(ignored)) {
      if (entry->is_directory(ignored) && is_closed(store, entry->path())) entry.disable_recursion_pending();
      continue;
    }
    if (is_own(store, entry->path())) continue;
    const fs::path target = fs::canonical(entry->path(), ignored);
    if (!ignored) found.push_back({entry->path().lexically_relative(store.root()), target});
  }
  std::sort(found.begin(), found.end(),
            [](const ForeignLink& a, const ForeignLink& b) { return a.path < b.path; });
  return found;
}

}  // namespace imgforge::artifacts
