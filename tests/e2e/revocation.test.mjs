// SPDX-License-Identifier: Apache-2.0
// The documented list, walked row by row: with the customer key revoked, what the table marks fails
// with 403 for every kind of caller, what it does not mark goes on, and enabling brings all back.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { makeIdentityProvider } from './lib/identity.mjs';
import { needsKey } from './lib/operations.mjs';
import { BLOCK, blobRequests, inTurns, rows, secret, successes } from './lib/requests.mjs';
import { accountSas, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const CODE = 'KeyVaultEncryptionKeyNotFound';
const LARGE = 64 * 1024 * 1024;
const DELEGATOR = randomUUID();
const provider = makeIdentityProvider();
let stack;
let secondKey;
let build;
let good;
let prepare;

// Everyone who may call: who it is (undefined: it may not), for a row and its container.
const onBlob = (row) => row.level === 'BLOB';
const ofOwner = (row) => row.comp === 'acl';
const inContainer = (row) => onBlob(row) || row.id.startsWith('BLOB_LIST_BLOBS');
const callers = {
  'account key': () => ({}),
  'second key': () => ({ as: { ...stack, accountKey: secondKey } }),
  'account key over TLS': () => ({ tls: true }),
  'account SAS': (row) => (ofOwner(row) ? undefined : { sas: accountSas(stack) }),
  'account SAS over TLS': (row) => (ofOwner(row) ? undefined : { sas: accountSas(stack), tls: true }),
  'container SAS': (row, container) => (inContainer(row) ? { sas: serviceSas(stack, container) } : undefined),
  'blob SAS': (row, container, blob) => (onBlob(row) ? { sas: serviceSas(stack, container, blob) } : undefined),
};

const served = [...rows.entries()];
const containerOf = (phase, caller, index) => `${phase}-${caller.replace(/\W/g, '').toLowerCase()}-${index}`;
let versions;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000,
    bearer: { provider, principals: [{ object_id: DELEGATOR, role: 'delegator' }] } });
  secondKey = (await stack.keysOf(stack.account))[1].value;
  ({ build, good, prepare } = blobRequests(stack, { token: () => provider.token(DELEGATOR) }));
});
after(() => stack?.stop());

test('every operation is served while the key is active', async () => {
  await prepare('active');
  for (const [index, row] of served) {
    const container = `active-${index}`;
    await prepare(container, row);
    const answer = await send(stack, build(row, container));
    assert.ok(successes(row).includes(String(answer.status)),
      `${row.id}: ${answer.status} ${answer.code} ${answer.body}`);
  }
});

async function walk(phase, revoked) {
  let denied = 0;
  for (const [caller, credential] of Object.entries(callers)) {
    for (const [index, row] of served) {
      const container = containerOf(phase, caller, index);
      const plain = build(row, container);
      const who = credential(row, container, plain.path.split('/')[2]);
      if (who === undefined) continue;
      const answer = await send(who.as ?? stack, { ...plain, ...who });
      const what = `${phase}, ${caller}, ${row.id}: ${answer.status} ${answer.code}`;
      if (revoked && needsKey(row)) {
        assert.equal(answer.status, 403, what);
        assert.equal(answer.code, CODE, what);
        assert.ok(!answer.body.includes(secret.subarray(0, 16)));
        denied++;
      } else {
        assert.ok(successes(row).includes(String(answer.status)), what);
      }
    }
  }
  return denied;
}

async function prepareAll(phase) {
  await inTurns(Object.entries(callers).flatMap(([caller, credential]) => served
    .filter(([, row]) => credential(row, 'x', 'x') !== undefined)
    .map(([index, row]) => () => prepare(containerOf(phase, caller, index), row))));
}

async function waitForStatus(status) {
  await stack.until(async () => {
    const answer = await send(stack, { method: 'GET', path: '/active/blob' });
    return answer.status === status;
  }, `Get Blob to answer ${status}`);
}

// A request under way: its options go to node:http, and the caller ends it.
function begin(method, path, headers, onAnswer) {
  const sas = new URLSearchParams(accountSas(stack));
  const url = new URL(`${stack.blobEndpoint}${path}?${sas}`);
  const request = http.request(url, { method, agent: false,
    headers: { 'x-ms-version': '2021-12-02', ...headers } }, onAnswer);
  return request;
}

// Resolves with how many bytes came, and whether all of them did.
function beginDownload() {
  return new Promise((resolve, reject) => {
    const request = begin('GET', '/active/large', {}, (answer) => {
      assert.equal(answer.statusCode, 200);
      answer.once('readable', () => {
        resolve({ finish: () => new Promise((done) => {
          let bytes = 0;
          answer.on('data', (part) => { bytes += part.length; });
          answer.once('close', () => done({ bytes, complete: answer.complete }));
          answer.on('error', () => {});
        }) });
      });
    });
    request.once('error', reject);
    request.end();
  });
}

function beginUpload() {
  const headers = { 'content-length': LARGE, 'x-ms-blob-type': 'BlockBlob' };
  let settle;
  const answered = new Promise((resolve) => { settle = resolve; });
  const request = begin('PUT', '/active/half', headers, (answer) => {
    answer.resume();
    settle({ status: answer.statusCode, code: answer.headers['x-ms-error-code'] });
  });
  request.on('error', (error) => settle({ error }));
  return new Promise((resolve) => {
    request.write(Buffer.alloc(LARGE / 2), () => resolve({ finish: () => {
      request.end(Buffer.alloc(LARGE / 2));
      return answered;
    } }));
  });
}

test('the key is disabled with the vendor’s SDK: the marked operations fail, the others go on', async () => {
  for (const phase of ['dark', 'restarted', 'later']) await prepareAll(phase);
  await good({ method: 'PUT', path: '/active/large', body: Buffer.alloc(LARGE, 'large'),
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
  const download = await beginDownload();
  const upload = await beginUpload();
  versions = await stack.vault.disableAllVersions(stack.keyName);
  await waitForStatus(403);

  // What was under way ends without the rest, in either direction.
  const { bytes, complete } = await download.finish();
  assert.ok(!complete && bytes < LARGE, `${bytes} bytes came`);
  const end = await upload.finish();
  assert.ok(end.error || (end.status === 403 && end.code === CODE), `${end.status} ${end.code}`);

  const denied = await walk('dark', true);
  assert.equal(denied, served.filter(([, row]) => needsKey(row)).length * 5 +
    served.filter(([, row]) => needsKey(row) && inContainer(row)).length +
    served.filter(([, row]) => needsKey(row) && onBlob(row)).length);
});

test('what the SDK makes of it; who has no right to ask is told that and no more', async () => {
  const service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  const blob = service.getContainerClient('active').getBlockBlobClient('blob');
  for (const attempt of [() => blob.downloadToBuffer(), () => blob.getProperties(), () => blob.upload('x', 1)]) {
    await assert.rejects(attempt(), (error) => error.statusCode === 403 &&
      (error.code ?? error.details?.errorCode) === CODE);
  }
  const stranger = { ...stack, accountKey: randomBytes(64).toString('base64') };
  const answer = await send(stranger, { method: 'GET', path: '/active/blob' });
  assert.equal(answer.status, 403);
  assert.equal(answer.code, 'AuthenticationFailed');
});

test('other accounts have nothing to do with it', async () => {
  await stack.vault.createKey('other-key');
  const keys = { others: { vaultUri: stack.vault.uri, name: 'other-key' }, plain: undefined };
  for (const [account, key] of Object.entries(keys)) {
    await stack.createAccount(account, key);
    const [{ value: accountKey }] = await stack.keysOf(account);
    const other = { account, accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${account}` };
    for (const request of [{ method: 'PUT', path: '/box', query: { restype: 'container' } },
      { method: 'PUT', path: '/box/blob', body: secret, headers: { 'x-ms-blob-type': 'BlockBlob' } },
      { method: 'GET', path: '/box/blob' }]) {
      const answer = await send(other, request);
      assert.ok(answer.status < 300, `${account}: ${answer.status} ${answer.code}`);
    }
  }
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
  await walk('restarted', true);
});

test('enabled again: everything is back without a restart', async () => {
  await stack.vault.enableVersions(stack.keyName, versions);
  await waitForStatus(200);
  await walk('later', false);
  const blob = await good({ method: 'GET', path: '/active/blob' });
  assert.ok(blob.body.equals(secret));
  const half = await send(stack, { method: 'GET', path: '/active/half' });
  assert.equal(half.code, 'BlobNotFound', 'half of an upload was kept');
  // What was committed in the dark is readable in the light.
  const index = served.find(([, row]) => row.id === 'BLOB_PUT_BLOCK_LIST')[0];
  const staged = await good({ method: 'GET', path: `/${containerOf('dark', 'account key', index)}/staged` });
  assert.ok(staged.body.equals(secret));
});
