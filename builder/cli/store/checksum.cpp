#include "artifacts/check/verify.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "core/atomic_file.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using artifacts::Manifest;

struct Arguments {
  std::string reference;
  std::string algorithm = "sha256";
  std::filesystem::path output;
  std::vector<std::string> public_keys;
};

/// As sha512sum reads it, in the order of SHA256SUMS.
std::string sha512_sums(const Manifest& manifest, const std::filesystem::path& directory) {
  std::string text;
  for (const auto& row : manifest.artifacts) text += row.sha512.hex() + "  " + row.file + "\n";
  for (const auto& row : manifest.documents) text += row.sha512.hex() + "  " + row.file + "\n";
  const core::Digest own =
      core::digest_of_file(core::HashAlgorithm::kSha512, directory / artifacts::kManifestFile);
  return text + own.hex() + "  " + artifacts::kManifestFile + "\n";
}

int checksum(Context& context, const Arguments& arguments) {
  const TrustedRelease release = find_trusted(context, arguments.reference, arguments.public_keys);
  const Manifest& manifest = release.manifest.manifest();
  const std::string text = arguments.algorithm == "sha512"
                               ? sha512_sums(manifest, release.location.directory)
                               : artifacts::print_sums(manifest, release.manifest.digest());
  if (!arguments.output.empty()) {
    core::write_file_atomically(arguments.output, text);
  } else if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"release", release.location.reference()}, {"sums", text}}));
  } else {
    print(text);
  }
  return 0;
}

}  // namespace

Runner declare_checksum(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  declare_trusted(set, arguments->reference, arguments->public_keys);
  set.option("--algorithm", arguments->algorithm, "sha256 or sha512")
      .one_of({"sha256", "sha512"})
      .show_default();
  set.option("-o,--output", arguments->output, "file to write [standard output]");
  set.set_footer(
      "The digests are those of the signed manifest; no file is hashed and nothing in the release changes.\n"
      "Example: imgforge checksum hello-boot --algorithm sha512 --output SHA512SUMS");
  return [arguments](Context& context) { return checksum(context, *arguments); };
}

}  // namespace imgforge::cli
