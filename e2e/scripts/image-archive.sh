#!/usr/bin/env bash
# Makes an image archive (`docker load`, `kind load image-archive`) of one layer out of a directory, without an engine, a
# registry or a base image. The same files give the same bytes.
#
#   image-archive.sh ARCHIVE DIRECTORY NAME[,NAME...] CONFIG
#
# CONFIG is the image's configuration as JSON: {"User": "65532", "Entrypoint": ["/program"], "Env": ["A=B"]}
set -euo pipefail
archive=$1 directory=$2 names=$3 config=$4

case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac
work=$(mktemp -d "$archive.XXXXXX")
trap 'rm -rf "$work"' EXIT

same_bytes=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu)
tar -C "$directory" "${same_bytes[@]}" -cf "$work/layer.tar" .
layer=$(sha256sum <"$work/layer.tar" | cut -d ' ' -f 1)
mkdir "$work/image" "$work/image/$layer"
mv "$work/layer.tar" "$work/image/$layer/layer.tar"
jq --null-input --compact-output --arg architecture "$architecture" --arg layer "sha256:$layer" --argjson config "$config" \
    '{architecture: $architecture, os: "linux", created: "1970-01-01T00:00:00Z", config: $config,
      rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created: "1970-01-01T00:00:00Z"}]}' >"$work/config.json"
id=$(sha256sum <"$work/config.json" | cut -d ' ' -f 1)
mv "$work/config.json" "$work/image/$id.json"
jq --null-input --compact-output --arg config "$id.json" --arg layer "$layer/layer.tar" --arg names "$names" \
    '[{Config: $config, RepoTags: ($names / ","), Layers: [$layer]}]' >"$work/image/manifest.json"
tar -C "$work/image" "${same_bytes[@]}" -cf "$work/archive.tar" "$id.json" manifest.json "$layer"
mv "$work/archive.tar" "$archive"
