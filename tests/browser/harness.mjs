// What every scenario needs: a browser, the client's own end, and a record of complaints.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, USERNAME, PASSWORD } = process.env;

const OUTPUT = process.env.KEYWRIGHT_TEST_OUTPUT ?? '.';
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const BOUND_MS = 20_000;
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Starts Chromium and the client's redirect URI, runs the scenario, stops both. */
export async function withBrowser(scenario) {
  const executablePath = process.env.KEYWRIGHT_TEST_CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  const client = await Client.listen();
  try {
    await scenario(browser, client);
  } finally {
    await browser.close();
    await client.close();
  }
}

/** A context whose pages may not complain. */
export async function open(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(BOUND_MS);
  const complaints = [];
  context.on('page', (page) => {
    page.on('console', (message) => {
      const text = message.text();
      // A page that is an error by design (401, 400) is reported by the network panel too.
      const status = text.startsWith('Failed to load resource: the server responded');
      if (['error', 'warning'].includes(message.type()) && !status) complaints.push(text);
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      const known = [new URL(ISSUER).origin, new URL(REDIRECT_URI).origin];
      if (!known.includes(origin)) complaints.push(`a third party was asked: ${request.url()}`);
    });
  });
  return { context, complaints };
}

/** An authorization request with its verifier. */
export function authorize(parameters = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile email orders:read orders:write',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    nonce: randomBytes(16).toString('base64url'),
    ...parameters,
  });
  return { url: `${ISSUER}/authorize?${query}`, verifier, state };
}

export async function signIn(page) {
  await page.fill('input[name=username]', USERNAME);
  await page.fill('input[name=password]', PASSWORD);
  await page.click('#login-submit');
}

/** The client's own server: it takes answers by GET and by POST. */
export class Client {
  static async listen() {
    const client = new Client();
    client.answers = [];
    client.server = createServer((request, response) => client.#take(request, response));
    const { hostname, port } = new URL(REDIRECT_URI);
    await new Promise((ready) => client.server.listen(Number(port), hostname, ready));
    return client;
  }

  #take(request, response) {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      const url = new URL(request.url, REDIRECT_URI);
      if (url.pathname === new URL(REDIRECT_URI).pathname) {
        const pairs = request.method === 'POST' ? new URLSearchParams(body) : url.searchParams;
        this.answers.push({
          method: request.method,
          parameters: Object.fromEntries(pairs),
          referer: request.headers.referer,
        });
      }
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><html lang="en"><title>app</title><h1 id="arrived">app</h1>');
    });
  }

  /** The answer to a request, once it has come. */
  async answer(state) {
    const end = Date.now() + BOUND_MS;
    while (Date.now() < end) {
      const found = this.answers.find((answer) => answer.parameters.state === state);
      if (found) return found;
      await new Promise((tick) => setTimeout(tick, 20));
    }
    throw new Error('no answer reached the client');
  }

  /** Redeems the code of an answer and asks who signed in. */
  async redeem(answer, verifier) {
    assert.equal(answer.parameters.error, undefined, 'no error');
    assert.equal(answer.parameters.iss, ISSUER, 'RFC9207-2');
    assert.equal(answer.referer, undefined, 'RFC9700-4.2.4: no referrer');
    const basic = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64');
    const response = await fetch(`${ISSUER}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: answer.parameters.code,
        redirect_uri: REDIRECT_URI,
        code_verifier: verifier,
      }),
    });
    assert.equal(response.status, 200, 'RFC6749-4.1.4');
    const tokens = await response.json();
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const userinfo = await (await fetch(`${ISSUER}/userinfo`, { headers })).json();
    return { tokens, userinfo };
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

/** axe-core finds nothing to complain about. */
export async function accessible(page, name) {
  // The policy of the page forbids foreign scripts, so it is not injected as an element.
  const source = (await import('node:fs')).readFileSync(AXE, 'utf8');
  await page.evaluate(source);
  const report = await page.evaluate(() => globalThis.axe.run());
  const found = report.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`);
  assert.deepEqual(found, [], `WCAG: ${name}`);
}

/** A picture for people, and the proof that nothing overflows sideways. */
export async function picture(page, name) {
  mkdirSync(join(OUTPUT, 'pages'), { recursive: true });
  await page.screenshot({ path: join(OUTPUT, 'pages', `${name}.png`), fullPage: true });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `${name} scrolls sideways by ${overflow}px`);
}
