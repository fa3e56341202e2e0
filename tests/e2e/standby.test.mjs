// SPDX-License-Identifier: Apache-2.0
// A key under which many accounts are in use is disabled and enabled: they come back together, for fewer calls to the vault
// than there are accounts. Some five seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const ACCOUNTS = 24;
const INTERVAL_MS = 1000;
const AT_LEAST_MS = INTERVAL_MS * 0.6; // between checks, which come up to a quarter and a tick early

let stack;
let accounts;

before(async () => {
  stack = await startStack({ checkIntervalMs: INTERVAL_MS });
  const key = { vaultUri: stack.vault.uri, name: stack.keyName };
  accounts = [];
  for (let number = 0; number < ACCOUNTS; number += 1) {
    const account = `many${number}`;
    await stack.createAccount(account, key);
    accounts.push({ account, accountKey: (await stack.keysOf(account))[0].value,
      blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${account}` });
  }
  for (const one of accounts) {
    assert.equal((await send(one, { method: 'PUT', path: '/box', query: { restype: 'container' } })).status, 201);
    assert.equal((await send(one, { method: 'PUT', path: '/box/blob', body: 'content',
      headers: { 'x-ms-blob-type': 'BlockBlob' } })).status, 201);
  }
});
after(() => stack?.stop());

async function allAnswer(status) {
  for (const one of accounts) {
    await stack.until(async () => (await send(one, { method: 'GET', path: '/box/blob' })).status === status,
      `${one.account} to answer ${status}`);
  }
}

// Up to seven accounts are too few to be a batch of their own, and the one who asks is in none: less than half of them.
test('a key that is enabled again brings all accounts back with a few calls', async () => {
  const { vault, keyName } = stack;
  for (let checks = 0; checks < 2; checks += 1) await vault.waitForCall('unwrapKey', keyName);
  await stack.until(async () => (await vault.countCalls('wrapKey', keyName)) > ACCOUNTS + 1, 'a standby key to be wrapped');
  const versions = await vault.disableAllVersions(keyName);
  await allAnswer(403);
  const { next } = await vault.calls();
  const begun = Date.now();
  await vault.enableVersions(keyName, versions);
  await allAnswer(200);
  const opened = (await vault.calls(next)).calls.filter((call) => call.operation === 'unwrapKey' && call.status === 200);
  const checks = Math.ceil((Date.now() - begun) / AT_LEAST_MS);
  assert.ok(opened.length <= checks + ACCOUNTS / 2, `${opened.length} unwraps for ${ACCOUNTS} accounts and ${checks} checks`);
});
