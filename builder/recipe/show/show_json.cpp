#include <fmt/format.h>

#include <filesystem>

#include "builder/recipe/show/show.hpp"
#include "core/json.hpp"

namespace imgforge::recipe {
namespace {

using core::Json;

std::string_view compression_word(Qcow2Compression compression) {
  switch (compression) {
    case Qcow2Compression::kZstd:
      return "zstd";
    case Qcow2Compression::kZlib:
      return "zlib";
    case Qcow2Compression::kNone:
      break;
  }
  return "none";
}

std::string_view network_word(VmNetwork network) {
  switch (network) {
    case VmNetwork::kUser:
      return "user";
    case VmNetwork::kBridge:
      return "bridge";
    case VmNetwork::kNone:
      break;
  }
  return "none";
}

std::string_view enrolment_word(Enrolment enrolment) {
  switch (enrolment) {
    case Enrolment::kOff:
      return "off";
    case Enrolment::kForce:
      return "force";
    case Enrolment::kManual:
      break;
  }
  return "manual";
}

Json values(const std::vector<Marked>& list) {
  Json out = Json::array();
  for (const Marked& item : list) out.push_back(item.value);
  return out;
}

Json base_json(const Base& base) {
  const auto* alpine = std::get_if<AlpineBase>(&base);
  if (alpine == nullptr) return Json{{"embedded", {{"arch", std::get<EmbeddedBase>(base).arch}}}};
  Json out{{"release", alpine->release},
           {"arch", alpine->arch},
           {"flavor", alpine->flavor},
           {"mirrors", alpine->mirrors}};
  if (alpine->digest) out["digest"] = alpine->digest->to_string();
  return Json{{"alpine", std::move(out)}};
}

Json packages_json(const Packages& packages) {
  Json keys = Json::array();
  for (std::size_t i = 0; i < packages.keys.size(); ++i) {
    Json key{{"name", std::filesystem::path(packages.keys[i].value).filename().native()}};
    if (i < packages.key_digests.size()) key["digest"] = packages.key_digests[i].to_string();
    keys.push_back(std::move(key));
  }
  return Json{{"repositories", values(packages.repositories)},
              {"image_repositories", values(packages.image_repositories)},
              {"keys", std::move(keys)},
              {"add", values(packages.add)},
              {"remove", values(packages.remove)}};
}

std::string mode_text(std::uint32_t mode) {
  return fmt::format("{:04o}", mode);
}

Json tree_json(const ResolvedRecipe& recipe) {
  Json directories = Json::array();
  for (const DirectoryEntry& entry : recipe.directories) {
    directories.push_back(Json{{"path", entry.path},
                               {"mode", mode_text(entry.mode)},
                               {"owner", entry.owner},
                               {"group", entry.group}});
  }
  Json files = Json::array();
  for (const FileEntry& entry : recipe.files) {
    files.push_back(Json{{"path", entry.path},
                         {"mode", mode_text(entry.mode)},
                         {"owner", entry.owner},
                         {"group", entry.group},
                         {"size", entry.content.size()},
                         {"digest", entry.content.sha256().to_string()}});
  }
  Json links = Json::array();
  for (const LinkEntry& entry : recipe.links)
    links.push_back(Json{{"path", entry.path}, {"target", entry.target}});
  return Json{
      {"directories", std::move(directories)}, {"files", std::move(files)}, {"links", std::move(links)}};
}

Json accounts_json(const ResolvedRecipe& recipe) {
  Json groups = Json::array();
  for (const Group& entry : recipe.groups) {
    Json group{{"name", entry.name}};
    if (entry.gid) group["gid"] = *entry.gid;
    groups.push_back(std::move(group));
  }
  Json users = Json::array();
  for (const User& entry : recipe.users) {
    Json user{{"name", entry.name}};
    if (entry.uid) user["uid"] = *entry.uid;
    user["password"] = entry.passwordless            ? "none"
                       : entry.password_hash.empty() ? "locked"
                                                     : entry.password_hash;
    user["shell"] = entry.shell;
    if (!entry.home.empty()) user["home"] = entry.home;
    user["ssh_keys"] = entry.ssh_keys;
    user["groups"] = entry.groups;
    users.push_back(std::move(user));
  }
  return Json{{"groups", std::move(groups)}, {"users", std::move(users)}};
}

Json models_json(const ResolvedRecipe& recipe) {
  Json out = Json::array();
  for (const Model& model : recipe.models) {
    Json row{{"name", model.name}, {"source", model.source.text}};
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) row[key] = value;
    };
    for (const ModelSource& mirror : model.mirrors) row["mirrors"].push_back(mirror.text);
    add("version", model.version);
    if (model.sha256) row["sha256"] = model.sha256->hex();
    if (model.size) row["size"] = model.size->value;
    add("format", model.format);
    add("licence", model.licence);
    add("path", model.path);
    row["when"] = time_word(model.when);
    row["layout"] = layout_word(model.layout);
    add("quantization", model.quantization);
    add("parameters", model.parameters);
    if (!model.metadata.empty()) row["metadata"] = model.metadata;
    if (!model.allow_pickle.empty()) row["allow_pickle"] = model.allow_pickle;
    out.push_back(std::move(row));
  }
  return out;
}

Json vex_json(const ResolvedRecipe& recipe) {
  Json out = Json::array();
  for (const VexStatement& statement : recipe.vex) {
    Json row{{"vulnerability", statement.vulnerability},
             {"package", statement.package},
             {"status", statement.status}};
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) row[key] = value;
    };
    add("justification", statement.justification);
    add("impact_statement", statement.impact_statement);
    add("action_statement", statement.action_statement);
    add("status_notes", statement.status_notes);
    out.push_back(std::move(row));
  }
  return out;
}

Json shared_json(const SharedFolder& shared) {
  Json out{{"commands", Json::array()}};
  const auto also = [&](const char* command, bool wanted) {
    if (wanted) out["commands"].push_back(command);
  };
  also("shutdown", shared.shutdown);
  also("restart", !shared.services.empty());
  also("config", !shared.config.empty());
  if (!shared.services.empty()) out["services"] = shared.services;
  for (const SharedKey& key : shared.config)
    out["config"].push_back(Json{{"key", key.key}, {"values", key.values}});
  return out;
}

Json services_json(const std::vector<Service>& services) {
  Json out = Json::object();
  for (const Service& service : services) out[service.runlevel].push_back(service.name);
  return out;
}

}  // namespace

Json to_json(const ResolvedRecipe& recipe) {
  Json out;
  out["name"] = recipe.name;
  out["profile"] = recipe.profile;
  out["version"] = recipe.version;
  out["base"] = base_json(recipe.base);
  out["packages"] = packages_json(recipe.packages);
  out.update(accounts_json(recipe));
  out.update(tree_json(recipe));
  out["services"] = services_json(recipe.services);
  out["hostname"] = recipe.hostname;
  out["timezone"] = recipe.timezone;
  out["modules"] = recipe.modules;
  out["sysctl"] = Json::object();
  for (const auto& [key, value] : recipe.sysctl) out["sysctl"][key] = value;
  out["kernel"] =
      Json{{"cmdline", recipe.kernel.cmdline}, {"initramfs_modules", recipe.kernel.initramfs_modules}};
  if (!recipe.kernel.package.empty()) out["kernel"]["package"] = recipe.kernel.package;
  out["run"] = Json::array();
  for (const RunStep& step : recipe.run) out["run"].push_back(step.script);
  out["models"] = models_json(recipe);
  if (!recipe.vex.empty()) out["vex"] = vex_json(recipe);
  out["disk"] = Json{{"size", recipe.disk.size.value},
                     {"root_filesystem", recipe.disk.root_filesystem},
                     {"root", recipe.disk.root_mode == RootMode::kWritable ? "writable" : "read-only"}};
  out["requirements"] =
      Json{{"memory", recipe.requirements.memory.value}, {"cpus", recipe.requirements.cpus}};
  out["formats"] = values(recipe.formats);
  out["qcow2"] = Json{{"compression", compression_word(recipe.qcow2_compression)}};
  out["vm"] =
      Json{{"network", network_word(recipe.vm.network)}, {"maximum_memory", recipe.vm.maximum_memory.value}};
  out["iso"] = Json::object();
  if (!recipe.iso_volume_id.empty()) out["iso"]["volume_id"] = recipe.iso_volume_id;
  out["usb"] = Json{{"data_size", recipe.usb_data_size.value}};
  out["boot"] = Json{{"timeout", recipe.boot_menu.timeout},
                     {"default", recipe.boot_menu.recovery_by_default == Toggle::kOn ? "recovery" : "normal"},
                     {"recovery", recipe.boot_menu.recovery == Toggle::kOn},
                     {"quiet", recipe.boot_menu.quiet == Toggle::kOn},
                     {"expect", recipe.boot_expect}};
  out["secure_boot"] = Json::object();
  if (recipe.secure_boot) {
    out["secure_boot"] = Json{{"keys", recipe.secure_boot->keys.value},
                              {"enroll", enrolment_word(recipe.secure_boot->enrolment)}};
  }
  if (const auto& first = recipe.first_boot) {
    out["first_boot"] = Json{{"name", first->name},
                             {"questions", first->questions},
                             {"update", first->update},
                             {"attempts", first->attempts},
                             {"longest_wait", first->longest_wait},
                             {"shared", first->shared},
                             {"log", first->log}};
    if (first->serial) out["first_boot"]["serial"] = *first->serial;
  }
  if (recipe.shared) out["shared"] = shared_json(*recipe.shared);
  return out;
}

Canonical::Canonical(const ResolvedRecipe& recipe) : json_(std::make_unique<const Json>(to_json(recipe))) {}
Canonical::~Canonical() = default;

Json picked(const Json& object, std::span<const std::string_view> names) {
  Json out = Json::object();
  for (const std::string_view name : names) {
    const auto found = object.find(name);
    if (found != object.end()) out[std::string(name)] = *found;
  }
  return out;
}

Json picked(const Json& object, std::initializer_list<std::string_view> names) {
  return picked(object, std::span(names.begin(), names.size()));
}

std::string show_json(const ResolvedRecipe& recipe) {
  Json out{{"schema", 1}, {"line", recipe.line()}, {"description", recipe.description}};
  out.update(to_json(recipe));
  return core::print_json(out);
}

}  // namespace imgforge::recipe
