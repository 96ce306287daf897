#include "builder/stages/fetch_base.hpp"

#include <gtest/gtest.h>

namespace imgforge::stages {
namespace {

TEST(BaseIsoName, VirtIsTheBaseAndOthersKeepTheirNames) {
  EXPECT_EQ(base_iso_name("virt", "3.22.2", "x86_64"), "alpine-base-3.22.2-x86_64.iso");
  EXPECT_EQ(base_iso_name("standard", "3.22.2", "x86_64"), "alpine-standard-3.22.2-x86_64.iso");
  EXPECT_EQ(base_iso_name("extended", "20251016", "aarch64"), "alpine-extended-20251016-aarch64.iso");
}

}  // namespace
}  // namespace imgforge::stages
