#include "support/late_caller.hpp"

#include "support/late_callee.hpp"

std::string call_late_functions() {
  const LateTriple triple = late_triple(3, 4.5);
  std::string text = std::to_string(late_sum(1, 2, 3, 4, 5, 6, 7, 8));
  for (const double value : {late_weighed(1, 2, 3, 4, 5, 6, 7, 8, 9), late_several(3, 1.0, 2.0, 3.0)})
    text += ' ' + std::to_string(static_cast<long>(value));
  for (const long value : {triple.first, triple.second, triple.third}) text += ' ' + std::to_string(value);
  return text;
}
