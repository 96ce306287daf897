#!/bin/sh
# Carries out one line, given as the only argument, and prints the answer: for hosts that reach the machine by its agent. The
# answer is in vm-to-host.txt too.
# shellcheck source=common.sh disable=SC2046,SC2015
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/shared-folder/common.sh"

[ $# = 1 ] || exit 2
mkdir -p "$shared" "${audit%/*}"
take_apart "$(printf '%s' "$1" | tr '\n' '?' | plain)"
obey "$number" "$command"
tell "$answer"
printf '%s\n' "$answer"
