#include "builder/compare/members/iso_records.hpp"
#include "builder/compare/members/placed_members.hpp"
#include "core/error.hpp"

namespace imgforge::compare {
namespace {

using core::Error;
using core::Kind;

class IsoMembers : public PlacedMembers {
 public:
  IsoMembers(const Window& window, const CompareTools& tools) : PlacedMembers(window, tools) {
    visit_iso([&](std::uint64_t offset, std::size_t size) { return reader().read(offset, size); }, cancel(),
              [&](const std::string& path, const IsoRecord& record) { add_record(path, record); });
  }

 private:
  void add_record(const std::string& path, const IsoRecord& record) {
    Member member{.fields = record.fields};
    if (record.is_directory) return add(path, std::move(member));
    if (record.extent > reader().window().size || record.size > reader().window().size - record.extent)
      throw Error(Kind::kImage, "a file of the ISO image ends behind it");
    member.size = record.size;
    add_file(path, std::move(member), {{{}, record.extent, record.size}});
  }
};

}  // namespace

std::unique_ptr<MemberSource> iso_members(const Window& window, const CompareTools& tools) {
  return std::make_unique<IsoMembers>(window, tools);
}

}  // namespace imgforge::compare
