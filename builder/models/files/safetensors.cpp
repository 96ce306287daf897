#include "builder/models/files/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kMaxTensors = 262'144;
constexpr std::size_t kMaxDimensions = 16;
constexpr std::size_t kMaxNotes = 64;
constexpr std::size_t kMaxNote = 4096;
constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxTypeName = 32;

struct DataType {
  std::string_view name;
  std::uint64_t bits;
};
constexpr std::array kTypes{
    DataType{"BOOL", 8},    DataType{"U8", 8},          DataType{"I8", 8},          DataType{"F4", 4},
    DataType{"F6_E2M3", 6}, DataType{"F6_E3M2", 6},     DataType{"F8_E5M2", 8},     DataType{"F8_E4M3", 8},
    DataType{"F8_E8M0", 8}, DataType{"F8_E5M2FNUZ", 8}, DataType{"F8_E4M3FNUZ", 8}, DataType{"I16", 16},
    DataType{"U16", 16},    DataType{"F16", 16},        DataType{"BF16", 16},       DataType{"I32", 32},
    DataType{"U32", 32},    DataType{"F32", 32},        DataType{"C64", 64},        DataType{"I64", 64},
    DataType{"U64", 64},    DataType{"F64", 64}};

/// The header's bytes as the JSON parser wants them: one after the other, without holding all of them.
class HeaderIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  struct State {
    ByteSource& source;
    std::uint64_t left;
    std::array<char, 16 << 10> buffer{};
    std::size_t at = 0;
    std::size_t filled = 0;
    bool more() {
      if (at < filled) return true;
      filled = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
      at = 0;
      if (filled == 0) return false;
      source.read(std::as_writable_bytes(std::span(buffer).first(filled)), "header");
      left -= filled;
      // The parser would take it for the end.
      if (std::find(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(filled), '\0') !=
          buffer.begin() + static_cast<std::ptrdiff_t>(filled))
        throw source.refused("header", "is not valid JSON: it has a NUL");
      return true;
    }
  };

  explicit HeaderIterator(State* state) : state_(state) {}
  char operator*() const { return state_->more() ? state_->buffer[state_->at] : '\0'; }
  HeaderIterator& operator++() {
    if (state_->more()) ++state_->at;
    return *this;
  }
  HeaderIterator operator++(int) { return ++*this; }
  bool operator==(const HeaderIterator& other) const { return at_end() == other.at_end(); }
  bool operator!=(const HeaderIterator& other) const { return !(*this == other); }

 private:
  bool at_end() const { return state_ == nullptr || !state_->more(); }
  State* state_;
};

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string name;
};

/// Takes the events of the JSON parser; throws at the first one that a safetensors header cannot have.
class Header : public nlohmann::json_sax<core::Json> {
 public:
  Header(ByteSource& source, std::uint64_t data, Summary& summary)
      : source_(source), data_(data), summary_(summary) {}

  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ != 2 || in_array_) throw refused("has an object where none belongs");
    if (!is_metadata_) {
      tensor_ = {};
      if (++tensors_ > kMaxTensors) throw refused(fmt::format("has more than {} tensors", kMaxTensors));
    }
    inner_.clear();
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      if (name.size() > kMaxName) throw refused("has a name longer than 1024 bytes");
      if (!names_.insert(name).second) throw refused("has \"" + core::escaped(name, 60) + "\" twice");
      name_ = name;
      is_metadata_ = name == "__metadata__";
      return true;
    }
    if (!inner_.insert(name).second)
      throw refused(
          fmt::format("has \"{}\" twice in \"{}\"", core::escaped(name, 60), core::escaped(name_, 60)));
    member_ = name;
    if (!is_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets")
      throw refused(fmt::format("has an unknown member \"{}\" in {}", core::escaped(name, 60),
                                core::escaped(name_, 60)));
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ != 2 || in_array_) throw refused("has a text where none belongs");
    if (is_metadata_) {
      if (summary_.notes.size() < kMaxNotes && value.size() <= kMaxNote && member_.size() <= kMaxName)
        summary_.notes.emplace(member_, value);
      return true;
    }
    if (member_ != "dtype") throw refused(member_ + " of \"" + core::escaped(name_, 60) + "\" is a text");
    tensor_.type = value;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_array_ || is_metadata_ || member_ == "dtype")
      throw refused("has a list where none belongs");
    in_array_ = true;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) throw refused("has a number where none belongs");
    std::vector<std::uint64_t>& list = member_ == "shape" ? tensor_.shape : tensor_.offsets;
    if (list.size() == kMaxDimensions) throw refused("has more than 16 numbers in a list");
    list.push_back(value);
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2 && !is_metadata_) finish_tensor();
    return true;
  }
  bool number_integer(number_integer_t) override { throw refused("has a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    throw refused("has a number that is not whole");
  }
  bool null() override { throw refused("has a null"); }
  bool boolean(bool) override { throw refused("has a true or false"); }
  bool binary(binary_t&) override { throw refused("has binary data"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    throw refused("is not valid JSON: " + core::escaped(error.what(), 160));
  }

  void check_coverage() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t at = 0;
    for (const Range& range : ranges_) {
      if (range.begin != at)
        throw refused(fmt::format("puts \"{}\" at {}, the one before ends at {}",
                                  core::escaped(range.name, 60), range.begin, at));
      at = range.end;
    }
    if (at != data_) throw refused(fmt::format("covers {} bytes of data, the file has {}", at, data_));
  }

 private:
  struct Tensor {
    std::string type;
    std::vector<std::uint64_t> shape, offsets;
  };

  core::Error refused(const std::string& why) const { return source_.refused("header", why); }

  void finish_tensor() {
    const std::string name = "\"" + core::escaped(name_, 60) + "\"";
    if (inner_.size() != 3) throw refused(name + " lacks dtype, shape or data_offsets");
    if (tensor_.offsets.size() != 2) throw refused(name + " has not two data_offsets");
    const std::uint64_t begin = tensor_.offsets[0];
    const std::uint64_t end = tensor_.offsets[1];
    if (begin > end || end > data_) throw refused(name + " has data_offsets outside of the data");
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : tensor_.shape) {
      if (__builtin_mul_overflow(elements, extent, &elements))
        throw refused(name + " has an impossible shape");
    }
    check_size(name, elements, end - begin);
    count_tensor(summary_, tensor_.type, elements, end - begin);
    ranges_.push_back({begin, end, name_});
  }

  /// A type that came after this program is no damage; only how much room it takes is not known.
  void check_size(const std::string& name, std::uint64_t elements, std::uint64_t bytes) {
    const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                    [&](const DataType& row) { return row.name == tensor_.type; });
    if (type == kTypes.end()) {
      if (tensor_.type.size() > kMaxTypeName)
        throw refused(name + " has the impossible dtype " + core::escaped(tensor_.type, kMaxTypeName));
      if (unknown_.insert(tensor_.type).second && summary_.warnings.size() < kMaxNotes)
        summary_.warnings.push_back(fmt::format("type {} is unknown here: its size was not checked",
                                                core::escaped(tensor_.type, kMaxTypeName)));
      return;
    }
    std::uint64_t bits = 0;
    if (__builtin_mul_overflow(elements, type->bits, &bits) || bits % 8 != 0 || bits / 8 != bytes)
      throw refused(fmt::format("{} has {} bytes of data, its shape takes another number", name, bytes));
  }

  ByteSource& source_;
  std::uint64_t data_;
  Summary& summary_;
  int depth_ = 0;
  bool in_array_ = false;
  bool is_metadata_ = false;
  std::size_t tensors_ = 0;
  std::string name_, member_;
  Tensor tensor_;
  std::unordered_set<std::string> names_, inner_, unknown_;
  std::vector<Range> ranges_;
};

}  // namespace

bool looks_like_safetensors(std::string_view head, std::uint64_t file_size) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(head[i]);
  return length >= 2 && length <= kMaxHeader && length <= file_size - 8;
}

Summary read_safetensors(ByteSource& source) {
  Summary summary;
  summary.format = Format::kSafetensors;
  summary.size = source.size();
  const std::uint64_t length = source.u64("header length");
  if (length < 2 || length > kMaxHeader)
    throw source.refused("header length", fmt::format("{} is not from 2 to {}", length, kMaxHeader));
  if (length > source.left())
    throw source.refused("header length", fmt::format("{} is more than the file has", length));
  if (source.at(8, 1) != "{") throw source.refused("header", "does not begin with {");
  const std::uint64_t data = source.left() - length;
  Header header(source, data, summary);
  HeaderIterator::State state{source, length};
  core::Json::sax_parse(HeaderIterator(&state), HeaderIterator(nullptr), &header);
  header.check_coverage();
  if (const auto found = summary.notes.find("format"); found != summary.notes.end())
    summary.notes.emplace("framework", found->second);
  sort_types(summary);
  if (!summary.types.empty()) summary.quantization = summary.types.front().name;
  return summary;
}

}  // namespace imgforge::models
