// What tests of machines share.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "builder/machines/registry/settings.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machines::testing {

/// Settings that are right.
inline Settings good_settings(const std::string& name = "project") {
  Settings settings;
  settings.name = name;
  settings.created = "2026-11-20T01:02:03Z";
  settings.origin = {
      "release", "/srv/out", "kodeimage", "v20261120", "/srv/out/releases/kodeimage/v20261120/k.qcow2",
      "qcow2"};
  settings.mac = "52:54:00:12:34:56";
  settings.known = true;
  return settings;
}

/// The kind of the error that a call throws; nothing when it throws none.
template <class Call>
std::optional<core::Kind> kind_of(Call&& call) {
  try {
    call();
  } catch (const core::Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

}  // namespace imgforge::machines::testing
