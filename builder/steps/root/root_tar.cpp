#include "builder/steps/root/root_tar.hpp"

#include <fmt/format.h>

#include "builder/guest/export.hpp"
#include "core/clock.hpp"

namespace imgforge::steps {

std::string RootTar::identity() const {
  return fmt::format("{} of {}", sha256.hex(), epoch);
}

RootTar export_root(engine::Context& context, Profile& profile, guest::Sandbox& sandbox, std::int64_t epoch) {
  const std::filesystem::path tar = profile.work / "root.tar";
  context.phase("export", [&] { guest::export_rootfs(sandbox, tar, epoch, profile.work.path()); });
  const artifacts::VerifiedFile file = profile.tools.blobs.adopt(tar);
  profile.sandbox.holds(file.digest());
  return {file.digest(), file.size(), epoch, sandbox.kind().isolation};
}

std::int64_t epoch_of(std::int64_t newest_input) {
  return core::source_date_epoch().value_or(newest_input);
}

}  // namespace imgforge::steps
