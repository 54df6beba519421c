#!/usr/bin/env bash
# Prints the Python of a virtual environment with what a requirements file names; makes it if it is not there.
# usage: venv.sh REQUIREMENTS DIRECTORY, both below the repository
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$1 directory=$2
if ! cmp --silent "$requirements" "$directory/requirements.txt"; then
    echo "installing what $requirements names into $directory" >&2
    python3 -m venv "$directory"
    "$directory/bin/pip" install --quiet --requirement "$requirements" >&2
    cp "$requirements" "$directory/requirements.txt"
fi
echo "$PWD/$directory/bin/python"
