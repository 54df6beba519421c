#!/usr/bin/env bash
# Installs Prometheus and its promtool, which evaluate alerts and dashboards, where they are missing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! command -v promtool >/dev/null; then
    "$repository/scripts/install.sh" prometheus
fi
