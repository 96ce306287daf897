// convert, compress and resize: new releases out of published ones.
#include "builder/cli/arguments/derive_arguments.hpp"

namespace imgforge::cli {

Runner declare_convert(OptionSet& set) {
  auto arguments = declare_derive(set);
  auto to = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>();
  set.option("--to", *to, "raw, qcow2, vmdk, vhdx or vdi").required();
  set.option("--from", *from, "format of the release to read [the first of raw, qcow2, vdi, vhdx, vmdk]");
  set.set_footer(
      "The source is verified first and stays as it is. The new release is signed, says what it was made "
      "from, and\n"
      "holds the converted disk only.\n"
      "Example: imgforge convert hello-boot --to vmdk");
  return [=](Context& context) {
    return run_derivation(context, *arguments, [&](auto& tools, auto& store, const auto& request) {
      return derive::convert_release(tools, store, request, *to, *from);
    });
  };
}

Runner declare_compress(OptionSet& set) {
  auto arguments = declare_derive(set);
  auto formats = std::make_shared<std::vector<std::string>>();
  auto level = std::make_shared<int>(12);
  set.option("--format", *formats, "raw, usb or qcow2; repeatable [all that are in the release]");
  set.option("--level", *level, "of zstd files, 1 to 19").between(1, 19).show_default();
  set.set_footer(
      "Raw disks and sticks become .img.zst files (unpack with zstd -d; bmaptool reads them as they are), "
      "qcow2 gets\n"
      "zstd clusters. The source is verified first and stays as it is.\n"
      "Example: imgforge compress hello-boot --format raw --level 19");
  return [=](Context& context) {
    return run_derivation(context, *arguments, [&](auto& tools, auto& store, const auto& request) {
      return derive::compress_release(tools, store, request, *formats, *level);
    });
  };
}

Runner declare_resize(OptionSet& set) {
  auto arguments = declare_derive(set);
  auto size = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>();
  set.option("--size", *size, "of the disk, such as 8G; larger than it is").required();
  set.option("--format", *format, "qcow2 or raw [qcow2 when the release has it]");
  set.set_footer(
      "The last partition and the ext4 file system in it grow with the disk; disks only grow. The source is\n"
      "verified first and stays as it is.\n"
      "Example: imgforge resize hello-boot --size 8G --promote");
  return [=](Context& context) {
    const core::Bytes bytes = core::Bytes::parse(*size);
    return run_derivation(context, *arguments, [&](auto& tools, auto& store, const auto& request) {
      return derive::resize_release(tools, store, request, bytes, *format);
    });
  };
}

}  // namespace imgforge::cli
