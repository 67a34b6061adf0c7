#!/bin/bash
# Run by the postgres image when its volume is new: the services' roles and schemas, with the passwords of deploy/secrets/.
set -euo pipefail
passwords=()
for service in gateway runner retrieval feedback webhook_dispatcher; do
  passwords+=(-v "${service}_password=$(cat "/run/secrets/${service}_postgres_password")")
done
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "${passwords[@]}" -f /etc/polyvox/postgres-roles.sql
