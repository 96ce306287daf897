#include "attack/guest/owner_attempts.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

namespace {

constexpr unsigned kSame = ~0U;

void told(const char* what, long result) {
  std::printf("%s: %s\n", what, result < 0 ? std::strerror(errno) : "done");
}

void make(const char* path, unsigned mode = 0644) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::fchmod(fd, mode);
  ::close(fd);
}

void look(const char* path) {
  struct stat status {};
  struct statx extended {};
  if (::lstat(path, &status) != 0) {
    std::printf("%s is not there\n", path);
    return;
  }
  ::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &extended);
  std::printf("%s: %o %u:%u, %u:%u, capability %zd\n", path, status.st_mode, status.st_uid, status.st_gid,
              extended.stx_uid, extended.stx_gid, ::lgetxattr(path, "security.capability", nullptr, 0));
}

long by_kernel_name(long call, const char* path, unsigned uid, unsigned gid) {
  return ::syscall(call, path, uid, gid);
}

void try_each_call() {
  ::mkdir("/each", 0755);
  if (::chdir("/each") != 0) return;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) make(name);
  ::mkdir("folder", 0755);
  make("folder/in");
  told("link", ::symlink("a", "link"));
  told("link to the folder", ::symlink("/each/folder", "to-folder"));
  told("nowhere", ::symlink("/nowhere", "nowhere"));
  const int folder = ::open("folder", O_RDONLY | O_DIRECTORY);
  const int file = ::open("c", O_RDONLY);
  const int path_only = ::open("g", O_PATH);
#ifdef SYS_chown
  told("chown through a link", by_kernel_name(SYS_chown, "link", 1, 2));
  told("lchown of the link", by_kernel_name(SYS_lchown, "link", 3, 4));
  told("chown of nowhere", by_kernel_name(SYS_chown, "nowhere", 1, 2));
  told("lchown of nowhere", by_kernel_name(SYS_lchown, "nowhere", 5, 6));
#endif
  told("fchown", ::fchown(file, 1234, 65535));
  told("fchownat", ::fchownat(folder, "in", 7, 8, 0));
  told("fchownat up", ::fchownat(folder, "../b", 9, 10, 0));
  told("fchownat through a folder", ::fchownat(AT_FDCWD, "to-folder/../d", 11, 12, 0));
  told("fchownat of the folder itself", ::fchownat(folder, "", 13, 14, AT_EMPTY_PATH));
  told("fchownat of /proc/self/fd",
       ::fchownat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(path_only)).c_str(), 15, 16, 0));
  told("user only", ::chown("e", 17, kSame));
  told("group only", ::chown("e", kSame, 18));
  told("neither", ::chown("e", kSame, kSame));
  told("to one and back", ::chown("f", 19, 20) + ::chown("f", 0, 0));
  told("above the root", ::chown("/../../../../each/h", 21, 22));
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h", "link", "nowhere", "folder", "folder/in"})
    look(name);
  struct stat status {};
  ::fstat(file, &status);
  std::printf("by fstat %u:%u\n", status.st_uid, status.st_gid);
}

void try_wrong_calls() {
  ::mkdir("/wrong", 0755);
  if (::chdir("/wrong") != 0) return;
  make("file");
  told("loop", ::symlink("loop", "loop"));
  told("no file", ::chown("none", 1, 1));
  told("no folder", ::chown("none/none", 1, 1));
  told("a file as a folder", ::chown("file/", 1, 1));
  told("an endless link", ::chown("loop", 1, 1));
  told("the endless link", ::lchown("loop", 1, 1));
  told("no descriptor", ::fchown(77, 1, 1));
  told("a negative one", ::fchown(-7, 1, 1));
  told("below no descriptor", ::fchownat(77, "file", 1, 1, 0));
  told("nothing", ::fchownat(AT_FDCWD, "", 1, 1, 0));
  told("no memory", ::chown(reinterpret_cast<const char*>(8), 1, 1));
  told("too long", ::chown(std::string(5000, 'x').c_str(), 1, 1));
  told("a name too long", ::chown(std::string(300, 'x').c_str(), 1, 1));
  told("flags", ::fchownat(AT_FDCWD, "file", 1, 1, 0x4000'0000));
  told("a user too large", ::chown("file", 65536, 1));
  told("a group too large", ::chown("file", 1, 4'000'000'000U));
  told("a device", ::chown("/dev/null", 1, 1));
  told("what was handed over", ::chown("/.imgforge/media/file", 1, 1));
  told("/proc", ::chown("/proc/version", 1, 1));
  told("a disk", ::mknod("/wrong/disk", S_IFBLK | 0600, 0x801));
  look("file");
}

/// Changing the owner takes some of these bits away, and capabilities.
void try_set_id_bits() {
  ::mkdir("/bits", 0755);
  if (::chdir("/bits") != 0) return;
  constexpr std::array<unsigned char, 20> kCapability{1, 0, 0, 2, 0, 4};
  for (const unsigned mode : {06755U, 06745U, 04644U, 02644U, 02654U, 01755U, 0U}) {
    for (const bool to_root : {false, true}) {
      const std::string name = std::to_string(mode) + (to_root ? "-root" : "-user");
      make(name.c_str(), mode);
      ::setxattr(name.c_str(), "security.capability", kCapability.data(), kCapability.size(), 0);
      told("chown", ::chown(name.c_str(), to_root ? 0 : 5, kSame));
      look(name.c_str());
    }
  }
  make("unchanged", 06755);
  told("chown of nothing", ::chown("unchanged", kSame, kSame));
  look("unchanged");
  ::mkdir("folder", 0755);
  ::chmod("folder", 07755);
  told("chown of a folder", ::chown("folder", 5, 6));
  look("folder");
  make("capable", 0755);
  told("chown", ::chown("capable", 5, 6));
  told("setxattr", ::setxattr("capable", "security.capability", kCapability.data(), kCapability.size(), 0));
  told("chmod", ::chmod("capable", 04755));
  look("capable");
  told("trusted", ::setxattr("capable", "trusted.x", "y", 1, 0));
  told("removexattr", ::removexattr("capable", "security.capability"));
  look("capable");
}

/// In a root of its own, as apk runs scripts, and with the current folder outside of it.
void try_chroot() {
  ::mkdir("/cell", 0755);
  ::mkdir("/cell/in", 0755);
  make("/cell/file");
  make("/file");
  make("/outside");
  told("link", ::symlink("/file", "/cell/in/link"));
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    const int kept = ::open("/", O_RDONLY | O_DIRECTORY);
    told("chroot", ::chroot("/cell"));
    told("chdir", ::chdir("/in"));
    told("an absolute link", ::chown("link", 31, 32));
    told("up beyond the root", ::chown("../../../file", 33, kSame));
    told("not there", ::chown("/outside", 35, 36));
    told("by a folder outside", ::fchownat(kept, "outside", 37, 38, 0));
    told("out", ::fchdir(kept));
    told("from outside", ::chown("cell/in", 39, 40));
    std::fflush(stdout);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  for (const char* name : {"/cell/file", "/file", "/outside", "/cell/in"}) look(name);
}

/// A folder with set-id bit hands on its group, and its bit to folders, to what is made in it.
void try_groups() {
  ::mkdir("/groups", 0755);
  if (::chdir("/groups") != 0) return;
  make("before");
  told("chown", ::chown(".", 40, 50));
  make("without-bit");
  told("chmod", ::chmod(".", 02775));
  make("with-bit", 02755);
  make("without-bit");
  told("mkdir", ::mkdir("folder", 0755));
  told("mkdir in it", ::mkdir("folder/in/", 0755));
  make("folder/in/file");
  make("/groups/folder/../up");
  told("creat", ::close(::creat("creat", 0600)));
  std::array<std::uint64_t, 3> how{O_WRONLY | O_CREAT | O_EXCL, 0600, 0};
  told("openat2",
       ::close(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, "openat2", how.data(), sizeof how))));
  told("mkfifo", ::mkfifo("pipe", 0600));
  told("symlink", ::symlink("x", "symlink"));
  const int folder = ::open("folder", O_RDONLY | O_DIRECTORY);
  told("mkdirat", ::mkdirat(folder, "mkdirat", 0755));
  told("symlinkat", ::symlinkat("x", folder, "symlinkat"));
  told("openat", ::close(::openat(folder, "openat", O_CREAT | O_WRONLY, 0600)));
  told("openat and away", ::close(::openat(folder, "moved", O_CREAT | O_WRONLY, 0600)) +
                              ::renameat(folder, "moved", AT_FDCWD, "/moved-away"));
  told("openat and another",
       ::close(::openat(folder, "owned", O_CREAT | O_WRONLY, 0600)) + ::fchownat(folder, "owned", 1, 2, 0));
  told("root's again", ::chown("creat", 0, 0));
  make("/elsewhere");
  told("from elsewhere", ::rename("/elsewhere", "from-elsewhere"));
  told("another group", ::chown(".", kSame, 60));
  make("of-another-group");
  told("into nowhere", ::mkdir("none/none", 0755));
  told("no bit", ::chmod(".", 0775));
  make("no-bit");
  for (const char* name :
       {"before", "without-bit", "with-bit", "folder", "folder/in", "folder/in/file", "up", "creat",
        "openat2", "pipe", "symlink", "folder/mkdirat", "folder/symlinkat", "folder/openat", "/moved-away",
        "folder/owned", "from-elsewhere", "of-another-group", "no-bit"}) {
    look(name);
  }
  told("the last", ::mkdir("folder/last", 0755));
}

/// Inode numbers are used again; owners are not.
void try_reuse() {
  ::mkdir("/reuse", 0755);
  if (::chdir("/reuse") != 0) return;
  unsigned reused = 0;
  unsigned inherited = 0;
  for (int i = 0; i < 2000; ++i) {
    struct stat before {};
    struct stat after {};
    const std::string name = std::to_string(i);
    make("old");
    ::lstat("old", &before);
    if (::chown("old", 5, 6) != 0) std::printf("NOT ALLOWED: chown\n");
    ::unlink("old");
    if (i % 3 == 0) make(name.c_str());
    if (i % 3 == 1) ::mkdir(name.c_str(), 0755);
    if (i % 3 == 2 && ::symlink("x", name.c_str()) != 0) std::printf("NOT ALLOWED: symlink\n");
    ::lstat(name.c_str(), &after);
    if (before.st_ino == after.st_ino) ++reused;
    if (after.st_uid != 0 || after.st_gid != 0) ++inherited;
  }
  std::printf("inherited: %u\n", inherited);
  std::fprintf(stderr, "reused: %u\n", reused);
}

/// Several processes, several threads in each.
void try_many() {
  constexpr int kProcesses = 4;
  constexpr int kThreads = 3;
  constexpr int kFiles = 500;
  ::mkdir("/many", 0755);
  for (int process = 0; process < kProcesses; ++process) {
    if (::fork() != 0) continue;
    std::array<std::thread, kThreads> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads[static_cast<std::size_t>(thread)] = std::thread([=] {
        for (int i = 0; i < kFiles; ++i) {
          const int number = (process * kThreads + thread) * kFiles + i;
          const std::string name = "/many/" + std::to_string(number);
          make(name.c_str());
          if (::chown(name.c_str(), static_cast<unsigned>(number), 9) != 0)
            std::printf("NOT ALLOWED: chown\n");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) {
  }
  for (int number = 0; number < kProcesses * kThreads * kFiles; ++number) {
    struct stat status {};
    ::lstat(("/many/" + std::to_string(number)).c_str(), &status);
    if (status.st_uid != static_cast<unsigned>(number) || status.st_gid != 9)
      std::printf("LOST: %d\n", number);
  }
}

/// Who asks and changes what he asks for meanwhile: the target of a link, the path in memory, his root.
void try_races(const std::string& victim) {
  ::mkdir("/race", 0755);
  if (::chdir("/race") != 0) return;
  make("mine");
  static std::array<char, 512> path{};
  std::atomic<bool> is_over = false;
  std::thread changer([&] {
    const std::string up = "../../../../../.." + victim;
    while (!is_over) {
      ::unlink("link");
      if (::symlink(victim.c_str(), "link") != 0) continue;
      std::strcpy(path.data(), victim.c_str());
      ::unlink("link");
      if (::symlink(up.c_str(), "link") != 0) continue;
      std::strcpy(path.data(), up.c_str());
      std::strcpy(path.data(), "mine");
    }
  });
  for (int i = 0; i < 3000; ++i) {
    static_cast<void>(::chown("link", 5, 6) == 0);
    static_cast<void>(::chown(path.data(), 5, 6) == 0);
    static_cast<void>(::fchownat(AT_FDCWD, "link", 5, 6, AT_SYMLINK_NOFOLLOW) == 0);
  }
  is_over = true;
  changer.join();
  // One call, and the process is gone before the answer.
  for (int i = 0; i < 300; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      while (::chown("mine", 5, 6) == 0) {
      }
      ::_exit(0);
    }
    ::usleep(200);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

void try_host_file(const std::string& victim) {
  constexpr std::array kPrefixes{"",
                                 "/../../../..",
                                 "/proc/self/root",
                                 "/proc/self/cwd/../../../../../..",
                                 "/proc/1/root",
                                 "/proc/1/cwd/../../../../..",
                                 "/proc/thread-self/root",
                                 "/proc/self/fd/3/..",
                                 "/dev/fd/3/../../..",
                                 "/proc/1/fd/3",
                                 "/dev/../../../.."};
  for (const char* prefix : kPrefixes) {
    const std::string path = prefix + victim;
    if (::chown(path.c_str(), 5, 6) == 0) std::printf("WORKED: chown of %s\n", path.c_str());
    ::unlink("/way");
    if (::symlink(path.c_str(), "/way") != 0) std::printf("NOT ALLOWED: symlink\n");
    if (::chown("/way", 5, 6) == 0) std::printf("WORKED: chown by a link to %s\n", path.c_str());
    struct stat status {};
    if (::stat("/way", &status) == 0) std::printf("WORKED: stat by a link to %s\n", path.c_str());
  }
}

void try_accounts() {
  constexpr std::array<gid_t, 2> kGroups{0, 10};
  told("setgroups", ::setgroups(kGroups.size(), kGroups.data()));
  told("setgid(0)", ::setgid(0));
  told("setuid(0)", ::setuid(0));
  told("setresuid(same, 0, same)", ::setresuid(kSame, 0, kSame));
}

}  // namespace

int change_owners(std::string_view what) {
  const std::size_t colon = what.find(':');
  const std::string argument(colon == std::string_view::npos ? "" : what.substr(colon + 1));
  if (what == "calls") {
    try_each_call();
    try_wrong_calls();
    try_set_id_bits();
    try_chroot();
    try_accounts();
    try_groups();
  }
  if (what == "become") {
    const int result = ::setuid(1000);
    told("become", result);
    return result < 0 ? 1 : 0;
  }
  if (what == "reuse") try_reuse();
  if (what == "many") try_many();
  if (what.starts_with("host:")) {
    try_host_file(argument);
    try_races(argument);
  }
  std::printf("all done\n");
  return 0;
}
