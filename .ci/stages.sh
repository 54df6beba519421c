# shellcheck shell=bash
# Runs the stages of `run` side by side, each as soon as those that it comes after are done; sourced, never run.
#
#   stage NAME [EARLIER STAGE...]   NAME is a function of the caller; so are those that it comes after
#   run_stages DIRECTORY            all of them: ends the shell with 1 when one fails
#   end_stages                      ends what still runs, with all that it started: for the caller's EXIT trap
#
# What a stage prints is in DIRECTORY/NAME.log, and is shown when it fails.

declare -A earlier=() began=() finished=() # by the name of a stage
declare -A running=()                      # name of the stage by the process group that it is
stages=()

stage() {
    local name=$1 other
    shift
    for other in "$@"; do
        [ -n "${earlier[$other]+known}" ] || { echo "no stage $other that $name could come after" >&2 && exit 2; }
    done
    stages+=("$name")
    earlier[$name]=$*
}

run_stages() { # DIRECTORY
    logs=$1
    mkdir -p "$logs"
    begin_stages
    while [ ${#running[@]} -gt 0 ]; do
        # `wait -n` may miss one of two that end at once.
        sleep .2
        finish_stages
        begin_stages
    done
}

end_stages() {
    local group groups
    # Who asks again while they end gets nothing else.
    trap : INT TERM
    # The shell knows of a stage that has just begun before it is noted here.
    mapfile -t groups < <(jobs -p)
    groups+=("${!running[@]}")
    for group in "${groups[@]}"; do
        kill -TERM -- "-$group" 2>/dev/null || true
    done
    for group in "${groups[@]}"; do
        until_gone "$group" || kill -KILL -- "-$group" 2>/dev/null || true
    done
}

begin_stages() {
    local name
    for name in "${stages[@]}"; do
        if may_begin "$name"; then begin_stage "$name"; fi
    done
}

may_begin() { # NAME
    local other
    [ -z "${began[$1]:-}" ] || return 1
    for other in ${earlier[$1]}; do
        [ -n "${finished[$other]:-}" ] || return 1
    done
}

begin_stage() { # NAME
    echo "== ${1//_/ }"
    began[$1]=$SECONDS
    # With job control it is a process group of its own, which can be ended with all that it started.
    set -m
    (set -euo pipefail && TIMEFORMAT='(%P %% of a core)' && time "$1") >"$logs/$1.log" 2>&1 </dev/null &
    set +m
    running[$!]=$1
}

finish_stages() {
    local group status
    for group in "${!running[@]}"; do
        if ! kill -0 "$group" 2>/dev/null; then
            status=0
            wait "$group" || status=$?
            finish_stage "$group" "$status"
        fi
    done
}

finish_stage() { # GROUP STATUS
    local name=${running[$1]}
    local seconds=$((SECONDS - began[$name]))
    if [ "$2" != 0 ]; then
        cat "$logs/$name.log"
        echo "== ${name//_/ } failed after $seconds s"
        # It still counts as one that runs: what it started may have outlived it.
        exit 1
    fi
    unset "running[$1]"
    finished[$name]=yes
    # The last line is what `time` says.
    echo "== ${name//_/ } took $seconds s $(tail -n 1 "$logs/$name.log")"
}

until_gone() { # GROUP: false if it is not gone after half a minute
    local deadline=$((SECONDS + 30))
    while kill -0 -- "-$1" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep .1
    done
}
