// SPDX-License-Identifier: Apache-2.0
// How seldom a vault is asked: by many accounts on one key, by a gateway that was just started, while it is gone, and
// while it asks for time. Counted by the vault, or by the proxy on the way to it where there is no vault to count. The
// clock is moved, so that checks come when the test wants them. About fifteen seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accountSas, send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';
import { startTunnel } from './lib/tunnel.mjs';

const INTERVAL_MS = 600e3;
const DAY_MS = 86400e3;
const ACCOUNTS = 20;
const LARGE = 'large-key';
const LARGE_ACCOUNTS = 45;
// What keyprovider/pace.h gives to keys of 4,096 bits, and keyprovider/breaker.h to a silent vault.
const LARGE_COST_MS = 40;
const LARGE_BURST = 25;
const PROBES_AT_FIRST = 3; // the pauses before them are shorter than a half of the longest,
const PROBE_PAUSE_MS = 500; // which a pause is at least, later

const options = { movableClock: true, checkIntervalMs: INTERVAL_MS, vaultDeadlineMs: 10000 };
let tunnel;
let stack;
let accounts;
let large;

async function makeAccounts(prefix, count, name) {
  const expiry = new Date(Date.now() + 60 * DAY_MS).toISOString().replace(/\.\d+/, '');
  return Promise.all(Array.from({ length: count }, async (_, number) => {
    const account = `${prefix}${number}`;
    await stack.createAccount(account, { vaultUri: stack.vault.uri, name });
    const one = { account, accountKey: (await stack.keysOf(account))[0].value,
      blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${account}` };
    const sas = accountSas({ ...one, expiry }); // signed dates would have to move with the gateway's clock
    const call = (request) => send(one, { ...request, sas });
    assert.equal((await call({ method: 'PUT', path: '/box', query: { restype: 'container' } })).status, 201);
    assert.equal((await call({ method: 'PUT', path: '/box/blob', body: 'content',
      headers: { 'x-ms-blob-type': 'BlockBlob' } })).status, 201);
    return { account, read: async () => (await call({ method: 'GET', path: '/box/blob' })).status };
  }));
}

before(async () => {
  tunnel = await startTunnel();
  options.proxy = tunnel.uri;
  stack = await startStack(options);
  const made = stack.vault.createKey(LARGE, 4096); // which takes a while
  [accounts] = await Promise.all([makeAccounts('small', ACCOUNTS, stack.keyName), made]);
  large = await makeAccounts('large', LARGE_ACCOUNTS, LARGE);
});
after(async () => {
  await stack?.stop();
  tunnel?.stop();
});

const readAll = (some) => Promise.all(some.map(({ read }) => read()));
async function allAnswer(some, status) {
  assert.deepEqual([...new Set(await readAll(some))], [status]);
}

// What the vault is asked from now on: a function that gives the calls of that operation and key so far.
async function listen() {
  const { next } = await stack.vault.calls();
  return async (operation, key) => (await stack.vault.calls(next)).calls.filter((call) =>
    call.operation === operation && (key === undefined || call.key === key));
}

// Checks of all keys that are in use come due, and the vault is asked for these.
async function nextCheck(keys, moveMs = INTERVAL_MS) {
  const asked = await listen();
  stack.gateway.moveClock(moveMs);
  for (const key of keys) {
    await stack.until(async () => (await asked('unwrapKey', key)).length > 0, `a check of ${key}`);
  }
}

test('accounts on one key: one of them asks for all, once in an interval', async () => {
  const checks = 3;
  const asked = await listen();
  for (let i = 0; i < checks; i++) {
    await nextCheck([stack.keyName, LARGE]);
    await allAnswer(accounts, 200);
  }
  assert.equal((await asked('unwrapKey', stack.keyName)).length, checks);
  assert.equal((await asked('unwrapKey', LARGE)).length, checks);
});

test('a restart asks for nothing but what is read', async () => {
  const asked = await listen();
  await stack.gateway.restart();
  const { stdout } = await stack.ctl('account', 'list'); // a look at every account
  for (const { account } of [...accounts, ...large]) assert.match(stdout, new RegExp(`^${account} `, 'm'));
  assert.equal((await asked('unwrapKey')).length, 0);
  const some = accounts.slice(0, 3);
  for (let i = 0; i < 3; i++) await allAnswer(some, 200);
  assert.equal((await asked('unwrapKey')).length, some.length);
  await nextCheck([stack.keyName]);
  await allAnswer(some, 200);
  assert.equal((await asked('unwrapKey')).length, some.length + 1);
  assert.equal((await asked('get')).length, 0);
  assert.equal((await asked('wrapKey')).length, 0);
});

test('many large keys at once are asked for at the pace that a vault takes', async () => {
  // Refused, which costs the vault no work that would slow it down by itself.
  const versions = await stack.vault.disableAllVersions(LARGE);
  try {
    await stack.gateway.restart();
    const asked = await listen();
    const begun = Date.now();
    await allAnswer(large, 403);
    const times = (await asked('unwrapKey', LARGE)).map(({ time }) => time - begun).sort((a, b) => a - b);
    assert.equal(times.length, LARGE_ACCOUNTS);
    times.forEach((time, i) => {
      assert.ok(time >= (i + 1 - LARGE_BURST) * LARGE_COST_MS, `number ${i + 1} after ${time} ms`);
    });
  } finally {
    await stack.vault.enableVersions(LARGE, versions);
  }
});

test('a vault that asks for time for a cold account gets it', async () => {
  options.checkIntervalMs = 10e3;
  await stack.gateway.restart();
  const [cold] = accounts;
  await allAnswer(large.slice(0, 1), 200);
  const asked = await listen();
  await stack.vault.fault({ operation: 'unwrapKey', key: stack.keyName, count: 1, status: 429, retry_after: 1 });
  assert.equal(await cold.read(), 200, 'asked again within its time');
  const [first, second] = (await asked('unwrapKey', stack.keyName)).map(({ time }) => time);
  assert.ok(second - first >= 990, `again after ${second - first} ms`);

  await stack.gateway.restart();
  await allAnswer(large.slice(0, 1), 200);
  await stack.vault.fault({ operation: 'unwrapKey', key: stack.keyName, count: -1, status: 429, retry_after: 300 });
  const later = await listen();
  assert.equal(await cold.read(), 503);
  for (let i = 0; i < 4; i++) {
    await nextCheck([LARGE], 60e3);
    assert.equal(await cold.read(), 503);
  }
  assert.equal((await later('unwrapKey', stack.keyName)).length, 1);
  await stack.vault.clearFaults();
  await nextCheck([stack.keyName], 60e3);
  await stack.until(async () => await cold.read() === 200, 'the account to be served');
});

test('a vault that is gone is asked by few of many', async () => {
  options.checkIntervalMs = 5e3; // they come back by it
  options.vaultDeadlineMs = 4000;
  await stack.gateway.restart();
  await allAnswer(large.slice(0, 1), 200); // a token is there by then
  await stack.vault.stop();
  const before = tunnel.asked.length;
  const begun = Date.now();
  await allAnswer(Array.from({ length: 10 }, () => accounts).flat(), 503);
  const attempts = tunnel.asked.length - before;
  const probes = PROBES_AT_FIRST + Math.ceil((Date.now() - begun) / PROBE_PAUSE_MS);
  assert.ok(attempts > 0 && attempts <= ACCOUNTS + probes, `${attempts} attempts`);
  await stack.vault.start();
  await stack.until(async () => (await readAll(accounts)).every((status) => status === 200), 'all to be served');
});
