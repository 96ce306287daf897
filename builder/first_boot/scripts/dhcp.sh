#!/bin/sh
# What udhcpc runs with a lease: address, routes and name servers of one device.
case $1 in
  deconfig)
    ip link set dev "$interface" up
    ;;
  bound | renew)
    ip address replace "$ip/${mask:-24}" dev "$interface"
    for gateway in ${router:-}; do
      ip route replace default via "$gateway" dev "$interface" && break
    done
    [ -z "${dns:-}" ] || for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
    ;;
esac
