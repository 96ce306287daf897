#include "builder/image/medium/alpine_iso.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <regex>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kReleaseFile = ".alpine-release";
constexpr std::uint64_t kReleaseLimit = 4096;
constexpr std::size_t kLongestTitle = 200;
constexpr std::string_view kConfiguration = ".apkovl.tar.gz";
/// Packages lie at apks/<arch>/<name>.
constexpr const char* kDepth = "3";
constexpr std::size_t kListingLimit = 64 << 20;
constexpr std::chrono::minutes kReadingTime{3};

std::string stdio(const fs::path& file) {
  return "stdio:" + fs::absolute(file).native();
}

/// xorriso that only reads; `-osirrox on` lets it copy files out, without owners or devices.
core::Command reading(const fs::path& file) {
  core::Command command;
  command.program = "xorriso";
  command.args = {"-no_rc", "-abort_on", "FAILURE", "-osirrox", "on", "-indev", stdio(file)};
  command.timeout = kReadingTime;
  command.output_limit = kListingLimit;
  return command;
}

/// A line of lsdl: "-r--r--r--    1 0  0   26 Jan 26  2024 '/.alpine-release'".
std::optional<std::pair<std::string, std::uint64_t>> regular_file(const std::string& line) {
  const auto quote = line.find(" '/");
  if (!line.starts_with('-') || quote == std::string::npos || !line.ends_with('\'')) return std::nullopt;
  const std::string path = line.substr(quote + 3, line.size() - quote - 4);
  std::vector<std::string> words = core::split(line.substr(0, quote), ' ');
  std::erase(words, "");
  std::uint64_t size = 0;
  if (words.size() < 5) return std::nullopt;
  const std::string& digits = words[4];
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (code != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return std::pair{path, size};
}

std::map<std::string, std::uint64_t> list_files(const fs::path& file, core::ProcessRunner& processes,
                                                const core::CancelToken& cancel) {
  core::Command command = reading(file);
  for (const char* word : {"-find", "/", "-maxdepth", kDepth, "-exec", "lsdl", "--"})
    command.args.emplace_back(word);
  std::map<std::string, std::uint64_t> files;
  for (const std::string& line : core::split(processes.check(command, cancel, Kind::kImage).out, '\n')) {
    if (auto row = regular_file(line)) files.insert(std::move(*row));
  }
  return files;
}

/// The first regular file whose path begins so, or "".
std::string first_with(const std::map<std::string, std::uint64_t>& files, const std::string& prefix) {
  const auto found = files.lower_bound(prefix);
  return found != files.end() && found->first.starts_with(prefix) ? found->first : std::string();
}

Error not_alpine(const fs::path& file, const std::string& why) {
  return std::move(Error(Kind::kImage, fmt::format("{} is not an Alpine ISO image: {}", file.native(), why))
                       .hint("imgforge fetch base gets one"));
}

void check_layout(const fs::path& file, AlpineIso& iso, const std::string& arch) {
  std::vector<std::string> missing;
  const auto need = [&](bool there, const std::string& what) {
    if (!there) missing.push_back(what);
  };
  iso.kernel = first_with(iso.files, "boot/vmlinuz-");
  iso.packages = "apks/" + arch;
  need(iso.files.contains(kReleaseFile), kReleaseFile);
  need(!iso.kernel.empty(), "boot/vmlinuz-*");
  need(!first_with(iso.files, "boot/initramfs-").empty(), "boot/initramfs-*");
  need(!first_with(iso.files, "boot/modloop-").empty(), "boot/modloop-*");
  need(iso.files.contains(iso.packages + "/APKINDEX.tar.gz"), iso.packages + "/APKINDEX.tar.gz");
  if (!missing.empty()) throw not_alpine(file, "it lacks " + core::join(missing, ", "));
  for (const auto& [path, size] : iso.files) {
    if (path.find('/') != std::string::npos || !path.ends_with(kConfiguration)) continue;
    throw Error(Kind::kImage,
                fmt::format("{} has a configuration already: {}", file.native(), core::escaped(path)))
        .hint("remaster the image as Alpine released it");
  }
}

std::string volume_date(std::int64_t epoch) {
  // YYYYMMDDhhmmss and hundredths, in UTC.
  return fmt::format("{:%Y%m%d%H%M%S}00", fmt::gmtime(static_cast<std::time_t>(epoch)));
}

}  // namespace

AlpineIso examine_alpine_iso(const fs::path& file, const std::string& arch, const fs::path& work_dir,
                             core::ProcessRunner& processes, const core::CancelToken& cancel) {
  // One way only to read any title, as it comes from a file that anybody may have made.
  static const std::regex form("alpine-[a-z]+[- ][0-9A-Za-z._-]+( [0-9A-Za-z._-]+)*");
  AlpineIso iso;
  iso.facts = check_iso(file, processes, cancel);
  iso.files = list_files(file, processes, cancel);
  check_layout(file, iso, arch);
  const fs::path folder = work_dir / "release";
  fs::create_directory(folder);
  extract_files(file, iso, {kReleaseFile}, kReleaseLimit, folder, processes, cancel);
  const std::string text = core::read_text_file(folder / kReleaseFile, kReleaseLimit);
  iso.title = core::trimmed(text);
  if (iso.title.size() > kLongestTitle || !std::regex_match(iso.title, form)) {
    throw not_alpine(file, fmt::format("{} says \"{}\"", kReleaseFile, core::escaped(iso.title, 80)));
  }
  if (!iso.facts.bios && !iso.facts.uefi) throw not_alpine(file, "it does not start on BIOS or UEFI");
  return iso;
}

void extract_files(const fs::path& file, const AlpineIso& iso, const std::vector<std::string>& paths,
                   std::uint64_t limit, const fs::path& target, core::ProcessRunner& processes,
                   const core::CancelToken& cancel) {
  core::Command command = reading(file);
  for (const std::string& path : paths) {
    const auto found = iso.files.find(path);
    if (found == iso.files.end()) {
      throw Error(Kind::kImage, fmt::format("{}: {} is not a regular file of the image", file.native(),
                                            core::escaped(path)));
    }
    if (found->second > limit) {
      throw Error(Kind::kImage, fmt::format("{}: {} is larger than {}", file.native(), core::escaped(path),
                                            core::Bytes{limit}.human()));
    }
    const fs::path copy = fs::absolute(target) / fs::path(path).filename();
    command.args.insert(command.args.end(), {"-extract_single", "/" + path, copy.native()});
  }
  processes.check(command, cancel, Kind::kImage);
  for (const std::string& path : paths) {
    const fs::path copy = target / fs::path(path).filename();
    const core::Fd fd = core::open_regular(copy, core::FollowLinks::kNo);
    if (core::file_size(fd.get(), copy.native()) != iso.files.at(path)) {
      throw Error(Kind::kImage,
                  fmt::format("{}: {} could not be read whole", file.native(), core::escaped(path)));
    }
  }
}

void remaster_iso(const fs::path& file, const AlpineIso& iso, const RemasterSpec& spec,
                  const fs::path& output, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  if (!spec.volume_id.empty()) check_volume_id(spec.volume_id);
  const std::string inside = "/" + spec.name;
  core::Command command;
  command.program = "xorriso";
  command.environment["SOURCE_DATE_EPOCH"] = std::to_string(spec.epoch);
  command.args = {"-no_rc", "-abort_on", "FAILURE", "-indev", stdio(file), "-outdev", stdio(output)};
  const auto add = [&](std::initializer_list<std::string> words) {
    command.args.insert(command.args.end(), words);
  };
  add({"-boot_image", "any", "replay"});
  add({"-volid", spec.volume_id.empty() ? iso.facts.volume_id : spec.volume_id});
  add({"-map", fs::absolute(spec.content).native(), inside});
  add({"-chown", "0", inside, "--", "-chgrp", "0", inside, "--", "-chmod", "0444", inside, "--"});
  add({"-volume_date", "uuid", volume_date(spec.epoch)});
  add({"-volume_date", "all_file_dates", fmt::format("={}", spec.epoch)});
  add({"-commit", "-end"});
  core::UnfinishedFile unfinished(output);
  processes.check(command, cancel, Kind::kImage);
  const IsoFacts made = check_iso(output, processes, cancel);
  if (made.bios != iso.facts.bios || made.uefi != iso.facts.uefi) {
    throw Error(Kind::kImage, fmt::format("the boot set-up of {} could not be kept", file.native()));
  }
  if (!list_files(output, processes, cancel).contains(spec.name)) {
    throw Error(Kind::kInternal, "xorriso left out the file that was added");
  }
  unfinished.keep();
}

}  // namespace imgforge::image
