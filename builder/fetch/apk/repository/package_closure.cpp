#include "builder/fetch/apk/repository/package_closure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// "so:libc.musl-x86_64.so.1" of "so:libc.musl-x86_64.so.1=1", "busybox" of "busybox>=1.36".
std::string name_of(const std::string& word) {
  return word.substr(0, word.find_first_of("<>=~@"));
}

class Closure {
 public:
  Closure(const Index& index, const std::string& medium) : index_(index), medium_(medium) {
    for (const IndexEntry& entry : index.entries()) {
      providers_[entry.name].push_back(&entry);
      for (const std::string& word : entry.provides) providers_[name_of(word)].push_back(&entry);
    }
  }

  void add(const recipe::Marked& wanted) {
    const std::string name = name_of(wanted.value);
    const IndexEntry* entry = provider(name);
    const auto equals = wanted.value.find('=');
    std::string missing;
    if (entry == nullptr) {
      missing = fmt::format("{} does not carry the package {}", medium_, core::escaped(name, 80));
    } else if (equals != std::string::npos && index_.find(name, wanted.value.substr(equals + 1)) == nullptr) {
      missing = fmt::format("{} carries {} {}, not {}", medium_, core::escaped(name, 80), entry->version,
                            core::escaped(wanted.value.substr(equals + 1), 80));
    }
    if (missing.empty()) return take(*entry);
    core::Error error(core::Kind::kPackage, missing);
    if (!wanted.mark.file.empty()) error.at(wanted.mark);
    throw error.hint(hint_for(name));
  }

  /// Packages whose install_if is fulfilled, until there are no more.
  void add_by_condition() {
    for (bool more = true; more;) {
      more = false;
      for (const IndexEntry& entry : index_.entries()) {
        if (entry.install_if.empty() || chosen_.contains(&entry) || !is_fulfilled(entry)) continue;
        take(entry);
        more = true;
      }
    }
  }

  std::vector<const IndexEntry*> in_order() const {
    std::vector<const IndexEntry*> rows;
    for (const IndexEntry& entry : index_.entries()) {
      if (chosen_.contains(&entry)) rows.push_back(&entry);
    }
    return rows;
  }

 private:
  /// The package of that name, else the provider with the highest priority.
  const IndexEntry* provider(const std::string& name) const {
    const auto found = providers_.find(name);
    if (found == providers_.end()) return nullptr;
    const IndexEntry* best = nullptr;
    for (const IndexEntry* entry : found->second) {
      if (entry->name == name || chosen_.contains(entry)) return entry;
      if (best == nullptr || entry->priority > best->priority) best = entry;
    }
    return best;
  }

  void take(const IndexEntry& first) {
    std::vector<const IndexEntry*> open{&first};
    while (!open.empty()) {
      const IndexEntry* entry = open.back();
      open.pop_back();
      if (!chosen_.insert(entry).second) continue;
      for (const std::string& word : entry->depends) {
        if (word.starts_with('!')) continue;
        const IndexEntry* needed = provider(name_of(word));
        if (needed == nullptr) {
          throw core::Error(core::Kind::kPackage, fmt::format("{} does not carry {}, which {} needs", medium_,
                                                              core::escaped(word, 80), entry->full_name()));
        }
        open.push_back(needed);
      }
    }
  }

  bool is_fulfilled(const IndexEntry& entry) const {
    return std::all_of(entry.install_if.begin(), entry.install_if.end(), [&](const std::string& word) {
      const auto found = providers_.find(name_of(word));
      if (found == providers_.end()) return false;
      return std::any_of(found->second.begin(), found->second.end(),
                         [&](const IndexEntry* row) { return chosen_.contains(row); });
    });
  }

  std::string hint_for(const std::string& name) const {
    std::vector<std::string> names;
    for (const IndexEntry& entry : index_.entries()) names.push_back(entry.name);
    const std::string near = core::nearest_word(name, names);
    return near.empty() || near == name
               ? "choose extended-iso, which carries more, or build on base.alpine.flavor: minirootfs"
               : fmt::format("did you mean {}?", near);
  }

  const Index& index_;
  const std::string& medium_;
  std::map<std::string, std::vector<const IndexEntry*>, std::less<>> providers_;
  std::set<const IndexEntry*> chosen_;
};

}  // namespace

std::vector<const IndexEntry*> package_closure(const Index& index, const std::vector<recipe::Marked>& world,
                                               const std::string& medium) {
  Closure closure(index, medium);
  for (const recipe::Marked& wanted : world) closure.add(wanted);
  closure.add_by_condition();
  return closure.in_order();
}

}  // namespace imgforge::fetch
