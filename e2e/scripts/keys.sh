# shellcheck shell=bash
# Certificates and token keys of a test's servers, made at each start in the working directory; sourced, never run.

make_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt
}

# NAME.crt and NAME.key, for 127.0.0.1, of the authority.
make_certificate() { # NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
        -extfile <(echo 'subjectAltName=IP:127.0.0.1')
}

# token.key, which token.sh signs with, and token.json, which a server knows it by (RFC 7517).
make_token_key() {
    local modulus
    openssl genrsa -out token.key 2048
    modulus=$(openssl rsa -in token.key -noout -modulus | cut -d= -f2 | sed 's/../\\x&/g')
    modulus=$(printf '%b' "$modulus" | openssl base64 -A | tr '+/' '-_' | tr -d =)
    echo "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"test\",\"alg\":\"RS256\",\"n\":\"$modulus\",\"e\":\"AQAB\"}]}" >token.json
}
