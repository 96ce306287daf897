#!/bin/sh
# shared-message WORDS: a line for the host in vm-to-host.txt.
# shellcheck source=common.sh disable=SC2046,SC2015
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/shared-folder/common.sh"

text=$(printf '%s' "$*" | tr '\n' ' ' | plain | cut -b "1-500")
case $text in
  '') echo 'usage: shared-message TEXT' >&2; exit 2 ;;
  '#'*) text="'$text" ;; # never looks like an answer
esac
tell "$text" || { echo 'shared-message: the folder cannot be written' >&2; exit 1; }
