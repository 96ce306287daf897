#include "builder/export/simplestreams.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/manifest/version.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

using core::Json;

constexpr std::string_view kContentId = "images";

/// Text of a manifest as JSON can carry it.
std::string clean(std::string_view text) {
  return core::escaped(text);
}

std::string product_name(const Release& release) {
  return release.manifest.line() + ":" + clean(arch_of(release.manifest));
}

bool has_disk(const Line& line) {
  return std::any_of(line.releases.begin(), line.releases.end(),
                     [](const Release& release) { return find_disk(release) != nullptr; });
}

Json print_items(const Release& release) {
  const artifacts::ManifestArtifact& disk = *find_disk(release);
  Json items;
  if (release.incus) {
    items["incus.tar.xz"] = {{"ftype", "incus.tar.xz"},
                             {"path", percent_encoded(release.incus->path)},
                             {"sha256", release.incus->sha256.hex()},
                             {"size", release.incus->size},
                             {"combined_disk-kvm-img_sha256", release.incus->combined_sha256.hex()}};
  }
  items["disk.img"] = {{"ftype", "disk-kvm.img"},
                       {"path", percent_encoded(release.path_of(disk.file))},
                       {"sha256", disk.sha256.hex()},
                       {"sha512", disk.sha512.hex()},
                       {"size", disk.size}};
  return items;
}

Json print_product(const Line& line) {
  const Release& current = line.releases.front();
  Json product;
  product["aliases"] = line.name;
  product["arch"] = clean(arch_of(current.manifest));
  product["os"] = current.manifest.name;
  product["release"] = current.manifest.version;
  product["release_title"] = current.manifest.version;
  product["variant"] = current.manifest.profile.empty() ? "default" : current.manifest.profile;
  // The boot loader is not signed by a key that stock firmware knows.
  product["requirements"] = {{"secureboot", "false"}};
  product["versions"] = Json::object();
  for (const Release& release : line.releases) {
    if (find_disk(release) == nullptr) continue;
    product["versions"][stream_version(release.manifest)] = {
        {"label", "release"}, {"pubname", line.name}, {"items", print_items(release)}};
  }
  return product;
}

}  // namespace

std::string_view stream_suffix(StreamForm form) {
  return form == StreamForm::kPlain ? ".json" : ".sjson";
}

std::string stream_version(const artifacts::Manifest& manifest) {
  const std::optional<artifacts::Version> version = artifacts::Version::parse(manifest.version);
  if (version && version->chosen.empty()) {
    // Clients sort the keys as text.
    return version->revision == 0 ? version->date : fmt::format("{}.{:04}", version->date, version->revision);
  }
  std::string day = date_of(manifest);
  std::erase(day, '-');
  return day + "_" + manifest.version;
}

std::string print_streams_index(const Catalogue& catalogue, StreamForm form) {
  Json products = Json::array();
  for (const Line& line : catalogue.lines) {
    if (has_disk(line)) products.push_back(product_name(line.releases.front()));
  }
  const std::string updated = clean(newest_time(catalogue));
  Json entry{{"datatype", "image-downloads"},
             {"format", "products:1.0"},
             {"path", std::string(kStreamsImages) + std::string(stream_suffix(form))},
             {"updated", updated},
             {"products", products}};
  return core::print_json(
      {{"format", "index:1.0"}, {"updated", updated}, {"index", {{std::string(kContentId), entry}}}});
}

std::string print_streams_images(const Catalogue& catalogue) {
  Json products = Json::object();
  for (const Line& line : catalogue.lines) {
    if (has_disk(line)) products[product_name(line.releases.front())] = print_product(line);
  }
  return core::print_json({{"format", "products:1.0"},
                           {"content_id", std::string(kContentId)},
                           {"datatype", "image-downloads"},
                           {"updated", clean(newest_time(catalogue))},
                           {"products", products}});
}

}  // namespace imgforge::exports
