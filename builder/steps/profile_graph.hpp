// The steps of a profile: which there are, and what each is made from, is said here and nowhere else. Several
// profiles of a build are in one graph.
// Commands differ in what they want of it: `build` and `plan` the release, `lock` and `fetch` the files of
// the packages, `outdated` the indexes.
#pragma once

#include <optional>
#include <vector>

#include "builder/engine/engine.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/release/release.hpp"

namespace imgforge::steps {

struct ProfileSteps {
  engine::Ref<BaseSource> source;
  engine::Ref<BaseResult> base;
  std::optional<engine::Ref<ModelsResult>> models;
  std::optional<PackageSteps> packages;  ///< none for the embedded base and ISO images
  engine::Ref<ReleaseResult> release;
};

/// Adds them. Pure. All references must outlive the graph.
ProfileSteps add_profile(engine::Graph& graph, Profile& profile, const ReleaseRequest& request);

/// What an engine needs, from the effects. A plan is content with blobs that are there; else those are hashed
/// that the blob store's memory does not know.
enum class BlobCheck { kThere, kHashed };
engine::Environment environment_of(Toolbox& tools, BlobCheck check);

}  // namespace imgforge::steps
