"""Authlib's client against the server: every flow that it knows and the server has."""

import os

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain http on loopback

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from person import Person

E = os.environ
META = requests.get(E["ISSUER"] + "/.well-known/openid-configuration", timeout=30).json()
SCOPE = "openid email offline_access orders:read"


def session(client_id, secret=None, method="client_secret_basic", **options):
    return OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=META["token_endpoint"],
        **options,
    )


def code_flow(client, redirect_uri):
    verifier = generate_token(64)
    client.redirect_uri = redirect_uri
    url, state = client.create_authorization_url(
        META["authorization_endpoint"], code_verifier=verifier, nonce=generate_token(20)
    )
    back = Person().authorize(url)
    return client.fetch_token(authorization_response=back, code_verifier=verifier, state=state)


def refused(error, act):
    try:
        act()
    except OAuthError as refusal:
        assert refusal.error == error, refusal.error
    else:
        raise AssertionError(f"{error} expected")


def life(client, tokens):
    """Userinfo, refresh, revocation."""
    info = client.get(META["userinfo_endpoint"], timeout=30).json()
    assert info["email"] == E["USERNAME"] + "@example.com", "OIDCC-5.3.2"
    following = client.refresh_token(refresh_token=tokens["refresh_token"])
    assert following["refresh_token"] != tokens["refresh_token"], "RFC9700-4.14.2"
    client.revoke_token(META["revocation_endpoint"], following["refresh_token"])
    token = following["refresh_token"]
    refused("invalid_grant", lambda: client.refresh_token(refresh_token=token))


def introspect(client, token):
    response = client.introspect_token(META["introspection_endpoint"], token)
    assert response.status_code == 200, "RFC7662-2.2"
    return response.json()


web = session(E["WEB_ID"], E["WEB_SECRET"], scope=SCOPE, code_challenge_method="S256")
tokens = code_flow(web, E["WEB_REDIRECT_URI"])
assert introspect(web, tokens["access_token"])["active"] is True, "RFC7662-2.2"
life(web, tokens)

spa = session(E["SPA_ID"], method="none", scope=SCOPE, code_challenge_method="S256")
life(spa, code_flow(spa, E["SPA_REDIRECT_URI"]))

service = session(E["SERVICE_ID"], E["SERVICE_SECRET"], scope="orders:read")
token = service.fetch_token(grant_type="client_credentials")["access_token"]
assert introspect(service, token)["client_id"] == E["SERVICE_ID"], "RFC7662-2.2"
service.revoke_token(META["revocation_endpoint"], token)
assert introspect(service, token) == {"active": False}, "RFC7009-2.1"

key = ECKey.import_key(E["SIGNER_KEY"])
signer = session(E["SIGNER_ID"], key, method="private_key_jwt", scope="orders:read")
headers = {"kid": E["SIGNER_KID"]}
# RFC 10070: the audience is the issuer, not the token endpoint.
signer.register_client_auth_method(PrivateKeyJWT(E["ISSUER"], headers=headers, alg="ES256"))
assert signer.fetch_token(grant_type="client_credentials")["scope"] == "orders:read"

wrong = session(E["SERVICE_ID"], "not-the-right-secret")
refused("invalid_client", lambda: wrong.fetch_token(grant_type="client_credentials"))
