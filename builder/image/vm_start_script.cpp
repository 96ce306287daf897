// start.sh of a virtual machine bundle: a few facts, then a text that is the same for every machine.
#include <fmt/format.h>

#include "builder/image/vm_bundle.hpp"
#include "builder/machine/accelerator.hpp"
#include "core/random.hpp"

namespace imgforge::image {
namespace {

/// For printf(1).
std::string octal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("\\{:03o}", static_cast<unsigned char>(byte));
  return text;
}

/// Whole MiB, rounded up.
std::uint64_t mebibytes(core::Bytes size) {
  return (size.value + (1u << 20) - 1) >> 20;
}

constexpr std::string_view kBody = R"script(
usage() {
  cat <<END
Usage: ./start.sh [OPTION...]
Starts the virtual machine $name with its serial console on this terminal.
Ctrl-A X ends it, Ctrl-A C is QEMU's monitor.

  --memory SIZE      memory at the start: 256, 256M or 1G (default ${memory}M)
  --max-memory SIZE  up to where memory can be added while it runs (default ${maximum}M)
  --cpus N           processors (default $cpus)
  --uefi             start by UEFI (OVMF) and not by BIOS
  --shared DIR       give the machine a folder: mount -t 9p -o trans=virtio shared /mnt
  --snapshot NAME    keep what is written in snapshots/NAME.qcow2, and go on from there
  --writable         write into disk.qcow2 itself
  --monitor SOCKET   where QEMU's monitor (QMP) listens
  --accel kvm|tcg    do not try out whether KVM works
  --dry-run          print the commands and start nothing
  --domain           print domain.xml for libvirt with the folder in which it is
  --help             this text

Without --snapshot or --writable all changes are gone when the machine ends.
The network card is set in network.conf. Through the monitor memory is taken and given back:
  {"execute": "balloon", "arguments": {"value": BYTES}}
and added:
  {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m1", "size": BYTES}}
  {"execute": "device_add", "arguments": {"driver": "pc-dimm", "id": "d1", "memdev": "m1"}}
END
}

fail() {
  echo "start.sh: $*" >&2
  exit 1
}

wrong() {
  echo "start.sh: $*; ./start.sh --help lists the options" >&2
  exit 2
}

# Whole MiB of 256, 256M or 1G.
mebibytes() {
  number=${1%[MG]}
  case $number in
    '' | 0* | *[!0-9]* | ????????*) wrong "$1 is no size" ;;
  esac
  case $1 in
    *G) echo $((number * 1024)) ;;
    *) echo "$number" ;;
  esac
}

# A comma inside a value of QEMU's options is written twice.
value() {
  printf '%s\n' "$1" | sed 's/,/,,/g'
}

# The same word for the shell again.
quoted() {
  case $1 in
    '' | *[!A-Za-z0-9_./:=,+-]*) printf "'%s'" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
  esac
}

# Runs a command, or prints it.
run() {
  if [ -z "$dry_run" ]; then
    "$@"
    return
  fi
  separator=
  for word in "$@"; do
    printf '%s%s' "$separator" "$(quoted "$word")"
    separator=' '
  done
  printf '\n'
}

# A boot sector that enters protected mode and then ends QEMU with 99 by isa-debug-exit: that KVM opens says little, the
# guest must run too.
kvm_works() {
  [ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
  probe=$(mktemp -d "${TMPDIR:-/tmp}/imgforge-vm.XXXXXX") || return 1
  printf "$probe_code" > "$probe/disk"
  printf '\125\252' | dd of="$probe/disk" bs=1 seek=510 conv=notrunc 2>/dev/null
  status=0
  timeout -s KILL 3 "$qemu" -accel kvm -cpu host -m 32 -display none -nodefaults -no-reboot \
    -device isa-debug-exit,iobase=0x501,iosize=1 \
    -drive "file=$(value "$probe/disk"),format=raw,if=ide,snapshot=on" </dev/null >/dev/null 2>&1 || status=$?
  rm -rf "$probe"
  [ "$status" = 99 ]
}

print_domain() {
  # For XML first, then for the right side of sed's s.
  place=$(printf '%s\n' "$folder" | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e "s/'/\&apos;/g" -e 's/[&|\\]/\\&/g')
  sed -e "s|<source file='/var/lib/imgforge-vm/$name/|<source file='$place/|" "$folder/domain.xml"
}

# Sets code and fresh to the firmware and its variables.
find_firmware() {
  while read -r code fresh; do
    [ -r "$code" ] && [ -r "$fresh" ] && return
  done <<END
/usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_VARS_4M.fd
/usr/share/edk2/x64/OVMF_CODE.4m.fd /usr/share/edk2/x64/OVMF_VARS.4m.fd
/usr/share/edk2/ovmf/OVMF_CODE.fd /usr/share/edk2/ovmf/OVMF_VARS.fd
/usr/share/OVMF/OVMF_CODE.fd /usr/share/OVMF/OVMF_VARS.fd
END
  fail "no UEFI firmware; on Debian: apt-get install ovmf"
}

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
qemu=${QEMU:-qemu-system-x86_64}
dry_run= uefi= writable= snapshot= shared= monitor= accel=

while [ $# -gt 0 ]; do
  case $1 in
    --memory | --max-memory | --cpus | --shared | --snapshot | --monitor | --accel)
      [ $# -gt 1 ] || wrong "$1 needs a value" ;;
  esac
  case $1 in
    --memory) memory=$(mebibytes "$2"); shift ;;
    --max-memory) maximum=$(mebibytes "$2"); shift ;;
    --cpus)
      case $2 in '' | 0* | *[!0-9]* | ????*) wrong "$2 is no number of processors" ;; esac
      cpus=$2; shift ;;
    --shared)
      shared=$(CDPATH='' cd -- "$2" && pwd) || fail "no folder $2"
      shift ;;
    --snapshot)
      case $2 in '' | [.-]* | *[!A-Za-z0-9._-]*) wrong "$2 is no name of a snapshot" ;; esac
      snapshot=$2; shift ;;
    --monitor)
      case $2 in '') wrong "--monitor needs a value" ;; /*) monitor=$2 ;; *) monitor=$PWD/$2 ;; esac
      shift ;;
    --accel)
      case $2 in kvm | tcg) accel=$2 ;; *) wrong "$2 is neither kvm nor tcg" ;; esac
      shift ;;
    --uefi) uefi=1 ;;
    --writable) writable=1 ;;
    --dry-run) dry_run=1 ;;
    --domain) print_domain; exit ;;
    --help | -h) usage; exit ;;
    *) wrong "$1 is no option" ;;
  esac
  shift
done
[ -z "$snapshot" ] || [ -z "$writable" ] || wrong "--snapshot and --writable exclude each other"
[ "$maximum" -ge "$memory" ] || maximum=$memory
command -v "$qemu" >/dev/null || fail "no $qemu; on Debian: apt-get install qemu-system-x86"

NETWORK_MODE=user BRIDGE=br0 MAC= HOST_FORWARDS=
. "$folder/network.conf"

if [ -z "$accel" ]; then
  if kvm_works; then accel=kvm; else accel=tcg; fi
fi

work=${TMPDIR:-/tmp}/imgforge-vm.$name
if [ -z "$dry_run" ]; then
  work=$(mktemp -d "$work.XXXXXX")
  child=
  # QEMU runs in the background so that a signal to this script reaches it at once.
  trap 'rm -rf "$work"' EXIT
  trap '[ -z "$child" ] || kill "$child" 2>/dev/null || :; [ -z "$child" ] || wait "$child" || :; exit 143' HUP INT TERM
else
  run mkdir -p "$work"
fi
[ -n "$monitor" ] || monitor=$work/qmp.sock

# Arguments for QEMU from here on.
set -- -name "$name" -machine q35,graphics=off -accel "$accel"
if [ "$accel" = kvm ]; then
  set -- "$@" -cpu host
else
  # A guest without RDRAND waits for entropy; "max" costs more to emulate.
  set -- "$@" -cpu qemu64,+rdrand
fi
if [ "$maximum" -gt "$memory" ]; then
  set -- "$@" -m "${memory}M,slots=$slots,maxmem=${maximum}M"
else
  set -- "$@" -m "${memory}M"
fi
set -- "$@" -smp "$cpus" -uuid "$uuid" -nodefaults -no-user-config -display none -vga none \
  -serial mon:stdio -qmp "unix:$(value "$monitor"),server=on,wait=off"

if [ -n "$uefi" ]; then
  find_firmware
  # The variables are kept as long as the disk's changes.
  variables=$work/variables.fd
  [ -z "$writable" ] || variables=$folder/variables.fd
  [ -z "$snapshot" ] || variables=$folder/snapshots/$snapshot.fd
  [ -z "$snapshot" ] || run mkdir -p "$folder/snapshots"
  [ -e "$variables" ] || run cp "$fresh" "$variables"
  set -- "$@" -drive "if=pflash,unit=0,format=raw,readonly=on,file=$(value "$code")" \
    -drive "if=pflash,unit=1,format=raw,file=$(value "$variables")"
fi

disk=$folder/disk.qcow2 overlay=,snapshot=on
[ -z "$writable" ] || overlay=
if [ -n "$snapshot" ]; then
  disk=$folder/snapshots/$snapshot.qcow2 overlay=
  if [ ! -e "$disk" ]; then
    run mkdir -p "$folder/snapshots"
    run qemu-img create -q -f qcow2 -F qcow2 -b ../disk.qcow2 "$disk"
  fi
fi
set -- "$@" -drive "if=virtio,format=qcow2,discard=unmap$overlay,file=$(value "$disk")"

case $NETWORK_MODE in
  user)
    forwards=
    for forward in $HOST_FORWARDS; do forwards=$forwards,hostfwd=$forward; done
    set -- "$@" -netdev "user,id=net$forwards" ;;
  bridge) set -- "$@" -netdev "bridge,id=net,br=$BRIDGE" ;;
  none) ;;
  *) fail "NETWORK_MODE in network.conf is user, bridge or none, not $NETWORK_MODE" ;;
esac
if [ "$NETWORK_MODE" = none ]; then
  set -- "$@" -nic none
else
  set -- "$@" -device "virtio-net-pci,netdev=net${MAC:+,mac=$MAC}"
fi

set -- "$@" -device virtio-balloon-pci,id=balloon,deflate-on-oom=on \
  -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng
# Where qemu-guest-agent, if the machine has it, listens.
set -- "$@" -device virtio-serial-pci -chardev "socket,id=agent,path=$(value "$work/agent.sock"),server=on,wait=off" \
  -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0
if [ -n "$shared" ]; then
  # Owners and modes that the guest sets are kept as attributes: no file of the guest gets rights here.
  set -- "$@" -fsdev "local,id=shared,security_model=mapped-xattr,path=$(value "$shared")" \
    -device virtio-9p-pci,fsdev=shared,mount_tag=shared
fi

if [ -n "$dry_run" ]; then
  run "$qemu" "$@"
  exit
fi
echo "start.sh: $name with $accel, monitor $monitor" >&2
# A program in the background gets no standard input unless it is handed over.
exec 3<&0
"$qemu" "$@" <&3 &
child=$!
status=0
wait "$child" || status=$?
exit "$status"
)script";

}  // namespace

std::string vm_start_script(const VmSpec& spec) {
  return fmt::format(
             "#!/bin/sh\n"
             "# Starts the virtual machine in this folder with QEMU; ./start.sh --help says how.\n"
             "set -eu\n\n"
             "name={}\n"
             "uuid={}\n"
             "cpus={}\n"
             "# MiB at the start, and with all that can be added in the slots.\n"
             "memory={}\n"
             "maximum={}\n"
             "slots={}\n"
             "probe_code='{}'\n",
             spec.name, core::derived_uuid("imgforge vm " + spec.identity), spec.cpus, mebibytes(spec.memory),
             mebibytes(spec.maximum_memory), kVmMemorySlots, octal(machine::kvm_probe_code())) +
         std::string(kBody);
}

}  // namespace imgforge::image
