#!/usr/bin/env bash
# runc for a machine that may not grant CAP_SYS_RESOURCE: a privileged container asks for every capability that the kernel
# knows, and runc ends with "unable to apply caps" where one of them is not to be had. This takes that one out of the
# bundle (create, run) or of the process (exec), then is runc.
set -euo pipefail

drop() { # FILE FILTER
    [ -f "$1" ] || return 0
    local changed
    changed=$(jq --compact-output "$2" "$1")
    printf '%s' "$changed" >"$1"
}
filter='|= if . == null then . else map_values(if . == null then . else . - ["CAP_SYS_RESOURCE"] end) end'

option=
for word in "$@"; do
    case $option in
    --bundle | -b) drop "$word/config.json" ".process.capabilities $filter" ;;
    --process | -p) drop "$word" ".capabilities $filter" ;;
    esac
    option=$word
done
exec runc "$@"
