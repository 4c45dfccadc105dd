#!/bin/sh
# Starts the Temporal server, whose image reads its password from the environment only.
set -eu
. /compose/secret.sh
secret POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
