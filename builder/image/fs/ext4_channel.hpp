// How libext2fs reads a file system that is not a file of its own: a channel over ImageBytes that never
// writes.
#pragma once

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "builder/image/image_bytes.hpp"

namespace imgforge::image {

/// Opens it, with wrong checksums for no hindrance, as ext2fs_open2 does; `bytes` must outlive what it gives.
errcode_t open_ext4(const ImageBytes& bytes, ext2_filsys& out);

}  // namespace imgforge::image
