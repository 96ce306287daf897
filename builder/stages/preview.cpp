#include "builder/stages/preview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "builder/stages/model_members.hpp"
#include "builder/stages/sources.hpp"
#include "builder/stages/step_inputs.hpp"
#include "core/error.hpp"

namespace imgforge::stages {
namespace {

using plan::StepKind;

/// A value, or nothing when it cannot be known without network or work.
template <class Body>
auto if_known(Body&& body) -> std::optional<decltype(body())> {
  try {
    return body();
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kInterrupted || error.kind() == core::Kind::kMachine) throw;
    return std::nullopt;
  }
}

class Preview {
 public:
  Preview(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::optional<LockedSources>& locked)
      : tools_(tools), recipe_(recipe), locked_(locked), plan_(plan::make_plan(recipe)) {
    tools_.network = fetch::Network::kOffline;
  }

  std::vector<StepOutlook> run() {
    look_at_sources();
    for (const plan::Step& step : plan_.steps) rows_.push_back(look(step));
    return std::move(rows_);
  }

 private:
  void look_at_sources() {
    // A list for the first start is signed in the build, with a key that is not known here.
    const bool signed_list =
        std::any_of(recipe_.models.begin(), recipe_.models.end(),
                    [](const recipe::Model& model) { return model.when == recipe::ModelTime::kFirstBoot; });
    if (!signed_list) models_ = if_known([&] { return obtain_models(tools_, recipe_, {}, locked_); });
    origin_ = if_known([&] { return find_base(tools_, recipe_, locked_); });
    if (!origin_) return;
    const plan::Step& step = plan_.steps.front();
    const auto record = tools_.steps.find(plan::fingerprint(step, origin_->identity, core::Json::object()));
    if (!record) return;
    base_ = tools_.blobs.find(result_digest(*record));
    if (base_ && recipe_.iso_base() == nullptr && !locked_)
      repositories_ = if_known([&] { return load_indexes(tools_, recipe_, *origin_, *base_); });
  }

  StepOutlook look(const plan::Step& step) {
    switch (step.kind) {
      case StepKind::kBase:
        return base_ ? judge(step, origin_->identity, core::Json::object())
                     : waiting(step, "its source was never fetched");
      case StepKind::kModels:
        return models_ ? StepOutlook{step, Outlook::kAsked, "", ""}
                       : waiting(step, "they were never fetched, or their list is signed anew");
      case StepKind::kIndexes:
        return {step, locked_ ? Outlook::kKnown : Outlook::kAsked, "", ""};
      case StepKind::kPackages:
        if (locked_) {
          packages_ = locked_choice(*locked_);
          return {step, Outlook::kKnown, "", ""};
        }
        if (!repositories_) return waiting(step, "the indexes were never fetched");
        return judge(step, packages_inputs(base_->digest(), *repositories_), core::Json::object());
      case StepKind::kRootfs:
        if (!base_) return waiting(step, "it depends on base");
        if (origin_->alpine && !packages_) return waiting(step, "it depends on packages");
        return judge(step, rootfs_inputs(base_->digest(), packages_.value_or(core::Json::array())),
                     rootfs_tools(recipe_));
      case StepKind::kBootFiles:
        return rootfs_ ? judge(step, boot_files_inputs(*rootfs_), boot_files_tools())
                       : waiting(step, "it depends on rootfs");
      case StepKind::kSquashfs:
        if (!models_) return waiting(step, "it depends on models");
        return rootfs_ ? judge(step, squashfs_inputs(*rootfs_, models_->identity), squashfs_tools(tools_))
                       : waiting(step, "it depends on rootfs");
      case StepKind::kArtifact:
        if (recipe_.iso_base() != nullptr) return look_at_remastered(step);
        if (!models_) return waiting(step, "it depends on models");
        if (!boot_files_) return waiting(step, "it depends on rootfs and boot files");
        if (plan::carries_squashfs(recipe_, step.format) && !squashfs_)
          return waiting(step, "it depends on squashfs");
        return judge(step,
                     artifact_inputs(recipe_, step.format, *rootfs_, *boot_files_,
                                     squashfs_.value_or(core::Json::object()),
                                     find_secure_boot_keys(tools_, recipe_), models_->identity),
                     artifact_tools(tools_, recipe_, step.format));
      case StepKind::kBootTest:
      case StepKind::kRelease:
        return {step, Outlook::kAsked, "", ""};
    }
    return {step, Outlook::kRun, "", ""};
  }

  StepOutlook look_at_remastered(const plan::Step& step) {
    if (!base_) return waiting(step, "it depends on base");
    return judge(step, remaster_inputs(base_->digest()), artifact_tools(tools_, recipe_, step.format));
  }

  StepOutlook waiting(const plan::Step& step, std::string why) const {
    return {step, Outlook::kRun, "", std::move(why)};
  }

  StepOutlook judge(const plan::Step& step, const core::Json& inputs, const core::Json& versions) {
    const plan::Fingerprint key = plan::fingerprint(step, inputs, versions);
    if (auto record = tools_.steps.find(key)) {
      if (step.kind == StepKind::kPackages) packages_ = *record;
      if (step.kind == StepKind::kRootfs) rootfs_ = *record;
      if (step.kind == StepKind::kBootFiles) boot_files_ = *record;
      if (step.kind == StepKind::kSquashfs) squashfs_ = *record;
      return {step, Outlook::kKnown, key.hex(), ""};
    }
    const auto last = tools_.steps.last_text(step);
    std::string why = "it was never made";
    if (last) why = plan::explain_difference(*last, plan::canonical_text(step, inputs, versions));
    return {step, Outlook::kRun, key.hex(), std::move(why)};
  }

  Toolbox tools_;  ///< a copy: looking is always offline
  const recipe::ResolvedRecipe& recipe_;
  const std::optional<LockedSources>& locked_;
  plan::Plan plan_;
  std::optional<ModelMembers> models_;
  std::optional<BaseOrigin> origin_;
  std::optional<artifacts::VerifiedFile> base_;
  std::optional<std::vector<fetch::Repository>> repositories_;
  std::optional<core::Json> packages_, rootfs_, boot_files_, squashfs_;
  std::vector<StepOutlook> rows_;
};

}  // namespace

std::string_view outlook_name(Outlook outlook) {
  switch (outlook) {
    case Outlook::kKnown:
      return "known";
    case Outlook::kAsked:
      return "ask";
    case Outlook::kRun:
      return "run";
  }
  return "?";
}

std::vector<StepOutlook> preview(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                 const std::optional<LockedSources>& locked) {
  return Preview(tools, recipe, locked).run();
}

}  // namespace imgforge::stages
