#include "builder/dashboard/jobs.hpp"

namespace imgforge::dashboard {

Jobs::~Jobs() {
  for (auto& [id, thread] : running_) thread.join();
}

bool Jobs::begin(Id id, std::function<Answer()> work) {
  if (running_.size() >= kMost) return false;
  running_.emplace(id, std::thread([this, id, work = std::move(work)] {
                     Answer answer = work();
                     {
                       const std::lock_guard lock(mutex_);
                       done_.emplace_back(id, std::move(answer));
                     }
                     wake_();
                   }));
  return true;
}

std::vector<std::pair<Jobs::Id, Answer>> Jobs::finished() {
  std::vector<std::pair<Id, Answer>> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (const auto& [id, answer] : done) {
    running_.at(id).join();
    running_.erase(id);
  }
  return done;
}

}  // namespace imgforge::dashboard
