// One check as one row, whatever becomes of it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "core/counting.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {

/// Runs `body`, which returns its detail; an error becomes a failed row, kInterrupted goes on. Returns
/// whether the check passed.
template <class Body>
bool attempt(std::vector<CheckRow>& rows, std::string subject, const char* check, Body&& body) {
  CheckRow row{std::move(subject), check, false, {}, {}, {}};
  try {
    row.detail = body();
    row.ok = true;
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kInterrupted) throw;
    row.fail(error);
  } catch (const std::filesystem::filesystem_error& error) {
    row.detail = core::escaped(error.what());
    row.kind = core::Kind::kIo;
  }
  rows.push_back(std::move(row));
  return rows.back().ok;
}

/// Of a signature that is not needed: when its key does not count, it says nothing, good or bad. Why it does
/// not stays in the row.
inline void note_uncounted(CheckRow& row) {
  if (row.ok || !core::does_not_count(row.reason)) return;
  row = {row.subject, row.check, true, "not counted: " + row.detail, {}, row.reason};
}

}  // namespace imgforge::artifacts
