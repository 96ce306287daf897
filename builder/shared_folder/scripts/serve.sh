#!/bin/sh
# Follows host-to-vm.txt: carries out its lines one after the other and answers in vm-to-host.txt. At most ten lines a round.
# shellcheck source=common.sh disable=SC2046,SC2015
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/shared-folder/common.sh"

pause=1
[ -z "$root" ] || pause=0.05
most_lines=10
piece_size=4096
most_behind=65536 # bytes; more is no list of commands

# remember: from here on it is taken as done, whatever happens, so that nothing is done twice.
remember() {
  echo "$inode $at $last" > "$state/position.new" && mv -f "$state/position.new" "$state/position"
}

take_line() {
  local number command answer
  case $1 in '' | '#'*) return ;; esac
  take_apart "$1"
  if [ -n "$number" ] && [ "$number" -le "$last" ]; then
    answer="#$number refused: $command (a later number was used before)"
    note "$answer"
  else
    [ -z "$number" ] || last=$number
    remember
    obey "$number" "$command"
  fi
  tell "$answer"
}

# take_piece FILE END: the lines between the position and that size.
take_piece() {
  local line lines=0
  if [ $(($2 - at)) -gt "$most_behind" ]; then
    answer="refused: $(($2 - at)) bytes at once"
    note "$answer"
    tell "$answer"
    at=$2 skipping=''
    remember
    return
  fi
  tail -c +$((at + 1)) "$1" 2>/dev/null | head -c "$piece_size" | plain > "$state/piece"
  while IFS= read -r line; do
    at=$((at + ${#line} + 1)) lines=$((lines + 1))
    if [ -n "$skipping" ]; then # the end of a line that was too long
      skipping=''
      remember
    else
      take_line "$line"
    fi
    [ "$lines" -lt "$most_lines" ] || break
  done < "$state/piece"
  if [ "$lines" = 0 ] && [ "$(size_of "$state/piece")" -ge "$piece_size" ]; then
    [ -n "$skipping" ] || tell 'refused: a line is too long'
    at=$((at + piece_size)) skipping=yes
  fi
  remember
}

# look: what is new. A file that the host began anew is another one: the one before is read to its end first.
look() {
  local now_inode now_size
  own_file "$orders" || return
  set -- $(stat -c '%i %s' "$orders" 2>/dev/null)
  now_inode=${1:-0} now_size=${2:-0}
  if [ "$now_inode" != "$inode" ]; then
    set -- $(stat -c '%i %s' "$orders.1" 2>/dev/null)
    if [ "${1:-0}" = "$inode" ] && [ "${2:-0}" -gt "$at" ] && own_file "$orders.1"; then
      take_piece "$orders.1" "$2"
      [ "$at" -ge "$2" ] || return
    fi
    inode=$now_inode at=0 skipping=''
  fi
  [ "$now_size" -ge "$at" ] || at=0
  [ "$now_size" -le "$at" ] || take_piece "$orders" "$now_size"
}

read -r inode at last < "$state/position"
skipping=''
tell listening
while :; do
  look
  sleep "$pause"
done
