#include "builder/fetch/download/fetch_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace imgforge::fetch {
namespace {

constexpr const char* kName = "download";

core::Activity begin(const Context& context, std::size_t files) {
  if (files == 0) return {};
  return context.activity != nullptr ? context.activity->part(kName) : context.progress.begin(kName);
}

}  // namespace

FetchProgress::FetchProgress(const Context& context, std::size_t files, std::string name)
    : files_(files), name_(std::move(name)), activity_(begin(context, files)) {
  say_files();
}

void FetchProgress::expect(std::uint64_t bytes) {
  ++sizes_;
  expected_ += bytes;
}

void FetchProgress::forget(std::uint64_t bytes) {
  --sizes_;
  expected_ -= bytes;
}

void FetchProgress::have(std::uint64_t bytes) {
  amount_.done += bytes;
  amount_.found += bytes;
  count();
}

void FetchProgress::add(std::uint64_t bytes) {
  amount_.done += bytes;
  say_files();
  count();
}

void FetchProgress::take_back(std::uint64_t bytes) {
  amount_.done -= std::min(bytes, amount_.done);
  amount_.found = std::min(amount_.found, amount_.done);
  count();
}

void FetchProgress::finish_one() {
  ++finished_;
  say_files();
}

void FetchProgress::waiting(std::string_view why) {
  say(std::string(why));
}

void FetchProgress::say_files() {
  say(files_ > 1 ? fmt::format("{} of {} files", finished_, files_) : name_);
}

void FetchProgress::say(std::string text) {
  if (text == said_) return;
  said_ = std::move(text);
  activity_.say(said_);
}

void FetchProgress::count() {
  amount_.total.reset();
  if (sizes_ == files_ && expected_ >= amount_.done) amount_.total = expected_;
  activity_.count(amount_);
}

}  // namespace imgforge::fetch
