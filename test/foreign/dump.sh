#!/usr/bin/env bash
# Kafka's own dump tool over the folders that stopped nodes left. "prepare" runs while the nodes still do.
set -u
cd "$(dirname "$0")"
. ./lib.sh
ends="$(dirname "$KONTIKI_DATA")/ends"
if [ "${1:-}" = prepare ]; then exec node dump.mjs write "$ends"; fi
find_jars || { echo "skipped: dump (Kafka's DumpLogSegments): $why"; exit 0; }
tool() { java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars" org.apache.kafka.tools.DumpLogSegments --deep-iteration "$@" 2>&1; }
# files FOLDER CONDITION...: of partitions alone (the quorum's log is a format of our own), those that hold something, with commas.
files() { find "$1" -mindepth 2 -maxdepth 2 -size +0 -not -path '*/quorum/*' "${@:2}" | sort | paste -sd,; }

for node in 1 2 3; do
  at="$KONTIKI_DATA/node-$node"
  {
    tool --files "$(files "$at" -name '*.log' -not -path '*/__*')"
    tool --files "$(files "$at" -path '*/__consumer_offsets-*/*.log')" --offsets-decoder
    tool --files "$(files "$at" '(' -name '*.index' -o -name '*.timeindex' -o -name '*.snapshot' ')')"
  } >"$ends.$node"
  node dump.mjs read "$ends" "$node" <"$ends.$node"
done
