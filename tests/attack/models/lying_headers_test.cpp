// Model files that lie: lengths, counts, offsets, types, names. Each is refused with a message that names the
// fault, quickly and without taking memory on its word.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <random>

#include "builder/models/files/content.hpp"
#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "support/model_maker.hpp"
#include "support/sanitized.hpp"

namespace imgforge::models {
namespace {

using namespace imgforge::testing;
using core::Kind;
using namespace std::string_literals;

struct Case {
  std::string name;
  std::string bytes;
  std::string says;
};

class Lying : public ::testing::Test {
 protected:
  void expect_refused(const Case& row, const std::string& file_name, Kind kind = Kind::kIntegrity) {
    const std::filesystem::path file = folder / "model";
    core::write_file_atomically(file, row.bytes);
    const auto start = std::chrono::steady_clock::now();
    try {
      inspect_file(file, file_name);
      ADD_FAILURE() << row.name << " was accepted";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), kind) << row.name << ": " << error.message();
      EXPECT_NE((error.message() + " / " + error.hint()).find(row.says), std::string::npos)
          << row.name << ": " << error.message();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2)) << row.name;
  }
  core::TempDir folder{std::filesystem::temp_directory_path(), "models-attack"};
};

std::string with(const std::function<void(GgufFile&)>& change) {
  GgufFile file;
  change(file);
  return file.bytes();
}

GgufTensor tensor(std::vector<std::uint64_t> dimensions, std::uint32_t type = 0, std::uint64_t offset = 0) {
  return {"t", std::move(dimensions), type, offset};
}

std::string with_pair(const std::string& pair) {
  return with([&](GgufFile& file) { file.pairs = {pair}; });
}

std::string with_tensors(std::vector<GgufTensor> tensors, std::size_t data = 32) {
  return with([&](GgufFile& file) {
    file.tensors = std::move(tensors);
    file.data = std::string(data, '\0');
  });
}

TEST_F(Lying, GgufHeaders) {
  constexpr std::uint64_t huge = std::uint64_t{1} << 63;
  std::string nested = gguf_text("k") + le(kGgufList, 4);
  for (int i = 0; i < 5000; ++i) nested += le(kGgufList, 4) + le(1, 8);
  const std::string architecture = gguf_pair("general.architecture", kGgufText, gguf_text("llama"));
  const std::vector<Case> cases{
      {"magic", with([](GgufFile& f) { f.magic = "GGML"; }), "magic"},
      {"version 1", with([](GgufFile& f) { f.version = le(1, 4); }), "version 1"},
      {"version 99", with([](GgufFile& f) { f.version = le(99, 4); }), "version 99"},
      {"big-endian", with([](GgufFile& f) { f.version = "\0\0\0\3"s; }), "big-endian"},
      {"pairs", with([](GgufFile& f) { f.pair_count = huge; }), "metadata_kv_count"},
      {"tensors", with([](GgufFile& f) { f.tensor_count = huge >> 2; }), "tensor_count"},
      {"a billion tensors", with([](GgufFile& f) { f.tensor_count = 1'000'000'000; }), "tensor_count"},
      {"60000 tensors in 100 bytes", with([](GgufFile& f) { f.tensor_count = 60'000; }), "need more bytes"},
      {"long text", with_pair(gguf_pair("k", kGgufText, le(huge >> 3, 8) + "x")), "has a length of"},
      {"text that wraps", with_pair(gguf_pair("k", kGgufText, le(~std::uint64_t{7}, 8) + "x")),
       "has a length of"},
      {"long key", with_pair(le(huge >> 3, 8) + "x"), "key has a length of"},
      {"no key", with_pair(gguf_pair("", kGgufU32, le(1, 4))), "key has a length of 0"},
      {"key of 64k", with_pair(gguf_pair(std::string(65536, 'a'), kGgufU32, le(1, 4))),
       "key has a length of 65536"},
      {"key twice", with([&](GgufFile& f) {
         f.pairs = {architecture, architecture};
       }),
       "there twice"},
      {"key with control characters", with_pair(gguf_pair("a\0b\x1b[31m"s, kGgufText, gguf_text("x"))),
       "character"},
      {"type 99", with_pair(gguf_pair("k", 99, std::string(8, '\0'))), "99 is unknown"},
      {"bool 2", with_pair(gguf_pair("k", kGgufBool, "\2")), "neither 0 nor 1"},
      {"bools 2", with_pair(gguf_pair("k", kGgufList, le(kGgufBool, 4) + le(1, 8) + "\2")),
       "neither 0 nor 1"},
      {"list too long", with_pair(gguf_pair("k", kGgufList, le(kGgufU32, 4) + le(huge >> 1, 8))), "elements"},
      {"list longer than the file", with_pair(gguf_pair("k", kGgufList, le(kGgufText, 4) + le(1 << 20, 8))),
       "more than the file can hold"},
      {"list of a type 13", with_pair(gguf_pair("k", kGgufList, le(13, 4) + le(1, 8))), "element type 13"},
      {"nested lists", with_pair(nested), "array of arrays"},
      {"alignment 0", with_pair(gguf_pair("general.alignment", kGgufU32, le(0, 4))), "power of two"},
      {"alignment 3", with_pair(gguf_pair("general.alignment", kGgufU32, le(3, 4))), "power of two"},
      {"alignment 2^31", with_pair(gguf_pair("general.alignment", kGgufU32, le(1u << 31, 4))),
       "power of two"},
      {"alignment is a text", with_pair(gguf_pair("general.alignment", kGgufText, gguf_text("32"))),
       "uint32"},
      {"alignment is signed", with_pair(gguf_pair("general.alignment", kGgufI32, le(32, 4))), "uint32"},
      {"shard 4 of 3", with([](GgufFile& f) {
         f.pairs = {gguf_pair("split.count", kGgufU32, le(3, 4)), gguf_pair("split.no", kGgufU32, le(3, 4))};
       }),
       "split.no"},
      {"tensor twice", with_tensors({tensor({4, 2}), tensor({4, 2}, 0, 32)}, 64), "there twice"},
      {"5 dimensions", with_tensors({tensor({2, 2, 2, 2, 2})}, 128), "5 dimensions"},
      {"a billion dimensions", with([](GgufFile& f) {
         f.tensors.clear();
         f.tensor_count = 1;
         f.data = gguf_text("t") + le(1'000'000'000, 4) + std::string(64, '\1');
         f.alignment = 0;
       }),
       "1000000000 dimensions"},
      {"negative dimension", with_tensors({tensor({~std::uint64_t{0}, 1})}), "impossible dimension"},
      {"dimension 0", with_tensors({tensor({0, 2})}), "impossible dimension"},
      {"product above 2^63", with_tensors({tensor({huge - 1, 2}, 24)}), "impossible dimension"},
      {"product that wraps", with_tensors({tensor({1ull << 32, 1ull << 32, 2})}), "impossible dimension"},
      {"bytes that wrap", with_tensors({tensor({(huge >> 1) - 1}), {"u", {4, 2}, 0, 0}}),
       "larger than the file"},
      {"larger than the file", with_tensors({tensor({1152, (1ull << 42) + 1})}), "larger than the file"},
      {"half a block", with_tensors({tensor({33}, 2)}), "rows of 33 elements"},
      {"type 999", with_tensors({tensor({4, 2}, 999)}), "impossible type 999"},
      {"offset not aligned", with_tensors({tensor({4, 2}, 0, 1)}, 64), "not aligned"},
      {"offset behind the end", with_tensors({tensor({4, 2}, 0, 1ull << 40)}), "begins at"},
      {"offset that wraps", with_tensors({tensor({4, 2}, 0, ~std::uint64_t{31})}), "begins at"},
      {"overlap", with_tensors({tensor({4, 2}), {"u", {4, 2}, 0, 0}}),
       "begins at 0, the one before ends at 32"},
      {"gap", with_tensors({tensor({4, 2}), {"u", {4, 2}, 0, 64}}, 96), "begins at 64"},
      {"one byte short", with_tensors({tensor({4, 2})}, 31), "tensor t ends at"},
      {"cut header", GgufFile{}.bytes().substr(0, 20), "cut off"},
      {"no data", with([](GgufFile& f) { f.data.clear(), f.alignment = 0; }), "data is missing"},
      {"something behind", GgufFile{}.bytes() + "PK\3\4evil", "trailing data"},
      {"something behind no tensors", with([](GgufFile& f) { f.tensors.clear(); }), "trailing data"},
      {"name of 128", with_tensors({{std::string(128, 't'), {4, 2}, 0, 0}}),
       "tensor name has a length of 128"},
      {"name that steers", with_tensors({{"a\x1b[2J", {4, 2}, 0, 0}}), "character"},
      {"name that is no text", with_tensors({{"a\xff", {4, 2}, 0, 0}}), "character"},
  };
  for (const Case& row : cases) expect_refused(row, "m.gguf");
}

std::string one(const std::string& header, std::size_t data = 16) {
  return safetensors_file(header, std::string(data, '\0'));
}

TEST_F(Lying, SafetensorsHeaders) {
  const auto t = [](std::uint64_t a, std::uint64_t b) { return safetensors_tensor("t", a, b); };
  const auto object = [](const std::string& inner) { return "{" + inner + "}"; };
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{\"a\":";
  deep += "1" + std::string(5000, '}');
  const std::vector<Case> cases{
      {"length 0", le(0, 8), "header length 0"},
      {"two bytes", "\1\2", "cut off"},
      {"length 2^63", le(1ull << 63, 8) + "{}      ", "header length"},
      {"length above the limit", le(100'000'001, 8) + "{}      ", "header length"},
      {"length above the file", le(64, 8) + "{}      ", "more than the file"},
      {"key twice", one(object(t(0, 16) + "," + t(16, 32)), 32), "twice"},
      {"key twice with another escape", one(object(t(0, 16) + ",\"\\u0074\"" + t(16, 32).substr(3)), 32),
       "twice"},
      {"member twice",
       one("{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"), "twice"},
      {"unknown member", one("{\"t\":{\"type\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"),
       "unknown member"},
      {"member missing", one("{\"t\":{\"shape\":[2,2],\"data_offsets\":[0,16]}}"), "lacks"},
      {"hole", one(object(safetensors_tensor("a", 0, 16) + "," + safetensors_tensor("b", 24, 40)), 40),
       "at 24"},
      {"hole at the start", one(object(t(8, 24)), 24), "at 8"},
      {"overlap", one(object(safetensors_tensor("a", 0, 16) + "," + safetensors_tensor("b", 8, 24)), 24),
       "at 8"},
      {"backwards", one(object(t(16, 0))), "outside"},
      {"beyond the data", one(object(t(0, ~std::uint64_t{0}))), "outside"},
      {"something behind", one(object(t(0, 16)), 38), "covers 16 bytes"},
      {"one byte short", one(object(t(0, 16)), 15), "outside"},
      {"three offsets", one("{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,8,16]}}"),
       "data_offsets"},
      {"other shape", one(object(safetensors_tensor("t", 0, 16, "[2,3]"))), "its shape takes another"},
      {"shape that wraps", one(object(safetensors_tensor("t", 0, 16, "[4294967296,4294967296,4]"))),
       "impossible shape"},
      {"negative shape", one(object(safetensors_tensor("t", 0, 16, "[-2,-2]"))), "negative"},
      {"17 dimensions", one(object(safetensors_tensor("t", 0, 16, "[4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"))),
       "more than 16"},
      {"impossible dtype",
       one(object(safetensors_tensor("t", 0, 16, "[2,2]", "\"" + std::string(33, 'F') + "\""))),
       "impossible dtype"},
      {"dtype is a number", one(object(safetensors_tensor("t", 0, 16, "[2,2]", "7"))), "number"},
      {"byte order mark", one("\xEF\xBB\xBF" + object(t(0, 16))), "does not begin with {"},
      {"blanks first", one("   " + object(t(0, 16))), "does not begin with {"},
      {"padded with NUL", one(object(t(0, 16)) + std::string(8, '\0')), "not valid JSON"},
      {"a list", one("[1]", 0), "does not begin with {"},
      {"metadata that is no text", one("{\"__metadata__\":{\"a\":1}," + t(0, 16) + "}"), "number"},
      {"metadata nested", one("{\"__metadata__\":{\"a\":{}}," + t(0, 16) + "}"), "object where none"},
      {"offsets with a point", one("{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0.0,16.0]}}"),
       "not whole"},
      {"numbers nested", one("{\"t\":{\"dtype\":\"F32\",\"shape\":[[2],2],\"data_offsets\":[0,16]}}"),
       "list"},
      {"deep", one(deep, 0), "unknown member"},
      {"NaN", one(object(safetensors_tensor("t", 0, 16, "[NaN]"))), "not valid JSON"},
      {"not UTF-8", one("{\"\xff\xfe\":1}", 0), "not valid JSON"},
      {"two objects", one(object(t(0, 16)) + "{}"), "not valid JSON"},
      {"a name of 2000", one(object(safetensors_tensor(std::string(2000, 'n'), 0, 16))), "longer than 1024"},
  };
  for (const Case& row : cases) expect_refused(row, "m.safetensors");
}

TEST_F(Lying, AMegabyteOfNestingCostsNothing) {
  std::string deep = "{";
  for (int i = 0; i < 200'000; ++i) deep += "\"a\":{";
  expect_refused({"deep", one(deep, 0), "unknown member"}, "m.safetensors");
  expect_refused({"lists", one("{\"t\":{\"shape\":" + std::string(1 << 20, '['), 0), "list where none"},
                 "m.safetensors");
}

std::string zip(const std::string& member) {
  const std::string local = "PK\3\4"s + std::string(22, '\0') + le(member.size(), 2) + le(0, 2) + member;
  const std::string central =
      "PK\1\2"s + std::string(24, '\0') + le(member.size(), 2) + std::string(16, '\0') + member;
  return local + central + "PK\5\6"s + std::string(4, '\0') + le(1, 2) + le(1, 2) + le(central.size(), 4) +
         le(local.size(), 4) + le(0, 2);
}

TEST_F(Lying, CodeCarriersAreRefusedByContent) {
  const std::vector<Case> cases{
      {"protocol 2", "\x80\x02}q\x00."s, "Python pickle"},
      {"protocol 4", "\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94."s, "Python pickle"},
      {"protocol 5", "\x80\x05K\x01."s, "Python pickle"},
      {"protocol 0 call", "cos\nsystem\n(S'id'\ntR."s, "Python pickle"},
      {"protocol 0 list", "(lp0\nI1\na."s, "Python pickle"},
      {"protocol 1 dict", "}q\x00(X\x01\0\0\0aK\x01u."s, "Python pickle"},
      {"torch zip", zip("archive/data.pkl"), "PyTorch archive"},
      {"torchscript", zip("model/code/__torch__.py"), "PyTorch archive"},
      {"npz", zip("a.npy"), "NumPy archive"},
      {"zip cut off", zip("archive/data.pkl").substr(0, 40), "cannot be read"},
      {"npy of objects", "\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False}"s, "NumPy array"},
      {"hdf5", "\x89HDF\r\n\x1a\n"s + std::string(64, '\0'), "HDF5"},
      {"tar", std::string(257, 'a') + "ustar" + std::string(250, '\0'), "tar archive"},
      {"gzip", "\x1f\x8b\x08\0"s, "gzip"},
      {"zlib", "\x78\x9c\x01"s, "zlib"},
      {"zstd", "\x28\xb5\x2f\xfd\0"s, "zstd"},
      {"xz",
       "\xfd"
       "7zXZ\0\0"s,
       "xz"},
      {"bzip2", "BZh91AY"s, "bzip2"},
  };
  for (const Case& row : cases) {
    for (const char* name : {"pytorch_model.bin", "m.safetensors", "m.gguf", "m"})
      expect_refused(row, name, Kind::kUnsafe);
    const std::filesystem::path file = folder / "named";
    core::write_file_atomically(file, row.bytes);
    EXPECT_EQ(inspect_file(file, "pytorch_model.bin", {}, Code::kAllow).warnings.size(), 1U) << row.name;
  }
}

TEST_F(Lying, WhatAFailedDownloadLeavesIsNamed) {
  expect_refused({"empty", "", "empty file"}, "m.gguf");
  expect_refused(
      {"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"},
      "m.bin");
  expect_refused({"html", "\n <!DOCTYPE html><html>", "HTML page"}, "m.gguf");
  expect_refused({"json", "{\"error\":\"Repository not found\"}", "Repository not found"}, "m.safetensors");
  expect_refused({"name", "plain text", "magic is not GGUF"}, "m.gguf");
  expect_refused({"name", "plain text that is longer", "header length"}, "m.safetensors");
  expect_refused({"name", GgufFile{}.bytes(), "named like onnx"}, "m.onnx");
}

/// Writes bytes over one file without syncing: thousands of files a second.
class Scribble {
 public:
  explicit Scribble(std::filesystem::path path)
      : path_(std::move(path)), fd_(core::open_file(path_, O_RDWR | O_CREAT)) {}
  const std::filesystem::path& operator()(std::string_view bytes) {
    EXPECT_EQ(::pwrite(fd_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(bytes.size())), 0);
    return path_;
  }

 private:
  std::filesystem::path path_;
  core::Fd fd_;
};

/// True when the file was read; anything but a core::Error ends the test.
bool accepted(const std::filesystem::path& file, const std::string& name) {
  try {
    inspect_file(file, name);
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

TEST_F(Lying, EveryPrefixAndEveryChangedByteIsReadOrRefused) {
  Scribble scribble(folder / "model");
  const std::string safetensors =
      safetensors_file("{\"__metadata__\":{\"format\":\"pt\"}," + safetensors_tensor("a", 0, 16) + "," +
                           safetensors_tensor("b", 16, 20, "[2]", "\"BF16\"") + "}",
                       std::string(20, '\1'));
  GgufFile llama = small_llama();
  llama.tensors = {{"a", {4, 2}, 0, 0}, {"b", {32}, 2, 32}};
  llama.data = std::string(32 + 18, '\1');
  for (const auto& [bytes, name] :
       {std::pair{llama.bytes(), "m.gguf"}, std::pair{safetensors, "m.safetensors"}}) {
    ASSERT_TRUE(accepted(scribble(bytes), name));
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_FALSE(accepted(scribble(std::string_view(bytes).substr(0, length)), name)) << length;
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int change : {0x01, 0x80, 0xFF}) {
        std::string other = bytes;
        other[at] = static_cast<char>(other[at] ^ change);
        refused += accepted(scribble(other), name) ? 0 : 1;
      }
    }
    EXPECT_GT(refused, bytes.size() / 4) << name;
  }
}

TEST_F(Lying, RandomChangesNeverCrash) {
  Scribble scribble(folder / "model");
  std::mt19937 random(20261121);
  const std::string gguf = small_llama().bytes();
  const std::string safetensors =
      safetensors_file("{" + safetensors_tensor("a", 0, 16) + "," + safetensors_tensor("b", 16, 32) + "}",
                       std::string(32, '\1'));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = round % 2 == 0 ? gguf : safetensors;
    for (unsigned changes = random() % 8; changes-- > 0;) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:  // a length or offset out of this world
          bytes.replace(at, std::min<std::size_t>(8, bytes.size() - at),
                        le(~std::uint64_t{0} >> random() % 64, 8));
          break;
        case 2:
          bytes.erase(at, random() % 16);
          break;
        default:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
      }
      if (bytes.empty()) bytes = "x";
    }
    accepted(scribble(bytes), round % 2 == 0 ? "m.gguf" : "m.safetensors");
  }
  if (!kSanitized) {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    EXPECT_LT(usage.ru_maxrss, 64 << 10) << "KiB: memory was taken on a file's word";
  }
}

}  // namespace
}  // namespace imgforge::models
