// From sources to fetched models, with a recorder in place of the network.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "builder/fetch/http/url.hpp"
#include "builder/models/shards.hpp"
#include "builder/models/sources/obtain.hpp"
#include "builder/models/sources/registry_http.hpp"
#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "support/model_maker.hpp"

namespace imgforge::models {
namespace {

using namespace imgforge::testing;
using core::Kind;

std::string sha256(const std::string& bytes) {
  return core::digest_of(core::HashAlgorithm::kSha256, bytes).hex();
}

std::string git_blob(const std::string& bytes) {
  return core::digest_of(core::HashAlgorithm::kSha1,
                         "blob " + std::to_string(bytes.size()) + std::string(1, '\0') + bytes)
      .hex();
}

/// Answers from a table; URLs below `locked` want a bearer token.
class Net : public fetch::Http {
 public:
  void drive(fetch::Feed& feed, unsigned) override {
    while (!feed.exhausted()) {
      if (const auto transfer = feed.next()) feed.done(*transfer, one(*transfer));
    }
  }
  const fetch::HttpOptions& options() const override { return options_; }

  std::map<std::string, std::string> files;
  std::string locked;
  std::string token_url;
  std::vector<std::string> requests;

 private:
  fetch::HttpOptions options_;
  fetch::Result one(const fetch::Transfer& transfer) {
    const fetch::Request& request = transfer.request;
    requests.push_back(request.url);
    std::string body;
    if (request.url.starts_with("file://")) {
      body = core::read_text_file(fetch::file_url_path(request.url), 1u << 24);
    } else {
      const bool has_token = std::find(request.headers.begin(), request.headers.end(),
                                       "Authorization: Bearer T0ken.x") != request.headers.end();
      EXPECT_TRUE(!has_token || (!locked.empty() && request.url.starts_with(locked)))
          << request.url << " got the token";
      if (!locked.empty() && request.url.starts_with(locked) && !has_token) {
        return fetch::Failure{.error = core::Error(Kind::kFetch, request.url + ": HTTP 401"),
                              .status = 401,
                              .challenge = "Bearer realm=\"" + token_url +
                                           "\",service=\"registry\",scope=\"repository:x:pull\""};
      }
      const auto found = files.find(request.url);
      if (found == files.end())
        return fetch::Failure{
            .error = core::Error(Kind::kFetch, request.url + ": HTTP 404"), .absent = true, .status = 404};
      body = found->second;
    }
    if (request.size && body.size() != *request.size)
      return fetch::Failure{.error = core::Error(Kind::kIntegrity, "another size")};
    transfer.sink->restart();
    transfer.sink->begin({.total = body.size()});
    transfer.sink->write(core::as_bytes(body));
    transfer.sink->finish();
    return fetch::Response{.final_url = request.url, .bytes = body.size()};
  }
};

class Sources : public ::testing::Test {
 protected:
  recipe::Model wanted(const std::string& source) {
    recipe::Model model;
    model.name = "m";
    model.source = recipe::parse_model_source(source);
    return model;
  }
  Obtainer obtainer() {
    return Obtainer(context, {folder.path(), HostFiles::kRefuse, "https://hub.example"});
  }

  /// A repository of the hub with these files; those named *.gguf and *.safetensors are large ones.
  void publish(const std::map<std::string, std::string>& files) {
    core::Json rows = core::Json::array();
    for (const auto& [path, bytes] : files) {
      core::Json row{{"rfilename", path}, {"size", bytes.size()}, {"blobId", git_blob(bytes)}};
      if (path.ends_with(".gguf") || path.ends_with(".safetensors"))
        row["lfs"] = {{"sha256", sha256(bytes)}, {"size", bytes.size()}, {"pointerSize", 130}};
      rows.push_back(row);
      net.files["https://hub.example/org/repo/resolve/" + commit + "/" + path] = bytes;
    }
    const core::Json listing{{"sha", commit}, {"cardData", {{"license", "mit"}}}, {"siblings", rows}};
    net.files["https://hub.example/api/models/org/repo/revision/main?blobs=true"] = listing.dump();
    net.files["https://hub.example/api/models/org/repo/revision/" + commit + "?blobs=true"] = listing.dump();
  }

  std::string commit = std::string(40, 'c');
  core::TempDir folder{std::filesystem::temp_directory_path(), "models-test"};
  artifacts::BlobStore blobs{folder / "blobs"};
  Net net;
  fetch::Context context{net, blobs, core::no_progress(), {}, folder.path()};
};

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was refused";
  return {Kind::kInternal, ""};
}

TEST_F(Sources, AHubFileIsPinnedByTheHub) {
  const std::string gguf = small_llama().bytes();
  publish({{"sub/tiny.gguf", gguf}, {"README.md", "hello"}});
  const Model model = obtainer().fetch(wanted("hf://org/repo@main/sub/tiny.gguf"));
  ASSERT_EQ(model.files.size(), 1U);
  EXPECT_EQ(model.files[0].path, "sub/tiny.gguf");
  EXPECT_EQ(model.digest().hex(), sha256(gguf));
  EXPECT_EQ(model.version, sha256(gguf).substr(0, 12));
  EXPECT_EQ(model.revision, commit);
  EXPECT_EQ(model.licence, "mit");
  EXPECT_EQ(model.package_url(), "pkg:huggingface/org/repo@" + commit);
  EXPECT_EQ(model.summary.architecture, "llama");
  EXPECT_EQ(obtainer().records().find("m")->digest(), model.digest());
}

TEST_F(Sources, AFixedNameOrAPinCostsNoRequestTheSecondTime) {
  const std::string gguf = small_llama().bytes();
  publish({{"tiny.gguf", gguf}});
  obtainer().fetch(wanted("hf://org/repo@" + commit + "/tiny.gguf"));
  net.requests.clear();
  obtainer().fetch(wanted("hf://org/repo@" + commit + "/tiny.gguf"));
  EXPECT_TRUE(net.requests.empty()) << net.requests.front();
  recipe::Model pinned = wanted("hf://org/repo/tiny.gguf");
  pinned.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, sha256(gguf));
  obtainer().fetch(pinned);
  net.requests.clear();
  obtainer().fetch(pinned);
  EXPECT_TRUE(net.requests.empty());
  obtainer().fetch(wanted("hf://org/repo/tiny.gguf"));
  EXPECT_EQ(net.requests.size(), 1U) << "a branch is asked about";
  context.network = fetch::Network::kOffline;
  net.requests.clear();
  EXPECT_EQ(obtainer().fetch(wanted("hf://org/repo/tiny.gguf")).digest().hex(), sha256(gguf));
  EXPECT_TRUE(net.requests.empty());
  EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("hf://org/repo/other.gguf")); }).kind(), Kind::kFetch);
}

TEST_F(Sources, AnIndexBringsItsPartsAndWhatClientsNeed) {
  const std::string part =
      safetensors_file("{" + safetensors_tensor("a", 0, 16) + "}", std::string(16, '\1'));
  const std::string other =
      safetensors_file("{" + safetensors_tensor("b", 0, 16) + "}", std::string(16, '\2'));
  publish(
      {{"model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"},
       {"one.safetensors", part},
       {"two.safetensors", other},
       {"unused.safetensors", part + "x"},
       {"config.json", R"({"model_type":"llama","max_position_embeddings":77})"},
       {"pytorch_model.bin", "\x80\x02."}});
  const Model model = obtainer().fetch(wanted("hf://org/repo/model.safetensors.index.json"));
  std::vector<std::string> paths;
  for (const ModelFile& file : model.files) paths.push_back(file.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"model.safetensors.index.json", "one.safetensors",
                                             "two.safetensors", "config.json"}));
  EXPECT_EQ(model.summary.parameters, 8U);
  EXPECT_EQ(model.summary.tensors, 2U);
  EXPECT_EQ(model.summary.architecture, "llama");
  EXPECT_EQ(model.summary.context_length, 77U);
  EXPECT_EQ(model_from_json(to_json(model), "record").digest(), model.digest());
}

TEST_F(Sources, ASplitGgufIsOneModelAndMustBeWhole) {
  const auto shard = [](unsigned number, unsigned count) {
    GgufFile file;
    file.pairs = {gguf_pair("split.no", kGgufU32, le(number, 4)),
                  gguf_pair("split.count", kGgufU32, le(count, 4))};
    if (number == 0) file.pairs.push_back(gguf_pair("general.architecture", kGgufText, gguf_text("llama")));
    return file.bytes();
  };
  publish({{"x-00001-of-00002.gguf", shard(0, 2)}, {"x-00002-of-00002.gguf", shard(1, 2)}});
  const Model model = obtainer().fetch(wanted("hf://org/repo/x-00001-of-00002.gguf"));
  EXPECT_EQ(model.files.size(), 2U);
  EXPECT_EQ(model.summary.parameters, 16U);
  EXPECT_EQ(model.summary.architecture, "llama");
  publish({{"x-00001-of-00002.gguf", shard(0, 2)}, {"x-00002-of-00002.gguf", shard(0, 2)}});
  const core::Error error =
      error_of([&] { obtainer().fetch(wanted("hf://org/repo/x-00001-of-00002.gguf")); });
  EXPECT_NE(error.message().find("is not whole"), std::string::npos) << error.message();
}

TEST_F(Sources, WrongBytesAreNeverKept) {
  const std::string gguf = small_llama().bytes();
  publish({{"tiny.gguf", gguf}, {"config.json", "{}"}, {"model.safetensors", safetensors_file("{}", "")}});
  const std::string resolve = "https://hub.example/org/repo/resolve/" + commit + "/";
  std::string other = gguf;
  other.back() = '\2';
  net.files[resolve + "tiny.gguf"] = other;
  EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("hf://org/repo/tiny.gguf")); }).kind(), Kind::kIntegrity);
  EXPECT_FALSE(blobs.find(core::Digest::from_hex(core::HashAlgorithm::kSha256, sha256(other))));
  net.files[resolve + "config.json"] = "[]";  // the same size, another file than git's name says
  const core::Error error = error_of([&] { obtainer().fetch(wanted("hf://org/repo/model.safetensors")); });
  EXPECT_NE(error.message().find("git's name"), std::string::npos) << error.message();
  EXPECT_FALSE(obtainer().records().find("m"));
  const core::Error missing = error_of([&] { obtainer().fetch(wanted("hf://org/repo/tini.gguf")); });
  EXPECT_NE(missing.hint().find("tiny.gguf"), std::string::npos) << missing.hint();
}

TEST_F(Sources, AListingThatLeadsElsewhereIsNotFollowed) {
  publish({{"a", "x"}});
  for (const char* listing : {R"({"sha":"../../x","siblings":[]})", R"({"sha":"main","siblings":[]})",
                              R"([1])", "<html>", R"({"siblings":[]})"}) {
    net.files["https://hub.example/api/models/org/repo/revision/main?blobs=true"] = listing;
    EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("hf://org/repo/a")); }).kind(), Kind::kIntegrity)
        << listing;
  }
  const std::string index = R"({"weight_map":{"a":"../../../etc/passwd"}})";
  EXPECT_THROW(parts_of_index(index, "index"), core::Error);
  for (const char* part : {"/etc/passwd", "a/b", "..", "", "a\\\\b"})
    EXPECT_THROW(parts_of_index(std::string(R"({"weight_map":{"a":")") + part + "\"}}", "index"), core::Error)
        << part;
  EXPECT_THROW(parts_of_index(R"({"weight_map":{}})", "index"), core::Error);
  EXPECT_THROW(parts_of_index(R"({"weight_map":{"a":1}})", "index"), core::Error);
}

TEST_F(Sources, AUrlWithoutDigestOffersTheLineToPaste) {
  const std::string gguf = small_llama().bytes();
  net.files["https://h/tiny.gguf"] = gguf;
  const core::Error error = error_of([&] { obtainer().fetch(wanted("https://h/tiny.gguf")); });
  EXPECT_EQ(error.kind(), Kind::kRecipe);
  EXPECT_NE(error.hint().find("sha256: " + sha256(gguf)), std::string::npos) << error.hint();
  EXPECT_FALSE(obtainer().records().find("m"));
  EXPECT_EQ(obtainer().fetch(wanted("https://h/tiny.gguf"), Unpinned::kFirst).digest().hex(), sha256(gguf));
  recipe::Model pinned = wanted("https://h/tiny.gguf");
  pinned.sha256 = core::digest_of(core::HashAlgorithm::kSha256, "other");
  EXPECT_EQ(error_of([&] { obtainer().fetch(pinned); }).kind(), Kind::kIntegrity);
  pinned.sha256 = core::digest_of(core::HashAlgorithm::kSha256, gguf);
  pinned.size = core::Bytes{gguf.size() + 1};
  EXPECT_EQ(error_of([&] { obtainer().fetch(pinned); }).kind(), Kind::kIntegrity);
}

TEST_F(Sources, PicklesNeedTheirName) {
  const std::string pickle = "\x80\x04K\x01.";
  net.files["https://h/pytorch_model.bin"] = pickle;
  recipe::Model model = wanted("https://h/pytorch_model.bin");
  model.sha256 = core::digest_of(core::HashAlgorithm::kSha256, pickle);
  EXPECT_EQ(error_of([&] { obtainer().fetch(model); }).kind(), Kind::kUnsafe);
  model.allow_pickle = {"other.bin"};
  EXPECT_EQ(error_of([&] { obtainer().fetch(model); }).kind(), Kind::kUnsafe);
  model.allow_pickle = {"pytorch_model.bin"};
  EXPECT_EQ(obtainer().fetch(model).summary.warnings.size(), 1U);
}

TEST_F(Sources, FilesOfThisMachineWorkOffline) {
  context.network = fetch::Network::kOffline;
  const std::string gguf = small_llama().bytes();
  core::write_file_atomically(folder / "my model.gguf", gguf);
  recipe::Model model = wanted("my.gguf");
  model.source.location = "my model.gguf";
  model.sha256 = core::digest_of(core::HashAlgorithm::kSha256, gguf);
  EXPECT_EQ(obtainer().fetch(model).size(), gguf.size());
  EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("missing.gguf")); }).kind(), Kind::kRecipe);
}

TEST_F(Sources, FilesOutsideOfTheRecipesFolderAreNotTouched) {
  const core::TempDir elsewhere(std::filesystem::temp_directory_path(), "models-test-elsewhere");
  core::write_file_atomically(elsewhere / "secret.gguf", small_llama().bytes());
  std::filesystem::create_symlink(elsewhere / "secret.gguf", folder / "link.gguf");
  const auto blobs_kept = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "blobs"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  };
  const std::size_t before = blobs_kept();
  const std::string absolute = (elsewhere / "secret.gguf").native();
  const core::Error outside = error_of([&] { obtainer().fetch(wanted(absolute)); });
  EXPECT_EQ(outside.kind(), Kind::kUnsafe);
  EXPECT_NE(outside.hint().find("--allow-host-files"), std::string::npos);
  const core::Error missing = error_of([&] { obtainer().fetch(wanted((elsewhere / "none.gguf").native())); });
  EXPECT_EQ(missing.kind(), Kind::kUnsafe) << "a recipe learns which files there are";
  EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("link.gguf")); }).kind(), Kind::kUnsafe);
  EXPECT_EQ(blobs_kept(), before);

  // Allowed, but promised by nobody: refused before a byte of it is copied.
  Obtainer allowed(context, {folder.path(), HostFiles::kAllow, "https://hub.example"});
  EXPECT_EQ(error_of([&] { allowed.fetch(wanted(absolute)); }).kind(), Kind::kRecipe);
  recipe::Model wrong = wanted(absolute);
  wrong.sha256 = core::digest_of(core::HashAlgorithm::kSha256, "other");
  EXPECT_EQ(error_of([&] { allowed.fetch(wrong); }).kind(), Kind::kIntegrity);
  EXPECT_EQ(blobs_kept(), before);
  EXPECT_EQ(allowed.fetch(wanted(absolute), Unpinned::kFirst).files.size(), 1U);
  EXPECT_EQ(blobs_kept(), before + 1);
}

TEST_F(Sources, AQueryIsSentAndKeptNowhere) {
  const std::string gguf = small_llama().bytes();
  net.files["https://h.example/m.gguf?token=Secret"] = gguf;
  recipe::Model model = wanted("https://h.example/m.gguf?token=Secret");
  model.sha256 = core::digest_of(core::HashAlgorithm::kSha256, gguf);
  const Model fetched = obtainer().fetch(model);
  EXPECT_EQ(fetched.files.at(0).path, "m.gguf");
  EXPECT_EQ(to_json(fetched).dump().find("Secret"), std::string::npos);
  EXPECT_EQ(fetched.package_url().find("Secret"), std::string::npos);
  EXPECT_EQ(net.requests, std::vector<std::string>{"https://h.example/m.gguf?token=Secret"});
}

TEST_F(Sources, NamesWithBlanksAndRevisionsOfRequestsAreAskedForAsTheHubWantsThem) {
  const std::string gguf = small_llama().bytes();
  publish({{"Text Encoder/it's [v2].gguf", gguf}});
  const std::string listing = net.files["https://hub.example/api/models/org/repo/revision/main?blobs=true"];
  net.files["https://hub.example/api/models/org/repo/revision/refs%2Fpr%2F1?blobs=true"] = listing;
  net.files["https://hub.example/org/repo/resolve/" + commit + "/Text%20Encoder/it%27s%20%5Bv2%5D.gguf"] =
      gguf;
  for (const char* source : {"hf://org/repo@refs/pr/1/Text Encoder/it's [v2].gguf",
                             "hf://org/repo@refs%2Fpr%2F1/Text%20Encoder/it's%20[v2].gguf",
                             "hf://org/repo@main/Text%20Encoder/it's [v2].gguf"}) {
    EXPECT_EQ(obtainer().fetch(wanted(source)).files.at(0).path, "Text Encoder/it's [v2].gguf") << source;
  }
}

class Registries : public Sources {
 protected:
  std::string layer(const std::string& bytes, const std::string& type, const std::string& title = "") {
    net.files[base + "/blobs/sha256:" + sha256(bytes)] = bytes;
    core::Json row{{"mediaType", type}, {"digest", "sha256:" + sha256(bytes)}, {"size", bytes.size()}};
    if (!title.empty()) row["annotations"] = {{"org.opencontainers.image.title", title}};
    return row.dump();
  }
  std::string push(const std::vector<std::string>& layers, const std::string& tag) {
    std::string text =
        R"({"schemaVersion":2,"config":)" + layer("{}", "application/vnd.example.config") + R"(,"layers":[)";
    for (const std::string& row : layers) text += row + (&row == &layers.back() ? "" : ",");
    text += "]}";
    net.files[base + "/manifests/" + tag] = text;
    return "sha256:" + sha256(text);
  }
  std::string base = "https://reg.example/v2/team/model";
};

TEST_F(Registries, AnArtifactIsFetchedWithATokenThatNobodyElseGets) {
  net.locked = "https://reg.example/v2/";
  net.token_url = "https://auth.example/token";
  net.files["https://auth.example/token?service=registry&scope=repository%3Ax%3Apull"] =
      R"({"token":"T0ken.x"})";
  const std::string gguf = small_llama().bytes();
  const std::string digest = push({layer(gguf, "application/vnd.example.weights", "tiny.gguf")}, "v1");
  const Model model = obtainer().fetch(wanted("oci://reg.example/team/model:v1"));
  ASSERT_EQ(model.files.size(), 1U);
  EXPECT_EQ(model.files[0].path, "tiny.gguf");
  EXPECT_EQ(model.revision, digest);
  EXPECT_EQ(model.digest().hex(), sha256(gguf));
  EXPECT_TRUE(model.package_url().starts_with("pkg:oci/model@sha256%3A")) << model.package_url();
  net.files[base + "/manifests/" + digest] = net.files[base + "/manifests/v1"];
  obtainer().fetch(wanted("oci://reg.example/team/model@" + digest));
  net.requests.clear();
  obtainer().fetch(wanted("oci://reg.example/team/model@" + digest));
  EXPECT_TRUE(net.requests.empty());
}

TEST_F(Registries, TokensThatAreNoneAreNotSent) {
  net.locked = "https://reg.example/v2/";
  net.token_url = "https://auth.example/token";
  push({layer("x", "t", "a")}, "v1");
  for (const char* answer : {R"({"token":"a\r\nHost: evil"})", R"({"token":""})", R"({})", R"([])"}) {
    net.files["https://auth.example/token?service=registry&scope=repository%3Ax%3Apull"] = answer;
    EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("oci://reg.example/team/model:v1")); }).kind(),
              Kind::kFetch)
        << answer;
  }
  net.token_url = "http://auth.example/token";
  net.requests.clear();
  error_of([&] { obtainer().fetch(wanted("oci://reg.example/team/model:v1")); });
  for (const std::string& url : net.requests) EXPECT_FALSE(url.starts_with("http://")) << "asked without TLS";
}

TEST_F(Registries, ManifestsThatLieAreRefused) {
  const std::string good = layer("weights", "t", "a");
  const std::pair<std::string, const char*> bad[] = {
      {R"({"mediaType":"t","digest":"sha256:../../etc/x","size":1})", "digest"},
      {R"({"mediaType":"t","digest":"sha256:)" + std::string(63, 'a') + R"(","size":1})", ""},
      {R"({"mediaType":"t","digest":"md5:d41d8cd98f00b204e9800998ecf8427e","size":1})", ""},
      {R"({"mediaType":"t","digest":"sha256:)" + std::string(64, 'A') + R"(","size":1})", "lower case"},
      {layer("x", "t", "../../evil"), "evil"},
      {layer("x", "t", "/etc/passwd"), "passwd"},
      {R"({"mediaType":"t","size":1})", ""},
  };
  for (const auto& [row, words] : bad) {
    push({good, row}, "v1");
    const core::Error error = error_of([&] { obtainer().fetch(wanted("oci://reg.example/team/model:v1")); });
    EXPECT_EQ(error.kind(), Kind::kIntegrity) << row << error.message();
    EXPECT_NE(error.message().find(words), std::string::npos) << error.message();
  }
  push({good}, "v1");
  const std::string other = "sha256:" + std::string(64, 'b');
  net.files[base + "/manifests/" + other] = net.files[base + "/manifests/v1"];
  EXPECT_EQ(error_of([&] { obtainer().fetch(wanted("oci://reg.example/team/model@" + other)); }).kind(),
            Kind::kIntegrity);
}

TEST_F(Registries, AnArchiveBesideTheWeightsIsLeftOutAndAloneIsNoModel) {
  const std::string archive = layer("x", "application/vnd.docker.ai.vllm.config.tar", "config.tar");
  push({layer(small_llama().bytes(), "application/vnd.docker.ai.gguf.v3"), archive}, "v1");
  const Model model = obtainer().fetch(wanted("oci://reg.example/team/model:v1"));
  ASSERT_EQ(model.files.size(), 1U);
  EXPECT_EQ(model.files[0].path, "model.gguf");
  push({archive}, "v2");
  const core::Error error = error_of([&] { obtainer().fetch(wanted("oci://reg.example/team/model:v2")); });
  EXPECT_NE(error.message().find("tar archive"), std::string::npos) << error.message();
}

TEST_F(Registries, LayersWithoutNamesGetSuchThatWorkTogether) {
  const std::string type = "application/vnd.docker.ai.gguf.v3";
  push({layer("one", type), layer("two", type), layer("lora", type + ".lora"), layer("eye", type + ".mmproj"),
        layer("words", "application/vnd.docker.ai.license"),
        layer("talk", "application/vnd.docker.ai.chat.template.jinja")},
       "v1");
  const Model model = obtainer().resolve(wanted("oci://reg.example/team/model:v1"));
  std::vector<std::pair<std::string, std::string>> rows;
  for (const ModelFile& file : model.files) rows.emplace_back(file.path, file.role);
  EXPECT_EQ(rows, (std::vector<std::pair<std::string, std::string>>{{"model-00001-of-00002.gguf", "model"},
                                                                    {"model-00002-of-00002.gguf", "model"},
                                                                    {"adapter.gguf", "adapter"},
                                                                    {"projector.gguf", "projector"},
                                                                    {"LICENSE", "license"},
                                                                    {"chat_template.jinja", "template"}}));
}

TEST_F(Registries, AModelPackIsReadByItsKindsOfLayer) {
  const auto packed = [&](const std::string& bytes, const std::string& type, const std::string& path) {
    core::Json row = core::Json::parse(layer(bytes, "application/vnd.cncf.model." + type));
    row["annotations"] = {{"org.cncf.model.filepath", path}};
    return row.dump();
  };
  push({packed("weights", "weight.v1.raw", "model.gguf"), packed("{}", "weight.config.v1.raw", "config.json"),
        packed("read me", "doc.v1.raw", "README.md")},
       "v1");
  const Model model = obtainer().resolve(wanted("oci://reg.example/team/model:v1"));
  ASSERT_EQ(model.files.size(), 3U);
  EXPECT_EQ(model.files[0].role, "model");
  EXPECT_EQ(model.files[1].role, "config");
  EXPECT_EQ(model.files[2].role, "doc");
}

TEST_F(Registries, DockersNameIsNotTheRegistrysAddress) {
  base = "https://registry-1.docker.io/v2/ai/smollm2";
  push({layer(small_llama().bytes(), "application/vnd.docker.ai.gguf.v3")}, "latest");
  EXPECT_EQ(obtainer().fetch(wanted("oci://docker.io/ai/smollm2")).files.size(), 1U);
  EXPECT_EQ(recipe::parse_model_source("oci://docker.io/alpine").location, "library/alpine");
}

TEST_F(Registries, OllamaLayersGetNames) {
  base = "https://registry.ollama.ai/v2/library/tiny";
  const std::string prefix = "application/vnd.ollama.image.";
  const std::string digest =
      push({layer(small_llama().bytes(), prefix + "model"), layer("MIT text", prefix + "license"),
            layer("{{ .Prompt }}", prefix + "template"), layer("{}x", prefix + "params")},
           "7b");
  const Model model = obtainer().fetch(wanted("ollama://tiny:7b"));
  std::map<std::string, std::string> roles;
  for (const ModelFile& file : model.files) roles[file.path] = file.role;
  EXPECT_EQ(roles, (std::map<std::string, std::string>{{"LICENSE", "license"},
                                                       {"config.json", "config"},
                                                       {"manifest.json", "manifest"},
                                                       {"model.gguf", "model"},
                                                       {"params.json", "params"},
                                                       {"template", "template"}}));
  EXPECT_EQ(model.revision, digest);
  EXPECT_EQ(model.summary.quantization, "Q4_K_M");
}

TEST(Records, SharedBlobsOutliveOneOfTheirModels) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "models-test");
  artifacts::BlobStore blobs(folder / "blobs");
  const Records records(folder / "models");
  const auto shared = blobs.put("shared");
  const auto own = blobs.put("own");
  const auto record = [&](const std::string& name, std::vector<artifacts::VerifiedFile> files) {
    Model model;
    model.name = name;
    model.source = recipe::parse_model_source("a.bin");
    for (const auto& file : files)
      model.files.push_back(
          {.path = file.digest().hex().substr(0, 8), .sha256 = file.digest(), .size = file.size()});
    records.store(model);
  };
  record("one", {shared, own});
  record("two", {shared});
  EXPECT_TRUE(records.collect(blobs.root(), true).blobs.empty());
  EXPECT_TRUE(records.drop("one"));
  EXPECT_FALSE(records.drop("one"));
  EXPECT_FALSE(records.drop("../two"));
  EXPECT_EQ(records.collect(blobs.root(), false).bytes, 3U);
  EXPECT_TRUE(blobs.find(own.digest()));
  EXPECT_EQ(records.collect(blobs.root(), true).blobs.size(), 1U);
  EXPECT_FALSE(blobs.find(own.digest()));
  EXPECT_TRUE(blobs.find(shared.digest()));
  EXPECT_TRUE(records.collect(blobs.root(), true).blobs.empty());
  core::write_file_atomically(folder / "models/broken.json", "{");
  std::vector<std::string> damaged;
  EXPECT_EQ(records.all(damaged).size(), 1U);
  EXPECT_EQ(damaged.size(), 1U);
  EXPECT_THROW(records.collect(blobs.root(), true), core::Error) << "what a broken record needs is not known";
}

}  // namespace
}  // namespace imgforge::models
