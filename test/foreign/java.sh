#!/usr/bin/env bash
# Apache Kafka's own Java client.
set -u
cd "$(dirname "$0")"
. ./lib.sh
find_jars || { echo "skipped: java (Apache Kafka's client): $why"; exit 0; }
exec java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars" JavaClients.java
