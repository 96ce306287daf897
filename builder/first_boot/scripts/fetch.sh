# One file from the network: resumed where it stopped (in this run or another), from any of its URLs, with growing
# pauses, never larger than announced, and good only when its sha256 is.

fault='' # why a transfer broke off, when wget did not say it
full_disk="the disk is full"

# looks_like_page FILE: a web page instead of data, as log-in pages of networks send it.
looks_like_page() {
  [ -s "$1" ] && head -c 64 "$1" | tr 'A-Z' 'a-z' | grep -q '^[[:space:]]*<\(!doctype\|html\)'
}

# room_for BYTES: so much can still come without taking what is to be left.
room_for() {
  [ $(($1 + spare)) -le "$(free_space "$state")" ]
}

# give_back FILE: takes the end of a part away after the disk was filled. The machine needs that room for its log and its
# answers, and the end comes again.
give_back() {
  local size
  size=$(size_of "$1")
  if [ "$size" -gt "$spare" ]; then truncate -s $((size - spare)) "$1"; else rm -f "$1"; fi
  flush
}

# reason: why the last transfer broke off.
reason() {
  if [ -n "$fault" ]; then echo "$fault"; else tail -n 1 "$state/wget.txt" | escaped; fi
}

# download URL FILE BYTES LABEL [OPTION]: runs wget, tells each tenth, and ends it when nothing comes for a while: not every
# busybox knows wget -T. The limit of the file's size stops a server that sends more than was announced. Returns no_room
# when the disk was filled meanwhile, by whomever.
download() {
  local pid size last idle=0 tick=1 ticks=0 tenth told=0
  fault=''
  sh -c 'ulimit -f "$1"; shift; exec busybox wget -q "$@"' - $((($3 + 511) / 512 + 1)) ${5:-} -O "$2" "$1" \
    2> "$state/wget.txt" < /dev/null &
  pid=$!
  echo "$pid" > "$state/wget.pid"
  last=$(size_of "$2")
  [ "$3" -eq 0 ] || told=$((last * 10 / $3))
  while :; do
    [ "$ticks" -lt 20 ] || tick=10
    ticks=$((ticks + 1))
    if [ "$tick" -eq 1 ]; then sleep 0.1; else sleep 1; fi
    kill -0 "$pid" 2>/dev/null || break
    size=$(size_of "$2")
    idle=$((idle + tick))
    [ "$size" -eq "$last" ] || idle=0
    last=$size
    [ "$idle" -lt $((stall * 10)) ] || fault="nothing came for $stall s"
    # Half of the spare room is gone: somebody else is filling the disk.
    [ "$tick" -eq 1 ] || [ "$(free_space "$state")" -ge $((spare / 2)) ] || fault=$full_disk
    if [ -n "$fault" ]; then
      kill -9 "$pid"
      wait "$pid"
      break
    fi
    [ "$tick" -gt 1 ] || continue
    # What a machine that loses its power keeps is what has reached the disk.
    [ $((ticks % 5)) -ne 1 ] || flush
    tenth=$((size * 10 / $3))
    [ "$tenth" -gt "$told" ] && [ "$tenth" -lt 10 ] || continue
    told=$tenth
    log "$4: $(megabytes "$size") of $(megabytes "$3")"
  done
  [ -n "$fault" ] || { wait "$pid" && return 0; }
  [ "$(free_space "$state")" -gt 65536 ] || fault=$full_disk
  [ "$fault" != "$full_disk" ] || return "$no_room"
  [ -n "$fault" ] || [ -s "$state/wget.txt" ] || fault="the transfer broke off"
  return 1
}

# stop_full PART BYTES LABEL: leaves room, says what is lacking, and returns no_room.
stop_full() {
  give_back "$1"
  log "$3: $full_disk: $(megabytes $(($2 - $(size_of "$1")))) are still to come, $(megabytes "$(free_space "$state")") are free"
  return "$no_room"
}

# fetch URLS BYTES SHA256 TARGET LABEL: returns 0 when TARGET is the file; 3 when every URL gave something else, 4 when the
# disk is full, 5 when none could be reached.
fetch() {
  local urls="$1" bytes="$2" sha256="$3" target="$4" label="$5" part="$state/parts/$3"
  local url before after again left tried=0 pause=1 moved
  mkdir -p "$state/parts" "${target%/*}"
  while :; do
    left='' moved=no
    for url in $urls; do
      again=yes
      while [ "$again" = yes ]; do
        again=no
        before=$(size_of "$part")
        [ "$before" -le "$bytes" ] || { rm -f "$part"; before=0; }
        [ "$before" -eq 0 ] || [ "$before" -eq "$bytes" ] || log "$label: going on at $(megabytes "$before")"
        [ "$before" -eq "$bytes" ] && [ -e "$part" ] || download "$url" "$part" "$bytes" "$label" -c ||
          [ $? -ne "$no_room" ] || { stop_full "$part" "$bytes" "$label"; return; }
        [ -e "$part" ] || [ "$bytes" -gt 0 ] || : > "$part"
        after=$(size_of "$part")
        if [ "$after" -eq "$bytes" ] && [ -e "$part" ] && [ "$(sha256_of "$part")" = "$sha256" ]; then
          flush && mv -f "$part" "$target" && flush && return 0
          return "$failed"
        fi
        if [ "$after" -lt "$bytes" ] && ! looks_like_page "$part"; then
          [ "$after" -le "$before" ] || moved=yes
          left="$left $url"
        elif [ "$before" -gt 0 ]; then
          # The parts came from different files: once more, from the start.
          log "$label: what was there does not fit what came, starting over"
          rm -f "$part"
          again=yes
        else
          if looks_like_page "$part"; then
            log "$label: a web page came instead of the file: does this network want a log-in first?"
            left="$left $url"
          else
            log "$label: wrong bytes from $url"
          fi
          rm -f "$part"
        fi
      done
    done
    urls=$left
    if [ -z "$urls" ]; then
      log "$label: none of its sources has the right file"
      return "$not_verified"
    fi
    # A transfer that moves is not given up.
    if [ "$moved" = yes ]; then tried=0 pause=1; else tried=$((tried + 1)); fi
    if [ "$tried" -ge "$attempts" ]; then
      log "$label: not reached after $attempts attempts ($(reason))"
      return "$not_fetched"
    fi
    [ "$pause" -le "$longest_wait" ] || pause=$longest_wait
    log "$label: $(reason); again in $pause s"
    sleep "$pause"
    pause=$((pause * 2))
    network_up
  done
}

# fetch_small URL FILE KILOBYTES: a file of unknown contents and bounded size, not resumed.
fetch_small() {
  rm -f "$2"
  download "$1" "$2" $(($3 * 1024)) list && [ -s "$2" ]
}
