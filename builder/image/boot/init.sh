#!/bin/sh
# imgforge's first program: finds the root file system, mounts it, starts its init.
#
# Words of the kernel command line that it understands:
#   root=UUID=...|LABEL=...|PARTLABEL=...|/dev/...   the block device that holds root
#   root=medium:ID                     the squashfs on the ISO 9660 medium that has the file imgforge/ID
#   root=file:/root.squashfs           a squashfs in this initramfs
#   rootfstype=ext4                    its type
#   rootflags=...                      more mount options
#   rootwait=SECONDS                   how long to look for it (default 20)
#   imgforge.verity=ROOTHASH           root must be what this hash of dm-verity was made of
#   imgforge.verity_device=...         where the hash tree is, written as root= is
#   ro | rw                            how to mount it when there is no overlay
#   imgforge.overlay=tmpfs|none|PARTLABEL=...   tmpfs: root stays read-only, changes live in memory;
#                                      a partition: changes are kept there, it grows to the end of its disk
#   imgforge.overlay_size=50%          bound of that memory
#   init=/sbin/init                    what to start
#   imgforge.shell                     a shell before root is looked for, and when something fails
#   imgforge.debug                     print each command
# When root does not come up this script ends, and the kernel panics as panic= says.

export PATH=/bin
set -f

# Every console sees what is said, whatever the kernel's log level ("quiet").
say() {
  for console in $(cat /sys/class/tty/console/active 2>/dev/null); do
    echo "imgforge: $*" > "/dev/$console"
  done 2>/dev/null
}

recovery_shell() {
  say "recovery shell; leave it with exit"
  /bin/busybox --install -s /bin 2>/dev/null
  sh < /dev/console > /dev/console 2>&1
}

give_up() {
  say "ERROR: $*"
  say "block devices: $(cd /sys/class/block 2>/dev/null && set +f && echo *)"
  [ -z "$shell" ] || recovery_shell
  exit 1
}

seconds_up() {
  read -r up idle < /proc/uptime
  echo "${up%%.*}"
}

# Loads the modules of one group. Hardware that is not there makes some of them fail: that is no error.
load_modules() {
  [ -f "/modules/$1" ] || return 0
  while read -r module; do
    insmod "/modules/$module" 2>/dev/null
  done < "/modules/$1"
}

# Devices of the kernel, without what it makes itself.
block_devices() {
  set +f
  for entry in /sys/class/block/*; do
    case "${entry##*/}" in
      loop* | ram* | zram* | dm-*) ;;
      *) echo "${entry##*/}" ;;
    esac
  done
}

# partition_named NAME: the device of the GPT partition of that name.
partition_named() {
  for name in $(block_devices); do
    while read -r line; do
      if [ "$line" = "PARTNAME=$1" ]; then
        echo "/dev/$name"
        return 0
      fi
    done < "/sys/class/block/$name/uevent"
  done
  return 1
}

# device_of SPEC: the block device that a root= or imgforge.overlay= means.
device_of() {
  case "$1" in
    PARTLABEL=*) partition_named "${1#PARTLABEL=}" ;;
    UUID=* | LABEL=*) findfs "$1" 2>/dev/null ;;
    *) echo "$1" ;;
  esac
}

# find_medium ID: mounts the medium that has the file imgforge/ID: ISO 9660, or FAT where a program copied the
# files to a stick.
find_medium() {
  for name in $(block_devices); do
    for kind in iso9660 vfat; do
      mount -t "$kind" -o ro "/dev/$name" /medium 2>/dev/null || continue
      [ ! -f "/medium/imgforge/$1" ] || return 0
      umount /medium
    done
  done
  return 1
}

find_root() {
  case "$root" in
    medium:*)
      find_medium "${root#medium:}" || return 1
      device=/medium/imgforge/root.squashfs
      ;;
    file:*)
      device=${root#file:}
      [ -f "$device" ]
      ;;
    *)
      device=$(device_of "$root")
      [ -b "$device" ]
      ;;
  esac
}

# wait_for_root TENTHS: looks ten times a second.
wait_for_root() {
  tenths=$1
  while ! find_root; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
}

look_for_root() {
  load_modules extra
  load_modules "$type"
  case "$root" in
    medium:* | file:*)
      load_modules loop
      flags=$flags,loop
      ;;
  esac
  case "$root" in
    medium:*)
      load_modules iso9660
      load_modules vfat
      ;;
  esac
  # Virtio disks are there at once; what stands on slower buses is waited for once all drivers are loaded.
  for step in virtio:3 disk:5 usb:70; do
    case "$root" in
      file:*) ;;
      *) load_modules "${step%:*}" ;;
    esac
    wait_for_root "${step#*:}" && return 0
  done
  while [ "$(seconds_up)" -lt "$deadline" ]; do
    wait_for_root 10 && return 0
  done
  return 1
}

# grow_partition DEVICE: lets the partition reach the end of its disk.
grow_partition() {
  [ -x /bin/early ] || return 0
  read -r number < "/sys/class/block/${1##*/}/partition" || return 0
  link=$(readlink -f "/sys/class/block/${1##*/}")
  disk=${link%/*}
  early grow "/dev/${disk##*/}" "$number" || say "the data partition does not grow"
}

# mount_changes: what the overlay is written to, at /overlay.
mount_changes() {
  case "$overlay" in
    tmpfs) ;;
    *)
      load_modules ext4
      changes=$(device_of "$overlay")
      if [ -b "$changes" ]; then
        grow_partition "$changes"
        if mount -t ext4 "$changes" /overlay; then
          [ ! -x /bin/early ] || early resize /overlay "$changes" || say "the data file system does not grow"
          return
        fi
      fi
      say "WARNING: $overlay cannot be used, changes are lost at the end"
      ;;
  esac
  mount -t tmpfs -o "mode=0755,size=$overlay_size" tmpfs /overlay || give_up "cannot mount a tmpfs"
}

# Puts dm-verity over root's device, when the command line names a root hash.
open_verity() {
  [ -n "$verity" ] || return 0
  load_modules verity
  data=$device root=$verity_device
  wait_for_root 50 || give_up "the hash tree $verity_device did not appear"
  early verity root "$data" "$device" "$verity" || give_up "$data does not pass as the root that was built"
  device=/dev/mapper/root
}

mount_root() {
  if [ "$overlay" = none ]; then
    mount -t "$type" -o "$access$flags" "$device" /sysroot || give_up "cannot mount $device ($type) as root"
    return
  fi
  load_modules overlay
  mount -t "$type" -o "ro$flags" "$device" /lower || give_up "cannot mount $device ($type) as root"
  mount_changes
  mkdir -p /overlay/upper /overlay/work
  mount -t overlay -o lowerdir=/lower,upperdir=/overlay/upper,workdir=/overlay/work overlay /sysroot ||
    give_up "cannot mount the overlay over root"
  # The parts stay visible below /run, so that the running system can tell what it stands on.
  mkdir -p /sysroot/run
  mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /sysroot/run
  for part in lower overlay medium; do
    mkdir -p "/sysroot/run/imgforge/$part"
    mount -o move "/$part" "/sysroot/run/imgforge/$part" 2>/dev/null || rmdir "/sysroot/run/imgforge/$part"
  done
}

hand_over() {
  [ -x "/sysroot$init" ] || [ -L "/sysroot$init" ] || give_up "root has no $init"
  for folder in dev proc sys; do
    [ -d "/sysroot/$folder" ] || mkdir "/sysroot/$folder" || give_up "root has no /$folder"
  done
  say "root is up, handing over"
  for folder in sys proc dev; do
    mount -o move "/$folder" "/sysroot/$folder" || give_up "cannot move /$folder"
  done
  exec switch_root /sysroot "$init" "$@" < /sysroot/dev/console > /sysroot/dev/console 2>&1
}

mount -t devtmpfs -o mode=0755,nosuid dev /dev
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sys /sys
exec < /dev/console > /dev/console 2>&1

root='' type=ext4 flags='' access=ro overlay=none overlay_size=50% init=/sbin/init wait=20 shell='' verity='' verity_device=''
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root=${word#root=} ;;
    rootfstype=*) type=${word#rootfstype=} ;;
    rootflags=*) flags=,${word#rootflags=} ;;
    rootwait=*) wait=${word#rootwait=} ;;
    ro | rw) access=$word ;;
    imgforge.overlay=*) overlay=${word#imgforge.overlay=} ;;
    imgforge.overlay_size=*) overlay_size=${word#imgforge.overlay_size=} ;;
    imgforge.verity=*) verity=${word#imgforge.verity=} ;;
    imgforge.verity_device=*) verity_device=${word#imgforge.verity_device=} ;;
    init=*) init=${word#init=} ;;
    imgforge.shell) shell=yes ;;
    imgforge.debug) set -x ;;
  esac
done

[ -z "$shell" ] || recovery_shell
[ -n "$root" ] || give_up "the kernel command line has no root="
case "$overlay" in
  tmpfs | none | PARTLABEL=* | UUID=* | LABEL=* | /dev/*) ;;
  *) give_up "imgforge.overlay=$overlay is neither tmpfs nor none nor a partition" ;;
esac
deadline=$(($(seconds_up) + wait))
look_for_root || give_up "$root did not appear within $wait seconds"
open_verity
mount_root
hand_over "$@"
