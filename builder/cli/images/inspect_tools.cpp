#include "builder/cli/images/inspect_tools.hpp"

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/formats.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

/// The manifest in `folder` with its signer; nothing when there is none.
bool read_manifest(const fs::path& folder, NamedArtifact& named) {
  const fs::path file = folder / artifacts::kManifestFile;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return false;
  const std::string text = core::read_text_file(file, artifacts::kMaxManifestBytes);
  named.manifest = artifacts::parse_manifest(text);
  try {
    named.signer = load_trust({})
                       .verify(text, core::read_text_file(file.native() + artifacts::kSignatureSuffix, 4096))
                       .signer;
  } catch (const core::Error& reason) {
    named.signer = "nobody trusted";
  }
  return true;
}

}  // namespace

NamedArtifact find_artifact(Context& context, const std::string& subject) {
  NamedArtifact named;
  std::error_code error;
  if (fs::is_regular_file(subject, error)) {
    named.file = fs::canonical(subject);
    if (read_manifest(named.file.parent_path(), named)) {
      for (const artifacts::ManifestArtifact& row : named.manifest->artifacts) {
        if (row.file == named.file.filename()) named.artifact = row;
      }
    }
    if (!named.artifact) named.manifest.reset();  // a stranger beside a release
    named.format = named.artifact ? named.artifact->format : inspect::format_of(named.file);
    const artifacts::Format* known = artifacts::find_format(named.format);
    if (named.artifact && known != nullptr && known->root == artifacts::RootPlace::kFiles)
      named.format = inspect::format_of(named.file);
    return named;
  }
  const artifacts::ReleaseLocation location = artifacts::find_release(open_store(context), subject);
  if (!read_manifest(location.directory, named))
    throw core::Error(core::Kind::kStore, location.reference() + " has no manifest");
  if (const artifacts::ManifestArtifact* easiest = inspect::easiest_root(*named.manifest)) {
    named.file = location.directory / easiest->file;
    named.format = easiest->format;
  }
  return named;
}

InspectFolder::InspectFolder(Context& context)
    : folder_(context.options.cache_dir / "tmp", "inspect"),
      tools_{context.processes, context.progress, context.cancel, context.options.cache_dir, folder_.path()} {
}

}  // namespace imgforge::cli
