#include "builder/cli/arguments/openpgp_keys.hpp"

#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/private_file.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFolder = "openpgp";

signing::OpenPgpKeyring load(const fs::path& file) {
  return core::while_doing("reading the OpenPGP key " + core::escaped(file.native()), [&] {
    return signing::OpenPgpKeyring::parse(core::read_text_file(file, signing::kMaxOpenPgpKeyring));
  });
}

void add_folder(std::vector<signing::OpenPgpKeyring>& keys, const fs::path& folder) {
  std::error_code error;
  if (fs::status(folder, error).type() == fs::file_type::not_found) return;
  signing::refuse_world_writable(folder);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& file = entry.path();
    if (file.extension() == ".asc" || file.extension() == ".gpg") files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    signing::refuse_world_writable(file);
    keys.push_back(load(file));
  }
}

}  // namespace

std::vector<signing::OpenPgpKeyring> trusted_openpgp_keys() {
  std::vector<signing::OpenPgpKeyring> keys;
  add_folder(keys, fs::path(kSystemTrustedFolder) / kFolder);
  add_folder(keys, trusted_folder() / kFolder);
  return keys;
}

signing::OpenPgpKeyring trust_openpgp_key(const fs::path& file, const std::string& name) {
  signing::OpenPgpKeyring key = load(file);
  if (!signing::is_key_name(name))
    throw core::Error(core::Kind::kUsage, "\"" + core::escaped(name) + "\" cannot be the name of a key");
  const fs::path folder = trusted_folder() / kFolder;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw core::system_error(error.value(), "cannot create folder", folder.native());
  core::NewFile copy = signing::new_file(folder / (name + ".gpg"), 0644);
  signing::write_durably(copy, signing::bytes_of(key.bytes));
  copy.keep();
  return key;
}

}  // namespace imgforge::cli
