// Which sandbox a build gets on which machine.
#include "builder/stages/isolation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace imgforge::stages {
namespace {

using machine::Accelerator;
using machine::Health;
using ::testing::HasSubstr;

const machine::AcceleratorVerdict kWithKvm{Accelerator::kKvm, "KVM works"};
const machine::AcceleratorVerdict kWithout{Accelerator::kEmulation, "this machine has no /dev/kvm"};

guest::NamespaceProbe works() {
  guest::NamespaceProbe probe;
  probe.works = true;
  return probe;
}
guest::NamespaceProbe forbidden() {
  guest::NamespaceProbe probe;
  probe.step = "making namespaces";
  probe.error_number = EPERM;
  probe.mend = "allow them";
  return probe;
}
guest::NamespaceProbe never() {
  ADD_FAILURE() << "namespaces were tried for nothing";
  return {};
}

AskAccelerator saying(const machine::AcceleratorVerdict& verdict) {
  return [verdict] { return verdict; };
}

TEST(IsolationChoice, IsTheApplianceWhereVirtualisationWorks) {
  const IsolationChoice choice = choose_isolation(IsolationWish::kAuto, saying(kWithKvm), never);
  EXPECT_EQ(choice.isolation, Isolation::kAppliance);
  EXPECT_EQ(choice.reason, "KVM works");
}

TEST(IsolationChoice, IsNamespacesWhereItDoesNot) {
  const IsolationChoice choice = choose_isolation(IsolationWish::kAuto, saying(kWithout), works);
  EXPECT_EQ(choice.isolation, Isolation::kNamespaces);
  EXPECT_EQ(choice.reason, "this machine has no /dev/kvm");
}

TEST(IsolationChoice, IsTheEmulatedApplianceWhereNeitherDoesAndSaysWhyNot) {
  const IsolationChoice choice = choose_isolation(IsolationWish::kAuto, saying(kWithout), forbidden);
  EXPECT_EQ(choice.isolation, Isolation::kAppliance);
  EXPECT_EQ(
      choice.reason,
      "this machine has no /dev/kvm; namespaces do not work: making namespaces: Operation not permitted");
}

TEST(IsolationChoice, IsWhatTheUserSays) {
  EXPECT_EQ(choose_isolation(IsolationWish::kAppliance, saying(kWithout), never).isolation,
            Isolation::kAppliance);
}

TEST(IsolationChoice, OfNamespacesLeavesVirtualisationUntried) {
  const auto unasked = []() -> machine::AcceleratorVerdict {
    ADD_FAILURE() << "KVM was tried for nothing";
    return {};
  };
  EXPECT_EQ(choose_isolation(IsolationWish::kNamespaces, unasked, never).isolation, Isolation::kNamespaces);
}

TEST(IsolationWishes, HaveTheWordsOfTheCommandLine) {
  EXPECT_EQ(isolation_wish("auto"), IsolationWish::kAuto);
  EXPECT_EQ(isolation_wish("appliance"), IsolationWish::kAppliance);
  EXPECT_EQ(isolation_wish("namespace"), IsolationWish::kNamespaces);
  EXPECT_THROW(isolation_wish("chroot"), core::Error);
}

TEST(IsolationFinding, IsGoodWhereItIsFast) {
  EXPECT_EQ(examine_isolation(IsolationWish::kAuto, kWithKvm, never).health, Health::kGood);
  const machine::Finding finding = examine_isolation(IsolationWish::kAuto, kWithout, works);
  EXPECT_EQ(finding.health, Health::kGood);
  EXPECT_THAT(finding.detail, HasSubstr("namespaces"));
}

TEST(IsolationFinding, WarnsOfTheSlowOneWithTheMend) {
  const machine::Finding finding = examine_isolation(IsolationWish::kAuto, kWithout, forbidden);
  EXPECT_EQ(finding.health, Health::kWarning);
  EXPECT_THAT(finding.detail, HasSubstr("making namespaces: Operation not permitted"));
  EXPECT_EQ(finding.mend, "allow them");
}

TEST(IsolationFinding, IsBadWhenWhatTheUserWantsDoesNotWork) {
  EXPECT_EQ(examine_isolation(IsolationWish::kNamespaces, kWithKvm, forbidden).health, Health::kBad);
}

}  // namespace
}  // namespace imgforge::stages
