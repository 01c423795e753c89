#!/usr/bin/env bash
# librdkafka by Python: confluent-kafka in an environment of its own, or the system's package when that cannot be had.
set -u
cd "$(dirname "$0")"
. ./lib.sh
version=2.16.1
python="$KONTIKI_FOREIGN_CACHE/python-$version/bin/python"
if ! "$python" -c 'import confluent_kafka' 2>/dev/null && have python3 python3 python3-venv; then
  rm -rf "$KONTIKI_FOREIGN_CACHE/python-$version"
  python3 -m venv "$KONTIKI_FOREIGN_CACHE/python-$version" >&2 && "$python" -m pip install -q --disable-pip-version-check "confluent-kafka==$version" >&2
fi
if ! "$python" -c 'import confluent_kafka' 2>/dev/null; then
  echo "skipped: librdkafka (python confluent-kafka): not here and pip cannot install it"
  exit 0
fi
exec "$python" librdkafka.py
