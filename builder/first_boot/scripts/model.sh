#!/bin/sh
# The command for the models of an image: what is there, updates, and the way back.
. "${IMGFORGE_ROOT:-}/usr/lib/imgforge/first-boot/common.sh"
for part in list network fetch answers models update; do . "$library/$part.sh"; done
tab=$(printf '\t')
list=''

usage() {
  cat <<END
usage: $name-model status | list | install MODEL | update [--again] | rollback [MODEL] | verify [MODEL]
  status    the models in use, the version before each, and what failed
  list      the models that can be had
  install   fetches a model and puts it to use
  update    fetches the list of models anew and the newer versions; --again: also those that failed before
  rollback  back to the version before
  verify    compares all files of the models in use with the list, and those that came with the image with its own
END
}

status() {
  local model version
  for model in $(installed_models); do
    version=$(current_of "$model")
    echo "$model $version (before: $(meta "$model" "$version" previous | grep . || echo none))"
    grep -l '^state=failed' "$store/$model/.meta"/* 2>/dev/null | while read -r version; do
      echo "$model ${version##*/} failed"
    done
  done
}

offer() {
  use_list || return
  show_models 2>&1
}

rollback() {
  local model="$1" version before
  if [ -z "$model" ]; then
    model=$(installed_models)
    case $model in
      *"
"*) log "say which model: $(echo $model)"; return "$bad_usage" ;;
    esac
  fi
  version=$(current_of "$model")
  before=$(meta "$model" "$version" previous)
  if [ -z "$version" ] || [ -z "$before" ] || [ ! -d "$store/$model/$before" ]; then
    log "${model:-no model}: there is no version before"
    return "$failed"
  fi
  set_meta "$model" "$version" state failed
  point "$store/$model/current" "$before" && write_model_json || return "$failed"
  log "$model: back from $version to $before"
}

# known_rows MODEL VERSION: its lines in the list, or in that of the models that came with the image.
known_rows() {
  local list=${list:-/dev/null}
  rows_of "$1" "$2" | grep . && return 0
  list=$config/models.built
  [ ! -f "$list" ] || rows_of "$1" "$2"
}

verify() {
  local model version file sha256 wrong result=0
  use_list || [ $? -ne "$not_verified" ] || return "$not_verified"
  for model in ${1:-$(installed_models)}; do
    version=$(current_of "$model") wrong=''
    if [ -z "$version" ] || [ -z "$(known_rows "$model" "$version")" ]; then
      log "$model ${version:-}: the list does not know it"
      result=$not_verified
      continue
    fi
    while IFS=$tab read -r _ _ file _ sha256 _; do
      [ "$(sha256_of "$store/$model/$version/$file" 2>/dev/null)" = "$sha256" ] && continue
      log "$model $version: $file is not what the list says"
      result=$not_verified wrong=yes
    done <<END
$(known_rows "$model" "$version")
END
    [ -n "$wrong" ] || echo "$model $version: good"
  done
  return "$result"
}

command=${1:-}
[ "$#" -eq 0 ] || shift
case $command in
  status | list | verify) ;;
  install | update | rollback)
    if [ "$(id -u)" -ne 0 ]; then
      echo "$name-model $command must be run by root" >&2
      exit "$failed"
    fi
    ;;
  -h | --help | help) usage; exit 0 ;;
  *) usage >&2; exit "$bad_usage" ;;
esac
case $command:$#:${1:-} in
  install:1:* | rollback:[01]:* | verify:[01]:* | status:0: | list:0: | update:0: | update:1:--again) ;;
  *) usage >&2; exit "$bad_usage" ;;
esac
case ${1:-} in */* | .*) usage >&2; exit "$bad_usage" ;; esac
if [ "$command" = status ]; then
  status
  exit
fi
open_log && one_at_a_time || exit "$failed"
mount_shared
recover
case $command in
  list) offer ;;
  verify) verify "$@" ;;
  rollback) rollback "${1:-}" ;;
  update) update "${1:+again}" ;;
  install) use_list && network_up; [ -n "$list" ] || exit "$not_verified"; install_model "$1" again ;;
esac
