#include "builder/image/bundle/oci.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "builder/formats/records.hpp"

namespace imgforge::formats {
namespace {

/// What podman calls the image when it loads the archive: images of other lines and other content lie beside
/// each other. Equal roots are one image, so the version, which they may share, is no part of it.
std::string name_of(std::string line, const core::Digest& root) {
  constexpr std::size_t kDigits = 12;
  std::transform(line.begin(), line.end(), line.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return line + ":" + root.hex().substr(0, kDigits);
}

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const recipe::ResolvedRecipe& recipe = parts.recipe();
  image::OciSpec spec;
  const Intermediates::PackedRoot& packed = parts.packed_rootfs();
  spec.name = name_of(recipe.line(), packed.tar);
  spec.rootfs = packed.tar;
  spec.epoch = parts.epoch();
  spec.annotations = {{"org.opencontainers.image.title", recipe.line()}};
  if (!recipe.description.empty())
    spec.annotations["org.opencontainers.image.description"] = recipe.description;
  const std::filesystem::path output = folder / "artifact.oci.tar";
  const core::Digest manifest = image::write_oci(packed.path, spec, output, parts.cancel());
  return {{{"image", output, 0, {{"manifest", manifest.to_string()}}}}, {}};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner&,
                const core::CancelToken& cancel) {
  const std::size_t layers = image::check_oci(file, cancel);
  return {fmt::format("OCI layout, {} layer{}", layers, layers == 1 ? "" : "s")};
}

}  // namespace

const Format kOci{"oci", {}, {}, make, check};

}  // namespace imgforge::formats
