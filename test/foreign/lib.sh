# What the shell files share. A check is one line: "ok: ...", "FAILED: ..." or "skipped: ...".

# check NAME WANT GOT
check() {
  if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "FAILED: $1: wanted <${2:0:200}>, got <${3:0:200}>"; fi
}

# have COMMAND PACKAGE...: whether the command is here, after an attempt to install what brings it.
have() {
  local command="$1"; shift
  command -v "$command" >/dev/null && return 0
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
  apt-get update -qq >/dev/null 2>&1
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
  command -v "$command" >/dev/null
}
