#include "builder/vm/console/console_marks.hpp"

namespace imgforge::vm {

bool shows_kernel(std::string_view line) {
  return line.find("Linux version ") != std::string_view::npos;
}

bool shows_init(std::string_view line) {
  return line.starts_with("imgforge: ") || (line.find("Run /") != std::string_view::npos &&
                                            line.find(" as init process") != std::string_view::npos);
}

}  // namespace imgforge::vm
