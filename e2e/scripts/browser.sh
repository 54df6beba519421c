#!/usr/bin/env bash
# Prints the browser that the tests of the console use: the Chromium or Chrome of the system; Chromium is installed where there is none and it
# may be.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! command -v chromium google-chrome >/dev/null; then
    "$repository/scripts/install.sh" chromium fonts-liberation
fi
command -v chromium google-chrome | sed -n 1p
