#!/bin/sh
# prepare.sh ADMIN_PORT: a client for each kind of access token.
set -e
for strategy in opaque jwt; do
  curl -sf "http://127.0.0.1:$1/admin/clients" -H 'Content-Type: application/json' -d '{
    "client_id": "'$strategy'",
    "client_secret": "secret-of-the-comparison-only-0123456789",
    "grant_types": ["client_credentials"],
    "scope": "orders",
    "access_token_strategy": "'$strategy'",
    "token_endpoint_auth_method": "client_secret_basic"
  }' > /dev/null
done
