#!/usr/bin/env bash
# Prints the directory of Apache Kafka's jars, from Maven Central; fetched once and kept.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

project=$repository/e2e/kafka/pom.xml
directory=$cache/kafka-$(content_key <"$project")

fetch() {
    rm -rf "$directory.new"
    mvn --quiet --batch-mode --file "$project" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$directory.new"
    java -cp "$directory.new/*" kafka.tools.StorageTool random-uuid
    mv "$directory.new" "$directory"
}

if ! [ -d "$directory" ]; then
    hold_lock kafka
    [ -d "$directory" ] || step "fetching Kafka" "$cache/logs/kafka.log" fetch
fi
echo "$directory"
