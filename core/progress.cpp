#include "core/progress.hpp"

#include <utility>

namespace imgforge::core {
namespace {

class NoProgress : public Progress {
 public:
  void note(std::string_view) override {}
  void warn(std::string_view) override {}

 private:
  ActivityId start(std::string_view, ActivityId) override { return kNoActivity; }
  void say(ActivityId, std::string_view) override {}
  void count(ActivityId, const Amount&) override {}
  void end(ActivityId, Outcome, std::string_view) override {}
};

}  // namespace

Activity Progress::begin(std::string_view name) {
  return {*this, start(name, kNoActivity)};
}

Activity::Activity(Activity&& other) noexcept
    : progress_(std::exchange(other.progress_, nullptr)), id_(other.id_) {}

Activity& Activity::operator=(Activity&& other) noexcept {
  if (this == &other) return *this;
  end(Outcome::kFailed, {});
  progress_ = std::exchange(other.progress_, nullptr);
  id_ = other.id_;
  return *this;
}

Activity::~Activity() {
  end(Outcome::kFailed, {});
}

Activity Activity::part(std::string_view name) const {
  return progress_ == nullptr ? Activity() : Activity(*progress_, progress_->start(name, id_));
}

void Activity::say(std::string_view detail) const {
  if (progress_ != nullptr) progress_->say(id_, detail);
}

void Activity::count(const Amount& amount) const {
  if (progress_ != nullptr) progress_->count(id_, amount);
}

void Activity::done(std::string_view detail) {
  end(Outcome::kDone, detail);
}

void Activity::known(std::string_view detail) {
  end(Outcome::kKnown, detail);
}

void Activity::end(Outcome outcome, std::string_view detail) {
  if (Progress* progress = std::exchange(progress_, nullptr)) progress->end(id_, outcome, detail);
}

Progress& no_progress() {
  static NoProgress progress;
  return progress;
}

}  // namespace imgforge::core
