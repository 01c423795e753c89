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

# find_jars: sets $jars to the class path of Apache Kafka's clients and tools. The benchmark's copy serves when it is there; else Maven
# fetches what pom.xml names. Fails with $why.
find_jars() {
  why=
  have javac openjdk-17-jdk-headless || { why="there is no JDK and none can be installed"; return 1; }
  local version folder
  version=$(sed -n 's/.*<kafka>\(.*\)<\/kafka>.*/\1/p' pom.xml)
  for folder in "${XDG_CACHE_HOME:-$HOME/.cache}"/kontiki-bench/lib-* "$KONTIKI_FOREIGN_CACHE/jars-$version"; do
    if [ -f "$folder/kafka-clients-$version.jar" ] && [ -f "$folder/kafka-tools-$version.jar" ]; then jars="$folder/*"; return 0; fi
  done
  have mvn maven || { why="there is no Maven and none can be installed"; return 1; }
  folder="$KONTIKI_FOREIGN_CACHE/jars-$version"
  rm -rf "$folder" "$folder.new"
  mvn -q -B -f pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder.new" >&2 && mv "$folder.new" "$folder" || { why="Maven cannot fetch Kafka's jars"; return 1; }
  jars="$folder/*"
}
