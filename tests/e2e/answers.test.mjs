// SPDX-License-Identifier: Apache-2.0
// What the service says in small print, and what its SDKs and other servers' tests count on.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { startStack, noRetry } from './lib/stack.mjs';

let stack;
let service;
let container;

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('answers');
  await container.create();
});
after(() => stack?.stop());

const md5Of = (bytes) => createHash('md5').update(bytes).digest();
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

async function put(name, content = 'content') {
  const blob = container.getBlockBlobClient(name);
  await blob.upload(content, content.length);
  return blob;
}

test('of a blob and of its ranges, which MD5 is told', async () => {
  const blob = await put('md5', 'abc');
  const whole = await blob.download();
  assert.deepEqual(Buffer.from(whole.contentMD5), md5Of('abc'));
  assert.deepEqual(Buffer.from(whole.blobContentMD5), md5Of('abc'));
  const range = await blob.download(0, 6);
  assert.equal(range.contentMD5, undefined);
  assert.deepEqual(Buffer.from(range.blobContentMD5), md5Of('abc'));
  const summed = await blob.download(0, 1, { rangeGetContentMD5: true });
  assert.deepEqual(Buffer.from(summed.contentMD5), md5Of('a'));
});

test('a content MD5 that is set is kept as it came, whatever it is', async () => {
  const blob = await put('odd-md5');
  const odd = Uint8Array.from([1, 2, 3, 4, 5]);
  await blob.setHTTPHeaders({ blobContentMD5: odd });
  assert.deepEqual(Uint8Array.from((await blob.getProperties()).contentMD5), odd);
  for await (const { properties } of container.listBlobsFlat({ prefix: 'odd-md5' })) {
    assert.deepEqual(Uint8Array.from(properties.contentMD5), odd);
  }
  await blob.setHTTPHeaders({});
  const cleared = await blob.getProperties();
  assert.equal(cleared.contentMD5, undefined);
  assert.equal(cleared.contentType, undefined);
  const pages = container.getPageBlobClient('pages-md5');
  await pages.create(512, { blobHTTPHeaders: { blobContentMD5: md5Of('a'.repeat(512)) } });
  await pages.uploadPages('a'.repeat(512), 0, 512);
  assert.deepEqual(Buffer.from((await pages.getProperties()).contentMD5), md5Of('a'.repeat(512)));
});

test('which sum of a body is compared', async () => {
  const write = (headers) => send(stack, { method: 'PUT', path: '/answers/sums', body: 'body',
    headers: { 'x-ms-blob-type': 'BlockBlob', ...headers } });
  const right = base64(md5Of('body'));
  const wrong = base64(md5Of('other'));
  assert.equal((await write({ 'content-md5': wrong, 'x-ms-blob-content-md5': right })).status, 201);
  assert.equal((await write({ 'content-md5': right, 'x-ms-blob-content-md5': wrong })).code, 'Md5Mismatch');
  assert.equal((await write({ 'content-md5': wrong })).code, 'Md5Mismatch');
  assert.equal((await write({ 'content-md5': right, 'x-ms-content-crc64': base64(Buffer.alloc(8)) })).code,
    'BothCrc64AndMd5HeaderPresent');
});

test('a range past the end says how long the blob is', async () => {
  for (const [name, content] of [['three', 'abc'], ['none', '']]) {
    const blob = await put(name, content);
    const error = await blob.download(3, 1).then(assert.fail, (e) => e);
    assert.equal(error.statusCode, 416);
    assert.equal(error.response.headers.get('content-range'), `bytes */${content.length}`);
  }
});

test('"If-None-Match: *" is for what makes a blob', async () => {
  const blob = await put('any');
  const conditions = { ifNoneMatch: '*' };
  await refused(blob.download(0, undefined, { conditions }), 400, 'UnsatisfiableCondition');
  await refused(blob.upload('x', 1, { conditions }), 409, 'BlobAlreadyExists');
  await blob.setHTTPHeaders({}, { conditions });
  await blob.delete({ conditions });
});

test('names of containers: too short, too long, of logs', async () => {
  for (const [name, status, code] of [['ab', 400, 'OutOfRangeInput'], ['a'.repeat(64), 400, 'OutOfRangeInput'],
    ['a--b', 400, 'InvalidResourceName']]) {
    await refused(service.getContainerClient(name).create(), status, code);
  }
  assert.equal(await service.getContainerClient('$logs').exists(), false);
});

test('in the name of a blob a backslash is a slash', async () => {
  await send(stack, { method: 'PUT', path: '/answers/with%5Cback%2Fslash', body: 'x',
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
  assert.equal((await container.getBlockBlobClient('with/back/slash').downloadToBuffer()).toString(), 'x');
  const root = service.getContainerClient('$root');
  await root.create();
  assert.equal((await send(stack, { method: 'PUT', path: '/of%5Croot', body: 'y',
    headers: { 'x-ms-blob-type': 'BlockBlob' } })).status, 201);
  assert.equal((await root.getBlockBlobClient('of/root').downloadToBuffer()).toString(), 'y');
});

test('an expression over tags says where it is wrong', async () => {
  for (const [where, message] of [
    ["key='a' and @other='b'", /^Error parsing query at or near character position 13: unsupported parameter/],
    ["'key'='a'", /^Error parsing query at or near character position 1: unexpected/],
    [`${'k'.repeat(129)}='a'`, /tag must be between 1 and 128 characters in length/],
    [`k='${'v'.repeat(257)}'`, /tag value must be between 0 and 256 characters in length/],
    [Array.from({ length: 11 }, (_, i) => `k${i}='v'`).join(' and '), /at most 10 unique tags in a query/]]) {
    const error = await service.findBlobsByTags(where).next().then(assert.fail, (e) => e);
    assert.equal(error.code, 'InvalidQueryParameterValue');
    assert.match(error.details.message, message);
  }
  const cut = await service.findBlobsByTags('ä'.repeat(100)).next().then(assert.fail, (e) => e);
  assert.match(cut.details.message, /^Error parsing query [^\ufffd]*$/); // no half of a character
  const blob = await put('tagged');
  await blob.setTags({ tag: 'here' });
  const long = Array.from({ length: 700 }, (_, i) => `tag <> '${i}'`).join(' and ');
  assert.deepEqual((await blob.getTags({ conditions: { tagConditions: long } })).tags, { tag: 'here' });
  await refused(blob.getBlockList('all', { conditions: { tagConditions: "tag <> 'here'" } }), 412, 'ConditionNotMet');
  await refused(blob.getTags({ conditions: { tagConditions: "tag='va$ue'" } }), 400, 'InvalidHeaderValue');
});

test('a snapshot has tags of its own', async () => {
  const blob = await put('tagged-snapshot');
  await blob.setTags({ of: 'both' });
  const { snapshot } = await blob.createSnapshot();
  const state = blob.withSnapshot(snapshot);
  const { etag } = await state.getProperties();
  await state.setTags({ of: 'snapshot' });
  assert.deepEqual((await state.getTags()).tags, { of: 'snapshot' });
  assert.deepEqual((await blob.getTags()).tags, { of: 'both' });
  assert.equal((await state.getProperties()).etag, etag);
});

test('a signature with a field twice, and one of a container for the container itself', async () => {
  const sas = encodeQuery(accountSas(stack));
  const ask = async (signature) => (await send(stack, { method: 'GET', path: '/', unsigned: true,
    raw: (options) => { options.path += `?restype=service&comp=properties&${signature}`; } })).status;
  assert.equal(await ask(sas), 200);
  assert.equal(await ask(`${sas}&sig=another`), 403);
  const ofContainer = async (query) => (await send(stack, { method: 'GET', path: '/answers',
    query: { restype: 'container', ...query }, sas: serviceSas(stack, 'answers') })).status;
  assert.equal(await ofContainer({ comp: 'list' }), 200);
  assert.equal(await ofContainer({}), 403);
});

test('why a credential was not accepted stands in an element of its own', async () => {
  const error = await service.getUserDelegationKey(new Date(), new Date(Date.now() + 3600e3))
    .then(assert.fail, (e) => e);
  assert.equal(error.code, 'AuthenticationFailed');
  assert.equal(error.details.authenticationErrorDetail, 'Only authentication scheme Bearer is supported');
});

test('a batch under a signature for blobs alone', async () => {
  const blob = await put('batched');
  const sas = encodeQuery(accountSas({ ...stack, permissions: 'd', resourceTypes: 'o' }));
  const batch = new BlobServiceClient(`${stack.blobEndpoint}?${sas}`, undefined, noRetry).getBlobBatchClient();
  const { subResponses } = await batch.deleteBlobs([new URL(`?${sas}`, blob.url).href], service.credential);
  assert.equal(subResponses[0].status, 202);
});
