// The list `models`: sources taken apart, and what cannot go together shown at its place.
#include "builder/recipe/show/show.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::expect_refused;
using testing::parsed;
using testing::resolved;
using testing::with_head;

TEST(ModelSource, IsTakenApart) {
  const ModelSource hf = parse_model_source("hf://org/repo.cpp@v1.0/sub/model-00001-of-00002.gguf");
  EXPECT_EQ(hf.kind, SourceKind::kHuggingFace);
  EXPECT_EQ(hf.location, "org/repo.cpp");
  EXPECT_EQ(hf.reference, "v1.0");
  EXPECT_EQ(hf.path, "sub/model-00001-of-00002.gguf");
  EXPECT_EQ(parse_model_source("hf://org/repo/a.gguf").reference, "main");
  const ModelSource oci = parse_model_source("oci://127.0.0.1:5000/team/model:v2");
  EXPECT_EQ(oci.host, "127.0.0.1:5000");
  EXPECT_EQ(oci.location, "team/model");
  EXPECT_EQ(oci.reference, "v2");
  const std::string digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(parse_model_source("oci://ghcr.io/x@" + digest).reference, digest);
  EXPECT_EQ(parse_model_source("oci://ghcr.io/x").reference, "latest");
  const ModelSource ollama = parse_model_source("ollama://tinyllama");
  EXPECT_EQ(ollama.host, "registry.ollama.ai");
  EXPECT_EQ(ollama.location, "library/tinyllama");
  EXPECT_EQ(ollama.reference, "latest");
  EXPECT_EQ(parse_model_source("ollama://me/mine:7b").location, "me/mine");
  EXPECT_EQ(parse_model_source("ollama://127.0.0.1:99/library/mine:7b-q4_K_M").host, "127.0.0.1:99");
  EXPECT_EQ(parse_model_source("models/a.gguf").kind, SourceKind::kFile);
  EXPECT_EQ(parse_model_source("file:///srv/a.gguf").location, "/srv/a.gguf");
  EXPECT_EQ(parse_model_source("file:a.gguf").location, "a.gguf");
  EXPECT_EQ(parse_model_source("https://h/a.gguf").location, "https://h/a.gguf");
}

TEST(ModelSource, NamesOnTheHubAreTakenAsPeopleHaveThem) {
  const auto parts = [](const char* text) {
    const ModelSource source = parse_model_source(text);
    return source.location + " " + source.reference + " " + source.path;
  };
  EXPECT_EQ(parts("hf://a/b@main/Text Encoder/m.safetensors"), "a/b main Text Encoder/m.safetensors");
  EXPECT_EQ(parts("hf://a/b@main/Text%20Encoder/m.safetensors"), "a/b main Text Encoder/m.safetensors");
  EXPECT_EQ(parts("hf://a/b@refs/pr/1/m.gguf"), "a/b refs/pr/1 m.gguf");
  EXPECT_EQ(parts("hf://a/b@refs%2Fpr%2F1/m.gguf"), "a/b refs/pr/1 m.gguf");
  EXPECT_EQ(parts("hf://a/b@refs/convert/parquet/m.gguf"), "a/b refs/convert/parquet m.gguf");
  EXPECT_EQ(parts("hf://gpt2@main/model.safetensors"), "gpt2 main model.safetensors");
  EXPECT_EQ(parts("hf://o/r@main/it's [v2] #3 & 50%/m@2.gguf"), "o/r main it's [v2] #3 & 50%/m@2.gguf");
  EXPECT_EQ(parts("hf://o/r/m@2.gguf"), "o/r main m@2.gguf");
}

TEST(ModelSource, AQueryIsNoPartOfWhatIsShown) {
  const ModelSource source = parse_model_source("https://c.example/api/1?type=Model&format=SafeTensor");
  EXPECT_EQ(source.text, "https://c.example/api/1");
  EXPECT_EQ(source.location, "https://c.example/api/1");
  EXPECT_EQ(source.query, "?type=Model&format=SafeTensor");
  const std::string fault = model_source_fault("https://huggingface.co/o/r/blob/main/sub/m.gguf?x=1");
  EXPECT_NE(fault.find("hf://o/r@main/sub/m.gguf"), std::string::npos) << fault;
}

TEST(ModelSource, RefusesWhatCouldLeadElsewhere) {
  for (const char* text : {"hf://org/repo@main/../../etc/passwd",
                           "hf://org/repo@main/a//b",
                           "hf://org/repo@main/./b",
                           "hf://org/repo",
                           "hf://org/repo@main/",
                           "hf://org/..@main/a",
                           "hf://o rg/repo@main/a",
                           "hf://org/repo@../a/b",
                           "hf://org/repo@main/%2e%2e/a",
                           "hf://org/repo@main/a%0ab",
                           "hf://org/repo@main/a%ff",
                           "hf://gpt2/model.safetensors",
                           "hf://org/repo@main/a?b",
                           "oci://ghcr.io",
                           "oci://ghcr.io/UPPER:tag",
                           "oci://ghcr.io/../x:tag",
                           "oci://ghcr.io/x@sha256:../../etc/x",
                           "oci://ghcr.io/x@sha256:abc",
                           "oci://ghcr.io/x@md5:d41d8cd98f00b204e9800998ecf8427e",
                           "oci://user@ghcr.io/x:y",
                           "ollama://../x",
                           "ollama://a/b/c/d:e",
                           "ollama://x:../y",
                           "ftp://h/x",
                           "../outside.gguf",
                           "a/../../b",
                           "file:../a",
                           "https://h/../../x",
                           "https://user:pass@h/x",
                           "https://h/x?token=1 2",
                           "https://h/x?token=%zz",
                           "https://h/x?a#b",
                           "s3://b/k"}) {
    EXPECT_FALSE(model_source_fault(text).empty()) << text;
    EXPECT_THROW(parse_model_source(text), core::Error) << text;
  }
}

std::string one(const std::string& fields) {
  return with_head("base: embedded\nmodels:\n  - { name: m, " + fields + " }\n");
}

TEST(Models, MistakesAreShownAtTheirPlace) {
  const std::string sha = std::string(64, 'a');
  expect_refused(one("source: \"hf://org/repo@main/../x\""), 5, 24, "\"..\"");
  expect_refused(one("source: \"zz://x\""), 5, 24, "known: https, file, hf, oci, ollama");
  expect_refused(one("source: a.gguf, sha256: \"../../etc/x\""), 5, 40, "64 lower-case hexadecimal digits");
  expect_refused(one("source: a.gguf, sha256: " + std::string(63, 'a')), 5, 40, "64 lower-case");
  expect_refused(one("source: a.gguf, sha256: " + std::string(64, 'A')), 5, 40, "64 lower-case");
  expect_refused(one("source: a.gguf, format: ggml"), 5, 40, "\"gguf\"");
  expect_refused(one("source: a.gguf, license: MIT"), 5, 32, "\"licence\"");
  expect_refused(one("source: a.gguf, layout: huggingface"), 5, 40, "hf://");
  expect_refused(one("source: a.gguf, when: first-boot"), 5, 24, "cannot read this file");
  expect_refused(one("source: \"https://h/a.gguf?x=1\", when: first-boot"), 5, 24, "must have no query");
  expect_refused(one("source: \"oci://h.io/x:y\", when: first-boot"), 5, 24, "token");
  expect_refused(one("source: \"https://h/a.gguf\", when: first-boot, sha256: " + sha), 5, 24,
                 "sha256 and size");
  expect_refused(one("source: \"hf://o/r@m/a\", when: first-boot, layout: huggingface"), 5, 66,
                 "layout plain");
  expect_refused(one("source: \"hf://o/r@m/a\", mirrors: [\"https://h/a\"]"), 5, 49,
                 "the source must be a URL");
  expect_refused(one("source: a.gguf, size: 2G"), 5, 13, "raise disk.size");
  expect_refused(with_head("base: embedded\nmodels: [{ name: m }]\n"), 4, 10, "\"source\" is missing");
  expect_refused(with_head("base: embedded\nmodels: [{ name: m, source: a }, { name: m, source: b }]\n"), 4,
                 34, "listed twice");
  expect_refused(with_head("base: { alpine: { release: 3.22, flavor: virt-iso } }\nformats: [iso]\n"
                           "models: [{ name: m, source: a }]\n"),
                 5, 18, "cannot be used with the base");
}

TEST(Models, ShowReadsBack) {
  const ResolvedRecipe first = resolved(
      "models:\n  - { name: a, source: \"hf://o/r@main/x.gguf\", metadata: { k: \"v: #\" }, when: first-boot "
      "}\n"
      "  - { name: b, source: f.bin, size: 5, allow_pickle: [f.bin], layout: ollama, licence: \"Apache-2.0\" "
      "}\n");
  const ResolvedRecipe second = resolve(parsed(show_yaml(first)), "", {});
  EXPECT_EQ(to_json(second), to_json(first)) << show_yaml(first);
  EXPECT_EQ(first.models.at(0).when, ModelTime::kFirstBoot);
}

TEST(Models, ProfilesExtendAndReplace) {
  const ResolvedRecipe recipe = resolved(
      "models: [{ name: a, source: one }, { name: b, source: two }]\n"
      "profiles: { p: { +models: [{ name: b, source: other }, { name: c, source: three }], -models: [a] } "
      "}\n",
      "p");
  ASSERT_EQ(recipe.models.size(), 2U);
  EXPECT_EQ(recipe.models[0].source.text, "other");
  EXPECT_EQ(recipe.models[1].name, "c");
}

}  // namespace
}  // namespace imgforge::recipe
