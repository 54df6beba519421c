#!/usr/bin/env bash
# Builds the Go programs of the end-to-end tests through the Go module proxy and prints the directory that they are in.
#
#   binaries.sh                 all
#   binaries.sh api-server      what an API server without nodes needs: kube-apiserver, kube-controller-manager, etcd, kubectl
#   binaries.sh node            what the node image holds
#   binaries.sh tools           kind, kubectl and helm: all that is wanted where the node image is pulled
#   binaries.sh kubectl helm    these
#
# A program is built once for its module's go.mod, go.sum, sources, flags and Go; Go's own cache carries an interrupted
# build on. Versions are pinned in e2e/go/*/go.mod.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Program, its module below e2e/go, and its package.
declare -A packages=(
    [kube-apiserver]="kubernetes k8s.io/kubernetes/cmd/kube-apiserver"
    [kube-controller-manager]="kubernetes k8s.io/kubernetes/cmd/kube-controller-manager"
    [kube-scheduler]="kubernetes k8s.io/kubernetes/cmd/kube-scheduler"
    [kube-proxy]="kubernetes k8s.io/kubernetes/cmd/kube-proxy"
    [kubelet]="kubernetes k8s.io/kubernetes/cmd/kubelet"
    [kubeadm]="kubernetes k8s.io/kubernetes/cmd/kubeadm"
    [kubectl]="kubernetes k8s.io/kubernetes/cmd/kubectl"
    [etcd]="etcd go.etcd.io/etcd/server/v3"
    [coredns]="coredns vedette.io/e2e/coredns"
    [kind]="kind sigs.k8s.io/kind"
    [helm]="helm helm.sh/helm/v3/cmd/helm"
)
modules=(kubernetes etcd coredns kind helm)

wanted=()
for word in "${@:-all}"; do
    case $word in
    all) wanted+=("${!packages[@]}") ;;
    api-server) wanted+=(kube-apiserver kube-controller-manager etcd kubectl) ;;
    node) wanted+=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl etcd coredns) ;;
    tools) wanted+=(kind kubectl helm) ;;
    *) [ -n "${packages[$word]:-}" ] || { say "no program of the tests: $word" && exit 2; } && wanted+=("$word") ;;
    esac
done

if ! command -v go >/dev/null; then
    say "missing: Go $(sed -n 's/^go //p' "$repository/e2e/go/kubernetes/go.mod") or newer; install it as https://go.dev/doc/install says"
    exit 1
fi
go_version=$(go env GOVERSION)

link_flags() { # MODULE
    local flags="-s -w"
    if [ "$1" = kubernetes ]; then
        # The programs ask each other for their version, which a release gets at link time.
        local version minor
        version=$(sed -n 's/^require k8s.io\/kubernetes \(v.*\)/\1/p; s/^\tk8s.io\/kubernetes \(v[^ ]*\).*/\1/p' "$repository/e2e/go/kubernetes/go.mod" | sed -n 1p)
        minor=${version#v1.}
        local variable="-X k8s.io/component-base/version"
        flags+=" $variable.gitVersion=$version $variable.gitMajor=1 $variable.gitMinor=${minor%%.*}"
        flags+=" $variable.gitTreeState=clean $variable.gitCommit=$(printf '0%.0s' {1..40})"
    fi
    echo "$flags"
}

declare -A store
for module in "${modules[@]}"; do
    key=$({ echo "$go_version $(link_flags "$module")" && cat "$repository/e2e/go/$module"/*; } | content_key)
    store[$module]=$cache/go/$module-$key
done

build() { # MODULE PROGRAM...
    local module=$1 program directory=${store[$1]}
    shift
    mkdir -p "$directory/.new"
    for program in "$@"; do
        read -r _ package <<<"${packages[$program]}"
        (cd "$repository/e2e/go/$module" &&
            CGO_ENABLED=0 nice go build -mod=readonly -trimpath -ldflags "$(link_flags "$module")" \
                -o "$directory/.new/$program" "$package")
        mv "$directory/.new/$program" "$directory/$program"
        echo "$program"
    done
}

missing() { # MODULE: its wanted programs that are not there
    local program module
    for program in "${wanted[@]}"; do
        read -r module _ <<<"${packages[$program]}"
        if [ "$module" = "$1" ] && ! [ -x "${store[$module]}/$program" ]; then echo "$program"; fi
    done | sort -u
}

for module in "${modules[@]}"; do
    if [ -n "$(missing "$module")" ]; then
        [ -n "${lock:-}" ] || hold_lock binaries
        mapfile -t programs < <(missing "$module")
        [ ${#programs[@]} -gt 0 ] || continue
        step "building ${programs[*]}" "$cache/logs/build-$module.log" build "$module" "${programs[@]}"
    fi
done

# One directory for all modules, named by what it holds, so that checkouts with other versions do not meet in it.
binaries=$cache/bin-$(printf '%s\n' "${store[@]}" | sort | content_key)
mkdir -p "$binaries"
for program in "${wanted[@]}"; do
    read -r module _ <<<"${packages[$program]}"
    ln -sfn "${store[$module]}/$program" "$binaries/$program"
done
echo "$binaries"
