// Functions whose arguments are in all the places where the System V ABI for AMD64 puts them.
#pragma once

extern "C" {
/// Six in registers, two on the stack.
long late_sum(long a, long b, long c, long d, long e, long f, long g, long h);
/// Eight in vector registers, one on the stack.
double late_weighed(double a, double b, double c, double d, double e, double f, double g, double h, double i);
/// As many doubles as `count` says.
double late_several(int count, ...);
struct LateTriple {
  long first, second, third;
};
/// Returned through a hidden argument.
LateTriple late_triple(long first, double second);
}
