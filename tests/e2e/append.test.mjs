// SPDX-License-Identifier: Apache-2.0
// Append blobs by the vendor's SDK, and by hand what it would never send: what is appended comes back byte
// for byte, in order, however many blocks there are, and each documented refusal leaves the blob as it was.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const BLOCKS = 200; // more than a record holds, and than a page
const MIB = 1 << 20;
let stack;
let container;

before(async () => {
  stack = await startStack();
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('appends');
  await container.create();
});
after(() => stack?.stop());

async function created(name, options) {
  const blob = container.getAppendBlobClient(name);
  await blob.create(options);
  return blob;
}

const append = (name, body, headers = {}, rest = {}) => send(stack, { method: 'PUT', path: `/appends/${name}`,
  query: { comp: 'appendblock' }, headers, body, ...rest });

async function refusedByHand(answer, status, code) {
  const { status: got, code: gotCode } = await answer;
  assert.equal(`${got} ${gotCode}`, `${status} ${code}`);
}

test('what Put Blob makes is empty and says what it is', async () => {
  const blob = await created('empty', { metadata: { kind: 'log' },
    blobHTTPHeaders: { blobContentType: 'text/x-log' } });
  const properties = await blob.getProperties();
  assert.equal(properties.blobType, 'AppendBlob');
  assert.equal(properties.contentLength, 0);
  assert.equal(properties.blobCommittedBlockCount, 0);
  assert.equal(properties.isSealed, false);
  assert.equal(properties.accessTier, undefined);
  assert.equal(properties.contentType, 'text/x-log');
  assert.deepEqual(properties.metadata, { kind: 'log' });
  assert.equal((await blob.downloadToBuffer()).length, 0);
});

test('many blocks of all sizes come back in order, whole and by ranges', async () => {
  const blob = await created('many', { metadata: { kept: 'yes' } });
  const parts = [];
  let size = 0;
  for (let i = 0; i < BLOCKS; i++) {
    const part = randomBytes(1 + (i * 7919) % 3000);
    const answer = await blob.appendBlock(part, part.length);
    assert.equal(answer.blobAppendOffset, String(size));
    assert.equal(answer.blobCommittedBlockCount, i + 1);
    assert.equal(answer.isServerEncrypted, true);
    parts.push(part);
    size += part.length;
  }
  const whole = Buffer.concat(parts);
  assert.ok((await blob.downloadToBuffer()).equals(whole));
  for (const count of [1, 63, 64, 65, 127, 128, 129, 192, 199]) {
    const border = parts.slice(0, count).reduce((sum, part) => sum + part.length, 0);
    assert.ok((await blob.downloadToBuffer(border - 1, 2)).equals(whole.subarray(border - 1, border + 1)));
  }
  const properties = await blob.getProperties();
  assert.equal(properties.contentLength, size);
  assert.equal(properties.blobCommittedBlockCount, BLOCKS);
  assert.deepEqual(properties.metadata, { kept: 'yes' });
});

test('blocks of many chunks and several data objects', async () => {
  const blob = await created('large');
  const parts = [9 * MIB + 17, 65536, 4 * MIB].map((length) => randomBytes(length));
  for (const part of parts) await blob.appendBlock(part, part.length);
  assert.ok((await blob.downloadToBuffer()).equals(Buffer.concat(parts)));
});

test('MD5 and CRC-64 are checked and told', async () => {
  const blob = await created('sums');
  const bytes = randomBytes(1000);
  const md5 = createHash('md5').update(bytes).digest();
  const right = await blob.appendBlock(bytes, bytes.length, { transactionalContentMD5: md5 });
  assert.ok(Buffer.from(right.contentMD5).equals(md5));
  await refused(blob.appendBlock(bytes, bytes.length, { transactionalContentMD5: randomBytes(16) }), 400,
    'Md5Mismatch');
  const crc = (await append('sums', bytes)).headers['x-ms-content-crc64'];
  assert.equal((await append('sums', bytes, { 'x-ms-content-crc64': crc })).status, 201);
  await refusedByHand(append('sums', bytes, { 'x-ms-content-crc64': randomBytes(8).toString('base64') }), 400,
    'Crc64Mismatch');
  assert.equal((await blob.getProperties()).contentLength, 3000);
});

test('a MD5 of the content is not told any more once something was appended', async () => {
  const blob = await created('stale');
  await blob.appendBlock('one', 3);
  await blob.setHTTPHeaders({ blobContentMD5: createHash('md5').update('one').digest() });
  assert.ok((await blob.getProperties()).contentMD5);
  await blob.appendBlock('two', 3);
  assert.equal((await blob.getProperties()).contentMD5, undefined);
});

test('conditions on position and size', async () => {
  const blob = await created('conditions');
  const at = (appendPosition, maxSize) => blob.appendBlock('12345', 5, { conditions: { appendPosition, maxSize } });
  await at(0, 5);
  await refused(at(4), 412, 'AppendPositionConditionNotMet');
  await refused(at(6), 412, 'AppendPositionConditionNotMet');
  await refused(at(5, 9), 412, 'MaxBlobSizeConditionNotMet');
  await refused(at(5, 4), 412, 'MaxBlobSizeConditionNotMet');
  await at(5, 10);
  for (const header of ['x-ms-blob-condition-appendpos', 'x-ms-blob-condition-maxsize']) {
    for (const value of ['-1', 'x', '18446744073709551616', '5 5']) {
      await refusedByHand(append('conditions', 'x', { [header]: value }), 400, 'InvalidHeaderValue');
    }
  }
  const { etag } = await blob.getProperties();
  await refused(blob.appendBlock('x', 1, { conditions: { ifNoneMatch: etag } }), 412, 'ConditionNotMet');
  await blob.appendBlock('x', 1, { conditions: { ifMatch: etag } });
  await refused(blob.appendBlock('x', 1, { conditions: { ifMatch: etag } }), 412, 'ConditionNotMet');
  assert.equal((await blob.downloadToBuffer()).toString(), '1234512345x');
});

test('writers that race for a position: one of them gets it', async () => {
  const blob = await created('race');
  const answers = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => blob.appendBlock(
    String.fromCharCode(65 + i), 1, { conditions: { appendPosition: 0 } })));
  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
  // Without a condition all of them come in, each once.
  await Promise.all(Array.from({ length: 100 }, (_, i) => blob.appendBlock(`<${i}>`, `<${i}>`.length)));
  const text = (await blob.downloadToBuffer()).toString();
  for (let i = 0; i < 100; i++) assert.equal(text.split(`<${i}>`).length, 2, `${i}`);
});

test('how much fits into a block depends on the version', async () => {
  await created('versions');
  const over = Buffer.alloc(4 * MIB + 1);
  await refusedByHand(append('versions', over, { 'x-ms-version': '2022-11-01' }), 413, 'RequestBodyTooLarge');
  assert.equal((await append('versions', over, { 'x-ms-version': '2022-11-02' })).status, 201);
  assert.equal((await append('versions', Buffer.alloc(100 * MIB), { 'x-ms-version': '2022-11-02' })).status, 201);
  await refusedByHand(append('versions', undefined), 400, 'InvalidHeaderValue');
  const tooMuch = await append('versions', 'x', { 'x-ms-version': '2022-11-02' },
    { raw: (options) => { options.headers['content-length'] = String(100 * MIB + 1); } }).catch((error) => error);
  assert.ok(tooMuch.status !== 201);
});

test('a sealed blob takes nothing more, and says so', async () => {
  const blob = await created('sealed');
  await blob.appendBlock('before', 6);
  await refused(blob.seal({ conditions: { appendPosition: 5 } }), 412, 'AppendPositionConditionNotMet');
  const answer = await blob.seal({ conditions: { appendPosition: 6 } });
  assert.equal(answer.isSealed, true);
  await refused(blob.appendBlock('after', 5), 409, 'BlobIsSealed');
  await blob.seal();
  const properties = await blob.getProperties();
  assert.equal(properties.isSealed, true);
  assert.equal(properties.blobCommittedBlockCount, 1);
  await blob.setMetadata({ still: 'changeable' });
  assert.equal((await blob.downloadToBuffer()).toString(), 'before');
  await created('sealed');
  assert.equal((await blob.getProperties()).isSealed, false);
});

test('a listing tells types, and what is sealed', async () => {
  await (await created('listed/sealed')).seal();
  await created('listed/open');
  await container.getBlockBlobClient('listed/block').upload('x', 1);
  const listed = {};
  for await (const { name, properties } of container.listBlobsFlat({ prefix: 'listed/' })) {
    listed[name] = [properties.blobType, properties.isSealed, properties.accessTier];
  }
  assert.deepEqual(listed, { 'listed/block': ['BlockBlob', undefined, 'Hot'],
    'listed/open': ['AppendBlob', undefined, undefined], 'listed/sealed': ['AppendBlob', true, undefined] });
});

test('operations on a blob of another type', async () => {
  const log = await created('typed-append');
  const block = container.getBlockBlobClient('typed-block');
  await block.upload('x', 1);
  await container.getBlockBlobClient('typed-staged').stageBlock('AAAA', 'x', 1);
  const asLog = container.getAppendBlobClient('typed-block');
  const asBlock = container.getBlockBlobClient('typed-append');
  await refused(asLog.appendBlock('x', 1), 409, 'InvalidBlobType');
  await refused(asLog.seal(), 409, 'InvalidBlobType');
  await refused(asBlock.stageBlock('AAAA', 'x', 1), 409, 'InvalidBlobType');
  await refused(asBlock.commitBlockList([]), 409, 'InvalidBlobType');
  await refused(asBlock.getBlockList('all'), 409, 'InvalidBlobType');
  await refused(container.getAppendBlobClient('typed-staged').appendBlock('x', 1), 404, 'BlobNotFound');
  await refused(container.getAppendBlobClient('typed-none').appendBlock('x', 1), 404, 'BlobNotFound');
  await refused(container.getAppendBlobClient('typed-none').seal(), 404, 'BlobNotFound');
  assert.equal((await log.getProperties()).contentLength, 0);
  assert.equal((await block.downloadToBuffer()).toString(), 'x');
});

test('Put Blob replaces a blob by one of another type', async () => {
  const log = await created('replaced');
  await log.appendBlock('log', 3);
  const block = container.getBlockBlobClient('replaced');
  await refused(log.create({ conditions: { ifNoneMatch: '*' } }), 409, 'BlobAlreadyExists');
  await block.upload('block', 5);
  assert.equal((await block.getProperties()).blobType, 'BlockBlob');
  await log.create();
  assert.equal((await log.getProperties()).contentLength, 0);
  await log.deleteIfExists();
  await refused(log.getProperties(), 404, 'BlobNotFound');
});

test('bad Put Blob requests', async () => {
  const put = (headers, body) => send(stack, { method: 'PUT', path: '/appends/bad', body,
    headers: { 'x-ms-blob-type': 'AppendBlob', ...headers } });
  await refusedByHand(put({}, 'content'), 413, 'RequestBodyTooLarge');
  await refusedByHand(put({ 'x-ms-access-tier': 'Cool' }), 400, 'UnsupportedHeader');
  await refusedByHand(put({ 'x-ms-meta-1': 'x' }), 400, 'InvalidMetadata');
  await refusedByHand(put({ 'x-ms-blob-content-md5': 'x' }), 400, 'InvalidMd5');
});

test('what a SAS must allow', async () => {
  await created('allowed');
  const sas = (permissions) => ({ sas: serviceSas(stack, 'appends', 'allowed', permissions) });
  assert.equal((await append('allowed', 'x', {}, sas('a'))).status, 201);
  assert.equal((await append('allowed', 'x', {}, sas('w'))).status, 201);
  await refusedByHand(append('allowed', 'x', {}, sas('c')), 403, 'AuthorizationPermissionMismatch');
  const seal = (permissions) => send(stack, { method: 'PUT', path: '/appends/allowed', query: { comp: 'seal' },
    ...sas(permissions) });
  await refusedByHand(seal('a'), 403, 'AuthorizationPermissionMismatch');
  assert.equal((await seal('w')).status, 200);
  const create = await send(stack, { method: 'PUT', path: '/appends/allowed', ...sas('c'),
    headers: { 'x-ms-blob-type': 'AppendBlob' } });
  assert.equal(`${create.status} ${create.code}`, '403 UnauthorizedBlobOverwrite');
});

test('a snapshot stays what it is while the blob grows, and the blob when the snapshot goes', async () => {
  const blob = await created('snapped');
  const parts = Array.from({ length: 200 }, (_, i) => Buffer.from(`<${i}>`));
  for (const part of parts.slice(0, 100)) await blob.appendBlock(part, part.length);
  const { snapshot } = await blob.createSnapshot();
  for (const part of parts.slice(100)) await blob.appendBlock(part, part.length);
  const before = container.getAppendBlobClient('snapped').withSnapshot(snapshot);
  assert.ok((await before.downloadToBuffer()).equals(Buffer.concat(parts.slice(0, 100))));
  assert.equal((await before.getProperties()).blobCommittedBlockCount, 100);
  assert.ok((await blob.downloadToBuffer()).equals(Buffer.concat(parts)));
  await before.delete();
  await stack.ctl('scrub', '--json');
  assert.ok((await blob.downloadToBuffer()).equals(Buffer.concat(parts)));
});

test('a scrub finds every byte of them, and nothing that belongs to nobody', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const { counts } = JSON.parse(done.stdout);
  assert.equal(counts.damaged, 0);
  assert.equal(counts.unreferencedObjects, 0);
});
