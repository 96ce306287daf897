#include "builder/steps/profile/code_digests.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace imgforge::steps {

engine::Tools code_of(std::initializer_list<std::string_view> rooms) {
  engine::Tools tools;
  const auto known = code_digests();
  for (const std::string_view room : rooms) {
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const CodeDigest& row) { return row.room == room; });
    if (found == known.end())
      throw core::Error(core::Kind::kInternal, "no digest of the code in " + std::string(room));
    tools["code of " + std::string(room)] = found->sha256;
  }
  return tools;
}

}  // namespace imgforge::steps
