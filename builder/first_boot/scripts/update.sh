# Updates: a newer list from the recipe's URLs, verified before anything in it is believed, then the newer versions of the
# models that are in use.

# fetch_list: list and signature into the folder incoming, from the first URL that has both.
fetch_list() {
  local url tried=0 pause=1
  rm -rf "$state/incoming"
  mkdir -p "$state/incoming"
  while :; do
    for url in $updates; do
      fetch_small "$url" "$state/incoming/models.list" 4096 &&
        fetch_small "$url.minisig" "$state/incoming/models.list.minisig" 16 && return 0
      log "update: $url: $(reason)"
    done
    tried=$((tried + 1))
    [ "$tried" -lt "$attempts" ] || return "$not_fetched"
    [ "$pause" -le "$longest_wait" ] || pause=$longest_wait
    sleep "$pause"
    pause=$((pause * 2))
    network_up
  done
}

# take_list: what came becomes the list in use when it is signed, well formed and not older.
take_list() {
  local old new
  adopt_copy "$state/incoming" || return "$not_verified"
  new=$(serial_of "$state/candidate/models.list")
  use_list_keeping_candidate
  old=$(serial_of "${list:-/dev/null}")
  if [ "$new" -lt "$old" ]; then
    log "refused: the list that came has serial $new, older than $old"
    return "$not_verified"
  fi
  [ -n "$list" ] && cmp -s "$list" "$state/fresh/models.list" && return 0
  if [ -n "$list" ] && [ "$new" -eq "$old" ]; then
    log "refused: another list with the serial $new that is in use"
    return "$not_verified"
  fi
  log "update: the list of models goes from serial $old to $new"
  rm -rf "$state/list-$new"
  mv "$state/fresh" "$state/list-$new" && point "$state/list" "list-$new" || return "$failed"
  for old in "$state"/list-*; do
    [ "$old" = "$state/list-$new" ] || rm -rf "$old"
  done
  use_list
}

use_list_keeping_candidate() {
  rm -rf "$state/fresh"
  mv "$state/candidate" "$state/fresh"
  use_list
}

# tried_again_later CODE: whether the next start goes on with it.
tried_again_later() {
  [ "$1" -eq "$not_fetched" ] || [ "$1" -eq "$no_room" ]
}

# update_models [again]: the newest version of each model that is in use.
update_models() {
  local model result=0
  for model in $(installed_models); do
    [ -n "$(newest_version "$model")" ] || continue
    if [ "$(newest_version "$model")" = "$(current_of "$model")" ]; then
      log "$model $(current_of "$model"): is the newest"
    else
      install_model "$model" "${1:-}" || result=$?
    fi
  done
  return "$result"
}

# update [again]
update() {
  if [ -z "$updates" ]; then
    log "this image knows no place to update from (first_boot.update of its recipe)"
    return "$failed"
  fi
  if [ ! -e "$config/models.pub" ]; then
    log "refused: without the public key $config/models.pub no list from the network can be believed"
    return "$not_verified"
  fi
  network_up
  fetch_list || return
  take_list || return
  # From here on a killed update is ended by the next start.
  echo "${1:-}" | write_file "$state/updating"
  local result=0
  update_models "${1:-}" || result=$?
  # What failed its check or has wrong bytes does not get better by itself; the rest is tried again.
  tried_again_later "$result" || rm -f "$state/updating"
  return "$result"
}
