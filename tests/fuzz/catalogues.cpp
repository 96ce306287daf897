// Metadata of catalogues. What is read must have one canonical form.
#include <stdexcept>

#include "artifacts/catalogue/metadata.hpp"
#include "core/error.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {

void catalogue_metadata(std::string_view bytes) {
  const auto kind = [&](std::string_view type) { return bytes.find(type) != std::string_view::npos; };
  if (kind("\"_type\":\"root\"")) {
    catalogue::Root::parse(bytes);
    return;
  }
  const std::string_view type = kind("\"_type\":\"targets\"") ? "targets" : "timestamp";
  const catalogue::Document document = catalogue::parse_document(bytes, type, catalogue::kMaxTargets);
  const core::Json again = core::parse_json(catalogue::canonical_json(document.body), "canonical JSON");
  if (catalogue::canonical_json(again) != document.signed_bytes)
    throw std::logic_error("canonical JSON changes when it is read again");
  if (type == "targets")
    catalogue::targets_of(document);
  else
    catalogue::file_metas(document);
}

}  // namespace imgforge::fuzz
