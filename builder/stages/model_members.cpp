#include "builder/stages/model_members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/manifest/formats.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/models/layout.hpp"
#include "builder/models/sources/obtain.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

using artifacts::EntryType;
using models::Placed;
using recipe::ModelTime;

/// What boot loader, kernel and the file system itself take of a disk at least.
constexpr core::Bytes kOverhead = core::mib(48);

models::Places places_of(const Toolbox& tools, const recipe::ResolvedRecipe& recipe) {
  return {recipe.folder, tools.host_files, models::hugging_face_endpoint()};
}

class Gatherer {
 public:
  Gatherer(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const ListSigner& signer,
           const std::optional<LockedSources>& locked)
      : tools_(tools),
        recipe_(recipe),
        signer_(signer),
        locked_(locked),
        context_(tools.fetch_context()),
        obtainer_(context_, places_of(tools, recipe)) {}

  ModelMembers run() {
    for (const recipe::Model& wanted : recipe_.models) models_.push_back(resolve(wanted));
    check_room();
    std::vector<Placed> placed;
    std::vector<models::Model> later;
    std::vector<models::Model> built;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const recipe::Model& wanted = recipe_.models[i];
      if (wanted.when == ModelTime::kBuild) {
        models_[i] = obtainer_.fetch(wanted, std::move(models_[i]));
        require_locked(wanted, models_[i]);
        for (Placed& one : models::place(models_[i], wanted, home())) placed.push_back(std::move(one));
        if (wanted.layout == recipe::ModelLayout::kPlain && wanted.path.empty()) built.push_back(models_[i]);
        out_.bytes += models_[i].size();
        for (const std::string& warning : models_[i].summary.warnings)
          tools_.progress.note(fmt::format("model {}: {}", wanted.name, core::escaped(warning, 200)));
      } else {
        models_[i] = obtainer_.describe(wanted, std::move(models_[i]));
        later.push_back(models_[i]);
      }
      out_.rows.push_back(row(models_[i], wanted));
    }
    if (!later.empty()) add_list(later, placed);
    if (recipe_.first_boot && !built.empty()) add_built(std::move(built), placed);
    add(models::merged(std::move(placed)));
    return std::move(out_);
  }

 private:
  /// A file of this machine is read again even when it is locked: the lock has no address for it.
  models::Model resolve(const recipe::Model& wanted) {
    const lock::LockedModel* row = locked_model(wanted);
    if (row == nullptr || wanted.source.kind == recipe::SourceKind::kFile) return obtainer_.resolve(wanted);
    models::Model model = row->model;
    if (!wanted.licence.empty()) model.licence = wanted.licence;
    return model;
  }
  const lock::LockedModel* locked_model(const recipe::Model& wanted) const {
    return locked_ ? locked_->lock.find_model(wanted.name, wanted.source.text) : nullptr;
  }
  void require_locked(const recipe::Model& wanted, const models::Model& model) const {
    const lock::LockedModel* row = locked_model(wanted);
    if (row == nullptr || row->model.digest() == model.digest()) return;
    throw core::Error(core::Kind::kIntegrity,
                      fmt::format("the model {} is sha256:{}, the lock says sha256:{}", wanted.name,
                                  model.digest().hex(), row->model.digest().hex()))
        .at(wanted.mark)
        .hint("imgforge update takes the new file into the lock");
  }

  /// Before anything is downloaded: a disk that is too small shows after hours otherwise.
  void check_room() const {
    const bool disk =
        std::any_of(recipe_.formats.begin(), recipe_.formats.end(), [](const recipe::Marked& format) {
          return artifacts::find_format(format.value)->carrier == artifacts::Carrier::kDisk;
        });
    if (!disk) return;
    const bool grows = recipe_.disk.root_mode == recipe::RootMode::kWritable;
    std::uint64_t need = kOverhead.value;
    std::size_t largest = 0;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      if (recipe_.models[i].when == ModelTime::kFirstBoot && !grows) continue;
      need += models_[i].size();
      if (models_[i].size() > models_[largest].size()) largest = i;
    }
    if (need <= recipe_.disk.size.value || need == kOverhead.value) return;
    const std::uint64_t gibibytes = (need + need / 8) / core::gib(1).value + 1;
    throw core::Error(core::Kind::kRecipe, fmt::format("the models take {}, the disk of {} has {}",
                                                       core::Bytes{need - kOverhead.value}.human(),
                                                       recipe_.line(), recipe_.disk.size.to_string()))
        .at(recipe_.models[largest].mark)
        .hint(fmt::format("set disk.size to {}G or more", gibibytes));
  }

  static artifacts::ManifestModel row(const models::Model& model, const recipe::Model& wanted) {
    artifacts::ManifestModel row;
    row.name = model.name;
    row.version = model.version;
    row.source = model.source.kind == recipe::SourceKind::kUrl ? fetch::redacted_url(model.source.text)
                                                               : model.source.text;
    row.revision = model.revision;
    row.purl = model.package_url();
    row.licence = model.licence;
    row.format = wanted.when == ModelTime::kBuild ? std::string(models::format_name(model.summary.format))
                                                  : wanted.format;
    row.when = recipe::time_word(wanted.when);
    row.sha256 = model.digest();
    row.size = model.size();
    row.metadata = wanted.metadata;
    const auto say = [&](const char* key, const std::string& value) {
      if (!value.empty()) row.metadata.emplace(key, core::escaped(value, 100));
    };
    say("quantization", wanted.quantization.empty() ? model.summary.quantization : wanted.quantization);
    say("parameters", !wanted.parameters.empty() ? wanted.parameters
                      : model.summary.parameters ? std::to_string(*model.summary.parameters)
                                                 : "");
    say("architecture", model.summary.architecture);
    say("repository_today", model.renamed);
    say("chat_template_sha256", model.summary.chat_template_sha256);
    return row;
  }

  /// Name of the folders in the image, where first boot looks.
  const std::string& home() const { return recipe_.first_boot ? recipe_.first_boot->name : recipe_.name; }

  Placed configuration(const char* name, std::string content) const {
    return {.kind = Placed::Kind::kText, .path = "etc/" + home() + "/" + name, .text = std::move(content)};
  }

  std::optional<std::uint64_t> fixed_serial() const {
    if (recipe_.first_boot && recipe_.first_boot->serial) return *recipe_.first_boot->serial;
    if (const auto epoch = core::source_date_epoch()) return std::max<std::int64_t>(*epoch, 1);
    return std::nullopt;
  }

  void add_list(const std::vector<models::Model>& later, std::vector<Placed>& placed) const {
    const ModelList list =
        numbered_list(tools_.steps, recipe_.line(), models::first_boot_rows(later), signer_, fixed_serial());
    if (list.clash)
      tools_.progress.note(
          fmt::format("the serial {} of the list of models is not higher than {}, that of the one before: "
                      "machines that have that will refuse it",
                      list.serial, *list.clash));
    placed.push_back(configuration("models.list", list.text));
    if (list.signature.empty()) return;
    placed.push_back(configuration("models.list.minisig", list.signature));
    placed.push_back(configuration("models.pub", signer_.signer.public_key()));
  }

  /// What `NAME-model verify` compares the models of the image with.
  void add_built(std::vector<models::Model> built, std::vector<Placed>& placed) const {
    for (models::Model& model : built) {
      for (models::ModelFile& file : model.files) file.urls.clear();  // may be paths of this machine
    }
    placed.push_back(configuration("models.built", models::first_boot_rows(built)));
  }

  void add(const std::vector<Placed>& placed) {
    core::Json identity = core::Json::array();
    std::set<std::string> folders;
    std::vector<image::AddedMember> members;
    for (const Placed& one : placed) {
      for (auto slash = one.path.find('/'); slash != std::string::npos; slash = one.path.find('/', slash + 1))
        folders.insert(one.path.substr(0, slash));
      members.push_back(member(one));
      identity.push_back({one.path, members.back().entry.mode, static_cast<int>(one.kind),
                          one.kind == Placed::Kind::kBlob ? one.sha256.hex() : one.text});
    }
    if (members.empty()) return;
    for (const std::string& folder : folders) {
      artifacts::TarEntry entry;
      entry.path = folder;
      entry.type = EntryType::kDirectory;
      entry.mode = 0755;
      out_.added.push_back({std::move(entry)});
    }
    for (image::AddedMember& one : members) out_.added.push_back(std::move(one));
    std::stable_sort(
        out_.added.begin(), out_.added.end(),
        [](const image::AddedMember& a, const image::AddedMember& b) { return a.entry.path < b.entry.path; });
    out_.identity = core::digest_of(core::HashAlgorithm::kSha256, identity.dump());
  }

  image::AddedMember member(const Placed& one) const {
    image::AddedMember member;
    member.entry.path = one.path;
    if (one.kind == Placed::Kind::kLink) {
      member.entry.type = EntryType::kSymlink;
      member.entry.mode = 0777;
      member.entry.link_target = one.text;
      return member;
    }
    member.entry.mode = 0644;
    if (one.kind == Placed::Kind::kText) {
      member.text = one.text;
      member.entry.size = one.text.size();
      return member;
    }
    const auto blob = tools_.blobs.find_again(one.sha256);
    if (!blob) throw core::Error(core::Kind::kIo, "the cache lost /" + one.path + " while it was used");
    member.source = blob->path();
    member.entry.size = blob->size();
    return member;
  }

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  const ListSigner& signer_;
  const std::optional<LockedSources>& locked_;
  fetch::Context context_;
  models::Obtainer obtainer_;
  std::vector<models::Model> models_;
  ModelMembers out_;
};

}  // namespace

lock::LockedModel obtain_for_lock(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                  const recipe::Model& wanted) {
  const fetch::Context context = tools.fetch_context();
  models::Obtainer obtainer(context, places_of(tools, recipe));
  lock::LockedModel row;
  row.is_in_image = wanted.when == ModelTime::kBuild;
  row.model = row.is_in_image ? obtainer.fetch(wanted) : obtainer.describe(wanted, obtainer.resolve(wanted));
  if (wanted.source.kind == recipe::SourceKind::kFile) {
    for (models::ModelFile& file : row.model.files) file.urls.clear();  // a path of this machine
  }
  return row;
}

ModelMembers obtain_models(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const ListSigner& signer,
                           const std::optional<LockedSources>& locked) {
  if (recipe.models.empty()) return {};
  return Gatherer(tools, recipe, signer, locked).run();
}

}  // namespace imgforge::stages
