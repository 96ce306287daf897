// convert_release of derive.hpp.
#include <fmt/format.h>

#include "artifacts/codec/packed_file.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/derive/derivation.hpp"
#include "builder/formats/records.hpp"
#include "builder/image/disk/disk_convert.hpp"

namespace imgforge::derive {
namespace {

using artifacts::ManifestArtifact;
using core::Error;
using core::Kind;

/// Why nothing but a disk can be converted.
void require_disk_format(const std::string& format) {
  check_format_name(format);
  if (image::is_disk_format(format)) return;
  const std::string_view carrier = artifacts::find_format(format)->carrier == artifacts::Carrier::kDisk
                                       ? "is a disk with other files around it"
                                       : "is made from the root file system, not from a disk";
  throw Error(Kind::kUsage, fmt::format("{} {}", format, carrier))
      .hint(fmt::format("build the recipe with --format {}", format));
}

const ManifestArtifact& origin_of(const Source& source, const std::string& from) {
  if (!from.empty()) {
    require_disk_format(from);
    if (const ManifestArtifact* artifact = source.find(from)) return *artifact;
    throw source.lacks(from);
  }
  for (const std::string_view format : image::disk_formats()) {
    if (const ManifestArtifact* artifact = source.find(format)) return *artifact;
  }
  throw source.lacks("disk to convert");
}

}  // namespace

artifacts::PublishResult convert_release(stages::Toolbox& tools, artifacts::Store& store,
                                         const DeriveRequest& request, const std::string& to,
                                         const std::string& from) {
  require_disk_format(to);
  return core::while_doing("converting " + request.source.reference(), [&] {
    Derivation work(tools, request);
    const ManifestArtifact* there = work.source().find(to);
    if (there != nullptr && !artifacts::is_packed(*there)) {
      throw Error(Kind::kUsage,
                  fmt::format("{} has {} already: {}", work.source().manifest().stem(), to, there->file));
    }
    const ManifestArtifact& origin = origin_of(work.source(), from);
    const auto programs = formats::find(to).tools;
    work.add(origin, to, "{}", {programs.begin(), programs.end()}, [&](const std::filesystem::path& folder) {
      work.unpack(origin, folder / "disk.raw");
      MadeFile made = work.pack(folder / "disk.raw", to, origin, folder);
      made.detail += " from " + origin.format;
      return made;
    });
    return work.run(store, "convert", "convert to " + to);
  });
}

}  // namespace imgforge::derive
