#include "builder/fetch/apk/apk_keys.hpp"

#include "builder/fetch/apk/apk_names.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::string_view kFolder = "etc/apk/keys/";
constexpr std::string_view kRsaSuffix = ".rsa.pub";
constexpr std::uint64_t kKeyLimit = 16 << 10;

bool is_key_name(std::string_view name) {
  return is_plain_file_name(name) && (name.ends_with(".pub") || name.ends_with(".pem"));
}

core::Error no_name(const std::filesystem::path& file) {
  return core::Error(core::Kind::kSignature,
                     core::escaped(file.native()) + ": not a name for a repository key")
      .hint(
          "apk finds RSA keys by file name: it ends in .rsa.pub and is the name that the repository signs "
          "with");
}

}  // namespace

void add_key_member(PublicKeys& keys, artifacts::TarReader& reader, const artifacts::TarEntry& entry) {
  if (entry.type != artifacts::EntryType::kFile || !entry.path.starts_with(kFolder)) return;
  const std::string name = entry.path.substr(kFolder.size());
  if (is_key_name(name)) keys[name] = reader.read_text(kKeyLimit);
}

void require_keys_of_base(const PublicKeys& keys) {
  if (!keys.empty()) return;
  throw core::Error(core::Kind::kSignature, "the base has no keys in /" + std::string(kFolder))
      .hint("without them no package index can be verified");
}

void add_key_files(PublicKeys& keys, const std::vector<std::filesystem::path>& files) {
  for (const std::filesystem::path& file : files) {
    const std::string name = file.filename().string();
    if (!is_key_name(name)) throw no_name(file);
    const std::string text = core::read_text_file(file, kKeyLimit);
    core::while_doing("reading the key " + core::escaped(file.native()),
                      [&] { signing::check_apk_key(name, text); });
    if (!name.ends_with(kRsaSuffix) && signing::is_rsa_apk_key(name, text)) throw no_name(file);
    const auto [at, added] = keys.emplace(name, text);
    if (!added && core::trimmed(at->second) != core::trimmed(text)) {
      throw core::Error(core::Kind::kSignature,
                        core::escaped(file.native()) + ": another key has the name " + name + " already");
    }
  }
}

}  // namespace imgforge::fetch
