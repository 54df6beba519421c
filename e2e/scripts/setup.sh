#!/usr/bin/env bash
# Checks for what the end-to-end tests need beside the build, installs what is missing on Debian or Ubuntu when it may, and
# otherwise says how to. Quiet when all is there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || packages+=("$2")
}
need jq jq
need zstd zstd
need flock util-linux
need jlink openjdk-17-jdk-headless
need mvn maven
need openssl openssl
need pip3 python3-pip
need prometheus-alertmanager prometheus-alertmanager
case $node_image in
built)
    if [ "$(id -u)" != 0 ]; then
        say "an engine of its own needs root: run as root, or with E2E_NODE_IMAGE=published where your Docker reaches a registry"
        exit 1
    fi
    need docker docker-cli
    need dockerd docker.io
    need debootstrap debootstrap
    need iptables iptables
    need ip iproute2
    need gcc gcc
    ;;
published) need docker docker.io ;;
esac
if [ ${#packages[@]} -gt 0 ]; then
    "$repository/scripts/install.sh" "${packages[@]}"
fi
