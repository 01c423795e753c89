#!/usr/bin/env bash
# kcat (librdkafka from C): every codec with and without idempotence, acks, keys, headers, positions, a group.
set -u
cd "$(dirname "$0")"
. ./lib.sh
have kcat kcat || { echo "skipped: kcat: not here and cannot be installed"; exit 0; }
at="${KONTIKI_BOOTSTRAP%%,*}"
k() { timeout 60 kcat -b "$at" "$@" 2>/dev/null; }

want=$(seq 1 5000 | md5sum)
for codec in none gzip snappy lz4 zstd; do
  for idempotent in false true; do
    topic="kcat-$codec-$idempotent"
    seq 1 5000 | k -P -t "$topic" -z "$codec" -X "enable.idempotence=$idempotent"
    check "kcat: 5000 records with $codec, idempotence $idempotent, to a topic made by first use" "$want" "$(k -C -t "$topic" -o beginning -e -q | sort -n | md5sum)"
  done
done

for acks in 1 all 0; do # the topic is there by the time that nothing is acknowledged
  printf 'k%s:v%s\n' 1 1 2 2 3 3 | k -P -t kcat-acks -p 0 -K : -H "h=of $acks" -X "acks=$acks"
done
check "kcat: keys and headers with acks 1, all and 0" \
  "$(for acks in 1 all 0; do for i in 1 2 3; do echo "k$i v$i h=of $acks"; done; done)" "$(sleep 0.5; k -C -t kcat-acks -p 0 -o beginning -e -q -f '%k %s %h\n')"

check "kcat: from an offset" "$(printf 'v3\nv1\n')" "$(k -C -t kcat-acks -p 0 -o 5 -c 2 -q -f '%s\n')"
check "kcat: the last two" "$(printf 'v2\nv3\n')" "$(k -C -t kcat-acks -p 0 -o -2 -e -q -f '%s\n')"
cut=$(k -C -t kcat-acks -p 0 -o 3 -c 1 -q -f '%T')
check "kcat: from a time" "kcat-acks [0] offset 3" "$(k -Q -t "kcat-acks:0:$cut" | head -1)"
check "kcat: a group reads all, commits, and finds nothing again" "$(printf '9\n0')" \
  "$(k -G kcat-group -X auto.offset.reset=earliest -c 9 -q kcat-acks -f '%o\n' | wc -l | tr -d ' '; k -G kcat-group -e -q kcat-acks -f '%o\n' | wc -l | tr -d ' ')"
check "kcat: lists the brokers and a topic's partitions" "3 brokers 3 in sync" "$(k -L -J -t kcat-acks | node -e '
  const told = JSON.parse(require("fs").readFileSync(0, "utf8"));
  console.log(`${told.brokers.length} brokers ${told.topics[0].partitions[0].isrs.length} in sync`)')"
