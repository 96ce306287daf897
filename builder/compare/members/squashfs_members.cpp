#include <fmt/format.h>

#include <algorithm>

#include "builder/compare/members/placed_members.hpp"
#include "builder/compare/report/fields.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

using core::Error;
using core::Kind;

constexpr std::string_view kData = "# START OF DATA - DO NOT MODIFY\n#\n";
constexpr std::size_t kMostText = 256u << 20;  // of all lines before the data

/// The words of a line, in which a backslash takes the meaning of a blank away.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      words.back() += line[++i];
    } else if (line[i] == ' ') {
      words.emplace_back();
    } else {
      words.back() += line[i];
    }
  }
  return words;
}

std::uint64_t number(const std::string& word) {
  if (word.empty() || word.size() > 18 || word.find_first_not_of("0123456789") != std::string::npos)
    throw Error(Kind::kImage, "unsquashfs said " + core::escaped(word, 40) + " where a number was expected");
  return std::stoull(word);
}

core::Command unsquashfs(const Window& window, std::vector<std::string> words) {
  core::Command command;
  command.program = "unsquashfs";
  command.args = {"-no-progress", "-quiet", "-processors", "2", "-offset", std::to_string(window.offset)};
  command.args.insert(command.args.end(), words.begin(), words.end());
  command.args.push_back(std::filesystem::absolute(window.file).native());
  return command;
}

/// Bytes of all regular files, by the listing: few stored bytes can unpack to many.
std::uint64_t unpacked_size(const Window& listing) {
  const WindowReader reader(listing);
  std::uint64_t total = 0;
  std::string line;
  for (std::uint64_t at = 0; at < listing.size;) {
    const std::string block = reader.read(at, 1 << 16);
    if (block.empty()) break;
    at += block.size();
    for (const char c : block) {
      if (c != '\n') {
        if (line.size() < 128) line += c;  // the size stands before the name
        continue;
      }
      // "-rw-r--r-- 0/0    5 2026-11-28 14:00 squashfs-root/etc/id"
      const std::size_t owner = line.find(' ');
      const std::size_t begin =
          owner == std::string::npos ? owner : line.find_first_not_of(' ', line.find(' ', owner + 1));
      if (line.starts_with('-') && begin != std::string::npos) {
        const std::uint64_t size = number(line.substr(begin, line.find(' ', begin) - begin));
        total = size > MemberSource::kMostBytes - std::min(total, MemberSource::kMostBytes)
                    ? MemberSource::kMostBytes + 1
                    : total + size;
      }
      line.clear();
    }
  }
  return total;
}

/// What `unsquashfs -pf` writes: a line for each file, then all contents.
class SquashfsMembers : public PlacedMembers {
 public:
  SquashfsMembers(core::TempDir folder, const Window& pseudo, const CompareTools& tools)
      : PlacedMembers(pseudo, tools), folder_(std::move(folder)) {
    std::string text;
    std::size_t end = std::string::npos;
    while (end == std::string::npos) {
      const std::string block = reader().read(text.size(), 1 << 16);
      if (block.empty() || text.size() > kMostText)
        throw Error(Kind::kImage, "unsquashfs wrote no list of files");
      const std::size_t from = text.size() - std::min(text.size(), kData.size());
      text += block;
      end = text.find(kData, from);
    }
    const std::uint64_t data = end + kData.size();
    text.resize(end);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t line_end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, line_end - at);
      if (!line.empty() && line.front() != '#') read_line(words_of(line), data);
      at = line_end + 1;
    }
  }

 private:
  void read_line(const std::vector<std::string>& words, std::uint64_t data) {
    cancel().check();
    if (words.size() < 3) return;
    const std::string path = words[0] == "/" ? "." : words[0];
    if (words[1] == "L") return add(path, {.fields = {{"type", "hard link"}, {"link", words[2]}}});
    if (words.size() < 6) return;
    Member member{.fields = {{"type", type_word(words[1])},
                             {"mtime", time_text(static_cast<std::int64_t>(number(words[2])))},
                             {"mode", words[3]},
                             {"uid", words[4]},
                             {"gid", words[5]}}};
    if (words[1] != "R") {
      std::string rest;
      for (std::size_t i = 6; i < words.size(); ++i) rest += (rest.empty() ? "" : " ") + words[i];
      member.fields.emplace_back(words[1] == "S" ? "link" : "device", rest);
      return add(path, std::move(member));
    }
    if (words.size() < 8) return;
    member.size = number(words[6]);
    add_file(path, std::move(member), {{{}, data + number(words[7]), number(words[6])}});
  }

  static const char* type_word(const std::string& letter) {
    if (letter == "D") return "directory";
    if (letter == "R") return "file";
    if (letter == "S") return "symbolic link";
    return letter == "C" ? "character device" : letter == "B" ? "block device" : "special file";
  }

  core::TempDir folder_;
};

}  // namespace

std::unique_ptr<MemberSource> squashfs_members(const Window& window, const CompareTools& tools) {
  core::TempDir folder(tools.work, "squashfs");
  core::Command list = unsquashfs(window, {"-lln"});
  list.output_file = folder / "list";
  tools.processes.check(list, tools.cancel, Kind::kImage);
  if (unpacked_size(whole(folder / "list")) > MemberSource::kMostBytes)
    throw Error(Kind::kUnsafe, "its files are larger together than imgforge compares");
  const std::filesystem::path pseudo = folder / "files";
  tools.processes.check(unsquashfs(window, {"-pf", pseudo.native()}), tools.cancel, Kind::kImage);
  return std::make_unique<SquashfsMembers>(std::move(folder), whole(pseudo), tools);
}

}  // namespace imgforge::compare
