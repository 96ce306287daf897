#include "builder/stages/sources.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/tar.hpp"
#include "builder/fetch/keys.hpp"
#include "builder/fetch/url.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

core::Json promise_identity(const fetch::BaseSource& source) {
  core::Json identity{{"version", source.version}, {"arch", source.arch}};
  for (const fetch::Promise& promise : source.promises) {
    identity[std::string(core::hash_name(promise.digest.algorithm()))] = promise.digest.hex();
  }
  return identity;
}

}  // namespace

BaseOrigin find_base(Toolbox& tools, const recipe::ResolvedRecipe& recipe) {
  BaseOrigin origin;
  if (const auto* alpine = std::get_if<recipe::AlpineBase>(&recipe.base)) {
    const fetch::Context context = tools.fetch_context("base");
    origin.alpine = fetch::find_base(
        context,
        {alpine->release, alpine->arch, alpine->mirror_flavor(), alpine->mirrors, alpine->digest, {}});
    origin.identity = promise_identity(*origin.alpine);
    origin.title = origin.alpine->title();
  } else {
    origin.embedded = find_embedded_source();
    origin.identity = embedded_identity(*origin.embedded);
    origin.title = "embedded, kernel " + origin.embedded->release;
  }
  return origin;
}

artifacts::VerifiedFile obtain_base(Toolbox& tools, const BaseOrigin& origin) {
  if (origin.alpine) return fetch::fetch_base(tools.fetch_context("base"), *origin.alpine);
  const core::TempDir folder(tools.scratch(), "base");
  const std::filesystem::path tar = folder / "base.tar";
  write_embedded_base(*origin.embedded, tar, tools.processes, tools.cancel);
  return tools.blobs.adopt(tar);
}

std::vector<fetch::Repository> load_indexes(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                            const BaseOrigin& origin, const artifacts::VerifiedFile& base) {
  if (!origin.alpine) return {};
  const auto& alpine = std::get<recipe::AlpineBase>(recipe.base);
  fetch::PublicKeys keys = fetch::keys_of_base(base);
  std::vector<std::filesystem::path> files;
  for (const recipe::Marked& key : recipe.packages.keys) files.emplace_back(key.value);
  fetch::add_key_files(keys, files);
  std::vector<std::string> entries;
  for (const recipe::Marked& entry : recipe.packages.repositories) entries.push_back(entry.value);
  return fetch::load_repositories(tools.fetch_context("indexes"), entries, alpine.mirrors,
                                  origin.alpine->branch, alpine.arch, keys);
}

core::Json index_identity(const std::vector<fetch::Repository>& repositories) {
  core::Json rows = core::Json::array();
  for (const fetch::Repository& repository : repositories) {
    rows.push_back({{"name", repository.name}, {"sha256", repository.file.digest().hex()}});
  }
  return rows;
}

std::int64_t newest_in(const artifacts::VerifiedFile& tarball) {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  artifacts::TarReader reader(tarball.path(), policy);
  artifacts::TarEntry entry;
  std::int64_t newest = 0;
  bool shell = false;
  while (reader.next(entry)) {
    newest = std::max(newest, entry.mtime);
    shell |= entry.path == "bin/sh" || entry.path == "usr/bin/sh";
  }
  if (!shell) {
    throw core::Error(core::Kind::kArchive, "the base is not a root filesystem (it has no bin/sh)");
  }
  return newest;
}

}  // namespace imgforge::stages
