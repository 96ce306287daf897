// Containers whose files are stored as they are, in one piece or several: a member is the list of its places.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/compare/members/members.hpp"

namespace imgforge::compare {

class PlacedMembers : public MemberSource {
 public:
  PlacedMembers(const Window& window, const CompareTools& tools) : reader_(window), cancel_(tools.cancel) {}
  void extract(const std::map<std::string, std::filesystem::path>& wanted) override;

 protected:
  /// A regular file whose content is these parts (offsets count from the start of the window), in this order;
  /// hashes them. Throws kUnsafe when all files together are too much.
  void add_file(const std::string& path, Member member, std::vector<Window> places);
  const WindowReader& reader() const { return reader_; }
  const core::CancelToken& cancel() const { return cancel_; }

 private:
  void read(const std::vector<Window>& places, const Sink& sink) const;

  WindowReader reader_;
  core::CancelToken cancel_;
  std::map<std::string, std::vector<Window>> places_;
  std::uint64_t pieces_ = 0;  ///< of all files
};

}  // namespace imgforge::compare
