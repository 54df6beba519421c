#!/usr/bin/env bash
# Builds the Go programs of the end-to-end tests through the Go module proxy and prints the directory that they are in.
#
#   binaries.sh                 all
#   binaries.sh api-server      what an API server without nodes needs: kube-apiserver, kube-controller-manager, etcd, kubectl
#   binaries.sh node            what the node image holds
#   binaries.sh tools           kind, kubectl and helm: all that is wanted where the node image is pulled
#   binaries.sh kubectl helm    these
#
# All are of one module, so that what they share is compiled once. A program is built once for the module's files, flags and Go;
# Go's own cache carries an interrupted build on. Versions are pinned in e2e/go/go.mod.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
module=$repository/e2e/go

declare -A packages=(
    [kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
    [kube-controller-manager]=k8s.io/kubernetes/cmd/kube-controller-manager
    [kube-scheduler]=k8s.io/kubernetes/cmd/kube-scheduler
    [kube-proxy]=k8s.io/kubernetes/cmd/kube-proxy
    [kubelet]=k8s.io/kubernetes/cmd/kubelet
    [kubeadm]=k8s.io/kubernetes/cmd/kubeadm
    [kubectl]=k8s.io/kubernetes/cmd/kubectl
    [etcd]=go.etcd.io/etcd/server/v3
    [coredns]=./coredns
    [kind]=sigs.k8s.io/kind
    [helm]=helm.sh/helm/v3/cmd/helm
)

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
    say "missing: Go $(sed -n 's/^go //p' "$module/go.mod") or newer; install it as https://go.dev/doc/install says"
    exit 1
fi

# Kubernetes' programs ask each other for their version, which a release gets at link time.
version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[^ ]*\).*/\1/p' "$module/go.mod")
minor=${version#v1.}
variable="-X k8s.io/component-base/version"
flags="-s -w $variable.gitVersion=$version $variable.gitMajor=1 $variable.gitMinor=${minor%%.*}"
flags+=" $variable.gitTreeState=clean $variable.gitCommit=$(printf '0%.0s' {1..40})"

binaries=$cache/bin-$({ echo "$(go env GOVERSION) $flags" && cat "$module"/go.* "$module/coredns"/*; } | content_key)

# They are stripped, so nobody reads what the compiler writes for debuggers; and it takes a third less of the processors when it collects
# its garbage seldom.
build() { # PROGRAM...
    local program
    mkdir -p "$binaries/.new"
    for program in "$@"; do
        (cd "$module" && CGO_ENABLED=0 GOGC=400 nice go build -mod=readonly -trimpath -gcflags=all=-dwarf=false -ldflags "$flags" \
            -o "$binaries/.new/$program" "${packages[$program]}")
        mv "$binaries/.new/$program" "$binaries/$program"
        echo "$program"
    done
}

missing() { # the wanted programs that are not there
    local program
    for program in "${wanted[@]}"; do
        [ -x "$binaries/$program" ] || echo "$program"
    done | sort -u
}

if [ -n "$(missing)" ]; then
    hold_lock binaries
    mapfile -t programs < <(missing)
    [ ${#programs[@]} = 0 ] || step "building ${programs[*]}" "$cache/logs/build-programs.log" build "${programs[@]}"
fi
echo "$binaries"
