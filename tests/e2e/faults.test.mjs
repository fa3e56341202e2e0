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
  // Signed dates would have to move with the gateway's clock.
  sas = accountSas({ ...stack, expiry: new Date(Date.now() + YEAR_MS).toISOString().replace(/\.\d+/, '') });
  await ok({ method: 'PUT', path: '/faults', query: { restype: 'container' } });
  await ok({ method: 'PUT', path: '/faults/blob', body: 'content',
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
});
after(() => stack?.stop());
// One that fails must not take the others along.
afterEach(() => stack.vault.clearFaults());

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
  await stack.vault.fault({ operation: '*', count: -1, action: 'drop' });
  await stack.gateway.restart();
  await listGoesOn();
  const clock = () => Date.now() + stack.gateway.shared.offsetMs;
  const asked = clock();
  const answer = await get();
  assert.equal(answer.status, 503, answer.code);
  assert.ok(answer.headers['retry-after']);
  const status = await stack.keyStatus();
  assert.equal(status.state, 'degraded');
  assert.ok(status.reasonCode && status.reason, 'what the silence is');
  const since = Date.parse(status.unreachableSince);
  assert.ok(since >= asked && since <= clock(), 'since this gateway asked in vain');
  assert.equal((await get()).status, 503);
  assert.equal(Date.parse((await stack.keyStatus()).unreachableSince), since, 'asking again is no new beginning');
  const shown = await stack.ctl('account', 'show', stack.account);
  assert.match(shown.stdout, /^Unreachable +\d{4}-\d\d-\d\d /m);
  await stack.vault.clearFaults();
  await becomes(200);
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
