#!/bin/sh
# start.sh PUBLIC_PORT ADMIN_PORT
export SERVE_PUBLIC_PORT="$1" SERVE_ADMIN_PORT="$2"
exec hydra serve all --dev --sqa-opt-out --config hydra.yml
