// What the tests of builder/compare share: pairs of files of which one byte or member is another, and the
// lines that explain them.
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "builder/compare/compare.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::compare::testing {

class CompareTest : public image::testing::ImageTest {
 protected:
  /// What is told of the files `a` and `b`.
  std::string told() const {
    std::filesystem::create_directories(path("work"));
    return as_text(compare_files("file", path("a"), path("b"), {core::system_processes(), {}, path("work")}));
  }

  /// `b` becomes `a` with other bytes at `offset`.
  void change(std::uint64_t offset, const std::string& bytes) const {
    std::string content = slurp(path("a"));
    content.replace(offset, bytes.size(), bytes);
    spill(path("b"), content);
  }

  void pair(const std::string& before, const std::string& after) const {
    spill(path("a"), before);
    spill(path("b"), after);
  }
};

}  // namespace imgforge::compare::testing
