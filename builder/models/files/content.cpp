#include "builder/models/files/content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "artifacts/codec/recognise.hpp"
#include "builder/models/files/gguf.hpp"
#include "builder/models/files/onnx.hpp"
#include "builder/models/files/safetensors.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using namespace std::string_view_literals;
using core::Error;
using core::Kind;

constexpr std::size_t kHead = 1024;

struct Magic {
  std::string_view bytes;
  std::string_view what;
};

constexpr std::array kCarriers{
    Magic{"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras writes it with code in it"},
    Magic{"\x78\x01"sv, "zlib-compressed data, which can hide a pickle"},
    Magic{"\x78\x5e"sv, "zlib-compressed data, which can hide a pickle"},
    Magic{"\x78\x9c"sv, "zlib-compressed data, which can hide a pickle"},
    Magic{"\x78\xda"sv, "zlib-compressed data, which can hide a pickle"},
};

constexpr std::array kOldGgml{"lmgg"sv, "tjgg"sv, "fmgg"sv, "algg"sv};

bool is_binary_pickle(std::string_view head) {
  return head.size() >= 3 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}

/// Protocols 0 and 1 are text without a magic number: the first opcodes and the final "." are looked at.
bool is_text_pickle(std::string_view head, std::string_view last) {
  if (last != ".") return false;
  static const std::regex opcodes(
      "^(c[A-Za-z_][A-Za-z0-9_.]*\n[A-Za-z_][A-Za-z0-9_.]*\n|\\((lp|dp|tp|l|d|t|i[A-Za-z_]|c[A-Za-z_]|[\\]}"
      "KIFSVXUNJM])"
      "|[\\]})](q|r|p[0-9]|\\())",
      std::regex::ECMAScript | std::regex::nosubs);
  const std::string text(head.substr(0, 200));
  return std::regex_search(text, opcodes);
}

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// Names of a zip archive's central directory, as far as it can be followed; bounded.
std::vector<std::string> zip_names(const ByteSource& source) {
  constexpr std::size_t kEnd = 22;
  constexpr std::size_t kTail = kEnd + 65'535;
  constexpr std::uint64_t kMaxDirectory = 4u << 20;
  const std::uint64_t from = source.size() > kTail ? source.size() - kTail : 0;
  const std::string tail = source.at(from, kTail);
  const std::size_t end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos || end + kEnd > tail.size()) return {};
  std::uint64_t offset = little(tail, end + 16, 4);
  if (offset == 0xFFFFFFFF) {  // zip64: the record is named by its locator
    const std::size_t locator = tail.rfind("PK\x06\x07", end);
    if (locator == std::string::npos || locator + 20 > tail.size()) return {};
    const std::string record = source.at(little(tail, locator + 8, 8), 56);
    if (record.size() < 56) return {};
    offset = little(record, 48, 8);
  }
  const std::string directory = source.at(offset, kMaxDirectory);
  std::vector<std::string> names;
  for (std::size_t at = 0; at + 46 <= directory.size() && directory.compare(at, 4, "PK\x01\x02") == 0;) {
    const auto length = static_cast<std::size_t>(little(directory, at + 28, 2));
    if (at + 46 + length > directory.size()) break;
    names.push_back(directory.substr(at + 46, length));
    at +=
        46 + length + static_cast<std::size_t>(little(directory, at + 30, 2) + little(directory, at + 32, 2));
  }
  return names;
}

std::string zip_carrier(const ByteSource& source) {
  const std::vector<std::string> names = zip_names(source);
  if (names.empty()) return "a zip archive whose list of files cannot be read";
  for (const std::string& name : names) {
    if (name.ends_with(".npy")) return "a NumPy archive, whose arrays can be pickles";
    const auto slash = name.rfind('/');
    const std::string file = slash == std::string::npos ? name : name.substr(slash + 1);
    if (file.ends_with(".pkl") || file.ends_with(".pickle") || name.find("code/") != std::string::npos)
      return fmt::format("a PyTorch archive with the pickle {}", core::escaped(name, 80));
  }
  return {};
}

/// What stands in a model's place when something went wrong on the way.
void refuse_stand_in(std::string_view head, const ByteSource& source) {
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    return Error(Kind::kIntegrity, source.name() + ": " + what).hint(hint);
  };
  if (source.size() == 0) throw refuse("empty file, not a model", "fetch it again");
  if (head.starts_with("version https://git-lfs"))
    throw refuse("Git LFS pointer, not the file",
                 "fetch the file that it points to: git lfs pull, or its resolve URL");
  std::string start(core::trimmed(head.substr(0, 100)));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (start.starts_with("<!doctype") || start.starts_with("<html"))
    throw refuse("HTML page, not the file",
                 "a log-in page or an error page came instead: look at the URL in a browser");
  if (start.starts_with("{\"error\"") || start.starts_with("{\"errors\""))
    throw refuse("error message in JSON, not the file: " + core::escaped(head.substr(0, 120)),
                 "look at the source");
}

std::optional<Format> format_of_name(const std::string& name) {
  for (const auto& [ending, format] :
       {std::pair{".gguf", Format::kGguf}, std::pair{".safetensors", Format::kSafetensors},
        std::pair{".onnx", Format::kOnnx}}) {
    if (name.ends_with(ending)) return format;
  }
  return std::nullopt;
}

Summary read_content(ByteSource& source, std::string_view head, std::optional<Format> wanted) {
  if (wanted == Format::kGguf || (!wanted && head.starts_with("GGUF"))) return read_gguf(source);
  if (wanted == Format::kSafetensors || (!wanted && looks_like_safetensors(head, source.size())))
    return read_safetensors(source);
  Summary summary;
  if (wanted != Format::kRaw) {
    if (std::optional<Summary> onnx = read_onnx(source)) return *std::move(onnx);
    if (wanted == Format::kOnnx) throw Error(Kind::kIntegrity, source.name() + ": is no ONNX model");
  }
  summary.size = source.size();
  if (std::any_of(kOldGgml.begin(), kOldGgml.end(), [&](auto magic) { return head.starts_with(magic); }))
    summary.notes["container"] = "ggml, from before GGUF";
  return summary;
}

}  // namespace

std::string code_carrier(const ByteSource& source) {
  const std::string head = source.peek(kHead);
  const std::string last = source.size() == 0 ? std::string() : source.at(source.size() - 1, 1);
  if (is_binary_pickle(head) || is_text_pickle(head, last)) return "a Python pickle";
  if (head.starts_with("PK\x03\x04")) return zip_carrier(source);
  if (head.starts_with("\x93NUMPY") && head.find("'|O'") != std::string::npos)
    return "a NumPy array of pickles";
  if (artifacts::begins_as(head, artifacts::Content::kTar))
    return "a tar archive, whose files can be pickles";
  const artifacts::Content packed = artifacts::recognise(head, artifacts::Among::kCompressions);
  if (packed != artifacts::Content::kUnknown)
    return fmt::format("{}-compressed data, which can hide a pickle", artifacts::content_name(packed));
  for (const Magic& magic : kCarriers) {
    if (head.starts_with(magic.bytes)) return std::string(magic.what);
  }
  return {};
}

Summary inspect_file(const std::filesystem::path& file, const std::string& name, std::optional<Format> wanted,
                     Code code) {
  ByteSource source(file, name);
  const std::string head = source.peek(kHead);
  refuse_stand_in(head, source);
  // Their headers begin with a length, which can look like any magic number.
  const bool known = head.starts_with("GGUF") || looks_like_safetensors(head, source.size());
  if (const std::string carrier = known ? std::string() : code_carrier(source); !carrier.empty()) {
    if (code == Code::kRefuse) {
      throw Error(Kind::kUnsafe,
                  fmt::format("{}: pickle-based format refused: it is {}", source.name(), carrier))
          .hint(
              "loading it can run any code; take the model as safetensors or GGUF, or allow this file by its "
              "name "
              "(allow_pickle)");
    }
    Summary summary;
    summary.size = source.size();
    summary.warnings.push_back("is " + carrier + ": loading it can run any code");
    return summary;
  }
  const std::optional<Format> by_name = format_of_name(name);
  const std::optional<Format> expected = by_name == Format::kOnnx ? std::nullopt : by_name;
  Summary summary = read_content(source, head, wanted ? wanted : expected);
  if (!wanted && by_name && summary.format != *by_name)
    throw Error(Kind::kIntegrity, fmt::format("{}: is named like {}, but its content is {}", source.name(),
                                              format_name(*by_name), format_name(summary.format)));
  return summary;
}

}  // namespace imgforge::models
