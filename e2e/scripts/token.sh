#!/usr/bin/env bash
# Prints a token that is signed with a key whose public half a test's server knows. usage: token.sh KEY AUDIENCE USER SECONDS
set -euo pipefail

unpadded() { openssl base64 -A | tr '+/' '-_' | tr -d =; }

now=$(date +%s)
claims=$(printf '{"iss":"https://cluster.test","aud":"%s","sub":"%s","iat":%d,"exp":%d}' "$2" "$3" "$now" "$((now + $4))")
content=$(printf '{"alg":"RS256","kid":"test"}' | unpadded).$(printf %s "$claims" | unpadded)
printf %s.%s "$content" "$(printf %s "$content" | openssl dgst -sha256 -sign "$1" | unpadded)"
