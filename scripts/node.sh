# Says what is missing where Node is older than what Vite and TypeScript run on. Sourced.
# Debian 12 has an older one.
wanted_node=20.19.0
found_node=$(node --version 2>/dev/null | sed 's/^v//') || true
if [ "$(printf '%s\n' "$wanted_node" "${found_node:-0}" | sort -V | sed -n 1p)" != "$wanted_node" ]; then
    echo "missing: Node $wanted_node or newer, with npm; install it as https://nodejs.org says" >&2
    exit 1
fi

differs() { # COMMITTED MADE COMMAND
    if ! diff --recursive --brief "$1" "$2" >&2; then
        echo "$1 is not what its sources give; write it with:  $3" >&2
        exit 1
    fi
}
