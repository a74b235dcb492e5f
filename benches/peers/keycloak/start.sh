#!/bin/sh
# start.sh PORT: KEYCLOAK_HOME names the unpacked distribution, of which `kc.sh build --db=dev-file`
# was run once. With the options of `kc.sh start`, which would stay between us and the server: what
# counts is the time of the process that was started.
set -e
rm -rf "$KEYCLOAK_HOME/data"
mkdir -p "$KEYCLOAK_HOME/data/import"
cp bench-realm.json "$KEYCLOAK_HOME/data/import/"
export KC_LOG_LEVEL=error
for package in java.util java.util.concurrent java.security java.lang; do
  set -- "$@" "--add-opens=java.base/$package=ALL-UNNAMED"
done
port=$1
shift
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xms64m -Xmx512m -XX:MetaspaceSize=96M \
  -XX:MaxMetaspaceSize=256m -XX:+UseG1GC "$@" --enable-native-access=ALL-UNNAMED \
  -Djava.security.egd=file:/dev/urandom \
  -Djava.util.logging.manager=org.jboss.logmanager.LogManager \
  -Dkc.home.dir="$KEYCLOAK_HOME" -Djboss.server.config.dir="$KEYCLOAK_HOME/conf" \
  -Dpicocli.disable.closures=true -cp "$KEYCLOAK_HOME/lib/quarkus-run.jar" \
  io.quarkus.bootstrap.runner.QuarkusEntryPoint start --optimized --import-realm \
  --hostname-strict=false --http-enabled=true --http-host=127.0.0.1 --http-port="$port"
