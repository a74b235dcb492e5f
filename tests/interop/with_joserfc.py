"""Agreement about JOSE with joserfc, both ways and for every algorithm of the server."""

import json
import os
import subprocess
import time
import uuid
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode
from person import Person

E = os.environ
ISSUER = E["ISSUER"]
ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def register(metadata):
    command = [E["KEYWRIGHT"], "client", "create", "--metadata", "-", "--json"]
    output = subprocess.run(
        [*command, "--config", E["CONFIG"]],
        input=json.dumps(metadata),
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(output.stdout)


def generate(algorithm):
    parameters = {"kid": str(uuid.uuid4()), "use": "sig", "alg": algorithm}
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", parameters)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)


def token(pairs, **options):
    return requests.post(ISSUER + "/token", data=pairs, timeout=30, **options)


def assertions(algorithm):
    """What joserfc signs is accepted; a bit less is not."""
    key = generate(algorithm)
    client = register(
        {
            "grant_types": ["client_credentials"],
            "response_types": [],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": algorithm,
            "scope": "orders:read",
            "jwks": {"keys": [key.as_dict(private=False)]},
        }
    )

    def present(signer):
        now = int(time.time())
        me = client["client_id"]
        claims = {"iss": me, "sub": me, "aud": ISSUER, "jti": str(uuid.uuid4())}
        claims |= {"iat": now, "exp": now + 60}
        header = {"alg": algorithm, "kid": key.kid}
        assertion = jwt.encode(header, claims, signer, algorithms=[algorithm])
        pairs = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
        return token(pairs | {"client_assertion": assertion})

    accepted = present(key)
    assert accepted.status_code == 200, f"RFC7523-3: {algorithm}: {accepted.text}"
    stranger = present(generate(algorithm))
    assert stranger.status_code == 401, f"RFC7515-5.2: {algorithm}: another key"


def id_token(algorithm):
    client = register(
        {
            "redirect_uris": ["https://jose.example.com/callback"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "scope": "openid",
            "id_token_signed_response_alg": algorithm,
        }
    )
    verifier, nonce = generate_token(64), generate_token(20)
    query = {
        "response_type": "code",
        "client_id": client["client_id"],
        "scope": "openid",
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    back = Person().authorize(f"{ISSUER}/authorize?{urlencode(query)}")
    code = parse_qs(urlsplit(back).query)["code"][0]
    pairs = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    answer = token(pairs, auth=(client["client_id"], client["client_secret"]))
    assert answer.status_code == 200, f"RFC6749-4.1.4: {answer.json().get('error')}"
    return client["client_id"], nonce, answer.json()["id_token"]


def verified(keys, value, algorithm, **required):
    decoded = jwt.decode(value, keys, algorithms=[algorithm])
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        **{name: {"essential": True, "value": wanted} for name, wanted in required.items()},
    )
    registry.validate(decoded.claims)
    return decoded.header


def tampered(keys, value, algorithm):
    head, claims, signature = value.split(".")
    claims = json.loads(urlsafe_b64decode(claims.encode()))
    claims["sub"] = "somebody-else"
    claims = urlsafe_b64encode(json.dumps(claims).encode()).decode()
    try:
        jwt.decode(f"{head}.{claims}.{signature}", keys, algorithms=[algorithm])
    except BadSignatureError:
        return
    raise AssertionError(f"RFC7515-5.2: {algorithm}: a changed token passed")


def key_set():
    return KeySet.import_key_set(requests.get(ISSUER + "/jwks", timeout=30).json())


for algorithm in ALGORITHMS:
    client_id, nonce, value = id_token(algorithm)
    keys = key_set()
    header = verified(keys, value, algorithm, aud=client_id, nonce=nonce)
    assert header["alg"] == algorithm, "OIDCR-2"
    tampered(keys, value, algorithm)
    assertions(algorithm)

machine = token(
    {"grant_type": "client_credentials", "scope": "orders:read"},
    auth=(E["SERVICE_ID"], E["SERVICE_SECRET"]),
).json()["access_token"]
header = verified(key_set(), machine, "ES256", aud=E["API"], client_id=E["SERVICE_ID"])
assert header["typ"] == "at+jwt", "RFC9068-2.1"
tampered(key_set(), machine, "ES256")
