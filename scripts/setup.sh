#!/usr/bin/env bash
# Checks for what the build needs, installs what is missing on Debian or Ubuntu when it may, and otherwise prints the one
# command that does. Quiet when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | sed -n 1p)
packages=()

command -v cc >/dev/null || packages+=(gcc libc6-dev)
command -v c++ >/dev/null || packages+=(g++)
command -v perl >/dev/null || packages+=(perl)
command -v make >/dev/null || packages+=(make)
command -v openssl >/dev/null || packages+=(openssl)
if command -v cc >/dev/null && ! echo '#include <zlib.h>' | cc -E -xc - >/dev/null 2>&1; then
    packages+=(zlib1g-dev)
elif ! command -v cc >/dev/null; then
    packages+=(zlib1g-dev)
fi

if [ ${#packages[@]} -gt 0 ]; then
    ./scripts/install.sh "${packages[@]}"
fi

rust_is_enough() {
    local found
    found=$(cargo --version 2>/dev/null | sed 's/cargo \([0-9.]*\).*/\1/')
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$wanted_rust" "$found" | sort -V | sed -n 1p)" = "$wanted_rust" ]
}

if ! rust_is_enough; then
    if command -v rustup >/dev/null; then
        echo "missing: Rust $wanted_rust or newer; install it with:  rustup toolchain install stable && rustup default stable" >&2
    else
        echo "missing: Rust $wanted_rust or newer; install it as https://rustup.rs says, or with:  sudo apt-get install -y rustup && rustup default stable" >&2
    fi
    exit 1
fi
