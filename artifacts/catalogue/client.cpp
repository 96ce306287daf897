#include "artifacts/catalogue/client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::catalogue {
namespace {

using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

/// More new roots than that are not followed in one run (TUF specification, 5.3.3).
constexpr int kMaxRootSteps = 1024;

[[noreturn]] void older(const std::string& name, std::uint64_t offered, std::uint64_t seen) {
  throw Error(Kind::kIntegrity,
              fmt::format("{} {} is older than {}, which was seen before", name, offered, seen))
      .hint("somebody offers an old catalogue; ask its publisher")
      .reason(Reason::kRollback);
}

class Run {
 public:
  Run(const Source& source, const ClientOptions& options) : source_(source), options_(options) {
    fs::create_directories(options.state);
    lock_ = core::open_file(options.state / ".lock", O_RDWR | O_CREAT, 0600);
    while (::flock(lock_.get(), LOCK_EX) != 0)
      if (errno != EINTR) throw core::system_error(errno, "cannot lock", options.state.native());
  }

  Catalogue run() {
    follow_roots();
    const Document timestamp = bring_timestamp();
    const Document snapshot = bring_snapshot(timestamp);
    const Document targets = bring_targets(snapshot);
    Catalogue catalogue{
        targets.version,
        std::min({root_.document.expires, timestamp.expires, snapshot.expires, targets.expires}),
        targets_of(targets)};
    return catalogue;
  }

 private:
  std::optional<std::string> kept(const std::string& name, std::size_t limit) const {
    const fs::path file = options_.state / name;
    if (fs::symlink_status(file).type() == fs::file_type::not_found) return std::nullopt;
    return core::read_text_file(file, limit);
  }

  void keep(const std::string& name, const std::string& text) const {
    core::write_file_atomically(options_.state / name, text, 0600);
  }

  std::string bring(const std::string& name, std::size_t limit) const {
    std::optional<std::string> text = source_(name, limit);
    if (!text)
      throw Error(Kind::kIntegrity, "the catalogue has no " + name)
          .hint("its publisher makes one with imgforge trust init and imgforge catalogue update")
          .reason(Reason::kMissing);
    if (text->size() > limit)
      throw Error(Kind::kIntegrity, fmt::format("{} has more than {} bytes", name, limit))
          .reason(Reason::kSizeMismatch);
    return std::move(*text);
  }

  /// What was kept was verified then; it is read again as if it had not been.
  template <class Read>
  auto read_kept(const std::string& name, std::size_t limit, Read read) const
      -> std::optional<decltype(read(std::string()))> {
    const std::optional<std::string> text = kept(name, limit);
    if (!text) return std::nullopt;
    try {
      return read(*text);
    } catch (Error& error) {
      throw error.context("reading " + (options_.state / name).native() + ", kept of an earlier run")
          .hint("if it was damaged by accident, remove the folder and begin anew with --root FILE");
    }
  }

  /// The root to begin with: given by the user, or fetched where he trusts keys for it.
  std::string first_root() const {
    if (!options_.first_root.empty()) return options_.first_root;
    if (!options_.vouching.keys.empty()) {
      if (auto text = source_("root.json", kMaxRoot)) return *std::move(text);
    }
    throw Error(Kind::kUsage, "nothing is known of this catalogue yet")
        .hint("get its root.json from its publisher by a way that you trust, and give it with --root FILE")
        .reason(Reason::kUnknownKey);
  }

  void follow_roots() {
    auto root = read_kept("root.json", kMaxRoot, [](const std::string& text) {
      Root parsed = Root::parse(text);
      parsed.role("root").require(parsed.document);
      return parsed;
    });
    if (!root) {
      const std::string text = first_root();
      root = Root::parse(text);
      if (options_.first_root.empty()) options_.vouching.require(root->document);
      root->role("root").require(root->document);
      keep("root.json", text);
    }
    root_ = std::move(*root);
    for (int step = 0; step < kMaxRootSteps; ++step) {
      const std::uint64_t wanted = root_.document.version + 1;
      const std::optional<std::string> text = source_(fmt::format("{}.root.json", wanted), kMaxRoot);
      if (!text) break;
      Root next = Root::parse(*text);
      root_.role("root").require(next.document);
      next.role("root").require(next.document);
      if (next.document.version < wanted) older("root.json", next.document.version, wanted - 1);
      if (next.document.version != wanted)
        throw Error(Kind::kIntegrity,
                    fmt::format("{}.root.json says that it is version {}", wanted, next.document.version))
            .reason(Reason::kWrongSubject);
      // Recovery from a fast-forward: other keys, so the numbers of the old ones count no more. First, lest
      // an interruption leaves them.
      if (next.role("timestamp") != root_.role("timestamp") ||
          next.role("snapshot") != root_.role("snapshot")) {
        fs::remove(options_.state / "timestamp.json");
        fs::remove(options_.state / "snapshot.json");
      }
      keep("root.json", *text);
      root_ = std::move(next);
    }
    require_unexpired(root_.document, options_.now);
  }

  Document read(const std::string& type, const std::string& text, std::size_t limit) const {
    Document document = parse_document(text, type, limit);
    root_.role(type).require(document);
    return document;
  }

  static FileMeta meta_of(const Document& document, const std::string& name) {
    const auto metas = file_metas(document);
    const auto found = metas.find(name);
    if (found == metas.end())
      throw Error(Kind::kIntegrity, document.type + ".json does not name " + name).reason(Reason::kMalformed);
    return found->second;
  }

  Document bring_timestamp() {
    const auto before = read_kept("timestamp.json", kMaxTimestamp, [&](const std::string& text) {
      return read("timestamp", text, kMaxTimestamp);
    });
    const std::string text = bring("timestamp.json", kMaxTimestamp);
    Document timestamp = read("timestamp", text, kMaxTimestamp);
    const FileMeta snapshot = meta_of(timestamp, "snapshot.json");
    if (before) {
      if (timestamp.version < before->version) older("timestamp.json", timestamp.version, before->version);
      const FileMeta seen = meta_of(*before, "snapshot.json");
      if (snapshot.version < seen.version) older("snapshot.json", snapshot.version, seen.version);
    }
    // Of two with one number the first that was seen counts.
    const bool is_new = !before || timestamp.version > before->version;
    if (!is_new) timestamp = *before;
    require_unexpired(timestamp, options_.now);
    if (is_new) keep("timestamp.json", text);
    return timestamp;
  }

  /// The file that another one promises. The number must be the promised one: files of
  /// two moments are not mixed.
  Document promised(const std::string& type, const FileMeta& meta, std::size_t limit, std::string& text) {
    const std::string name = type + ".json";
    text = bring(name, meta.length == 0 ? limit : std::min<std::size_t>(limit, meta.length));
    meta.check(name, text);
    Document document = read(type, text, limit);
    if (document.version != meta.version)
      throw Error(Kind::kIntegrity,
                  fmt::format("{} is version {} where {} was promised", name, document.version, meta.version))
          .hint("the catalogue may have changed meanwhile: try again")
          .reason(document.version < meta.version ? Reason::kRollback : Reason::kWrongSubject);
    return document;
  }

  Document bring_snapshot(const Document& timestamp) {
    const auto before = read_kept("snapshot.json", kMaxSnapshot, [&](const std::string& text) {
      return read("snapshot", text, kMaxSnapshot);
    });
    std::string text;
    Document snapshot = promised("snapshot", meta_of(timestamp, "snapshot.json"), kMaxSnapshot, text);
    if (before) {
      const auto now = file_metas(snapshot);
      for (const auto& [name, seen] : file_metas(*before)) {
        const auto found = now.find(name);
        const std::uint64_t version = found == now.end() ? 0 : found->second.version;
        if (version < seen.version) older(name, version, seen.version);
      }
    }
    require_unexpired(snapshot, options_.now);
    if (kept("snapshot.json", kMaxSnapshot) != text) keep("snapshot.json", text);
    return snapshot;
  }

  Document bring_targets(const Document& snapshot) {
    std::string text;
    Document targets = promised("targets", meta_of(snapshot, "targets.json"), kMaxTargets, text);
    require_unexpired(targets, options_.now);
    return targets;
  }

  const Source& source_;
  const ClientOptions& options_;
  core::Fd lock_;
  Root root_;
};

}  // namespace

Catalogue refresh(const Source& source, const ClientOptions& options) {
  return core::while_doing("following the catalogue", [&] { return Run(source, options).run(); });
}

Source folder_source(const fs::path& folder) {
  const fs::path files = fs::is_directory(folder / "tuf") ? folder / "tuf" : folder;
  return [files](const std::string& name, std::size_t limit) -> std::optional<std::string> {
    if (fs::symlink_status(files / name).type() == fs::file_type::not_found) return std::nullopt;
    try {
      return core::read_text_file(files / name, limit);
    } catch (Error& error) {
      if (error.kind() == Kind::kUnsafe) error.reason(Reason::kSizeMismatch);
      throw;
    }
  };
}

}  // namespace imgforge::catalogue
