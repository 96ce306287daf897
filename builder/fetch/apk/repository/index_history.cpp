#include "builder/fetch/apk/repository/index_history.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <compare>
#include <system_error>

#include "builder/fetch/http/url.hpp"
#include "core/atomic_file.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// "v3.19.1-642-g9e5b575" in parts: the tag's numbers, and the commits since the tag.
struct Described {
  std::vector<std::uint64_t> tag;
  std::uint64_t commits = 0;
  auto operator<=>(const Described&) const = default;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Described> described(std::string_view text) {
  if (!text.starts_with('v')) return std::nullopt;
  const std::vector<std::string> parts = core::split(text.substr(1), '-');
  const bool commit = parts.size() == 3 && parts[2].size() > 1 && parts[2].starts_with('g') &&
                      parts[2].find_first_not_of("0123456789abcdef", 1) == std::string::npos;
  if (parts.size() != 1 && !commit) return std::nullopt;
  Described result;
  for (const std::string& part : core::split(parts[0], '.')) {
    const auto value = number(part);
    if (!value) return std::nullopt;
    result.tag.push_back(*value);
  }
  if (!commit) return result;
  const auto commits = number(parts[1]);
  if (!commits) return std::nullopt;
  result.commits = *commits;
  return result;
}

std::string shown(const IndexEdition& edition) {
  const std::string time = core::iso_time(core::UnixTime(std::chrono::seconds(edition.time)));
  return edition.description.empty() ? time
                                     : fmt::format("{} ({})", time, core::escaped(edition.description, 60));
}

/// The record's digest over all else, so that a damaged record is seen.
std::string check_of(core::Json record) {
  record.erase("check");
  return core::digest_of(core::HashAlgorithm::kSha256, core::print_json(record)).to_string();
}

core::Fd lock_folder(const std::filesystem::path& folder) {
  core::Fd fd = core::open_file(folder / ".lock", O_RDWR | O_CREAT | O_NOFOLLOW);
  while (::flock(fd.get(), LOCK_EX) != 0) {  // held for one small write
    if (errno != EINTR) throw core::system_error(errno, "cannot lock", (folder / ".lock").native());
  }
  return fd;
}

}  // namespace

bool is_older(const IndexEdition& got, const IndexEdition& seen) {
  if (got.time >= seen.time) return false;
  const auto got_described = described(got.description);
  const auto seen_described = described(seen.description);
  return !got_described || !seen_described || *got_described <= *seen_described;
}

IndexHistory::IndexHistory(const Context& context, std::string repository, std::string arch)
    : context_(context), repository_(redacted_url(repository)), arch_(std::move(arch)) {
  const core::Digest name = core::digest_of(core::HashAlgorithm::kSha256, repository_ + "\n" + arch_);
  path_ = context.cache / "indexes" / (name.hex() + ".json");
}

void IndexHistory::check(const Index& index, const std::string& url) const {
  if (context_.network == Network::kOffline) return;
  const State state = load(Damage::kWarn);
  const auto seen = state.signers.find(index.signer().key_digest.hex());
  if (seen == state.signers.end() || !is_older(index.edition(), seen->second.edition)) return;
  const std::string text =
      fmt::format("{}: the index went backwards: it is of {}, one of {} was seen before", redacted_url(url),
                  shown(index.edition()), shown(seen->second.edition));
  if (context_.older_index == OlderIndex::kAllow) {
    context_.progress.warn(text);
    return;
  }
  throw core::Error(core::Kind::kIntegrity, text)
      .hint(
          "somebody may be holding security updates back; if the mirror was set back on purpose, "
          "--allow-older-index takes it");
}

void IndexHistory::remember(const Index& index, const std::string& url, const core::Digest& sha256) const {
  if (context_.network == Network::kOffline) return;
  const std::string key = index.signer().key_digest.hex();
  const auto is_known = [&](const State& state) {
    const auto seen = state.signers.find(key);
    return seen != state.signers.end() && seen->second.sha256 == sha256.hex() &&
           state.last_url == redacted_url(url);
  };
  if (is_known(load(Damage::kIgnore))) return;
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  if (error) throw core::system_error(error.value(), "cannot create", path_.parent_path().native());
  const core::Fd lock = lock_folder(path_.parent_path());
  State state = load(Damage::kIgnore);
  const auto seen = state.signers.find(key);
  if (context_.older_index == OlderIndex::kRefuse && seen != state.signers.end() &&
      is_older(index.edition(), seen->second.edition))
    return;  // another process has taken a newer one meanwhile
  state.signers[key] = {index.signer().key_name, index.edition(), sha256.hex()};
  state.last_url = redacted_url(url);
  store(state);
}

void IndexHistory::order(std::vector<std::string>& urls) const {
  const bool is_offline = context_.network == Network::kOffline;
  if (!is_offline && context_.index_copies == IndexCopies::kCount) return;
  const std::string last = load(Damage::kIgnore).last_url;
  std::stable_partition(urls.begin(), urls.end(),
                        [&](const std::string& url) { return (redacted_url(url) == last) == is_offline; });
}

IndexHistory::State IndexHistory::load(Damage damage) const {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return {};
  try {
    const core::Json record = core::parse_json(core::read_text_file(path_), path_.native());
    if (record.at("check").get<std::string>() == check_of(record) && record.at("schema") == 1) {
      State state{.last_url = record.at("last_url").get<std::string>(), .signers = {}};
      for (const auto& [key, row] : record.at("signers").items()) {
        state.signers[key] = {
            .key_name = row.at("key").get<std::string>(),
            .edition = {row.at("description").get<std::string>(), row.at("time").get<std::uint64_t>()},
            .sha256 = row.at("sha256").get<std::string>()};
      }
      return state;
    }
  } catch (const core::Error&) {
    // Told below.
  } catch (const core::Json::exception&) {
  }
  if (damage == Damage::kWarn)
    context_.progress.warn(fmt::format(
        "{} is damaged: an index of {} that is older than the last one would not be noticed this time",
        path_.native(), repository_));
  return {};
}

void IndexHistory::store(const State& state) const {
  core::Json signers = core::Json::object();
  for (const auto& [key, row] : state.signers) {
    signers[key] = {{"key", row.key_name},
                    {"description", core::escaped(row.edition.description)},
                    {"time", row.edition.time},
                    {"sha256", row.sha256}};
  }
  core::Json record{{"schema", 1},        {"repository", repository_},
                    {"arch", arch_},      {"last_url", state.last_url},
                    {"signers", signers}, {"check", ""}};
  record["check"] = check_of(record);
  core::write_file_atomically(path_, core::print_json(record));
}

}  // namespace imgforge::fetch
