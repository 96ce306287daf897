#include <fmt/format.h>

#include "artifacts/tar/tar.hpp"
#include "builder/compare/members/members.hpp"
#include "builder/compare/report/fields.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

using artifacts::EntryType;

constexpr std::size_t kBlock = 1 << 18;

artifacts::TarPolicy policy() {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  policy.total = core::gib(64);
  return policy;
}

const char* type_word(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return "file";
    case EntryType::kDirectory:
      return "directory";
    case EntryType::kSymlink:
      return "symbolic link";
    case EntryType::kHardlink:
      return "hard link";
    case EntryType::kCharDevice:
      return "character device";
    case EntryType::kBlockDevice:
      return "block device";
    case EntryType::kFifo:
      return "fifo";
  }
  return "?";
}

std::string attributes_text(const std::map<std::string, std::string>& xattrs) {
  std::string text;
  for (const auto& [name, value] : xattrs)
    text += (text.empty() ? "" : ", ") + name + "=" + core::escaped(value, 64);
  return text;
}

class TarMembers : public MemberSource {
 public:
  TarMembers(const Window& window, const CompareTools& tools) : file_(window.file), cancel_(tools.cancel) {
    artifacts::TarReader reader(file_, policy());
    artifacts::TarEntry entry;
    while (reader.next(entry)) {
      cancel_.check();
      Member member;
      member.fields = {{"type", type_word(entry.type)},
                       {"mode", fmt::format("{:04o}", entry.mode)},
                       {"uid", std::to_string(entry.uid)},
                       {"gid", std::to_string(entry.gid)},
                       {"mtime", time_text(entry.mtime)},
                       {"link", entry.link_target},
                       {"device", fmt::format("{}:{}", entry.device_major, entry.device_minor)},
                       {"extended attributes", attributes_text(entry.xattrs)}};
      if (entry.type == EntryType::kFile) {
        core::Hasher hasher(core::HashAlgorithm::kSha256);
        read(reader, [&](std::string_view bytes) { hasher.update(bytes); });
        member.size = entry.size;
        member.sha256 = hasher.finish();
      }
      add(entry.path, std::move(member));
      order_.push_back(entry.path);
    }
  }

  void extract(const std::map<std::string, std::filesystem::path>& wanted) override {
    artifacts::TarReader reader(file_, policy());
    artifacts::TarEntry entry;
    while (reader.next(entry)) {
      const auto target = wanted.find(entry.path);
      if (target == wanted.end() || entry.type != EntryType::kFile) continue;
      core::NewFile out(target->second, 0600);
      read(reader, [&](std::string_view bytes) { out.write(bytes); });
      out.commit();
    }
  }

 private:
  void read(artifacts::TarReader& reader, const Sink& sink) const {
    std::vector<std::byte> buffer(kBlock);
    while (const std::size_t n = reader.read(buffer)) {
      cancel_.check();
      sink({reinterpret_cast<const char*>(buffer.data()), n});
    }
  }

  std::filesystem::path file_;
  core::CancelToken cancel_;
};

}  // namespace

std::unique_ptr<MemberSource> tar_members(const Window& window, const CompareTools& tools) {
  return std::make_unique<TarMembers>(window, tools);
}

}  // namespace imgforge::compare
