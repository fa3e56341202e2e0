// SPDX-License-Identifier: Apache-2.0
// Customer-provided keys by the vendor's SDK over TLS: what was written with a key is read with that key
// alone, of all types and states of blobs, and goes dark with the account's key all the same; what needs no
// data goes on without. By hand, what an SDK would never send.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send, serviceSas, encodeQuery } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const MISSING = 'BlobUsesCustomerSpecifiedEncryption';
const NOT_WANTED = 'BlobDoesNotUseCustomerSpecifiedEncryption';
const ANOTHER = 'BlobCustomerSpecifiedEncryptionMismatch';
const BLOCK = Buffer.from('block-1').toString('base64');

const newKey = () => {
  const bytes = randomBytes(32);
  return { encryptionKey: bytes.toString('base64'),
    encryptionKeySha256: createHash('sha256').update(bytes).digest('base64'), encryptionAlgorithm: 'AES256' };
};
const headersOf = (key, prefix = 'x-ms-') => ({ [`${prefix}encryption-key`]: key.encryptionKey,
  [`${prefix}encryption-key-sha256`]: key.encryptionKeySha256, [`${prefix}encryption-algorithm`]: 'AES256' });

const key = newKey();
const other = newKey();
const withKey = { customerProvidedKey: key };
const withOther = { customerProvidedKey: other };
const content = randomBytes(200000);
let stack;
let container;

before(async () => {
  stack = await startStack();
  container = BlobServiceClient.fromConnectionString(stack.connectionStringTls, stack.overTls)
    .getContainerClient('keyed');
  await container.create();
});
after(() => stack?.stop());

const byHand = (method, blob, headers = {}, rest = {}) =>
  send(stack, { method, path: `/keyed/${blob}`, headers, tls: true, ...rest });

async function answers(answer, status, code) {
  const { status: got, code: gotCode } = await answer;
  assert.equal(`${got} ${gotCode}`, `${status} ${code}`);
}

async function uploaded(name, options = {}) {
  const blob = container.getBlockBlobClient(name);
  const answer = await blob.upload(content, content.length, { ...withKey, metadata: { secret: 'value' }, ...options });
  assert.equal(answer.encryptionKeySha256, (options.customerProvidedKey ?? key).encryptionKeySha256);
  assert.equal(answer.isServerEncrypted, true);
  return blob;
}

const download = (blob, options = withKey) => blob.downloadToBuffer(0, undefined, options);

test('a block blob is read with its key, and with none other', async () => {
  for (const size of [content.length, 100, 0]) {
    const blob = container.getBlockBlobClient(`block-${size}`);
    const bytes = content.subarray(0, size);
    await blob.upload(bytes, size, { ...withKey, metadata: { secret: 'value' } });
    if (size > 0) assert.deepEqual(await download(blob), bytes);
    const properties = await blob.getProperties(withKey);
    assert.equal(properties.encryptionKeySha256, key.encryptionKeySha256);
    assert.deepEqual(properties.metadata, { secret: 'value' });
    for (const [options, code] of [[{}, MISSING], [withOther, ANOTHER]]) {
      await refused(blob.download(0, undefined, options), 409, code);
      await refused(blob.getProperties(options), 409);
      await refused(blob.setMetadata({ a: 'b' }, options), 409, code);
    }
  }
  const blob = container.getBlockBlobClient('block-200000');
  assert.deepEqual(await blob.downloadToBuffer(70000, 1000, withKey), content.subarray(70000, 71000));
  const range = await byHand('GET', 'block-200000', { ...headersOf(key), 'x-ms-range': 'bytes=1-4',
    'x-ms-range-get-content-md5': 'true' });
  assert.deepEqual(range.body, content.subarray(1, 5));
  assert.equal(range.headers['content-md5'], createHash('md5').update(range.body).digest('base64'));
  assert.ok(await blob.exists());

  const metadata = await blob.setMetadata({ b: 'c' }, withKey);
  assert.equal(metadata.encryptionKeySha256, key.encryptionKeySha256);
  assert.deepEqual((await blob.getProperties(withKey)).metadata, { b: 'c' });

  const plain = container.getBlockBlobClient('plain');
  await plain.upload('plain', 5);
  await refused(plain.download(0, undefined, withKey), 409, NOT_WANTED);
});

test('a query reads with the key', async () => {
  const blob = container.getBlockBlobClient('table');
  await blob.upload('1,2\n3,4\n', 8, withKey);
  const answer = await blob.query('SELECT _2 FROM BlobStorage', withKey);
  assert.equal(answer.encryptionKeySha256, key.encryptionKeySha256);
  const parts = [];
  for await (const part of answer.readableStreamBody) parts.push(part);
  assert.equal(Buffer.concat(parts).toString(), '2\n4\n');
  for (const [options, code] of [[{}, MISSING], [withOther, ANOTHER]]) {
    await refused(blob.query('SELECT _2 FROM BlobStorage', options), 409, code);
  }
});

test('another blob in its place has another key, or none', async () => {
  const blob = await uploaded('replaced');
  await uploaded('replaced', withOther);
  await refused(blob.download(0, undefined, withKey), 409, ANOTHER);
  assert.deepEqual(await download(blob, withOther), content);
  await blob.upload('plain', 5);
  assert.equal((await blob.downloadToBuffer()).toString(), 'plain');
});

test('blocks and their list agree on the key', async () => {
  const blob = container.getBlockBlobClient('blocks');
  const staged = await blob.stageBlock(BLOCK, content, content.length, withKey);
  assert.equal(staged.encryptionKeySha256, key.encryptionKeySha256);
  for (const [options, code] of [[{}, MISSING], [withOther, ANOTHER]]) {
    await refused(blob.stageBlock(BLOCK, content, content.length, options), 409, code);
    await refused(blob.commitBlockList([BLOCK], options), 409, code);
  }
  assert.equal((await blob.getBlockList('uncommitted')).uncommittedBlocks.length, 1);
  const committed = await blob.commitBlockList([BLOCK], { ...withKey, metadata: { secret: 'value' } });
  assert.equal(committed.encryptionKeySha256, key.encryptionKeySha256);
  assert.deepEqual(await download(blob), content);
  assert.deepEqual((await blob.getProperties(withKey)).metadata, { secret: 'value' });
  await blob.commitBlockList([BLOCK, BLOCK], withKey);
  assert.deepEqual(await download(blob), Buffer.concat([content, content]));

  const plain = container.getBlockBlobClient('plain blocks');
  await plain.stageBlock(BLOCK, content, content.length);
  await refused(plain.stageBlock(BLOCK, content, content.length, withKey), 409, NOT_WANTED);
  await refused(plain.commitBlockList([BLOCK], withKey), 409, NOT_WANTED);
  await plain.commitBlockList([BLOCK]);
});

test('append blobs and page blobs', async () => {
  const append = container.getAppendBlobClient('append');
  assert.equal((await append.create(withKey)).encryptionKeySha256, key.encryptionKeySha256);
  for (const [options, code] of [[{}, MISSING], [withOther, ANOTHER]]) {
    await refused(append.appendBlock(content, content.length, options), 409, code);
  }
  const appended = await append.appendBlock(content, content.length, withKey);
  assert.equal(appended.encryptionKeySha256, key.encryptionKeySha256);
  await append.appendBlock(content, content.length, withKey);
  assert.deepEqual(await download(append), Buffer.concat([content, content]));
  await append.seal();

  const pages = container.getPageBlobClient('pages');
  const page = content.subarray(0, 1024);
  assert.equal((await pages.create(8192, withKey)).encryptionKeySha256, key.encryptionKeySha256);
  for (const [options, code] of [[{}, MISSING], [withOther, ANOTHER]]) {
    await refused(pages.uploadPages(page, 512, page.length, options), 409, code);
    await refused(pages.clearPages(0, 512, options), 409, code);
    await answers(byHand('PUT', 'pages', { ...(options === withOther ? headersOf(other) : {}),
      'x-ms-blob-content-length': '4096' }, { query: { comp: 'properties' } }), 409, code);
  }
  assert.equal((await pages.uploadPages(page, 512, page.length, withKey)).encryptionKeySha256,
    key.encryptionKeySha256);
  await pages.clearPages(1024, 512, withKey);
  const grown = await byHand('PUT', 'pages', { ...headersOf(key), 'x-ms-blob-content-length': '16384' },
    { query: { comp: 'properties' } });
  assert.equal(grown.status, 200, grown.code);
  const wanted = Buffer.alloc(16384);
  page.copy(wanted, 512, 0, 512);
  assert.deepEqual(await download(pages), wanted);
  assert.deepEqual((await pages.getPageRanges(0)).pageRange, [{ offset: 512, count: 511 }]);
  const { snapshot } = await pages.createSnapshot(withKey);
  await pages.uploadPages(page.subarray(0, 512), 0, 512, withKey);
  assert.deepEqual(await download(pages.withSnapshot(snapshot)), wanted);
  await refused(pages.withSnapshot(snapshot).download(0, undefined, withOther), 409, ANOTHER);
});

test('snapshots have the key of their blob', async () => {
  const blob = await uploaded('with snapshots');
  await refused(blob.createSnapshot(), 409, MISSING);
  await refused(blob.createSnapshot({ ...withOther, metadata: { a: 'b' } }), 409, ANOTHER);
  const { snapshot: first } = await blob.createSnapshot(withKey);
  const { snapshot: second } = await blob.createSnapshot({ ...withKey, metadata: { own: 'one' } });
  await uploaded('with snapshots', withOther);
  for (const [time, metadata] of [[first, { secret: 'value' }], [second, { own: 'one' }]]) {
    const state = blob.withSnapshot(time);
    assert.deepEqual(await download(state), content);
    assert.deepEqual((await state.getProperties(withKey)).metadata, metadata);
    await refused(state.download(0, undefined, withOther), 409, ANOTHER);
  }
});

test('what needs no data goes on without the key; lists tell of it', async () => {
  const blob = await uploaded('managed');
  await blob.setHTTPHeaders({ blobContentType: 'text/plain' });
  await blob.setTags({ a: '1' });
  assert.deepEqual((await blob.getTags()).tags, { a: '1' });
  await blob.setAccessTier('Cool');
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(15);
  await lease.releaseLease();
  await answers(byHand('PUT', 'managed', headersOf(other), { query: { comp: 'properties' } }), 409, ANOTHER);

  const items = [];
  for await (const item of container.listBlobsFlat({ prefix: 'managed', includeMetadata: true })) items.push(item);
  assert.equal(items.length, 1);
  assert.equal(items[0].properties.customerProvidedKeySha256, key.encryptionKeySha256);
  const list = await send(stack, { method: 'GET', path: '/keyed', tls: true,
    query: { restype: 'container', comp: 'list', prefix: 'managed', include: 'metadata' } });
  assert.match(list.body.toString(), /<Metadata Encrypted="true"\/>/);
  await blob.delete();
});

test('sources have keys of their own', async () => {
  await uploaded('source', withOther);
  const source = `${stack.blobEndpointTls}/keyed/source?${encodeQuery(serviceSas(stack, 'keyed', 'source'))}`;
  const from = { 'x-ms-copy-source': source };
  const sourceKey = headersOf(other, 'x-ms-source-');
  const block = { query: { comp: 'block', blockid: BLOCK } };
  const put = { ...from, 'x-ms-blob-type': 'BlockBlob' };
  await answers(byHand('PUT', 'taken', { ...put, ...headersOf(key) }), 409, MISSING);
  await answers(byHand('PUT', 'taken', { ...put, ...headersOf(key, 'x-ms-source-') }), 409, ANOTHER);
  await answers(byHand('PUT', 'taken', { ...put, ...sourceKey, ...headersOf(key) }), 201, undefined);
  assert.deepEqual(await download(container.getBlobClient('taken')), content);
  await answers(byHand('PUT', 'staged', { ...from, ...sourceKey, ...headersOf(key) }, block), 201, undefined);
  await container.getBlockBlobClient('staged').commitBlockList([BLOCK], withKey);
  assert.deepEqual(await download(container.getBlobClient('staged')), content);
  const append = container.getAppendBlobClient('appended');
  await append.create(withKey);
  await answers(byHand('PUT', 'appended', { ...from, ...sourceKey, ...headersOf(key) },
    { query: { comp: 'appendblock' } }), 201, undefined);
  assert.deepEqual(await download(append), content);

  const pages = container.getPageBlobClient('page-source');
  await pages.create(1024, withOther);
  await pages.uploadPages(content.subarray(0, 1024), 0, 1024, withOther);
  await container.getPageBlobClient('page-copy').create(1024, withKey);
  await answers(byHand('PUT', 'page-copy', { ...sourceKey, ...headersOf(key), 'x-ms-page-write': 'update',
    'x-ms-copy-source': `${pages.url}?${encodeQuery(serviceSas(stack, 'keyed', 'page-source'))}`,
    'x-ms-source-range': 'bytes=0-1023', 'x-ms-range': 'bytes=0-1023' }, { query: { comp: 'page' } }), 201, undefined);
  assert.deepEqual(await download(container.getBlobClient('page-copy')), content.subarray(0, 1024));

  // A copy takes no key, so that it has none.
  await answers(byHand('PUT', 'copied', { ...from, ...sourceKey, ...headersOf(key) }), 400, 'UnsupportedHeader');
  await answers(byHand('PUT', 'copied', { ...from, ...sourceKey }), 202, undefined);
  const copied = container.getBlobClient('copied');
  assert.deepEqual(await copied.downloadToBuffer(), content);
  assert.deepEqual((await copied.getProperties()).metadata, { secret: 'value' });
});

test('what is not whole, not right or not over TLS is refused before anything is done', async () => {
  const put = { 'x-ms-blob-type': 'BlockBlob' };
  const whole = headersOf(key);
  const without = (name) => Object.fromEntries(Object.entries(whole).filter(([header]) => header !== name));
  const rows = [
    [without('x-ms-encryption-key'), 'MissingRequiredHeader'],
    [without('x-ms-encryption-key-sha256'), 'MissingRequiredHeader'],
    [without('x-ms-encryption-algorithm'), 'MissingRequiredHeader'],
    [{ ...whole, 'x-ms-encryption-algorithm': 'AES128' }, 'InvalidHeaderValue'],
    [{ ...whole, 'x-ms-encryption-key': 'c2hvcnQ=' }, 'InvalidHeaderValue'],
    [{ ...whole, 'x-ms-encryption-key': '%' }, 'InvalidHeaderValue'],
    [{ ...whole, 'x-ms-encryption-key-sha256': other.encryptionKeySha256 }, 'InvalidHeaderValue'],
  ];
  for (const [headers, code] of rows) {
    await answers(byHand('PUT', 'never', { ...put, ...headers }, { body: 'x' }), 400, code);
  }
  await answers(byHand('PUT', 'never', { ...put, ...whole }, { body: 'x', tls: false }), 400, 'InvalidHeaderValue');
  await answers(byHand('DELETE', 'replaced', whole), 400, 'UnsupportedHeader');
  assert.equal((await byHand('GET', 'never')).code, 'BlobNotFound');
  // A read knows the algorithm.
  const read = await byHand('GET', 'block-100', without('x-ms-encryption-algorithm'));
  assert.deepEqual(read.body, content.subarray(0, 100));
});

test('the key is in no file: not in the log, not in the store', async () => {
  const text = Buffer.from(key.encryptionKey);
  const bytes = Buffer.from(key.encryptionKey, 'base64');
  const stored = stack.gateway.store.files(path.join(stack.directory, 'stored'));
  for (const file of [stack.gateway.logFile, stack.gateway.auditFile, ...stored]) {
    const found = readFileSync(file);
    assert.ok(!found.includes(text) && !found.includes(bytes), file);
  }
});

test('a revoked account is dark with the key too; a scrub does not take it for damage', async () => {
  const blob = await uploaded('revoked');
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await byHand('GET', 'revoked', headersOf(key))).status === 403, 'the revocation');
  await refused(blob.download(0, undefined, withKey), 403, 'KeyVaultEncryptionKeyNotFound');
  await refused(blob.upload('x', 1, withKey), 403, 'KeyVaultEncryptionKeyNotFound');
  const { snapshot } = await blob.createSnapshot(withKey);
  await blob.setTags({ b: '2' });
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await byHand('GET', 'revoked', headersOf(key))).status === 200, 'the key again');
  assert.deepEqual(await download(blob.withSnapshot(snapshot)), content);
  const scrub = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(scrub.code, 0, `${scrub.stdout} ${scrub.stderr}`);
  const { counts } = JSON.parse(scrub.stdout);
  assert.equal(counts.damaged, 0);
  assert.ok(counts.notVerifiableBlobs > 0);
});
