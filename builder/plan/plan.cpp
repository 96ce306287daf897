#include "builder/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/formats.hpp"
#include "builder/recipe/show.hpp"
#include "core/error.hpp"

namespace imgforge::plan {
namespace {

/// Raised when a step begins to make other bytes from the same inputs.
int version_of(StepKind kind) {
  switch (kind) {
    case StepKind::kBase:
    case StepKind::kModels:
    case StepKind::kIndexes:
    case StepKind::kPackages:
    case StepKind::kRootfs:
    case StepKind::kBootTest:
    case StepKind::kRelease:
      return 1;
    case StepKind::kBootFiles:
    case StepKind::kSquashfs:
    case StepKind::kArtifact:
      return 2;
  }
  return 1;
}

core::Json pick(const core::Json& recipe, std::initializer_list<const char*> keys) {
  core::Json out = core::Json::object();
  for (const char* key : keys) {
    if (recipe.contains(key)) out[key] = recipe.at(key);
  }
  return out;
}

std::string base_summary(const recipe::Base& base) {
  if (const auto* alpine = std::get_if<recipe::AlpineBase>(&base)) {
    return fmt::format("Alpine {} {} {}", alpine->release, alpine->arch, alpine->flavor);
  }
  return "the host's static busybox and Debian kernel";
}

using artifacts::Carrier;

Carrier carrier_of(const std::string& format) {
  if (const artifacts::Format* known = artifacts::find_format(format)) return known->carrier;
  throw core::Error(core::Kind::kInternal, "no format " + format);
}

}  // namespace

bool carries_squashfs(const recipe::ResolvedRecipe& recipe, const std::string& format) {
  const Carrier carrier = carrier_of(format);
  return carrier == Carrier::kLive || (carrier == Carrier::kDisk && recipe.secure_boot);
}

namespace {

class Planner {
 public:
  explicit Planner(const recipe::ResolvedRecipe& recipe)
      : recipe_(recipe),
        json_(recipe::to_json(recipe)),
        alpine_(std::holds_alternative<recipe::AlpineBase>(recipe.base)) {}

  Plan run() && {
    add(StepKind::kBase, base_summary(recipe_.base), base_parameters(), {});
    if (recipe_.iso_base() != nullptr) return std::move(*this).run_remaster();
    if (!recipe_.models.empty())
      add(StepKind::kModels, models_summary(), {{"models", model_parameters()}}, {});
    std::vector<std::string> rootfs_inputs{id(StepKind::kBase)};
    if (alpine_) {
      add(StepKind::kIndexes, fmt::format("{} repositories", recipe_.packages.repositories.size()),
          pick(json_.at("packages"), {"repositories", "keys"}), {id(StepKind::kBase)});
      add(StepKind::kPackages, fmt::format("{} named, with all they need", recipe_.packages.add.size()),
          pick(json_.at("packages"), {"add", "remove"}), {id(StepKind::kBase), id(StepKind::kIndexes)});
      rootfs_inputs.push_back(id(StepKind::kPackages));
    }
    add(StepKind::kRootfs, "packages and customisation, in the appliance", rootfs_parameters(),
        rootfs_inputs);
    add(StepKind::kBootFiles, "kernel and initramfs",
        {{"initramfs_modules", json_.at("kernel").at("initramfs_modules")}}, {id(StepKind::kRootfs)});
    const bool squashfs =
        std::any_of(recipe_.formats.begin(), recipe_.formats.end(),
                    [&](const recipe::Marked& format) { return carries_squashfs(recipe_, format.value); });
    if (squashfs) {
      add(StepKind::kSquashfs, "root file system that is never written to", core::Json::object(),
          {id(StepKind::kRootfs)});
      if (!recipe_.models.empty()) plan_.steps.back().after.push_back(id(StepKind::kModels));
    }
    std::vector<std::string> artifacts;
    for (const recipe::Marked& format : recipe_.formats) {
      add_artifact(format.value);
      artifacts.push_back(plan_.steps.back().id());
    }
    add_release(std::move(artifacts));
    return std::move(plan_);
  }

 private:
  /// Of an ISO base nothing is built but the medium.
  Plan run_remaster() && {
    core::Json parameters = rootfs_parameters();
    parameters.erase("run");
    parameters.erase("repositories");
    parameters.erase("kernel");
    parameters["packages"] = json_.at("packages").at("add");
    parameters["iso"] = json_.at("iso");
    add(StepKind::kArtifact, "Alpine's medium with the recipe's configuration", std::move(parameters),
        {id(StepKind::kBase)});
    plan_.steps.back().format = "iso";
    add_release({plan_.steps.back().id()});
    return std::move(plan_);
  }

  void add_release(std::vector<std::string> artifacts) {
    add(StepKind::kRelease, fmt::format("{} {}", recipe_.line(), recipe_.version),
        pick(json_, {"name", "profile", "version", "description", "requirements"}), std::move(artifacts));
  }

  std::string id(StepKind kind) const { return fmt::format("{}/{}", recipe_.line(), step_name(kind)); }

  void add(StepKind kind, std::string summary, core::Json parameters, std::vector<std::string> after) {
    plan_.steps.push_back(
        {kind, recipe_.line(), "", std::move(summary), std::move(parameters), std::move(after)});
  }

  void add_artifact(const std::string& format) {
    const Carrier carrier = carrier_of(format);
    core::Json parameters = pick(json_, {"name", "profile"});
    std::vector<std::string> after{id(StepKind::kRootfs)};
    if (!recipe_.models.empty()) after.push_back(id(StepKind::kModels));
    if (carrier == Carrier::kArchive) {
      parameters["description"] = recipe_.description;
    } else {
      parameters["cmdline"] = json_.at("kernel").at("cmdline");
      parameters["menu"] = json_.at("boot");
      parameters["menu"].erase("expect");
      after.push_back(id(StepKind::kBootFiles));
    }
    if (carrier == Carrier::kDisk) {
      parameters["disk"] = json_.at("disk");
      if (recipe_.secure_boot) parameters["secure_boot"] = json_.at("secure_boot").at("enroll");
    }
    if (carries_squashfs(recipe_, format)) after.push_back(id(StepKind::kSquashfs));
    if (json_.contains(format)) parameters[format] = json_.at(format);
    if (format == "vm") {
      parameters["description"] = recipe_.description;
      parameters["requirements"] = json_.at("requirements");
      parameters["qcow2"] = json_.at("qcow2");
    }
    const std::string summary = carrier == Carrier::kDisk
                                    ? fmt::format("{} disk, {}", recipe_.disk.size.to_string(), format)
                                    : std::string(artifacts::find_format(format)->description);
    add(StepKind::kArtifact, summary, std::move(parameters), std::move(after));
    plan_.steps.back().format = format;
  }

  /// Mirrors are where bytes come from, not what they are: they stay out.
  core::Json base_parameters() const {
    core::Json base = json_.at("base");
    if (base.is_object() && base.contains("alpine")) base.at("alpine").erase("mirrors");
    return {{"base", base}};
  }

  std::string models_summary() const {
    const auto later =
        std::count_if(recipe_.models.begin(), recipe_.models.end(),
                      [](const recipe::Model& model) { return model.when == recipe::ModelTime::kFirstBoot; });
    const std::size_t now = recipe_.models.size() - static_cast<std::size_t>(later);
    std::string text = fmt::format("{} in the image", now);
    if (later > 0) text += fmt::format(", {} for the first start", later);
    return text;
  }

  /// Where a model is looked for is not what it is.
  core::Json model_parameters() const {
    core::Json models = json_.at("models");
    for (core::Json& model : models) model.erase("mirrors");
    return models;
  }

  core::Json rootfs_parameters() const {
    core::Json parameters = pick(json_, {"hostname", "timezone", "groups", "users", "directories", "files",
                                         "links", "services", "modules", "sysctl", "run"});
    parameters["repositories"] = json_.at("packages").value("repositories", core::Json::array());
    parameters["kernel"] = json_.at("kernel").value("package", "");
    if (recipe_.first_boot) {
      parameters["first_boot"] = json_.at("first_boot");
      parameters["first_boot"].erase("serial");  // stands in the list of models, which joins later
    }
    return parameters;
  }

  const recipe::ResolvedRecipe& recipe_;
  core::Json json_;
  bool alpine_;
  Plan plan_;
};

std::string explain_json(const core::Json& before, const core::Json& after, const std::string& path) {
  if (before == after) return {};
  if (before.is_object() && after.is_object()) {
    for (const auto& [key, value] : after.items()) {
      const std::string inner = path.empty() ? key : path + "." + key;
      if (!before.contains(key)) return fmt::format("{} is new", inner);
      if (std::string text = explain_json(before.at(key), value, inner); !text.empty()) return text;
    }
    for (const auto& [key, value] : before.items()) {
      if (!after.contains(key)) return fmt::format("{}{}{} is gone", path, path.empty() ? "" : ".", key);
    }
    return {};
  }
  if (before.is_array() && after.is_array()) {
    for (const core::Json& value : after) {
      if (std::find(before.begin(), before.end(), value) == before.end()) {
        return fmt::format("{} gained {}", path, value.dump().substr(0, 120));
      }
    }
    for (const core::Json& value : before) {
      if (std::find(after.begin(), after.end(), value) == after.end()) {
        return fmt::format("{} lost {}", path, value.dump().substr(0, 120));
      }
    }
    return path + " changed its order";
  }
  return fmt::format("{} was {}, is {}", path, before.dump().substr(0, 80), after.dump().substr(0, 80));
}

}  // namespace

std::string_view step_name(StepKind kind) {
  switch (kind) {
    case StepKind::kBase:
      return "base";
    case StepKind::kModels:
      return "models";
    case StepKind::kIndexes:
      return "indexes";
    case StepKind::kPackages:
      return "packages";
    case StepKind::kRootfs:
      return "rootfs";
    case StepKind::kBootFiles:
      return "boot files";
    case StepKind::kSquashfs:
      return "squashfs";
    case StepKind::kArtifact:
      return "artifact";
    case StepKind::kBootTest:
      return "boot";
    case StepKind::kRelease:
      return "release";
  }
  return "?";
}

std::string Step::id() const {
  std::string name(step_name(kind));
  // The format rootfs shares its name with the step that it is made from.
  if (kind == StepKind::kArtifact)
    name = format == step_name(StepKind::kRootfs) ? format + " archive" : format;
  if (kind == StepKind::kBootTest) name = "boot " + format;
  return fmt::format("{}/{}", line, name);
}

const Step& Plan::at(std::string_view id) const {
  for (const Step& step : steps) {
    if (step.id() == id) return step;
  }
  throw core::Error(core::Kind::kInternal, fmt::format("the plan has no step {}", id));
}

Plan make_plan(const recipe::ResolvedRecipe& recipe) {
  return Planner(recipe).run();
}

std::string canonical_text(const Step& step, const core::Json& inputs, const core::Json& tools) {
  core::Json text;
  text["imgforge-step"] = version_of(step.kind);
  text["kind"] = step_name(step.kind);
  if (!step.format.empty()) text["format"] = step.format;
  text["parameters"] = step.parameters;
  text["inputs"] = inputs;
  text["tools"] = tools;
  return text.dump();
}

Fingerprint fingerprint(const Step& step, const core::Json& inputs, const core::Json& tools) {
  return {core::digest_of(core::HashAlgorithm::kSha256, canonical_text(step, inputs, tools))};
}

std::string explain_difference(std::string_view before, std::string_view after) {
  if (before == after) return {};
  const core::JsonLimits limits{64 << 20, 32};
  return explain_json(core::parse_json(before, "the recorded step", limits),
                      core::parse_json(after, "the step", limits), "");
}

}  // namespace imgforge::plan
