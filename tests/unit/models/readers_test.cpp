// Model files as they should be: what their headers say arrives.
#include <gtest/gtest.h>

#include "builder/models/files/content.hpp"
#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/temp_dir.hpp"
#include "support/model_maker.hpp"

namespace imgforge::models {
namespace {

using namespace imgforge::testing;

class Readers : public ::testing::Test {
 protected:
  Summary inspect(const std::string& bytes, const std::string& name, std::optional<Format> wanted = {}) {
    const std::filesystem::path file = folder / "model";
    core::write_file_atomically(file, bytes);
    return inspect_file(file, name, wanted);
  }
  core::TempDir folder{std::filesystem::temp_directory_path(), "models-test"};
};

TEST_F(Readers, TellWhatAGgufFileHolds) {
  const Summary summary = inspect(small_llama().bytes(), "tiny.gguf");
  EXPECT_EQ(summary.format, Format::kGguf);
  EXPECT_EQ(summary.format_version, "3");
  EXPECT_EQ(summary.architecture, "llama");
  EXPECT_EQ(summary.name, "Tiny");
  EXPECT_EQ(summary.licence, "mit");
  EXPECT_EQ(summary.tokenizer, "gpt2");
  EXPECT_EQ(summary.quantization, "Q4_K_M");
  EXPECT_EQ(summary.context_length, 2048U);
  EXPECT_EQ(summary.parameters, 768U);
  EXPECT_EQ(summary.tensors, 2U);
  ASSERT_EQ(summary.types.size(), 2U);
  EXPECT_EQ(summary.types[0].name, "F32");
  EXPECT_EQ(summary.types[0].bytes, 1024U);
  EXPECT_EQ(summary.types[1].name, "Q4_K");
  EXPECT_EQ(summary.types[1].bytes, 288U);
  EXPECT_EQ(summary.chat_template_sha256,
            core::digest_of(core::HashAlgorithm::kSha256, "{{ messages }}").hex());
  ASSERT_EQ(summary.warnings.size(), 1U);
  EXPECT_NE(summary.warnings[0].find("chat template"), std::string::npos);
}

TEST_F(Readers, AcceptWhatGgufAllows) {
  GgufFile second;
  second.version = le(2, 4);
  EXPECT_EQ(inspect(second.bytes(), "a.gguf").format_version, "2");
  GgufFile vocabulary;
  vocabulary.tensors.clear();
  vocabulary.data.clear();
  EXPECT_EQ(inspect(vocabulary.bytes(), "a.gguf").tensors, 0U);
  vocabulary.alignment = 0;
  EXPECT_EQ(inspect(vocabulary.bytes(), "a.gguf").tensors, 0U) << "nothing to be aligned";
  GgufFile unpadded = small_llama();
  unpadded.tensors = {{"a", {4, 2}, 0, 0}, {"b", {3}, 0, 32}};
  unpadded.data = std::string(32 + 12, '\0');
  EXPECT_EQ(inspect(unpadded.bytes(), "a.gguf").tensors, 2U) << "the last tensor's padding may be left out";
  unpadded.data.resize(64);
  EXPECT_EQ(inspect(unpadded.bytes(), "a.gguf").tensors, 2U);
  GgufFile aligned;
  aligned.pairs = {gguf_pair("general.alignment", kGgufU32, le(64, 4))};
  aligned.tensors = {{"a", {4, 2}, 0, 64}, {"b", {4, 2}, 0, 0}};
  aligned.data = std::string(96, '\0');
  aligned.alignment = 64;
  EXPECT_EQ(inspect(aligned.bytes(), "a.gguf").tensors, 2U) << "tensors in any order";
}

TEST_F(Readers, LetNewTensorTypesPassWithAWarning) {
  GgufFile file;
  file.tensors = {{"new", {4, 2}, 41, 0}, {"old", {4, 2}, 0, 64}};
  file.data = std::string(96, '\0');
  const Summary summary = inspect(file.bytes(), "a.gguf");
  ASSERT_EQ(summary.warnings.size(), 1U);
  EXPECT_EQ(summary.warnings[0], "type 41 is unknown here: its size was not checked");
}

TEST_F(Readers, TakeTypesThatModelsUsedOrForksHave) {
  GgufFile file;
  file.tensors = {{"a", {32, 2}, 31, 0}, {"b", {4}, 0, 64}};
  file.data = std::string(64 + 16, '\0');
  const Summary removed = inspect(file.bytes(), "a.gguf");
  EXPECT_EQ(removed.types.front().name, "Q4_0_4_4");
  EXPECT_EQ(removed.warnings, std::vector<std::string>{"llama.cpp does not load type Q4_0_4_4"});
  for (const std::uint32_t id : {4, 36, 38}) {
    file.tensors = {{"a", {128, 2}, id, 0}, {"b", {4}, 0, 64}};
    EXPECT_EQ(inspect(file.bytes(), "a.gguf").warnings,
              std::vector<std::string>{"type " + std::to_string(id) +
                                       " is unknown here: its size was not checked"});
  }
}

TEST_F(Readers, TakeNamesAndShapesThatGgufAllows) {
  GgufFile file;
  const std::string longest(127, 'n');
  file.tensors = {{"model/diffusion:0 \xC3\xA4", {}, 0, 0}, {longest, {4, 2}, 0, 32}};
  file.data = std::string(64, '\0');
  const Summary summary = inspect(file.bytes(), "a.gguf");
  EXPECT_EQ(summary.parameters, 9U) << "no dimensions: one number";
  EXPECT_EQ(summary.warnings,
            std::vector<std::string>{"llama.cpp does not load names of tensors of more than 63 bytes"});
}

TEST_F(Readers, TakeTheFirstPartOfASplitModelWithoutTensorsAndOthersWithoutArchitecture) {
  GgufFile first;
  first.pairs.push_back(gguf_pair("split.count", kGgufU32, le(2, 4)));
  first.pairs.push_back(gguf_pair("split.no", kGgufU32, le(0, 4)));
  first.tensors.clear();
  first.data.clear();
  EXPECT_EQ(inspect(first.bytes(), "m-00001-of-00002.gguf").notes.at("shard"), "1 of 2");
  GgufFile second;
  second.pairs = {gguf_pair("split.count", kGgufU32, le(2, 4)), gguf_pair("split.no", kGgufU32, le(1, 4))};
  EXPECT_EQ(inspect(second.bytes(), "m-00002-of-00002.gguf").notes.at("shard"), "2 of 2");
}

TEST_F(Readers, KnowTheTypesOfSafetensorsByTheirBits) {
  struct Row {
    const char* type;
    const char* shape;
    std::uint64_t bytes;
  };
  for (const Row& row :
       {Row{"F4", "[2,3]", 3}, Row{"F6_E2M3", "[4]", 3}, Row{"F6_E3M2", "[8]", 6}, Row{"F8_E8M0", "[5]", 5},
        Row{"F8_E4M3FNUZ", "[5]", 5}, Row{"F8_E5M2FNUZ", "[5]", 5}, Row{"C64", "[2]", 16}}) {
    const auto file = [&](std::uint64_t bytes) {
      const std::string type = std::string("\"") + row.type + "\"";
      return safetensors_file("{" + safetensors_tensor("t", 0, bytes, row.shape, type) + "}",
                              std::string(bytes, '\1'));
    };
    const Summary summary = inspect(file(row.bytes), "m.safetensors");
    EXPECT_EQ(summary.quantization, row.type);
    EXPECT_TRUE(summary.warnings.empty());
    EXPECT_THROW(inspect(file(row.bytes + 1), "m.safetensors"), core::Error) << row.type;
  }
  EXPECT_THROW(inspect(safetensors_file("{" + safetensors_tensor("t", 0, 2, "[3]", "\"F4\"") + "}", "ab"),
                       "m.safetensors"),
               core::Error)
      << "half a byte";
}

TEST_F(Readers, LetNewTypesOfSafetensorsPassWithAWarning) {
  const std::string header = "{" + safetensors_tensor("a", 0, 5, "[9]", "\"F99\"") + "," +
                             safetensors_tensor("b", 5, 9, "[9]", "\"F99\"") + "}";
  const Summary summary = inspect(safetensors_file(header, std::string(9, '\1')), "m.safetensors");
  EXPECT_EQ(summary.warnings, std::vector<std::string>{"type F99 is unknown here: its size was not checked"});
  EXPECT_EQ(summary.parameters, 18U);
}

TEST_F(Readers, TellWhatASafetensorsFileHolds) {
  const std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," + safetensors_tensor("a", 0, 16) + "," +
                             safetensors_tensor("b", 16, 20, "[2]", "\"BF16\"") + "}";
  const Summary summary = inspect(safetensors_file(header, std::string(20, '\1')), "m.safetensors");
  EXPECT_EQ(summary.format, Format::kSafetensors);
  EXPECT_EQ(summary.parameters, 6U);
  EXPECT_EQ(summary.tensors, 2U);
  EXPECT_EQ(summary.quantization, "F32");
  EXPECT_EQ(summary.notes.at("format"), "pt");
  EXPECT_EQ(inspect(safetensors_file("{}", ""), "m.safetensors").tensors, 0U);
  EXPECT_EQ(
      inspect(safetensors_file("{" + safetensors_tensor("s", 0, 4, "[]") + "}", "1234"), "x").parameters, 1U);
  EXPECT_EQ(inspect(safetensors_file("{" + safetensors_tensor("z", 0, 0, "[0]") + "}", ""), "x").parameters,
            0U);
}

TEST_F(Readers, ALengthThatLooksLikeAPickleIsStillALength) {
  // 0x0280: the first bytes of a pickle of protocol 2. 0x9c78: those of zlib data.
  for (const std::size_t length : {0x280, 0x9c78}) {
    std::string header = "{" + safetensors_tensor("a", 0, 16);
    header += "," + safetensors_tensor("long" + std::string(500, 'x'), 16, 32) + "}";
    header.resize(length, ' ');
    EXPECT_EQ(inspect(le(length, 8) + header + std::string(32, '\0'), "m").format, Format::kSafetensors);
  }
}

TEST_F(Readers, RecogniseOnnx) {
  const std::string graph =
      "\x0a\x03"
      "abc";
  const std::string onnx = std::string("\x08\x09\x12\x07pytorch", 11) + "\x3a" + le(graph.size(), 1) + graph +
                           std::string("\x42\x04\x0a\x00\x10\x11", 6);
  const Summary summary = inspect(onnx, "m.onnx");
  EXPECT_EQ(summary.format, Format::kOnnx);
  EXPECT_EQ(summary.notes.at("producer"), "pytorch");
  EXPECT_EQ(inspect(onnx, "m.bin").format, Format::kOnnx) << "by content";
  EXPECT_EQ(inspect(onnx + "x", "m.bin").format, Format::kRaw);
  EXPECT_EQ(inspect(onnx, "m.onnx", Format::kRaw).format, Format::kRaw) << "when the recipe says so";
}

TEST_F(Readers, AnythingElseIsRaw) {
  EXPECT_EQ(inspect("some weights", "m.weights").format, Format::kRaw);
  EXPECT_EQ(inspect("lmgg" + std::string(64, '\1'), "ggml-tiny.en.bin").notes.at("container"),
            "ggml, from before GGUF");
}

TEST_F(Readers, ALargeSparseFileIsReadByItsHeaderAlone) {
  // 6 GiB of tensor data that is not there: offsets above 32 bits, and no byte of it is read.
  GgufFile file;
  const std::uint64_t big = std::uint64_t{6} << 30;
  file.tensors = {{"big", {big / 4}, 0, 0}, {"small", {8}, 0, big}};
  file.data.clear();
  const std::string head = file.bytes();
  const std::filesystem::path path = folder / "big.gguf";
  core::write_file_atomically(path, head);
  std::filesystem::resize_file(path, head.size() + big + 32);
  EXPECT_EQ(inspect_file(path, "big.gguf").parameters, big / 4 + 8);
  std::filesystem::resize_file(path, head.size() + big + 31);
  EXPECT_THROW(inspect_file(path, "big.gguf"), core::Error);
}

}  // namespace
}  // namespace imgforge::models
