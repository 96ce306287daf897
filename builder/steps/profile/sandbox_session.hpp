// The one sandbox of a profile's build: the steps that need one share its start. It begins to start when that
// is certain, or else when it is first asked for, and ends with the root file system.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/engine/step.hpp"
#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/guest/apk/apk.hpp"
#include "builder/guest/sandbox.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/error.hpp"

namespace imgforge::steps {

class SandboxSession {
 public:
  /// `work` takes the sandbox's files and must outlive the session; `line` names its log below the cache.
  SandboxSession(stages::Toolbox& tools, std::filesystem::path work, std::string line);

  /// Begins to start it and returns at once; nothing when it runs.
  void start();
  /// The running sandbox with that root file system in it, unpacked from its archive unless it is there
  /// already. For one step at a time.
  guest::Sandbox& with_root(engine::Context& context, const artifacts::VerifiedFile& root);
  /// Says what it has become: the root file system of the archive with that digest.
  void holds(const core::Digest& root) { holds_ = root; }
  /// Does `work`, which asks for the sandbox; again, in one on a disk, when its root file system outgrew the
  /// memory that it may take.
  template <class Work>
  auto within(Work work) {
    try {
      return work();
    } catch (const core::Error&) {
      if (!moves_to_disk()) throw;
    }
    return work();
  }
  /// Ends it in good order; one that only began to start is given up.
  void finish();

 private:
  bool moves_to_disk();

  stages::Toolbox& tools_;
  std::filesystem::path work_;
  std::string line_;
  std::mutex mutex_;
  std::unique_ptr<guest::PendingSandbox> pending_;
  std::unique_ptr<guest::Sandbox> sandbox_;
  bool may_use_memory_ = true;
  std::optional<core::Digest> holds_;  ///< archive of its root; nothing: it is empty
};

/// What apk is to reach in a sandbox.
guest::World world_of(const std::vector<fetch::Repository>& repositories,
                      const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::steps
