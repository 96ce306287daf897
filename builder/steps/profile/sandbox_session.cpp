#include "builder/steps/profile/sandbox_session.hpp"

#include "builder/guest/base.hpp"
#include "builder/steps/profile/start_sandbox.hpp"

namespace imgforge::steps {

SandboxSession::SandboxSession(stages::Toolbox& tools, std::filesystem::path work, std::string line)
    : tools_(tools), work_(std::move(work)), line_(std::move(line)) {}

void SandboxSession::start() {
  const std::lock_guard lock(mutex_);
  if (pending_ || sandbox_) return;
  const guest::SandboxRequest request{work_, line_, may_use_memory_};
  pending_ = start_sandbox(tools_, request);
}

guest::Sandbox& SandboxSession::with_root(engine::Context& context, const artifacts::VerifiedFile& root) {
  if (holds_ && *holds_ != root.digest()) finish();
  start();
  if (!sandbox_) {
    context.say("waiting for the sandbox");
    sandbox_ = context.phase("sandbox", [&] { return pending_->get(); });
    pending_.reset();
  }
  if (!holds_) {
    context.phase("unpack", [&] { guest::unpack_base(*sandbox_, root.path()); });
    holds_ = root.digest();
  }
  return *sandbox_;
}

bool SandboxSession::moves_to_disk() {
  if (!sandbox_ || !sandbox_->outgrew_memory()) return false;
  may_use_memory_ = false;
  sandbox_.reset();
  holds_.reset();
  return true;
}

void SandboxSession::finish() {
  pending_.reset();
  if (sandbox_) sandbox_->finish();
  sandbox_.reset();
  holds_.reset();
}

guest::World world_of(const std::vector<fetch::Repository>& repositories,
                      const recipe::ResolvedRecipe& recipe) {
  guest::World world;
  for (const fetch::Repository& repository : repositories) {
    world.repositories.push_back(
        {.index = repository.file ? repository.file->path() : std::filesystem::path(),
         .arch = repository.arch,
         .format = repository.index.format() == fetch::IndexFormat::kV3 ? guest::PackageFormat::kApk3
                                                                        : guest::PackageFormat::kApk2});
    if (recipe.packages.image_repositories.empty()) world.image_repositories.push_back(repository.image_url);
    if (!repository.file) world.trust = guest::Trust::kHost;
  }
  for (const recipe::Marked& row : recipe.packages.image_repositories)
    world.image_repositories.push_back(row.value);
  for (const recipe::Marked& key : recipe.packages.keys) world.keys.emplace_back(key.value);
  world.add = recipe.packages.add;
  world.remove = recipe.packages.remove;
  return world;
}

}  // namespace imgforge::steps
