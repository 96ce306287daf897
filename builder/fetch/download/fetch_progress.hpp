// What the watcher is told while files come: one activity for all files of a call, with the sum of their
// bytes, and how many there will be where all sizes are known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/fetch/http/context.hpp"

namespace imgforge::fetch {

class FetchProgress {
 public:
  /// `name` is that of the file when there is only one. Without files nothing is told.
  FetchProgress(const Context& context, std::size_t files, std::string name);
  /// So many bytes more are expected in all: those of one file.
  void expect(std::uint64_t bytes);
  /// The size of a file that was expected is not known any more.
  void forget(std::uint64_t bytes);
  /// Bytes that are there already.
  void have(std::uint64_t bytes);
  void add(std::uint64_t bytes);
  void take_back(std::uint64_t bytes);
  void finish_one();
  /// Nothing moves for a reason that the watcher should know.
  void waiting(std::string_view why);
  /// All files are there.
  void done() { activity_.done(); }

 private:
  void say(std::string text);
  void say_files();
  void count();

  std::size_t files_;
  std::string name_;
  std::size_t finished_ = 0;
  std::size_t sizes_ = 0;  ///< files whose size is known
  std::uint64_t expected_ = 0;
  core::Amount amount_;
  std::string said_;
  core::Activity activity_;
};

}  // namespace imgforge::fetch
