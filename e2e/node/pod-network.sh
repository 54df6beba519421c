#!/bin/bash
# The pod network of a node, instead of kind's own daemon, whose image is not to be had without a registry: this node's pod
# CIDR into a CNI configuration, and a route to the pod CIDR of every other node. It runs in the node as a systemd unit, with
# the kubelet's credentials, and looks again every few seconds, as nodes come and go.
set -u

configuration=/etc/cni/net.d/10-pods.conflist
kubeconfig=/etc/kubernetes/kubelet.conf
node=$(hostname)

write_configuration() { # CIDR
    cat >"$configuration.new" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "ranges": [[{ "subnet": "$1" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
JSON
    mv "$configuration.new" "$configuration"
    echo "pods of this node are in $1"
}

look() {
    local nodes name cidr address
    nodes=$(kubectl --kubeconfig "$kubeconfig" --request-timeout 5s get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}') || return
    while read -r name cidr address; do
        if [ -z "$address" ]; then
            continue
        elif [ "$name" != "$node" ]; then
            ip route show "$cidr" | grep -q "via $address " || ip route replace "$cidr" via "$address"
        elif ! grep -qs "\"$cidr\"" "$configuration"; then
            write_configuration "$cidr"
        fi
    done <<<"$nodes"
}

while :; do
    if [ -e "$kubeconfig" ]; then
        look 2>/dev/null
    fi
    # Until the node has its network, it is waited for.
    if [ -e "$configuration" ]; then sleep 5; else sleep 0.5; fi
done
