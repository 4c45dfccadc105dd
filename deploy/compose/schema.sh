#!/bin/sh
# Creates Temporal's two databases, or upgrades their schemas to the version of this
# image. Idempotent. SQL_* has the connection.
set -eu
. /compose/secret.sh
secret SQL_PASSWORD

migrate() {
	temporal-sql-tool --db "$1" create-database &&
		temporal-sql-tool --db "$1" setup-schema --version 0.0 &&
		temporal-sql-tool --db "$1" update-schema --schema-name "postgresql/v12/$2"
}

# The tool prints each statement; the output matters only if it fails.
if output=$(migrate temporal temporal 2>&1) && output=$(migrate temporal_visibility visibility 2>&1); then
	echo "schema: Temporal's databases are ready"
else
	echo "$output" | tail -n 5 >&2
	echo "schema: Temporal's databases on $SQL_HOST could not be created or upgraded, for the reason above." >&2
	echo "schema: if it is the password: PostgreSQL keeps the one of its first start, later values of POSTGRES_PASSWORD have no effect." >&2
	exit 1
fi
