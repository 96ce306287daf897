// The effects a build may use, made once by the command and handed down. No globals: a test or a second
// build makes its own.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/engine/engine.hpp"
#include "builder/fetch/http/context.hpp"
#include "builder/fetch/http/http.hpp"
#include "builder/guest/sandbox.hpp"
#include "builder/models/sources/model_sources.hpp"
#include "builder/stages/host_facts.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/process.hpp"
#include "core/progress.hpp"

namespace imgforge::stages {

struct Toolbox {
  core::ProcessRunner& processes;
  fetch::Http& http;
  artifacts::BlobStore& blobs;
  engine::Cache& steps;
  core::Progress& progress;
  core::Clock& clock;
  core::CancelToken cancel;
  std::filesystem::path cache_dir;
  std::shared_ptr<HostFacts> host;
  unsigned jobs = 8;
  fetch::Network network = fetch::Network::kOnline;
  std::filesystem::path keys_dir = {};                             ///< folder of the user's keys
  std::function<void(const fetch::FetchReport&)> on_fetched = {};  ///< told of every file; may be empty
  fetch::OlderIndex older_index = fetch::OlderIndex::kRefuse;
  fetch::IndexCopies index_copies = fetch::IndexCopies::kCount;
  /// Begins to start a sandbox and returns at once; empty: what `host` says.
  std::function<std::unique_ptr<guest::PendingSandbox>(const guest::SandboxRequest&)> start_sandbox = {};
  guest::Ids ids = guest::Ids::kAutomatic;  ///< of the host, that sandboxes of namespaces have
  models::HostFiles host_files = models::HostFiles::kRefuse;  ///< that models of recipes may be

  std::shared_ptr<engine::JobServer> job_server = {};  ///< of a make that runs this; null: none
  const core::Activity* activity = nullptr;  ///< what downloads are parts of; null: they stand alone

  /// Folder for scratch disks and spools; what is in it is reclaimed after a crash.
  std::filesystem::path scratch() const { return cache_dir / "tmp"; }

  /// A file that a result names, hashed again unless the blob store's memory knows it. kIo when the cache
  /// lost it meanwhile.
  artifacts::VerifiedFile blob(const core::Digest& sha256) const {
    if (auto file = blobs.find_again(sha256)) return *std::move(file);
    throw core::Error(core::Kind::kIo, "the cache lost sha256:" + sha256.hex() + " while it was used");
  }

  fetch::Context fetch_context() {
    fetch::Context context{http, blobs, progress, cancel, cache_dir, jobs, network, activity, on_fetched};
    context.older_index = older_index;
    context.index_copies = index_copies;
    return context;
  }
};

}  // namespace imgforge::stages
