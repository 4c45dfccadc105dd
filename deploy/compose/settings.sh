#!/bin/sh
# Checks the secrets that the server can't start without, and the optional ones that
# several services need.
set -eu
. "$(dirname "$0")/secret.sh"

for name in POSTGRES_PASSWORD CALLBACK_SECRET KIE_API_KEY; do
	secret "$name"
	eval "value=\${$name:-}"
	[ -n "$value" ] || unusable "set $name or ${name}_FILE in .env, see .env.example"
done
secret KIE_WEBHOOK_HMAC_KEY
secret CODEC_KEYS

number=0
IFS=,
for key in ${CODEC_KEYS:-}; do
	number=$((number + 1))
	case $key in
	*:*) ;;
	*) unusable "CODEC_KEYS: key $number is not id:key; make one with: echo \"main:\$(openssl rand -base64 32)\"" ;;
	esac
	# Base64 has four characters for three bytes; its padding is optional.
	text=$(printf '%s' "${key#*:}" | tr -d ' =')
	length=$((${#text} * 3 / 4))
	[ "$length" -eq 32 ] || unusable "CODEC_KEYS: key $number has $length bytes but needs 32; make one with: echo \"main:\$(openssl rand -base64 32)\""
done
echo "settings: the secrets are usable"
