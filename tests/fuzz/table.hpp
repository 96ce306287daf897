// The functions of the table of targets, by the file that has them.
#pragma once

#include <string_view>

namespace imgforge::fuzz {

// comparisons.cpp
void cpio_archive(std::string_view bytes);
void fat_files(std::string_view bytes);
void file_list(std::string_view bytes);
void iso_files(std::string_view bytes);
void sections(std::string_view bytes);

// machines.cpp
void agent_reply(std::string_view bytes);
void guest_accounts(std::string_view bytes);
void machine_bundle(std::string_view bytes);
void machine_settings(std::string_view bytes);
void move_mark(std::string_view bytes);
void shared_report(std::string_view bytes);

// packages.cpp
void apk_index(std::string_view bytes);
void apk_index_text(std::string_view bytes);
void apk_installed(std::string_view bytes);
void apk_installed_files(std::string_view bytes);
void apk_package(std::string_view bytes);
void apk_v3_database(std::string_view bytes);
void apk_v3_index(std::string_view bytes);
void apk_v3_package(std::string_view bytes);
void checksum_file(std::string_view bytes);
void gzip_members(std::string_view bytes);
void releases(std::string_view bytes);
void tar(std::string_view bytes);
void tar_segment(std::string_view bytes);
void unpacked(std::string_view bytes);
void url(std::string_view bytes);

// signatures.cpp
void key_rules(std::string_view bytes);
void minisign_public_key(std::string_view bytes);
void minisign_secret_key(std::string_view bytes);
void dsse(std::string_view bytes);
void openpgp_file(std::string_view bytes);
void sigstore_bundle(std::string_view bytes);
void ssh_signature(std::string_view bytes);
void minisign_signature(std::string_view bytes);

// catalogues.cpp
void catalogue_metadata(std::string_view bytes);

// records.cpp
void sums(std::string_view bytes);
void policy(std::string_view bytes);
void chunk_list(std::string_view bytes);
void lock_file(std::string_view bytes);
void manifest(std::string_view bytes);
void recipe_document(std::string_view bytes);
void recipe_profiles(std::string_view bytes);

// contents.cpp
void bill_of_materials(std::string_view bytes);
void secdb(std::string_view bytes);
void vex(std::string_view bytes);

// models.cpp
void gguf(std::string_view bytes);
void onnx(std::string_view bytes);
void registry_challenge(std::string_view bytes);
void safetensors(std::string_view bytes);

// images.cpp
void elf(std::string_view bytes);
void gpt(std::string_view bytes);
void qcow2(std::string_view bytes);
void qcow2_overlay(std::string_view bytes);
void kernel(std::string_view bytes);
void kernel_config(std::string_view bytes);
void module_table(std::string_view bytes);
void pe(std::string_view bytes);
void rootfs(std::string_view bytes);

// systems.cpp
void boot_entry(std::string_view bytes);
void guest_answer(std::string_view bytes);
void isolinux_menu(std::string_view bytes);
void root_facts(std::string_view bytes);

// requests.cpp
void http_range(std::string_view bytes);
void http_request(std::string_view bytes);

}  // namespace imgforge::fuzz
