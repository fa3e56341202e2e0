// SPDX-License-Identifier: Apache-2.0
// Copies and everything "from URL" by the vendor's SDK: what comes out is what went in, under other keys; a
// source is read in the client's name alone, and no URL makes the gateway reach for anything else.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const MIB = 1 << 20;
const content = randomBytes(5 * MIB + 321);
const headers = { blobContentType: 'text/x-copy', blobContentLanguage: 'rm', blobCacheControl: 'no-store' };
let stack;
let container;
let source;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('copies');
  await container.create();
  source = container.getBlockBlobClient('source');
  await source.upload(content, content.length, { metadata: { from: 'here' }, blobHTTPHeaders: headers });
});
after(() => stack?.stop());

const sasUrl = (blob = 'source', permissions = 'r') =>
  `${container.url}/${blob}?${encodeQuery(serviceSas(stack, 'copies', blob, permissions))}`;

async function assertCopy(blob) {
  assert.ok((await blob.downloadToBuffer()).equals(content));
  const properties = await blob.getProperties();
  assert.equal(properties.copyStatus, 'success');
  assert.equal(properties.copySource, source.url);
  assert.equal(properties.copyProgress, `${content.length}/${content.length}`);
  assert.ok(properties.copyCompletedOn instanceof Date);
  return properties;
}

test('Copy Blob within the account needs no more than the account key', async () => {
  const blob = container.getBlockBlobClient('copied');
  const poller = await blob.beginCopyFromURL(source.url);
  const done = await poller.pollUntilDone();
  assert.equal(done.copyStatus, 'success');
  const properties = await assertCopy(blob);
  assert.equal(properties.copyId, done.copyId);
  assert.deepEqual(properties.metadata, { from: 'here' });
  assert.equal(properties.contentType, 'text/x-copy');
  assert.equal(properties.contentLanguage, 'rm');
  assert.equal(properties.cacheControl, 'no-store');
  // It is a blob of its own.
  await blob.upload('changed', 7);
  assert.equal((await blob.getProperties()).copyId, undefined);
  assert.ok((await source.downloadToBuffer()).equals(content));
});

test('metadata that is sent takes the place of the source\'s', async () => {
  const blob = container.getBlockBlobClient('other-metadata');
  await (await blob.beginCopyFromURL(source.url, { metadata: { own: 'yes' } })).pollUntilDone();
  assert.deepEqual((await blob.getProperties()).metadata, { own: 'yes' });
});

test('Set Blob Properties ends what is told of a copy', async () => {
  const blob = container.getBlockBlobClient('ended');
  await (await blob.beginCopyFromURL(source.url)).pollUntilDone();
  await blob.setHTTPHeaders({ blobContentType: 'text/plain' });
  assert.equal((await blob.getProperties()).copyId, undefined);
});

test('Copy Blob From URL', async () => {
  const blob = container.getBlockBlobClient('synchronous');
  const answer = await blob.syncCopyFromURL(sasUrl(), {
    sourceContentMD5: createHash('md5').update(content).digest() });
  assert.equal(answer.copyStatus, 'success');
  const properties = await assertCopy(blob);
  assert.deepEqual(properties.metadata, { from: 'here' });
  await refused(blob.syncCopyFromURL(sasUrl(), { sourceContentMD5: randomBytes(16) }), 400, 'Md5Mismatch');
});

test('Put Blob From URL takes the headers, and no metadata', async () => {
  const blob = container.getBlockBlobClient('put');
  await blob.syncUploadFromURL(sasUrl());
  assert.ok((await blob.downloadToBuffer()).equals(content));
  let properties = await blob.getProperties();
  assert.equal(properties.contentType, 'text/x-copy');
  assert.deepEqual(properties.metadata, {});
  assert.equal(properties.copyId, undefined);
  await blob.syncUploadFromURL(sasUrl(), { copySourceBlobProperties: false, metadata: { own: 'yes' } });
  properties = await blob.getProperties();
  assert.equal(properties.contentType, 'application/octet-stream');
  assert.deepEqual(properties.metadata, { own: 'yes' });
});

test('Put Block From URL and Append Block From URL take ranges', async () => {
  const blob = container.getBlockBlobClient('blocks');
  const id = (i) => Buffer.from(`block-${i}`).toString('base64');
  await blob.stageBlockFromURL(id(1), sasUrl(), 70000, 3 * MIB);
  await blob.stageBlockFromURL(id(2), sasUrl(), 0, 10);
  await blob.commitBlockList([id(2), id(1)]);
  assert.ok((await blob.downloadToBuffer())
    .equals(Buffer.concat([content.subarray(0, 10), content.subarray(70000, 70000 + 3 * MIB)])));
  const log = container.getAppendBlobClient('log');
  await log.create();
  await log.appendBlockFromURL(sasUrl(), 100, 50);
  const answer = await log.appendBlockFromURL(sasUrl(), 0, 9);
  assert.equal(answer.blobAppendOffset, '50');
  assert.ok((await log.downloadToBuffer())
    .equals(Buffer.concat([content.subarray(100, 150), content.subarray(0, 9)])));
  await refused(log.appendBlockFromURL(sasUrl(), content.length, 1), 416, 'InvalidRange');
});

test('an empty source', async () => {
  await container.getBlockBlobClient('empty').upload('', 0);
  const blob = container.getBlockBlobClient('empty-copy');
  await (await blob.beginCopyFromURL(container.getBlockBlobClient('empty').url)).pollUntilDone();
  assert.equal((await blob.getProperties()).contentLength, 0);
});

test('a blob copied onto itself', async () => {
  const blob = container.getBlockBlobClient('itself');
  await blob.upload(content, content.length);
  await (await blob.beginCopyFromURL(blob.url, { metadata: { again: 'yes' } })).pollUntilDone();
  assert.ok((await blob.downloadToBuffer()).equals(content));
});

test('a copy of an append blob goes on where its source was, and is sealed as it was, or as is asked', async () => {
  const log = container.getAppendBlobClient('log-source');
  await log.create({ metadata: { kind: 'log' } });
  for (const part of ['one', 'two', 'three']) await log.appendBlock(part, part.length);
  const blob = container.getAppendBlobClient('log-copy');
  await (await blob.beginCopyFromURL(log.url)).pollUntilDone();
  let properties = await blob.getProperties();
  assert.equal(properties.blobType, 'AppendBlob');
  assert.equal(properties.blobCommittedBlockCount, 3);
  assert.deepEqual(properties.metadata, { kind: 'log' });
  await blob.appendBlock('four', 4);
  assert.equal(String(await blob.downloadToBuffer()), 'onetwothreefour');
  assert.equal(String(await log.downloadToBuffer()), 'onetwothree');
  await log.seal();
  await (await blob.beginCopyFromURL(log.url)).pollUntilDone();
  properties = await blob.getProperties();
  assert.equal(properties.isSealed, true);
  await refused(blob.appendBlock('x', 1), 409, 'BlobIsSealed');
  const open = container.getAppendBlobClient('log-open');
  await (await open.beginCopyFromURL(log.url, { sealBlob: false })).pollUntilDone();
  await open.appendBlock('x', 1);
  assert.equal(String(await open.downloadToBuffer()), 'onetwothreex');
});

test('a copy of a page blob has its pages, its holes and its sequence number', async () => {
  const disk = container.getPageBlobClient('disk-source');
  const size = 64 * MIB + 512;
  await disk.create(size, { blobSequenceNumber: 7, metadata: { kind: 'disk' } });
  await disk.uploadPages(content.subarray(0, 9 * 512), 4 * MIB - 2048, 9 * 512);
  await disk.uploadPages(content.subarray(0, 512), size - 512, 512);
  await disk.clearPages(4 * MIB, 512);
  const blob = container.getPageBlobClient('disk-copy');
  await (await blob.beginCopyFromURL(disk.url)).pollUntilDone();
  const properties = await blob.getProperties();
  assert.equal(properties.blobType, 'PageBlob');
  assert.equal(properties.blobSequenceNumber, 7);
  assert.equal(properties.contentLength, size);
  assert.deepEqual(properties.metadata, { kind: 'disk' });
  const ranges = async (of) => (await of.getPageRanges(0, size)).pageRange;
  assert.equal((await ranges(blob)).length, 3);
  assert.deepEqual(await ranges(blob), await ranges(disk));
  assert.ok((await blob.downloadToBuffer()).equals(await disk.downloadToBuffer()));
  // It is a blob of its own.
  await blob.uploadPages(Buffer.alloc(512, 'x'), 4 * MIB, 512);
  await blob.resize(4 * MIB + 512);
  assert.ok((await disk.downloadToBuffer(4 * MIB, 512)).equals(Buffer.alloc(512)));
  assert.equal((await ranges(disk)).length, 3);
  // Empty and without pages.
  await disk.create(0);
  await (await blob.beginCopyFromURL(disk.url)).pollUntilDone();
  assert.equal((await blob.getProperties()).contentLength, 0);
});

test('a copy is of its source\'s type', async () => {
  const log = container.getAppendBlobClient('typed');
  await log.create();
  await refused(log.beginCopyFromURL(source.url), 409, 'InvalidBlobType');
  await refused(container.getBlockBlobClient('copied').beginCopyFromURL(log.url), 409, 'InvalidBlobType');
  const at = `${container.url}/typed?${encodeQuery(serviceSas(stack, 'copies', 'typed'))}`;
  await refused(container.getBlockBlobClient('synchronous').syncCopyFromURL(at), 409, 'InvalidBlobType');
  // What takes bytes alone takes them from any.
  await log.appendBlock('bytes', 5);
  await container.getBlockBlobClient('untyped').syncUploadFromURL(at);
  assert.equal(String(await container.getBlockBlobClient('untyped').downloadToBuffer()), 'bytes');
});

// A blob of three blocks, and what they hold.
async function ofBlocks(blob) {
  const blocks = Object.fromEntries(['a', 'b', 'c'].map((name) =>
    [Buffer.from(name).toString('base64'), randomBytes(MIB + 17)]));
  for (const [id, bytes] of Object.entries(blocks)) await blob.stageBlock(id, bytes, bytes.length);
  await blob.commitBlockList(Object.keys(blocks), { metadata: { made: 'of blocks' } });
  return blocks;
}

async function copied(from, to, options) {
  await (await to.beginCopyFromURL(from.url, options)).pollUntilDone();
}

test('what is shared stays: without the source, its container, and the copy between', async () => {
  const service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  const lender = service.getContainerClient('lender');
  const between = service.getContainerClient('between');
  for (const one of [lender, between]) await one.create();
  const original = lender.getBlockBlobClient('original');
  const blocks = await ofBlocks(original);
  const whole = Buffer.concat(Object.values(blocks));
  const first = between.getBlockBlobClient('first');
  const second = container.getBlockBlobClient('shared-second');
  await copied(original, first);
  await copied(first, second);
  for (const one of [first, second]) {
    assert.ok((await one.downloadToBuffer()).equals(whole));
    const { committedBlocks } = await one.getBlockList('committed');
    assert.deepEqual(committedBlocks.map(({ name }) => name), Object.keys(blocks));
    assert.deepEqual((await one.getProperties()).metadata, { made: 'of blocks' });
  }
  await between.delete();
  await lender.delete();
  await lender.create();
  await ofBlocks(lender.getBlockBlobClient('original'));
  await stack.gateway.restart();
  const after = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('copies').getBlockBlobClient('shared-second');
  assert.ok((await after.downloadToBuffer()).equals(whole));
  assert.ok((await after.downloadToBuffer(MIB, 4000)).equals(whole.subarray(MIB, MIB + 4000)));
});

test('nobody sees what is lent', async () => {
  const blob = container.getBlockBlobClient('lends');
  await ofBlocks(blob);
  await copied(blob, container.getBlockBlobClient('lends-to'));
  for await (const item of container.listBlobsFlat({ prefix: 'lends', includeSnapshots: true,
    includeDeleted: true, includeVersions: true })) {
    assert.equal(item.snapshot, undefined, item.name);
    assert.equal(item.versionId, undefined, item.name);
  }
  await blob.delete(); // and it has no snapshots that would have to be named
  assert.equal(await blob.exists(), false);
  await refused(blob.undelete(), 404, 'BlobNotFound');
  const names = [];
  for await (const item of container.listBlobsFlat({ prefix: 'lends' })) names.push(item.name);
  assert.deepEqual(names, ['lends-to']);
});

test('a copy that shares is a blob like any other: block lists, appends, snapshots, itself again', async () => {
  const blob = container.getBlockBlobClient('lender-of-blocks');
  const blocks = await ofBlocks(blob);
  const [a, b, c] = Object.keys(blocks);
  const copy = container.getBlockBlobClient('borrower');
  await copied(blob, copy);
  const snapshot = copy.withSnapshot((await copy.createSnapshot()).snapshot);
  await blob.delete();
  const own = Buffer.from('own').toString('base64');
  await copy.stageBlock(own, 'its own', 7);
  await copy.commitBlockList([c, own, a, c]);
  const mixed = Buffer.concat([blocks[c], Buffer.from('its own'), blocks[a], blocks[c]]);
  assert.ok((await copy.downloadToBuffer()).equals(mixed));
  const poured = container.getBlockBlobClient('of-both');
  await copied(copy, poured);
  await copied(copy, copy, { metadata: { again: 'yes' } });
  await copied(snapshot, container.getBlockBlobClient('of-snapshot'));
  await copy.commitBlockList([]);
  assert.ok((await poured.downloadToBuffer()).equals(mixed));
  const all = Buffer.concat([blocks[a], blocks[b], blocks[c]]);
  assert.ok((await snapshot.downloadToBuffer()).equals(all));
  await copy.delete({ deleteSnapshots: 'include' });
  assert.ok((await container.getBlockBlobClient('of-snapshot').downloadToBuffer()).equals(all));
  // A source under its copy, and back.
  const there = container.getBlockBlobClient('of-snapshot');
  for (let i = 0; i < 3; i++) {
    await copied(there, copy);
    await copied(copy, there);
    await copied(there, there, { metadata: { turn: String(i) } });
  }
  assert.ok((await there.downloadToBuffer()).equals(all));
  assert.deepEqual((await there.getProperties()).metadata, { turn: '2' });
  // A log that goes on in both.
  const log = container.getAppendBlobClient('shared-log');
  await log.create();
  for (let i = 0; i < 70; i++) await log.appendBlock(`line ${i}\n`, `line ${i}\n`.length);
  const until = String(await log.downloadToBuffer());
  const other = container.getAppendBlobClient('shared-log-copy');
  await copied(log, other);
  for (let i = 0; i < 70; i++) await other.appendBlock('here\n', 5);
  await log.appendBlock('there\n', 6);
  assert.equal(String(await other.downloadToBuffer()), until + 'here\n'.repeat(70));
  await log.delete();
  assert.equal(String(await other.downloadToBuffer()), until + 'here\n'.repeat(70));
});

test('conditions on the source', async () => {
  const blob = container.getBlockBlobClient('conditional');
  const { etag } = await source.getProperties();
  await refused(blob.beginCopyFromURL(source.url, { sourceConditions: { ifMatch: '"0x1"' } }),
    412, 'SourceConditionNotMet');
  await refused(blob.beginCopyFromURL(source.url, { sourceConditions: { ifNoneMatch: etag } }),
    412, 'SourceConditionNotMet');
  await (await blob.beginCopyFromURL(source.url, { sourceConditions: { ifMatch: etag } })).pollUntilDone();
  assert.ok((await blob.downloadToBuffer()).equals(content));
  await refused(blob.beginCopyFromURL(source.url, { conditions: { ifNoneMatch: '*' } }),
    409, 'BlobAlreadyExists');
});

test('nothing is ever pending', async () => {
  const blob = container.getBlockBlobClient('copied-once');
  const { copyId } = await (await blob.beginCopyFromURL(source.url)).pollUntilDone();
  await refused(blob.abortCopyFromURL(copyId), 409, 'NoPendingCopyOperation');
  await refused(blob.abortCopyFromURL('8e8f3b8e-7c3a-4a6e-9f0e-111111111111'), 409, 'CopyIdMismatch');
});

test('a snapshot is a source, too', async () => {
  const blob = container.getBlockBlobClient('kept');
  await blob.upload('before', 6);
  const { snapshot } = await blob.createSnapshot();
  await blob.upload('after', 5);
  await (await blob.beginCopyFromURL(blob.withSnapshot(snapshot).url)).pollUntilDone();
  assert.equal(String(await blob.downloadToBuffer()), 'before');
});

test('tags come along where that is asked for', async () => {
  const from = container.getBlockBlobClient('tagged-source');
  const blob = container.getBlockBlobClient('tagged-copy');
  await from.upload('x', 1, { tags: { of: 'source' } });
  await blob.syncCopyFromURL(from.url, { tags: { of: 'copy' } });
  assert.deepEqual((await blob.getTags()).tags, { of: 'copy' });
  await blob.syncCopyFromURL(from.url);
  assert.deepEqual((await blob.getTags()).tags, {});
  await blob.syncCopyFromURL(from.url, { copySourceTags: 'COPY' });
  assert.deepEqual((await blob.getTags()).tags, { of: 'source' });
  await blob.syncUploadFromURL(from.url, { copySourceTags: 'COPY' });
  assert.deepEqual((await blob.getTags()).tags, { of: 'source' });
  await refused(blob.syncCopyFromURL(from.url, { copySourceTags: 'COPY', tags: { of: 'both' } }), 400,
    'InvalidHeaderValue');
  await refused(blob.syncCopyFromURL(sasUrl('tagged-source'), { copySourceTags: 'COPY' }), 403,
    'AuthorizationPermissionMismatch');
});

test('an archived blob is copied into a tier that is read from, within the account', async () => {
  const from = container.getBlockBlobClient('archived-source');
  const blob = container.getBlockBlobClient('archived-copy');
  await from.upload('x', 1);
  await from.setAccessTier('Archive');
  await refused(blob.beginCopyFromURL(from.url), 409, 'BlobArchived');
  await refused(blob.beginCopyFromURL(from.url, { tier: 'Archive' }), 409, 'BlobArchived');
  await refused(blob.syncCopyFromURL(from.url, { tier: 'Hot' }), 409, 'BlobArchived');
  await blob.beginCopyFromURL(from.url, { tier: 'Cool' });
  assert.equal((await blob.getProperties()).accessTier, 'Cool');
  assert.equal((await blob.downloadToBuffer()).toString(), 'x');
});

test('what a source refuses is the message of the refusal', async () => {
  const error = await container.getBlockBlobClient('never').beginCopyFromURL(sasUrl('source', 'w'))
    .then(assert.fail, (e) => e);
  assert.equal(error.statusCode, 403);
  assert.equal(error.code, 'CannotVerifyCopySource');
  assert.match(error.message, /^This request is not authorized to perform this operation using this permission\./);
});

test('a listing tells of copies where it is asked to', async () => {
  const blob = container.getBlockBlobClient('listed-copy');
  await (await blob.beginCopyFromURL(source.url)).pollUntilDone();
  for (const includeCopy of [true, false]) {
    for await (const item of container.listBlobsFlat({ prefix: 'listed', includeCopy })) {
      assert.equal(item.properties.copyStatus, includeCopy ? 'success' : undefined);
      assert.equal(item.properties.copySource, includeCopy ? source.url : undefined);
    }
  }
});

test('from another account, with a signature of its; not while its key is revoked', async () => {
  await stack.vault.createKey('second-key');
  await stack.createAccount('second', { vaultUri: stack.vault.uri, name: 'second-key' });
  const [{ value: accountKey }] = await stack.keysOf('second');
  const other = { account: 'second', accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/second` };
  await send(other, { method: 'PUT', path: '/box', query: { restype: 'container' } });
  await send(other, { method: 'PUT', path: '/box/blob', body: content,
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
  const url = `${other.blobEndpoint}/box/blob`;
  const signed = `${url}?${encodeQuery(serviceSas(other, 'box', 'blob'))}`;
  const blob = container.getBlockBlobClient('across');
  await (await blob.beginCopyFromURL(signed)).pollUntilDone();
  assert.ok((await blob.downloadToBuffer()).equals(content));
  await refused(blob.beginCopyFromURL(url), 403, 'CannotVerifyCopySource');
  await stack.vault.disableAllVersions('second-key');
  await stack.until(async () => (await copy(signed)).code === 'KeyVaultEncryptionKeyNotFound',
    'the source to go dark');
  assert.ok((await blob.downloadToBuffer()).equals(content));
});

// --- what may be read ---------------------------------------------------------------------------------

const copy = (copySource, rest = {}) => send(stack, { method: 'PUT', path: '/copies/by-hand',
  headers: { 'x-ms-copy-source': copySource, ...rest.headers }, ...rest.send });

test('a source needs a credential of its own, or the key of the same account', async () => {
  const sas = accountSas(stack); // may write here, and says nothing of the source
  for (const [url, status] of [
    [source.url, 403],
    [sasUrl('source', 'w'), 403],
    [`${sasUrl()}x`, 403], // a wrong signature
    [sasUrl('absent'), 404],
    [`${container.url.replace('copies', 'nowhere')}/x?${encodeQuery(serviceSas(stack, 'nowhere', 'x'))}`, 404],
  ]) {
    const answer = await copy(url, { send: { sas } });
    assert.equal(`${answer.status} ${answer.code}`, `${status} CannotVerifyCopySource`, url);
  }
  assert.equal((await copy(sasUrl(), { send: { sas } })).status, 202);
});

test('a signature for HTTPS alone is good for who comes by HTTPS, whatever the URL says', async () => {
  const signed = encodeQuery(serviceSas(stack, 'copies', 'source', 'r', 'https'));
  const url = `${source.url.replace(/^http:/, 'https:')}?${signed}`;
  const plain = await copy(url);
  assert.equal(`${plain.status} ${plain.code}`, '403 CannotVerifyCopySource');
  assert.equal((await copy(url, { send: { tls: true } })).status, 202);
});

test('a whole blob is made of a whole blob', async () => {
  for (const more of [{}, { 'x-ms-requires-sync': 'true' }, { 'x-ms-blob-type': 'BlockBlob' }]) {
    const answer = await send(stack, { method: 'PUT', path: '/copies/part',
      headers: { 'x-ms-copy-source': source.url, 'x-ms-source-range': 'bytes=0-9', ...more } });
    assert.equal(`${answer.status} ${answer.code}`, '400 UnsupportedHeader');
  }
  assert.equal(await container.getBlockBlobClient('part').exists(), false);
});

test('what is no URL of a blob here is refused, and nothing is asked for it', async () => {
  let asked = 0;
  const bait = http.createServer((request, response) => { asked++; response.end('x'); });
  await new Promise((resolve) => { bait.listen(0, '127.0.0.1', resolve); });
  const { port } = bait.address();
  after(() => bait.close());
  const { host } = new URL(stack.blobEndpoint);
  for (const [url, status, code] of [
    [`http://localhost:${port}/${stack.account}/copies/source`, 403, 'CannotVerifyCopySource'],
    [`http://127.0.0.1:${port}/${stack.account}/copies/absent`, 404, 'CannotVerifyCopySource'],
    [`http://${host}@localhost:${port}/x/y`, 400, 'InvalidHeaderValue'],
    ['http://169.254.169.254/metadata/identity', 403, 'CannotVerifyCopySource'],
    ['file:///etc/passwd', 400, 'InvalidHeaderValue'],
    ['/copies/source', 400, 'InvalidHeaderValue'],
    ['http://', 400, 'InvalidHeaderValue'],
    [`http://${host}`, 400, 'InvalidHeaderValue'],
    [`http://${host}/${stack.account}/copies`, 404, 'CannotVerifyCopySource'], // a blob of $root
    [`http://${host}/${stack.account}`, 400, 'InvalidHeaderValue'],
    [`http://${host}/${stack.account}/copies/source#part`, 400, 'InvalidHeaderValue'],
  ]) {
    const answer = await send(stack, { method: 'PUT', path: '/copies/refused',
      headers: { 'x-ms-copy-source': url } });
    assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`, url);
  }
  assert.equal(asked, 0);
  const withBody = await copy(source.url, { send: { body: 'x' } });
  assert.equal(withBody.status, 413);
  assert.equal(await container.getBlockBlobClient('refused').exists(), false);
});

test('a source\'s URL is text that a listing can show', async () => {
  const signed = `${new URL(source.url).pathname}?${encodeQuery(serviceSas(stack, 'copies', 'source'))}`;
  for (const authority of ['127.0.0.1:\xff', '127.0.0.1:<', '127.0.0.1:1"']) {
    const answer = await copy(`http://${authority}${signed}`, { send: { sas: accountSas(stack) } });
    assert.equal(`${answer.status} ${answer.code}`, '400 InvalidHeaderValue', authority);
  }
});

test('a signature in a source\'s URL is nowhere to be seen', async () => {
  const blob = container.getBlockBlobClient('discreet');
  await blob.syncCopyFromURL(sasUrl());
  const { copySource } = await blob.getProperties();
  assert.equal(copySource, source.url);
});
