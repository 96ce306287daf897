#include "builder/cli/vm/make/stand_on_release.hpp"

#include <algorithm>

#include "artifacts/store/clones.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "builder/machines/operations/kernel_needs.hpp"
#include "core/error.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

bool has_package(const artifacts::Manifest& manifest, std::string_view name) {
  return std::any_of(manifest.packages.begin(), manifest.packages.end(),
                     [&](const artifacts::ManifestPackage& package) { return package.name == name; });
}

/// Makes the clone; a failure leaves no record of it that would hold the release.
artifacts::CloneResult make(const artifacts::Store& store, const artifacts::CloneRequest& request) {
  const bool was_there = artifacts::read_clone(store.root(), request.name).has_value();
  try {
    return artifacts::make_clone(store, request);
  } catch (const core::Error&) {
    std::error_code error;
    const bool made = fs::exists(request.folder / request.name, error);
    if (!was_there && !made && artifacts::read_clone(store.root(), request.name))
      artifacts::remove_clone(store, request.name);
    throw;
  }
}

}  // namespace

artifacts::Manifest stand_on_release(const Context& context, const fs::path& root, const Stand& stand,
                                     machines::Settings& settings) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release_in_place(store, stand.release);
  const TrustedRelease release = find_trusted(context, location.reference(), stand.public_keys);
  artifacts::CloneRequest request;
  request.line = location.line;
  request.version = location.version;
  request.name = settings.name;
  request.folder = root;
  request.format = stand.format;
  request.make_overlay = stand.make_disk;
  const artifacts::DigestMemory memory(context.options.cache_dir / "digests", artifacts::Earlier::kBelieve);
  request.memory = &memory;
  request.change.cancel = context.cancel;
  request.change.signature = trusting(stand.public_keys);
  const artifacts::CloneResult result = make(store, request);
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  if (result.existed)
    throw core::Error(core::Kind::kUsage, "there is a machine " + settings.name + " already");
  settings.origin = {"release", fs::canonical(store.root()), location.line, location.version, {}, {}};
  settings.origin.file = fs::canonical(location.directory) / result.clone.backing;
  settings.origin.format = result.clone.backing.ends_with(".qcow2") ? "qcow2" : "raw";
  return release.manifest.manifest();
}

void take_contents(machines::Settings& settings, const artifacts::Manifest& manifest) {
  settings.known = true;
  settings.agent = has_package(manifest, "qemu-guest-agent");
  settings.ssh = has_package(manifest, "openssh-server") || has_package(manifest, "dropbear");
  settings.shared = manifest.shared_commands.has_value();
  settings.shared_commands = manifest.shared_commands.value_or(std::vector<std::string>{});
  settings.lacks = machines::lacking(manifest.kernel_features);
  settings.expect = manifest.boot_expect;
}

}  // namespace imgforge::cli
