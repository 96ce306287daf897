// The text of APKINDEX and of apk's database of installed packages: the same records.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <set>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// In which the two texts differ.
struct Form {
  std::string_view arch;      ///< of all entries; empty: any
  std::string_view required;  ///< fields of each entry
  std::string_view repeated;  ///< fields that are passed over, however often they are there
  std::size_t limit;          ///< entries
  bool virtual_packages;      ///< whether names may begin with a dot
};

class Parser {
 public:
  Parser(const Form& form, std::string_view what) : form_(form), what_(what) {}

  std::vector<IndexEntry> parse(std::string_view text) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      ++line_;
      take_line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    finish_entry();
    return std::move(entries_);
  }

 private:
  core::Error wrong(const std::string& why) const {
    return core::Error(core::Kind::kPackage, fmt::format("{}: line {}: {}", what_, line_, why));
  }

  void take_line(std::string_view line) {
    if (line.empty()) return finish_entry();
    if (line.size() < 2 || line[1] != ':') throw wrong("not a field: \"" + core::escaped(line, 60) + "\"");
    if (line.find('\0') != std::string_view::npos) throw wrong("a NUL byte");
    const auto letter = static_cast<unsigned char>(line[0]);
    if (std::isalpha(letter) == 0) throw wrong("not a field: \"" + core::escaped(line, 60) + "\"");
    open_ = true;
    if (form_.repeated.find(line[0]) != std::string_view::npos) return;
    if (seen_.at(letter)) throw wrong(fmt::format("field {} twice in one entry", line[0]));
    seen_.at(letter) = true;
    take_field(line[0], line.substr(2));
  }

  void take_field(char letter, std::string_view value) {
    switch (letter) {
      case 'C':
        entry_.identity = identity(value);
        break;
      case 'P':
        if (!is_package_name(value.substr(form_.virtual_packages && value.starts_with('.') ? 1 : 0)))
          throw wrong("bad package name \"" + core::escaped(value, 60) + "\"");
        entry_.name = value;
        break;
      case 'V':
        if (!is_package_version(value)) throw wrong("bad version \"" + core::escaped(value, 60) + "\"");
        entry_.version = value;
        break;
      case 'A':
        if (form_.arch.empty() ? !is_arch(value) : value != form_.arch && value != "noarch") {
          throw wrong(fmt::format("arch {} expected, {} got", form_.arch, core::escaped(value, 40)));
        }
        entry_.arch = value;
        break;
      case 'S':
        entry_.size = number(letter, value);
        break;
      case 'I':
        entry_.unpacked = number(letter, value);
        break;
      case 't':
        entry_.build_time = number(letter, value);
        break;
      case 'k':
        entry_.priority = number(letter, value);
        break;
      case 'T':
        entry_.description = value;
        break;
      case 'U':
        entry_.url = value;
        break;
      case 'L':
        entry_.license = value;
        break;
      case 'o':
        entry_.origin = value;
        break;
      case 'm':
        entry_.maintainer = value;
        break;
      case 'c':
        entry_.commit = value;
        break;
      case 'D':
        entry_.depends = words(value);
        break;
      case 'p':
        entry_.provides = words(value);
        break;
      case 'i':
        entry_.install_if = words(value);
        break;
      case 'r':
        entry_.replaces = words(value);
        break;
      default:
        break;  // fields that later versions of the format may add
    }
  }

  core::Digest identity(std::string_view value) const {
    try {
      return parse_identity(value);
    } catch (const core::Error& error) {
      throw wrong(error.message());
    }
  }

  std::uint64_t number(char letter, std::string_view value) const {
    std::uint64_t result = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (value.empty() || code != std::errc() || end != value.data() + value.size()) {
      throw wrong(fmt::format("field {} is not a number: \"{}\"", letter, core::escaped(value, 40)));
    }
    return result;
  }

  static std::vector<std::string> words(std::string_view value) {
    std::vector<std::string> out;
    for (std::string& word : core::split(value, ' ')) {
      if (!word.empty()) out.push_back(std::move(word));
    }
    return out;
  }

  void finish_entry() {
    if (!open_) return;
    for (const char required : form_.required) {
      if (!seen_.at(static_cast<unsigned char>(required)))
        throw wrong(fmt::format("entry without field {}", required));
    }
    if (entries_.size() == form_.limit) {
      throw core::Error(core::Kind::kUnsafe, fmt::format("{}: more than {} packages", what_, form_.limit));
    }
    entries_.push_back(std::move(entry_));
    entry_ = {};
    seen_ = {};
    open_ = false;
  }

  const Form& form_;
  std::string_view what_;
  std::size_t line_ = 0;
  std::array<bool, 256> seen_{};
  bool open_ = false;
  IndexEntry entry_;
  std::vector<IndexEntry> entries_;
};

}  // namespace

Index::Index(std::vector<IndexEntry> entries, std::string_view what, IndexFormat format)
    : entries_(std::move(entries)), format_(format) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const IndexEntry& entry = entries_[i];
    const IndexEntry* other = find(entry.name, entry.version);
    if (other != nullptr && other->identity != entry.identity) {
      throw core::Error(core::Kind::kPackage, fmt::format("{}: {} is there twice with different checksums",
                                                          what, entry.full_name()));
    }
    if (other == nullptr) by_name_.emplace(entry.name, i);
  }
}

Index Index::parse(std::string_view text, std::string_view arch, std::string_view what) {
  const Form form{arch, "CPVAS", "", kMaxIndexEntries, false};
  return Index(Parser(form, what).parse(text), what);
}

std::vector<IndexEntry> parse_installed(std::string_view text, std::string_view what) {
  if (text.size() > kMaxInstalledBytes) {
    throw core::Error(core::Kind::kUnsafe,
                      fmt::format("{}: larger than {} MiB", what, kMaxInstalledBytes >> 20));
  }
  // F, M, R, a and Z are folders and files with their modes and checksums.
  const Form form{"", "CPVA", "FMRaZ", kMaxInstalled, true};
  std::vector<IndexEntry> entries = Parser(form, what).parse(text);
  std::set<std::string_view> names;
  for (const IndexEntry& entry : entries) {
    if (!names.insert(entry.name).second)
      throw core::Error(core::Kind::kPackage, fmt::format("{}: {} is installed twice", what, entry.name));
  }
  std::erase_if(entries, [](const IndexEntry& entry) { return entry.name.starts_with('.'); });
  return entries;
}

std::vector<const IndexEntry*> Index::find(std::string_view name) const {
  std::vector<const IndexEntry*> found;
  const auto [begin, end] = by_name_.equal_range(name);
  for (auto at = begin; at != end; ++at) found.push_back(&entries_[at->second]);
  return found;
}

const IndexEntry* Index::find(std::string_view name, std::string_view version) const {
  const auto [begin, end] = by_name_.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    if (entries_[at->second].version == version) return &entries_[at->second];
  }
  return nullptr;
}

}  // namespace imgforge::fetch
