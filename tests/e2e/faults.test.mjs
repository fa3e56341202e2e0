// SPDX-License-Identifier: Apache-2.0
// What each answer of a vault means: only an explicit refusal makes the data dark (403), only silence
// is forgiven, and only for the grace; then it is 503 with Retry-After, never 403.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { makeAuthority } from './lib/certificates.mjs';
import { accountSas, send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const GRACE_S = 600;
const TOKEN_LIFE_MS = 3600e3;
const YEAR_MS = 365 * 86400e3;
let stack;
let sas;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000, graceS: GRACE_S, movableClock: true,
    requestTimeoutMs: 500, vaultDeadlineMs: 2000 });
  sas = longSas(stack);
  await ok({ method: 'PUT', path: '/faults', query: { restype: 'container' } });
  await ok({ method: 'PUT', path: '/faults/blob', body: 'content',
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
});
after(() => stack?.stop());
// One that fails must not take the others along.
afterEach(() => stack.vault.clearFaults());

// Signed dates would have to move with the gateway's clock.
const longSas = (account) => accountSas({ ...account, expiry: new Date(Date.now() + YEAR_MS).toISOString().replace(/\.\d+/, '') });
const call = (request) => send(stack, { ...request, sas });
const get = () => call({ method: 'GET', path: '/faults/blob' });

async function ok(request) {
  const answer = await call(request);
  assert.ok(answer.status < 300, `${answer.status} ${answer.code}`);
}

// On the way there and back, a refusal is never told as a failure of ours, nor silence as a refusal.
const becomes = (status, code) => stack.until(async () => {
  const answer = await get();
  assert.ok([200, status].includes(answer.status) || status === 200, `${answer.status} ${answer.code}`);
  assert.ok([200, 403, 503].includes(answer.status), `${answer.status} ${answer.code}`);
  return answer.status === status && (code === undefined || answer.code === code);
}, `Get Blob to answer ${status} ${code ?? ''}`);

async function listGoesOn() {
  await ok({ method: 'GET', path: '/faults', query: { restype: 'container', comp: 'list' } });
}

// A service-managed account with a blob, which the caller that it gives may read.
async function withBlob(account) {
  await stack.createAccount(account);
  const [{ value: accountKey }] = await stack.keysOf(account);
  const made = { account, accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${account}` };
  for (const request of [{ path: '/box', query: { restype: 'container' } },
    { path: '/box/blob', body: 'content', headers: { 'x-ms-blob-type': 'BlockBlob' } }]) {
    assert.equal((await send(made, { method: 'PUT', ...request, sas: longSas(made) })).status, 201);
  }
  return (request) => send(made, { ...request, sas: longSas(made) });
}

// What the vault does, how it is undone, and the documented code.
const refusals = [
  ['the key is disabled', async () => {
    const versions = await stack.vault.disableAllVersions(stack.keyName);
    return () => stack.vault.enableVersions(stack.keyName, versions);
  }, 'KeyVaultEncryptionKeyNotFound'],
  ['the key is deleted, then recovered', async () => {
    await stack.vault.deleteKey(stack.keyName);
    return () => stack.vault.recoverKey(stack.keyName);
  }, 'KeyVaultEncryptionKeyNotFound'],
  ['the permission unwrapKey is taken away', async () => {
    await stack.vault.setPermissions('gateway', ['get', 'wrapKey']);
    return () => stack.vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
  }, 'KeyVaultEncryptionKeyNotFound'],
  ['the vault’s firewall refuses', async () => {
    await stack.vault.fault({ operation: 'unwrapKey', count: -1, status: 403, body: JSON.stringify({
      error: { code: 'Forbidden', message: 'Client address is not authorized.',
        innererror: { code: 'ForbiddenByFirewall' } } }) });
    return () => stack.vault.clearFaults();
  }, 'KeyVaultEncryptionKeyNotFound'],
  ['the identity is gone', async () => {
    await stack.vault.setIdentityEnabled('gateway', false);
    stack.gateway.moveClock(3 * 86400e3); // tokens that are out run out
    return () => stack.vault.setIdentityEnabled('gateway', true);
  }, 'KeyVaultAccessTokenCannotBeAcquired'],
];

for (const [what, happen, code] of refusals) {
  test(`${what}: 403 ${code}, others go on, and back`, async () => {
    await becomes(200);
    const undo = await happen();
    await becomes(403, code);
    await listGoesOn();
    const status = await stack.keyStatus();
    assert.equal(status.state, 'revoked');
    assert.ok(status.reasonCode.length > 0);
    await undo();
    await becomes(200);
    assert.equal((await stack.keyStatus()).state, 'active');
  });
}

const silences = [
  ['does not answer in time', { operation: '*', count: -1, delay_ms: 3000 }],
  ['drops the connection', { operation: '*', count: -1, action: 'drop' }],
  ['throttles', { operation: 'unwrapKey', count: -1, status: 429, retry_after: 1 }],
  ['has an internal error', { operation: 'unwrapKey', count: -1, status: 500 }],
  ['is unavailable', { operation: 'unwrapKey', count: -1, status: 503 }],
  ['talks nonsense', { operation: 'unwrapKey', count: -1, action: 'garbage' }],
  ['breaks off', { operation: 'unwrapKey', count: -1, action: 'truncate' }],
  ['talks without end', { operation: 'unwrapKey', count: -1, action: 'huge' }],
  ['answers for another key', { operation: 'unwrapKey', count: -1, action: 'wrong_kid' }],
  ['unwraps 31 bytes', { operation: 'unwrapKey', count: -1, action: 'short_key' }],
  ['unwraps 33 bytes', { operation: 'unwrapKey', count: -1, action: 'long_key' }],
  ['is hidden behind somebody who forbids', { operation: 'unwrapKey', count: -1, status: 403, body: '{}' }],
  ['is hidden behind somebody who finds nothing', { operation: '*', count: -1, status: 404,
    body: JSON.stringify({ message: 'not found' }) }],
  ['sends elsewhere', { operation: 'unwrapKey', count: -1, status: 302, body: '{}' }],
  ['has a teapot’s opinion', { operation: 'unwrapKey', count: -1, status: 418 }],
  ['has an authority that does not answer', { operation: 'token', count: -1, action: 'drop' }, TOKEN_LIFE_MS],
  ['has an authority that throttles', { operation: 'token', count: -1, status: 429, retry_after: 1 }, TOKEN_LIFE_MS],
  ['has an authority that has an internal error', { operation: 'token', count: -1, status: 500 }, TOKEN_LIFE_MS],
  ['has an authority that talks nonsense', { operation: 'token', count: -1, action: 'garbage' }, TOKEN_LIFE_MS],
];

for (const [what, fault, ahead] of silences) {
  test(`the vault ${what}: served within the grace, 503 past it, and back`, async () => {
    await becomes(200);
    await stack.vault.fault(fault);
    if (ahead !== undefined) stack.gateway.moveClock(ahead);
    await stack.until(async () => (await stack.keyStatus()).state === 'unreachable', 'unreachable');
    for (let i = 0; i < 5; i++) assert.equal((await get()).status, 200);
    stack.gateway.moveClock((GRACE_S + 5) * 1000);
    await becomes(503, 'ServerBusy');
    const answer = await get();
    assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
    await listGoesOn();
    assert.equal((await stack.keyStatus()).state, 'degraded');
    await stack.vault.clearFaults();
    await becomes(200);
    assert.equal((await stack.keyStatus()).state, 'active');
  });
}

test('a cold gateway with a silent vault: 503, not 403, and the rest goes on', async () => {
  await stack.vault.fault({ operation: 'unwrapKey', count: -1, action: 'drop' }); // tokens are to be had
  await stack.gateway.restart();
  await listGoesOn();
  const clock = () => Date.now() + stack.gateway.shared.offsetMs;
  const asked = clock();
  const answer = await get();
  assert.equal(answer.status, 503, answer.code);
  assert.ok(answer.headers['retry-after']);
  const status = await stack.keyStatus();
  assert.equal(status.state, 'degraded');
  assert.equal(status.reasonCode, 'NoAnswer', status.reason);
  const since = Date.parse(status.unreachableSince);
  assert.ok(since >= asked && since <= clock(), 'since this gateway asked in vain');
  assert.equal((await get()).status, 503);
  assert.equal(Date.parse((await stack.keyStatus()).unreachableSince), since, 'asking again is no new beginning');
  const shown = await stack.ctl('account', 'show', stack.account);
  assert.match(shown.stdout, /^Unreachable +\d{4}-\d\d-\d\d /m);
  await stack.vault.clearFaults();
  await becomes(200);
});

// What an operator sees who comes to it then: who can be served, who cannot, why and since when; of those too whose
// keys nobody has asked for, once a call for another has found the vault away.
test('a gateway that starts while its vault is gone', async () => {
  const NOT_HEALTHY = 4;
  const GONE = 'TokenEndpointUnreachable'; // which is the vault's process, too, and asked first
  const unasked = ['second', 'third'];
  const doctor = async (check) => JSON.parse((await stack.ctl('doctor', '--json', '--no-fail')).stdout)
    .filter((finding) => finding.check === check).map(({ result, detail }) => `${result}: ${detail}`);
  const plain = await withBlob('plain');
  for (const name of unasked) await stack.createAccount(name, { vaultUri: stack.vault.uri, name: stack.keyName });
  await becomes(200);
  await stack.checkKey(); // no look for a newer version is due, which would ask
  await stack.vault.stop();
  await stack.gateway.restart();

  // Nobody has asked for any of them.
  const [before] = await doctor('account');
  assert.match(before, /^ok: the keys of 1 accounts can be used; those of 3 were not asked for since the gateway started/);
  assert.ok((await doctor('vault')).includes('ok: no vault was asked since the gateway started'));
  assert.equal((await stack.ctl('key', 'status')).code, 0);
  assert.equal((await stack.keyStatus()).unreachableSince, undefined);

  // One is asked for.
  const clock = () => Date.now() + stack.gateway.shared.offsetMs;
  const asked = clock();
  const answer = await get();
  assert.deepEqual([answer.status, answer.code], [503, 'ServerBusy']);
  const first = await stack.keyStatus();
  assert.deepEqual([first.state, first.reasonCode], ['degraded', GONE]);
  const since = Date.parse(first.unreachableSince);
  assert.ok(since >= asked && since <= clock());
  const when = first.unreachableSince.replace('T', ' ').slice(0, 19);
  const { code, stdout } = await stack.ctl('key', 'status');
  assert.equal(code, NOT_HEALTHY);
  assert.match(stdout, new RegExp(`^${stack.account} +degraded +https:\\S+ ! ${GONE} since ${when} UTC$`, 'm'));
  assert.match(stdout, /^plain +service-managed +-$/m);
  for (const name of unasked) {
    const status = await stack.keyStatus(name);
    assert.deepEqual([status.state, status.reasonCode, status.unreachableSince, status.graceUntil],
      ['cold', GONE, first.unreachableSince, undefined]);
    assert.match(status.reason, /connect/i);
    assert.match(stdout, new RegExp(`^${name} +cold +https:\\S+ ! ${GONE} since ${when} UTC$`, 'm'));
    const one = await stack.ctl('key', 'status', name);
    assert.equal(one.code, NOT_HEALTHY);
    assert.match(one.stdout, /^State +cold - the key is not in memory, and its vault does not answer: requests get 503$/m);
    assert.match(one.stdout, new RegExp(`^Unreachable +${when} UTC$`, 'm'));
  }
  const found = await doctor('account');
  assert.deepEqual(found.map((line) => line.replace(/UTC: .*/, 'UTC')).sort(), [
    ...unasked.map((name) => `failed: ${name} is cold, and its vault does not answer: ${GONE} since ${when} UTC`),
    `failed: ${stack.account} is degraded: ${GONE} since ${when} UTC`].sort());
  assert.match((await doctor('vault'))[0], /^warning: \d+ vault calls had no answer/);
  const { body } = await stack.management.request('GET', '/metrics');
  assert.ok(body.includes(`gatekey_account_unreachable_since_timestamp_seconds{account="second"} ${(since / 1000).toFixed(3)}\n`), body);

  // What needs no key of that vault.
  await listGoesOn();
  assert.equal((await plain({ method: 'GET', path: '/box/blob' })).status, 200);

  await stack.vault.start();
  await becomes(200);
  assert.equal((await stack.ctl('key', 'status')).code, 0);
  for (const name of unasked) {
    const status = await stack.keyStatus(name);
    assert.deepEqual([status.state, status.reasonCode, status.unreachableSince], ['cold', undefined, undefined]);
    await stack.checkKey(name);
    assert.equal((await stack.keyStatus(name)).state, 'active');
  }
  assert.match((await doctor('account'))[0], /^ok: the keys of all 4 accounts can be used/);
});

test('a few failures in between are retried and nobody notices', async () => {
  await becomes(200);
  const { next } = await stack.vault.calls();
  await stack.vault.fault({ operation: 'unwrapKey', count: 2, status: 503 });
  let statuses = [];
  await stack.until(async () => {
    assert.equal((await get()).status, 200);
    assert.equal((await stack.keyStatus()).state, 'active');
    const { calls } = await stack.vault.calls(next);
    statuses = calls.filter((one) => one.operation === 'unwrapKey').map((one) => one.status);
    return statuses.filter((status) => status === 503).length === 2 && statuses.at(-1) === 200;
  }, 'two failures and an answer');
});

test('what an unwrap does not need may be taken away', async () => {
  await stack.vault.setPermissions('gateway', ['unwrapKey']);
  for (let i = 0; i < 3; i++) {
    await stack.vault.waitForCall('unwrapKey', stack.keyName);
    assert.equal((await get()).status, 200);
    assert.equal((await stack.keyStatus()).state, 'active');
  }
  await stack.vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
});

test('an expired key still opens: all goes on, with a warning', async () => {
  await stack.vault.expireKey(stack.keyName);
  await stack.gateway.restart();
  await becomes(200);
  await stack.checkKey();
  const status = await stack.keyStatus();
  assert.equal(status.state, 'active');
  assert.equal(status.keyOutsideDates, true);
});

test('the vault process dies and comes back', async () => {
  await stack.vault.kill();
  await stack.until(async () => (await stack.keyStatus()).state === 'unreachable', 'unreachable');
  assert.equal((await get()).status, 200);
  await stack.vault.start();
  await stack.until(async () => (await stack.keyStatus()).state === 'active', 'active');
});

test('a vault with a certificate of nobody is a silent one', async () => {
  const other = makeAuthority(path.join(stack.directory, 'other-ca')).issue('keyvaultd');
  const { tls } = stack.vault;
  const withFiles = async (certificateFile, keyFile) => {
    copyFileSync(certificateFile, tls.certificateFile);
    copyFileSync(keyFile, tls.keyFile);
    await stack.vault.stop();
    await stack.vault.start();
  };
  const [certificate, key] = [`${tls.certificateFile}.kept`, `${tls.keyFile}.kept`];
  copyFileSync(tls.certificateFile, certificate);
  copyFileSync(tls.keyFile, key);
  await withFiles(other.certificateFile, other.keyFile);
  await stack.until(async () => (await stack.keyStatus()).state === 'unreachable', 'unreachable');
  assert.equal((await get()).status, 200);
  await withFiles(certificate, key);
  await stack.until(async () => (await stack.keyStatus()).state === 'active', 'active');
});
