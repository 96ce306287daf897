// Simple Streams 1.0 (https://launchpad.net/simplestreams) as Incus and virt-builder read it: an index and
// one list of products. A line is a product; its versions begin with the day, because Incus takes it out of
// there. The disk's item has the key that virt-builder looks for ("disk.img") and the ftype that Incus looks
// for
// ("disk-kvm.img").
#pragma once

#include <string>
#include <string_view>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

/// Clients that check a GPG signature read the clearsigned `.sjson` beside each `.json`, which must name each
/// other with the same ending.
enum class StreamForm { kPlain, kSigned };

constexpr std::string_view kStreamsIndex = "streams/v1/index";    ///< without ".json"
constexpr std::string_view kStreamsImages = "streams/v1/images";  ///< without ".json"
std::string_view stream_suffix(StreamForm form);

/// Text of streams/v1/index.json.
std::string print_streams_index(const Catalogue& catalogue, StreamForm form);
/// Text of streams/v1/images.json. Releases without a disk are left out.
std::string print_streams_images(const Catalogue& catalogue);
/// The key of a version: "20261120", "20261120.0001"; a chosen version is put behind the day of its build.
std::string stream_version(const artifacts::Manifest& manifest);

}  // namespace imgforge::exports
