#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/blobs/blob_collector.hpp"
#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/recipes/model_text.hpp"
#include "builder/models/files/content.hpp"
#include "builder/models/sources/obtain.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Json;
using core::Kind;

struct ModelArguments {
  std::shared_ptr<BuildArguments> build = std::make_shared<BuildArguments>();
  std::vector<std::string> names;
  std::string name;
  std::string source;
  std::string sha256;
  std::string format;
  std::vector<std::string> allow_pickle;
  bool yes = false;
};

models::Records records_of(const Context& context) {
  return models::Records(context.options.cache_dir / "models");
}

/// The records with these names, or all. kUsage for an unknown name.
std::vector<models::Model> chosen(Context& context, const std::vector<std::string>& names) {
  const models::Records records = records_of(context);
  std::vector<models::Model> out;
  if (names.empty()) {
    std::vector<std::string> damaged;
    out = records.all(damaged);
    for (const std::string& file : damaged)
      context.progress.warn(file + " is damaged: fetch its model again");
    return out;
  }
  for (const std::string& name : names) {
    if (auto model = records.find(name)) {
      out.push_back(*std::move(model));
      continue;
    }
    std::vector<std::string> damaged;
    std::vector<std::string> known;
    for (const models::Model& model : records.all(damaged)) known.push_back(model.name);
    const std::string nearest = core::nearest_word(name, known);
    throw Error(Kind::kUsage, fmt::format("there is no model {} in the cache", core::escaped(name, 80)))
        .hint(nearest.empty() ? "imgforge model list" : fmt::format("did you mean \"{}\"?", nearest));
  }
  return out;
}

int fetch(Context& context, const ModelArguments& arguments) {
  BuildTools tools(context, *arguments.build, arguments.build->offline ? CacheUse::kRead : CacheUse::kWrite);
  stages::Toolbox& toolbox = tools.toolbox();
  std::set<std::string> done;  // models of several profiles are one
  Json rows = Json::array();
  std::string text;
  for (const recipe::ResolvedRecipe& recipe :
       resolve_profiles(*arguments.build->recipe, core::build_time(context.clock))) {
    for (const recipe::Model& wanted : recipe.models) {
      const std::string key =
          wanted.name + "\n" + wanted.source.text + "\n" + (wanted.sha256 ? wanted.sha256->hex() : "");
      if (!done.insert(key).second) continue;
      core::Activity activity = context.progress.begin("model " + wanted.name);
      toolbox.activity = &activity;
      const fetch::Context step = toolbox.fetch_context();
      models::Obtainer obtainer(step, {recipe.folder, toolbox.host_files, models::hugging_face_endpoint()});
      const models::Model model = obtainer.fetch(wanted);
      activity.done(model_facts(model));
      rows.push_back(models::to_json(model));
      text += model_row(model, true);
    }
  }
  if (text.empty()) text = "the recipe names no models\n";
  print(context.options.json ? core::print_json({{"schema", 1}, {"models", rows}}) : text);
  return 0;
}

int add(Context& context, const ModelArguments& arguments) {
  recipe::Model wanted;
  wanted.name = arguments.name;
  wanted.source = recipe::parse_model_source(arguments.source);
  wanted.format = arguments.format;
  wanted.allow_pickle = arguments.allow_pickle;
  if (!models::is_clean_path(wanted.name) || wanted.name.find_first_of("/ \"") != std::string::npos ||
      wanted.name.front() == '.')
    throw Error(Kind::kUsage,
                fmt::format("{} cannot be the name of a model", core::escaped(wanted.name, 80)));
  if (!arguments.sha256.empty()) {
    try {
      wanted.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, arguments.sha256);
    } catch (const Error& error) {
      throw Error(Kind::kUsage, "--sha256: " + error.message());
    }
  }
  BuildTools tools(context, *arguments.build);
  core::Activity activity = context.progress.begin("model " + wanted.name);
  tools.toolbox().activity = &activity;
  const fetch::Context step = tools.toolbox().fetch_context();
  models::Obtainer obtainer(step,
                            {fs::current_path(), models::HostFiles::kAllow, models::hugging_face_endpoint()});
  const models::Model model = obtainer.fetch(wanted, models::Unpinned::kFirst);
  activity.done(model_facts(model));
  for (const std::string& warning : model.summary.warnings)
    context.progress.warn(core::escaped(warning, 300));
  print(context.options.json ? core::print_json(models::to_json(model)) : recipe_lines(model));
  return 0;
}

int list(Context& context, const ModelArguments&) {
  artifacts::BlobStore blobs(context.options.cache_dir / "blobs");
  Json rows = Json::array();
  std::string text;
  for (const models::Model& model : chosen(context, {})) {
    const bool whole =
        std::all_of(model.files.begin(), model.files.end(), [&](const models::ModelFile& file) {
          const std::string hex = file.sha256->hex();
          return fs::exists(blobs.root() / "sha256" / hex.substr(0, 2) / hex.substr(2));
        });
    Json row = models::to_json(model);
    row["digest"] = model.digest().hex();
    row["size"] = model.size();
    row["cached"] = whole;
    rows.push_back(std::move(row));
    text += model_row(model, whole);
  }
  if (text.empty()) text = "no models: imgforge model add NAME SOURCE, or build a recipe that names some\n";
  print(context.options.json ? core::print_json({{"schema", 1}, {"models", rows}}) : text);
  return 0;
}

/// Hashes every file again and reads its header again.
int verify(Context& context, const ModelArguments& arguments) {
  artifacts::BlobStore blobs(context.options.cache_dir / "blobs");
  Json rows = Json::array();
  std::string text;
  bool good = true;
  for (const models::Model& model : chosen(context, arguments.names)) {
    for (const models::ModelFile& file : model.files) {
      context.cancel.check();
      const bool there = blobs.find(*file.sha256).has_value();
      good = good && there;
      rows.push_back(
          {{"model", model.name}, {"file", file.path}, {"sha256", file.sha256->hex()}, {"ok", there}});
      text += fmt::format("  {} {:<24} {}  {}\n", there ? context.out.good("✓") : context.out.bad("✗"),
                          model.name, core::escaped(file.path, 100),
                          there ? "sha256:" + file.sha256->hex() : "missing, or damaged and set aside");
    }
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"ok", good}, {"files", rows}}) : text);
  if (good) return 0;
  throw Error(Kind::kIntegrity, "a model is not whole").hint("fetch it again: imgforge model fetch RECIPE");
}

int inspect(Context& context, const ModelArguments& arguments) {
  std::error_code ignored;
  if (fs::is_regular_file(arguments.name, ignored)) {
    const fs::path file = arguments.name;
    std::optional<models::Format> format;
    if (!arguments.format.empty()) format = models::find_format(arguments.format);
    const bool allowed = std::find(arguments.allow_pickle.begin(), arguments.allow_pickle.end(),
                                   file.filename().native()) != arguments.allow_pickle.end();
    const models::Summary summary = models::inspect_file(
        file, file.filename().native(), format, allowed ? models::Code::kAllow : models::Code::kRefuse);
    Json json{{"schema", 1}, {"file", file.native()}};
    json["summary"] = models::summary_json(summary);
    print(context.options.json
              ? core::print_json(json)
              : context.out.bold(core::escaped(file.native())) + "\n" + summary_sheet(summary));
    return 0;
  }
  const models::Model model = chosen(context, {arguments.name}).front();
  Json json = models::to_json(model);
  json["digest"] = model.digest().hex();
  json["purl"] = model.package_url();
  print(context.options.json
            ? core::print_json(json)
            : context.out.bold(model.name + " " + model.version) + "\n" + model_sheet(model));
  return 0;
}

int remove(Context& context, const ModelArguments& arguments) {
  const models::Records records = records_of(context);
  for (const models::Model& model : chosen(context, arguments.names)) records.drop(model.name);
  const models::Records::Collected left = records.collect(context.options.cache_dir / "blobs", false);
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"removed", arguments.names}, {"frees", left.bytes}})
            : fmt::format("removed {}; imgforge model gc --yes would free {}\n",
                          core::join(arguments.names, ", "), core::Bytes{left.bytes}.human()));
  return 0;
}

int gc(Context& context, const ModelArguments& arguments) {
  const fs::path blobs = context.options.cache_dir / "blobs";
  core::Fd lock;
  if (arguments.yes && fs::is_directory(blobs)) lock = artifacts::lock_blobs_alone(blobs);
  const models::Records::Collected result = records_of(context).collect(blobs, arguments.yes);
  print(context.options.json
            ? core::print_json({{"schema", 1},
                                {"applied", arguments.yes},
                                {"files", result.blobs.size()},
                                {"frees", result.bytes}})
            : fmt::format("{} {} file{} of models, {}{}\n", arguments.yes ? "removed" : "would remove",
                          result.blobs.size(), result.blobs.size() == 1 ? "" : "s",
                          core::Bytes{result.bytes}.human(),
                          arguments.yes || result.blobs.empty() ? "" : " · run again with --yes"));
  return 0;
}

using Body = int (*)(Context&, const ModelArguments&);

/// One command of `imgforge model`. All of them share their variables: only one is chosen.
OptionSet& declare_one(OptionSet& set, const std::shared_ptr<ModelArguments>& arguments, const char* name,
                       const char* summary, Body body) {
  OptionSet& command = set.command(name, summary);
  command.set_runner([arguments, body](Context& context) { return body(context, *arguments); });
  return command;
}

void declare_content(OptionSet& set, ModelArguments& arguments) {
  set.option("--format", arguments.format, "gguf, safetensors, onnx or raw [by content]")
      .one_of({"gguf", "safetensors", "onnx", "raw"});
  set.option("--allow-pickle", arguments.allow_pickle, "name of a file that may carry code; repeatable");
}

}  // namespace

Runner declare_model(OptionSet& set) {
  auto arguments = std::make_shared<ModelArguments>();
  set.set_commands(OptionSet::Commands::kRequired);
  OptionSet& fetching =
      declare_one(set, arguments, "fetch", "fetch the models of a recipe into the cache, verified", &fetch);
  arguments->build->recipe = declare_recipe(fetching);
  fetching.flag("--offline", arguments->build->offline, "use no network: everything must be cached");
  declare_host_files(fetching, *arguments->build);
  OptionSet& adding =
      declare_one(set, arguments, "add", "fetch a model and print its lines for a recipe", &add);
  adding.positional("name", arguments->name, "name for it").required();
  adding
      .positional("source", arguments->source,
                  "a URL, a file, hf://ORG/REPO@REVISION/PATH, oci://REGISTRY/REPO:TAG or ollama://NAME:TAG")
      .required();
  adding.option("--sha256", arguments->sha256, "digest that it must have");
  declare_content(adding, *arguments);
  OptionSet& verifying = declare_one(set, arguments, "verify", "hash models in the cache again", &verify);
  verifying.positional("name", arguments->names, "models [all]");
  declare_one(set, arguments, "list", "list the models of the cache", &list);
  OptionSet& inspecting = declare_one(set, arguments, "inspect",
                                      "say what a model file, or a model of the cache, holds", &inspect);
  inspecting.positional("model", arguments->name, "a file, or the name of a model").required();
  declare_content(inspecting, *arguments);
  OptionSet& removing = declare_one(set, arguments, "remove",
                                    "forget models; gc then removes what no other model needs", &remove);
  removing.positional("name", arguments->names, "models").required();
  OptionSet& collecting =
      declare_one(set, arguments, "gc", "remove from the cache what only forgotten models needed", &gc);
  collecting.flag("--yes", arguments->yes, "do it; without this it is only said");
  set.set_footer(
      "A file that can run code when it is loaded (a pickle, as PyTorch writes them) is refused unless its "
      "name is\n"
      "allowed. HF_ENDPOINT names another hub of Hugging Face.\n"
      "Examples:\n"
      "  imgforge model add tiny hf://org/repo@main/tiny.gguf\n"
      "  imgforge model inspect tiny.gguf --json");
  return {};
}

}  // namespace imgforge::cli
