#!/usr/bin/env bash
# From nothing to clusters with Kafka, a bucket and the images of this checkout. What is there already is left as it is, so
# that after a change of the code only the images are brought anew.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
scripts=$repository/e2e/scripts

"$scripts/clusters.sh"
workloads=$("$scripts/workload-images.sh")
mapfile -t archives <<<"$workloads"
for name in "${clusters[@]}"; do
    "$scripts/cluster.sh" load "$name" "${archives[@]}"
done
