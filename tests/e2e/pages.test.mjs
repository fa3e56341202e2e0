// SPDX-License-Identifier: Apache-2.0
// Page blobs by the vendor's SDK, and by hand what it would never send: what was written comes back beside a
// plain buffer that the same was done to, what was not is zeros, and each documented refusal changes nothing.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const PAGE = 512;
const BLOCK = 4096;
const MIB = 1 << 20;
const PIECE = 4 * MIB;
const TIB = 2 ** 40;
let stack;
let container;

before(async () => {
  stack = await startStack();
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('pages');
  await container.create();
});
after(() => stack?.stop());

async function created(name, size, options) {
  const blob = container.getPageBlobClient(name);
  await blob.create(size, options);
  return blob;
}

const write = (blob, from, bytes, options) => blob.uploadPages(bytes, from, bytes.length, options);

// By hand: one Put Page.
const put = (name, range, body, headers = {}) => send(stack, { method: 'PUT', path: `/pages/${name}`,
  query: { comp: 'page' }, body, headers: { 'x-ms-page-write': body === undefined ? 'clear' : 'update',
    ...(range ? { 'x-ms-range': range } : {}), ...headers } });

async function refusedByHand(answer, status, code) {
  const got = await answer;
  assert.equal(`${got.status} ${got.code}`, `${status} ${code}`);
}

// The SDK's count is the last byte's distance from the first.
async function rangesOf(blob, from, count) {
  const { pageRange } = await blob.getPageRanges(from, count);
  return pageRange.map(({ offset, count: distance }) => [offset, distance + 1]);
}

test('a new one is all zeros and says what it is', async () => {
  const blob = await created('new', 3 * MIB, { metadata: { kind: 'disk' }, blobSequenceNumber: 7 });
  const properties = await blob.getProperties();
  assert.equal(properties.blobType, 'PageBlob');
  assert.equal(properties.contentLength, 3 * MIB);
  assert.equal(properties.blobSequenceNumber, 7);
  assert.equal(properties.accessTier, undefined);
  assert.deepEqual(properties.metadata, { kind: 'disk' });
  assert.ok((await blob.downloadToBuffer()).equals(Buffer.alloc(3 * MIB)));
  assert.deepEqual(await rangesOf(blob), []);
  for await (const { name, properties: listed } of container.listBlobsFlat({ prefix: 'new' })) {
    assert.equal(name, 'new');
    assert.equal(listed.blobType, 'PageBlob');
    assert.equal(Number(listed.blobSequenceNumber), 7);
  }
});

test('writes and clears at random, beside a plain buffer', async () => {
  const size = 2 * PIECE + 64 * 1024;
  const blob = await created('random', size);
  const model = Buffer.alloc(size);
  const lengths = [PAGE, 2 * PAGE, BLOCK, BLOCK + PAGE, 3 * BLOCK, 65536, 300 * PAGE];
  for (let round = 0; round < 150; round++) {
    const length = lengths[round % lengths.length];
    const near = round % 3 === 0 ? PIECE - 8 * PAGE : Math.floor(Math.random() * (size - length));
    const from = near - (near % (round % 2 ? BLOCK : PAGE));
    if (round % 5 === 4) {
      await blob.clearPages(from, length);
      model.fill(0, from, from + length);
    } else {
      const bytes = randomBytes(length);
      await write(blob, from, bytes);
      bytes.copy(model, from);
    }
    const at = Math.floor(Math.random() * (size - 70000));
    assert.ok((await blob.downloadToBuffer(at, 70000)).equals(model.subarray(at, at + 70000)), `round ${round}`);
  }
  assert.ok((await blob.downloadToBuffer()).equals(model));
});

test('an update of 4 MiB over a border', async () => {
  const blob = await created('border', 3 * PIECE);
  const bytes = randomBytes(PIECE);
  await write(blob, PIECE - 3 * PAGE, bytes);
  assert.deepEqual(await rangesOf(blob), [[PIECE - 3 * PAGE, PIECE]]);
  assert.ok((await blob.downloadToBuffer(PIECE - 3 * PAGE, PIECE)).equals(bytes));
  assert.equal((await blob.downloadToBuffer(PIECE - 4 * PAGE, PAGE)).indexOf(1), -1);
});

test('ranges: what is written, what was cleared, by a part, and page by page of results', async () => {
  const blob = await created('ranges', 64 * PIECE);
  for (const at of [0, 2 * PAGE, BLOCK, PIECE - PAGE, PIECE, 9 * PIECE + 5 * PAGE]) {
    await write(blob, at, randomBytes(PAGE));
  }
  await write(blob, 20 * PIECE, randomBytes(4 * PAGE));
  await blob.clearPages(20 * PIECE + PAGE, PAGE);
  const all = [[0, PAGE], [2 * PAGE, PAGE], [BLOCK, PAGE], [PIECE - PAGE, 2 * PAGE], [9 * PIECE + 5 * PAGE, PAGE],
    [20 * PIECE, PAGE], [20 * PIECE + 2 * PAGE, 2 * PAGE]];
  assert.deepEqual(await rangesOf(blob), all);
  assert.deepEqual(await rangesOf(blob, PAGE, PIECE), all.slice(1, 3).concat([[PIECE - PAGE, 2 * PAGE]]));
  const paged = [];
  for await (const page of blob.listPageRanges().byPage({ maxPageSize: 2 })) {
    assert.ok((page.pageRange ?? []).length <= 2);
    paged.push(...(page.pageRange ?? []).map(({ start, end }) => [start, end - start + 1]));
  }
  assert.deepEqual(paged, all);
  await blob.clearPages(0, 64 * PIECE);
  assert.deepEqual(await rangesOf(blob), []);
  assert.ok((await blob.downloadToBuffer(PIECE - BLOCK, 2 * BLOCK)).equals(Buffer.alloc(2 * BLOCK)));
});

test('a resize cuts off, and what comes back is zeros', async () => {
  const blob = await created('resized', 3 * PIECE);
  await write(blob, 0, Buffer.alloc(PAGE, 'a'));
  await write(blob, PIECE + PAGE, Buffer.alloc(PAGE, 'b'));
  await write(blob, PIECE + 2 * PAGE, Buffer.alloc(PAGE, 'c'));
  await write(blob, 2 * PIECE, Buffer.alloc(PAGE, 'd'));
  await blob.setHTTPHeaders({ blobContentType: 'x/disk' });
  await blob.resize(PIECE + 2 * PAGE);
  assert.equal((await blob.getProperties()).contentLength, PIECE + 2 * PAGE);
  assert.equal((await blob.getProperties()).contentType, 'x/disk');
  await refused(blob.uploadPages(Buffer.alloc(PAGE), PIECE + 2 * PAGE, PAGE), 416, 'InvalidPageRange');
  await blob.resize(4 * PIECE);
  assert.deepEqual(await rangesOf(blob), [[0, PAGE], [PIECE + PAGE, PAGE]]);
  const back = await blob.downloadToBuffer();
  assert.equal(back.length, 4 * PIECE);
  assert.ok(back.subarray(PIECE + 2 * PAGE).equals(Buffer.alloc(3 * PIECE - 2 * PAGE)));
  await refused(blob.resize(PAGE + 1), 400, 'InvalidHeaderValue');
});

test('pages from another blob', async () => {
  const content = randomBytes(3 * PAGE + BLOCK);
  const from = container.getBlockBlobClient('pages-source');
  await from.upload(content, content.length);
  const url = `${from.url}?${encodeQuery(serviceSas(stack, 'pages', 'pages-source', 'r'))}`;
  const blob = await created('from-url', 2 * PIECE, { blobSequenceNumber: 3 });
  const md5 = createHash('md5').update(content.subarray(PAGE, 2 * PAGE + BLOCK)).digest();
  const answer = await blob.uploadPagesFromURL(url, PAGE, PIECE - BLOCK, PAGE + BLOCK, { sourceContentMD5: md5,
    conditions: { ifSequenceNumberEqualTo: 3 } });
  assert.equal(answer.blobSequenceNumber, 3);
  assert.ok((await blob.downloadToBuffer(PIECE - BLOCK, PAGE + BLOCK)).equals(content.subarray(PAGE, 2 * PAGE + BLOCK)));
  assert.deepEqual(await rangesOf(blob), [[PIECE - BLOCK, PAGE + BLOCK]]);

  const { etag } = await blob.getProperties();
  const upload = (options) => blob.uploadPagesFromURL(url, 0, 0, PAGE, options);
  await refused(upload({ sourceContentMD5: md5 }), 400, 'Md5Mismatch');
  await refused(upload({ conditions: { ifSequenceNumberLessThan: 3 } }), 412, 'SequenceNumberConditionNotMet');
  await refused(upload({ sourceConditions: { ifMatch: '"0x1"' } }), 412, 'SourceConditionNotMet');
  await refused(blob.uploadPagesFromURL(url, content.length, 0, PAGE), 416, 'InvalidRange');
  await refused(blob.uploadPagesFromURL(url, 0, 2 * PIECE, PAGE), 416, 'InvalidPageRange');
  await refused(blob.uploadPagesFromURL(`${container.url}/none?${url.split('?')[1]}`, 0, 0, PAGE), 403,
    'CannotVerifyCopySource');
  const byHand = (range, sourceRange) => put('from-url', range, Buffer.alloc(0), { 'x-ms-copy-source': url,
    ...(sourceRange ? { 'x-ms-source-range': sourceRange } : {}) });
  await refusedByHand(byHand('bytes=0-511'), 400, 'MissingRequiredHeader');
  await refusedByHand(byHand(undefined, 'bytes=0-511'), 400, 'MissingRequiredHeader');
  await refusedByHand(byHand('bytes=0-1023', 'bytes=0-511'), 400, 'InvalidHeaderValue');
  await refusedByHand(byHand('bytes=1-512', 'bytes=0-511'), 416, 'InvalidPageRange');
  assert.equal((await blob.getProperties()).etag, etag);
});

test('sequence numbers', async () => {
  const blob = await created('numbers', PIECE);
  const number = async () => (await blob.getProperties()).blobSequenceNumber;
  await blob.updateSequenceNumber('update', 10);
  assert.equal(await number(), 10);
  await blob.updateSequenceNumber('max', 5);
  assert.equal(await number(), 10);
  await blob.updateSequenceNumber('increment');
  assert.equal(await number(), 11);
  const page = Buffer.alloc(PAGE, 'x');
  const when = (conditions) => write(blob, 0, page, { conditions });
  await when({ ifSequenceNumberEqualTo: 11, ifSequenceNumberLessThan: 12, ifSequenceNumberLessThanOrEqualTo: 11 });
  await refused(when({ ifSequenceNumberEqualTo: 10 }), 412, 'SequenceNumberConditionNotMet');
  await refused(when({ ifSequenceNumberLessThan: 11 }), 412, 'SequenceNumberConditionNotMet');
  await refused(when({ ifSequenceNumberLessThanOrEqualTo: 10 }), 412, 'SequenceNumberConditionNotMet');
  const properties = (headers) => send(stack, { method: 'PUT', path: '/pages/numbers', query: { comp: 'properties' }, headers });
  await refusedByHand(properties({ 'x-ms-sequence-number-action': 'less' }), 400, 'InvalidHeaderValue');
  await refusedByHand(properties({ 'x-ms-sequence-number-action': 'max' }), 400, 'MissingRequiredHeader');
  await refusedByHand(properties({ 'x-ms-blob-sequence-number': '1' }), 400, 'MissingRequiredHeader');
  await refusedByHand(properties({ 'x-ms-sequence-number-action': 'increment', 'x-ms-blob-sequence-number': '1' }), 400, 'InvalidHeaderValue');
});

test('sums and conditions', async () => {
  const blob = await created('sums', PIECE);
  const bytes = randomBytes(2 * PAGE);
  const md5 = createHash('md5').update(bytes).digest();
  const { etag } = await write(blob, 0, bytes, { transactionalContentMD5: md5 });
  await refused(write(blob, 0, bytes, { transactionalContentMD5: randomBytes(16) }), 400, 'Md5Mismatch');
  await refused(write(blob, 0, Buffer.alloc(PAGE), { conditions: { ifNoneMatch: etag } }), 412, 'ConditionNotMet');
  await write(blob, 2 * PAGE, Buffer.alloc(PAGE), { conditions: { ifMatch: etag } });
  await refused(blob.clearPages(0, PAGE, { conditions: { ifMatch: etag } }), 412, 'ConditionNotMet');
  assert.ok((await blob.downloadToBuffer(0, 2 * PAGE)).equals(bytes));
});

test('neighbouring pages of one block, written at once', async () => {
  const blob = await created('neighbours', PIECE);
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => write(blob, i * PAGE, Buffer.alloc(PAGE, 16 * round + i))));
    const back = await blob.downloadToBuffer(0, 16 * PAGE);
    for (let i = 0; i < 16; i++) assert.ok(back.subarray(i * PAGE, (i + 1) * PAGE).equals(Buffer.alloc(PAGE, 16 * round + i)), `${round} ${i}`);
  }
});

test('a terabyte with few pages', async () => {
  const blob = await created('large', TIB);
  const places = Array.from({ length: 100 }, (_, i) => Math.floor((i * TIB) / 100 / PAGE) * PAGE);
  places.push(TIB - PAGE);
  await Promise.all([0, 1, 2, 3].map(async (lane) => {
    for (let i = lane; i < places.length; i += 4) await write(blob, places[i], Buffer.alloc(PAGE, i + 1));
  }));
  assert.deepEqual(await rangesOf(blob), places.map((at) => [at, PAGE]));
  for (const [i, at] of places.entries()) {
    assert.ok((await blob.downloadToBuffer(at, PAGE)).equals(Buffer.alloc(PAGE, i + 1)));
  }
  await created('largest', 8 * TIB);
  await refused(created('larger', 8 * TIB + PAGE), 400, 'InvalidHeaderValue');
});

test('bad requests', async () => {
  await created('bad', PIECE);
  const page = Buffer.alloc(PAGE);
  for (const range of ['bytes=1-512', 'bytes=0-510', 'bytes=512-511', 'bytes=0-', 'bytes=-512', 'pages=0-511', 'bytes=0-511,1024-1535',
    `bytes=${PIECE}-${PIECE + PAGE - 1}`, 'bytes=0-18446744073709551615']) {
    await refusedByHand(put('bad', range, page), 416, 'InvalidPageRange');
    await refusedByHand(put('bad', range), 416, 'InvalidPageRange');
  }
  await refusedByHand(put('bad', undefined, page), 400, 'MissingRequiredHeader');
  await refusedByHand(put('bad', 'bytes=0-1023', page), 400, 'InvalidHeaderValue');
  await refusedByHand(put('bad', `bytes=0-${PIECE + PAGE - 1}`, Buffer.alloc(PIECE + PAGE)), 413, 'RequestBodyTooLarge');
  await refusedByHand(put('bad', 'bytes=0-511', page, { 'x-ms-if-sequence-number-eq': 'x' }), 400, 'InvalidHeaderValue');
  await refusedByHand(put('none', 'bytes=0-511', page), 404, 'BlobNotFound');
  const create = (headers) => send(stack, { method: 'PUT', path: '/pages/never', headers: { 'x-ms-blob-type': 'PageBlob', ...headers } });
  await refusedByHand(create({}), 400, 'MissingRequiredHeader');
  await refusedByHand(create({ 'x-ms-blob-content-length': '513' }), 400, 'InvalidHeaderValue');
  await refusedByHand(create({ 'x-ms-blob-content-length': '512', 'x-ms-blob-sequence-number': '-1' }), 400, 'InvalidHeaderValue');
  const list = (query, headers) => send(stack, { method: 'GET', path: '/pages/bad', query: { comp: 'pagelist', ...query }, headers });
  await refusedByHand(list({ maxresults: '0' }), 400, 'OutOfRangeQueryParameterValue');
  await refusedByHand(list({ marker: '5' }), 400, 'InvalidQueryParameterValue');
  await refusedByHand(list({}, { range: `bytes=${PIECE}-` }), 416, 'InvalidRange');
});

test('operations on a blob of another type', async () => {
  await created('typed', PIECE);
  await container.getBlockBlobClient('typed-block').upload('x', 1);
  const asDisk = container.getPageBlobClient('typed-block');
  await refused(asDisk.uploadPages(Buffer.alloc(PAGE), 0, PAGE), 409, 'InvalidBlobType');
  await refused(asDisk.clearPages(0, PAGE), 409, 'InvalidBlobType');
  await refused(asDisk.getPageRanges(), 409, 'InvalidBlobType');
  await refused(asDisk.resize(PIECE), 409, 'InvalidBlobType');
  await refused(asDisk.updateSequenceNumber('increment'), 409, 'InvalidBlobType');
  await refused(container.getBlockBlobClient('typed').stageBlock('AAAA', 'x', 1), 409, 'InvalidBlobType');
  await refused(container.getBlockBlobClient('typed').getBlockList('all'), 409, 'InvalidBlobType');
  await refused(container.getAppendBlobClient('typed').appendBlock('x', 1), 409, 'InvalidBlobType');
});

test('what goes leaves nothing behind; a scrub finds every byte of what stays', async () => {
  const disk = await created('gone', 4 * PIECE);
  for (const at of [0, PIECE, 3 * PIECE]) await write(disk, at, randomBytes(PAGE));
  await container.getBlockBlobClient('gone').upload('x', 1);
  await created('gone too', 4 * PIECE);
  await write(container.getPageBlobClient('gone too'), PIECE, randomBytes(BLOCK));
  await container.getPageBlobClient('gone too').delete();
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const { counts } = JSON.parse(done.stdout);
  assert.equal(counts.damaged, 0);
  assert.equal(counts.unreferencedObjects, 0);
});
