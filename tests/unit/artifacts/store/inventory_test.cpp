// Reading a store: states, order, references, pins and the journal.
#include "artifacts/store/inventory.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "artifacts/store/journal.hpp"
#include "artifacts/store/release_reference.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;

class StoreRead : public StoreTest {
 protected:
  StoreRead() {
    publish("one");
    publish("two");  // v20261120.1
    publish("three", "20261119");
  }
  Store store() { return Store::open(out_); }
  void archive(const std::string& version) {
    fs::create_directories(out_ / "archive/202611");
    fs::rename(release(version), out_ / "archive/202611" / ("hello-minimal-" + version));
  }
  template <class Body>
  void expect_error(Kind kind, const std::string& says, Body&& body) {
    try {
      body();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_THAT(error.message() + " " + error.hint(), HasSubstr(says));
    }
  }
};

std::vector<std::string> versions(const InventoryLine& line) {
  std::vector<std::string> names;
  for (const InventoryRelease& row : line.releases) names.push_back(row.version);
  return names;
}

TEST_F(StoreRead, SaysStatesSizesAndSignatures) {
  store().promote("hello-minimal", {"20261120", 0}, trusting());
  store().pin("hello-minimal", {"20261120", 1}, "because");
  archive("v20261119");
  const std::string before = listing();
  const Inventory inventory = read_inventory(store());
  EXPECT_EQ(listing(), before);
  ASSERT_EQ(inventory.lines.size(), 1U);
  const InventoryLine& line = inventory.lines.front();
  EXPECT_EQ(line.name, "hello-minimal");
  EXPECT_THAT(versions(line), ElementsAre("v20261120.1", "v20261120", "v20261119"));
  EXPECT_EQ(line.find("v20261120.1")->state, ReleaseState::kOld);
  EXPECT_EQ(line.find("v20261120.1")->pin->reason, "because");
  EXPECT_FALSE(line.find("v20261120.1")->is_free());
  EXPECT_EQ(line.current_release()->version, "v20261120");
  EXPECT_FALSE(line.current_release()->is_free());
  EXPECT_EQ(line.find("v20261119")->state, ReleaseState::kArchived);
  EXPECT_TRUE(line.find("v20261119")->is_free());
  const InventoryRelease& release = *line.current_release();
  EXPECT_EQ(release.manifest->boots.size(), 1U);
  EXPECT_TRUE(release.manifest->packages.empty());
  EXPECT_THAT(release.signature, testing::StartsWith("toy "));
  const StoredFile* file = release.file("hello-minimal-v20261120.qcow2");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->size, fs::file_size(release.directory / file->name));
  EXPECT_GT(release.stored(), 50000U);
}

TEST_F(StoreRead, TheOverviewIsTheManifestWithoutPackages) {
  const std::string text = core::read_text_file(release("v20261120") / "manifest.json");
  Manifest whole = parse_manifest(text);
  const Manifest overview = parse_manifest_overview(text);
  EXPECT_EQ(overview.artifacts, whole.artifacts);
  EXPECT_EQ(overview.boots, whole.boots);
  EXPECT_EQ(overview.created, whole.created);
  EXPECT_EQ(overview.stem(), whole.stem());
  EXPECT_EQ(overview.documents.size(), whole.documents.size());
  for (const char* bad : {"", "[]", "{}", "{\"name\": 1}", "{\"name\": \"../x\"}"})
    EXPECT_THROW(parse_manifest_overview(bad), Error) << bad;
  for (std::size_t cut = 0; cut < text.find("\"packages\""); cut += 7)
    EXPECT_THROW(parse_manifest_overview(text.substr(0, cut)), Error) << cut;
  std::string wrong = text;
  wrong.replace(wrong.find("hello-minimal-v20261120.iso"), 27, "../../etc/passwd-x.y.z.qcow");
  EXPECT_THROW(parse_manifest_overview(wrong), Error);
}

TEST_F(StoreRead, DamageIsToldAndTheRestIsRead) {
  fs::permissions(release("v20261120") / "manifest.json", fs::perms::owner_all);
  std::ofstream(release("v20261120") / "manifest.json") << "{";
  fs::remove(out_ / "releases/hello-minimal/current");
  fs::create_symlink("../elsewhere", out_ / "releases/hello-minimal/current");
  const Inventory inventory = read_inventory(store());
  const InventoryLine& line = inventory.lines.front();
  EXPECT_THAT(line.problem, HasSubstr("elsewhere"));
  EXPECT_EQ(line.releases.size(), 3U);
  EXPECT_FALSE(line.find("v20261120")->manifest);
  EXPECT_THAT(line.find("v20261120")->problem, HasSubstr("manifest"));
  EXPECT_TRUE(line.find("v20261119")->manifest);
}

TEST_F(StoreRead, OrdersVersionsByTimeThenByNumber) {
  const auto release = [](const char* created, const char* version) {
    InventoryRelease row;
    row.version = version;
    row.manifest = Manifest{};
    row.manifest->created = created;
    return row;
  };
  EXPECT_TRUE(is_newer(release("2026-11-21T00:00:00Z", "1.0"), release("2026-11-20T00:00:00Z", "9.0")));
  EXPECT_TRUE(is_newer(release("t", "1.10"), release("t", "1.9")));
  EXPECT_FALSE(is_newer(release("t", "1.9"), release("t", "1.10")));
  EXPECT_TRUE(is_newer(release("t", "v20261120.10"), release("t", "v20261120.9")));
  EXPECT_TRUE(is_newer(release("t", "v20261120.1"), release("t", "v20261120")));
  EXPECT_NE(is_newer(release("t", "2026.02"), release("t", "2026.2")),
            is_newer(release("t", "2026.2"), release("t", "2026.02")));
}

TEST_F(StoreRead, ReferencesNameOneRelease) {
  store().promote("hello-minimal", {"20261120", 1}, trusting());
  archive("v20261119");
  const auto found = [&](const std::string& text) { return find_release(store(), text).reference(); };
  EXPECT_EQ(found("hello-minimal"), "hello-minimal@v20261120.1");
  EXPECT_EQ(found("hello-minimal@v20261120"), "hello-minimal@v20261120");
  EXPECT_EQ(found("hello-minimal-v20261120"), "hello-minimal@v20261120");
  EXPECT_EQ(found("hello-minimal-v20261119"), "hello-minimal@v20261119");
  EXPECT_TRUE(find_release(store(), "hello-minimal@v20261119").archived);
  for (const char* path :
       {"releases/hello-minimal/v20261120.1", "releases/hello-minimal/current", "images/hello-minimal.qcow2",
        "releases/hello-minimal/v20261120.1/manifest.json", "isos/hello-minimal-v20261120.1.iso"})
    EXPECT_EQ(found(out_ / path), "hello-minimal@v20261120.1") << path;
  EXPECT_EQ(found(out_ / "archive/202611/hello-minimal-v20261119"), "hello-minimal@v20261119");
  expect_error(Kind::kUsage, "did you mean hello-minimal?", [&] { found("helo-minimal"); });
  expect_error(Kind::kUsage, "did you mean hello-minimal@v20261120",
               [&] { found("hello-minimal@v2026112"); });
  for (const char* bad : {"", "@", "hello-minimal@", "hello-minimal@../v20261120", "..", "/nowhere", "x\ny"})
    expect_error(Kind::kUsage, "", [&] { found(bad); });
  expect_error(Kind::kUsage, "--output-dir", [&] { found(folder_.path()); });
  fs::create_directories(out_ / "releases/hello/minimal-v20261120");
  expect_error(Kind::kUsage, "hello@minimal-v20261120", [&] { found("hello-minimal-v20261120"); });
}

TEST_F(StoreRead, ABusyPublisherIsNeverSeenHalf) {
  std::atomic<bool> stop{false};
  std::jthread publisher([&] {
    for (int i = 0; i < 30 && !stop; ++i) publish("busy" + std::to_string(i), "20261121");
    stop = true;
  });
  int looks = 0;
  while (!stop || looks == 0) {
    const Inventory inventory = read_inventory(store());
    const InventoryLine& line = inventory.lines.front();
    ASSERT_EQ(line.problem, "");
    ASSERT_NE(line.current_release(), nullptr);
    for (const InventoryRelease& row : line.releases) {
      ASSERT_TRUE(row.manifest) << row.problem;
      ASSERT_EQ(row.files.size(), 8U) << row.version;
    }
    ++looks;
  }
}

TEST_F(StoreRead, PinsHoldEvenWhenTheyAreDamaged) {
  Store changing = store();
  EXPECT_THAT(changing.pin("hello-minimal", {"20261120", 0}, "field"), ElementsAre());
  const std::string before = listing();
  changing.pin("hello-minimal", {"20261120", 0}, "field");
  EXPECT_EQ(listing(), before);
  changing.pin("hello-minimal", {"20261120", 0}, "lab");
  EXPECT_EQ(read_pins(out_).at("hello-minimal@v20261120").reason, "lab");
  expect_error(Kind::kUsage, "one line", [&] { changing.pin("hello-minimal", {"20261120", 0}, "a\nb"); });
  expect_error(Kind::kStore, "not a release", [&] { changing.pin("hello-minimal", {"20200101", 0}, ""); });
  std::ofstream(out_ / ".pins/hello-minimal@v20261120") << "{";
  const Inventory damaged = read_inventory(changing);
  const InventoryRelease& release = *damaged.lines.front().find("v20261120");
  ASSERT_TRUE(release.pin);
  EXPECT_NE(release.pin->problem, "");
  EXPECT_FALSE(release.is_free());
  std::vector<std::string> warnings;
  EXPECT_TRUE(changing.unpin("hello-minimal", {"20261120", 0}, warnings));
  EXPECT_FALSE(changing.unpin("hello-minimal", {"20261120", 0}, warnings));
  EXPECT_TRUE(read_pins(out_).empty());
}

TEST_F(StoreRead, TheJournalOutlivesATornLine) {
  store().promote("hello-minimal", {"20261120", 0}, trusting());
  std::ofstream(out_ / kJournalFile, std::ios::app) << "{\"schema\": 1, \"tim";
  store().promote("hello-minimal", {"20261120", 1}, trusting());
  const Journal journal = read_journal(out_);
  EXPECT_EQ(journal.damaged, 1U);
  ASSERT_EQ(journal.entries.size(), 5U);
  EXPECT_EQ(journal.entries[0].command, "publish");
  EXPECT_EQ(journal.entries[3].version, "v20261120");
  EXPECT_EQ(journal.entries[4].command, "promote");
  EXPECT_EQ(journal.entries[4].version, "v20261120.1");
  EXPECT_EQ(journal.entries[4].pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_NE(journal.entries[4].user, "");
}

TEST_F(StoreRead, AJournalThatCannotBeWrittenIsAWarning) {
  fs::remove(out_ / kJournalFile);
  fs::create_directory(out_ / kJournalFile);
  const Turn turn = store().promote("hello-minimal", {"20261120", 0}, trusting());
  EXPECT_TRUE(turn.changed);
  ASSERT_EQ(turn.warnings.size(), 1U);
  EXPECT_THAT(turn.warnings.front(), HasSubstr("not noted in the journal"));
  EXPECT_EQ(store().current("hello-minimal")->to_string(), "v20261120");
}

TEST_F(StoreRead, RollbackTakesTheReleaseBefore) {
  // Published last, but built first: it is current and the oldest.
  EXPECT_EQ(store().current("hello-minimal")->to_string(), "v20261119");
  store().promote("hello-minimal", {"20261120", 1}, trusting());
  const Turn back = store().rollback("hello-minimal", {}, trusting());
  EXPECT_EQ(back.from, "v20261120.1");
  EXPECT_EQ(back.to, "v20261120");
  EXPECT_EQ(fs::read_symlink(out_ / "releases/hello-minimal/current"), "v20261120");
  store().rollback("hello-minimal", {}, trusting());
  expect_error(Kind::kUsage, "no release before v20261119",
               [&] { store().rollback("hello-minimal", {}, trusting()); });
  EXPECT_FALSE(store().promote("hello-minimal", {"20261119", 0}, trusting()).changed);
}

TEST_F(StoreRead, NothingDamagedBecomesCurrentAndNoBrokenPointerIsFollowed) {
  store().promote("hello-minimal", {"20261120", 1}, trusting());
  const fs::path iso = release("v20261120") / "hello-minimal-v20261120.iso";
  fs::permissions(iso, fs::perms::owner_all);
  std::fstream(iso, std::ios::in | std::ios::out) << "X";
  std::string before = listing();
  expect_error(Kind::kIntegrity, "sha256", [&] { store().rollback("hello-minimal", {}, trusting()); });
  EXPECT_EQ(listing(), before);
  const fs::path current = out_ / "releases/hello-minimal/current";
  for (const char* target : {"v20200101", "/etc", "../../images", ""}) {
    fs::remove_all(current);
    if (*target == '\0') {
      fs::create_directory(current);
    } else {
      fs::create_symlink(target, current);
    }
    before = listing();
    expect_error(Kind::kStore, "current", [&] {
      store().promote("hello-minimal", {"20261119", 0}, trusting());
    });
    expect_error(Kind::kStore, "current", [&] {
      store().rollback("hello-minimal", Version{"20261119", 0}, trusting());
    });
    EXPECT_EQ(listing(), before) << target;
  }
}

}  // namespace
}  // namespace imgforge::artifacts
