#!/bin/sh
# imgforge's first program: finds the root file system, mounts it, starts its init.
#
# Words of the kernel command line that it understands:
#   root=PARTLABEL=...|UUID=...|LABEL=...|/dev/...   the block device that holds root; partitions of that name
#                                      on two disks stop the start, UUID= and LABEL= take the first
#   root=medium:ID                     the squashfs on the ISO 9660 medium that has the file imgforge/ID
#   root=file:/root.squashfs           a squashfs in this initramfs
#   rootfstype=ext4                    its type
#   rootflags=...                      more mount options
#   rootwait=SECONDS                   how long to look for it (default 20)
#   imgforge.verity=ROOTHASH           root must be what this hash of dm-verity was made of
#   imgforge.verity_device=...         where the hash tree is, written as root= is
#   ro | rw                            how to mount it when there is no overlay
#   imgforge.disk=NAME                 the disk that root and data are on (vda, sdb), where two carry this system
#   imgforge.overlay=tmpfs|none|PARTLABEL=...   tmpfs: root stays read-only, changes live in memory;
#                                      a partition beside root: changes are kept there
#   imgforge.grow=no                   a writable root, or the partition of the changes, keeps its size when its
#                                      disk has become larger
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

# partitions_named NAME: the devices of the GPT partitions of that name, on root's disk once that is known.
partitions_named() {
  for name in $(block_devices); do
    [ -z "$disk" ] || [ -e "/sys/class/block/$disk/$name" ] || continue
    while read -r line; do
      [ "$line" != "PARTNAME=$1" ] || echo "/dev/$name"
    done < "/sys/class/block/$name/uevent"
  done
}

# disk_of PARTITION: the kernel's name of the disk that it lies on.
disk_of() {
  link=$(readlink -f "/sys/class/block/${1##*/}")
  link=${link%/*}
  echo "${link##*/}"
}

# devices_of SPEC: the block devices that a root= or imgforge.overlay= can mean.
devices_of() {
  case "$1" in
    PARTLABEL=*) partitions_named "${1#PARTLABEL=}" ;;
    UUID=* | LABEL=*) findfs "$1" 2>/dev/null ;;
    *) echo "$1" ;;
  esac
}

# Copies of a disk, and sticks of one release, have equal identifiers. Which of them the boot loader was read from is
# not known here, and the data of another one must not be touched.
refuse_a_choice() {
  [ "$#" -gt 1 ] || return 0
  disks=''
  for device in "$@"; do
    disks="$disks $(disk_of "$device")"
  done
  give_up "these disks carry the same system:$disks; detach all but one, or name one with imgforge.disk="
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
      devices=$(devices_of "$root")
      for device in $devices; do
        [ ! -b "$device" ] || return 0
      done
      return 1
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

# is_made_by VENDOR: whether the machine's firmware names that vendor, or nobody.
is_made_by() {
  vendor=''
  read -r vendor 2>/dev/null < /sys/class/dmi/id/sys_vendor
  case "$vendor" in "$1"* | '') return 0 ;; esac
  return 1
}

# waits_for_driver CLASS: whether there is a PCI device of that class (hexadecimal digits) without a driver.
waits_for_driver() (
  set +f
  for entry in /sys/bus/pci/devices/*; do
    [ ! -e "$entry/driver" ] && read -r class < "$entry/class" || continue
    case "$class" in 0x"$1"*) exit 0 ;; esac
  done
  exit 1
)

# Gives the sticks that the bus knows half a second to be seen, and then 3 seconds to become disks.
settle_usb() (
  set +f
  [ -e /sys/bus/usb/devices/usb1 ] || exit 0
  sleep 0.5
  tenths=30
  while [ "$tenths" -gt 0 ]; do
    waiting=''
    for entry in /sys/bus/usb/devices/*:*; do
      read -r class 2>/dev/null < "$entry/bInterfaceClass" && [ "$class" = 08 ] || continue
      set -- "$entry"/host*/target*/*/block/*
      [ -e "$1" ] || waiting=yes
    done
    [ -n "$waiting" ] || exit 0
    tenths=$((tenths - 1))
    sleep 0.1
  done
)

# Disks on other buses may carry the same system as the one that was found first.
look_at_other_disks() {
  [ -z "$disk" ] || return 0
  ! waits_for_driver 01 || load_modules disk
  ! waits_for_driver 0c03 || load_modules usb
  settle_usb
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
  for step in virtio:3 disk:5 hyperv:5 usb:70; do
    case "$step $root" in
      *\ file:*) ;;
      # Its driver complains at length where its bus is missing.
      hyperv:*) is_made_by Microsoft && load_modules hyperv || continue ;;
      *) load_modules "${step%:*}" ;;
    esac
    wait_for_root "${step#*:}" && return 0
  done
  while [ "$(seconds_up)" -lt "$deadline" ]; do
    wait_for_root 10 && return 0
  done
  return 1
}

# Root, and the disk that everything else is taken from.
choose_root() {
  look_for_root || give_up "$root did not appear within $wait seconds"
  case "$root" in
    PARTLABEL=*)
      look_at_other_disks
      find_root || give_up "$root is gone"
      refuse_a_choice $devices
      disk=$(disk_of "$device")
      ;;
  esac
}

# grow_partition DEVICE: lets the partition reach the end of its disk.
grow_partition() {
  [ "$grow" = yes ] && [ -x /bin/early ] && read -r number 2>/dev/null < "/sys/class/block/${1##*/}/partition" || return 0
  early grow "/dev/$(disk_of "$1")" "$number" || say "$1 does not grow"
}

# grow_file_system MOUNT_POINT DEVICE: lets it have the size of its partition.
grow_file_system() {
  [ "$grow" = yes ] && [ -x /bin/early ] || return 0
  early resize "$1" "$2" || say "the file system on $2 does not grow"
}

# mount_changes: what the overlay is written to, at /overlay.
mount_changes() {
  case "$overlay" in
    tmpfs) ;;
    *)
      load_modules ext4
      changes=$(devices_of "$overlay")
      refuse_a_choice $changes
      if [ -b "$changes" ]; then
        grow_partition "$changes"
        if mount -t ext4 "$changes" /overlay; then
          grow_file_system /overlay "$changes"
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
    [ "$access$type" != rwext4 ] || grow_partition "$device"
    mount -t "$type" -o "$access$flags" "$device" /sysroot || give_up "cannot mount $device ($type) as root"
    [ "$access$type" != rwext4 ] || grow_file_system /sysroot "$device"
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

root='' type=ext4 flags='' access=ro overlay=none overlay_size=50% init=/sbin/init wait=20 disk='' grow=yes shell='' verity='' verity_device=''
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root=${word#root=} ;;
    rootfstype=*) type=${word#rootfstype=} ;;
    rootflags=*) flags=,${word#rootflags=} ;;
    rootwait=*) wait=${word#rootwait=} ;;
    ro | rw) access=$word ;;
    imgforge.disk=*) disk=${word#imgforge.disk=} ;;
    imgforge.grow=*) grow=${word#imgforge.grow=} ;;
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
choose_root
open_verity
mount_root
hand_over "$@"
