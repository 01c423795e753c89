#!/usr/bin/env bash
# Foreign clients against three real nodes of the build: one file a client, each check one line. A client that is neither here nor can be
# installed is named and skipped. At the end the nodes are stopped and Kafka's own dump tool reads what they left on disk.
#
#   test/foreign/run.sh [client...]     all of them when none is named
#   KONTIKI_CI_COUNTS=FILE              takes a line "passed failed skipped" at the end, for .ci/run
set -u
cd "$(dirname "$0")/../.."
here=test/foreign
clients=("$@")
[ ${#clients[@]} -eq 0 ] && clients=(kcat librdkafka java tools dump)
[ -f dist/main.js ] || { echo "there is no build: npm run build"; exit 1; }

work=$(mktemp -d)
dev=
stop_cluster() { [ -n "$dev" ] && { kill -INT "$dev" 2>/dev/null; wait "$dev" 2>/dev/null; }; dev=; }
trap 'stop_cluster; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

start_cluster() { # on ports that are free; the data stays after the nodes have stopped, for the dump tool
  port=$((20000 + RANDOM % 8000))
  node dist/main.js dev --nodes 3 --port "$port" --data "$work/data" >"$work/cluster" 2>&1 &
  dev=$!
  for _ in $(seq 1 300); do
    grep -q "kontiki is ready" "$work/cluster" && return 0
    kill -0 "$dev" 2>/dev/null || break
    sleep 0.1
  done
  stop_cluster
  return 1
}
start_cluster || start_cluster || start_cluster || { echo "the cluster did not start"; cat "$work/cluster"; exit 1; }

export KONTIKI_BOOTSTRAP="127.0.0.1:$port,127.0.0.1:$((port + 1)),127.0.0.1:$((port + 2))"
export KONTIKI_DATA="$work/data"
export KONTIKI_FOREIGN_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/kontiki-foreign"
mkdir -p "$KONTIKI_FOREIGN_CACHE"
: >"$work/results"
for client in "${clients[@]}"; do
  started=$SECONDS
  if [ "$client" = dump ]; then
    timeout -k 5 120 bash "$here/dump.sh" prepare || echo "FAILED: dump: its records could not be written" | tee -a "$work/results"
    stop_cluster
  fi
  timeout -k 5 240 bash "$here/$client.sh" >"$work/out" 2>"$work/err"
  code=$?
  grep -E '^(ok|FAILED|skipped): ' "$work/out" | tee -a "$work/results"
  if [ "$code" -ne 0 ] || ! grep -qE '^(ok|FAILED|skipped): ' "$work/out"; then
    echo "FAILED: $client ended with code $code" | tee -a "$work/results"
    cat "$work/out" "$work/err" | tail -n 30
  fi
  echo "   $client took $((SECONDS - started)) s"
done

passed=$(grep -c '^ok: ' "$work/results")
failed=$(grep -c '^FAILED: ' "$work/results")
skipped=$(grep -c '^skipped: ' "$work/results")
if [ "$failed" -ne 0 ]; then echo "the cluster's last lines:"; tail -n 30 "$work/cluster"; fi
echo "foreign clients: $passed checks passed, $failed failed, $skipped skipped, in $SECONDS s"
[ -n "${KONTIKI_CI_COUNTS:-}" ] && echo "$passed $failed $skipped" >>"$KONTIKI_CI_COUNTS"
[ "$failed" -eq 0 ]
