// SPDX-License-Identifier: Apache-2.0
// The documented list, walked row by row: with the customer key revoked, what the table marks fails
// with 403 for every kind of caller, what it does not mark goes on, and enabling brings all back.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { needsKey, operations, requestFor } from './lib/operations.mjs';
import { BlobServiceClient } from '@azure/storage-blob';

import { makeIdentityProvider } from './lib/identity.mjs';
import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const CODE = 'KeyVaultEncryptionKeyNotFound';
const BLOCK = Buffer.from('block-1').toString('base64');
const rows = operations.filter((row) => row.service === 'BLOB');
const secret = randomBytes(100000);
const LEASE = '11111111-1111-1111-1111-111111111111';
const LARGE = 64 * 1024 * 1024;
const DELEGATOR = randomUUID();
const provider = makeIdentityProvider();
let stack;
let secondKey;

// A batch of one request, which is refused by itself: it has no credential.
function asBatch(request) {
  const container = request.path === '/' ? '/active' : request.path;
  request.headers['content-type'] = 'multipart/mixed; boundary=b';
  request.body = `--b\r\nContent-Type: application/http\r\n\r\nDELETE /${stack.account}${container}/none HTTP/1.1` +
    '\r\n\r\n--b--\r\n';
}
const onPages = (request) => {
  request.path = request.path.replace(/blob$/, 'pages');
  request.headers['x-ms-range'] = 'bytes=512-1023';
};
// From the container's own blob, with a signature for it, whoever asks.
const fromBlob = (request) => {
  const [, container] = request.path.split('/');
  request.headers['x-ms-copy-source'] =
    `${stack.blobEndpoint}/${container}/blob?${encodeQuery(serviceSas(stack, container, 'blob'))}`;
};
const onAppend = (request) => { request.path = request.path.replace(/blob$/, 'append'); };

const eachLease = (action, change) => ({ [`BLOB_LEASE_BLOB_${action}`]: change,
  [`BLOB_LEASE_CONTAINER_${action}`]: change });

// What a row's plainest request still lacks to be a good one.
const complete = {
  BLOB_SET_BLOB_SERVICE_PROPERTIES: (request) => {
    request.body = '<?xml version="1.0"?><StorageServiceProperties><Cors><CorsRule><AllowedOrigins>*' +
      '</AllowedOrigins><AllowedMethods>GET</AllowedMethods><AllowedHeaders/><ExposedHeaders/>' +
      '<MaxAgeInSeconds>1</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>';
  },
  BLOB_PREFLIGHT_BLOB_REQUEST: (request) => {
    request.unsigned = true;
    Object.assign(request.headers, { origin: 'http://a.example', 'access-control-request-method': 'GET' });
  },
  BLOB_GET_BLOB_SERVICE_STATS: (request) => { request.secondary = true; },
  BLOB_BLOB_BATCH: (request) => asBatch(request),
  BLOB_BLOB_BATCH_CONTAINER: (request) => asBatch(request),
  BLOB_FIND_BLOBS_BY_TAGS: (request) => { request.query.where = "a='1'"; },
  BLOB_FIND_BLOBS_BY_TAGS_IN_CONTAINER: (request) => { request.query.where = "a='1'"; },
  BLOB_SET_BLOB_TAGS: (request) => {
    request.body = '<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tags>';
  },
  BLOB_GET_USER_DELEGATION_KEY: (request) => {
    Object.assign(request, { unsigned: true, tls: true });
    request.headers.authorization = `Bearer ${provider.token(DELEGATOR)}`;
    request.body = `<KeyInfo><Start>${new Date().toISOString()}</Start>` +
      `<Expiry>${new Date(Date.now() + 3600e3).toISOString()}</Expiry></KeyInfo>`;
  },
  BLOB_CREATE_CONTAINER: (request) => { request.path += '-new'; },
  BLOB_PUT_BLOB_BLOCKBLOB: (request) => { request.body = secret; },
  BLOB_PUT_BLOCK: (request) => { request.query.blockid = BLOCK; request.body = secret; },
  BLOB_PUT_BLOCK_LIST: (request) => {
    request.path = request.path.replace(/blob$/, 'staged');
    request.body = `<?xml version="1.0"?><BlockList><Latest>${BLOCK}</Latest></BlockList>`;
  },
  BLOB_GET_BLOCK_LIST: (request) => { request.query.blocklisttype = 'all'; },
  BLOB_PUT_BLOB_PAGEBLOB: (request) => { request.headers['x-ms-blob-content-length'] = '8192'; },
  BLOB_PUT_PAGE_UPDATE: (request) => { onPages(request); request.body = secret.subarray(0, 512); },
  BLOB_PUT_PAGE_CLEAR: (request) => onPages(request),
  BLOB_GET_PAGE_RANGES: (request) => { request.path = request.path.replace(/blob$/, 'pages'); },
  BLOB_COPY_BLOB: fromBlob,
  BLOB_COPY_BLOB_FROM_URL: fromBlob,
  BLOB_PUT_BLOB_FROM_URL: fromBlob,
  BLOB_PUT_BLOCK_FROM_URL: (request) => { fromBlob(request); request.query.blockid = BLOCK; },
  BLOB_APPEND_BLOCK_FROM_URL: (request) => { fromBlob(request); onAppend(request); },
  BLOB_ABORT_COPY_BLOB: (request) => {
    request.query.copyid = LEASE;
    request.headers['x-ms-copy-action'] = 'abort';
  },
  BLOB_APPEND_BLOCK: (request) => { onAppend(request); request.body = secret; },
  BLOB_APPEND_BLOB_SEAL: (request) => onAppend(request),
  BLOB_SET_BLOB_METADATA: (request) => { request.headers['x-ms-meta-new'] = 'value'; },
  BLOB_SET_BLOB_TIER: (request) => { request.headers['x-ms-access-tier'] = 'Cool'; },
  BLOB_SET_BLOB_IMMUTABILITY_POLICY: (request) => {
    request.headers['x-ms-immutability-policy-until-date'] = new Date(Date.now() + 86400e3).toUTCString();
  },
  BLOB_SET_BLOB_LEGAL_HOLD: (request) => { request.headers['x-ms-legal-hold'] = 'true'; },
  ...eachLease('ACQUIRE', (request) => { request.headers['x-ms-lease-duration'] = '-1'; }),
  ...eachLease('RENEW', (request) => { request.headers['x-ms-lease-id'] = LEASE; }),
  ...eachLease('CHANGE', (request) => {
    request.headers['x-ms-lease-id'] = LEASE;
    request.headers['x-ms-proposed-lease-id'] = LEASE.replace('1', '2');
  }),
  ...eachLease('RELEASE', (request) => { request.headers['x-ms-lease-id'] = LEASE; }),
};

// What must have been done before, in a row's own container.
const acquire = { 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '-1', 'x-ms-proposed-lease-id': LEASE };
const first = Object.fromEntries(['RENEW', 'CHANGE', 'RELEASE', 'BREAK'].flatMap((action) => [
  [`BLOB_LEASE_BLOB_${action}`, (container) => ({ method: 'PUT', path: `/${container}/blob`,
    query: { comp: 'lease' }, headers: acquire })],
  [`BLOB_LEASE_CONTAINER_${action}`, (container) => ({ method: 'PUT', path: `/${container}`,
    query: { comp: 'lease', restype: 'container' }, headers: acquire })],
]));

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

async function good(request) {
  const answer = await send(stack, request);
  assert.ok(answer.status < 300, `${request.method} ${request.path}: ${answer.status} ${answer.code}`);
  return answer;
}

// Fixtures of one row: a container with a blob and, where the row's request goes to one, with a staged block
// that waits for its commit, an append blob, or a page blob. Of one shard: there are thousands of them.
async function prepare(container, row) {
  const goesTo = (name) => row === undefined || build(row, container).path.endsWith(`/${name}`);
  await good({ method: 'PUT', path: `/${container}`, query: { restype: 'container' },
    headers: { 'x-gatekey-index-shards': '1' } });
  await good({ method: 'PUT', path: `/${container}/blob`, body: secret,
    headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-secret': 'value' } });
  if (goesTo('staged')) {
    await good({ method: 'PUT', path: `/${container}/staged`, query: { comp: 'block', blockid: BLOCK },
      body: secret });
  }
  if (goesTo('append')) {
    await good({ method: 'PUT', path: `/${container}/append`, headers: { 'x-ms-blob-type': 'AppendBlob' } });
  }
  if (goesTo('pages')) {
    await good({ method: 'PUT', path: `/${container}/pages`,
      headers: { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': '8192' } });
  }
  if (row !== undefined && first[row.id]) await good(first[row.id](container));
}

// The documented answers of a row; no copy is ever pending, so that none can be aborted.
const successes = (row) => (row.id === 'BLOB_ABORT_COPY_BLOB' ? ['409'] : row.success.split('|'));

function build(row, container) {
  const request = requestFor(row, container, 'blob');
  complete[row.id]?.(request);
  return request;
}

const served = [];
const containerOf = (phase, caller, index) => `${phase}-${caller.replace(/\W/g, '').toLowerCase()}-${index}`;
let versions;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000,
    bearer: { provider, principals: [{ object_id: DELEGATOR, role: 'delegator' }] } });
  secondKey = (await stack.keysOf(stack.account))[1].value;
});
after(() => stack?.stop());

test('what is served while the key is active, and 501 for what is not', async () => {
  await prepare('active');
  for (const [index, row] of rows.entries()) {
    const container = `active-${index}`;
    await prepare(container, row);
    const answer = await send(stack, build(row, container));
    if (answer.status === 501) {
      assert.equal(answer.code, 'NotImplemented', row.id);
      continue;
    }
    assert.ok(successes(row).includes(String(answer.status)),
      `${row.id}: ${answer.status} ${answer.code} ${answer.body}`);
    served.push([index, row]);
  }
  for (const id of ['BLOB_GET_BLOB', 'BLOB_PUT_BLOB_BLOCKBLOB', 'BLOB_PUT_BLOCK', 'BLOB_PUT_BLOCK_LIST',
    'BLOB_GET_BLOCK_LIST', 'BLOB_GET_BLOB_PROPERTIES', 'BLOB_GET_BLOB_METADATA', 'BLOB_SET_BLOB_METADATA',
    'BLOB_SET_BLOB_PROPERTIES', 'BLOB_DELETE_BLOB', 'BLOB_SNAPSHOT_BLOB', 'BLOB_SNAPSHOT_BLOB_WITH_METADATA', 'BLOB_UNDELETE_BLOB', 'BLOB_LIST_BLOBS', 'BLOB_LIST_BLOBS_WITH_METADATA',
    'BLOB_CREATE_CONTAINER', 'BLOB_DELETE_CONTAINER', 'BLOB_LIST_CONTAINERS',
    'BLOB_GET_CONTAINER_PROPERTIES', 'BLOB_GET_CONTAINER_METADATA', 'BLOB_SET_CONTAINER_METADATA',
    'BLOB_SET_BLOB_SERVICE_PROPERTIES', 'BLOB_GET_BLOB_SERVICE_PROPERTIES',
    'BLOB_PREFLIGHT_BLOB_REQUEST', 'BLOB_GET_BLOB_SERVICE_STATS', 'BLOB_GET_ACCOUNT_INFORMATION',
    'BLOB_GET_USER_DELEGATION_KEY', 'BLOB_BLOB_BATCH', 'BLOB_BLOB_BATCH_CONTAINER',
    'BLOB_PUT_BLOB_APPENDBLOB', 'BLOB_APPEND_BLOCK', 'BLOB_APPEND_BLOB_SEAL',
    'BLOB_PUT_BLOB_PAGEBLOB', 'BLOB_PUT_PAGE_UPDATE', 'BLOB_PUT_PAGE_CLEAR', 'BLOB_GET_PAGE_RANGES',
    'BLOB_COPY_BLOB', 'BLOB_COPY_BLOB_FROM_URL', 'BLOB_PUT_BLOB_FROM_URL', 'BLOB_PUT_BLOCK_FROM_URL',
    'BLOB_APPEND_BLOCK_FROM_URL', 'BLOB_ABORT_COPY_BLOB',
    'BLOB_GET_BLOB_TAGS', 'BLOB_SET_BLOB_TAGS', 'BLOB_FIND_BLOBS_BY_TAGS', 'BLOB_FIND_BLOBS_BY_TAGS_IN_CONTAINER']) {
    assert.ok(served.some(([, row]) => row.id === id), `${id} is not served`);
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
  for (const [caller, credential] of Object.entries(callers)) {
    for (const [index, row] of served) {
      if (credential(row, 'x', 'x') !== undefined) await prepare(containerOf(phase, caller, index), row);
    }
  }
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
