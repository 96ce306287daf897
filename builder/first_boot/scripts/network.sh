# The network: one device, by DHCP or with a fixed address, brought up when nothing else in the image did it.

# is_address TEXT: four numbers up to 255.
is_address() {
  echo "$1" | awk -F . '{ good = NF == 4; for (i = 1; i <= NF; i++) good = good && $i ~ /^[0-9]+$/ && length($i) < 4 && $i < 256
    exit !good }'
}

# is_network TEXT: dhcp, none, or ADDRESS/PREFIX[,GATEWAY[,DNS]].
is_network() {
  local rest prefix
  case $1 in
    dhcp | none) return 0 ;;
    */*) ;;
    *) return 1 ;;
  esac
  rest=${1#*/}
  prefix=${rest%%,*}
  case $prefix in '' | *[!0-9]* | ???*) return 1 ;; esac
  [ "$prefix" -ge 1 ] && [ "$prefix" -le 32 ] && is_address "${1%%/*}" || return 1
  [ "$rest" != "$prefix" ] || return 0
  rest=${rest#*,}
  is_address "${rest%%,*}" || return 1
  [ "$rest" = "${rest%%,*}" ] || is_address "${rest#*,}"
}

# network_device: the first one that is hardware.
network_device() {
  local entry
  for entry in /sys/class/net/*; do
    [ -e "$entry/device" ] || continue
    echo "${entry##*/}"
    return
  done
  return 1
}

load_network_drivers() {
  modprobe -q af_packet
  modprobe -q virtio_net
  local file
  for file in /sys/bus/pci/devices/*/modalias /sys/bus/usb/devices/*/modalias; do
    [ -r "$file" ] && modprobe -q "$(cat "$file")"
  done
} 2>/dev/null

has_route() {
  [ -n "$(ip route show default 2>/dev/null)" ]
}

# network_up: as the answer says; nothing when there is a route already.
network_up() {
  local answer device rest gateway dns
  [ -z "$root" ] && ! has_route || return 0
  answer=$(saved_answer network)
  [ "$answer" != none ] || return 0
  device=$(network_device) || { load_network_drivers; sleep 1; device=$(network_device); } || {
    log "network: there is no device"
    return 1
  }
  ip link set dev "$device" up
  case $answer in
    */*)
      rest=${answer#*,}
      [ "$rest" != "$answer" ] || rest=''
      gateway=${rest%%,*}
      dns=${rest#*,}
      [ "$dns" != "$rest" ] || dns=''
      ip address replace "${answer%%,*}" dev "$device"
      [ -z "$gateway" ] || ip route replace default via "$gateway" dev "$device"
      [ -z "$dns" ] || echo "nameserver $dns" | write_file /etc/resolv.conf
      ;;
    *)
      udhcpc -q -n -f -t 5 -T 2 -i "$device" -s "$library/dhcp" > /dev/null 2>&1
      ;;
  esac
  if has_route; then
    log "network: $device has $(ip -4 -o address show dev "$device" | awk '{ print $4; exit }')"
  else
    log "network: $device got no way out: check the cable and the answer for network"
    return 1
  fi
}

# write_interfaces ANSWER: for the service networking, where the image has one.
write_interfaces() {
  local device address rest
  [ -x "$root/sbin/ifup" ] || [ -d "$root/etc/network" ] || return 0
  device=$(network_device) || device=eth0
  {
    echo "# Written at the first start."
    echo "auto lo"
    echo "iface lo inet loopback"
    case $1 in
      none) ;;
      dhcp) printf 'auto %s\niface %s inet dhcp\n' "$device" "$device" ;;
      *)
        address=${1%%,*}
        rest=${1#*,}
        printf 'auto %s\niface %s inet static\n\taddress %s\n' "$device" "$device" "$address"
        [ "$rest" = "$1" ] || printf '\tgateway %s\n' "${rest%%,*}"
        ;;
    esac
  } | write_file "$root/etc/network/interfaces"
}

# connected URL: true when the server answers at all, be it with an error.
connected() {
  busybox wget -q -T 10 --spider "$1" 2> "$state/wget.txt" < /dev/null && return 0
  grep -q 'server returned error' "$state/wget.txt"
}
