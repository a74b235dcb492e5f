// openid-client 6 against the server: every flow that it knows and the server has.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as oidc from 'openid-client';
import { Person } from './person.mjs';

const env = process.env;
const insecure = { execute: [oidc.allowInsecureRequests] };
const discover = (id, metadata, method) =>
  oidc.discovery(new URL(env.ISSUER), id, metadata, method, insecure);

async function codeFlow(config, redirectUri, person) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email offline_access orders:read',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    max_age: '3600',
  });
  const back = await person.authorize(url);
  const tokens = await oidc.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
    maxAge: 3600,
  });
  const { sub } = tokens.claims();
  const info = await oidc.fetchUserInfo(config, tokens.access_token, sub);
  assert.equal(info.email, `${env.USERNAME}@example.com`, 'OIDCC-5.3.2');
  return tokens;
}

async function lifeOfTokens(config, tokens) {
  const next = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token, 'RFC9700-4.14.2');
  await oidc.tokenRevocation(config, next.refresh_token);
  const dead = await oidc.refreshTokenGrant(config, next.refresh_token).catch((error) => error);
  assert.equal(dead.error, 'invalid_grant', 'RFC7009-2.1');
}

// A confidential client, by both ways to present a secret that it may be registered for.
const web = await discover(env.WEB_ID, {}, oidc.ClientSecretBasic(env.WEB_SECRET));
oidc.enableNonRepudiationChecks(web);
const person = new Person();
const tokens = await codeFlow(web, env.WEB_REDIRECT_URI, person);
const described = await oidc.tokenIntrospection(web, tokens.access_token);
assert.equal(described.active, true, 'RFC7662-2.2');
assert.equal(described.client_id, env.WEB_ID, 'RFC7662-2.2');
await lifeOfTokens(web, tokens);
const end = oidc.buildEndSessionUrl(web, {
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: env.SIGNED_OUT_URI,
  state: 'bye',
});
const away = await person.leave(end);
assert.equal(away.href, `${env.SIGNED_OUT_URI}?state=bye`, 'OIDCRIL-3');

// A public client.
const spa = await discover(env.SPA_ID, undefined, oidc.None());
await lifeOfTokens(spa, await codeFlow(spa, env.SPA_REDIRECT_URI, new Person()));

// Machines, by secret and by key.
const service = await discover(env.SERVICE_ID, {}, oidc.ClientSecretBasic(env.SERVICE_SECRET));
const wanted = { scope: 'orders:read', resource: env.API };
const machine = await oidc.clientCredentialsGrant(service, wanted);
assert.equal((await oidc.tokenIntrospection(service, machine.access_token)).active, true);
await oidc.tokenRevocation(service, machine.access_token);
assert.equal((await oidc.tokenIntrospection(service, machine.access_token)).active, false);

const pkcs8 = createPrivateKey(env.SIGNER_KEY).export({ type: 'pkcs8', format: 'der' });
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
const signer = await discover(env.SIGNER_ID, {}, oidc.PrivateKeyJwt({ key, kid: env.SIGNER_KID }));
const signed = await oidc.clientCredentialsGrant(signer, { scope: 'orders:read' });
assert.equal((await oidc.tokenIntrospection(signer, signed.access_token)).active, true);

// The nearest failure: another secret.
const wrong = await discover(env.SERVICE_ID, {}, oidc.ClientSecretBasic('not-the-right-secret'));
const refused = await oidc.clientCredentialsGrant(wrong, {}).catch((error) => error);
assert.equal(refused.status ?? refused.cause?.status, 401, 'RFC6749-5.2');
