#include "core/progress.hpp"

namespace imgforge::core {
namespace {

class NoProgress : public Progress {
 public:
  void begin(std::string_view) override {}
  void update(std::string_view, std::string_view) override {}
  void end(std::string_view, std::string_view, Outcome) override {}
  void note(std::string_view) override {}
  void warn(std::string_view) override {}
};

}  // namespace

Progress& no_progress() {
  static NoProgress progress;
  return progress;
}

}  // namespace imgforge::core
