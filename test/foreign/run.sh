#!/usr/bin/env bash
# Foreign clients against three real nodes. Each that is missing and cannot be installed is named and skipped.
set -u
cd "$(dirname "$0")/../.."
if ! command -v kcat >/dev/null; then apt-get update -qq >/dev/null 2>&1; apt-get install -y -qq kcat >/dev/null 2>&1; fi
if ! command -v kcat >/dev/null; then echo "skipped: kcat is not here and cannot be installed"; exit 0; fi

port=$((20000 + RANDOM % 8000))
out=$(mktemp)
node dist/main.js dev --nodes 3 --port "$port" --ephemeral >"$out" 2>&1 &
dev=$!
trap 'kill -INT "$dev" 2>/dev/null; wait "$dev" 2>/dev/null; rm -f "$out"' EXIT
for _ in $(seq 1 300); do grep -q "kontiki is ready" "$out" && break; sleep 0.1; done
grep -q "kontiki is ready" "$out" || { echo "the cluster did not start"; cat "$out"; exit 1; }

failed=0
for codec in none gzip snappy lz4 zstd; do
  for idempotent in false true; do
    topic="kcat-$codec-$idempotent"
    seq 1 5000 | timeout 60 kcat -b "127.0.0.1:$port" -P -t "$topic" -z "$codec" -X "enable.idempotence=$idempotent"
    got=$(timeout 60 kcat -b "127.0.0.1:$port" -C -t "$topic" -o beginning -e -q | sort -n | md5sum)
    want=$(seq 1 5000 | md5sum)
    if [ "$got" = "$want" ]; then echo "kcat $codec, idempotence $idempotent: 5000 records as sent"; else echo "kcat $codec, idempotence $idempotent: FAILED"; failed=1; fi
  done
done
exit "$failed"
