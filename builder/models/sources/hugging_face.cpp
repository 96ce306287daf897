// The hub of Hugging Face, as its own client asks it: `GET /api/models/<repo>/revision/<rev>?blobs=true`
// names the commit and, for each file, size and digest (sha256 of large files, git's object name of small
// ones);
// `/<repo>/resolve/<commit>/<path>` gives a file.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "builder/fetch/http/http_cache.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/models/shards.hpp"
#include "builder/models/sources/model_sources.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::uint64_t kMaxListing = 64u << 20;

bool is_hex(const std::string& text, std::size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// As one part of a URL's path: the hub wants a revision "refs/pr/1" so.
std::string encoded_part(const std::string& text) {
  std::string out;
  for (const std::string& part : core::split(text, '/'))
    out += (out.empty() ? "" : "%2F") + encoded_path(part);
  return out;
}

struct Listing {
  std::string commit;
  std::string name;  ///< of the repository, today
  std::string licence;
  std::map<std::string, ModelFile> files;
};

ModelFile read_row(const Json& row, const std::string& path) {
  ModelFile file{.path = path};
  file.by = "the hub";
  if (row.contains("size") && row.at("size").is_number_unsigned())
    file.size = row.at("size").get<std::uint64_t>();
  if (row.contains("lfs") && row.at("lfs").is_object()) {
    const Json& lfs = row.at("lfs");
    const std::string hex =
        lfs.contains("sha256") ? lfs.at("sha256").get<std::string>() : lfs.at("oid").get<std::string>();
    file.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, hex);
    file.size = lfs.at("size").get<std::uint64_t>();
  } else if (row.contains("blobId") && row.at("blobId").is_string()) {
    const std::string blob = row.at("blobId").get<std::string>();
    if (is_hex(blob, 40)) file.git_blob = blob;
  }
  return file;
}

std::string licence_of(const Json& json) {
  if (json.contains("cardData") && json.at("cardData").is_object()) {
    const Json& card = json.at("cardData");
    if (card.contains("license") && card.at("license").is_string())
      return card.at("license").get<std::string>();
  }
  for (const Json& tag : json.value("tags", Json::array())) {
    if (tag.is_string() && tag.get<std::string>().starts_with("license:"))
      return tag.get<std::string>().substr(8);
  }
  return {};
}

Listing read_listing(const std::string& text, const std::string& what) {
  const Json json = core::parse_json(text, what, {.bytes = kMaxListing, .depth = 32});
  try {
    Listing listing;
    listing.commit = json.at("sha").get<std::string>();
    if (!is_hex(listing.commit, 40)) throw Error(Kind::kIntegrity, what + ": it names no commit");
    if (json.contains("id") && json.at("id").is_string()) listing.name = json.at("id").get<std::string>();
    listing.licence = core::escaped(licence_of(json), 80);
    for (const Json& row : json.at("siblings")) {
      const std::string path = row.at("rfilename").get<std::string>();
      // Others cannot be put below a folder; they are asked for by nobody.
      if (is_clean_path(path)) listing.files.emplace(path, read_row(row, path));
    }
    return listing;
  } catch (const Json::exception& error) {
    throw Error(Kind::kIntegrity, what + ": " + core::escaped(error.what(), 160));
  }
}

class Repository {
 public:
  Repository(const fetch::Context& context, const recipe::Model& wanted, const Places& places)
      : context_(context), wanted_(wanted), endpoint_(places.hugging_face), source_(wanted.source) {}

  void resolve(Model& model) {
    ask();
    model.revision = listing_.commit;
    if (!listing_.name.empty() && listing_.name != source_.location) {
      model.renamed = core::escaped(listing_.name, 200);
      context_.progress.warn(fmt::format("the model {}: the hub calls {} {} today", wanted_.name,
                                         source_.location, model.renamed));
    }
    if (model.licence.empty()) model.licence = listing_.licence;
    const std::string folder = folder_of(source_.path);
    const std::string name = name_of(source_.path);
    if (is_index_name(name)) {
      take(model, source_.path, "index");
      for (const std::string& part : parts_of_index(content(source_.path), source_.text))
        take(model, folder + part, "model");
    } else if (const std::vector<std::string> parts = gguf_parts(name); parts.size() > 1) {
      for (const std::string& part : parts) take(model, folder + part, "model");
    } else {
      take(model, source_.path, "model");
      if (wanted_.sha256 && !model.files.front().sha256) model.files.front().sha256 = wanted_.sha256;
    }
    // Weights of this kind are of no use alone.
    if (source_.path.ends_with(".gguf")) return;
    for (const auto& [path, file] : listing_.files) {
      if (folder_of(path) == folder && is_companion(name_of(path)) && path != source_.path)
        take(model, path, "config");
    }
  }

 private:
  void ask() {
    const std::string url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", endpoint_,
                                        source_.location, encoded_part(source_.reference));
    try {
      const std::string what = fmt::format("{} on {}", source_.location, fetch::redacted_url(endpoint_));
      const fetch::CachedFile answer = fetch::HttpCache(context_).get(
          {.what = what, .urls = {url}, .limit = kMaxListing, .accept = [&](const fetch::CachedFile& file) {
             read_listing(file.content, what);
           }});
      listing_ = read_listing(answer.content, what);
    } catch (Error& error) {
      if (error.hint().empty())
        error.hint("is " + source_.location + " the right name, public, and does it have the revision " +
                   source_.reference + "?");
      error.at(wanted_.source_mark);
      throw;
    }
  }

  std::string url_of(const std::string& path) const {
    return fmt::format("{}/{}/resolve/{}/{}", endpoint_, source_.location, listing_.commit,
                       encoded_path(path));
  }

  void take(Model& model, const std::string& path, const char* role) {
    const auto found = listing_.files.find(path);
    if (found == listing_.files.end()) {
      std::vector<std::string> names;
      for (const auto& [name, file] : listing_.files) names.push_back(name);
      const std::string nearest = core::nearest_word(path, names);
      Error error(Kind::kFetch,
                  fmt::format("{} at {} has no file {}", source_.location, source_.reference, path));
      if (!nearest.empty()) error.hint("did you mean " + core::escaped(nearest, 120) + "?");
      throw error.at(wanted_.source_mark);
    }
    ModelFile file = found->second;
    file.urls = {url_of(path)};
    file.role = role;
    model.files.push_back(std::move(file));
  }

  /// A small file's text, kept like every answer of the hub; its digest is checked when it is fetched as a
  /// file.
  std::string content(const std::string& path) const {
    return fetch::HttpCache(context_)
        .get({.what = path + " of " + source_.location, .urls = {url_of(path)}, .limit = kMaxIndexBytes})
        .content;
  }

  const fetch::Context& context_;
  const recipe::Model& wanted_;
  std::string endpoint_;
  const recipe::ModelSource& source_;
  Listing listing_;
};

}  // namespace

void resolve_hugging_face(const fetch::Context& context, const recipe::Model& wanted, const Places& places,
                          Model& model) {
  Repository(context, wanted, places).resolve(model);
}

}  // namespace imgforge::models
