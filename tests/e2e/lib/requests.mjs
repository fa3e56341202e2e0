// SPDX-License-Identifier: Apache-2.0
// A good request for each row of the table of operations, and what must be there before: for the tests that
// walk the table. A row that is served and has no good request here fails them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { operations, requestFor } from './operations.mjs';
import { encodeQuery, send, serviceSas } from './signed.mjs';

export const rows = operations.filter((row) => row.service === 'BLOB');
export const BLOCK = Buffer.from('block-1').toString('base64');
export const secret = randomBytes(100000);
const LEASE = '11111111-1111-1111-1111-111111111111';

// A batch of one request, which is refused by itself: it has no credential.
function asBatch(request, { stack }) {
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
const fromBlob = (request, { stack }) => {
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
  BLOB_BLOB_BATCH: asBatch,
  BLOB_BLOB_BATCH_CONTAINER: asBatch,
  BLOB_FIND_BLOBS_BY_TAGS: (request) => { request.query.where = "a='1'"; },
  BLOB_FIND_BLOBS_BY_TAGS_IN_CONTAINER: (request) => { request.query.where = "a='1'"; },
  BLOB_SET_BLOB_TAGS: (request) => {
    request.body = '<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tags>';
  },
  BLOB_GET_USER_DELEGATION_KEY: (request, { token }) => {
    Object.assign(request, { unsigned: true, tls: true });
    request.headers.authorization = `Bearer ${token()}`;
    request.body = `<KeyInfo><Start>${new Date().toISOString()}</Start>` +
      `<Expiry>${new Date(Date.now() + 3600e3).toISOString()}</Expiry></KeyInfo>`;
  },
  BLOB_CREATE_CONTAINER: (request) => { request.path += '-new'; },
  BLOB_RESTORE_CONTAINER: (request, { container, kept }) => {
    request.headers['x-ms-deleted-container-name'] = container;
    request.headers['x-ms-deleted-container-version'] = kept.get(container);
  },
  BLOB_RENAME_CONTAINER: (request, { container }) => {
    request.headers['x-ms-source-container-name'] = container;
    request.path += '-renamed';
  },
  BLOB_PUT_BLOB_BLOCKBLOB: (request) => { request.body = secret; },
  BLOB_PUT_BLOCK: (request) => { request.query.blockid = BLOCK; request.body = secret; },
  BLOB_PUT_BLOCK_LIST: (request) => {
    request.path = request.path.replace(/blob$/, 'staged');
    request.body = `<?xml version="1.0"?><BlockList><Latest>${BLOCK}</Latest></BlockList>`;
  },
  BLOB_QUERY_BLOB_CONTENTS: (request) => {
    request.body = '<QueryRequest><QueryType>SQL</QueryType><Expression>SELECT COUNT(*) FROM BlobStorage</Expression></QueryRequest>';
  },
  BLOB_GET_BLOCK_LIST: (request) => { request.query.blocklisttype = 'all'; },
  BLOB_PUT_BLOB_PAGEBLOB: (request) => { request.headers['x-ms-blob-content-length'] = '8192'; },
  BLOB_PUT_PAGE_UPDATE: (request) => { onPages(request); request.body = secret.subarray(0, 512); },
  BLOB_PUT_PAGE_CLEAR: (request) => onPages(request),
  BLOB_GET_PAGE_RANGES: (request) => { request.path = request.path.replace(/blob$/, 'pages'); },
  BLOB_COPY_BLOB: fromBlob,
  BLOB_COPY_BLOB_FROM_URL: fromBlob,
  BLOB_PUT_BLOB_FROM_URL: fromBlob,
  BLOB_PUT_BLOCK_FROM_URL: (request, around) => { fromBlob(request, around); request.query.blockid = BLOCK; },
  BLOB_PUT_PAGE_FROM_URL: (request, around) => {
    fromBlob(request, around);
    onPages(request);
    request.headers['x-ms-source-range'] = 'bytes=0-511';
  },
  BLOB_APPEND_BLOCK_FROM_URL: (request, around) => { fromBlob(request, around); onAppend(request); },
  BLOB_INCREMENTAL_COPY_BLOB: (request, { stack, container, snapshots }) => {
    request.path = request.path.replace(/blob$/, 'follower');
    request.headers['x-ms-copy-source'] = `${stack.blobEndpoint}/${container}/pages?` +
      encodeQuery({ snapshot: snapshots.get(container), ...serviceSas(stack, container, 'pages') });
  },
  BLOB_ABORT_COPY_BLOB: (request) => {
    request.query.copyid = LEASE;
    request.headers['x-ms-copy-action'] = 'abort';
  },
  BLOB_APPEND_BLOCK: (request) => { onAppend(request); request.body = secret; },
  BLOB_APPEND_BLOB_SEAL: (request) => onAppend(request),
  BLOB_SET_BLOB_METADATA: (request) => { request.headers['x-ms-meta-new'] = 'value'; },
  BLOB_SET_BLOB_EXPIRY: (request) => {
    Object.assign(request.headers, { 'x-ms-expiry-option': 'RelativeToNow', 'x-ms-expiry-time': '3600000' });
  },
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

// What must have been done before, in a row's own container, beside what prepare() does for each.
const acquire = { 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '-1', 'x-ms-proposed-lease-id': LEASE };
const first = Object.fromEntries(['RENEW', 'CHANGE', 'RELEASE', 'BREAK'].flatMap((action) => [
  [`BLOB_LEASE_BLOB_${action}`, (container) => ({ method: 'PUT', path: `/${container}/blob`,
    query: { comp: 'lease' }, headers: acquire })],
  [`BLOB_LEASE_CONTAINER_${action}`, (container) => ({ method: 'PUT', path: `/${container}`,
    query: { comp: 'lease', restype: 'container' }, headers: acquire })],
]));

// Does all of these, some of them at once.
export async function inTurns(actions) {
  const left = [...actions];
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left.length > 0) await left.shift()();
  }));
}

// The documented answers of a row; no copy is pending there, so that none can be aborted (copy_pending.test.mjs).
export const successes = (row) => (row.id === 'BLOB_ABORT_COPY_BLOB' ? ['409'] : row.success.split('|'));

/*
 * Requests to one account. stack: of startStack(); token(): a bearer token of who may get delegation keys.
 *   build(row, container)    a good request of the row, for send()
 *   prepare(container, row)  what it needs: a container with a blob and, where the request goes to one, with a
 *                            staged block that waits for its commit, an append blob or a page blob; without a
 *                            row the container and the blob. Of one shard: there are thousands of them.
 *   good(request)            sends one that must succeed
 */
export function blobRequests(stack, { token }) {
  const kept = new Map(); // containers that were deleted, and under which versions
  const snapshots = new Map(); // of the page blob in a container
  const build = (row, container) => {
    const request = requestFor(row, container, 'blob');
    complete[row.id]?.(request, { stack, token, container, kept, snapshots });
    return request;
  };
  const good = async (request) => {
    const answer = await send(stack, request);
    assert.ok(answer.status < 300, `${request.method} ${request.path}: ${answer.status} ${answer.code}`);
    return answer;
  };
  const deleteAndKeep = async (container) => {
    await stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`,
      { body: { properties: { containerDeleteRetentionPolicy: { enabled: true, days: 1 } } } });
    await good({ method: 'DELETE', path: `/${container}`, query: { restype: 'container' } });
    const { body } = await good({ method: 'GET', path: '/',
      query: { comp: 'list', prefix: container, include: 'deleted' } });
    kept.set(container, String(body).match(/<Version>(\w+)<\/Version>/)[1]);
  };
  const prepare = async (container, row) => {
    const goesTo = (name) => row !== undefined && build(row, container).path.endsWith(`/${name}`);
    const put = (name, type, more = {}, headers = {}) => good({ method: 'PUT', path: `/${container}/${name}`,
      headers: { 'x-ms-blob-type': type, ...headers }, ...more });
    await good({ method: 'PUT', path: `/${container}`, query: { restype: 'container' },
      headers: { 'x-gatekey-index-shards': '1' } });
    await put('blob', 'BlockBlob', { body: secret }, { 'x-ms-meta-secret': 'value' });
    if (goesTo('append')) await put('append', 'AppendBlob');
    const follows = row?.id === 'BLOB_INCREMENTAL_COPY_BLOB';
    if (goesTo('pages') || follows) await put('pages', 'PageBlob', {}, { 'x-ms-blob-content-length': '8192' });
    if (follows) {
      const { headers } = await good({ method: 'PUT', path: `/${container}/pages`, query: { comp: 'snapshot' } });
      snapshots.set(container, headers['x-ms-snapshot']);
    }
    if (goesTo('staged')) {
      await good({ method: 'PUT', path: `/${container}/staged`, query: { comp: 'block', blockid: BLOCK },
        body: secret });
    }
    if (first[row?.id]) await good(first[row.id](container));
    if (row?.id === 'BLOB_RESTORE_CONTAINER') await deleteAndKeep(container);
  };
  return { build, good, prepare };
}
