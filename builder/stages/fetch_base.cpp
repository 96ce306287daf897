#include "builder/stages/fetch_base.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace imgforge::stages {
namespace {

constexpr std::string_view kVirt = "virt";
/// What the name of virt has in place of a flavor.
constexpr std::string_view kBaseWord = "base";

}  // namespace

std::string base_iso_name(std::string_view flavor, std::string_view version, std::string_view arch) {
  return fetch::release_file(flavor == kVirt ? kBaseWord : flavor, version, arch);
}

FetchedBase fetch_base_iso(Toolbox& tools, const fetch::BaseRequest& request,
                           const std::filesystem::path& output_dir) {
  if (request.flavor == fetch::kMiniRootFs || request.flavor == kBaseWord) {
    throw core::Error(core::Kind::kUsage,
                      fmt::format("the flavor {} of Alpine is no ISO image", request.flavor))
        .hint("choose virt, standard or extended; a build fetches the mini root file system by itself");
  }
  // A store that cannot be written is told now, not after the download.
  const artifacts::Store store = artifacts::Store::create(output_dir);
  const fetch::Context context = tools.fetch_context();
  const fetch::BaseSource source =
      core::while_doing("looking for the base", [&] { return fetch::find_base(context, request); });
  const artifacts::VerifiedFile file = fetch::fetch_base(context, source);
  const artifacts::PlacedFile placed = artifacts::place_file(
      store, "isos", base_iso_name(source.flavor, source.version, source.arch), file, tools.cancel);
  return {source, file, placed};
}

}  // namespace imgforge::stages
