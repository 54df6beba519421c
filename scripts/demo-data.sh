#!/usr/bin/env bash
# Empties the data directory of the last demo, so that the next one begins without a model. One that is in use is left alone:
# `vedette local` refuses it. usage: demo-data.sh DIRECTORY
set -euo pipefail
directory=$1
lock=$directory/.vedette.lock
[ -e "$lock" ] || exit 0
# As `vedette local` takes it, and wherever there is a perl: flock(1) is not everywhere.
if perl -MFcntl=:flock -e 'open(my $lock, ">>", $ARGV[0]) or die "$!\n"; exit(flock($lock, LOCK_EX | LOCK_NB) ? 0 : 1)' "$lock"; then
    rm -rf "$directory"
fi
