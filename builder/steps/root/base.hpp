// The base of a profile: where it comes from, and its file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/stages/host_files.hpp"
#include "builder/stages/origins.hpp"
#include "builder/steps/profile/profile.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

/// Where the base comes from today.
struct BaseSource {
  stages::BaseOrigin origin;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("origin", self.origin.identity);
  }
};

/// The base's file: a tarball, or one of Alpine's ISO images.
struct BaseResult {
  core::Digest sha256;
  std::uint64_t size = 0;
  std::int64_t newest = 0;  ///< newest time inside a tarball, in seconds since the epoch; 0: an ISO image
  std::string title;        ///< "alpine-minirootfs 3.22.2"
  std::map<std::string, std::string> keys{};   ///< inside a tarball, that sign packages; PEM by file name
  std::string apk{};                           ///< version of its apk-tools; empty: not known
  std::vector<stages::HostFile> host_files{};  ///< kernel and shell of the embedded base, when it was made
  std::string identity() const { return sha256.hex(); }
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("newest", self.newest);
    visit("title", self.title);
    visit("keys", self.keys);
    visit("apk", self.apk);
    visit("host_files", self.host_files);
  }
};

engine::Ref<BaseSource> add_base_source(engine::Graph& graph, Profile& profile);
engine::Ref<BaseResult> add_base(engine::Graph& graph, Profile& profile, engine::Ref<BaseSource> source);

}  // namespace imgforge::steps
