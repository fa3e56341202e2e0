// SPDX-License-Identifier: Apache-2.0
// The documented list, walked row by row: with the customer key revoked, what the table marks fails
// with 403 for every kind of caller, what it does not mark goes on, and enabling brings all back.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { needsKey, operations, requestFor } from './lib/operations.mjs';
import { accountSas, send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const CODE = 'KeyVaultEncryptionKeyNotFound';
const BLOCK = Buffer.from('block-1').toString('base64');
const rows = operations.filter((row) => row.service === 'BLOB');
const secret = randomBytes(100000);
let stack;

// What a row's plainest request still lacks to be a good one.
const complete = {
  BLOB_CREATE_CONTAINER: (request) => { request.path += '-new'; },
  BLOB_PUT_BLOB_BLOCKBLOB: (request) => { request.body = secret; },
  BLOB_PUT_BLOCK: (request) => { request.query.blockid = BLOCK; request.body = secret; },
  BLOB_PUT_BLOCK_LIST: (request) => {
    request.path = request.path.replace(/blob$/, 'staged');
    request.body = `<?xml version="1.0"?><BlockList><Latest>${BLOCK}</Latest></BlockList>`;
  },
  BLOB_GET_BLOCK_LIST: (request) => { request.query.blocklisttype = 'all'; },
  BLOB_SET_BLOB_METADATA: (request) => { request.headers['x-ms-meta-new'] = 'value'; },
};

const callers = {
  'account key': () => ({}),
  'account SAS': () => ({ sas: accountSas(stack) }),
};

async function good(request) {
  const answer = await send(stack, request);
  assert.ok(answer.status < 300, `${request.method} ${request.path}: ${answer.status} ${answer.code}`);
  return answer;
}

// Fixtures of one row: a container with a blob and with a staged block that waits for its commit.
async function prepare(container) {
  await good({ method: 'PUT', path: `/${container}`, query: { restype: 'container' } });
  await good({ method: 'PUT', path: `/${container}/blob`, body: secret,
    headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-secret': 'value' } });
  await good({ method: 'PUT', path: `/${container}/staged`, query: { comp: 'block', blockid: BLOCK },
    body: secret });
}

function build(row, container) {
  const request = requestFor(row, container, 'blob');
  complete[row.id]?.(request);
  return request;
}

const served = [];
const containerOf = (phase, caller, index) => `${phase}-${caller.replace(/\W/g, '').toLowerCase()}-${index}`;
let versions;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
});
after(() => stack?.stop());

test('what is served while the key is active, and 501 for what is not', async () => {
  await prepare('active');
  for (const [index, row] of rows.entries()) {
    const container = `active-${index}`;
    await prepare(container);
    const answer = await send(stack, build(row, container));
    if (answer.status === 501) {
      assert.equal(answer.code, 'NotImplemented', row.id);
      continue;
    }
    assert.ok(row.success.split('|').includes(String(answer.status)),
      `${row.id}: ${answer.status} ${answer.code} ${answer.body}`);
    served.push([index, row]);
  }
  for (const id of ['BLOB_GET_BLOB', 'BLOB_PUT_BLOB_BLOCKBLOB', 'BLOB_PUT_BLOCK', 'BLOB_PUT_BLOCK_LIST',
    'BLOB_GET_BLOCK_LIST', 'BLOB_GET_BLOB_PROPERTIES', 'BLOB_GET_BLOB_METADATA', 'BLOB_SET_BLOB_METADATA',
    'BLOB_SET_BLOB_PROPERTIES', 'BLOB_DELETE_BLOB', 'BLOB_LIST_BLOBS', 'BLOB_LIST_BLOBS_WITH_METADATA',
    'BLOB_CREATE_CONTAINER', 'BLOB_DELETE_CONTAINER', 'BLOB_LIST_CONTAINERS',
    'BLOB_GET_CONTAINER_PROPERTIES', 'BLOB_GET_CONTAINER_METADATA', 'BLOB_SET_CONTAINER_METADATA']) {
    assert.ok(served.some(([, row]) => row.id === id), `${id} is not served`);
  }
});

async function walk(phase, revoked) {
  for (const [caller, credential] of Object.entries(callers)) {
    for (const [index, row] of served) {
      const request = { ...build(row, containerOf(phase, caller, index)), ...credential() };
      const answer = await send(stack, request);
      const what = `${phase}, ${caller}, ${row.id}: ${answer.status} ${answer.code}`;
      if (revoked && needsKey(row)) {
        assert.equal(answer.status, 403, what);
        assert.equal(answer.code, CODE, what);
        assert.ok(!answer.body.includes(secret.subarray(0, 16)));
      } else {
        assert.ok(row.success.split('|').includes(String(answer.status)), what);
      }
    }
  }
}

async function prepareAll(phase) {
  for (const caller of Object.keys(callers)) {
    for (const [index] of served) await prepare(containerOf(phase, caller, index));
  }
}

async function waitForStatus(status) {
  await stack.until(async () => {
    const answer = await send(stack, { method: 'GET', path: '/active/blob' });
    return answer.status === status;
  }, `Get Blob to answer ${status}`);
}

test('the key is disabled with the vendor’s SDK: the marked operations fail, the others go on', async () => {
  await prepareAll('dark');
  await prepareAll('later');
  versions = await stack.vault.disableAllVersions(stack.keyName);
  await waitForStatus(403);
  await walk('dark', true);
});

test('metadata headers make Put Block List and nothing else need the key', async () => {
  const body = `<BlockList><Latest>${BLOCK}</Latest></BlockList>`;
  const answer = await send(stack, { method: 'PUT', path: '/active-0/staged', query: { comp: 'blocklist' },
    headers: { 'x-ms-meta-a': 'b' }, body });
  assert.equal(answer.code, CODE);
  await good({ method: 'PUT', path: '/with-meta', query: { restype: 'container' },
    headers: { 'x-ms-meta-a': 'b' } });
});

test('a gateway that starts while the key is disabled serves what goes on', async () => {
  await stack.gateway.restart();
  const list = await good({ method: 'GET', path: '/active', query: { restype: 'container', comp: 'list' } });
  assert.ok(list.body.includes('<Name>blob</Name>'));
  const get = await send(stack, { method: 'GET', path: '/active/blob' });
  assert.equal(get.status, 403);
  assert.equal(get.code, CODE);
  const head = await send(stack, { method: 'HEAD', path: '/active/blob' });
  assert.equal(head.code, CODE);
});

test('enabled again: everything is back without a restart', async () => {
  await stack.vault.enableVersions(stack.keyName, versions);
  await waitForStatus(200);
  await walk('later', false);
  const blob = await good({ method: 'GET', path: '/active/blob' });
  assert.ok(blob.body.equals(secret));
  // What was committed in the dark is readable in the light.
  const index = served.find(([, row]) => row.id === 'BLOB_PUT_BLOCK_LIST')[0];
  const staged = await good({ method: 'GET', path: `/${containerOf('dark', 'account key', index)}/staged` });
  assert.ok(staged.body.equals(secret));
});
