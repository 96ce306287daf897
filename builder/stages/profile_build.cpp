#include "builder/stages/profile_build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "artifacts/formats.hpp"
#include "builder/fetch/url.hpp"
#include "builder/formats/format.hpp"
#include "builder/image/boot_files.hpp"
#include "builder/image/squashfs.hpp"
#include "builder/stages/boot_paths.hpp"
#include "builder/stages/installed_packages.hpp"
#include "builder/stages/step_inputs.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;
using plan::StepKind;

/// Everything but the root file system is made again within seconds.
constexpr artifacts::Durability kRemade = artifacts::Durability::kRemade;

core::Json package_row(const fetch::FetchedPackage& package) {
  return {{"name", package.entry.name},
          {"version", package.entry.version},
          {"arch", package.entry.arch},
          {"repository", fetch::redacted_url(package.url.substr(0, package.url.rfind('/')))},
          {"checksum", "Q1" + core::to_base64(package.entry.identity.bytes())},
          {"sha256", package.file.digest().hex()},
          {"size", package.file.size()}};
}

}  // namespace

ProfileBuild::ProfileBuild(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
                           std::optional<LockedSources> locked, ListSigner signer)
    : tools_(tools),
      recipe_(recipe),
      runner_(runner),
      signer_(std::move(signer)),
      locked_(locked),
      plan_(plan::make_plan(recipe)),
      secure_boot_(find_secure_boot_keys(tools, recipe)),
      work_(tools.scratch(), "build"),
      sources_(tools, recipe, runner, plan_, work_.path(), locked) {}

ProfileBuild::~ProfileBuild() = default;

BuiltProfile ProfileBuild::run() {
  models();  // first: the appliance does not wait for downloads of hours
  start_appliance_if_surely_needed();
  BuiltProfile built;
  const std::vector<core::Json> results = artifact_results();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string& format = recipe_.formats[i].value;
    if (built.kernel_cmdline.empty()) built.kernel_cmdline = results[i].at("cmdline");
    for (const core::Json& row : results[i].at("files")) {
      auto file = tools_.blobs.find_again(result_digest(row));
      if (!file) throw core::Error(core::Kind::kIo, "the cache lost " + format + " while it was used");
      BuiltArtifact artifact{format, row.at("role"), *file, row.at("virtual_size"), {}};
      for (const auto& [key, value] : row.at("media").items()) artifact.media[key] = value;
      built.artifacts.push_back(std::move(artifact));
    }
  }
  built.models = models().rows;
  const core::Json rootfs = rootfs_result();
  built.kernel_release = boot_result().at("kernels").at(0).at("release");
  built.kernel_lacks = boot_result().at("kernels").at(0).at("lacks");
  built.accelerator = rootfs.at("accelerator");
  built.accelerator_reason = rootfs.at("accelerator_reason");
  for (const core::Json& row : rootfs.at("packages")) {
    built.packages.push_back({row.at("name"), row.at("version"), row.at("arch"), row.at("repository"),
                              row.at("checksum"), result_digest(row), row.at("size")});
  }
  const BaseOrigin& where = sources_.origin();
  if (where.alpine) built.packages = installed_packages(this->rootfs(), std::move(built.packages));
  built.base = {
      where.alpine ? "minirootfs" : "embedded",
      where.alpine ? where.alpine->version : where.embedded->release,
      where.alpine && !where.alpine->urls.empty() ? fetch::redacted_url(where.alpine->urls.front()) : "",
      result_digest(rootfs, "base_sha256"), rootfs.at("base_size")};
  return built;
}

const plan::Step& ProfileBuild::step(StepKind kind, const std::string& format) const {
  for (const plan::Step& row : plan_.steps) {
    if (row.kind == kind && row.format == format) return row;
  }
  throw core::Error(core::Kind::kInternal, "the plan lacks a step");
}

/// A new root file system is certain when this line was never built, or the recipe itself says something new
/// to it.
void ProfileBuild::start_appliance_if_surely_needed() {
  const plan::Step& rootfs = step(StepKind::kRootfs);
  const auto last = tools_.steps.last_text(rootfs);
  if (last) {
    const core::Json before = core::parse_json(*last, "the recorded step", {64 << 20, 32});
    if (before.at("parameters") == rootfs.parameters) return;
  }
  sources_.guest();
}

const ModelMembers& ProfileBuild::models() {
  if (models_) return *models_;
  if (recipe_.models.empty()) return models_.emplace();
  runner_.always(step(StepKind::kModels), [&] {
    models_ = obtain_models(tools_, recipe_, signer_, locked_);
    return fmt::format("{} · {} in the image", step(StepKind::kModels).summary,
                       core::Bytes{models_->bytes}.human());
  });
  return *models_;
}

image::RootTree ProfileBuild::tree() {
  std::vector<image::AddedMember> added = models().added;
  const std::int64_t time = rootfs_result().at("epoch");
  for (image::AddedMember& member : added) member.entry.mtime = time;
  return {rootfs().path(), std::move(added)};
}

core::Json ProfileBuild::rootfs_result() {
  if (rootfs_) return *rootfs_;
  rootfs_ = runner_.run(
      step(StepKind::kRootfs), rootfs_inputs(sources_.base().digest(), sources_.packages()),
      rootfs_tools(recipe_), [](const core::Json&) { return true; }, [&] { return make_rootfs(); },
      [](const core::Json& result) {
        return fmt::format("{} packages · {}", result.at("packages").size(), result_size(result));
      });
  return *rootfs_;
}

/// Files that are newer than the newest input are clamped to it: a build's own moment leaves no trace.
std::int64_t ProfileBuild::epoch() {
  return source_date_epoch().value_or(sources_.newest());
}

core::Json ProfileBuild::make_rootfs() {
  sources_.guest();  // starts while the packages come
  const artifacts::VerifiedFile& base = sources_.base();
  const std::vector<fetch::FetchedPackage> packages = sources_.fetch();
  const std::int64_t latest = epoch();
  const GuestResult made =
      sources_.guest().build(base, sources_.indexes(), sources_.planned(), packages, recipe_, latest);
  const artifacts::VerifiedFile tar = tools_.blobs.adopt(made.tar);
  core::Json result = blob_result(tar);
  result["base_sha256"] = base.digest().hex();
  result["base_size"] = base.size();
  result["accelerator"] = machine::accelerator_name(made.accelerator.accelerator);
  result["accelerator_reason"] = made.accelerator.reason;
  result["epoch"] = latest;
  result["packages"] = core::Json::array();
  for (const fetch::FetchedPackage& package : packages) result["packages"].push_back(package_row(package));
  sources_.end_guest();
  return result;
}

/// The tar itself. When the cache has lost it, it is made again and must come out the same.
artifacts::VerifiedFile ProfileBuild::rootfs() {
  const core::Digest expected = result_digest(rootfs_result());
  if (auto file = tools_.blobs.find_again(expected)) return *file;
  if (auto file = tools_.blobs.find(expected)) return *file;
  const core::Json again = make_rootfs();
  if (result_digest(again) != expected) {
    throw core::Error(core::Kind::kInternal,
                      fmt::format("{} was made again and came out different", step(StepKind::kRootfs).id()))
        .hint("a run step or package script leaves something random or timed behind");
  }
  return *tools_.blobs.find_again(expected);
}

core::Json ProfileBuild::boot_result() {
  if (boot_) return *boot_;
  const core::Json inputs = boot_files_inputs(rootfs_result());
  boot_ = runner_.run(
      step(StepKind::kBootFiles), inputs, boot_files_tools(), [](const core::Json&) { return true; },
      [&] { return make_boot_files(); },
      [](const core::Json& result) {
        const core::Json& newest = result.at("kernels").at(0);
        return fmt::format("{} · initramfs {} with {} modules{}", newest.at("release").get<std::string>(),
                           core::Bytes{newest.at("initramfs_size").get<std::uint64_t>()}.human(),
                           newest.at("modules").get<std::size_t>(),
                           result.at("kernels").size() > 1 ? " · and the kernel before it" : "");
      });
  return *boot_;
}

core::Json ProfileBuild::make_boot_files() {
  const core::TempDir folder(work_.path(), "boot");
  image::InitramfsOptions options;
  options.extra_modules = recipe_.kernel.initramfs_modules;
  core::Json kernels = core::Json::array();
  for (const image::BootKernel& row :
       image::make_boot_files(rootfs().path(), options, folder.path()).kernels) {
    const auto kernel = tools_.blobs.adopt(row.kernel, {}, kRemade);
    const auto initramfs = tools_.blobs.adopt(row.initramfs, {}, kRemade);
    kernels.push_back({{"release", row.release},
                       {"modules", row.modules},
                       {"lacks", row.lacks},
                       {"kernel", kernel.digest().hex()},
                       {"initramfs", initramfs.digest().hex()},
                       {"initramfs_size", initramfs.size()}});
  }
  return {{"kernels", kernels}};
}

image::BootFiles ProfileBuild::boot_files() {
  const core::Json result = boot_result();
  const auto there = [&] {
    return std::all_of(result.at("kernels").begin(), result.at("kernels").end(), [&](const core::Json& row) {
      return tools_.blobs.find(result_digest(row, "kernel")) &&
             tools_.blobs.find(result_digest(row, "initramfs"));
    });
  };
  if (!there()) make_boot_files();
  image::BootFiles files;
  for (const core::Json& row : result.at("kernels")) {
    const auto kernel = tools_.blobs.find_again(result_digest(row, "kernel"));
    const auto initramfs = tools_.blobs.find_again(result_digest(row, "initramfs"));
    if (!kernel || !initramfs) throw core::Error(core::Kind::kInternal, "the boot files came out different");
    image::BootKernel boot;
    boot.kernel = kernel->path();
    boot.initramfs = initramfs->path();
    boot.release = row.at("release");
    boot.lacks = row.at("lacks");
    files.kernels.push_back(std::move(boot));
  }
  return files;
}

bool ProfileBuild::wants_squashfs() const {
  return std::any_of(recipe_.formats.begin(), recipe_.formats.end(), [&](const recipe::Marked& format) {
    return plan::carries_squashfs(recipe_, format.value);
  });
}

core::Json ProfileBuild::squashfs_result() {
  if (squashfs_) return *squashfs_;
  if (!wants_squashfs()) return squashfs_.emplace(core::Json::object());
  squashfs_ = runner_.run(
      step(StepKind::kSquashfs), squashfs_inputs(rootfs_result(), models().identity), squashfs_tools(tools_),
      [&](const core::Json& result) { return tools_.blobs.find(result_digest(result)).has_value(); },
      [&] {
        const fs::path output = work_ / "root.squashfs";
        fs::path tar = rootfs().path();
        const core::TempDir folder(work_.path(), "tar");
        if (const image::RootTree whole = tree(); !whole.added.empty()) {
          tar = folder / "rootfs.tar";  // sqfstar reads one tar
          image::write_root_tar(whole, tar, tools_.cancel);
        }
        image::make_squashfs(tar, output, rootfs_result().at("epoch"), tools_.processes, tools_.cancel);
        return blob_result(tools_.blobs.adopt(output, {}, kRemade));
      },
      result_size);
  return *squashfs_;
}

formats::Ingredients ProfileBuild::ingredients() {
  formats::Ingredients parts{recipe_,
                             rootfs(),
                             boot_files(),
                             tree().added,
                             models().identity,
                             {},
                             {},
                             rootfs_result().at("epoch"),
                             work_.path(),
                             tools_.processes,
                             tools_.cancel};
  if (secure_boot_) parts.secure_boot_keys = secure_boot_->folder;
  if (wants_squashfs()) parts.squashfs = tools_.blobs.find_again(result_digest(squashfs_result()));
  return parts;
}

std::vector<core::Json> ProfileBuild::artifact_results() {
  std::vector<core::Json> results(recipe_.formats.size());
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string& format = recipe_.formats[i].value;
    const core::Json inputs =
        artifact_inputs(recipe_, format, rootfs_result(), boot_result(),
                        plan::carries_squashfs(recipe_, format) ? squashfs_result() : core::Json::object(),
                        secure_boot_, models().identity);
    const auto known =
        runner_.known(step(StepKind::kArtifact, format), inputs, artifact_tools(tools_, recipe_, format));
    if (known && has_files(*known)) {
      results[i] = run_artifact(nullptr, format);
    } else {
      missing.push_back(i);
    }
  }
  if (!missing.empty()) make_missing(missing, results);
  return results;
}

bool ProfileBuild::has_files(const core::Json& artifact) {
  return std::all_of(artifact.at("files").begin(), artifact.at("files").end(), [&](const core::Json& row) {
    // Asked for twice in a build that finds it known: the second time it is not hashed again.
    return tools_.blobs.find_again(result_digest(row)).has_value();
  });
}

/// All threads end before the first error goes on, so that nothing is written behind anybody's back.
void ProfileBuild::make_missing(const std::vector<std::size_t>& missing, std::vector<core::Json>& results) {
  formats::Sources sources(ingredients());
  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> errors(missing.size());
  const auto work = [&] {
    for (std::size_t i = next++; i < missing.size(); i = next++) {
      try {
        results[missing[i]] = run_artifact(&sources, recipe_.formats[missing[i]].value);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  const std::size_t count =
      std::min<std::size_t>({missing.size(), std::max(1u, std::thread::hardware_concurrency()), tools_.jobs});
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

core::Json ProfileBuild::run_artifact(formats::Sources* sources, const std::string& format) {
  return runner_.run(
      step(StepKind::kArtifact, format),
      artifact_inputs(recipe_, format, *rootfs_, *boot_, squashfs_.value_or(core::Json::object()),
                      secure_boot_, models_->identity),
      artifact_tools(tools_, recipe_, format), [&](const core::Json& result) { return has_files(result); },
      [&] { return make_artifact(*sources, format); },
      [&](const core::Json& result) {
        std::uint64_t size = 0;
        for (const core::Json& row : result.at("files")) size += row.at("size").get<std::uint64_t>();
        const std::uint64_t disk = result.at("files").at(0).at("virtual_size");
        return core::Bytes{size}.human() +
               (disk == 0 ? "" : fmt::format(" for a disk of {}", core::Bytes{disk}.to_string()));
      });
}

core::Json ProfileBuild::make_artifact(formats::Sources& sources, const std::string& format) {
  const core::TempDir folder(work_.path(), "format");
  const formats::MadeFormat made = formats::find(format).make(sources, folder.path());
  core::Json files = core::Json::array();
  for (const formats::MadeFile& file : made.files) {
    core::Json row = blob_result(tools_.blobs.adopt(file.path, {}, kRemade));
    row["role"] = file.role;
    row["virtual_size"] = file.virtual_size;
    row["media"] = file.media;
    if (recipe_.secure_boot && artifacts::find_format(format)->carrier == artifacts::Carrier::kDisk)
      row["media"][kSigningKey] = kSignedValue;
    files.push_back(std::move(row));
  }
  return {{"files", files}, {"cmdline", fmt::format("{}", fmt::join(made.cmdline, " "))}};
}

}  // namespace imgforge::stages
