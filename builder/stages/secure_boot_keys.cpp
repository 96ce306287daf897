#include "builder/stages/secure_boot_keys.hpp"

#include <fmt/format.h>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/efi/secure_boot_keys.hpp"

namespace imgforge::stages {

namespace fs = std::filesystem;

fs::path secure_boot_folder(const fs::path& keys_dir, const fs::path& folder, const std::string& keys) {
  if (keys.find('/') != std::string::npos) return folder / keys;
  return keys_dir / (keys + std::string(signing::kSecureBootSuffix));
}

std::optional<SecureBootKeys> find_secure_boot_keys(const Toolbox& tools,
                                                    const recipe::ResolvedRecipe& recipe) {
  if (!recipe.secure_boot) return std::nullopt;
  const recipe::Marked& keys = recipe.secure_boot->keys;
  SecureBootKeys found{secure_boot_folder(tools.keys_dir, recipe.folder, keys.value), {}};
  for (const char* name : {"db.crt", "PK.auth", "KEK.auth", "db.auth"}) {
    const fs::path file = found.folder / name;
    if (!fs::is_regular_file(file)) {
      throw core::Error(core::Kind::kRecipe, fmt::format("there are no Secure Boot keys {}: {} is missing",
                                                         core::escaped(keys.value), file.native()))
          .at(keys.mark)
          .hint("make them with imgforge key generate NAME --secure-boot");
    }
    found.digests[name] = core::digest_of_file(core::HashAlgorithm::kSha256, file).hex();
  }
  return found;
}

}  // namespace imgforge::stages
