#!/usr/bin/env bash
# Prints a directory with a Python that has PySpark, python/, and Spark's jars for Kafka, jars/; fetched once and kept.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

spark=$repository/e2e/spark
directory=$cache/spark-$(cat "$spark/requirements.txt" "$spark/pom.xml" | content_key)

fetch() {
    rm -rf "$directory"
    python3 -m venv "$directory/python"
    "$directory/python/bin/pip" install --quiet --requirement "$spark/requirements.txt"
    mvn --quiet --batch-mode --file "$spark/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$directory/jars"
    "$directory/python/bin/python" -c 'import pyspark'
    touch "$directory/complete"
}

if ! [ -f "$directory/complete" ]; then
    hold_lock spark
    [ -f "$directory/complete" ] || step "fetching Spark" "$cache/logs/spark.log" fetch
fi
echo "$directory"
