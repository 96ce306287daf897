// Files that say which machines belong together.
#include "builder/machines/group/group.hpp"

#include <gmock/gmock.h>

#include "builder/machines/group/membership.hpp"
#include "core/atomic_file.hpp"
#include "machines_testing.hpp"

namespace imgforge::machines {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file(const std::string& machines) {
  return "group: 1\nname: shop\nmachines:\n" + machines;
}

Group group(const std::string& machines) {
  return parse_group(file(machines), "machines.yaml", "/srv/shop");
}

std::vector<std::string> names(const Group& group) {
  std::vector<std::string> out;
  for (const Wanted& wanted : group.machines) out.push_back(wanted.name);
  return out;
}

void refused(const std::string& text, const std::string& says, int line) {
  SCOPED_TRACE(text);
  try {
    parse_group(text, "machines.yaml", "/srv/shop");
    ADD_FAILURE() << "was taken";
  } catch (const core::Error& error) {
    EXPECT_EQ(core::kind_name(error.kind()), core::kind_name(core::Kind::kUsage));
    EXPECT_THAT(error.message(), HasSubstr(says));
    ASSERT_TRUE(error.mark());
    EXPECT_EQ(error.mark()->line, line);
  }
}

TEST(MachineGroup, SaysWhatEachIs) {
  const Group read = group(
      "  db:\n    image: disks/db.qcow2\n    memory: 512M\n    cpus: 2\n    disk-size: 4G\n"
      "    forward: [\"5432:5432\", \"0.0.0.0:53:53/udp\"]\n    share: [./data, \"/srv/x:ro\"]\n    network: "
      "user\n"
      "    firmware: uefi\n    graphics: true\n    restart: on-failure\n    networks: [inside, out]\n"
      "    autoscale: { memory: [256M, 1G], when: { free_below: 20% } }\n    hook: /bin/true\n");
  ASSERT_EQ(read.machines.size(), 1U);
  const Wanted& db = read.machines.front();
  EXPECT_EQ(read.name, "shop");
  EXPECT_EQ(db.name, "shop-db");
  EXPECT_EQ(db.member, "db");
  EXPECT_EQ(db.source, "/srv/shop/disks/db.qcow2");
  EXPECT_EQ(db.memory, "512M");
  EXPECT_EQ(db.cpus, 2U);
  EXPECT_EQ(db.disk_size, "4G");
  EXPECT_THAT(db.forwards, ElementsAre("127.0.0.1:5432:5432", "0.0.0.0:53:53/udp"));
  EXPECT_THAT(db.shares, ElementsAre("/srv/shop/data", "/srv/x:ro"));
  EXPECT_EQ(db.firmware, "uefi");
  EXPECT_THAT(db.networks, ElementsAre("shop.inside", "shop.out"));
  EXPECT_EQ(db.autoscale, "256M..1G:20%");
  EXPECT_EQ(db.hook, "/bin/true");
  EXPECT_TRUE(db.graphics);
  EXPECT_EQ(db.restart, "on-failure");
}

TEST(MachineGroup, ReplicasAreNumberedAndWaitedForTogether) {
  const Group read = group(
      "  web: {release: kodeimage, replicas: 2, after: {db: ready}}\n"
      "  db: {release: kodeimage@v20261120, replicas: 2}\n"
      "  log: {release: kodeimage, after: {web: process}}\n");
  EXPECT_THAT(names(read), ElementsAre("shop-db-1", "shop-db-2", "shop-web-1", "shop-web-2", "shop-log"));
  EXPECT_EQ(read.machines[2].after,
            (std::map<std::string, std::string>{{"shop-db-1", "ready"}, {"shop-db-2", "ready"}}));
  EXPECT_EQ(read.machines[4].after.at("shop-web-2"), "process");
}

TEST(MachineGroup, WhatDiffersIsToldFromWhatLasts) {
  const Wanted before = group("  a: {release: kodeimage}\n").machines.front();
  const Wanted memory = group("  a: {release: kodeimage, memory: 1G}\n").machines.front();
  const Wanted release = group("  a: {release: other}\n").machines.front();
  const Wanted waiting =
      group("  a: {release: kodeimage, after: {b: ready}}\n  b: {release: x}\n").machines.back();
  EXPECT_EQ(before.lasting(), memory.lasting());
  EXPECT_NE(before.record(), memory.record());
  EXPECT_NE(before.lasting(), release.lasting());
  EXPECT_EQ(before.record(), waiting.record()) << "an order is no property of a machine";
}

TEST(MachineGroup, MistakesHaveTheirPlace) {
  refused("name: shop\nmachines: {a: {release: x}}\n", "does not begin with `group: 1`", 1);
  refused("group: 2\nname: shop\nmachines: {a: {release: x}}\n", "another kind than 1", 1);
  refused("group: 1\nmachines: {a: {release: x}}\n", "no name", 1);
  refused("group: 1\nname: shop\n", "no machines", 1);
  refused("group: 1\nname: ../shop\nmachines: {a: {release: x}}\n", "cannot be the name", 2);
  refused("group: 1\nname: shop\nmachines: [a]\n", "machines by their names", 3);
  refused("group: 1\nname: shop\nmachine: {}\n", "unknown field", 3);
  refused(file("  a: {}\n"), "stands on no release", 4);
  refused(file("  a: {release: x, image: y}\n"), "not on both", 4);
  refused(file("  a: {release: ./x}\n"), "write image", 4);
  refused(file("  a b: {release: x}\n"), "cannot be the name", 4);
  refused(file("  a: {release: x, memry: 1G}\n"), "unknown field", 4);
  refused(file("  a: {release: x, memory: lots}\n"), "", 4);
  refused(file("  a: {release: x, cpus: 0}\n"), "a number from 1 to 255", 4);
  refused(file("  a: {release: x, replicas: 51}\n"), "a number from 1 to 50", 4);
  refused(file("  a: {release: x, forward: [80]}\n"), "forwards no port", 4);
  refused(file("  a: {release: x, forward: []}\n"), "empty list", 4);
  refused(file("  a: {release: x, replicas: 2, forward: [\"80:80\"]}\n"), "the same port", 4);
  refused(file("  a: {release: x, network: none, forward: [\"80:80\"]}\n"), "another one or none", 4);
  refused(file("  a: {release: x, network: bridge}\n"), "is no network: user, none", 4);
  refused(file("  a: {release: x, networks: [../b]}\n"), "cannot be the name", 4);
  refused(file("  a: {release: x, autoscale: {memory: 1G}}\n"), "list", 4);
  refused(file("  a: {release: x, autoscale: {memory: [1G]}}\n"), "LEAST, MOST", 4);
  refused(file("  a: {release: x, autoscale: {memory: [1G, 256M]}}\n"), "no memory that can follow", 4);
  refused(file("  a: {release: x, after: {b: ready}}\n"), "no machine of that name", 4);
  refused(file("  a: {release: x, after: {b: up}}\n  b: {release: x}\n"), "one of process", 4);
  refused(file("  a: {release: x, after: b}\n  b: {release: x}\n"), "such as db: ready", 4);
  refused(file("  a: {release: x, after: {b: ready}}\n  b: {release: x, after: {a: ready}}\n"),
          "wait for each other: a, b", 1);
  refused(file("  a: {release: x, after: {a: ready}}\n"), "wait for each other: a", 1);
  refused(file("  a: {release: x, replicas: 2}\n  a-1: {release: x}\n"), "the name shop-a-1", 5);
  refused(file("  a: {release: x}\n  a: {release: x}\n"), "", 5);
}

TEST(MachineGroup, MembershipIsKeptAndReadStrictly) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-group");
  EXPECT_EQ(membership_of(folder.path()).group, "");
  const Wanted wanted = group("  a: {release: kodeimage, memory: 1G}\n").machines.front();
  keep_membership(folder.path(), "shop", wanted);
  EXPECT_EQ(membership_of(folder.path()).group, "shop");
  EXPECT_EQ(membership_of(folder.path()).wanted, wanted.record());
  for (const char* text : {"", "{", "[]", "{}", R"({"schema": 2, "group": "a", "wanted": {}})",
                           R"({"schema": 1, "group": 1, "wanted": {}})"}) {
    core::write_file_atomically(folder / kGroupFile, text);
    EXPECT_EQ(testing::kind_of([&] { membership_of(folder.path()); }), core::Kind::kIntegrity) << text;
  }
}

}  // namespace
}  // namespace imgforge::machines
