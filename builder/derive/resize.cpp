// resize_release of derive.hpp.
#include <fmt/format.h>

#include "artifacts/manifest/formats.hpp"
#include "builder/derive/derivation.hpp"
#include "builder/image/disk/disk_grow.hpp"
#include "core/json.hpp"

namespace imgforge::derive {
namespace {

using artifacts::ManifestArtifact;

const ManifestArtifact& origin_of(const Source& source, const std::string& format) {
  for (const std::string& candidate : artifacts::machine_disk_names()) {
    const ManifestArtifact* found = source.find(candidate);
    if (found != nullptr && (format.empty() || format == candidate)) return *found;
  }
  throw source.lacks(format.empty() ? "qcow2 or raw disk" : format);
}

/// What a disk of that size becomes: whole MiB.
core::Bytes reached(core::Bytes size) {
  const std::uint64_t mebibyte = core::mib(1).value;
  return {(size.value + mebibyte - 1) / mebibyte * mebibyte};
}

}  // namespace

artifacts::PublishResult resize_release(stages::Toolbox& tools, artifacts::Store& store,
                                        const DeriveRequest& request, core::Bytes size,
                                        const std::string& format) {
  if (!format.empty()) check_format_name(format);
  if (!format.empty() && !artifacts::find_format(format)->is_machine_disk) {
    throw core::Error(core::Kind::kUsage, fmt::format("{} is not resized", format))
        .hint("resize qcow2 or raw, then convert the result");
  }
  return core::while_doing("resizing " + request.source.reference(), [&] {
    Derivation work(tools, request);
    const ManifestArtifact& origin = origin_of(work.source(), format);
    work.add(origin, origin.format, core::Json{{"size", size.value}}.dump(), {"e2fsck", "resize2fs"},
             [&](const std::filesystem::path& folder) {
               const std::filesystem::path raw = folder / "disk.raw";
               work.unpack(origin, raw);
               const image::GrownDisk grown =
                   image::grow_disk(raw, size, folder, tools.processes, tools.cancel);
               MadeFile made = work.pack(raw, origin.format, origin, folder);
               made.detail = fmt::format("{} -> {}, root {} · {}", grown.before.to_string(),
                                         grown.after.to_string(), grown.root.to_string(), made.detail);
               return made;
             });
    return work.run(store, "resize", "resize to " + reached(size).to_string());
  });
}

}  // namespace imgforge::derive
