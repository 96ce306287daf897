// The sandbox that is made of namespaces: processes of this machine's kernel that see nothing of it but a
// root file system in a folder of the cache. It starts in milliseconds and runs at full speed; what it
// protects against, and what not, is in README.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/namespaces/common/id_map.hpp"
#include "builder/guest/sandbox.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"

namespace imgforge::guest {

struct NamespaceOptions {
  std::filesystem::path work_dir;  ///< on a real file system; a private folder in it is removed
  /// Folder in which earlier sandboxes had their `work_dir`, or which is it: what a killed run left there is
  /// removed. Empty: nothing is.
  std::filesystem::path abandoned = {};
  core::Bytes disk = core::gib(8);  ///< what the root file system may take
  core::Bytes memory = {};          ///< it lies in memory, and may take less; 0: in `work_dir`
  Seconds call_timeout{300};        ///< for calls that are not given one
  Ids ids = Ids::kAutomatic;        ///< how it has owners
  core::CancelToken cancel;
  std::string reason = {};  ///< what kind() gives: why not the appliance
};

class NamespaceSandbox final : public Sandbox {
 public:
  /// Starts it. kMachine when this machine does not allow that, with the step and what mends it.
  explicit NamespaceSandbox(NamespaceOptions options);
  /// Kills what runs in it and removes its files.
  ~NamespaceSandbox() override;

  /// The way it has owners: kRange or kNotify.
  Ids ids() const;
  SandboxKind kind() const override;
  const core::CancelToken& cancel() const override;
  const std::filesystem::path& scratch() const override;
  /// The kind of compression is told by content.
  void tar_in(const std::filesystem::path& archive, std::string_view into,
              std::string_view compression = {}) override;
  void tar_out(std::string_view from, int target, const std::vector<std::string>& excludes) override;
  void cancel_transfer() noexcept override;
  void write(std::string_view path, std::string_view content) override;
  std::string read(std::string_view path) override;
  void present(const std::filesystem::path& folder) override;
  void remove_media() override;
  ScriptResult run(std::string_view script, Seconds limit) override;
  std::string query(std::string_view script) override;
  void remove_private_folder() override;
  bool outgrew_memory() const override;
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Begins to start one and returns at once.
std::unique_ptr<PendingSandbox> start_in_namespaces(NamespaceOptions options);

}  // namespace imgforge::guest
