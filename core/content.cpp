#include "core/content.hpp"

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::core {
namespace {

constexpr std::uint64_t kSmall = 1 << 20;

}  // namespace

Content::Content(std::string text) : text_(std::make_shared<const std::string>(std::move(text))) {}

Content Content::of_file(const std::filesystem::path& path) {
  const Fd fd = open_regular(path);
  Hasher hasher(HashAlgorithm::kSha256);
  std::string text;
  const std::uint64_t size = read_whole(fd.get(), path.native(), [&](std::span<const std::byte> data) {
    hasher.update(data);
    if (text.size() <= kSmall) text.append(reinterpret_cast<const char*>(data.data()), data.size());
  });
  if (size <= kSmall) return text;
  Content content;
  content.file_ = File{path, size, hasher.finish()};
  return content;
}

std::uint64_t Content::size() const {
  return file_ ? file_->size : text_->size();
}

Digest Content::sha256() const {
  return file_ ? file_->sha256 : digest_of(HashAlgorithm::kSha256, *text_);
}

void Content::read(const std::function<void(std::span<const std::byte>)>& take) const {
  if (!file_) return take(std::as_bytes(std::span(*text_)));
  const auto changed = [&] {
    return Error(Kind::kIo, escaped(file_->path.native()) + " changed while it was used");
  };
  const Fd fd = open_regular(file_->path);
  Hasher hasher(HashAlgorithm::kSha256);
  std::uint64_t left = file_->size;
  read_whole(fd.get(), file_->path.native(), [&](std::span<const std::byte> data) {
    if (data.size() > left) throw changed();
    left -= data.size();
    hasher.update(data);
    take(data);
  });
  if (left != 0 || hasher.finish() != file_->sha256) throw changed();
}

}  // namespace imgforge::core
