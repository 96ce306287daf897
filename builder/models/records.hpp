// What the cache knows of models: `<cache>/models/<name>.json` says which blobs a model consists of. Blobs
// are shared by all models, profiles and recipes; a record that is dropped leaves its blobs for `gc`.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/models/model.hpp"

namespace imgforge::models {

class Records {
 public:
  /// `folder` is made when something is first written.
  explicit Records(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Nothing when there is none. A damaged record is kIntegrity.
  std::optional<Model> find(const std::string& name) const;
  /// All, by name. Damaged ones are left out and named in `damaged`.
  std::vector<Model> all(std::vector<std::string>& damaged) const;
  /// Writes a record. Another content under the name is dropped first.
  void store(const Model& model) const;
  /// False when there was none.
  bool drop(const std::string& name) const;

  struct Collected {
    std::vector<std::filesystem::path> blobs;  ///< removed, or what would be
    std::uint64_t bytes = 0;
  };
  /// Removes the blobs of dropped records that no other record names.
  Collected collect(const std::filesystem::path& blob_root, bool apply) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path path_of(const std::string& name) const { return folder_ / (name + ".json"); }
  std::filesystem::path dropped() const { return folder_ / "dropped"; }
  std::filesystem::path folder_;
};

}  // namespace imgforge::models
