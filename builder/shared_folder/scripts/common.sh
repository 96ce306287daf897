# What the programs of the shared folder have in common. All that comes out of the folder is data: it is compared with lines of
# the file `allowed`, and never expanded or run.
#
# IMGFORGE_ROOT is a prefix of every path (tests run the scripts on a folder of the host); empty in an image.
# shellcheck shell=dash disable=SC2034
LC_ALL=C # a character is a byte: positions in files are counted
export LC_ALL
root=${IMGFORGE_ROOT:-}
etc=$root/etc/shared-folder         # allowed: command lines, one a line; config/KEY: values that were set
shared=$root/shared                 # the folder, be it the host's or (without 9p) the image's own
state=$root/run/shared-folder       # until the machine stops
audit=$root/var/log/shared-folder.log
orders=$shared/host-to-vm.txt
[ -n "$root" ] || PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022

largest_report=262144 # bytes of vm-to-host.txt, then a new one begins
longest_line=300

now() {
  date -u '+%Y-%m-%d %H:%M:%S'
}

# plain: standard input without control characters. As many bytes come out as go in.
plain() {
  tr -c '\n -~\200-\377' '?'
}

# own_file FILE: it is not there, or a file and no link that leads elsewhere.
own_file() {
  [ ! -L "$1" ] && { [ ! -e "$1" ] || [ -f "$1" ]; }
}

size_of() {
  stat -c %s "$1" 2>/dev/null || echo 0
}

# note TEXT: a line in the audit log, which only grows, on the disk when this returns.
note() {
  printf '%s %s\n' "$(now)" "$1" >> "$audit"
  [ -n "$root" ] || sync
}

# tell TEXT: a line for the host.
tell() {
  local file=$shared/vm-to-host.txt
  own_file "$file" || return 1
  [ "$(size_of "$file")" -lt "$largest_report" ] || mv -f "$file" "$file.1"
  printf '%s: %s\n' "$(now)" "$1" >> "$file"
} 2>/dev/null

# put FILE TEXT: the file has this line, whole or not at all.
put() {
  own_file "$1" && printf '%s\n' "$2" > "$1.new" && mv -f "$1.new" "$1"
} 2>/dev/null

# set_config KEY=VALUE, which is allowed.
set_config() {
  mkdir -p "$etc/config" && put "$etc/config/${1%%=*}" "${1#*=}" || return 1
  put "$shared/config/${1%%=*}" "${1#*=}" || true # a folder that is only read stays as it is
}

# allowed COMMAND: the image allows exactly that.
allowed() {
  grep -qxF -e "$1" "$etc/allowed"
}

# carry_out COMMAND: does it and sets `outcome` and `why`.
carry_out() {
  local code=0
  outcome='done' why=''
  case $1 in
    'message: '?*)
      logger -t shared-folder -- "${1#message: }" 2>/dev/null
      return ;;
  esac
  if ! allowed "$1"; then
    outcome=refused why='not allowed by this image'
    return
  fi
  case $1 in
    'shutdown: graceful') (sleep 1 && "$root/sbin/poweroff") < /dev/null > /dev/null 2>&1 & ;;
    'restart: '*) timeout 60 "$root/sbin/rc-service" "${1#restart: }" restart < /dev/null > /dev/null 2>&1 || code=$? ;;
    'config: '*) set_config "${1#config: }" || code=$? ;;
    *) outcome=refused why='not known' ;;
  esac
  [ "$code" = 0 ] || { outcome=failed why="exit code $code"; }
}

# obey NUMBER COMMAND: `answer` becomes the answer; the number may be empty. Both sides of it are in the audit log.
obey() {
  local number=${1:+#$1 } outcome why
  if [ "${#2}" -gt "$longest_line" ]; then
    outcome=refused why='too long'
    set -- "$1" "$(printf '%s' "$2" | cut -b 1-100)..."
  else
    note "${number}asked: $2"
    carry_out "$2"
  fi
  answer="$number$outcome: $2${why:+ ($why)}"
  note "$answer"
}

# take_apart LINE: sets `number` (empty when the line has none) and `command`.
take_apart() {
  number=${1##* #} command=${1% #*}
  case $number in
    "$1" | '' | 0* | *[!0-9]* | ??????????*) number='' command=$1 ;;
  esac
}
