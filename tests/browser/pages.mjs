// The scenarios of `browser/mod.rs`, chosen by SCENARIO.

import assert from 'node:assert/strict';
import {
  ISSUER, USERNAME, accessible, authorize, open, picture, signIn, withBrowser,
} from './harness.mjs';

async function codeFlow(browser, client, options = {}) {
  const { context, complaints } = await open(browser, options);
  const page = await context.newPage();
  const flow = authorize();
  await page.goto(flow.url);
  await page.fill('input[name=username]', USERNAME);
  await page.fill('input[name=password]', 'not her password');
  await page.click('#login-submit');
  await page.waitForSelector('#login-error');
  await signIn(page);
  await page.waitForSelector('form#consent-form');
  await page.uncheck('input[name=scope][value="orders:write"]');
  await page.click('#consent-allow');
  await page.waitForSelector('#arrived');
  const { tokens, userinfo } = await client.redeem(await client.answer(flow.state), flow.verifier);
  assert.equal(userinfo.preferred_username, USERNAME);
  assert.ok(!tokens.scope.split(' ').includes('orders:write'), 'what was unticked is not granted');
  await leave(page, tokens.id_token);
  assert.deepEqual(complaints, [], 'nothing on the console');
  await context.close();
}

/** Signs out, and sees that the session is over. */
async function leave(page, hint) {
  await page.goto(`${ISSUER}/logout?${new URLSearchParams({ id_token_hint: hint })}`);
  const confirm = page.locator('#logout-confirm');
  if (await confirm.count()) await confirm.click();
  await page.waitForSelector('#signed-out');
  await page.goto(authorize().url);
  await page.waitForSelector('form#login-form');
}

async function formPost(browser, client) {
  for (const javaScriptEnabled of [true, false]) {
    const { context, complaints } = await open(browser, { javaScriptEnabled });
    const page = await context.newPage();
    const flow = authorize({ response_mode: 'form_post' });
    await page.goto(flow.url);
    await signIn(page);
    const next = page.locator('#consent-allow, #form-post-submit, #arrived').first();
    await next.waitFor();
    if (await page.locator('#consent-allow').count()) await page.click('#consent-allow');
    if (!javaScriptEnabled) await page.click('#form-post-submit');
    await page.waitForSelector('#arrived');
    const answer = await client.answer(flow.state);
    assert.equal(answer.method, 'POST', 'form_post 2');
    await client.redeem(answer, flow.verifier);
    assert.deepEqual(complaints, [], 'nothing on the console');
    await context.close();
  }
}

async function tabs(browser, client) {
  const { context, complaints } = await open(browser);
  const one = await context.newPage();
  const two = await context.newPage();
  const first = authorize({ scope: 'openid email' });
  const second = authorize({ scope: 'openid orders:read' });
  await one.goto(first.url);
  await two.goto(second.url);
  for (const [page, flow] of [[one, first], [two, second]]) {
    if (await page.locator('form#login-form').count()) await signIn(page);
    await page.locator('#consent-allow, #arrived').first().waitFor();
    if (await page.locator('#consent-allow').count()) await page.click('#consent-allow');
    await page.waitForSelector('#arrived');
    await client.redeem(await client.answer(flow.state), flow.verifier);
  }
  // Back to the consent that was given already: an answer to the same request, or a page.
  const before = client.answers.length;
  await two.goBack().catch(() => undefined);
  if (await two.locator('#consent-allow').count()) {
    await two.click('#consent-allow');
    await two.locator('#arrived, #error').first().waitFor();
  }
  for (const answer of client.answers.slice(before)) {
    assert.equal(answer.parameters.state, second.state, 'RFC6749-4.1.2');
  }
  const third = authorize({ scope: 'openid orders:read' });
  await two.goto(third.url);
  await two.waitForSelector('#arrived');
  await client.redeem(await client.answer(third.state), third.verifier);
  assert.deepEqual(complaints, [], 'nothing on the console');
  await context.close();
}

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

async function pages(browser) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, viewport] of Object.entries({ phone: PHONE, desk: DESK })) {
      const { context, complaints } = await open(browser, { colorScheme, viewport });
      const page = await context.newPage();
      const look = async (name) => {
        await picture(page, `${name}-${device}-${colorScheme}`);
        await accessible(page, `${name} ${device} ${colorScheme}`);
      };
      await everyPage(page, look);
      assert.deepEqual(complaints, [], 'nothing on the console');
      await context.close();
    }
  }
}

async function everyPage(page, look) {
  await page.goto(authorize({ prompt: 'consent' }).url);
  await page.waitForSelector('form#login-form');
  await look('sign-in');
  await page.fill('input[name=username]', USERNAME);
  await page.fill('input[name=password]', 'not her password');
  await page.click('#login-submit');
  await page.waitForSelector('#login-error');
  await look('sign-in-failed');
  await signIn(page);
  await page.waitForSelector('form#consent-form');
  await look('consent');
  await page.goto(authorize({ prompt: 'login' }).url);
  await page.waitForSelector('#reauthenticate-notice');
  await look('sign-in-again');
  await page.goto(`${ISSUER}/logout`);
  await page.waitForSelector('form#logout-form');
  await look('logout');
  await page.click('#logout-confirm');
  await page.waitForSelector('#signed-out');
  await look('signed-out');
  await page.goto(`${ISSUER}/authorize?client_id=nobody`);
  await page.waitForSelector('main#error');
  await look('error');
}

const SCENARIOS = {
  'code-flow': codeFlow,
  'no-javascript': (browser, client) => codeFlow(browser, client, { javaScriptEnabled: false }),
  'form-post': formPost,
  tabs,
  pages,
};

await withBrowser(SCENARIOS[process.env.SCENARIO]);
