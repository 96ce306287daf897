#include "fuzz/target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {
namespace {

constexpr Target kTargets[] = {
    {"agent_reply", agent_reply},
    {"apk_index", apk_index},
    {"apk_index_text", apk_index_text},
    {"apk_installed", apk_installed},
    {"apk_installed_files", apk_installed_files},
    {"apk_package", apk_package},
    {"apk_v3_database", apk_v3_database},
    {"apk_v3_index", apk_v3_index},
    {"apk_v3_package", apk_v3_package},
    {"bill_of_materials", bill_of_materials},
    {"boot_entry", boot_entry},
    {"catalogue_metadata", catalogue_metadata},
    {"checksum_file", checksum_file},
    {"chunk_list", chunk_list},
    {"cpio", cpio_archive},
    {"dsse", dsse},
    {"elf", elf},
    {"fat", fat_files},
    {"file_list", file_list},
    {"gguf", gguf},
    {"gpt", gpt},
    {"guest_accounts", guest_accounts},
    {"guest_answer", guest_answer},
    {"gzip_members", gzip_members},
    {"http_range", http_range},
    {"http_request", http_request},
    {"iso", iso_files},
    {"isolinux_menu", isolinux_menu},
    {"kernel", kernel},
    {"kernel_config", kernel_config},
    {"key_rules", key_rules},
    {"lock", lock_file},
    {"machine_bundle", machine_bundle},
    {"machine_settings", machine_settings},
    {"manifest", manifest},
    {"minisign_public_key", minisign_public_key},
    {"minisign_secret_key", minisign_secret_key},
    {"minisign_signature", minisign_signature},
    {"module_table", module_table},
    {"move_mark", move_mark},
    {"onnx", onnx},
    {"openpgp_file", openpgp_file},
    {"pe", pe},
    {"policy", policy},
    {"qcow2", qcow2},
    {"qcow2_overlay", qcow2_overlay},
    {"recipe", recipe_document},
    {"recipe_profiles", recipe_profiles},
    {"registry_challenge", registry_challenge},
    {"releases", releases},
    {"root_facts", root_facts},
    {"rootfs", rootfs},
    {"safetensors", safetensors},
    {"secdb", secdb},
    {"sections", sections},
    {"shared_report", shared_report},
    {"sigstore_bundle", sigstore_bundle},
    {"ssh_signature", ssh_signature},
    {"sums", sums},
    {"tar", tar},
    {"tar_segment", tar_segment},
    {"unpacked", unpacked},
    {"url", url},
    {"vex", vex},
};

std::filesystem::path memory_folder() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
}

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

const Target* find_target(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &Target::name);
  return found == std::end(kTargets) ? nullptr : &*found;
}

void run_refusable(const Target& target, std::string_view bytes) {
  try {
    target.run(bytes);
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kInternal) throw;
  }
}

const std::filesystem::path& file_of(std::string_view bytes) {
  static const core::TempDir folder(memory_folder(), "imgforge-fuzz");
  static const std::filesystem::path path = folder / "input";
  const core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  core::write_all(fd.get(), bytes, path.native());
  return path;
}

}  // namespace imgforge::fuzz
