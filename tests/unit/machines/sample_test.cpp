// What a machine uses, read out of recorded texts and answers.
#include "builder/machines/metrics/sample.hpp"

#include <gtest/gtest.h>

#include "core/json.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Json;
using testing::kind_of;

constexpr const char* kStat =
    "7260 (qemu) system) S 7253 7260 7260 0 -1 4194560 9152 0 0 0 412 38 0 0 20 0 4 0 3412345 933838848 "
    "18030 "
    "18446744073709551615 1 1 0 0 0 0 0 4096 16963 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

Json disk_with(std::uint64_t read, std::uint64_t written, std::uint64_t reads, std::uint64_t writes) {
  return {{"device", "disk"},
          {"stats",
           {{"rd_bytes", read}, {"wr_bytes", written}, {"rd_operations", reads}, {"wr_operations", writes}}}};
}

TEST(Sample, TheProcessorTimeIsReadBehindTheLastBracket) {
  EXPECT_DOUBLE_EQ(parse_processor(kStat, 100).value(), 4.5);
  EXPECT_FALSE(parse_processor("", 100));
  EXPECT_FALSE(parse_processor("7260 (qemu) S 1 2", 100));
  EXPECT_FALSE(parse_processor("1 (a) S 1 1 1 0 -1 0 0 0 0 0 -5 38 0", 100));
}

TEST(Sample, ResidentMemoryIsInBytes) {
  EXPECT_EQ(parse_resident("227988 18030 9876 1 0 60000 0\n", 4096), 18030U * 4096U);
  EXPECT_FALSE(parse_resident("", 4096));
  EXPECT_FALSE(parse_resident("1 x", 4096));
}

TEST(Sample, AllDisksCountTogether) {
  const auto disks = parse_disks(Json::array({disk_with(512, 4096, 1, 2), disk_with(100, 1, 3, 4)}));
  ASSERT_TRUE(disks);
  EXPECT_EQ(disks->bytes_read, 612U);
  EXPECT_EQ(disks->bytes_written, 4097U);
  EXPECT_EQ(disks->operations, 10U);
  EXPECT_FALSE(parse_disks(Json()));
  EXPECT_FALSE(parse_disks(Json::array({{{"device", "disk"}}})));
  EXPECT_FALSE(parse_disks(Json::array({1})));
}

TEST(Sample, WhatTheBalloonDoesNotKnowIsNotANumber) {
  bool waits = false;
  const Json never{{"stats", {{"stat-available-memory", UINT64_MAX}, {"stat-free-memory", UINT64_MAX}}},
                   {"last-update", 0}};
  EXPECT_FALSE(parse_guest_free(never, waits));
  EXPECT_TRUE(waits);
  const Json told{{"stats", {{"stat-available-memory", 300}, {"stat-free-memory", 200}}}, {"last-update", 1}};
  EXPECT_EQ(parse_guest_free(told, waits), 300U);
  EXPECT_FALSE(waits);
  const Json old{{"stats", {{"stat-available-memory", UINT64_MAX}, {"stat-free-memory", 200}}},
                 {"last-update", 1}};
  EXPECT_EQ(parse_guest_free(old, waits), 200U);
  EXPECT_FALSE(parse_guest_free(Json("x"), waits));
  EXPECT_EQ(parse_given({{"actual", 268435456}}), 268435456U);
  EXPECT_FALSE(parse_given({{"actual", -1}}));
}

TEST(Sample, TheGuestsNetworkCardsCountTogetherWithoutItsLoopback) {
  const auto card = [](const char* name, std::int64_t in, std::int64_t out) {
    return Json{{"name", name}, {"statistics", {{"rx-bytes", in}, {"tx-bytes", out}}}};
  };
  const NetworkBytes bytes = parse_network_bytes(
      Json::array({card("lo", 9, 9), card("eth0", 10, 20), card("eth1", 1, 2), {{"name", "x"}}}));
  EXPECT_EQ(bytes.received, 11U);
  EXPECT_EQ(bytes.sent, 22U);
  EXPECT_EQ(kind_of([&] { parse_network_bytes(Json::array({card("eth0", -1, 0)})); }),
            core::Kind::kIntegrity);
  EXPECT_EQ(kind_of([&] { parse_network_bytes(Json::array({card("eth0", INT64_MAX, 0)})); }),
            core::Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_network_bytes(Json::object()); }), core::Kind::kIntegrity);
}

TEST(Sample, UseIsBetweenTwoSamples) {
  const Sample before{10, 1.0, 100, 1000, 500, DiskCounters{1000, 2000, 30}, NetworkBytes{10, 20}};
  const Sample now{12, 2.0, 150, 1000, 400, DiskCounters{3000, 2000, 40}, NetworkBytes{30, 20}};
  const Use use = use_between(before, now);
  EXPECT_DOUBLE_EQ(use.processor.value(), 0.5);
  EXPECT_EQ(use.resident, 150U);
  EXPECT_EQ(use.free, 400U);
  EXPECT_DOUBLE_EQ(use.bytes_read.value(), 1000);
  EXPECT_DOUBLE_EQ(use.bytes_written.value(), 0);
  EXPECT_DOUBLE_EQ(use.disk_operations.value(), 5);
  EXPECT_DOUBLE_EQ(use.received.value(), 10);
  EXPECT_DOUBLE_EQ(use.sent.value(), 0);
}

TEST(Sample, WhatIsUnknownOrWentBackHasNoRate) {
  const Sample before{10, 5.0, 100, 1000, {}, DiskCounters{1000, 2000, 30}, {}};
  const Sample now{12, 2.0, 150, 1000, {}, DiskCounters{5, 5, 5}, NetworkBytes{30, 20}};
  const Json use = as_json(use_between(before, now));
  for (const char* name : {"processor", "memory_free", "disk_read", "disk_written", "disk_operations",
                           "network_received", "network_sent"})
    EXPECT_TRUE(use.at(name).is_null()) << name;
  EXPECT_EQ(use.at("memory_resident"), 150);
  EXPECT_TRUE(as_json(use_between(now, now)).at("processor").is_null());
}

}  // namespace
}  // namespace imgforge::machines
