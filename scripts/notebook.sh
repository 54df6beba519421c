#!/usr/bin/env bash
# Opens a copy of docs/exploration.ipynb in JupyterLab, on the data directory of a demo that runs or has run, or on an S3 bucket:
# the variables are those that the notebook's head names. usage: notebook.sh [ARGUMENT OF JUPYTER...]
set -euo pipefail
cd "$(dirname "$0")/.."
bucket=${VEDETTE_BUCKET_NAME:-vedette}
if [ -n "${VEDETTE_BUCKET:-}" ]; then
    unset VEDETTE_DATA_DIR
    case $VEDETTE_BUCKET in
    http://* | https://*) ;;
    *) echo "BUCKET=$VEDETTE_BUCKET is no URL of an endpoint: write one as BUCKET=https://s3.example.org" >&2 && exit 2 ;;
    esac
    for name in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; do
        [ -n "${!name:-}" ] || { echo "$name is not set: the bucket at $VEDETTE_BUCKET asks for it" >&2 && exit 1; }
    done
else
    VEDETTE_DATA_DIR=${VEDETTE_DATA_DIR:-target/demo}
    if ! [ -d "$VEDETTE_DATA_DIR/$bucket" ]; then
        echo "$VEDETTE_DATA_DIR has no bucket $bucket, so no demo runs or has run there: run  make demo  in another terminal, or name
a data directory of \`vedette local\` as DATA_DIR=DIR or an S3 bucket as BUCKET=URL" >&2
        exit 1
    fi
    VEDETTE_DATA_DIR=$(cd "$VEDETTE_DATA_DIR" && pwd)
    export VEDETTE_DATA_DIR
fi
make --silent build
VEDETTE=$PWD/target/$(rustc -vV | sed -n 's/^host: //p')/release/vedette
export VEDETTE
python=$(./scripts/venv.sh e2e/notebook/requirements.txt target/tools/notebook)

# What is run and written in it is no change of the repository.
opened=target/notebook/exploration.ipynb
mkdir -p target/notebook
if [ docs/exploration.ipynb -nt "$opened" ]; then
    [ ! -e "$opened" ] || mv "$opened" "$opened.earlier"
    cp docs/exploration.ipynb "$opened"
fi
arguments=(--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.extension_manager=readonly)
# Jupyter asks whether root means it.
[ "$(id -u)" != 0 ] || arguments+=(--allow-root)
exec "$python" -m jupyterlab "${arguments[@]}" "$@" "$opened"
