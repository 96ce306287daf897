#include "builder/recipe/schema/schema.hpp"

#include <cstdlib>

#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/process.hpp"
#include "core/text.hpp"
#include "support/source_dir.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::expect_refused;

/// With IMGFORGE_UPDATE=1 the committed file is written instead of compared.
void expect_committed(const std::string& name, const std::string& generated, const std::string& command) {
  const std::filesystem::path file = source_dir() / "recipes" / name;
  if (std::getenv("IMGFORGE_UPDATE") != nullptr) core::write_file_atomically(file, generated);
  EXPECT_TRUE(core::read_text_file(file) == generated)
      << file << " is out of date; make it again with: " << command << " > recipes/" << name;
}

TEST(Schema, CommittedReferenceIsCurrent) {
  expect_committed("README.md", reference_markdown(), "imgforge help recipe-reference");
}

TEST(Schema, CommittedJsonSchemaIsCurrent) {
  expect_committed("imgforge.schema.json", json_schema(), "imgforge help recipe-schema");
}

TEST(Schema, EveryFieldIsDescribedAndBelongsToARecord) {
  for (const Field& field : fields()) {
    EXPECT_TRUE(field.description.ends_with('.')) << field.path;
    const auto dot = field.path.rfind('.');
    if (dot == std::string_view::npos) continue;
    const Field* parent = find_field(field.path.substr(0, dot));
    ASSERT_NE(parent, nullptr) << field.path;
    EXPECT_TRUE(parent->shape == Shape::kRecord || parent->shape == Shape::kRecordList) << field.path;
    EXPECT_NE(reference_markdown().find("`" + std::string(field.path) + "`"), std::string::npos);
  }
}

TEST(Schema, EditorsAcceptTheShippedRecipes) {
  // Read by another YAML and another JSON Schema implementation, where they are installed.
  const std::string script =
      "import json, sys\n"
      "schema = json.load(open(sys.argv[1]))\n"
      "try:\n    import jsonschema, yaml\nexcept ImportError:\n    sys.exit(77)\n"
      "check = jsonschema.Draft202012Validator(schema)\n"
      "check.check_schema(schema)\n"
      "for name in sys.argv[2:]:\n    check.validate(yaml.safe_load(open(name)))\n"
      "bad = yaml.safe_load(open(sys.argv[2]))\nbad['sevices'] = {}\n"
      "sys.exit(1 if check.is_valid(bad) else 0)\n";
  const std::string folder = source_dir().native() + "/recipes/";
  core::Command python;
  python.program = "python3";
  python.args = {"-c", script, folder + "imgforge.schema.json", folder + "hello-boot.yaml",
                 folder + "unhinged-os.yaml"};
  const core::ProcessResult result = core::system_processes().run(python, core::CancelToken());
  if (result.exit_code == 77) GTEST_SKIP() << "the Python modules jsonschema and yaml are not installed";
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Check, UnknownFieldsNameTheNearestWord) {
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nsevices: {}\n", 4, 1, "did you mean \"services\"?");
  expect_refused("imgforge: 1\nname: a\nbase:\n  alpine: { release: 3.22, sha265: x }\n", 4, 28,
                 "\"sha256\"");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nservices: { defalt: [x] }\n", 4, 13, "\"default\"");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nfiles: [{ path: /x, contents: y }]\n", 4, 21,
                 "\"content\"");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nzzzzzzzzz: 1\n", 4, 1, "a recipe has imgforge, name");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nprofiles: { p: { dsk: {} } }\n", 4, 18, "\"disk\"");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nformats: [qcow]\n", 4, 11, "did you mean \"qcow2\"?");
  expect_refused(
      "imgforge: 1\nname: a\nbase: embedded\niso: { volume_id: A_NAME_THAT_IS_LONGER_THAN_32_CHARS }\n", 4,
      19, "at most 32 characters");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nboot: { recovery: false, default: recovery }\n", 4,
                 35, "boot.recovery is false");
}

TEST(Check, MarksCoverTheWholeWord) {
  const core::Error error = testing::error_of([] { testing::parsed("imgforge: 1\nname: a\nsevices: {}\n"); });
  EXPECT_EQ(error.mark()->length, 7);
  EXPECT_EQ(error.mark()->text, "sevices: {}");
}

TEST(Check, WrongShapesSayWhatIsAccepted) {
  expect_refused("imgforge: 1\nname: [a]\n", 2, 7, "name takes a name");
  expect_refused("imgforge: 1\nname: a\ndisk: 1G\n", 3, 7, "a mapping with size, root_filesystem, root");
  expect_refused(
      "imgforge: 1\nname: a\nformats: qcow2\n", 3, 10,
      "formats takes a list of qcow2, raw, vmdk, vhdx, vdi, vm, iso, usb, netboot, rootfs, oci, not a "
      "single text");
  expect_refused("imgforge: 1\nname: a\npackages: { add: [[a]] }\n", 3, 19, "packages.add takes a list");
  expect_refused("imgforge: 1\nname: a\nfiles: [/etc/motd]\n", 3, 9, "files takes a list of mappings");
  expect_refused("imgforge: 1\nname: a\nhostname:\n", 3, 1, "hostname has no value");
  expect_refused("imgforge: 1\nname: a\nbase: embeded\n", 3, 7, "embedded or a mapping with alpine");
  expect_refused("imgforge: 1\nname: a\nprofiles: [p]\n", 3, 11, "a mapping from names to profiles");
  expect_refused("imgforge: 1\nname: a\nprofiles: {}\n", 3, 11, "no profile");
  expect_refused("imgforge: 1\nname: a\nsysctl: { a: [1] }\n", 3, 14, "sysctl.a takes one line of text");
}

TEST(Check, RequiredFieldsAreNamed) {
  expect_refused("name: a\n", 1, 1, "begin the recipe with: imgforge: 1");
  expect_refused("imgforge: 1\n", 1, 1, "\"name\" is missing");
  expect_refused("imgforge: 1\nname: a\n", 1, 1, "\"base\" is missing");
  expect_refused("imgforge: 1\nname: a\nbase: { alpine: { arch: x86_64 } }\n", 3, 17,
                 "\"base.alpine.release\" is missing");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nfiles: [{ content: x }]\n", 4, 9,
                 "\"path\" is missing");
  expect_refused("imgforge: 2\nname: a\nfuture: x\n", 1, 11, "this imgforge reads version 1");
}

TEST(Check, OperatorsBelongIntoProfiles) {
  expect_refused("imgforge: 1\nname: a\nbase: embedded\npackages: { +add: [a] }\n", 4, 13,
                 "nothing to extend");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nprofiles: { p: { disk: { +size: 1G } } }\n", 4, 26,
                 "not a list");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nprofiles: { p: { name: b } }\n", 4, 18,
                 "cannot be changed by a profile");
  expect_refused("imgforge: 1\nname: a\nbase: embedded\nprofiles: { p: { -files: [{ path: /x }] } }\n", 4, 27,
                 "list of the paths");
}

}  // namespace
}  // namespace imgforge::recipe
