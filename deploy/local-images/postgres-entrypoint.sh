#!/bin/bash
# The part of the official postgres entry point that docker-compose.yml uses: the first
# start creates the data folder, the user and a database of the same name, and
# requires the password for network connections.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
	chown postgres:postgres "$PGDATA"
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH" "$0" "$@"
fi
# A restored folder has the mode of the volume, and PostgreSQL accepts 700 and 750 alone.
chmod 700 "$PGDATA"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	[ -z "${POSTGRES_PASSWORD_FILE:-}" ] || POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
	: "${POSTGRES_PASSWORD:?a database without a password is rejected}"
	user=${POSTGRES_USER:-postgres}
	initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=trust
	printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
	printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
	pg_ctl --wait --options="-c listen_addresses=''" start
	createdb --username="$user" --maintenance-db=postgres "${POSTGRES_DB:-$user}" || [ "${POSTGRES_DB:-$user}" = postgres ]
	pg_ctl --wait stop
fi
exec "$@"
