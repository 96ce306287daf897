#include "artifacts/check/signatures.hpp"

#include <algorithm>
#include <system_error>

#include "artifacts/check/attempt.hpp"
#include "artifacts/manifest/companions.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::artifacts {

using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxSignatureBytes = 4096;
constexpr std::size_t kMaxSignatures = 32;

/// One that is missing is `Reason::kUnsigned`.
std::string read_signature(const fs::path& file) {
  try {
    return read_bounded(file, kMaxSignatureBytes);
  } catch (const Error& error) {
    throw Error(Kind::kSignature, core::escaped(file.filename().native(), 200) + ": " + error.message())
        .reason(error.reason() == Reason::kMissing ? Reason::kUnsigned : error.reason());
  }
}

}  // namespace

std::string read_bounded(const fs::path& file, std::uint64_t limit) {
  std::error_code error;
  const auto type = fs::symlink_status(file, error).type();
  if (type == fs::file_type::not_found) throw Error(Kind::kIntegrity, "missing").reason(Reason::kMissing);
  if (type == fs::file_type::symlink)
    throw Error(Kind::kIntegrity, "is a symbolic link").reason(Reason::kMalformed);
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  std::string text;
  core::read_whole(fd.get(), file.native(), [&](std::span<const std::byte> data) {
    if (text.size() + data.size() > limit)
      throw Error(Kind::kUnsafe, "larger than " + std::to_string(limit) + " bytes")
          .reason(Reason::kMalformed);
    text.append(reinterpret_cast<const char*>(data.data()), data.size());
  });
  return text;
}

Signatures read_signatures(const fs::path& file) {
  Signatures texts{read_signature(file.native() + kSignatureSuffix)};
  const fs::path folder = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  const std::string prefix = file.filename().native() + ".";
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    if (!key_id_in(name, prefix, kSignatureSuffix).empty()) names.push_back(std::move(name));
  }
  if (names.size() >= kMaxSignatures)
    throw Error(Kind::kSignature, "more than " + std::to_string(kMaxSignatures) + " signatures")
        .reason(Reason::kMalformed);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) texts.push_back(read_signature(folder / name));
  return texts;
}

std::optional<std::string> check_signatures(std::vector<CheckRow>& rows, const fs::path& file,
                                            const std::string& bytes, const SignatureCheck& check) {
  std::string signers;
  const bool accepted = attempt(rows, file.filename().native(), "signature", [&] {
    if (!check) throw Error(Kind::kSignature, "no trusted keys to check it with").reason(Reason::kUnknownKey);
    signers = check(bytes, read_signatures(file));
    return "signed by " + signers;
  });
  return accepted ? std::optional(signers) : std::nullopt;
}

}  // namespace imgforge::artifacts
