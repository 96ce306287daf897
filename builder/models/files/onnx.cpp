#include "builder/models/files/onnx.hpp"

#include <algorithm>

namespace imgforge::models {
namespace {

constexpr std::uint64_t kLargestVersion = 100;
constexpr std::uint64_t kMaxText = 256;
constexpr unsigned kMaxFields = 100'000;

enum Wire : std::uint64_t { kVarint = 0, kLength = 2 };

/// Fields of ModelProto by number.
enum Field : std::uint64_t {
  kIrVersion = 1,
  kProducerName = 2,
  kProducerVersion = 3,
  kDomain = 4,
  kModelVersion = 5,
  kDocString = 6,
  kGraph = 7,
  kOpsetImport = 8,
  kMetadata = 14,
  kTraining = 20,
  kFunctions = 25
};

/// One wire type belongs to each field; nothing for a number that ModelProto does not have.
std::optional<Wire> wire_of(std::uint64_t field) {
  switch (field) {
    case kIrVersion:
    case kModelVersion:
      return kVarint;
    case kProducerName:
    case kProducerVersion:
    case kDomain:
    case kDocString:
    case kGraph:
    case kOpsetImport:
    case kMetadata:
    case kTraining:
    case kFunctions:
      return kLength;
    default:
      return std::nullopt;
  }
}

std::optional<std::uint64_t> varint(ByteSource& source) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && source.left() > 0; shift += 7) {
    const std::uint64_t byte = source.u8("varint");
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Summary> read_onnx(ByteSource& source) {
  Summary summary;
  summary.format = Format::kOnnx;
  summary.size = source.size();
  std::uint64_t version = 0;
  bool graph = false;
  for (unsigned fields = 0; source.left() > 0; ++fields) {
    const auto tag = varint(source);
    if (!tag || fields == kMaxFields) return std::nullopt;
    const auto wire = wire_of(*tag >> 3);
    if (!wire || (*tag & 7) != *wire) return std::nullopt;
    const auto value = varint(source);
    if (!value) return std::nullopt;
    const std::uint64_t field = *tag >> 3;
    if (*wire == kVarint) {
      if (field == kIrVersion) version = *value;
      continue;
    }
    if (*value > source.left()) return std::nullopt;
    graph |= field == kGraph;
    if (field == kProducerName && *value <= kMaxText) {
      summary.notes["producer"] = source.text(*value, "producer");
    } else {
      source.skip(*value, "field");
    }
  }
  if (version == 0 || version > kLargestVersion || !graph) return std::nullopt;
  summary.format_version = std::to_string(version);
  return summary;
}

}  // namespace imgforge::models
