#include "builder/image/trust/uki.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/trust/pe.hpp"
#include "builder/image/write_file.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::image {
namespace {

constexpr const char* kStub = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLargestStub = 16 << 20;

struct Section {
  const char* name;
  std::filesystem::path content;
};

std::filesystem::path write_part(const std::filesystem::path& path, std::string_view content) {
  write_file(path, content);
  return std::filesystem::absolute(path);
}

std::uint64_t size_of(const std::filesystem::path& path) {
  const core::Fd fd = core::open_regular(path);
  return core::file_size(fd.get(), path.native());
}

/// First address behind the stub's own sections.
std::uint64_t end_of(const PeFile& stub) {
  std::uint64_t end = 0;
  for (const PeSection& section : stub.sections()) end = std::max(end, section.address + section.size);
  return end;
}

/// objcopy says nothing about a section that did not fit as wanted: the result is read again.
void check_sections(const std::filesystem::path& uki, const std::vector<Section>& sections) {
  const PeFile made(core::read_text_file(uki, 1u << 30), uki.native());
  for (const Section& wanted : sections) {
    const auto found = std::find_if(made.sections().begin(), made.sections().end(),
                                    [&](const PeSection& s) { return s.name == wanted.name; });
    if (found == made.sections().end() || found->size != size_of(wanted.content)) {
      throw core::Error(core::Kind::kImage,
                        fmt::format("objcopy did not put the section {} into {}", wanted.name, uki.native()));
    }
  }
}

}  // namespace

std::string uki_path(const std::string& name) {
  return fmt::format("EFI/Linux/{}.efi", name);
}

std::filesystem::path uki_stub() {
  return machine::require_file(kStub, "systemd-boot-efi");
}

void make_uki(const UkiParts& parts, const std::filesystem::path& output,
              const std::filesystem::path& work_dir, core::ProcessRunner& processes,
              const core::CancelToken& cancel) {
  const std::filesystem::path stub_path = uki_stub();
  const PeFile stub(core::read_text_file(stub_path, kLargestStub), stub_path.native());
  // The kernel comes last: it is unpacked in place and needs room behind it.
  const std::vector<Section> sections = {
      {".osrel", write_part(work_dir / "uki.osrel", parts.os_release)},
      {".cmdline", write_part(work_dir / "uki.cmdline", join_cmdline(parts.cmdline))},
      {".uname", write_part(work_dir / "uki.uname", parts.release)},
      {".initrd", std::filesystem::absolute(parts.initramfs)},
      {".linux", std::filesystem::absolute(parts.kernel)},
  };
  core::Command command;
  command.program = machine::require_program("objcopy").native();
  command.args = {"--preserve-dates"};  // keeps the stub's time stamp in the header
  const std::uint64_t alignment = std::max(stub.section_alignment(), kPage);
  std::uint64_t address = stub.image_base() + end_of(stub);
  for (const Section& section : sections) {
    address = round_up(address, alignment);
    command.args.insert(command.args.end(),
                        {"--add-section", fmt::format("{}={}", section.name, section.content.native()),
                         "--set-section-flags", fmt::format("{}=data,readonly", section.name),
                         "--change-section-vma", fmt::format("{}={:#x}", section.name, address)});
    address += size_of(section.content);
  }
  command.args.insert(command.args.end(), {stub_path.native(), std::filesystem::absolute(output).native()});
  processes.check(command, cancel, core::Kind::kImage);
  check_sections(output, sections);
}

}  // namespace imgforge::image
