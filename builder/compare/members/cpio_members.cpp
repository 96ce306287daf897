#include <fmt/format.h>

#include <charconv>

#include "builder/compare/members/placed_members.hpp"
#include "builder/compare/report/fields.hpp"
#include "core/error.hpp"

namespace imgforge::compare {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kHeader = 110;
constexpr std::size_t kLongestName = 4096;
constexpr std::string_view kEnd = "TRAILER!!!";
constexpr std::uint32_t kTypeMask = 0170000;
constexpr std::uint32_t kRegular = 0100000;
constexpr std::uint32_t kLink = 0120000;

std::uint64_t padded(std::uint64_t value) {
  return (value + 3) / 4 * 4;
}

class CpioMembers : public PlacedMembers {
 public:
  CpioMembers(const Window& window, const CompareTools& tools) : PlacedMembers(window, tools) {
    while (skip_zeros()) read_member();
  }

 private:
  /// True when something follows the padding between archives.
  bool skip_zeros() {
    while (at_ < reader().window().size) {
      const std::string block = reader().read(at_, 512);
      const std::size_t next = block.find_first_not_of('\0');
      if (next != std::string::npos) {
        at_ += next;
        return true;
      }
      at_ += block.size();
    }
    return false;
  }

  void read_member() {
    cancel().check();
    const std::string header = reader().read(at_, kHeader);
    if (header.size() != kHeader || !header.starts_with("07070")) throw malformed("its header is missing");
    std::uint32_t numbers[13]{};
    for (std::size_t i = 0; i < 13; ++i) {
      const char* from = header.data() + 6 + 8 * i;
      const auto [end, code] = std::from_chars(from, from + 8, numbers[i], 16);
      if (code != std::errc{} || end != from + 8) throw malformed("its header holds no number");
    }
    const auto [inode, mode, uid, gid, links, mtime, size, major, minor, rmajor, rminor, name_size, check] =
        numbers;
    static_cast<void>(major);
    static_cast<void>(minor);
    static_cast<void>(check);
    if (name_size == 0 || name_size > kLongestName) throw malformed("its name is too long");
    std::string name = reader().read(at_ + kHeader, name_size - 1);
    const std::uint64_t content = padded(at_ + kHeader + name_size);
    if (content + size > reader().window().size) throw malformed("it ends within a member");
    at_ = padded(content + size);
    if (name == kEnd) return;
    Member member{.fields = {{"mode", fmt::format("{:07o}", mode)},
                             {"uid", std::to_string(uid)},
                             {"gid", std::to_string(gid)},
                             {"mtime", time_text(mtime)},
                             {"inode", std::to_string(inode)},
                             {"links", std::to_string(links)},
                             {"device", fmt::format("{}:{}", rmajor, rminor)}},
                  .size = size};
    const bool is_link = (mode & kTypeMask) == kLink;
    if (is_link)
      member.fields.emplace_back("link", reader().read(content, std::min<std::size_t>(size, kLongestName)));
    if (members().contains(name)) name += fmt::format(" (at {})", content);  // a later archive replaces it
    order_.push_back(name);
    if ((mode & kTypeMask) == kRegular) {
      add_file(name, std::move(member), {{{}, content, size}});
    } else {
      add(name, std::move(member));
    }
  }

  Error malformed(const char* why) const {
    return Error(Kind::kArchive, fmt::format("no cpio member at byte {}: {}", at_, why));
  }

  std::uint64_t at_ = 0;
};

}  // namespace

std::unique_ptr<MemberSource> cpio_members(const Window& window, const CompareTools& tools) {
  return std::make_unique<CpioMembers>(window, tools);
}

}  // namespace imgforge::compare
