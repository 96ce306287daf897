// Which kernel modules must be loaded, and in what order, so that wanted ones work. Reads the text files that
// depmod writes beside the modules (modules.dep(5), modules.builtin, modules.softdep).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::image {

class ModuleTable {
 public:
  /// The three files' texts; `builtin` and `softdep` may be empty. Throws kImage when `dep` is malformed.
  ModuleTable(std::string_view dep, std::string_view builtin, std::string_view softdep);

  /// Paths (relative to lib/modules/<release>) of `names` and all that they depend on, each once,
  /// dependencies before dependents. Names built into the kernel and names this kernel does not have are left
  /// out.
  std::vector<std::string> closure(const std::vector<std::string>& names) const;
  bool is_builtin(std::string_view name) const;
  bool has(std::string_view name) const;

 private:
  struct Module {
    std::string path;
    std::vector<std::string> dependencies;  ///< names
  };
  void visit(const std::string& name, std::set<std::string>& seen, std::vector<std::string>& out) const;
  void add_dependencies(std::string_view dep);
  void add_soft_dependencies(std::string_view softdep);

  std::map<std::string, Module> modules_;
  std::map<std::string, std::vector<std::string>> soft_;  ///< loaded before, when there
  std::set<std::string, std::less<>> builtin_;
};

/// "kernel/drivers/block/virtio-blk.ko.xz" -> "virtio_blk": the kernel treats '-' and '_' as one.
std::string module_name(std::string_view path);

}  // namespace imgforge::image
