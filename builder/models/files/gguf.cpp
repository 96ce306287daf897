#include "builder/models/files/gguf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "builder/models/files/gguf_types.hpp"
#include "core/digest.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

constexpr std::uint64_t kMaxCount = 65'536;
constexpr std::uint64_t kMaxKey = 65'535;
constexpr std::uint64_t kMaxString = 64u << 20;
constexpr std::uint64_t kMaxKeys = 16u << 20;  // bytes of all keys together
constexpr std::uint64_t kMaxKept = 4096;       // longer texts are no names
constexpr std::uint64_t kMaxTemplate = 1u << 20;
constexpr std::uint64_t kMaxElements = 16u << 20;
constexpr std::uint64_t kMaxTensorName = 127;  // of diffusion models
constexpr std::uint64_t kLongestOfLlama = 63;
constexpr std::uint64_t kSmallestTensor = 24;
constexpr std::uint64_t kSmallestPair = 13;

/// Texts that the summary tells.
constexpr std::string_view kKept[] = {"general.architecture", "general.name", "general.license",
                                      "tokenizer.ggml.model", "tokenizer.ggml.pre"};

enum ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

/// Bytes of a scalar; 0 for the types whose values differ in length.
std::uint64_t scalar_size(std::uint32_t type) {
  constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(sizes) ? sizes[type] : 0;
}

bool all_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

struct Tensor {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool known = true;  ///< of a type whose size is known
};

class Reader {
 public:
  explicit Reader(ByteSource& source) : source_(source) {}

  Summary run() {
    summary_.format = Format::kGguf;
    summary_.size = source_.size();
    read_head();
    for (std::uint64_t i = 0; i < pairs_; ++i) read_pair();
    for (std::uint64_t i = 0; i < count_; ++i) read_tensor();
    check_layout();
    finish();
    return std::move(summary_);
  }

 private:
  void read_head() {
    if (source_.text(std::min<std::uint64_t>(4, source_.size()), "magic") != "GGUF")
      throw source_.refused("magic", "is not GGUF");
    const std::uint32_t version = source_.u32("version");
    if ((version & 0xFFFF) == 0)
      throw source_.refused("version", "is of a big-endian file, which is not read");
    if (version != 2 && version != 3)
      throw source_.refused("version", fmt::format("{} is not 2 or 3", version));
    summary_.format_version = std::to_string(version);
    count_ = source_.u64("tensor_count");
    pairs_ = source_.u64("metadata_kv_count");
    if (count_ > kMaxCount)
      throw source_.refused("tensor_count", fmt::format("{} is above {}", count_, kMaxCount));
    if (pairs_ > kMaxCount)
      throw source_.refused("metadata_kv_count", fmt::format("{} is above {}", pairs_, kMaxCount));
    if (count_ * kSmallestTensor + pairs_ * kSmallestPair > source_.left())
      throw source_.refused("tensor_count", "and metadata_kv_count need more bytes than the file has");
  }

  std::uint64_t string_length(std::string_view what) {
    const std::uint64_t length = source_.u64(what);
    if (length > kMaxString || length > source_.left())
      throw source_.refused(what,
                            fmt::format("has a length of {} bytes, {} are left", length, source_.left()));
    return length;
  }

  void read_pair() {
    const std::uint64_t length = source_.u64("key");
    if (length == 0 || length > kMaxKey)
      throw source_.refused("key", fmt::format("has a length of {} bytes, not 1 to {}", length, kMaxKey));
    const std::string key = source_.text(length, "key");
    if ((key_bytes_ += length) > kMaxKeys)
      throw source_.refused("key", fmt::format("is one of more than {} bytes of keys", kMaxKeys));
    if (!all_of(key, "_./-")) throw source_.refused("key", "has a character that keys cannot have");
    if (!keys_.insert(key).second) throw source_.refused("key", core::escaped(key, 80) + " is there twice");
    read_value(key, source_.u32("type of " + key.substr(0, 80)));
  }

  void read_value(const std::string& key, std::uint32_t type) {
    const std::string what = "value of " + key.substr(0, 80);
    if (key == "general.alignment" && type != kU32) throw source_.refused(what, "is not of type uint32");
    switch (type) {
      case kString:
        return read_string(key, what);
      case kArray:
        return read_array(what);
      case kBool:
        return check_bool(what);
      case kU8:
      case kU16:
      case kU32:
      case kU64:
        return keep_number(key, read_unsigned(scalar_size(type), what));
      case kI8:
      case kI16:
      case kI32:
      case kI64: {
        const std::uint64_t size = scalar_size(type);
        const std::uint64_t value = read_unsigned(size, what);
        const bool negative = (value >> (size * 8 - 1) & 1) != 0;
        return negative ? void() : keep_number(key, value);
      }
      case kF32:
      case kF64:
        return source_.skip(scalar_size(type), what);
      default:
        throw source_.refused("type of " + key.substr(0, 80), fmt::format("{} is unknown", type));
    }
  }

  std::uint64_t read_unsigned(std::uint64_t size, std::string_view what) {
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < size; ++i) value |= std::uint64_t{source_.u8(what)} << (8 * i);
    return value;
  }

  void check_bool(std::string_view what) {
    if (source_.u8(what) > 1) throw source_.refused(what, "is a bool that is neither 0 nor 1");
  }

  void read_string(const std::string& key, const std::string& what) {
    const std::uint64_t length = string_length(what);
    const bool is_template = key == "tokenizer.chat_template" || key.starts_with("tokenizer.chat_template.");
    const bool wanted = is_template || std::find(std::begin(kKept), std::end(kKept), key) != std::end(kKept);
    if (!wanted || length > (is_template ? kMaxTemplate : kMaxKept)) return source_.skip(length, what);
    std::string text = source_.text(length, what);
    if (!core::is_utf8(text)) return summary_.warnings.push_back(what + " is not UTF-8");
    if (is_template) {
      summary_.chat_template_sha256 = core::digest_of(core::HashAlgorithm::kSha256, text).hex();
    } else {
      texts_.emplace(key, std::move(text));
    }
  }

  void read_array(const std::string& what) {
    const std::uint32_t type = source_.u32(what);
    const std::uint64_t count = source_.u64(what);
    if (type == kArray) throw source_.refused(what, "is an array of arrays, which is not read");
    if (type > kF64) throw source_.refused(what, fmt::format("has the unknown element type {}", type));
    if (count > kMaxElements)
      throw source_.refused(what, fmt::format("has {} elements, more than {}", count, kMaxElements));
    const std::uint64_t least = type == kString ? 8 : scalar_size(type);
    if (count > source_.left() / least)
      throw source_.refused(what, fmt::format("has {} elements, more than the file can hold", count));
    if (type == kString) {
      for (std::uint64_t i = 0; i < count; ++i) source_.skip(string_length(what), what);
    } else if (type == kBool) {
      for (std::uint64_t i = 0; i < count; ++i) check_bool(what);
    } else {
      source_.skip(count * least, what);
    }
  }

  void keep_number(const std::string& key, std::uint64_t value) {
    if (key == "general.alignment") {
      const bool power = value != 0 && (value & (value - 1)) == 0;
      if (!power || value < 8 || value > 65'536)
        throw source_.refused("general.alignment",
                              fmt::format("{} is no power of two from 8 to 65536", value));
      alignment_ = value;
    }
    numbers_.emplace(key, value);
  }

  void read_tensor() {
    Tensor tensor;
    const std::uint64_t length = source_.u64("tensor name");
    if (length == 0 || length > kMaxTensorName)
      throw source_.refused("tensor name",
                            fmt::format("has a length of {} bytes, not 1 to {}", length, kMaxTensorName));
    tensor.name = source_.text(length, "tensor name");
    if (!is_name(tensor.name))
      throw source_.refused("tensor name",
                            core::escaped(tensor.name, 80) + " has a character that it cannot have");
    if (length > kLongestOfLlama) will_not_load("names of tensors of more than 63 bytes");
    if (!names_.insert(tensor.name).second) throw source_.refused("tensor", tensor.name + " is there twice");
    const std::uint32_t dimensions = source_.u32("dimensions of " + tensor.name);
    if (dimensions > 4)
      throw source_.refused("tensor " + tensor.name,
                            fmt::format("has {} dimensions, more than 4", dimensions));
    std::uint64_t elements = 1;
    std::uint64_t row = 1;  // a tensor without dimensions is one number
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const std::uint64_t extent = source_.u64("dimension of " + tensor.name);
      if (extent == 0 || extent > INT64_MAX || __builtin_mul_overflow(elements, extent, &elements) ||
          elements > INT64_MAX)
        throw source_.refused("tensor " + tensor.name, "has an impossible dimension");
      if (i == 0) row = extent;
    }
    const std::uint32_t type = source_.u32("type of " + tensor.name);
    tensor.offset = source_.u64("offset of " + tensor.name);
    measure(tensor, type, elements, row);
    tensors_.push_back(std::move(tensor));
  }

  void measure(Tensor& tensor, std::uint32_t id, std::uint64_t elements, std::uint64_t row) {
    const GgufType* type = find_gguf_type(id);
    if (type == nullptr) {
      if (id > kLastUnknownType)
        throw source_.refused("tensor " + tensor.name, fmt::format("has the impossible type {}", id));
      tensor.known = false;
      const std::string name = fmt::format("type {}", id);
      if (unknown_.insert(id).second)
        summary_.warnings.push_back(fmt::format("type {} is unknown here: its size was not checked", id));
      return count_tensor(summary_, name, elements, 0);
    }
    if (is_removed_gguf_type(id)) will_not_load(fmt::format("type {}", type->name));
    if (row % type->block_elements != 0)
      throw source_.refused("tensor " + tensor.name,
                            fmt::format("has rows of {} elements, which {} cannot hold", row, type->name));
    if (__builtin_mul_overflow(elements / type->block_elements, std::uint64_t{type->block_bytes},
                               &tensor.bytes) ||
        tensor.bytes > source_.size())
      throw source_.refused("tensor " + tensor.name, "is larger than the file");
    count_tensor(summary_, type->name, elements, tensor.bytes);
  }

  /// Any text, as the format says, that can be shown.
  static bool is_name(std::string_view name) {
    return core::is_utf8(name) && core::escaped(std::string(name), name.size()) == name;
  }

  /// What the format allows and the program that most people load files with does not.
  void will_not_load(const std::string& what) {
    const std::string warning = "llama.cpp does not load " + what;
    if (std::find(summary_.warnings.begin(), summary_.warnings.end(), warning) == summary_.warnings.end())
      summary_.warnings.push_back(warning);
  }

  /// `value` rounded up to the alignment; sizes are below that of the file, so it cannot overflow.
  std::uint64_t padded(std::uint64_t value) const {
    return (value + alignment_ - 1) / alignment_ * alignment_;
  }

  void check_layout() {
    const std::uint64_t start = padded(source_.position());
    if (tensors_.empty()) {
      if (source_.size() > start) throw source_.refused("trailing data", "after a header without tensors");
      return;
    }
    if (start > source_.size()) throw source_.refused("data", "is missing");
    const std::uint64_t room = source_.size() - start;
    std::sort(tensors_.begin(), tensors_.end(),
              [](const Tensor& a, const Tensor& b) { return a.offset < b.offset; });
    std::uint64_t end = 0;       // of the tensors so far, padded
    std::uint64_t true_end = 0;  // not padded
    bool exact = true;
    for (const Tensor& tensor : tensors_) {
      if (tensor.offset % alignment_ != 0)
        throw source_.refused("tensor " + tensor.name,
                              fmt::format("begins at {}, which is not aligned", tensor.offset));
      if (exact ? tensor.offset != end : tensor.offset < end)
        throw source_.refused("tensor " + tensor.name,
                              fmt::format("begins at {}, the one before ends at {}", tensor.offset, end));
      if (tensor.offset > room || tensor.bytes > room - tensor.offset)
        throw source_.refused(
            "tensor " + tensor.name,
            fmt::format("ends at {}, the data at {}",
                        core::escaped(fmt::format("{}+{}", tensor.offset, tensor.bytes)), room));
      true_end = tensor.offset + tensor.bytes;
      end = padded(true_end);
      exact = tensor.known;
    }
    if (exact && room > end)
      throw source_.refused("trailing data",
                            fmt::format("of {} bytes after the last tensor", room - true_end));
  }

  std::string text(const std::string& key) const {
    const auto found = texts_.find(key);
    return found == texts_.end() ? std::string() : found->second;
  }

  void finish() {
    summary_.architecture = text("general.architecture");
    summary_.name = text("general.name");
    summary_.licence = text("general.license");
    summary_.tokenizer = text("tokenizer.ggml.model");
    if (const std::string pre = text("tokenizer.ggml.pre"); !pre.empty())
      summary_.tokenizer += " (" + pre + ")";
    if (const auto found = numbers_.find(summary_.architecture + ".context_length"); found != numbers_.end())
      summary_.context_length = found->second;
    sort_types(summary_);
    if (const auto found = numbers_.find("general.file_type"); found != numbers_.end())
      summary_.quantization = gguf_file_type(found->second);
    if (summary_.quantization.empty() && !summary_.types.empty())
      summary_.quantization = summary_.types.front().name;
    if (const auto found = numbers_.find("split.count"); found != numbers_.end() && found->second > 1) {
      const auto number = numbers_.find("split.no");
      const std::uint64_t no = number == numbers_.end() ? 0 : number->second;
      if (number == numbers_.end() || no >= found->second)
        throw source_.refused("split.no", fmt::format("does not fit split.count {}", found->second));
      summary_.notes["shard"] = fmt::format("{} of {}", no + 1, found->second);
    }
    if (!summary_.chat_template_sha256.empty())
      summary_.warnings.push_back("contains chat template sha256:" + summary_.chat_template_sha256);
  }

  ByteSource& source_;
  Summary summary_;
  std::uint64_t count_ = 0;
  std::uint64_t pairs_ = 0;
  std::uint64_t alignment_ = 32;
  std::uint64_t key_bytes_ = 0;
  std::unordered_set<std::string> keys_, names_;
  std::set<std::uint32_t> unknown_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::uint64_t> numbers_;
  std::vector<Tensor> tensors_;
};

}  // namespace

Summary read_gguf(ByteSource& source) {
  return Reader(source).run();
}

}  // namespace imgforge::models
