#include "builder/target/early/device_mapper.hpp"

#include <linux/dm-ioctl.h>
#include <linux/ioctl.h>

#include <cstddef>

#include "builder/target/runtime/system_calls.hpp"

namespace imgforge::target {
namespace {

constexpr const char* kControl = "/dev/mapper/control";

/// What an ioctl of the device mapper takes and gives: header, one target, its parameters.
struct Request {
  dm_ioctl header{};
  dm_target_spec target{};
  char parameters[Text::kCapacity + 1] = {};
};

void copy_text(char* target, std::size_t size, const char* source) {
  const std::size_t length = length_of(source);
  if (length >= size) fail(source, " is too long a name for a device");
  __builtin_memcpy(target, source, length + 1);
}

void prepare(Request& request, const char* name) {
  request = Request();
  request.header.version[0] = DM_VERSION_MAJOR;  // 4.0 is enough for the commands used here
  request.header.data_size = sizeof request;
  request.header.data_start = offsetof(Request, target);
  copy_text(request.header.name, sizeof request.header.name, name);
}

int open_control() {
  return static_cast<int>(check(sys_open(kControl, kReadWrite), "cannot open ", kControl));
}

Text node_path(const char* name) {
  return Text().add("/dev/mapper/").add(name);
}

/// devtmpfs makes /dev/dm-N; the name becomes a link to it, as udev would make it.
void name_node(const char* name, std::uint64_t device) {
  const std::uint64_t minor = (device & 0xFF) | ((device >> 12) & 0xFFF00);
  const Text path = node_path(name);
  const Text kernel_path = Text().add("/dev/dm-").add(minor);
  sys_unlink(path.c_str());
  long result = 0;
  if (sys_exists(kernel_path.c_str()) == 0) {
    result = sys_symlink(Text().add("../dm-").add(minor).c_str(), path.c_str());
  } else {
    result = sys_make_node(path.c_str(), kBlockDevice | 0600, static_cast<std::uint32_t>(device));
  }
  if (result >= 0) return;
  remove_mapper_device(name);
  check(result, "cannot make ", path.c_str());
}

}  // namespace

void make_mapper_device(const char* name, const char* uuid, const MapperTarget& target) {
  if (!target.parameters.is_whole()) fail("the parameters of ", name, " are too long");
  const int control = open_control();
  static Request request;
  prepare(request, name);
  copy_text(request.header.uuid, sizeof request.header.uuid, uuid);
  check(sys_ioctl(control, DM_DEV_CREATE, &request), "cannot make the device ", name);

  prepare(request, name);
  request.header.flags = DM_READONLY_FLAG;
  request.header.target_count = 1;
  request.target.length = target.sectors;
  request.target.next = sizeof request.target + sizeof request.parameters;
  copy_text(request.target.target_type, sizeof request.target.target_type, target.type);
  __builtin_memcpy(request.parameters, target.parameters.c_str(), target.parameters.size() + 1);
  if (const long result = sys_ioctl(control, DM_TABLE_LOAD, &request); result < 0) {
    remove_mapper_device(name);
    check(result, "the kernel refuses ", target.type, " ", target.parameters.c_str());
  }

  prepare(request, name);  // without DM_SUSPEND_FLAG: starts the device
  if (const long result = sys_ioctl(control, DM_DEV_SUSPEND, &request); result < 0) {
    remove_mapper_device(name);
    check(result, "cannot start the device ", name);
  }
  name_node(name, request.header.dev);
}

void remove_mapper_device(const char* name) {
  static Request request;
  prepare(request, name);
  sys_ioctl(open_control(), DM_DEV_REMOVE, &request);
  sys_unlink(node_path(name).c_str());
}

}  // namespace imgforge::target
