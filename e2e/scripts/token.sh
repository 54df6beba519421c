#!/usr/bin/env bash
# Prints a token for Kafka, signed with a key whose public half the test's broker knows. usage: token.sh KEY USER SECONDS
set -euo pipefail

unpadded() { openssl base64 -A | tr '+/' '-_' | tr -d =; }

now=$(date +%s)
claims=$(printf '{"iss":"vedette-e2e","aud":"kafka","sub":"%s","iat":%d,"exp":%d}' "$2" "$now" "$((now + $3))")
content=$(printf '{"alg":"RS256","kid":"test"}' | unpadded).$(printf %s "$claims" | unpadded)
printf %s.%s "$content" "$(printf %s "$content" | openssl dgst -sha256 -sign "$1" | unpadded)"
