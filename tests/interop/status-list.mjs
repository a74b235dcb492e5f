// @sd-jwt/jwt-status-list against the server: the status of a token before and after it is revoked.

import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, SCOPE } = process.env;
const basic = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64');

async function post(path, pairs) {
  const response = await fetch(`${ISSUER}${path}`, {
    method: 'POST',
    headers: { Authorization: `Basic ${basic}` },
    body: new URLSearchParams(pairs),
  });
  assert.equal(response.status, 200);
  return response;
}

async function issue() {
  const response = await post('/token', { grant_type: 'client_credentials', scope: SCOPE });
  return (await response.json()).access_token;
}

async function status(token) {
  const { idx, uri } = getStatusListFromJWT(token);
  const response = await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } });
  assert.equal(response.status, 200, 'TSL-8.1');
  return getListFromStatusListJWT(await response.text()).getStatus(idx);
}

const [doomed, neighbour] = [await issue(), await issue()];
assert.equal(await status(doomed), 0, 'TSL-7.1: VALID');
await post('/revoke', { token: doomed });
for (let tries = 0; (await status(doomed)) === 0; tries += 1) {
  assert.ok(tries < 50, 'TSL-7.1: a revoked token becomes INVALID');
  await setTimeout(100);
}
assert.equal(await status(doomed), 1, 'TSL-7.1: INVALID');
assert.equal(await status(neighbour), 0, 'TSL-7.1: VALID');
