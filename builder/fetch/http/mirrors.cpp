#include "builder/fetch/http/mirrors.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// How much a failure says about what is wrong; the highest is told.
int weight(core::Kind kind) {
  switch (kind) {
    case core::Kind::kSignature:
      return 3;
    case core::Kind::kIntegrity:
    case core::Kind::kUnsafe:
      return 2;
    case core::Kind::kPackage:
    case core::Kind::kArchive:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

void MirrorFailures::add(core::Error error, bool absent) {
  failures_.push_back({std::move(error), absent});
}

bool MirrorFailures::all_answered() const {
  return !failures_.empty() && std::all_of(failures_.begin(), failures_.end(), [](const Seen& seen) {
    return seen.absent || seen.error.kind() != core::Kind::kFetch;
  });
}

core::Error MirrorFailures::error(std::string_view what) const {
  const auto best = std::max_element(failures_.begin(), failures_.end(), [](const Seen& a, const Seen& b) {
    return weight(a.error.kind()) < weight(b.error.kind());
  });
  core::Error error(best->error.kind(), std::string(what) + ": " + best->error.message());
  error.hint(best->error.hint());
  std::vector<std::string> others;
  for (auto seen = failures_.begin(); seen != failures_.end(); ++seen) {
    if (seen != best) others.push_back(seen->error.message());
  }
  if (!others.empty()) error.quote(core::join(others, "\n"));
  return error;
}

bool mirror_may_help(const core::Error& error) {
  switch (error.kind()) {
    case core::Kind::kFetch:
    case core::Kind::kIntegrity:
    case core::Kind::kSignature:
    case core::Kind::kArchive:
    case core::Kind::kUnsafe:
    case core::Kind::kPackage:
    case core::Kind::kRecipe:  // a release file that is no YAML
      return true;
    default:
      return false;
  }
}

}  // namespace imgforge::fetch
