# Models on the disk: fetched beside the one in use, put in its place in one step, checked, and taken back when the check
# fails. MODEL/current leads to the version in use; MODEL/.meta/VERSION remembers which one was before it and whether it
# failed. A switch under way is noted in the file "checking", so that a machine that dies in it gets on at its next start.

current_of() {
  readlink "$store/$1/current" 2>/dev/null
}

installed_models() {
  local link
  for link in "$store"/*/current; do
    [ -L "$link" ] || continue
    link=${link%/current}
    echo "${link##*/}"
  done
}

# meta MODEL VERSION KEY
meta() {
  line_of "$store/$1/.meta/$2" "$3"
}

# set_meta MODEL VERSION KEY VALUE
set_meta() {
  mkdir -p "$store/$1/.meta"
  {
    grep -v "^$3=" "$store/$1/.meta/$2" 2>/dev/null
    echo "$3=$4"
  } | write_file "$store/$1/.meta/$2"
}

# enough_space MODEL VERSION: what is still to be fetched fits beside the spare room; says how much is missing otherwise.
enough_space() {
  local file bytes sha256 there need=0 room
  while IFS=$tab read -r _ _ file bytes sha256 _; do
    there=$(size_of "$store/$1/.new-$2/$file")
    [ "$there" -gt 0 ] || there=$(size_of "$state/parts/$sha256")
    [ "$there" -ge "$bytes" ] || need=$((need + bytes - there))
  done <<END
$(rows_of "$1" "$2")
END
  room=$(free_space "$store")
  [ "$need" -gt 0 ] && [ $((need + spare)) -gt "$room" ] || return 0
  log "$1 $2: needs $(megabytes $((need + spare))) of disk space, $(megabytes "$room") are free"
  return 1
}

# complete MODEL VERSION: fetches what is missing and puts the version's folder into place.
complete() {
  local file bytes sha256 urls new="$store/$1/.new-$2" result
  [ ! -d "$store/$1/$2" ] || return 0
  mkdir -p "$store/$1"
  enough_space "$1" "$2" || { remove_old "$1"; enough_space "$1" "$2" || return "$no_room"; }
  while IFS=$tab read -r _ _ file bytes sha256 urls; do
    [ -f "$new/$file" ] && [ "$(sha256_of "$new/$file")" = "$sha256" ] && continue
    fetch "$urls" "$bytes" "$sha256" "$new/$file" "$1 $2 $file" || return
  done <<END
$(rows_of "$1" "$2")
END
  [ -d "$new" ] && flush && mv -fT "$new" "$store/$1/$2" && flush
}

# passes MODEL: the image's own check of the version in use, with five minutes to do it.
passes() {
  [ -x "$config/model-check" ] || return 0
  timeout 300 "$config/model-check" "$1" "$store/$1/current" < /dev/null >&2
}

# activate MODEL VERSION: switches, checks, and goes back when the check fails. Runs again after a kill at any point.
activate() {
  local before tries=0
  before=$(current_of "$1")
  if [ -f "$state/checking" ]; then
    before=$(line_of "$state/checking" before)
    tries=$(line_of "$state/checking" tries)
  elif [ "$before" = "$2" ]; then
    return 0
  fi
  printf 'model=%s\nversion=%s\nbefore=%s\ntries=%s\n' "$1" "$2" "$before" $((tries + 1)) | write_file "$state/checking"
  # A version that twice takes the machine down with it has failed.
  if [ "$tries" -ge 2 ]; then
    log "$1 $2: the machine did not survive its check"
  else
    [ "$before" = "$2" ] || set_meta "$1" "$2" previous "$before"
    point "$store/$1/current" "$2" || return "$failed"
    if passes "$1"; then
      set_meta "$1" "$2" state good
      write_model_json && rm -f "$state/checking" && flush
      remove_old "$1"
      log "$1 $2: in use"
      return 0
    fi
    log "$1 $2: its check failed"
  fi
  set_meta "$1" "$2" state failed
  if [ -n "$before" ] && [ -d "$store/$1/$before" ]; then
    point "$store/$1/current" "$before" || return "$failed"
    log "$1: back to $before"
  else
    rm -f "$store/$1/current"
  fi
  write_model_json && rm -f "$state/checking" && flush
  return "$failed"
}

# recover: ends what a killed run began.
recover() {
  rm -f "$store"/*/current.new
  if [ -f "$state/checking" ]; then
    activate "$(line_of "$state/checking" model)" "$(line_of "$state/checking" version)"
  fi
  [ ! -f "$config/model.json" ] || model_json | cmp -s - "$config/model.json" || write_model_json
}

# remove_old MODEL: versions that are neither in use nor the one before.
remove_old() {
  local now previous folder
  now=$(current_of "$1")
  [ -n "$now" ] || return 0
  previous=$(meta "$1" "$now" previous)
  for folder in "$store/$1"/*; do
    [ -d "$folder" ] && [ ! -L "$folder" ] || continue
    case ${folder##*/} in
      "$now" | "$previous") ;;
      *)
        log "$1: removing version ${folder##*/}"
        rm -rf "$folder"
        ;;
    esac
  done
}

# install_model MODEL [again]: its newest version; a version that failed before only when asked to.
install_model() {
  local version
  version=$(newest_version "$1")
  if [ -z "$version" ]; then
    log "there is no model $1 in the list"
    return "$bad_usage"
  fi
  if [ "$(meta "$1" "$version" state)" = failed ] && [ "${2:-}" != again ]; then
    log "$1 $version: failed before and is left alone ($name-model update --again tries it once more)"
    return "$failed"
  fi
  complete "$1" "$version" || return
  activate "$1" "$version"
}

# chosen_models ANSWER
chosen_models() {
  case $1 in
    none) ;;
    all) offered_models ;;
    smallest) by_size | head -n 1 | cut -d ' ' -f 2 ;;
    largest) by_size | tail -n 1 | cut -d ' ' -f 2 ;;
    *) echo "$1" ;;
  esac
}

# model_json: what is in use. No text in it needs escaping: the list allows none that would.
model_json() {
  local model version separator=''
  printf '{\n  "schema": 1,\n  "models": ['
  for model in $(installed_models); do
    version=$(current_of "$model")
    printf '%s\n    {"name": "%s", "version": "%s", "previous": "%s", "path": "%s"}' "$separator" "$model" "$version" \
      "$(meta "$model" "$version" previous)" "/var/lib/$name/models/$model/current"
    separator=,
  done
  printf '\n  ]\n}\n'
}

write_model_json() {
  model_json | write_file "$config/model.json"
}
