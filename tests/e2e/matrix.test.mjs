// SPDX-License-Identifier: Apache-2.0
// Every Blob operation of the table in every state that a customer's key can be in: the documented status and
// code in each cell, nothing changed by what was refused, and all of it back when the key is. Callers of other
// kinds, and a gateway that starts in the dark, are in revocation.test.mjs; other ways for a vault to refuse or
// to be silent, in faults.test.mjs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { makeIdentityProvider } from './lib/identity.mjs';
import { needsKey } from './lib/operations.mjs';
import { BLOCK, blobRequests, inTurns, rows, secret, successes } from './lib/requests.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

// Clocks are moved by less than the 15 minutes for which a signature is good.
const GRACE_S = 60;
const TOKEN_LIFE_S = 300;
const PERMISSIONS = ['get', 'wrapKey', 'unwrapKey'];
const REFUSED = { status: 403, code: 'KeyVaultEncryptionKeyNotFound', state: 'revoked' };
const DELEGATOR = randomUUID();
const provider = makeIdentityProvider();
let stack;
let build;
let prepare;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000, graceS: GRACE_S, movableClock: true, requestTimeoutMs: 500,
    vaultDeadlineMs: 2000, vault: { tokenLifetimeS: TOKEN_LIFE_S },
    bearer: { provider, principals: [{ object_id: DELEGATOR, role: 'delegator' }] } });
  ({ build, prepare } = blobRequests(stack, { token: () => provider.token(DELEGATOR) }));
  await prepare('active');
});
after(() => stack?.stop());

async function silence() {
  await stack.vault.fault({ operation: '*', count: -1, action: 'drop' });
  return () => stack.vault.clearFaults();
}

// The state, how it is brought about (resolves with how it is undone), and what the operations that need the
// key answer in it: undefined for the documented success.
const states = [
  ['active', async () => () => {}],
  ['disabled', async () => {
    const versions = await stack.vault.disableAllVersions(stack.keyName);
    return () => stack.vault.enableVersions(stack.keyName, versions);
  }, REFUSED],
  ['deleted', async () => {
    await stack.vault.deleteKey(stack.keyName);
    return () => stack.vault.recoverKey(stack.keyName);
  }, REFUSED],
  ['permission removed', async () => {
    await stack.vault.setPermissions('gateway', PERMISSIONS.filter((name) => name !== 'unwrapKey'));
    return () => stack.vault.setPermissions('gateway', PERMISSIONS);
  }, REFUSED],
  ['identity gone', async () => {
    await stack.vault.setIdentityEnabled('gateway', false);
    stack.gateway.moveClock(TOKEN_LIFE_S * 1000);
    return () => stack.vault.setIdentityEnabled('gateway', true);
  }, { ...REFUSED, code: 'KeyVaultAccessTokenCannotBeAcquired' }],
  ['vault unreachable inside the grace', async () => {
    const undo = await silence();
    await stack.until(async () => (await stack.keyStatus()).state === 'unreachable', 'unreachable');
    return undo;
  }],
  ['vault unreachable past the grace', async () => {
    const undo = await silence();
    await stack.until(async () => (await stack.keyStatus()).state === 'unreachable', 'unreachable');
    stack.gateway.moveClock((GRACE_S + 5) * 1000);
    return undo;
  }, { status: 503, code: 'ServerBusy', state: 'degraded' }],
  ['expired', async () => {
    await stack.vault.expireKey(stack.keyName);
    await stack.vault.waitForCall('unwrapKey', stack.keyName);
    return () => {};
  }],
  ['rotated', async () => {
    const version = await stack.vault.rotate(stack.keyName);
    await stack.checkKey();
    assert.ok((await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`));
    return () => {};
  }],
  // The key is not missed any more.
  ['switched to service-managed', async () => {
    await stack.management.good('PATCH', stack.accountPath(stack.account),
      { body: { properties: { encryption: { keySource: 'Microsoft.Storage' } } } });
    await stack.vault.deleteKey(stack.keyName);
    assert.equal((await stack.keyStatus()).state, 'service-managed');
    return () => {};
  }],
];

const containerOf = (state, row) => `${state}-${rows.indexOf(row)}`.replace(/\W+/g, '-');
const etagOf = async (path) => (await send(stack, { method: 'HEAD', path })).headers.etag;
const answers = (status, code) => stack.until(async () => {
  const answer = await send(stack, { method: 'HEAD', path: '/active/blob' });
  return answer.status === status && answer.code === code;
}, `${status} ${code}`);

// What is in the row's cell: one of these statuses and, for a refusal, this code.
function wantedOf(row, refusal) {
  if (refusal && needsKey(row)) return { statuses: [String(refusal.status)], code: refusal.code };
  return { statuses: successes(row) };
}

for (const [state, enter, refusal] of states) {
  test(`${state}: every operation of the table`, async () => {
    const before = new Map();
    await inTurns(rows.map((row) => async () => {
      const container = containerOf(state, row);
      await prepare(container, row);
      const { path } = build(row, container);
      if (row.level === 'BLOB') before.set(path, await etagOf(path));
    }));

    const leave = await enter();
    if (refusal) {
      await answers(refusal.status, refusal.code);
      assert.equal((await stack.keyStatus()).state, refusal.state);
    }
    const wrong = [];
    for (const row of rows) {
      const answer = await send(stack, build(row, containerOf(state, row)));
      const wanted = wantedOf(row, refusal);
      const right = wanted.statuses.includes(String(answer.status)) && (!wanted.code || answer.code === wanted.code) &&
        (answer.status !== 503 || /^[1-9]\d*$/.test(answer.headers['retry-after'])) &&
        (!wanted.code || !answer.body.includes(secret.subarray(0, 16)));
      if (!right) wrong.push(`${row.id}: ${answer.status} ${answer.code ?? ''}`);
    }
    await leave();
    assert.deepEqual(wrong, []);
    await answers(200, undefined);

    for (const row of rows.filter((one) => refusal && one.level === 'BLOB' && needsKey(one))) {
      const { path } = build(row, containerOf(state, row));
      assert.equal(await etagOf(path), before.get(path), `${row.id} was refused, and changed something`);
    }
  });
}

test('half-way: what was begun in the light and ended in the dark, and the other way round', async () => {
  const key = { vaultUri: stack.vault.uri, name: 'half-way' };
  await stack.vault.createKey(key.name);
  await stack.createAccount('halfway', key);
  const [{ value: accountKey }] = await stack.keysOf('halfway');
  const account = { ...stack, account: 'halfway', accountKey,
    blobEndpoint: `${stack.gateway.ready.blob_endpoint}/halfway` };
  const call = (method, path, query = {}, more = {}) => send(account, { method, path, query, ...more });
  const does = async (status, ...request) => {
    const answer = await call(...request);
    assert.equal(answer.status, status, `${request.slice(0, 2).join(' ')}: ${answer.status} ${answer.code}`);
    return answer;
  };
  const isRefused = async (...request) => assert.equal((await does(403, ...request)).code, REFUSED.code);
  const put = (path, body) => does(201, 'PUT', path, {},
    { body, headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-of': 'base' } });
  const list = (more) => ['GET', '/box', { restype: 'container', comp: 'list', ...more }];
  const blocks = `<BlockList><Latest>${BLOCK}</Latest></BlockList>`;

  const kept = '<DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy>';
  await does(202, 'PUT', '/', { restype: 'service', comp: 'properties' },
    { body: `<StorageServiceProperties>${kept}</StorageServiceProperties>` });
  await does(201, 'PUT', '/box', { restype: 'container' });
  for (const name of ['kept', 'gone', 'back', 'base']) await put(`/box/${name}`, secret);
  await does(202, 'DELETE', '/box/back');
  await does(201, 'PUT', '/box/staged', { comp: 'block', blockid: BLOCK }, { body: secret });

  const versions = await stack.vault.disableAllVersions(key.name);
  await stack.until(async () => (await call('GET', '/box/kept')).code === REFUSED.code, 'the dark');
  await isRefused('PUT', '/box/staged', { comp: 'blocklist' }, { body: blocks, headers: { 'x-ms-meta-a': 'b' } });
  await does(201, 'PUT', '/box/staged', { comp: 'blocklist' }, { body: blocks });
  await isRefused('GET', '/box/staged');
  // What is made of nothing needs a data key.
  await isRefused('PUT', '/box/nothing', { comp: 'blocklist' }, { body: '<BlockList/>' });
  await does(202, 'DELETE', '/box/gone');
  await does(202, 'DELETE', '/box/kept');
  await does(200, 'PUT', '/box/kept', { comp: 'undelete' });
  await does(200, 'PUT', '/box/back', { comp: 'undelete' });
  await isRefused('PUT', '/box/base', { comp: 'snapshot' }, { headers: { 'x-ms-meta-of': 'snapshot' } });
  const { headers } = await does(201, 'PUT', '/box/base', { comp: 'snapshot' });
  const snapshot = { snapshot: headers['x-ms-snapshot'] };
  await isRefused('GET', '/box/base', snapshot);
  await does(200, 'PUT', '/box/base', { comp: 'properties' }, { headers: { 'x-ms-blob-content-type': 'a/dark' } });
  await isRefused(...list({ include: 'metadata' }));
  await isRefused(...list({ include: 'snapshots,metadata', delimiter: '/' }));
  for (const include of [undefined, 'snapshots,deleted,tags']) {
    const { body } = await does(200, ...list(include ? { include } : {}));
    assert.ok(body.includes('<Name>base</Name>') && body.includes('a/dark') && !body.includes('<Metadata>'));
  }

  await stack.vault.enableVersions(key.name, versions);
  await stack.until(async () => (await call('GET', '/box/kept')).status === 200, 'the light');
  for (const [path, query, metadata] of [['/box/staged', {}, undefined], ['/box/kept', {}, 'base'],
    ['/box/back', {}, 'base'], ['/box/base', {}, 'base'], ['/box/base', snapshot, 'base']]) {
    const answer = await does(200, 'GET', path, query);
    assert.ok(answer.body.equals(secret), path);
    assert.equal(answer.headers['x-ms-meta-of'], metadata, path);
  }
  assert.equal((await does(404, 'GET', '/box/gone')).code, 'BlobNotFound');
  assert.ok((await does(200, ...list({ include: 'metadata' }))).body.includes('<of>base</of>'));

  // The first request to a gateway that has not asked for the key yet.
  await stack.gateway.restart();
  await does(201, 'PUT', '/box/nothing', { comp: 'blocklist' }, { body: '<BlockList/>' });
});
