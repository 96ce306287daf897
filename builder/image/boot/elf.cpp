#include "builder/image/boot/elf.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

constexpr std::size_t kMaxProgramHeaders = 256;
constexpr std::size_t kMaxDynamicEntries = 4096;

class ElfFile {
 public:
  ElfFile(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void fail(std::string_view why) const {
    throw core::Error(core::Kind::kImage, fmt::format("{} is not a usable program: {}", name_, why));
  }

  template <class T>
  T at(std::uint64_t offset) const {
    T value;
    std::memcpy(&value, slice(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view slice(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) fail("a header points outside the file");
    return bytes_.substr(offset, size);
  }

  /// NUL-terminated text; the terminator must be inside the file.
  std::string text(std::uint64_t offset) const {
    const std::string_view rest =
        slice(offset, bytes_.size() - std::min<std::uint64_t>(offset, bytes_.size()));
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) fail("a text has no end");
    return std::string(rest.substr(0, end));
  }

 private:
  std::string_view bytes_;
  std::string_view name_;
};

std::vector<Elf64_Phdr> program_headers(const ElfFile& file) {
  const auto header = file.at<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) file.fail("it has no ELF header");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    file.fail("only 64-bit little-endian programs are supported");
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxProgramHeaders) {
    file.fail("its program headers are malformed");
  }
  std::vector<Elf64_Phdr> headers;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    headers.push_back(file.at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
  }
  return headers;
}

std::uint64_t file_offset_of(const ElfFile& file, const std::vector<Elf64_Phdr>& headers,
                             std::uint64_t address) {
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_LOAD && address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz) {
      return header.p_offset + (address - header.p_vaddr);
    }
  }
  file.fail("its string table is not in the file");
}

std::vector<std::string> needed_names(const ElfFile& file, const std::vector<Elf64_Phdr>& headers,
                                      const Elf64_Phdr& dynamic) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t strings = 0;
  for (std::size_t i = 0; i < dynamic.p_filesz / sizeof(Elf64_Dyn); ++i) {
    if (i >= kMaxDynamicEntries) file.fail("its dynamic section is too long");
    const auto entry = file.at<Elf64_Dyn>(dynamic.p_offset + i * sizeof(Elf64_Dyn));
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) offsets.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_STRTAB) strings = file_offset_of(file, headers, entry.d_un.d_ptr);
  }
  std::vector<std::string> names;
  for (const std::uint64_t offset : offsets) {
    std::string name = file.text(strings + offset);
    if (name.empty() || name.find('/') != std::string::npos) {
      file.fail("it needs a library named \"" + core::escaped(name) + "\"");
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

ElfNeeds read_elf_needs(std::string_view bytes, std::string_view name) {
  const ElfFile file(bytes, name);
  const std::vector<Elf64_Phdr> headers = program_headers(file);
  ElfNeeds needs;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_INTERP) needs.interpreter = file.text(header.p_offset);
    if (header.p_type == PT_DYNAMIC) needs.needed = needed_names(file, headers, header);
  }
  return needs;
}

}  // namespace imgforge::image
