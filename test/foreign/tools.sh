#!/usr/bin/env bash
# Apache Kafka's command line tools, all in one JVM.
set -u
cd "$(dirname "$0")"
. ./lib.sh
find_jars || { echo "skipped: tools (Apache Kafka's command line): $why"; exit 0; }
exec java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars" JavaTools.java
