#!/usr/bin/env bash
# Cargo runs this in place of the compiler for what is ours (.cargo/config.toml): the compiler, but for tests without optimization. The
# one build profile has no setting for them, and with optimization they take up to ten times as long to compile. What an integration test links and
# starts is compiled as it ships; unit tests are their crate, which is compiled with them. Overflow is checked and debug assertions
# hold in both. Cargo does not see a change of this: touch what it is about.
#
# In bash, as other shells may drop the variables of cargo that have a dash in their name.
case " $* " in
# They compute for minutes.
*" --crate-name vedette_forest "* | *" --crate-name fuzz "*) ;;
*" --test "*) set -- "$@" -C opt-level=0 ;;
esac
exec "$@"
