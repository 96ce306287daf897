#include "builder/compare/layouts.hpp"

#include <algorithm>
#include <array>

namespace imgforge::compare {
namespace {

using enum Show;

constexpr std::array kMbr{
    Field{0, 440, kBytes, "boot code"},
    Field{440, 4, kHex, "disk signature"},
    Field{446, 1, kHex, "partition 1 status"},
    Field{447, 3, kBytes, "partition 1 first CHS"},
    Field{450, 1, kHex, "partition 1 type"},
    Field{451, 3, kBytes, "partition 1 last CHS"},
    Field{454, 4, kLittle, "partition 1 first LBA"},
    Field{458, 4, kLittle, "partition 1 sectors"},
    Field{462, 1, kHex, "partition 2 status"},
    Field{463, 3, kBytes, "partition 2 first CHS"},
    Field{466, 1, kHex, "partition 2 type"},
    Field{467, 3, kBytes, "partition 2 last CHS"},
    Field{470, 4, kLittle, "partition 2 first LBA"},
    Field{474, 4, kLittle, "partition 2 sectors"},
    Field{478, 1, kHex, "partition 3 status"},
    Field{479, 3, kBytes, "partition 3 first CHS"},
    Field{482, 1, kHex, "partition 3 type"},
    Field{483, 3, kBytes, "partition 3 last CHS"},
    Field{486, 4, kLittle, "partition 3 first LBA"},
    Field{490, 4, kLittle, "partition 3 sectors"},
    Field{494, 1, kHex, "partition 4 status"},
    Field{495, 3, kBytes, "partition 4 first CHS"},
    Field{498, 1, kHex, "partition 4 type"},
    Field{499, 3, kBytes, "partition 4 last CHS"},
    Field{502, 4, kLittle, "partition 4 first LBA"},
    Field{506, 4, kLittle, "partition 4 sectors"},
    Field{510, 2, kHex, "boot signature"},
};

constexpr std::array kGptHeader{
    Field{0, 8, kText, "signature"},
    Field{8, 4, kHex, "revision"},
    Field{12, 4, kLittle, "header size"},
    Field{16, 4, kHex, "header CRC32"},
    Field{24, 8, kLittle, "my LBA"},
    Field{32, 8, kLittle, "alternate LBA"},
    Field{40, 8, kLittle, "first usable LBA"},
    Field{48, 8, kLittle, "last usable LBA"},
    Field{56, 16, kGuid, "disk GUID"},
    Field{72, 8, kLittle, "partition entry LBA"},
    Field{80, 4, kLittle, "number of partition entries"},
    Field{84, 4, kLittle, "size of partition entry"},
    Field{88, 4, kHex, "partition entry array CRC32"},
};

constexpr std::array kGptEntry{
    Field{0, 16, kGuid, "partition type GUID"}, Field{16, 16, kGuid, "unique partition GUID"},
    Field{32, 8, kLittle, "first LBA"},         Field{40, 8, kLittle, "last LBA"},
    Field{48, 8, kHex, "attributes"},           Field{56, 72, kUtf16, "partition name"},
};

constexpr std::array kExt4Superblock{
    Field{0, 4, kLittle, "s_inodes_count"},
    Field{4, 4, kLittle, "s_blocks_count_lo"},
    Field{8, 4, kLittle, "s_r_blocks_count_lo"},
    Field{12, 4, kLittle, "s_free_blocks_count_lo"},
    Field{16, 4, kLittle, "s_free_inodes_count"},
    Field{20, 4, kLittle, "s_first_data_block"},
    Field{24, 4, kLittle, "s_log_block_size"},
    Field{28, 4, kLittle, "s_log_cluster_size"},
    Field{32, 4, kLittle, "s_blocks_per_group"},
    Field{36, 4, kLittle, "s_clusters_per_group"},
    Field{40, 4, kLittle, "s_inodes_per_group"},
    Field{44, 4, kTime, "s_mtime"},
    Field{48, 4, kTime, "s_wtime"},
    Field{52, 2, kLittle, "s_mnt_count"},
    Field{54, 2, kLittle, "s_max_mnt_count"},
    Field{56, 2, kHex, "s_magic"},
    Field{58, 2, kHex, "s_state"},
    Field{60, 2, kLittle, "s_errors"},
    Field{62, 2, kLittle, "s_minor_rev_level"},
    Field{64, 4, kTime, "s_lastcheck"},
    Field{68, 4, kLittle, "s_checkinterval"},
    Field{72, 4, kLittle, "s_creator_os"},
    Field{76, 4, kLittle, "s_rev_level"},
    Field{80, 2, kLittle, "s_def_resuid"},
    Field{82, 2, kLittle, "s_def_resgid"},
    Field{84, 4, kLittle, "s_first_ino"},
    Field{88, 2, kLittle, "s_inode_size"},
    Field{90, 2, kLittle, "s_block_group_nr"},
    Field{92, 4, kHex, "s_feature_compat"},
    Field{96, 4, kHex, "s_feature_incompat"},
    Field{100, 4, kHex, "s_feature_ro_compat"},
    Field{104, 16, kUuid, "s_uuid"},
    Field{120, 16, kText, "s_volume_name"},
    Field{136, 64, kText, "s_last_mounted"},
    Field{200, 4, kHex, "s_algorithm_usage_bitmap"},
    Field{204, 1, kLittle, "s_prealloc_blocks"},
    Field{205, 1, kLittle, "s_prealloc_dir_blocks"},
    Field{206, 2, kLittle, "s_reserved_gdt_blocks"},
    Field{208, 16, kUuid, "s_journal_uuid"},
    Field{224, 4, kLittle, "s_journal_inum"},
    Field{228, 4, kLittle, "s_journal_dev"},
    Field{232, 4, kLittle, "s_last_orphan"},
    Field{236, 16, kUuid, "s_hash_seed"},
    Field{252, 1, kLittle, "s_def_hash_version"},
    Field{253, 1, kLittle, "s_jnl_backup_type"},
    Field{254, 2, kLittle, "s_desc_size"},
    Field{256, 4, kHex, "s_default_mount_opts"},
    Field{260, 4, kLittle, "s_first_meta_bg"},
    Field{264, 4, kTime, "s_mkfs_time"},
    Field{268, 68, kBytes, "s_jnl_blocks"},
    Field{336, 4, kLittle, "s_blocks_count_hi"},
    Field{340, 4, kLittle, "s_r_blocks_count_hi"},
    Field{344, 4, kLittle, "s_free_blocks_count_hi"},
    Field{348, 2, kLittle, "s_min_extra_isize"},
    Field{350, 2, kLittle, "s_want_extra_isize"},
    Field{352, 4, kHex, "s_flags"},
    Field{356, 2, kLittle, "s_raid_stride"},
    Field{358, 2, kLittle, "s_mmp_interval"},
    Field{360, 8, kLittle, "s_mmp_block"},
    Field{368, 4, kLittle, "s_raid_stripe_width"},
    Field{372, 1, kLittle, "s_log_groups_per_flex"},
    Field{373, 1, kLittle, "s_checksum_type"},
    Field{376, 8, kLittle, "s_kbytes_written"},
    Field{512, 64, kText, "s_mount_opts"},
    Field{588, 4, kLittle, "s_overhead_clusters"},
    Field{624, 4, kHex, "s_checksum_seed"},
    Field{1020, 4, kHex, "s_checksum"},
};

constexpr std::array kExt4Group{
    Field{0, 4, kLittle, "bg_block_bitmap_lo"},
    Field{4, 4, kLittle, "bg_inode_bitmap_lo"},
    Field{8, 4, kLittle, "bg_inode_table_lo"},
    Field{12, 2, kLittle, "bg_free_blocks_count_lo"},
    Field{14, 2, kLittle, "bg_free_inodes_count_lo"},
    Field{16, 2, kLittle, "bg_used_dirs_count_lo"},
    Field{18, 2, kHex, "bg_flags"},
    Field{20, 4, kLittle, "bg_exclude_bitmap_lo"},
    Field{24, 2, kHex, "bg_block_bitmap_csum_lo"},
    Field{26, 2, kHex, "bg_inode_bitmap_csum_lo"},
    Field{28, 2, kLittle, "bg_itable_unused_lo"},
    Field{30, 2, kHex, "bg_checksum"},
    Field{32, 4, kLittle, "bg_block_bitmap_hi"},
    Field{36, 4, kLittle, "bg_inode_bitmap_hi"},
    Field{40, 4, kLittle, "bg_inode_table_hi"},
    Field{44, 2, kLittle, "bg_free_blocks_count_hi"},
    Field{46, 2, kLittle, "bg_free_inodes_count_hi"},
    Field{48, 2, kLittle, "bg_used_dirs_count_hi"},
    Field{50, 2, kLittle, "bg_itable_unused_hi"},
    Field{56, 2, kHex, "bg_block_bitmap_csum_hi"},
    Field{58, 2, kHex, "bg_inode_bitmap_csum_hi"},
};

constexpr std::array kExt4Inode{
    Field{0, 2, kHex, "i_mode"},
    Field{2, 2, kLittle, "i_uid"},
    Field{4, 4, kLittle, "i_size_lo"},
    Field{8, 4, kTime, "i_atime"},
    Field{12, 4, kTime, "i_ctime"},
    Field{16, 4, kTime, "i_mtime"},
    Field{20, 4, kTime, "i_dtime"},
    Field{24, 2, kLittle, "i_gid"},
    Field{26, 2, kLittle, "i_links_count"},
    Field{28, 4, kLittle, "i_blocks_lo"},
    Field{32, 4, kHex, "i_flags"},
    Field{36, 4, kLittle, "i_version"},
    Field{40, 60, kBytes, "i_block"},
    Field{100, 4, kLittle, "i_generation"},
    Field{104, 4, kLittle, "i_file_acl_lo"},
    Field{108, 4, kLittle, "i_size_high"},
    Field{116, 2, kLittle, "l_i_blocks_high"},
    Field{118, 2, kLittle, "l_i_file_acl_high"},
    Field{120, 2, kLittle, "l_i_uid_high"},
    Field{122, 2, kLittle, "l_i_gid_high"},
    Field{124, 2, kHex, "l_i_checksum_lo"},
    Field{128, 2, kLittle, "i_extra_isize"},
    Field{130, 2, kHex, "i_checksum_hi"},
    Field{132, 4, kHex, "i_ctime_extra"},
    Field{136, 4, kHex, "i_mtime_extra"},
    Field{140, 4, kHex, "i_atime_extra"},
    Field{144, 4, kTime, "i_crtime"},
    Field{148, 4, kHex, "i_crtime_extra"},
    Field{152, 4, kLittle, "i_version_hi"},
    Field{156, 4, kLittle, "i_projid"},
    Field{160, 96, kBytes, "extended attributes"},
};

constexpr std::array kSquashfs{
    Field{0, 4, kText, "s_magic"},
    Field{4, 4, kLittle, "inodes"},
    Field{8, 4, kTime, "mkfs_time"},
    Field{12, 4, kLittle, "block_size"},
    Field{16, 4, kLittle, "fragments"},
    Field{20, 2, kLittle, "compression"},
    Field{22, 2, kLittle, "block_log"},
    Field{24, 2, kHex, "flags"},
    Field{26, 2, kLittle, "no_ids"},
    Field{28, 2, kLittle, "s_major"},
    Field{30, 2, kLittle, "s_minor"},
    Field{32, 8, kHex, "root_inode"},
    Field{40, 8, kLittle, "bytes_used"},
    Field{48, 8, kLittle, "id_table_start"},
    Field{56, 8, kLittle, "xattr_id_table_start"},
    Field{64, 8, kLittle, "inode_table_start"},
    Field{72, 8, kLittle, "directory_table_start"},
    Field{80, 8, kLittle, "fragment_table_start"},
    Field{88, 8, kLittle, "lookup_table_start"},
};

constexpr std::array kQcow2{
    Field{0, 4, kBytes, "magic"},
    Field{4, 4, kBig, "version"},
    Field{8, 8, kBig, "backing_file_offset"},
    Field{16, 4, kBig, "backing_file_size"},
    Field{20, 4, kBig, "cluster_bits"},
    Field{24, 8, kBig, "size"},
    Field{32, 4, kBig, "crypt_method"},
    Field{36, 4, kBig, "l1_size"},
    Field{40, 8, kBig, "l1_table_offset"},
    Field{48, 8, kBig, "refcount_table_offset"},
    Field{56, 4, kBig, "refcount_table_clusters"},
    Field{60, 4, kBig, "nb_snapshots"},
    Field{64, 8, kBig, "snapshots_offset"},
    Field{72, 8, kBig, "incompatible_features"},
    Field{80, 8, kBig, "compatible_features"},
    Field{88, 8, kBig, "autoclear_features"},
    Field{96, 4, kBig, "refcount_order"},
    Field{100, 4, kBig, "header_length"},
    Field{104, 1, kBig, "compression_type"},
};

constexpr std::array kIsoVolume{
    Field{0, 1, kLittle, "volume descriptor type"},
    Field{1, 5, kText, "standard identifier"},
    Field{6, 1, kLittle, "version"},
    Field{8, 32, kText, "system identifier"},
    Field{40, 32, kText, "volume identifier"},
    Field{80, 4, kLittle, "volume space size"},
    Field{84, 4, kBig, "volume space size (big-endian)"},
    Field{88, 32, kBytes, "escape sequences"},
    Field{120, 4, kLittle, "volume set size"},
    Field{124, 4, kLittle, "volume sequence number"},
    Field{128, 4, kLittle, "logical block size"},
    Field{132, 4, kLittle, "path table size"},
    Field{136, 4, kBig, "path table size (big-endian)"},
    Field{140, 4, kLittle, "type L path table"},
    Field{144, 4, kLittle, "optional type L path table"},
    Field{148, 4, kBig, "type M path table"},
    Field{152, 4, kBig, "optional type M path table"},
    Field{156, 34, kBytes, "root directory record"},
    Field{190, 128, kText, "volume set identifier"},
    Field{318, 128, kText, "publisher identifier"},
    Field{446, 128, kText, "data preparer identifier"},
    Field{574, 128, kText, "application identifier"},
    Field{702, 37, kText, "copyright file identifier"},
    Field{739, 37, kText, "abstract file identifier"},
    Field{776, 37, kText, "bibliographic file identifier"},
    Field{813, 17, kDigits, "volume creation date and time"},
    Field{830, 17, kDigits, "volume modification date and time"},
    Field{847, 17, kDigits, "volume expiration date and time"},
    Field{864, 17, kDigits, "volume effective date and time"},
    Field{881, 1, kLittle, "file structure version"},
    Field{883, 512, kBytes, "application use"},
};

constexpr std::array kElToritoValidation{
    Field{0, 1, kLittle, "header id"}, Field{1, 1, kHex, "platform id"},  Field{4, 24, kText, "id string"},
    Field{28, 2, kHex, "checksum"},    Field{30, 2, kBytes, "key bytes"},
};

constexpr std::array kElToritoEntry{
    Field{0, 1, kHex, "boot indicator"},         Field{1, 1, kHex, "boot media type"},
    Field{2, 2, kHex, "load segment"},           Field{4, 1, kHex, "system type"},
    Field{6, 2, kLittle, "sector count"},        Field{8, 4, kLittle, "load RBA"},
    Field{12, 20, kBytes, "selection criteria"},
};

template <std::size_t First, std::size_t Second>
constexpr auto joined(const std::array<Field, First>& first, const std::array<Field, Second>& second) {
  std::array<Field, First + Second> all{};
  std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), all.begin()));
  return all;
}

constexpr std::array kFatOfAll{
    Field{0, 3, kBytes, "BS_jmpBoot"},       Field{3, 8, kText, "BS_OEMName"},
    Field{11, 2, kLittle, "BPB_BytsPerSec"}, Field{13, 1, kLittle, "BPB_SecPerClus"},
    Field{14, 2, kLittle, "BPB_RsvdSecCnt"}, Field{16, 1, kLittle, "BPB_NumFATs"},
    Field{17, 2, kLittle, "BPB_RootEntCnt"}, Field{19, 2, kLittle, "BPB_TotSec16"},
    Field{21, 1, kHex, "BPB_Media"},         Field{22, 2, kLittle, "BPB_FATSz16"},
    Field{24, 2, kLittle, "BPB_SecPerTrk"},  Field{26, 2, kLittle, "BPB_NumHeads"},
    Field{28, 4, kLittle, "BPB_HiddSec"},    Field{32, 4, kLittle, "BPB_TotSec32"},
};

constexpr std::array kFat = joined(kFatOfAll, std::array{
                                                  Field{36, 1, kHex, "BS_DrvNum"},
                                                  Field{38, 1, kHex, "BS_BootSig"},
                                                  Field{39, 4, kHex, "BS_VolID"},
                                                  Field{43, 11, kText, "BS_VolLab"},
                                                  Field{54, 8, kText, "BS_FilSysType"},
                                                  Field{62, 448, kBytes, "boot code"},
                                                  Field{510, 2, kHex, "signature"},
                                              });

constexpr std::array kFat32 = joined(kFatOfAll, std::array{
                                                    Field{36, 4, kLittle, "BPB_FATSz32"},
                                                    Field{40, 2, kHex, "BPB_ExtFlags"},
                                                    Field{42, 2, kLittle, "BPB_FSVer"},
                                                    Field{44, 4, kLittle, "BPB_RootClus"},
                                                    Field{48, 2, kLittle, "BPB_FSInfo"},
                                                    Field{50, 2, kLittle, "BPB_BkBootSec"},
                                                    Field{64, 1, kHex, "BS_DrvNum"},
                                                    Field{66, 1, kHex, "BS_BootSig"},
                                                    Field{67, 4, kHex, "BS_VolID"},
                                                    Field{71, 11, kText, "BS_VolLab"},
                                                    Field{82, 8, kText, "BS_FilSysType"},
                                                    Field{90, 420, kBytes, "boot code"},
                                                    Field{510, 2, kHex, "signature"},
                                                });

constexpr std::array kVerity{
    Field{0, 8, kText, "signature"},          Field{8, 4, kLittle, "version"},
    Field{12, 4, kLittle, "hash_type"},       Field{16, 16, kUuid, "uuid"},
    Field{32, 32, kText, "algorithm"},        Field{64, 4, kLittle, "data_block_size"},
    Field{68, 4, kLittle, "hash_block_size"}, Field{72, 8, kLittle, "data_blocks"},
    Field{80, 2, kLittle, "salt_size"},       Field{88, 256, kBytes, "salt"},
};

constexpr std::array kTarHeader{
    Field{0, 100, kText, "name"},     Field{100, 8, kText, "mode"},     Field{108, 8, kText, "uid"},
    Field{116, 8, kText, "gid"},      Field{124, 12, kText, "size"},    Field{136, 12, kText, "mtime"},
    Field{148, 8, kText, "chksum"},   Field{156, 1, kText, "typeflag"}, Field{157, 100, kText, "linkname"},
    Field{257, 6, kText, "magic"},    Field{263, 2, kText, "version"},  Field{265, 32, kText, "uname"},
    Field{297, 32, kText, "gname"},   Field{329, 8, kText, "devmajor"}, Field{337, 8, kText, "devminor"},
    Field{345, 155, kText, "prefix"},
};

constexpr std::array kGzip{
    Field{2, 1, kLittle, "compression method"},
    Field{3, 1, kHex, "flags"},
    Field{4, 4, kTime, "mtime"},
    Field{8, 1, kLittle, "extra flags"},
    Field{9, 1, kLittle, "operating system"},
};

}  // namespace

std::span<const Field> mbr_fields() {
  return kMbr;
}
std::span<const Field> gpt_header_fields() {
  return kGptHeader;
}
std::span<const Field> gpt_entry_fields() {
  return kGptEntry;
}
std::span<const Field> ext4_superblock_fields() {
  return kExt4Superblock;
}
std::span<const Field> ext4_group_fields() {
  return kExt4Group;
}
std::span<const Field> ext4_inode_fields() {
  return kExt4Inode;
}
std::span<const Field> squashfs_superblock_fields() {
  return kSquashfs;
}
std::span<const Field> qcow2_header_fields() {
  return kQcow2;
}
std::span<const Field> iso_volume_fields() {
  return kIsoVolume;
}
std::span<const Field> el_torito_validation_fields() {
  return kElToritoValidation;
}
std::span<const Field> el_torito_entry_fields() {
  return kElToritoEntry;
}
std::span<const Field> fat_boot_fields() {
  return kFat;
}
std::span<const Field> fat32_boot_fields() {
  return kFat32;
}
std::span<const Field> verity_superblock_fields() {
  return kVerity;
}
std::span<const Field> tar_header_fields() {
  return kTarHeader;
}
std::span<const Field> gzip_header_fields() {
  return kGzip;
}

}  // namespace imgforge::compare
