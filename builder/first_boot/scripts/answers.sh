# The questions of the first start and where their answers come from: in this order /etc/NAME/answers, the kernel's
# command line (imgforge.answer.KEY=VALUE), QEMU's fw_cfg (opt/imgforge/answers), answers.conf in the shared folder, and at
# last the console. Files have lines KEY=VALUE. An answer is data: it is checked, and nothing of it is run.

# explain KEY: the question in one line, with the answers that it takes.
explain() {
  case $1 in
    network) echo "Network: dhcp, none, or ADDRESS/PREFIX[,GATEWAY[,DNS]]" ;;
    model) echo "Model: a name, smallest, largest, all or none" ;;
    interface) echo "Which interface do you prefer: voice, text or graphical" ;;
    hostname) echo "Name of this machine" ;;
    timezone) echo "Time zone: UTC, or Area/City such as Europe/Vienna" ;;
  esac
}

# default_answer KEY: what holds when nobody says anything.
default_answer() {
  case $1 in
    network) echo dhcp ;;
    model) if [ -n "$list" ]; then echo smallest; else echo none; fi ;;
    interface) echo text ;;
    hostname) head -n 1 "$root/etc/hostname" 2>/dev/null || echo localhost ;;
    timezone) head -n 1 "$root/etc/timezone" 2>/dev/null || echo UTC ;;
  esac
}

is_hostname() {
  case $1 in
    '' | -* | *- | .* | *. | *..* | *-.* | *.-* | *[!A-Za-z0-9.-]*) return 1 ;;
  esac
  [ "${#1}" -le 63 ]
}

is_timezone() {
  case $1 in
    UTC) return 0 ;;
    '' | /* | */ | *..* | *[!A-Za-z0-9_+/-]*) return 1 ;;
  esac
  [ -f "$root/usr/share/zoneinfo/$1" ]
}

is_model() {
  case $1 in
    none) return 0 ;;
    '' | *[!A-Za-z0-9._+-]*) return 1 ;;
  esac
  [ -n "$list" ] || return 1
  case $1 in smallest | largest | all) return 0 ;; esac
  offered_models | grep -qxF -e "$1"
}

# is_answer KEY VALUE
is_answer() {
  case $1 in
    network) is_network "$2" ;;
    model) is_model "$2" ;;
    interface) case $2 in voice | text | graphical) ;; *) return 1 ;; esac ;;
    hostname) is_hostname "$2" ;;
    timezone) is_timezone "$2" ;;
    *) return 1 ;;
  esac
}

# line_of FILE KEY: the value of the last such line.
line_of() {
  [ -r "$1" ] || return 0
  tr -d '\000\r' < "$1" | head -c 65536 | sed -n "s/^$2=//p" | tail -n 1
}

# word_of KEY: the value of the last such word of the kernel's command line.
word_of() {
  tr ' ' '\n' < "$root/proc/cmdline" 2>/dev/null | sed -n "s/^imgforge\.answer\.$1=//p" | tail -n 1
}

# given_in PLACE KEY
given_in() {
  case $1 in
    "the answers file") line_of "$config/answers" "$2" ;;
    "the kernel's command line") word_of "$2" ;;
    fw_cfg) line_of "$root/sys/firmware/qemu_fw_cfg/by_name/opt/imgforge/answers/raw" "$2" ;;
    "the shared folder") [ -z "$shared" ] || line_of "$shared/answers.conf" "$2" ;;
  esac
}

# find_answer KEY: prints the first answer that can be used.
find_answer() {
  local place value
  for place in "the answers file" "the kernel's command line" fw_cfg "the shared folder"; do
    value=$(given_in "$place" "$1")
    [ -n "$value" ] || continue
    if is_answer "$1" "$value"; then
      echo "$value"
      return 0
    fi
    log "the answer for $1 in $place cannot be used: $(echo "$value" | escaped)"
  done
  return 1
}

# unattended: nobody is to be asked.
unattended() {
  tr ' ' '\n' < "$root/proc/cmdline" 2>/dev/null | grep -qx -e 'imgforge\.unattended\(=1\|=yes\)\{0,1\}' && return 0
  local place
  for place in "the answers file" fw_cfg "the shared folder"; do
    [ "$(given_in "$place" unattended)" != yes ] || return 0
  done
  return 1
}

# ask KEY: asks on standard error, reads standard input, until the answer is good. Returns 1 when nobody answers.
ask() {
  local default value
  default=$(default_answer "$1")
  [ "$1" != model ] || show_models
  while :; do
    printf '%s [%s]: ' "$(explain "$1")" "$default" >&2
    read -r -t "$patience" value || { echo >&2; return 1; }
    [ -n "$value" ] || value=$default
    is_answer "$1" "$value" && break
    echo "That cannot be used." >&2
  done
  echo "$value"
}

show_models() {
  [ -n "$list" ] || return 0
  local bytes model
  by_size | while read -r bytes model; do
    printf '  %-30s %10s\n' "$model" "$(megabytes "$bytes")"
  done >&2
}

# collect_answers: all questions answered and kept in the answers file, or 1.
collect_answers() {
  local key value known='' missing='' alone=no
  ! unattended || alone=yes known='unattended=yes
'
  for key in $questions; do
    # What is offered is not known while the list is refused: this question waits until there is a good one. Without
    # a list there is nothing to choose.
    if [ "$key" = model ] && [ "$listed" -ne 0 ]; then
      [ "$listed" -eq "$not_verified" ] || known="${known}model=none
"
      continue
    fi
    if value=$(find_answer "$key"); then
      known="$known$key=$value
"
    else
      missing="$missing $key"
    fi
  done
  if [ -n "$missing" ]; then
    if [ "$alone" = yes ]; then
      for key in $missing; do
        value=$(default_answer "$key")
        log "nobody answered for $key: $value"
        known="$known$key=$value
"
      done
    else
      printf '\nThis is the first start of %s. Press Enter to take what stands in brackets.\n\n' "$name" >&2
      for key in $missing; do
        value=$(ask "$key") || {
          log "nobody answers: the questions are asked again at the next start, or by $name-setup"
          return 1
        }
        known="$known$key=$value
"
      done
    fi
  fi
  printf '%s' "$known" | write_file "$config/answers"
}

# saved_answer KEY: after collect_answers.
saved_answer() {
  line_of "$config/answers" "$1"
}
