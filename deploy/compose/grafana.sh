#!/bin/sh
# Starts Grafana. Without GRAFANA_PASSWORD its first start generates the password of
# the user admin; later starts leave the password alone, as Grafana does.
set -eu
. "$(dirname "$0")/secret.sh"
secret GF_SECURITY_ADMIN_PASSWORD

data=${GF_PATHS_DATA:-/var/lib/grafana}
generated=$data/admin-password
if [ -z "${GF_SECURITY_ADMIN_PASSWORD:-}" ]; then
	if [ ! -s "$generated" ] && [ ! -e "$data/grafana.db" ]; then
		(umask 077 && head -c 24 /dev/urandom | base64 | tr -d '\n' >"$generated")
		echo "grafana: generated the password of the user admin: docker compose exec grafana cat $generated"
	fi
	if [ -s "$generated" ]; then
		GF_SECURITY_ADMIN_PASSWORD=$(cat "$generated")
		export GF_SECURITY_ADMIN_PASSWORD
	else
		unset GF_SECURITY_ADMIN_PASSWORD
	fi
fi
exec "${GRAFANA_START:-/run.sh}"
