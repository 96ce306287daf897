#include "builder/guest/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "builder/first_boot/installation.hpp"
#include "builder/shared_folder/installation.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

/// Looks at a path and at all folders above it. Builtins of the shell only, but for links to folders.
constexpr std::string_view kLook = R"sh(
look() {
  path=$1
  while [ -n "$path" ]; do
    if [ -L "$path" ]; then
      if [ -d "$path" ]; then
        printf 'D %s\n%s\n' "$path" "$(cd "$path" && pwd -P)"
      else
        printf 'l %s\n' "$path"
      fi
    elif [ -d "$path" ]; then
      printf 'd %s\n' "$path"
    elif [ -e "$path" ]; then
      printf 'f %s\n' "$path"
    fi
    path=${path%/*}
  done
}
)sh";

constexpr std::string_view kAsk = R"sh(
if [ -f /etc/passwd ]; then
  while IFS=: read -r name password uid gid gecos home shell; do
    case $home in /?*) look "$home/.ssh" ;; esac
  done </etc/passwd
fi
for file in /etc/init.d/*; do
  if [ -f "$file" ]; then printf 'i %s\n' "${file##*/}"; fi
done
for file in {texts}; do
  if [ -f "$file" ]; then
    printf 't %s\n%s\n' "$file" "$(($(wc -c <"$file")))"
    cat "$file"
  fi
done
)sh";

class Answer {
 public:
  explicit Answer(std::string_view text) : text_(text) {}
  bool at_end() const { return text_.empty(); }
  std::string line() {
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) throw malformed();
    std::string out(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return out;
  }
  std::string bytes(std::size_t count) {
    if (count > text_.size()) throw malformed();
    std::string out(text_.substr(0, count));
    text_.remove_prefix(count);
    return out;
  }
  static core::Error malformed() {
    return {core::Kind::kInternal, "the guest's description of its root file system cannot be understood"};
  }

 private:
  std::string_view text_;
};

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

/// A folder is at its own path unless a folder above it is a link.
void complete_real_paths(Facts& facts) {
  for (auto& [path, fact] : facts.paths) {
    if (fact.kind != PathKind::kDirectory) continue;
    const std::string parent = parent_of(path);
    const auto above = facts.paths.find(parent);
    const std::string base = above == facts.paths.end() ? parent : above->second.real;
    fact.real = base + path.substr(parent.size());
  }
}

}  // namespace

PathFact Facts::at(std::string_view path) const {
  const auto found = paths.find(path);
  return found == paths.end() ? PathFact() : found->second;
}

std::string Facts::text(std::string_view path) const {
  const auto found = texts.find(path);
  return found == texts.end() ? std::string() : found->second;
}

std::set<std::string> paths_of_interest(const recipe::ResolvedRecipe& recipe) {
  std::set<std::string> paths{"/etc/hostname",  "/etc/localtime",
                              "/etc/timezone",  "/etc/sysctl.d/imgforge.conf",
                              "/etc/runlevels", "/sbin/openrc-run"};
  for (const std::string_view text : kTextsRead) paths.emplace(text);
  for (const auto& file : recipe.files) paths.insert(file.path);
  for (const auto& directory : recipe.directories) paths.insert(directory.path);
  for (const auto& link : recipe.links) paths.insert(link.path);
  for (const auto& user : recipe.users) {
    const std::string home = user.home.empty() ? "/home/" + user.name : user.home;
    paths.insert(home + "/.ssh/authorized_keys");
  }
  for (const auto& service : recipe.services) {
    paths.insert(fmt::format("/etc/runlevels/{}/{}", service.runlevel, service.name));
    paths.insert("/etc/init.d/" + service.name);
  }
  paths.insert("/usr/share/zoneinfo/" + recipe.timezone);
  if (recipe.first_boot) {
    for (const std::string& path : first_boot::paths(*recipe.first_boot)) paths.insert(path);
  }
  if (recipe.shared) {
    for (const std::string& path : shared_folder::paths(*recipe.shared)) paths.insert(path);
  }
  return paths;
}

std::string facts_script(const std::set<std::string>& paths) {
  std::string script(kLook);
  for (const std::string& path : paths) script += "look " + core::shell_quoted(path) + "\n";
  std::string texts;
  for (const std::string_view text : kTextsRead) texts += std::string(text) + " ";
  std::string ask(kAsk);
  ask.replace(ask.find("{texts}"), 7, texts);
  return script + ask;
}

Facts parse_facts(std::string_view answer) {
  Facts facts;
  Answer in(answer);
  while (!in.at_end()) {
    const std::string line = in.line();
    if (line.size() < 3) throw Answer::malformed();
    const std::string name = line.substr(2);
    switch (line.front()) {
      case 'd':
        facts.paths[name] = {PathKind::kDirectory, {}};
        break;
      case 'D':
        facts.paths[name] = {PathKind::kLinkToDirectory, in.line()};
        break;
      case 'f':
        facts.paths[name] = {PathKind::kOther, {}};
        break;
      case 'l':
        facts.paths[name] = {PathKind::kLink, {}};
        break;
      case 'i':
        facts.services.push_back(name);
        break;
      case 't': {
        const std::string size = in.line();
        std::size_t count = 0;
        std::from_chars(size.data(), size.data() + size.size(), count);
        facts.texts[name] = in.bytes(count);
        break;
      }
      default:
        throw Answer::malformed();
    }
  }
  complete_real_paths(facts);
  std::sort(facts.services.begin(), facts.services.end());
  return facts;
}

Facts read_facts(Sandbox& guest, const recipe::ResolvedRecipe& recipe) {
  return parse_facts(guest.query(facts_script(paths_of_interest(recipe))));
}

}  // namespace imgforge::guest
