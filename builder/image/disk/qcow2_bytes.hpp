// The disk inside a qcow2 image, cluster by cluster, without qemu-img: for looking into images that nobody
// has verified. Format: QEMU documentation, docs/interop/qcow2.txt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/image/disk/qcow2.hpp"
#include "builder/image/image_bytes.hpp"

namespace imgforge::image {

class Qcow2Bytes : public ImageBytes {
 public:
  /// Reads header and first table; `file` must outlive it. Throws kImage as read_qcow2_header does.
  Qcow2Bytes(const ImageBytes& file, const std::string& name);
  /// Throws kImage for tables and clusters that are not inside the file, or do not unpack to one cluster.
  std::uint64_t size() const override { return facts_.virtual_size.value; }

 private:
  /// What was read last, so that small reads one after the other unpack a cluster once.
  struct Kept {
    std::uint64_t number = UINT64_MAX;
    std::string bytes = {};
  };
  void fill(std::uint64_t offset, std::span<std::byte> buffer) const override;
  std::uint64_t entry_of(std::uint64_t cluster) const;
  const std::string& unpacked(std::uint64_t cluster, std::uint64_t entry) const;

  const ImageBytes& file_;
  Qcow2Facts facts_;
  std::string first_table_;
  mutable std::vector<Kept> tables_;
  mutable std::vector<Kept> clusters_;
};

}  // namespace imgforge::image
