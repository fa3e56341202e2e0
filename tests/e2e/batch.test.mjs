// SPDX-License-Identifier: Apache-2.0
// Blob Batch with the vendor's SDK and by hand: each request of a batch fares as it would alone, with its
// own credential; what is no batch does nothing at all.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobBatchClient, BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { accountSas, encodeQuery, send, serviceSas, sharedKey } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

let stack;
let service;
let container;
let credential;

before(async () => {
  stack = await startStack({ customerKey: false });
  credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
  service = new BlobServiceClient(stack.blobEndpoint, credential, noRetry);
  container = service.getContainerClient('batched');
  await container.create();
});
after(() => stack?.stop());

// One after the other: clients keep their connections.
async function put(count, prefix) {
  const blobs = Array.from({ length: count }, (_, i) => container.getBlockBlobClient(`${prefix}-${i}`));
  for (const blob of blobs) await blob.upload('content', 7);
  return blobs;
}
const names = async (prefix) => {
  const found = [];
  for await (const item of container.listBlobsFlat({ prefix })) found.push(item.name);
  return found;
};

test('256 blobs go in one request', async () => {
  const blobs = await put(256, 'many');
  const answer = await service.getBlobBatchClient().deleteBlobs(blobs.map((blob) => blob.url), credential);
  assert.equal(answer._response.status, 202);
  assert.equal(answer.subResponsesSucceededCount, 256);
  assert.deepEqual(await names('many'), []);
});

test('a part fails by itself', async () => {
  const [one, two] = await put(2, 'some');
  const urls = [one.url, container.getBlobClient('some-none').url, two.url];
  for (const client of [service.getBlobBatchClient(), container.getBlobBatchClient()]) {
    await put(2, 'some');
    const answer = await client.deleteBlobs(urls, credential);
    assert.equal(answer.subResponsesSucceededCount, 2);
    assert.equal(answer.subResponsesFailedCount, 1);
    assert.deepEqual(answer.subResponses.map((part) => part.status), [202, 404, 202]);
    assert.equal(answer.subResponses[1].errorCode, 'BlobNotFound');
    assert.ok(answer.subResponses[0].headers.get('x-ms-request-id'));
  }
  assert.deepEqual(await names('some'), []);
});

test('parts with a signature of their own, and one that is not allowed to', async () => {
  const blobs = await put(2, 'sas');
  const url = (blob, permissions) =>
    `${blob.url}?${encodeQuery(serviceSas(stack, 'batched', blob.name, permissions))}`;
  const parts = [`${new URL(url(blobs[0], 'd')).pathname}${new URL(url(blobs[0], 'd')).search}`,
    `${new URL(url(blobs[1], 'r')).pathname}${new URL(url(blobs[1], 'r')).search}`];
  const answer = await batch(parts.map((target) => ({ target })));
  assert.equal(answer.status, 202);
  assert.match(answer.headers['content-type'], /^multipart\/mixed; boundary=batchresponse_/);
  assert.deepEqual([...answer.body.toString().matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]), ['202', '403']);
  assert.deepEqual(await names('sas'), ['sas-1']);
});

test('the batch itself with a signature', async () => {
  const [blob] = await put(1, 'around');
  for (const sas of [accountSas({ ...stack, permissions: 'd' }), serviceSas(stack, 'batched', undefined, 'd')]) {
    await blob.upload('content', 7);
    const client = new BlobBatchClient(`${container.url}?${encodeQuery(sas)}`, undefined, noRetry);
    const answer = await client.deleteBlobs([blob.url], credential);
    assert.equal(answer.subResponsesSucceededCount, 1);
  }
  const read = new BlobBatchClient(`${container.url}?${encodeQuery(accountSas({ ...stack, permissions: 'r' }))}`,
    undefined, noRetry);
  await assert.rejects(read.deleteBlobs([blob.url], credential), (error) => error.statusCode === 403);
});

/* --- by hand -----------------------------------------------------------------------------------*/

// parts: { method, target, headers } each; or a whole body.
function batch(parts, { path = '/', query = {}, boundary = 'batch_1', type } = {}) {
  const body = typeof parts === 'string' ? parts : `${parts.map((part, i) => [`--${boundary}`,
    'Content-Type: application/http', 'Content-Transfer-Encoding: binary', `Content-ID: ${i}`, '',
    `${part.method ?? 'DELETE'} ${part.target} HTTP/1.1`,
    ...Object.entries(part.headers ?? {}).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'))
    .join('')}--${boundary}--\r\n`;
  return send(stack, { method: 'POST', path, query: { comp: 'batch', ...query }, body,
    headers: { 'content-type': type ?? `multipart/mixed; boundary=${boundary}` } });
}

function signed(path, method = 'DELETE', query = {}) {
  const target = new URL(stack.blobEndpoint).pathname + path;
  const headers = { 'x-ms-date': new Date().toUTCString() };
  headers.authorization = sharedKey({ ...stack, method, path: target, query, headers });
  return { method, target: Object.keys(query).length ? `${target}?${encodeQuery(query)}` : target, headers };
}

test('without a credential a part is nobody’s', async () => {
  await put(1, 'nobody');
  const answer = await batch([{ target: signed('/batched/nobody-0').target }]);
  assert.equal(answer.status, 202);
  assert.match(answer.body.toString(), /HTTP\/1\.1 40[13] /);
  assert.deepEqual(await names('nobody'), ['nobody-0']);
});

test('a part may leave out the account, as the vendor’s Python SDK does', async () => {
  await put(1, 'python');
  const headers = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-12-02' };
  headers.authorization = sharedKey({ ...stack, method: 'DELETE', path: '/batched/python-0', query: {}, headers });
  const answer = await batch([{ target: '/batched/python-0?', headers }]);
  assert.match(answer.body.toString(), /HTTP\/1\.1 202 Accepted\r\n/);
  assert.deepEqual(await names('python'), []);
});

test('a part for another container than the batch fails by itself', async () => {
  await put(1, 'here');
  await service.createContainer('other');
  const answer = await batch([signed('/batched/here-0')], { path: '/other', query: { restype: 'container' } });
  assert.equal(answer.status, 202);
  assert.match(answer.body.toString(), /HTTP\/1\.1 400 [^]*x-ms-error-code: InvalidInput/);
  assert.deepEqual(await names('here'), ['here-0']);
});

test('what is no batch is refused as a whole', async () => {
  await put(1, 'whole');
  const good = signed('/batched/whole-0');
  const rows = {
    'no parts': batch([]),
    'an empty body': batch(''),
    '257 parts': batch(Array(257).fill(good)),
    'a part that reads': batch([good, signed('/batched/whole-0', 'GET')]),
    'a part that deletes a container': batch([good, signed('/batched', 'DELETE', { restype: 'container' })]),
    'a part that sets properties': batch([good, signed('/batched/whole-0', 'PUT', { comp: 'properties' })]),
    'a batch in a batch': batch([good, signed('/', 'POST', { comp: 'batch' })]),
    'another boundary': batch([good], { boundary: 'a', type: 'multipart/mixed; boundary=b' }),
    'another type': batch([good], { type: 'application/xml' }),
  };
  for (const [what, sent] of Object.entries(rows)) {
    const answer = await sent;
    assert.equal(answer.status, 400, what);
    assert.match(answer.code, /^Invalid(Input|HeaderValue)$/, what);
  }
  const large = await batch('x'.repeat(4 * 1024 * 1024 + 1));
  assert.equal(large.status, 413);
  assert.deepEqual(await names('whole'), ['whole-0'], 'nothing was done');
});
