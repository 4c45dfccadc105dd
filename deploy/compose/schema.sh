#!/bin/sh
# Makes Temporal's two databases, or brings them to the version of this image.
# Taking the same step again does no harm. The connection is in SQL_*.
set -eu

lay() {
	temporal-sql-tool --db "$1" create-database &&
		temporal-sql-tool --db "$1" setup-schema --version 0.0 &&
		temporal-sql-tool --db "$1" update-schema --schema-name "postgresql/v12/$2"
}

# The tool tells each statement; they are of use only if it fails.
if told=$(lay temporal temporal 2>&1) && told=$(lay temporal_visibility visibility 2>&1); then
	echo "schema: Temporal's databases are ready"
else
	echo "$told" | tail -n 5 >&2
	echo "schema: Temporal's databases on $SQL_HOST could not be made ready, for the reason above." >&2
	echo "schema: if it is the password: PostgreSQL keeps the one of its first start, whatever POSTGRES_PASSWORD says later." >&2
	exit 1
fi
