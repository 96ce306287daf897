// The early program: what the initramfs must do and busybox cannot. Static, without any library, a few KiB.
#include "builder/target/early/commands.hpp"
#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"

// The kernel starts a program with the argument count at the top of the stack and the arguments above it.
asm(".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call early_main\n"
    "  hlt\n");

extern "C" [[noreturn]] void early_main(const long* stack);

void early_main(const long* stack) {
  using namespace imgforge::target;
  const long count = stack[0];
  auto* const words = reinterpret_cast<const char* const*>(stack + 1);
  const char* const command = count > 1 ? words[1] : "";
  if (same(command, "verity") && count == 6) {
    verity(words[2], words[3], words[4], words[5]);
  } else if (same(command, "grow") && count == 4) {
    grow(words[2], words[3]);
  } else if (same(command, "resize") && count == 4) {
    resize(words[2], words[3]);
  } else {
    fail(
        "usage: early verity NAME DATA_DEVICE HASH_DEVICE ROOT_HASH\n"
        "       early grow DISK PARTITION_NUMBER\n"
        "       early resize MOUNT_POINT DEVICE");
  }
  sys_exit(0);
}
