// What customising must know of the guest's root file system, asked for in one round trip: what stands at the
// paths that will be written (so that nothing is written through a surprising link), the texts that will be
// changed, and the services there are.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/sandbox.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

enum class PathKind {
  kAbsent,
  kDirectory,
  kOther,           ///< a file, device or such
  kLink,            ///< a symbolic link to no directory
  kLinkToDirectory  ///< a symbolic link to a directory, which is at `real`
};

struct PathFact {
  PathKind kind = PathKind::kAbsent;
  std::string real;  ///< of directories and links to them: the path without any symbolic link
};

struct Facts {
  std::map<std::string, PathFact, std::less<>> paths;  ///< absolute path -> what is there
  std::map<std::string, std::string, std::less<>>
      texts;                          ///< absolute path -> content; absent when there is no such file
  std::vector<std::string> services;  ///< names in /etc/init.d, sorted

  PathFact at(std::string_view path) const;
  /// Content, or "" when there is no such file.
  std::string text(std::string_view path) const;
};

/// Files that operations change rather than replace.
inline constexpr std::string_view kTextsRead[] = {"/etc/passwd", "/etc/group",   "/etc/shadow",
                                                  "/etc/hosts",  "/etc/modules", "/etc/inittab"};

/// Every path that customising with `recipe` may write or look at.
std::set<std::string> paths_of_interest(const recipe::ResolvedRecipe& recipe);
/// The script that asks, and the reader of its answer.
std::string facts_script(const std::set<std::string>& paths);
Facts parse_facts(std::string_view answer);

Facts read_facts(Sandbox& guest, const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::guest
