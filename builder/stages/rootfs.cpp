#include "builder/stages/rootfs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "builder/guest/base.hpp"
#include "builder/guest/clean.hpp"
#include "builder/guest/customize.hpp"
#include "builder/guest/export.hpp"
#include "core/error.hpp"

namespace imgforge::stages {
namespace {

/// The log outlives the build, so that a failure can be looked into: one file a release line, of its last
/// start.
std::filesystem::path fresh_log(Toolbox& tools, const std::string& line) {
  const std::filesystem::path folder = tools.cache_dir / "logs";
  std::filesystem::create_directories(folder);
  const std::filesystem::path log = folder / (line + ".log");
  std::filesystem::remove(log);
  return log;
}

guest::LaunchOptions launch_options(Toolbox& tools, const std::filesystem::path& work,
                                    const std::string& line) {
  guest::LaunchOptions options;
  options.work_dir = work;
  options.cache_dir = tools.cache_dir / "appliance";
  options.log_file = fresh_log(tools, line);
  options.accelerator = tools.accelerator().accelerator;
  // The appliance's start is half waiting for device managers: a second processor helps, a third one does
  // not.
  options.cpus = std::clamp(std::thread::hardware_concurrency(), 1U, 2U);
  options.cancel = tools.cancel;
  return options;
}

guest::World world_of(const std::vector<fetch::Repository>& repositories,
                      const recipe::ResolvedRecipe& recipe) {
  guest::World world;
  for (const fetch::Repository& repository : repositories) {
    world.repositories.push_back({repository.urls.front(),
                                  repository.file ? repository.file->path() : std::filesystem::path(),
                                  repository.arch});
    if (!repository.file) world.trust = guest::Trust::kHost;
  }
  for (const recipe::Marked& key : recipe.packages.keys) world.keys.emplace_back(key.value);
  world.add = recipe.packages.add;
  world.remove = recipe.packages.remove;
  return world;
}

std::size_t repository_of(const std::vector<fetch::Repository>& repositories,
                          const fetch::IndexEntry& entry) {
  if (const auto* found = fetch::find_repository(repositories, entry.name, entry.version))
    return static_cast<std::size_t>(found - repositories.data());
  throw core::Error(core::Kind::kInternal, "a package without repository: " + entry.full_name());
}

}  // namespace

GuestRun::GuestRun(Toolbox& tools, StepRunner& runner, std::filesystem::path work, const std::string& line)
    : tools_(tools), runner_(runner), work_(std::move(work)), pending_(launch_options(tools, work_, line)) {}

guest::Guest& GuestRun::guest() {
  if (!guest_) {
    tools_.progress.update("appliance", "starting");
    runner_.phase("appliance", [&] { guest_ = pending_.get(); });
    if (const auto& failure = guest_->kvm_failure()) {
      machine::remember_kvm_failure(tools_.cache_dir, *failure);
      tools_.known_accelerator.reset();
      tools_.progress.warn("KVM is there but does not work (" + *failure +
                           "): using emulation, which is slower");
    }
  }
  return *guest_;
}

void GuestRun::unpack(const artifacts::VerifiedFile& base) {
  if (unpacked_) return;
  guest();
  runner_.phase("unpack base", [&] { guest::unpack_base(guest(), base.path()); });
  unpacked_ = true;
}

std::vector<guest::PlannedPackage> GuestRun::resolve(const artifacts::VerifiedFile& base,
                                                     const std::vector<fetch::Repository>& repositories,
                                                     const recipe::ResolvedRecipe& recipe,
                                                     const std::vector<fetch::FetchedPackage>& kept) {
  unpack(base);
  guest::World world = world_of(repositories, recipe);
  std::vector<guest::PackageFile> files;
  for (const fetch::FetchedPackage& package : kept) {
    world.hidden.push_back(package.entry.name);
    files.push_back({package.file.path(), package.entry.name, package.entry.version, repositories.size()});
  }
  if (!kept.empty()) {
    world.trust = guest::Trust::kHost;
    world.repositories.push_back({"", {}, repositories.front().arch});
  }
  return runner_.phase("resolve", [&] { return guest::resolve(guest(), world, files); });
}

GuestResult GuestRun::build(const artifacts::VerifiedFile& base,
                            const std::vector<fetch::Repository>& repositories,
                            const std::vector<guest::PlannedPackage>& plan,
                            const std::vector<fetch::FetchedPackage>& packages,
                            const recipe::ResolvedRecipe& recipe, std::int64_t latest) {
  unpack(base);
  if (!repositories.empty()) {
    tools_.progress.update("rootfs", fmt::format("installing {} packages", packages.size()));
    std::vector<guest::PackageFile> files;
    for (const fetch::FetchedPackage& package : packages) {
      files.push_back({package.file.path(), package.entry.name, package.entry.version,
                       repository_of(repositories, package.entry)});
    }
    guest::InstallOptions options;
    options.kernel_package = recipe.kernel.package;
    options.epoch = latest;
    runner_.phase("install",
                  [&] { guest::install(guest(), world_of(repositories, recipe), plan, files, options); });
  }
  guest::CustomizeOptions options;
  options.epoch = latest;
  options.on_step = [&](std::size_t step, std::size_t count) {
    tools_.progress.update("rootfs", fmt::format("run step {} of {}", step, count));
  };
  runner_.phase("customise", [&] { guest::customize(guest(), recipe, options); });
  runner_.phase("clean", [&] { guest::clean_identity(guest()); });
  GuestResult result;
  result.tar = work_ / "rootfs.tar";
  runner_.phase("export", [&] { guest::export_rootfs(guest(), result.tar, latest, work_); });
  result.accelerator = tools_.accelerator();
  result.accelerator.accelerator = guest().accelerator();
  guest().finish();
  guest_.reset();
  return result;
}

}  // namespace imgforge::stages
