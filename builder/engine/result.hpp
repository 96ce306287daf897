// How the engine writes, reads and compares results, derived from what a type says of itself:
//   members()          all of it, as a record (core/record.hpp): for results that the cache keeps
//   identity()         text that fingerprints of later steps hold in place of all members
//   files()            digests of the blobs that it names
// Included by the .cpp files of steps only.
#pragma once

#include <concepts>

#include "builder/engine/step.hpp"
#include "core/record.hpp"

namespace imgforge::engine {

template <class T>
concept HasIdentity = requires(const T& result) {
  { result.identity() } -> std::convertible_to<std::string>;
};
template <class T>
concept HasFiles = requires(const T& result) {
  { result.files() } -> std::convertible_to<std::vector<core::Digest>>;
};

template <class Result>
ResultType transient() {
  ResultType type;
  if constexpr (HasIdentity<Result>) {
    type.identity = [](const void* result) {
      return core::Json(static_cast<const Result*>(result)->identity()).dump();
    };
  } else if constexpr (core::Record<Result>) {
    type.identity = [](const void* result) {
      return core::write_record(*static_cast<const Result*>(result)).dump();
    };
  }
  if constexpr (HasFiles<Result>) {
    type.files = [](const void* result) -> std::vector<core::Digest> {
      return static_cast<const Result*>(result)->files();
    };
  }
  return type;
}

template <core::Record Result>
ResultType recorded() {
  ResultType type = transient<Result>();
  type.write = [](const void* result) {
    return core::write_record(*static_cast<const Result*>(result)).dump();
  };
  type.read = [](const std::string& text) -> AnyResult {
    const core::Json json = core::parse_json(text, "the record", {64 << 20, 32});
    return std::make_shared<const Result>(core::read_record<Result>(json, "result"));
  };
  return type;
}

}  // namespace imgforge::engine
