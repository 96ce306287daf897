// Models into the cache: resolved, fetched, checked against every digest, looked into, recorded. Nothing of
// it touches the network when the recipe's digest, or a name that cannot move, is known already.
#pragma once

#include <vector>

#include "builder/fetch/http/context.hpp"
#include "builder/models/model.hpp"
#include "builder/models/records.hpp"
#include "builder/models/sources/model_sources.hpp"

namespace imgforge::models {

/// Whether a model may be taken whose digest neither recipe nor source gives. kFirst: its digest is learnt
/// from what came, for `model add`.
enum class Unpinned { kRefuse, kFirst };

class Obtainer {
 public:
  Obtainer(const fetch::Context& context, Places places);

  /// The model's files with their sizes, as far as they can be known before anything large is fetched.
  Model resolve(const recipe::Model& wanted);
  /// All of it in the blob store and recorded. Throws kIntegrity, kUnsafe, kFetch; kRecipe with the line to
  /// paste when nothing promises a digest.
  Model fetch(const recipe::Model& wanted, Unpinned unpinned = Unpinned::kRefuse) {
    return fetch(wanted, resolve(wanted), unpinned);
  }
  Model fetch(const recipe::Model& wanted, Model resolved, Unpinned unpinned = Unpinned::kRefuse);
  /// Digests of all files, fetching only the small ones that have none: for lists of models that are fetched
  /// later.
  Model describe(const recipe::Model& wanted, Model resolved);

  const Records& records() const { return records_; }

 private:
  std::optional<Model> known(const recipe::Model& wanted) const;
  void download(Model& model, const recipe::Model& wanted, bool all);
  void look_into(Model& model, const recipe::Model& wanted);

  const fetch::Context& context_;
  Places places_;
  Records records_;
};

/// Reads the headers of a model's files out of the blob store and puts their sums together.
Summary summarise(const Model& model, artifacts::BlobStore& blobs, const recipe::Model& wanted);

}  // namespace imgforge::models
