#!/bin/sh
# Mounts the folder that the host shares by 9p or virtiofs under the tag "shared", when there is one, makes what belongs into it, and
# remembers where its commands end: what was written before the machine started is not done.
# shellcheck source=common.sh disable=SC2046,SC2015
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/shared-folder/common.sh"

mount_folder() {
  local tag
  ! grep -qE ' /shared (9p|virtiofs) ' /proc/mounts || return 0
  modprobe -q 9pnet_virtio
  modprobe -q 9p
  for tag in /sys/bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag; do
    [ -r "$tag" ] && [ "$(tr -d '\000\n' < "$tag")" = shared ] || continue
    mount -t 9p -o trans=virtio,version=9p2000.L,nosuid,nodev shared /shared
    return
  done
  # Devices of virtiofs are of the type 26.
  grep -qx 0x001a /sys/bus/virtio/devices/virtio*/device 2>/dev/null || return 0
  modprobe -q virtiofs
  mount -t virtiofs -o nosuid,nodev shared /shared
}

# restore_config: values that the folder keeps count again after a restart, as far as they are allowed.
restore_config() {
  local key value
  sed -n 's/^config: \([^=]*\)=.*/\1/p' "$etc/allowed" | sort -u | while read -r key; do
    [ -f "$shared/config/$key" ] && [ ! -L "$shared/config/$key" ] || continue
    value=$(head -c 100 "$shared/config/$key" | plain | head -n 1)
    ! allowed "config: $key=$value" || set_config "$key=$value"
  done
}

mkdir -p "$shared" "$state" "${audit%/*}"
[ -n "$root" ] || mount_folder || echo "shared folder: the host's folder cannot be mounted" >&2
mkdir -p "$shared/build-artifacts" "$shared/logs" "$shared/config" 2>/dev/null
restore_config
if [ ! -e "$state/position" ]; then
  set -- $(stat -c '%i %s' "$orders" 2>/dev/null)
  echo "${1:-0} ${2:-0} 0" > "$state/position"
fi
