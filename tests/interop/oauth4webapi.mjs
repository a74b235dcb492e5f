// oauth4webapi 3 against the server: the same flows, each response taken apart by hand.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { Person } from './person.mjs';

const env = process.env;
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(env.ISSUER);

async function discover(algorithm) {
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
  return oauth.processDiscoveryResponse(issuer, response);
}

const as = await discover('oidc');
assert.equal((await discover('oauth2')).token_endpoint, as.token_endpoint, 'RFC8414-3');

async function codeFlow(client, auth, redirectUri, person) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid email offline_access orders:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const back = await person.authorize(url);
  const parameters = oauth.validateAuthResponse(as, client, back, state);
  const response = await oauth.authorizationCodeGrantRequest(
    as, client, auth, parameters, redirectUri, verifier, insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  return tokens;
}

async function userinfo(client, tokens) {
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const response = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
  const info = await oauth.processUserInfoResponse(as, client, sub, response);
  assert.equal(info.email, `${env.USERNAME}@example.com`, 'OIDCC-5.3.2');
}

async function refresh(client, auth, token) {
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, insecure);
  return oauth.processRefreshTokenResponse(as, client, response);
}

async function introspect(client, auth, token) {
  const response = await oauth.introspectionRequest(as, client, auth, token, insecure);
  return oauth.processIntrospectionResponse(as, client, response);
}

async function revoke(client, auth, token) {
  const response = await oauth.revocationRequest(as, client, auth, token, insecure);
  return oauth.processRevocationResponse(response);
}

async function machine(client, auth) {
  const response = await oauth.clientCredentialsGrantRequest(
    as, client, auth, { scope: 'orders:read' }, insecure,
  );
  return oauth.processClientCredentialsResponse(as, client, response);
}

// A resource server's own check of the token, RFC 9068 §4.
async function validate(token, audience) {
  const request = new Request(audience, { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(as, request, audience, insecure);
}

for (const [id, redirectUri, auth] of [
  [env.WEB_ID, env.WEB_REDIRECT_URI, oauth.ClientSecretBasic(env.WEB_SECRET)],
  [env.SPA_ID, env.SPA_REDIRECT_URI, oauth.None()],
]) {
  const client = { client_id: id };
  const tokens = await codeFlow(client, auth, redirectUri, new Person());
  await userinfo(client, tokens);
  assert.equal((await validate(tokens.access_token, env.API)).client_id, id, 'RFC9068-4');
  const next = await refresh(client, auth, tokens.refresh_token);
  await revoke(client, auth, next.refresh_token);
  const dead = await refresh(client, auth, next.refresh_token).catch((error) => error);
  assert.equal(dead.error, 'invalid_grant', 'RFC7009-2.1');
}

const service = { client_id: env.SERVICE_ID };
const secret = oauth.ClientSecretBasic(env.SERVICE_SECRET);
const token = (await machine(service, secret)).access_token;
assert.equal((await validate(token, env.API)).sub, env.SERVICE_ID, 'RFC9068-2.2');
assert.equal((await introspect(service, secret, token)).active, true, 'RFC7662-2.2');
await revoke(service, secret, token);
assert.equal((await introspect(service, secret, token)).active, false, 'RFC7009-2.1');
await assert.rejects(validate(token, 'https://other.example.com'), undefined, 'RFC9068-4: aud');

const pkcs8 = createPrivateKey(env.SIGNER_KEY).export({ type: 'pkcs8', format: 'der' });
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
const signer = oauth.PrivateKeyJwt({ key, kid: env.SIGNER_KID });
const signed = await machine({ client_id: env.SIGNER_ID }, signer);
assert.equal((await validate(signed.access_token, env.API)).client_id, env.SIGNER_ID);

// A callback whose issuer is another's is refused by the client (RFC 9207 §2.4): ours is not.
const foreign = new URL(`${env.WEB_REDIRECT_URI}?code=x&iss=https://evil.example`);
const answered = (url) =>
  oauth.validateAuthResponse(as, { client_id: env.WEB_ID }, url, oauth.expectNoState);
assert.throws(() => answered(foreign));
foreign.searchParams.set('iss', env.ISSUER);
assert.equal(answered(foreign).get('code'), 'x');
