#!/bin/bash
# The pod network of a node, instead of kind's own daemon, whose image is not to be had without a registry: this node's pod
# CIDR into a CNI configuration, and a route to the pod CIDR of every other node. It runs in the node as a systemd unit, with
# the kubelet's credentials, and is told of nodes that come and go.
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

# One line per node, and another whenever one changes, until the API server ends it.
nodes() {
    kubectl --kubeconfig "$kubeconfig" get nodes --watch \
        -o jsonpath='{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}'
}

follow() {
    local name cidr address
    while read -r name cidr address; do
        if [ -z "$address" ]; then
            continue
        elif [ "$name" != "$node" ]; then
            ip route show "$cidr" | grep -q "via $address " || ip route replace "$cidr" via "$address"
        elif ! grep -qs "\"$cidr\"" "$configuration"; then
            write_configuration "$cidr"
        fi
    done
}

while :; do
    if [ -e "$kubeconfig" ]; then
        nodes 2>/dev/null | follow
    fi
    sleep 1
done
