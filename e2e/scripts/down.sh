#!/usr/bin/env bash
# Deletes the clusters and stops what up.sh started; the cache of what was built stays. Said again, it does nothing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for state in "$cache"/clusters/*/; do
    # The engine's own take-down reaches what this does not.
    [ ! -d "$state" ] || "$repository/e2e/scripts/cluster.sh" down "$(basename "$state")" || true
done
"$repository/e2e/scripts/engine.sh" down
