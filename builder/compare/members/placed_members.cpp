#include "builder/compare/members/placed_members.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/new_file.hpp"

namespace imgforge::compare {
namespace {

constexpr std::size_t kBlock = 1 << 20;
/// Files of a hostile file system can share their blocks: what is remembered is bounded.
constexpr std::uint64_t kMostPlaces = 1'000'000;

}  // namespace

void PlacedMembers::read(const std::vector<Window>& places, const Sink& sink) const {
  for (const Window& place : places) {
    for (std::uint64_t at = 0; at < place.size; at += kBlock) {
      cancel_.check();
      sink(reader_.read(place.offset + at,
                        static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, place.size - at))));
    }
  }
}

void PlacedMembers::add_file(const std::string& path, Member member, std::vector<Window> places) {
  count_bytes(member.size);
  pieces_ += places.size();
  if (pieces_ > kMostPlaces) throw core::Error(core::Kind::kUnsafe, "its files are in too many pieces");
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  read(places, [&](std::string_view bytes) { hasher.update(bytes); });
  member.sha256 = hasher.finish();
  add(path, std::move(member));
  places_[path] = std::move(places);
}

void PlacedMembers::extract(const std::map<std::string, std::filesystem::path>& wanted) {
  for (const auto& [path, target] : wanted) {
    core::NewFile out(target, 0600);
    const auto places = places_.find(path);
    if (places != places_.end()) read(places->second, [&](std::string_view bytes) { out.write(bytes); });
    out.commit();
  }
}

}  // namespace imgforge::compare
