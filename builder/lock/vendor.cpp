#include "builder/lock/vendor.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "builder/export/target.hpp"
#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/apk/repository/apk_index_writer.hpp"
#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::lock {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kSums = "SHA256SUMS";
/// Of a mirror's URL these last parts name a file: "v3.22/main/x86_64/jq-1.7-r0.apk".
constexpr std::size_t kDepth = 4;

/// A file of the lock with its place in the folder.
struct Row {
  std::string what;
  std::vector<std::string> urls;
  core::Digest sha256;
  std::optional<std::uint64_t> size;
  std::string path;
  const LockedPackage* package = nullptr;
};

std::string place_of(const std::string& url) {
  const std::size_t path = url.find('/', url.find("://") + 3) + 1;  // behind the host
  std::vector<std::string> parts = core::split(std::string_view(url).substr(path), '/');
  if (parts.size() > kDepth) parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(kDepth));
  for (const std::string& part : parts) {
    if (!fetch::is_plain_file_name(part))
      throw Error(Kind::kIntegrity, "the lock has a URL that cannot be a file: " + fetch::redacted_url(url));
  }
  return core::join(parts, "/");
}

/// Models of files stand in the folder, too, although a build reads those where the recipe names them.
void add_model(const models::Model& model, std::vector<Row>& rows) {
  for (const models::ModelFile& file : model.files) {
    rows.push_back({fmt::format("{} of the model {}", file.path, model.name), file.urls, *file.sha256,
                    file.size, fmt::format("models/{}/{}/{}", model.name, model.version, file.path)});
  }
}

/// Base, packages and models: what a build from the lock reads.
std::vector<Row> rows_of(const Lock& lock) {
  std::vector<Row> rows;
  for (const LockedBase& base : lock.bases)
    rows.push_back({"alpine-" + base.flavor + " " + base.version,
                    {base.url},
                    base.sha256,
                    base.size,
                    place_of(base.url)});
  for (const LockedPackage& package : lock.packages)
    rows.push_back({"package " + package.full_name(),
                    {package.url},
                    package.sha256,
                    package.size,
                    place_of(package.url),
                    &package});
  for (const LockedModel& row : lock.models) {
    if (row.is_in_image) add_model(row.model, rows);
  }
  std::map<std::string, const Row*> places;
  for (const Row& row : rows) {
    const auto [other, is_new] = places.emplace(row.path, &row);
    if (!is_new && other->second->sha256 != row.sha256)
      throw Error(Kind::kIntegrity, fmt::format("{} and {} are both {} with different bytes",
                                                other->second->what, row.what, row.path));
  }
  return rows;
}

class Folder {
 public:
  Folder(const core::CancelToken& cancel, fs::path root) : cancel_(cancel), root_(std::move(root)) {}

  void add(const std::string& name, const artifacts::VerifiedFile& file) {
    const fs::path target = root_ / name;
    if (sums_.contains(name)) return;
    fs::create_directories(target.parent_path());
    cancel_.check();
    core::clone_file(file.path(), target);
    note(name, file.digest(), file.size());
  }
  void add(const std::string& name, std::string_view text) {
    fs::create_directories((root_ / name).parent_path());
    core::write_file_atomically(root_ / name, text);
    note(name, core::digest_of(core::HashAlgorithm::kSha256, text), text.size());
  }
  VendorResult finish(const VendorRequest& request) {
    std::string text;
    std::set<std::string> names;
    for (const auto& [name, sha256] : sums_) {
      text += sha256.hex() + "  " + name + "\n";
      names.insert(name);
    }
    core::write_file_atomically(root_ / kSums, text);
    names.insert(kSums);
    if (request.signer) {
      const std::string signature = std::string(kSums) + ".minisig";
      core::write_file_atomically(root_ / signature, request.signer.sign(kSums, text));
      names.insert(signature);
    }
    core::write_file_atomically(root_ / exports::kMarkerFile, exports::print_marker(names));
    return result_;
  }

 private:
  void note(const std::string& name, const core::Digest& sha256, std::uint64_t size) {
    sums_.emplace(name, sha256);
    ++result_.files;
    result_.bytes += size;
  }
  core::CancelToken cancel_;
  fs::path root_;
  std::map<std::string, core::Digest> sums_;
  VendorResult result_;
};

/// An index for each folder of packages, and the key to check them with.
void add_repositories(const std::vector<Row>& rows, const std::vector<artifacts::VerifiedFile>& files,
                      const VendorRequest& request, Folder& folder) {
  std::map<std::string, std::vector<fetch::IndexedPackage>> repositories;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].package == nullptr) continue;
    const LockedPackage& package = *rows[i].package;
    const fs::path place = fs::path(rows[i].path).parent_path();
    fetch::IndexEntry entry;
    entry.name = package.name;
    entry.version = package.version;
    entry.arch = place.filename();  // where apk looks for it, also for one of noarch
    entry.size = package.size;
    entry.build_time = package.build_time;
    entry.identity = package.identity;
    repositories[place].push_back({std::move(entry), files[i]});
  }
  for (auto& [place, packages] : repositories) {
    const std::string description = fmt::format("packages of {}", request.lock.recipe);
    folder.add(place + "/APKINDEX.tar.gz",
               fetch::make_signed_index(std::move(packages), description, *request.repository_key));
  }
  folder.add("keys/" + request.repository_key->key_name(), request.repository_key->public_key());
}

}  // namespace

VendorResult vendor(const fetch::Context& context, const VendorRequest& request) {
  exports::check_target(request.target);
  const std::vector<Row> rows = rows_of(request.lock);
  std::vector<fetch::Download> downloads;
  for (const Row& row : rows)
    downloads.push_back(
        {.name = row.what, .urls = row.urls, .promises = {{row.sha256, "the lock"}}, .size = row.size});
  const std::vector<artifacts::VerifiedFile> files = fetch::Downloader(context).fetch_all(downloads);
  const fs::path parent = fs::absolute(request.target).parent_path();
  fs::create_directories(parent);
  const core::TempDir work(parent, "vendor");
  if (context.activity != nullptr) context.activity->say("writing the folder");
  Folder folder(context.cancel, work / "tree");
  fs::create_directories(work / "tree");
  for (std::size_t i = 0; i < rows.size(); ++i) folder.add(rows[i].path, files[i]);
  if (request.repository_key != nullptr) add_repositories(rows, files, request, folder);
  std::size_t missing = 0;
  for (const LockedIndex& index : request.lock.indexes) {
    if (const auto file = context.blobs.find(index.sha256)) {
      std::string place = place_of(index.url);
      if (request.repository_key != nullptr) place.insert(place.rfind('/') + 1, "upstream.");
      folder.add(place, *file);
    } else {
      ++missing;
    }
  }
  folder.add(request.lock_file.filename().native(), print_lock(request.lock));
  VendorResult result = folder.finish(request);
  result.indexes_missing = missing;
  exports::swap_into_place(work / "tree", fs::absolute(request.target));
  return result;
}

void import_vendored(const fetch::Context& context, const Lock& lock, const fs::path& folder) {
  for (const Row& row : rows_of(lock)) {
    if (context.blobs.find(row.sha256)) continue;
    context.cancel.check();
    const fs::path source = folder / row.path;
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(source, error))) {
      throw Error(Kind::kFetch, fmt::format("{} is neither in the cache nor {}", row.what, source.native()))
          .hint("the folder was vendored for another lock: imgforge vendor writes it anew");
    }
    const core::TempDir staging(context.blobs.staging(), "vendored");
    core::clone_file(source, staging / "file");
    core::while_doing("taking " + source.native(),
                      [&] { context.blobs.adopt(staging / "file", row.sha256); });
  }
}

}  // namespace imgforge::lock
