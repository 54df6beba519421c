#!/usr/bin/env bash
# Executes docs/exploration.ipynb on what a demo left and looks at its outputs, then on parts of it that are damaged, changed and empty,
# and on a copy in SeaweedFS. usage: notebook.sh [DATA DIRECTORY OF `vedette local`]; without one, a demo of 90 seconds comes first.
#
# The notebook as it was executed and its pictures are in target/notebook/executed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"
program=$repository/target/$(rustc -vV | sed -n 's/^host: //p')/release/vedette
mkdir -p target/notebook
python=$(./scripts/venv.sh e2e/notebook/requirements.txt target/tools/notebook)
data=${1:-}
if [ -z "$data" ]; then
    data=target/notebook/demo
    rm -rf "$data"
    "$program" local -f manifests/demo.yaml --json --for 90s --data-dir "$data" >target/notebook/demo.json
fi
exec ./e2e/scripts/with-seaweedfs.sh "$python" e2e/notebook/check.py "$program" "$data" target/notebook/executed
