// What long work tells its watcher: activities that begin, move and end, and sentences beside them. One
// narrow interface: the terminal shows rows, CI gets lines, scripts get events, tests record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imgforge::core {

class Activity;

/// Names an activity among those of one Progress; none is told twice.
using ActivityId = std::uint64_t;
/// Stands for "none", as the parent of what is no part.
inline constexpr ActivityId kNoActivity = 0;

enum class Outcome {
  kDone,    ///< it made its result
  kKnown,   ///< nothing had to be done
  kFailed,  ///< it ended without result
};

/// How far an activity is, where that can be counted.
struct Amount {
  enum class Unit { kThings, kBytes };
  Unit unit = Unit::kBytes;
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total = {};  ///< none: not known yet
  /// Part of `done` that was there when the activity began: it says nothing about speed.
  std::uint64_t found = 0;
};

/// Where activities are told. May be used by several threads at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  /// Begins an activity; `name` is stable ("base", "minimal/rootfs"). This must outlive the activity.
  Activity begin(std::string_view name);
  /// A sentence the user should see but need not act on.
  virtual void note(std::string_view text) = 0;
  virtual void warn(std::string_view text) = 0;

 private:
  friend class Activity;
  /// `parent` is the activity that the new one is a part of, or kNoActivity.
  virtual ActivityId start(std::string_view name, ActivityId parent) = 0;
  virtual void say(ActivityId activity, std::string_view detail) = 0;
  virtual void count(ActivityId activity, const Amount& amount) = 0;
  virtual void end(ActivityId activity, Outcome outcome, std::string_view detail) = 0;
};

/// Something that takes its time. It begins when it is made and ends once: by done() or known(), or else as
/// failed when it is destroyed, so that an exception leaves none running. One that was made by default or
/// moved from tells nobody.
class Activity {
 public:
  Activity() = default;
  Activity(Activity&& other) noexcept;
  Activity& operator=(Activity&& other) noexcept;
  ~Activity();

  /// Begins a part of this one, such as a download. It should end before this one does.
  Activity part(std::string_view name) const;
  /// What is being done now, in short text for people. Any thread may say it.
  void say(std::string_view detail) const;
  /// How far it is; replaces what was told before. Cheap enough to be called for each buffer. Any thread may.
  void count(const Amount& amount) const;
  /// It ended well; `detail` is its result in a few words. Without words it leaves no line behind.
  void done(std::string_view detail = {});
  /// It ended well and nothing had to be done.
  void known(std::string_view detail = {});

 private:
  friend class Progress;
  Activity(Progress& progress, ActivityId id) : progress_(&progress), id_(id) {}
  void end(Outcome outcome, std::string_view detail);

  Progress* progress_ = nullptr;  ///< null: ended, or nobody watches
  ActivityId id_ = kNoActivity;
};

/// Ignores everything.
Progress& no_progress();

}  // namespace imgforge::core
