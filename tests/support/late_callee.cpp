#include "support/late_callee.hpp"

#include <cstdarg>

long late_sum(long a, long b, long c, long d, long e, long f, long g, long h) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}

double late_weighed(double a, double b, double c, double d, double e, double f, double g, double h,
                    double i) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i;
}

double late_several(int count, ...) {
  std::va_list rest;
  va_start(rest, count);
  double sum = 0;
  for (int index = 0; index < count; ++index) sum += va_arg(rest, double);
  va_end(rest);
  return sum;
}

LateTriple late_triple(long first, double second) {
  return {first, static_cast<long>(second), first + static_cast<long>(second)};
}
