# The list of models: which are offered, of what files each consists, and whether the list may be believed.
#
# One file a line, separated by tabs: model, version, path below the model's folder, bytes, sha256, URLs (separated by
# blanks). "# serial: N" numbers the list; a list with a lower number is never taken. With a public key in
# /etc/NAME/models.pub a list counts only with a good signature (minisign) beside it.

# serial_of LIST: its number, 0 without one.
serial_of() {
  local number
  number=$(sed -n 's/^# serial: *0*\([0-9][0-9]*\) *$/\1/p' "$1" | head -n 1)
  case $number in
    '' | ????????????????*) echo 0 ;;
    *) echo "$number" ;;
  esac
}

# well_formed LIST: every line is what it must be; says what is wrong otherwise.
well_formed() {
  local fault
  fault=$(awk -F '\t' '
    function bad(what) { printf "line %d: %s", NR, what; wrong = 1; exit }
    function word(text) { return text ~ /^[a-z0-9][A-Za-z0-9._+-]*$/ && length(text) <= 64 }
    /^#/ || /^$/ { next }
    NF != 6 { bad("it has " NF " fields instead of 6") }
    !word($1) { bad("the name of the model") }
    !word($2) || $2 == "current" { bad("the version") }
    $3 !~ /^[A-Za-z0-9_][A-Za-z0-9._+@=,\/-]*$/ || $3 ~ /(^|\/)\.\.?(\/|$)/ || $3 ~ /\/$/ || $3 ~ /\/\// ||
      length($3) > 255 { bad("the path of the file") }
    $4 !~ /^[0-9]+$/ || length($4) > 15 { bad("the size") }
    $5 !~ /^[0-9a-f]+$/ || length($5) != 64 { bad("the sha256") }
    { count = split($6, urls, " "); if (count == 0) bad("it has no URL") }
    { for (i = 1; i <= count; i++) if (urls[i] !~ /^https?:\/\/[!-~]+$/ || urls[i] ~ /[\\"`<>{}|^]/) bad("the URL") }
    seen[$1 "\t" $2 "\t" $3]++ { bad("the same file twice") }' "$1" 2>&1)
  [ -z "$fault" ] && return 0
  log "refused: the list of models is damaged, $fault"
  return 1
}

# signed_by_key LIST: true when its signature passes, or when the image has no key to ask for one.
signed_by_key() {
  [ -e "$config/models.pub" ] || return 0
  if [ ! -f "$1.minisig" ]; then
    log "refused: the list of models has no signature, and this image has a key to check it"
  elif [ ! -x "$library/verify-signature" ]; then
    log "refused: nothing in this image can check the signature of the list of models"
  elif "$library/verify-signature" "$config/models.pub" "$1" "$1.minisig" 2> "$state/verify.txt"; then
    return 0
  else
    log "refused: the list of models, $(escaped < "$state/verify.txt")"
  fi
  return 1
}

# adopt_copy FOLDER: copies list and signature where nobody else writes, and checks the copy.
adopt_copy() {
  rm -rf "$state/candidate"
  mkdir -p "$state/candidate" && cp "$1/models.list" "$state/candidate/models.list" &&
    { [ ! -f "$1/models.list.minisig" ] || cp "$1/models.list.minisig" "$state/candidate/"; } || {
    log "the list of models cannot be copied: $(megabytes "$(free_space "$state")") of disk space are free"
    return 1
  }
  signed_by_key "$state/candidate/models.list" && well_formed "$state/candidate/models.list"
}

# use_list: sets list to the newest list that may be believed: the image's own, or one that an update brought.
# Returns 1 when there is none, 3 when there is one and it is refused.
use_list() {
  local folder serial best=-1 result=1
  list=''
  rm -rf "$state/believed"
  for folder in "$config" "$state/list"; do
    [ -f "$folder/models.list" ] || continue
    [ "$best" -ge 0 ] || result=$not_verified
    adopt_copy "$folder" || continue
    serial=$(serial_of "$state/candidate/models.list")
    [ "$serial" -ge "$best" ] || continue
    best=$serial result=0
    rm -rf "$state/believed"
    mv "$state/candidate" "$state/believed"
    list=$state/believed/models.list
  done
  return "$result"
}

# Models of the list, in its order.
offered_models() {
  awk -F '\t' '!/^#/ && NF == 6 && !seen[$1]++ { print $1 }' "$list"
}

# newest_version MODEL: the one that the list names last.
newest_version() {
  awk -F '\t' -v model="$1" '!/^#/ && $1 == model { version = $2 } END { print version }' "$list"
}

# rows_of MODEL VERSION: its lines.
rows_of() {
  awk -F '\t' -v model="$1" -v version="$2" '!/^#/ && $1 == model && $2 == version' "$list"
}

# bytes_of MODEL VERSION: size of all its files together.
bytes_of() {
  rows_of "$1" "$2" | awk -F '\t' '{ sum += $4 } END { printf "%.0f", sum }'
}

# by_size: lines "BYTES MODEL" of what is offered, the smallest first.
by_size() {
  local model
  for model in $(offered_models); do
    echo "$(bytes_of "$model" "$(newest_version "$model")") $model"
  done | sort -n
}
