#!/usr/bin/env bash
# Makes kind's node image on a machine that reaches no image registry, loads it into the engine and prints its name.
#
# It is what kind's images/base and `kind build node-image` make, from other sources: a Debian root filesystem by
# debootstrap with Debian's containerd, runc and CNI plugins; kind's own files out of its Go module; the control plane from
# binaries.sh; the images that kubeadm asks for, each of one binary, imported into the node's containerd. It is built once
# for all that goes into it and kept in the cache.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "$node_image" = published ]; then
    # kind pulls the one that its own version was made with.
    exit 0
fi

suite=bookworm    # its systemd 252 still boots on cgroup v1
files=$repository/e2e/node
binaries=$("$repository/e2e/scripts/binaries.sh" node)
kind_files=$(cd "$repository/e2e/go" && go mod download sigs.k8s.io/kind && go list -m -f '{{.Dir}}' sigs.k8s.io/kind)/images/base/files
version=$("$binaries/kubelet" --version | cut -d ' ' -f 2)

rootfs_key=$({ echo "$suite" && cat "$files/packages"; } | content_key)
key=$({ echo "$rootfs_key" && echo "$binaries" && cat "$files"/* "$0"; } | content_key)
name=vedette-e2e/node:$version-$key
archive=$cache/node/node-$key.tar.zst
rootfs=$cache/node/rootfs-$rootfs_key.tar.zst
work=$cache/node/work
mkdir -p "$cache/node"

bootstrap() {
    local mirror packages
    packages=$(grep -v '^#' "$files/packages" | paste -sd ,)
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' "Codename: $suite" 2>/dev/null | head -n 1)
    # shellcheck disable=SC2086
    debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" $mirror
    rm -rf "$work/root"/var/cache/apt/archives/*.deb "$work/root"/var/lib/apt/lists/* "$work/root"/var/log/* \
        "$work/root"/usr/share/{doc,man,locale}/*
    rm -f "$work/root/etc/hostname" "$work/root/etc/resolv.conf"
    : >"$work/root/etc/machine-id"
    tar -C "$work/root" --numeric-owner --one-file-system -c . | zstd --quiet -3 -T0 -f -o "$rootfs.new"
    mv "$rootfs.new" "$rootfs"
}

# An image of one static program, under the name that kubeadm or kind gives it.
program_image() { # NAME PROGRAM PATH
    local root=$work/images/$(basename "$3")
    mkdir -p "$root/etc" "$root/tmp" "$root$(dirname "$3")"
    chmod 1777 "$root/tmp"
    install -m 755 "$2" "$root$3"
    printf 'root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n' >"$root/etc/passwd"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    archive_image "$root" "$1" "$3"
}

archive_image() { # DIRECTORY NAME ENTRYPOINT
    "$repository/e2e/scripts/image-archive.sh" "$work/archives/$(basename "$1").tar" "$1" "$2" \
        "{\"Entrypoint\": [\"$3\"], \"Env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]}"
}

# kube-proxy runs iptables, so its image holds that with its libraries, out of the node's root filesystem.
proxy_image() { # NAME
    local from=$work/root root=$work/images/kube-proxy program library
    local modules=usr/lib/x86_64-linux-gnu/xtables
    mkdir -p "$root"/{etc,run,tmp,lib64,usr/local/bin,usr/sbin,usr/lib/x86_64-linux-gnu}
    ln -s usr/lib "$root/lib"
    ln -s usr/sbin "$root/sbin"
    install -m 755 "$binaries/kube-proxy" "$root/usr/local/bin/"
    for program in xtables-nft-multi xtables-legacy-multi nft conntrack; do
        cp "$from/usr/sbin/$program" "$root/usr/sbin/"
    done
    for program in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
        ln -s xtables-nft-multi "$root/usr/sbin/$program"
    done
    cp -a "$from/$modules" "$root/$modules"
    cp "$from/etc/protocols" "$root/etc/"
    printf 'root:x:0:0:root:/:/\n' >"$root/etc/passwd"
    # The match modules are opened at run time and want libraries of their own. Without them, every Service with two
    # endpoints is dead while all else looks well.
    (cd "$from" && ls usr/sbin/{xtables-nft-multi,xtables-legacy-multi,nft,conntrack} "$modules"/*.so) |
        while read -r program; do chroot "$from" ldd "/$program"; done |
        grep -o '/[^ ]*\.so[^ ]*' | sort -u |
        while read -r library; do
            case $library in
            /lib64/*) cp -L "$from$library" "$root/lib64/" ;;
            *) cp -L "$from$library" "$root/usr/lib/x86_64-linux-gnu/" ;;
            esac
        done
    chroot "$root" /usr/sbin/iptables -m statistic --help | grep -q '^statistic match options'
    archive_image "$root" "$1" /usr/local/bin/kube-proxy
}

component_images() {
    local image program
    mkdir -p "$work/archives"
    gcc -static -O2 -o "$work/pause" "$files/pause.c"
    {
        "$binaries/kubeadm" config images list --kubernetes-version "$version"
        sed -n 's/^ *sandbox_image = "\(.*\)"/\1/p' "$kind_files/etc/containerd/config.toml"
    } | sort -u >"$work/images.txt"
    while read -r image; do
        program=$(basename "${image%:*}")
        case $program in
        kube-proxy) proxy_image "$image" ;;
        coredns) program_image "$image" "$binaries/coredns" /coredns ;;
        pause) ;;
        *) program_image "$image" "$binaries/$program" "/usr/local/bin/$program" ;;
        esac
    done <"$work/images.txt"
    # kubeadm and containerd may name two versions of it.
    program_image "$(grep '/pause:' "$work/images.txt" | paste -sd ,)" "$work/pause" /pause
}

node_files() {
    local root=$work/root plugin
    install -d -m 755 "$root"/kind/{bin,manifests} "$root"/etc/containerd "$root"/etc/kubernetes/manifests \
        "$root"/etc/systemd/system/kubelet.service.d "$root"/opt/cni/bin "$root"/etc/cni/net.d
    # Files of the module cache cannot be written, so modes are set.
    install -m 755 "$kind_files/usr/local/bin/entrypoint" "$root/usr/local/bin/entrypoint"
    install -m 755 "$kind_files"/kind/bin/* "$root/kind/bin/"
    install -m 644 "$kind_files/etc/crictl.yaml" "$root/etc/"
    install -m 644 "$kind_files/etc/default/kubelet" "$root/etc/default/kubelet"
    install -m 644 "$kind_files"/etc/sysctl.d/* "$root/etc/sysctl.d/"
    install -m 644 "$kind_files"/etc/systemd/system/*.{service,slice} "$root/etc/systemd/system/"
    install -m 644 "$kind_files"/etc/systemd/system/kubelet.service.d/* "$root/etc/systemd/system/kubelet.service.d/"
    # Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj; with it, this changes nothing that a test sees.
    sed 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$kind_files/etc/containerd/config.toml" \
        >"$root/etc/containerd/config.toml"
    grep -q 'restrict_oom_score_adj = true' "$root/etc/containerd/config.toml"
    # Debian's programs where kind's units look for them.
    ln -sf /usr/bin/containerd /usr/bin/ctr "$root/usr/local/bin/"
    for plugin in host-local loopback ptp portmap; do
        ln -sf "/usr/lib/cni/$plugin" "$root/opt/cni/bin/"
    done
    rm -f "$root"/etc/cni/net.d/*
    install -m 755 "$files/pod-network.sh" "$root/kind/bin/"
    install -m 644 "$files/pod-network.service" "$root/etc/systemd/system/"
    install -m 644 "$files"/default-{cni,storage}.yaml "$root/kind/manifests/"
    install -m 755 "$binaries"/{kubeadm,kubectl,kubelet} "$root/usr/bin/"
    printf %s "$version" >"$root/kind/version"
    # The rest is kind's Dockerfile: no unit but the node's own.
    rm -f "$root"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
        "$root"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$root"/etc/systemd/system/*.wants/* \
        "$root"/lib/systemd/system/sockets.target.wants/*{udev,initctl}* \
        "$root"/lib/systemd/system/containerd.service
    echo ReadKMsg=no >>"$root/etc/systemd/journald.conf"
    chroot "$root" systemctl enable kubelet.service containerd.service undo-mount-hacks.service pod-network.service
    chroot "$root" systemctl mask systemd-binfmt.service
    chroot "$root" ctr oci spec |
        jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
            >"$root/etc/containerd/cri-base.json"
}

# Images lie in the node's containerd as their archives' blobs; they are unpacked when a pod wants them.
import_images() {
    local builder=vedette-e2e-node-build image
    tar -C "$work/root" --numeric-owner -c . | docker import - "$name-base"
    docker rm --force --volumes "$builder" 2>/dev/null || true
    docker run --detach --name "$builder" --network none --security-opt seccomp=unconfined --entrypoint sleep "$name-base" infinity
    docker exec --detach "$builder" containerd
    docker exec "$builder" bash -c 'for i in {1..100}; do ctr version >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1'
    for image in "$work"/archives/*.tar; do
        docker exec --interactive "$builder" ctr --namespace k8s.io images import --all-platforms --no-unpack --digests - <"$image"
    done
    docker exec "$builder" ctr --namespace k8s.io images list --quiet
    docker exec "$builder" bash -c 'pkill containerd && while pgrep containerd; do sleep 0.1; done; rm -rf /run/containerd'
    docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'ENV container=docker' \
        "$builder" "$name"
    docker rm --force --volumes "$builder"
    docker image rm "$name-base"
    docker save "$name" | zstd --quiet -3 -T0 -f -o "$archive.new"
    mv "$archive.new" "$archive"
}

build() {
    rm -rf "$work"
    mkdir -p "$work/root"
    # Also after a failure, nothing of a build stays but what it finished.
    trap 'rm -rf "$work"' EXIT
    if ! [ -e "$rootfs" ]; then
        step "installing Debian for the node image" "$cache/logs/node-debootstrap.log" bootstrap
    else
        zstd --quiet -dc "$rootfs" | tar -C "$work/root" --numeric-owner -x
    fi
    step "making the images of the control plane" "$cache/logs/node-components.log" component_images
    step "putting kind's files into the node image" "$cache/logs/node-files.log" node_files
    step "making the node image" "$cache/logs/node-image.log" import_images
}

load() { zstd --quiet -dc "$archive" | docker load; }

if ! docker image inspect "$name" >/dev/null 2>&1; then
    hold_lock node-image
    if [ -e "$archive" ]; then
        step "loading the node image" "$cache/logs/node-load.log" load
    else
        build
    fi
fi
echo "$name"
