# What all parts of first boot share: paths, messages, files that appear whole, one run at a time.
#
# IMGFORGE_ROOT is a prefix of every path (tests run the scripts on a folder of the host); empty in an image. The file
# settings, which imgforge writes, sets name, questions, updates, attempts, longest_wait, stall, shared_tag and log_file.
root=${IMGFORGE_ROOT:-}
library=$root/usr/lib/imgforge/first-boot
. "$library/settings"
config=$root/etc/$name           # what the image knows: list of models, public key, answers, results
store=$root/var/lib/$name/models # MODEL/VERSION/..., MODEL/current -> VERSION
state=$root/var/lib/$name/first-boot
log_file=$root$log_file
shared='' # folder that the host shares, when there is one
umask 022

# Exit codes, those of imgforge itself.
failed=1 bad_usage=2 not_verified=3 no_room=4 not_fetched=5
# Bytes of the disk that downloads leave to the rest of the system.
spare=4000000

# log WORDS: tells the console, the log and the host's shared folder. Words of others must be escaped before. That a log
# cannot be written (a full disk) is no reason to stop.
log() {
  echo "$name: $*" >&2
  set -- "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
  {
    echo "$1" >> "$log_file"
    [ -z "$shared" ] || echo "$1" >> "$shared/$name-first-boot.log"
  } 2>/dev/null
}

open_log() {
  mkdir -p "${log_file%/*}" "$state"
}

# escaped: printable ASCII of standard input, at most 200 characters of it.
escaped() {
  tr -c ' -~' '?' | cut -c 1-200
}

# flush: what was written is on the disk when it returns.
flush() {
  [ -n "$root" ] || sync
}

# write_file PATH: standard input becomes the file, whole or not at all.
write_file() {
  mkdir -p "${1%/*}" && cat > "$1.new" && flush && mv -f "$1.new" "$1" && flush
}

# point LINK TARGET: the link leads to the target from one moment to the next.
point() {
  ln -sfn "$2" "$1.new" && flush && mv -fT "$1.new" "$1" && flush
}

# command_of PROCESS: its words; nothing when there is no such process.
command_of() {
  cat "/proc/$1/cmdline" 2>/dev/null | tr '\000' ' '
}

# one_at_a_time: waits for another run, then ends the download that a killed one may have left going: two writers of one
# part would spoil it. The lock is a link that names its owner, since not every busybox has flock.
one_at_a_time() {
  local owner lock="${root:-/run}/first-boot.lock" told=''
  while ! ln -s $$ "$lock" 2>/dev/null; do
    owner=$(readlink "$lock") || continue
    if command_of "$owner" | grep -q -e setup -e model; then
      [ -n "$told" ] || log "another run is at work, waiting for it"
      told=yes
      sleep 1
    else
      rm -f "$lock"
    fi
  done
  trap 'rm -f "${root:-/run}/first-boot.lock"' EXIT
  owner=$(cat "$state/wget.pid" 2>/dev/null) || return 0
  ! command_of "$owner" | grep -qF -e "$state/" || kill -9 "$owner"
  rm -f "$state/wget.pid"
}

# size_of FILE: its size in bytes, 0 when it is not there.
size_of() {
  stat -c %s "$1" 2>/dev/null || echo 0
}

sha256_of() {
  sha256sum "$1" | cut -d ' ' -f 1
}

# megabytes BYTES: for people.
megabytes() {
  awk -v n="$1" 'BEGIN { if (n < 1000000) printf "%d kB", (n + 999) / 1000; else printf "%.1f MB", n / 1000000 }'
}

# free_space FOLDER: bytes that files may still take.
free_space() {
  df -kP "$1" | awk 'END { printf "%.0f", $4 * 1024 }'
}

# mount_shared: finds or mounts the folder that the host shares by 9p under the tag of the recipe.
mount_shared() {
  if [ -n "$root" ]; then
    [ ! -d "$root/shared" ] || shared=$root/shared
    return 0
  fi
  shared=$(awk -v tag="$shared_tag" '$1 == tag && $3 == "9p" { print $2; exit }' /proc/mounts)
  [ -z "$shared" ] || return 0
  modprobe -q 9pnet_virtio
  modprobe -q 9p
  local tag
  for tag in /sys/bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag; do
    [ -r "$tag" ] && [ "$(tr -d '\000\n' < "$tag")" = "$shared_tag" ] || continue
    mkdir -p /run/first-boot/shared
    mount -t 9p -o trans=virtio,version=9p2000.L,nosuid,nodev,noexec "$shared_tag" /run/first-boot/shared &&
      shared=/run/first-boot/shared
    return 0
  done
} 2>/dev/null
