#!/bin/sh
# The first start of an image: questions, network, models, results. Everything can be done twice, and setup_complete is
# written last, so a start that was cut off is simply gone through again.
#
#   setup --boot    by the service: once, and what killed updates left; questions on the console
#   setup           by hand: questions on this terminal
#   setup --again   by hand: asks everything anew
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/first-boot/common.sh"
for part in list network fetch answers models update; do . "$library/$part.sh"; done
tab=$(printf '\t')
patience=600 # seconds that a question waits
list=''

set_hostname() {
  local old
  old=$(cat "$root/etc/hostname" 2>/dev/null)
  [ "$1" != "$old" ] || return 0
  echo "$1" | write_file "$root/etc/hostname"
  [ -n "$root" ] || hostname "$1"
  grep -qw -e "$1" "$root/etc/hosts" 2>/dev/null || {
    cat "$root/etc/hosts" 2>/dev/null
    printf '127.0.1.1\t%s\n' "$1"
  } | write_file "$root/etc/hosts"
}

set_timezone() {
  [ "$1" != "$(cat "$root/etc/timezone" 2>/dev/null)" ] || return 0
  [ ! -f "$root/usr/share/zoneinfo/$1" ] || point "$root/etc/localtime" "/usr/share/zoneinfo/$1"
  echo "$1" | write_file "$root/etc/timezone"
}

apply_answers() {
  local value
  value=$(saved_answer hostname)
  [ -z "$value" ] || set_hostname "$value"
  value=$(saved_answer timezone)
  [ -z "$value" ] || set_timezone "$value"
  value=$(saved_answer network)
  [ -z "$value" ] || write_interfaces "$value"
}

# config_json: the answers. None of them can hold a character that would need escaping.
config_json() {
  local key
  printf '{\n  "schema": 1'
  for key in $questions; do printf ',\n  "%s": "%s"' "$key" "$(saved_answer "$key")"; done
  printf '\n}\n'
}

install_chosen() {
  local wanted model result=0
  wanted=$(saved_answer model)
  [ -n "$wanted" ] && [ "$wanted" != none ] || return 0
  network_up
  for model in $(chosen_models "$wanted"); do
    install_model "$model" || result=$?
  done
  return "$result"
}

warn_if_forgetful() {
  [ -z "$root" ] && grep -q ' /run/imgforge/overlay tmpfs ' /proc/mounts || return 0
  log "changes are kept in memory here: all of this is gone at the next start (disk.root: writable keeps it)"
}

first_start() {
  use_list
  listed=$?
  collect_answers || return "$failed"
  apply_answers
  config_json | write_file "$config/config.json" || return "$failed"
  # A refused list is no reason to leave the machine without its name, but the set-up is not complete.
  [ "$listed" -ne "$not_verified" ] || return "$not_verified"
  install_chosen || return
  write_model_json || return "$failed"
  date -u +%Y-%m-%dT%H:%M:%SZ | write_file "$config/setup_complete" || return "$failed"
  log "set-up is complete"
}

# resume: what a killed update left to do.
resume() {
  local result=0
  [ -f "$state/updating" ] || return 0
  log "going on with an update"
  use_list || return
  network_up
  update_models "$(cat "$state/updating")" || result=$?
  tried_again_later "$result" || rm -f "$state/updating"
  return "$result"
}

open_log
case ${1:-} in
  --boot)
    [ -e "$config/setup_complete" ] && [ ! -f "$state/updating" ] && [ ! -f "$state/checking" ] && exit 0
    [ -n "$root" ] || modprobe -q qemu_fw_cfg 2>/dev/null
    ;;
  --again) rm -f "$config/setup_complete" "$config/answers" ;;
  '') ;;
  *)
    echo "usage: $name-setup [--again]" >&2
    exit "$bad_usage"
    ;;
esac
mount_shared
one_at_a_time || exit "$failed"
recover
if [ -e "$config/setup_complete" ]; then
  resume
  exit
fi
warn_if_forgetful
first_start
result=$?
[ "$result" -eq 0 ] || log "set-up is not complete and goes on at the next start, or by $name-setup"
exit "$result"
