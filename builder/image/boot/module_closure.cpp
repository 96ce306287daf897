#include "builder/image/boot/module_closure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::string& word : core::split(line, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

void refuse_unsafe(const std::string& path) {
  if (path.starts_with('/') || path.find("..") != std::string::npos ||
      path.find(".ko") == std::string::npos) {
    throw core::Error(
        core::Kind::kImage,
        fmt::format("modules.dep names \"{}\", which is not a module of this kernel", core::escaped(path)));
  }
}

}  // namespace

std::string module_name(std::string_view path) {
  if (const auto slash = path.rfind('/'); slash != std::string_view::npos) path.remove_prefix(slash + 1);
  std::string name(path.substr(0, path.find(".ko")));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

ModuleTable::ModuleTable(std::string_view dep, std::string_view builtin, std::string_view softdep) {
  add_dependencies(dep);
  for (const std::string& line : core::split(builtin, '\n')) {
    if (!line.empty()) builtin_.insert(module_name(line));
  }
  add_soft_dependencies(softdep);
}

void ModuleTable::add_dependencies(std::string_view dep) {
  for (const std::string& line : core::split(dep, '\n')) {
    if (core::trimmed(line).empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      throw core::Error(core::Kind::kImage, "modules.dep has a line without a colon: " + core::escaped(line));
    }
    Module module;
    module.path = line.substr(0, colon);
    refuse_unsafe(module.path);
    for (const std::string& path : words_of(std::string_view(line).substr(colon + 1))) {
      refuse_unsafe(path);
      module.dependencies.push_back(module_name(path));
    }
    const std::string name = module_name(module.path);
    modules_[name] = std::move(module);
  }
}

void ModuleTable::add_soft_dependencies(std::string_view softdep) {
  for (const std::string& line : core::split(softdep, '\n')) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 3 || words[0] != "softdep") continue;
    bool before = false;
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "pre:" || words[i] == "post:") {
        before = words[i] == "pre:";
      } else if (before) {
        soft_[module_name(words[1])].push_back(module_name(words[i]));
      }
    }
  }
}

bool ModuleTable::is_builtin(std::string_view name) const {
  return builtin_.contains(module_name(name));
}

bool ModuleTable::has(std::string_view name) const {
  return modules_.contains(module_name(name));
}

void ModuleTable::visit(const std::string& name, std::set<std::string>& seen,
                        std::vector<std::string>& out) const {
  const auto module = modules_.find(name);
  if (module == modules_.end() || !seen.insert(name).second) return;
  if (const auto soft = soft_.find(name); soft != soft_.end()) {
    for (const std::string& dependency : soft->second) visit(dependency, seen, out);
  }
  // modules.dep lists the nearest dependency first: the last must be loaded first.
  const std::vector<std::string>& dependencies = module->second.dependencies;
  for (auto it = dependencies.rbegin(); it != dependencies.rend(); ++it) visit(*it, seen, out);
  out.push_back(module->second.path);
}

std::vector<std::string> ModuleTable::closure(const std::vector<std::string>& names) const {
  std::set<std::string> seen;
  std::vector<std::string> out;
  for (const std::string& name : names) visit(module_name(name), seen, out);
  return out;
}

}  // namespace imgforge::image
