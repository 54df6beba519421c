#!/usr/bin/env bash
# Checks licences, bans and sources of every dependency; installs the pinned cargo-deny below target/ if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
root=target/tools
if ! [ -x "$root/bin/cargo-deny" ] || [ "$("$root/bin/cargo-deny" --version)" != "cargo-deny $version" ]; then
    echo "installing cargo-deny $version" >&2
    # Built without optimisation and debug information: it runs for a second, and compiling is what costs.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --version "$version" --root "$root" --target-dir "$root/build" cargo-deny
    rm -rf "$root/build"
fi
"$root/bin/cargo-deny" --log-level error --locked check licenses bans sources
