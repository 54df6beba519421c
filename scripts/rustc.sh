#!/usr/bin/env bash
# Cargo runs this in place of the compiler for what is ours (.cargo/config.toml): rustc, but for tests without optimization. The one
# build profile has no setting for them, and they take ten times as long to compile as what they test; what they start and what
# they link is compiled as it ships. Overflow is checked and debug assertions hold in them, too.
case " $* " in
# These learn and search by themselves.
*" --crate-name vedette_forest "* | *" --crate-name fuzz "*) exec "$@" ;;
*" --test "*) exec "$@" -C opt-level=0 ;;
*) exec "$@" ;;
esac
