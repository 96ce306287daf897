#include "builder/cli/vm_move/leave.hpp"

#include <fmt/format.h>

#include "artifacts/store/clones.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// The digest of the image that the machine stands on: that of its clone, else of the file.
core::Digest base_of(const machines::Settings& settings) {
  const machines::Origin& origin = settings.origin;
  if (!origin.is_release()) return core::digest_of_file(core::HashAlgorithm::kSha256, origin.file);
  const auto clone = artifacts::read_clone(origin.store, settings.name);
  if (!clone || !clone->problem.empty()) {
    throw Error(Kind::kStore, fmt::format("{} has no record of the clone {}", origin.store, settings.name))
        .hint("imgforge verify --all shows what is wrong there");
  }
  return clone->sha256;
}

}  // namespace

Leaving::Leaving(const Context& context, const machines::Registry& registry, const std::string& name)
    : context_(context),
      settings_(registry.load(name)),
      folder_(fs::canonical(registry.folder(name))),
      lock_(folder_) {
  if (settings_.disposable) throw Error(Kind::kUsage, name + " is disposable, and goes where it runs");
  lock_.command(std::chrono::milliseconds(0), context.cancel);
}

void Leaving::require_stopped() {
  lock_.decide(std::chrono::seconds(10), context_.cancel);
  if (machines::is_running(folder_)) {
    throw Error(Kind::kUsage, fmt::format("the machine {} runs", settings_.name))
        .hint(fmt::format("imgforge vm stop {0}; or imgforge vm fork {0} NEW, which goes on from where it is",
                          settings_.name));
  }
  machines::settle_mark(folder_, {});
}

machines::BundleHead Leaving::describe(machines::DiskContent content) const {
  return machines::describe(folder_, settings_, base_of(settings_), content);
}

}  // namespace imgforge::cli
