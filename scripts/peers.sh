#!/usr/bin/env bash
# Prints the Python of a virtual environment with what we compare with; makes it below target/ if it is not there.
set -euo pipefail
exec "$(dirname "$0")/venv.sh" libs/forest/peers/requirements.txt target/peers
