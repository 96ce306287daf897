// Runs inside a sandbox, as root of it, and tries what a script must not be able to do. Prints a line for
// each attempt that worked; silence is success. Linked statically, for a root file system without libraries.

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "attack/guest/owner_attempts.hpp"

namespace {

int failures = 0;

/// `result`: of the system call; it must have failed.
void refused(const char* what, long result) {
  if (result < 0) return;
  std::printf("WORKED: %s\n", what);
  ++failures;
}

void try_namespaces() {
  constexpr std::array<int, 7> kFlags{CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
                                      CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};
  for (const int flag : kFlags) {
    refused("unshare", ::unshare(flag));
    const long child = ::syscall(SYS_clone, flag | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) ::_exit(0);
    refused("clone", child);
    std::array<std::uint64_t, 11> args{};
    args[0] = static_cast<std::uint64_t>(flag);
    args[4] = SIGCHLD;
    const long third = ::syscall(SYS_clone3, args.data(), sizeof args);
    if (third == 0) ::_exit(0);
    refused("clone3", third);
  }
  for (const char* name : {"/proc/self/ns/mnt", "/proc/self/ns/user", "/proc/1/ns/mnt", "/proc/1/ns/net"}) {
    const int fd = ::open(name, O_RDONLY);
    refused("setns", ::setns(fd, 0));
  }
}

void try_mounts() {
  refused("mount tmpfs", ::mount("none", "/mnt", "tmpfs", 0, nullptr));
  refused("mount proc", ::mount("none", "/mnt", "proc", 0, nullptr));
  refused("bind mount", ::mount("/", "/mnt", nullptr, MS_BIND, nullptr));
  refused("remount /proc", ::mount(nullptr, "/proc", nullptr, MS_REMOUNT | MS_BIND, nullptr));
  refused("umount /proc", ::umount2("/proc", MNT_DETACH));
  refused("umount /", ::umount2("/", MNT_DETACH));
  refused("fsopen", ::syscall(SYS_fsopen, "tmpfs", 0));
  refused("open_tree", ::syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  refused("move_mount", ::syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/mnt", 0));
  refused("fspick", ::syscall(SYS_fspick, AT_FDCWD, "/", 0));
  refused("mount_setattr", ::syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, nullptr, 0));
  refused("pivot_root", ::syscall(SYS_pivot_root, ".", "."));
  refused("swapon", ::swapon("/bin/busybox", 0));
}

void try_processes() {
  refused("ptrace attach", ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr));
  refused("ptrace traceme", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  char byte = 0;
  iovec here{&byte, 1};
  iovec there{&byte, 1};
  refused("process_vm_readv", ::process_vm_readv(1, &here, 1, &there, 1, 0));
  const long process = ::syscall(SYS_pidfd_open, 1, 0);
  refused("pidfd_getfd", ::syscall(SYS_pidfd_getfd, process, 0, 0));
  for (const char* file : {"/proc/1/mem", "/proc/1/environ", "/proc/1/root/etc", "/proc/1/cwd/etc",
                           "/proc/1/fd/3", "/proc/1/maps", "/proc/1/auxv"}) {
    char content = 0;
    const int fd = ::open(file, O_RDONLY);
    if (fd >= 0) refused(file, ::read(fd, &content, 1) > 0 ? 0 : -1);
  }
}

void try_sockets() {
  for (const int family :
       {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_XDP}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      refused("socket", ::socket(family, type, 0));
    }
  }
  std::array<int, 2> ends{};
  refused("socketpair", ::socketpair(AF_INET, SOCK_STREAM, 0, ends.data()));
}

void try_kernel() {
  std::array<char, 256> zeros{};
  refused("keyctl", ::syscall(SYS_keyctl, 0, -3, 1));
  refused("add_key", ::syscall(SYS_add_key, "user", "x", "y", 1, -3));
  refused("bpf", ::syscall(SYS_bpf, 0, zeros.data(), 48));
  refused("perf_event_open", ::syscall(SYS_perf_event_open, zeros.data(), 0, -1, -1, 0));
  refused("io_uring_setup", ::syscall(SYS_io_uring_setup, 1, zeros.data()));
  refused("userfaultfd", ::syscall(SYS_userfaultfd, 1));
  refused("fanotify_init", ::syscall(SYS_fanotify_init, 0, 0));
  refused("kexec_load", ::syscall(SYS_kexec_load, 0, 0, nullptr, 0));
  refused("init_module", ::syscall(SYS_init_module, zeros.data(), 1, ""));
  refused("finit_module", ::syscall(SYS_finit_module, 0, "", 0));
  refused("delete_module", ::syscall(SYS_delete_module, "x", 0));
  refused("open_by_handle_at", ::syscall(SYS_open_by_handle_at, AT_FDCWD, zeros.data(), 0));
  refused("syslog", ::syscall(SYS_syslog, 3, zeros.data(), zeros.size()));
  refused("reboot", ::reboot(RB_DISABLE_CAD));
  timeval now{};
  ::gettimeofday(&now, nullptr);
  refused("settimeofday", ::settimeofday(&now, nullptr));
  refused("sethostname", ::sethostname("x", 1));
  refused("acct", ::syscall(SYS_acct, nullptr));
#if defined(__x86_64__)
  long result = 0;
  asm volatile("int $0x80" : "=a"(result) : "a"(310L), "b"(static_cast<long>(CLONE_NEWUSER)) : "memory");
  refused("unshare of the 32-bit kind", result);
  refused("unshare of x32", ::syscall(0x40000000 + SYS_unshare, CLONE_NEWUSER));
#endif
}

void try_files() {
  for (const char* file :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger", "/proc/sys/user/max_user_namespaces", "/proc/self/uid_map",
        "/proc/1/oom_score_adj", "/dev/mem", "/dev/kmsg", "/proc/kcore", "/dev/new"}) {
    refused(file, ::open(file, O_WRONLY | O_CREAT, 0600));
  }
  refused("mknod of a disk", ::mknod("/disk", S_IFBLK | 0600, makedev(8, 0)));
  refused("mknod of memory", ::mknod("/memory", S_IFCHR | 0600, makedev(1, 1)));
  refused("writing what was handed over", ::open("/.imgforge/media/file", O_WRONLY));
  refused("new files there", ::open("/.imgforge/media/new", O_WRONLY | O_CREAT, 0600));
  refused("mode of what was handed over", ::chmod("/.imgforge/media/file", 0777));
  refused("a trusted attribute", ::setxattr("/bin", "trusted.x", "y", 1, 0));
  const int file = ::open("/immutable", O_WRONLY | O_CREAT, 0600);
  int flags = FS_IMMUTABLE_FL;
  refused("an immutable file", ::ioctl(file, FS_IOC_SETFLAGS, &flags));
  const rlimit more{100000, 100000};
  refused("more processes", ::setrlimit(RLIMIT_NPROC, &more));
}

/// The way out of a chroot that root has: a folder kept open, and up from there.
void try_chroot() {
  struct stat before {};
  ::stat("/", &before);
  ::mkdir("/cell", 0700);
  const int kept = ::open("/", O_RDONLY | O_DIRECTORY);
  if (::chroot("/cell") != 0) std::printf("NOT ALLOWED: chroot, which apk needs\n");
  if (::fchdir(kept) != 0) std::printf("NOT ALLOWED: fchdir\n");
  for (int i = 0; i < 100; ++i) refused("going up beyond the root", ::chdir("..") == 0 ? -1 : 0);
  refused("changing the root", ::chroot(".") == 0 ? -1 : 0);
  struct stat after {};
  ::stat("/", &after);
  refused("another root", before.st_ino == after.st_ino && before.st_dev == after.st_dev ? -1 : 0);
}

/// A file as packages have it: with a capability, and two names.
int make_capable_file() {
  // vfs_cap_data of version 2: effective; CAP_NET_BIND_SERVICE.
  constexpr std::array<unsigned char, 20> kCapability{1, 0, 0, 2, 0, 4};
  const int file = ::open("/capable", O_WRONLY | O_CREAT, 0755);
  const bool is_made =
      ::fsetxattr(file, "security.capability", kCapability.data(), kCapability.size(), 0) == 0 &&
      ::fsetxattr(file, "user.note", "text", 4, 0) == 0 && ::link("/capable", "/second") == 0;
  return is_made ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  if (count > 2) return change_owners(words[2]);
  if (count > 1) return make_capable_file();
  try_namespaces();
  try_mounts();
  try_processes();
  try_sockets();
  try_kernel();
  try_files();
  ::kill(1, SIGKILL);
  try_chroot();
  std::printf("tried everything\n");
  return failures == 0 ? 0 : 1;
}
