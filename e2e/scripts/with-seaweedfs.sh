#!/usr/bin/env bash
# Runs a command beside a SeaweedFS, both in a network namespace of their own; VEDETTE_S3 is where it serves. All of it ends
# with the command. usage: with-seaweedfs.sh COMMAND [ARGUMENT...]
#
# At 127.0.0.1:8334 it serves by TLS, S3 and an STS, with a certificate of the authority whose certificate VEDETTE_S3_KEYS/ca.crt
# is. The STS gives the role arn:aws:iam::role/vedette to tokens that token.sh makes with VEDETTE_S3_KEYS/token.key for the
# audience sts.amazonaws.com; its keys may do all in buckets whose name begins with identity-.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname "${BASH_SOURCE[0]}")/keys.sh"

identities() { # JWKS-URL
    cat <<END
{
  "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs", "signingKey": "$(openssl rand -base64 32)"},
  "providers": [{"name": "cluster", "type": "oidc", "enabled": true,
    "config": {"issuer": "https://cluster.test", "clientId": "sts.amazonaws.com", "jwksUri": "$1"}}],
  "policy": {"defaultEffect": "Deny", "storeType": "memory"},
  "roles": [{"roleName": "vedette", "roleArn": "arn:aws:iam::role/vedette", "attachedPolicies": ["identity"],
    "trustPolicy": {"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Principal": {"Federated": "cluster"}, "Action": ["sts:AssumeRoleWithWebIdentity"]}]}}],
  "policies": [{"name": "identity", "document": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::identity-*", "arn:aws:s3:::identity-*/*"]},
    {"Effect": "Allow", "Action": ["sts:ValidateSession"], "Resource": ["*"]}]}}]
}
END
}

# What a cluster serves: the keys that its tokens are signed with.
issuer() {
    mkdir issuer
    cp token.json issuer
    python3 -m http.server --bind 127.0.0.1 --directory issuer 8080
}

inside() { # DIRECTORY WEED COMMAND...
    local directory=$1 weed=$2
    shift 2
    ip link set lo up
    (cd "$directory" && make_authority && make_certificate s3 && make_token_key &&
        identities http://127.0.0.1:8080/token.json >identities.json) >"$directory/keys.log" 2>&1
    (cd "$directory" && issuer) >"$directory/issuer.log" 2>&1 &
    # It writes settings of its own to HOME, and would report to its makers.
    (cd "$directory" && HOME=$directory AWS_ACCESS_KEY_ID=test-access AWS_SECRET_ACCESS_KEY=test-secret exec "$weed" mini \
        -dir="$directory" -ip=127.0.0.1 -admin.ui=false -webdav=false -master.telemetry=false -s3.port.https=8334 \
        -s3.cert.file=s3.crt -s3.key.file=s3.key -s3.iam.config=identities.json) >"$directory/log" 2>&1 &
    answers() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && grep -q ' 200 ' <&3; }
    local attempt=0
    until (answers 8333 /healthz && answers 8080 /token.json) 2>/dev/null; do
        if [ $((attempt += 1)) -gt 1500 ] || ! kill -0 $! 2>/dev/null; then
            tail -n 30 "$directory/log" >&2
            say "SeaweedFS does not serve"
            exit 1
        fi
        sleep .2
    done
    VEDETTE_S3=127.0.0.1:8333 VEDETTE_S3_KEYS=$directory "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
weed=$("$repository/e2e/scripts/weed.sh")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
unshare --map-root-user --net --pid --fork --kill-child "$0" --inside "$directory" "$weed" "$@"
