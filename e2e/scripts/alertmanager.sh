#!/usr/bin/env bash
# Prints where Alertmanager is, which the notifier tells of incidents; it is installed where it is missing and may be.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! command -v prometheus-alertmanager >/dev/null; then
    "$repository/scripts/install.sh" prometheus-alertmanager
fi
command -v prometheus-alertmanager
