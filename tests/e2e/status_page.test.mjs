// SPDX-License-Identifier: Apache-2.0
// The status page in a real browser: what an operator sees of each state, with the keyboard alone, at the width
// of a phone, and what a screen reader is told (axe's rules). GATEKEY_SCREENSHOTS names a directory for pictures.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { startStack } from './lib/stack.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const DESKTOP = { width: 1280, height: 900 };
const GRACE_S = 3600;
const PHONE = { width: 360, height: 740 };

let stack;
let browser;
let page;

before(async () => {
  stack = await startStack({ graceS: GRACE_S, movableClock: true, vaultDeadlineMs: 2000, moreVaults: [{}] });
  await stack.createAccount('plain');
  await stack.vaults[1].createKey('elsewhere');
  await stack.createAccount('silent', { vaultUri: stack.vaults[1].uri, name: 'elsewhere' });
  await stack.vault.createKey('scope-key');
  const put = (scope, properties) => stack.management.request('PUT',
    `${stack.accountPath(stack.account)}/encryptionScopes/${scope}?api-version=2023-05-01`, { body: { properties } });
  await put('scoped', { source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri: `${stack.vault.uri}/keys/scope-key` } });
  await put('unkeyed', {});
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  // The page's certificate is of an authority of the test's own, which the browser has no list for.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: DESKTOP });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
const refreshed = async () => {
  const answered = page.waitForResponse((answer) => answer.url().endsWith('/metrics'));
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await (await answered).finished();
};

async function showsState(name, state) {
  await refreshed();
  await row(name).getByText(state, { exact: true }).waitFor();
}

// What axe finds wrong is what a screen reader, a keyboard or weak eyes would stumble over.
async function assertAccessible(what) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async () => (await globalThis.axe.run()).violations
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`));
    assert.deepEqual(found, [], `${what}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

// Both widths: nothing sticks out to the side.
async function look(what) {
  for (const [name, size] of [['desktop', DESKTOP], ['phone', PHONE]]) {
    await page.setViewportSize(size);
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= room, `${what}: ${wide} pixels wide on a ${name} of ${room}`);
    for (const hidden of await page.locator('[hidden]').all()) assert.equal(await hidden.isVisible(), false, `${what} on a ${name}`);
    if (process.env.GATEKEY_SCREENSHOTS) {
      mkdirSync(process.env.GATEKEY_SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: path.join(process.env.GATEKEY_SCREENSHOTS, `${what}-${name}.png`), fullPage: true });
    }
    await assertAccessible(`${what} on a ${name}`);
  }
  await page.setViewportSize(DESKTOP);
}

test('the page asks for the token, and shows nothing without it', async () => {
  const answer = await page.goto(`${stack.managementEndpoint}/status`);
  const headers = answer.headers();
  assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal((await stack.management.request('GET', '/status/other')).status, 404);
  // By the browser's own tools, past the page's policy for scripts.
  await page.evaluate(readFileSync(AXE, 'utf8'));
  await look('token');
  assert.equal(await page.getByRole('table').count(), 0);
  await page.getByLabel('Token').fill('wrong');
  await page.getByLabel('Token').press('Enter');
  await page.getByRole('alert').getByText('does not take this token').waitFor();
  assert.equal(await page.getByLabel('Token').evaluate((node) => node === document.activeElement), true);
});

test('accounts, their keys and versions', async () => {
  await page.getByLabel('Token').fill(stack.managementToken);
  await page.getByLabel('Token').press('Enter');
  await row(stack.account).getByText('active', { exact: true }).waitFor();
  await row('plain').getByText('service-managed', { exact: true }).waitFor();
  const text = await row(stack.account).innerText();
  assert.match(text, new RegExp(`${stack.keyName} in localhost`));
  assert.match(text, /[0-9a-f]{8}/);
  assert.match(text, /\d+ (second|minute)s?/);
  await page.getByRole('status').getByText('3 accounts and 2 scopes').waitFor();
  await row(`${stack.account}/scoped`).getByText('active', { exact: true }).waitFor();
  await row(`${stack.account}/unkeyed`).getByText('service-managed', { exact: true }).waitFor();
  await page.getByRole('row', { name: /^wrap/ }).waitFor();
  await page.getByRole('listitem').filter({ hasText: `account.create · ${stack.account} · ok` }).waitFor();
  await look('active');
});

test('by the keyboard alone: details, a search, and a state', async () => {
  const button = page.getByRole('button', { name: `Details of ${stack.account}`, exact: true });
  await button.focus();
  await page.keyboard.press('Enter');
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await page.getByText('the newest version, which is looked for regularly').first().waitFor();
  await refreshed(); // they stay open
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await button.focus();
  await page.keyboard.press('Space');
  assert.equal(await button.getAttribute('aria-expanded'), 'false');
  await page.getByLabel('Account, key or vault').focus();
  await page.keyboard.type('elsew');
  await page.getByRole('status').getByText('1 of 3 accounts and 2 scopes').waitFor();
  await page.getByLabel('Account, key or vault').fill('');
  await page.getByRole('button', { name: /service-managed/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('status').getByText('2 of 3 accounts and 2 scopes').waitFor();
  assert.equal(await page.getByRole('button', { name: /service-managed/ }).evaluate((node) => node === document.activeElement), true);
  await page.getByRole('button', { name: /^all/ }).click();
});

test('a rotation that is pending, a revoked key, a silent vault', async () => {
  const checkPath = `${stack.accountPath(stack.account)}/gatekeyCheckKey?api-version=2023-05-01`;
  await stack.vault.rotate(stack.keyName);
  await stack.vault.fault({ operation: 'wrapKey', count: -1, status: 503 });
  await stack.management.request('POST', checkPath); // 503: the vault does not answer to the wrap
  await refreshed();
  await row(stack.account).getByText('newer one pending').waitFor();
  await look('rotation-pending');
  await stack.vault.clearFaults();
  await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  await showsState(stack.account, 'revoked');
  await page.getByRole('listitem').filter({ hasText: `key.revoked · ${stack.account} · refused` }).first().waitFor();
  await stack.vaults[1].fault({ operation: '*', count: -1, action: 'drop' });
  await stack.checkKey('silent');
  await showsState('silent', 'unreachable');
  const details = page.getByRole('button', { name: 'Details of silent' });
  await details.click();
  await page.getByText('Grace ends', { exact: true }).waitFor();
  await look('revoked-and-unreachable');
  await details.click();
  stack.gateway.moveClock((GRACE_S + 1) * 1000);
  await stack.until(async () => {
    await refreshed();
    return /degraded/.test(await row('silent').innerText());
  }, 'the grace to end');
  await page.getByRole('button', { name: `Details of ${stack.account}`, exact: true }).click();
  await page.getByText('Request id at the vault').first().waitFor();
  await look('revoked-and-degraded');
});

// The gateway's own answer, with another state in it.
test('an account that nobody has asked for is neither well nor ill, but when its vault is known to be silent', async () => {
  for (const [unreachableSince, tone] of [[undefined, 'neutral'], ['2026-11-24T08:12:13.1230000Z', 'bad']]) {
    await page.route('**/gatekey/accounts?*', async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      Object.assign(body.value.find(({ name }) => name === 'silent').properties.gatekey, { state: 'cold', unreachableSince });
      await route.fulfill({ response: answer, json: body });
    });
    await showsState('silent', 'cold');
    await row('silent').locator(`.state.${tone}`).waitFor();
    await look(`cold-${tone}`);
    await page.unroute('**/gatekey/accounts?*');
  }
  await showsState('silent', 'degraded');
});

test('a scope whose key is revoked alone', async () => {
  await stack.vault.disableAllVersions('scope-key');
  await stack.management.request('POST', `${stack.accountPath(stack.account)}/encryptionScopes/scoped/gatekeyCheckKey?api-version=2023-05-01`);
  await showsState(`${stack.account}/scoped`, 'revoked');
  await row(`${stack.account}/unkeyed`).getByText('service-managed', { exact: true }).waitFor();
  await page.getByRole('button', { name: `Details of ${stack.account}/scoped` }).click();
  await page.getByText(`gatekeyctl scope show ${stack.account}/scoped`).first().waitFor();
  await page.locator(`[id="details-${stack.account}/scoped"]`).getByText('Key refused since', { exact: true }).waitFor();
  await look('scope-revoked');
});

// As many scopes as nobody would make for a test: the gateway's own answer, with more of their series.
test('of more scopes than are shown, those that are not well come first', async () => {
  const extra = Array.from({ length: 2500 }, (_, i) => `gatekey_account_state{account="${stack.account}",scope="s${1000 + i}",` +
    `state="${i === 2499 ? 'revoked' : 'service-managed'}"} 1\n`).join('');
  await page.route('**/metrics', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${await answer.text()}${extra}` });
  });
  await refreshed();
  await page.getByRole('status').getByText('3 accounts and the first 2000 of 2502 scopes').waitFor();
  const shown = await page.evaluate(() => [...document.querySelectorAll('th[scope=row]')].map((node) => node.textContent));
  assert.equal(shown.filter((name) => name.includes('/')).length, 2000);
  assert.ok(shown.includes(`${stack.account}/s3499`) && shown.includes(`${stack.account}/scoped`));
  assert.ok(shown.includes(`${stack.account}/s2996`) && !shown.includes(`${stack.account}/s3498`));
  await page.unroute('**/metrics');
  await refreshed();
  await page.getByRole('status').getByText('3 accounts and 2 scopes').waitFor();
});

test('what comes from outside is text; the token is gone when it is to be', async () => {
  const markup = await page.evaluate(() => document.querySelectorAll('main img, main script, main iframe').length);
  assert.equal(markup, 0);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.equal(kept, '[{},{},""]');
  await page.getByRole('button', { name: 'Forget the token' }).click();
  assert.equal(await page.getByRole('table').count(), 0);
  assert.equal(await page.getByLabel('Token').inputValue(), '');
  await page.goto(`${stack.managementEndpoint}/status`);
  assert.equal(await page.getByRole('table').count(), 0);
});
