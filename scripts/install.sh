#!/usr/bin/env bash
# Installs Debian packages when it may, and otherwise prints the one command that does. usage: install.sh PACKAGE...
set -euo pipefail
install="apt-get install -y --no-install-recommends $*"
if ! command -v apt-get >/dev/null; then
    echo "missing: $* (Debian's names); install them with your package manager, then run the command again" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    sudo=()
elif sudo -n true 2>/dev/null; then
    sudo=(sudo)
else
    echo "missing: $*; install them with:  sudo apt-get update && sudo $install" >&2
    exit 1
fi
echo "installing $*" >&2
"${sudo[@]}" apt-get update -qq
# The run level says "single user": without systemd, it keeps a package from starting its service.
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $install >/dev/null
