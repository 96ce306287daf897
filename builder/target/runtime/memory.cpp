// The four functions that compilers call even in a program without a library. The string instructions keep
// the compiler from turning a loop back into a call of the same function.
#include <cstddef>

extern "C" {

void* memcpy(void* target, const void* source, std::size_t size) {
  void* to = target;
  asm volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(size) : : "memory");
  return target;
}

void* memmove(void* target, const void* source, std::size_t size) {
  if (target <= source) return memcpy(target, source, size);
  auto* to = static_cast<unsigned char*>(target) + size - 1;
  auto* from = static_cast<const unsigned char*>(source) + size - 1;
  asm volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return target;
}

void* memset(void* target, int value, std::size_t size) {
  void* to = target;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return target;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  auto* a = static_cast<const volatile unsigned char*>(left);
  auto* b = static_cast<const volatile unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

}  // extern "C"
