// Containers of files that are compared by their members, and the signed list of files.
#include <memory>
#include <string>

#include "builder/compare/members/members.hpp"
#include "builder/compare/report/sections.hpp"
#include "builder/content/file_list.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "fuzz/table.hpp"
#include "fuzz/target.hpp"

namespace imgforge::fuzz {
namespace {

/// The volume descriptors of an ISO image begin here.
constexpr std::size_t kSystemArea = 32 << 10;

void read_members(std::unique_ptr<compare::MemberSource> (*open)(const compare::Window&,
                                                                 const compare::CompareTools&),
                  std::string_view bytes) {
  static const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-fuzz-compare");
  open(compare::whole(file_of(bytes)), {core::system_processes(), {}, folder.path()});
}

}  // namespace

void cpio_archive(std::string_view bytes) {
  read_members(compare::cpio_members, bytes);
}

void fat_files(std::string_view bytes) {
  read_members(compare::fat_members, bytes);
}

void file_list(std::string_view bytes) {
  const core::Fd fd = core::open_regular(file_of(bytes));
  content::read_file_list(fd.get(), "files");
}

void iso_files(std::string_view bytes) {
  read_members(compare::iso_members, std::string(kSystemArea, '\0') + std::string(bytes));
}

void sections(std::string_view bytes) {
  const compare::Window window = compare::whole(file_of(bytes));
  compare::elf_sections(window);
  compare::pe_sections(window);
}

}  // namespace imgforge::fuzz
