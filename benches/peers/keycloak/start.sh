#!/bin/sh
# start.sh PORT: KEYCLOAK_HOME names the unpacked distribution, of which `kc.sh build --db=dev-file`
# was run once.
set -e
rm -rf "$KEYCLOAK_HOME/data"
mkdir -p "$KEYCLOAK_HOME/data/import"
cp bench-realm.json "$KEYCLOAK_HOME/data/import/"
export KC_LOG_LEVEL=error
exec "$KEYCLOAK_HOME/bin/kc.sh" start --optimized --import-realm --hostname-strict=false \
  --http-enabled=true --http-host=127.0.0.1 --http-port="$1"
