#!/usr/bin/env bash
# Scores 10,000 rows with a model as ONNX in onnxruntime and as PMML in JPMML, and compares with our own scores. Needs
# Python and, for JPMML, Java and Maven; fails where one is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(./scripts/peers.sh)
jpmml=target/jpmml
pom=libs/forest/peers/jpmml/pom.xml
if ! cmp --silent "$pom" "$jpmml/pom.xml"; then
    mkdir -p "$jpmml"
    mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies -DoutputDirectory="$PWD/$jpmml/jars"
    cp "$pom" "$jpmml/pom.xml"
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"${CARGO:-cargo}" run --release --locked --quiet --example formats -- "$directory"
java -cp "$jpmml/jars/*" libs/forest/peers/jpmml/Score.java "$directory/forest.pmml" "$directory/rows" >"$directory/jpmml"
"$python" libs/forest/peers/formats.py "$directory"
