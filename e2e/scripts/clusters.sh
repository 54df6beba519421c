#!/usr/bin/env bash
# From nothing to clusters with Kafka and a bucket, with nothing of this checkout in them. What is there already is left as
# it is.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
scripts=$repository/e2e/scripts

"$scripts/setup.sh"
binaries=$("$scripts/binaries.sh" tools)
development=$("$scripts/development-images.sh")
mapfile -t archives <<<"$development"
for name in "${clusters[@]}"; do
    kubeconfig=$("$scripts/cluster.sh" up "$name")
    "$scripts/cluster.sh" load "$name" "${archives[@]}"
    "$scripts/backing-services.sh" "$name"
    say "kubectl: $binaries/kubectl --kubeconfig $kubeconfig"
done
