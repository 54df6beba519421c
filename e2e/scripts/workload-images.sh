#!/usr/bin/env bash
# Makes one image for each release binary and prints the archives: the static binary, CA certificates and a numeric user,
# from scratch, without an engine or a registry.
#
#   workload-images.sh [DIRECTORY]      DIRECTORY has the binaries: default target/HOST/release
#
# An image is vedette-PROGRAM:VERSION with the version of Cargo.toml, so that a chart or a site file of a checkout names
# what that checkout builds.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

programs=(operator topics generator detector archiver notifier trainer console)
directory=${1:-${CARGO_TARGET_DIR:-$repository/target}/$(rustc -vV | sed -n 's/^host: //p')/release}
version=$(sed -n '/^\[workspace.package\]/,/^$/ s/^version = "\(.*\)"/\1/p' "$repository/Cargo.toml")
certificates=/etc/ssl/certs/ca-certificates.crt

images=$cache/images
mkdir -p "$images"
work=$(mktemp -d "$images/workloads.XXXXXX")
trap 'rm -rf "$work"' EXIT

for program in "${programs[@]}"; do
    binary=$directory/vedette-$program
    if ! [ -x "$binary" ]; then
        say "there is no $binary; build it with:  make build"
        exit 1
    fi
    archive=$images/vedette-$program-$({ echo "$version" && cat "$binary" "$certificates" "$repository/e2e/scripts/image-archive.sh" "$0"; } | content_key).tar
    if ! [ -e "$archive" ]; then
        if readelf --dynamic "$binary" | grep NEEDED >/dev/null; then
            say "$binary wants shared libraries, which an image from scratch has not; .cargo/config.toml makes it static"
            exit 1
        fi
        # An earlier one of the same program is of no use any more.
        rm -f "$images/vedette-$program"-*.tar
        install -D -m 755 "$binary" "$work/$program/vedette-$program"
        install -D -m 644 "$certificates" "$work/$program$certificates"
        "$repository/e2e/scripts/image-archive.sh" "$archive" "$work/$program" "vedette-$program:$version" \
            "{\"User\": \"65532\", \"Entrypoint\": [\"/vedette-$program\"]}"
    fi
    echo "$archive"
done
