// Bytes that somebody will need later: here, or in a file that has to stay what it is until then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/digest.hpp"

namespace imgforge::core {

/// A value whose copies share the bytes.
class Content {
 public:
  Content(std::string text = {});
  Content(const char* text) : Content(std::string(text)) {}
  /// A regular file as it is now. Small ones are read; others are hashed, and read when somebody needs them.
  /// Throws kIo, kPermission.
  static Content of_file(const std::filesystem::path& path);

  std::uint64_t size() const;
  Digest sha256() const;
  /// Null when the bytes are in a file.
  const std::string* text() const { return file_ ? nullptr : text_.get(); }
  /// Hands out all of them in order. Throws kIo when the file is not what it was.
  void read(const std::function<void(std::span<const std::byte>)>& take) const;

 private:
  struct File {
    std::filesystem::path path;
    std::uint64_t size = 0;
    Digest sha256;
  };
  std::shared_ptr<const std::string> text_;
  std::optional<File> file_;
};

}  // namespace imgforge::core
