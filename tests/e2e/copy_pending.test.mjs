// SPDX-License-Identifier: Apache-2.0
// Copies from another account that are too large to wait for, by the vendor's SDK: pending, then a success, aborted
// or failed; over restarts, kills and revoked keys. That one is pending is no race: a gateway whose copy_threads are
// 0 leaves it so.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { RECORD, accountObject } from './lib/account_object.mjs';
import { refused } from './lib/refused.mjs';
import { encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';
import { objectsIn } from './lib/stored.mjs';

const MIB = 1 << 20;
const QUICK = { intervalInMs: 20 };
const ABSENT = '8e8f3b8e-7c3a-4a6e-9f0e-111111111111';
const content = randomBytes(MIB + 321);
const options = { copyWaitBytes: 65536, copyThreads: 0 };
let stack;
let other; // the account of the sources
let sources;
let copies;
let names = 0;

before(async () => {
  stack = await startStack(options);
  await stack.vault.createKey('second-key');
  await stack.createAccount('second', { vaultUri: stack.vault.uri, name: 'second-key' });
  const [{ value: accountKey }] = await stack.keysOf('second');
  other = { account: 'second', accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/second` };
  sources = new BlobServiceClient(other.blobEndpoint, new StorageSharedKeyCredential('second', accountKey), noRetry)
    .getContainerClient('sources');
  copies = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('copies');
  await Promise.all([sources.create(), copies.create()]);
});
after(() => stack?.stop());

const restart = async (copyThreads) => {
  options.copyThreads = copyThreads;
  await stack.gateway.restart();
};
const url = (name) => `${sources.url}/${name}?${encodeQuery(serviceSas(other, 'sources', name, 'r'))}`;

async function newSource(bytes = content, rest = {}) {
  const source = sources.getBlockBlobClient(`source-${names++}`);
  await source.upload(bytes, bytes.length, { metadata: { from: 'here' },
    blobHTTPHeaders: { blobContentType: 'text/x-copy', blobContentMD5: createHash('md5').update(bytes).digest() },
    ...rest });
  return source;
}

async function startCopy(source, name = `copy-${names++}`) {
  const blob = copies.getBlockBlobClient(name);
  const poller = await blob.beginCopyFromURL(url(source.name), QUICK);
  const { copyId } = poller.getOperationState();
  return { blob, poller, copyId };
}

const statusOf = async (blob) => (await blob.getProperties()).copyStatus;
const ended = (blob) => stack.until(async () => (await statusOf(blob)) !== 'pending', 'the copy to end');

async function listed(name) {
  for await (const item of copies.listBlobsFlat({ prefix: name, includeCopy: true })) return item.properties;
  return undefined;
}

async function assertCopied(blob, bytes, copyId) {
  const properties = await blob.getProperties();
  assert.equal(properties.copyStatus, 'success');
  assert.equal(properties.copyId, copyId);
  assert.equal(properties.copyProgress, `${bytes.length}/${bytes.length}`);
  assert.equal(properties.copyStatusDescription, undefined);
  assert.ok(properties.copyCompletedOn instanceof Date);
  assert.ok((await blob.downloadToBuffer()).equals(bytes));
  return properties;
}

test('a large copy is pending until a gateway has made it', async () => {
  const source = await newSource();
  const replaced = copies.getBlockBlobClient('first');
  await replaced.upload('before', 6);
  const { blob, poller, copyId } = await startCopy(source, 'first');
  const pending = await blob.getProperties();
  assert.deepEqual([pending.copyId, pending.copyStatus, pending.copyProgress, pending.copySource],
    [copyId, 'pending', `0/${content.length}`, source.url]);
  assert.deepEqual([pending.contentLength, pending.contentMD5, pending.contentType, pending.metadata],
    [0, undefined, 'text/x-copy', { from: 'here' }]);
  assert.deepEqual([pending.copyCompletedOn, pending.copyStatusDescription], [undefined, undefined]);
  assert.equal((await blob.downloadToBuffer()).length, 0);
  const item = await listed('first');
  assert.deepEqual([item.copyId, item.copyStatus, item.copyProgress, item.copySource, item.copyCompletedOn],
    [copyId, 'pending', `0/${content.length}`, source.url, undefined]);
  await restart(2);
  assert.equal((await poller.pollUntilDone()).copyStatus, 'success');
  const done = await assertCopied(blob, content, copyId);
  assert.notEqual(done.etag, pending.etag);
  assert.deepEqual(done.contentMD5, createHash('md5').update(content).digest());
  assert.deepEqual([done.contentLength, done.contentType, done.metadata],
    [content.length, 'text/x-copy', { from: 'here' }]);
  assert.equal((await listed('first')).copyStatus, 'success');
  await restart(0);
});

async function encryptSourcesAnew() {
  const { code, stdout } = await stack.ctl('account', 'reencrypt', 'second', '--json');
  assert.deepEqual([code, JSON.parse(stdout).counts.damaged], [0, 0], stdout);
}

// The content is the same, and is copied from where it has moved to: of a copy that had not begun, and, as often as they
// meet, in the middle of a part whose data are removed before it is read to its end.
test('a source may be encrypted anew while it is copied', async () => {
  const large = randomBytes(40 * MIB);
  options.removalDelayS = 0;
  await restart(0);
  const others = await objectsIn(stack);
  const source = await newSource(large);
  const former = Object.keys(await objectsIn(stack)).filter((name) => !(name in others));
  assert.ok(former.length > 0);
  const waiting = await startCopy(source);
  await encryptSourcesAnew();
  await stack.until(async () => {
    const now = await objectsIn(stack);
    return !former.some((name) => name in now);
  }, 'what the copy was asked of to be removed');
  await restart(1);
  await ended(waiting.blob);
  await assertCopied(waiting.blob, large, waiting.copyId);
  const copied = [];
  for (let i = 0; i < 3; i++) copied.push(await startCopy(source));
  for (let left = copied.length; left > 0;) {
    await encryptSourcesAnew();
    left = (await Promise.all(copied.map(({ blob }) => statusOf(blob)))).filter((status) => status === 'pending').length;
  }
  for (const { blob, copyId } of copied) await assertCopied(blob, large, copyId);
  delete options.removalDelayS;
  await restart(0);
});

test('nothing else changes a blob with a pending copy', async () => {
  const source = await newSource();
  const { blob, copyId } = await startCopy(source);
  const BLOCK = Buffer.from('block').toString('base64');
  for (const change of [
    () => blob.upload('x', 1),
    () => blob.stageBlock(BLOCK, 'x', 1),
    () => blob.commitBlockList([]),
    () => blob.setMetadata({ own: 'yes' }),
    () => blob.setHTTPHeaders({ blobContentType: 'text/plain' }),
    () => blob.setAccessTier('Cool'),
    () => blob.createSnapshot(),
    () => blob.delete(),
    () => blob.beginCopyFromURL(url(source.name)),
    () => blob.syncCopyFromURL(url(source.name)),
  ]) {
    await refused(change(), 409, 'PendingCopyOperation');
  }
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(-1);
  await refused(blob.abortCopyFromURL(copyId), 412, 'LeaseIdMissing');
  await blob.abortCopyFromURL(copyId, { conditions: { leaseId: lease.leaseId } });
  assert.equal(await statusOf(blob), 'aborted');
});

test('a blob with a pending copy is the source of nothing', async () => {
  const { blob, copyId } = await startCopy(await newSource());
  const from = `${blob.url}?${encodeQuery(serviceSas(stack, 'copies', blob.name, 'r'))}`;
  const to = copies.getBlockBlobClient(`copy-${names++}`);
  for (const copy of [
    () => to.beginCopyFromURL(from),
    () => to.syncCopyFromURL(from),
    () => to.syncUploadFromURL(from),
    () => to.stageBlockFromURL(Buffer.from('block').toString('base64'), from),
  ]) {
    await refused(copy(), 409, 'PendingCopyOperation');
  }
  assert.equal(await to.exists(), false);
  await blob.abortCopyFromURL(copyId);
});

test('Abort Copy Blob', async () => {
  const { blob, copyId } = await startCopy(await newSource());
  const by = (query, headers = { 'x-ms-copy-action': 'abort' }) => send(stack, { method: 'PUT',
    path: `/copies/${blob.name}`, query: { comp: 'copy', ...query }, headers });
  assert.equal((await by({ copyid: copyId }, {})).code, 'MissingRequiredHeader');
  assert.equal((await by({ copyid: copyId }, { 'x-ms-copy-action': 'stop' })).code, 'InvalidHeaderValue');
  assert.equal((await by({})).code, 'MissingRequiredQueryParameter');
  await refused(blob.abortCopyFromURL(ABSENT), 409, 'CopyIdMismatch');
  assert.equal((await by({ copyid: copyId })).status, 204);
  const aborted = await blob.getProperties();
  assert.deepEqual([aborted.copyStatus, aborted.copyId, aborted.contentLength, aborted.metadata],
    ['aborted', copyId, 0, { from: 'here' }]);
  assert.ok(aborted.copyCompletedOn instanceof Date);
  await refused(blob.abortCopyFromURL(copyId), 409, 'NoPendingCopyOperation');
  await restart(2);
  await blob.upload('after', 5); // it is a blob like others
  assert.equal((await blob.getProperties()).copyId, undefined);
  await restart(0);
});

test('a source that was changed or deleted fails the copy', async () => {
  const [changed, deleted, touched] = await Promise.all([newSource(), newSource(), newSource()]);
  const begun = await Promise.all([changed, deleted, touched].map((source) => startCopy(source)));
  await changed.upload(content, content.length);
  await deleted.delete();
  await touched.setMetadata({ other: 'ETag' });
  await restart(2);
  const reasons = ['412 SourceConditionNotMet', '404 BlobNotFound', '412 SourceConditionNotMet'];
  for (const [i, { blob, copyId }] of begun.entries()) {
    await ended(blob);
    const failed = await blob.getProperties();
    assert.deepEqual([failed.copyStatus, failed.copyId, failed.contentLength], ['failed', copyId, 0]);
    assert.match(failed.copyStatusDescription, new RegExp(`^${reasons[i]} ".+"$`));
    assert.match((await listed(blob.name)).copyStatusDescription, new RegExp(`^${reasons[i]} `));
    await blob.delete();
  }
  await restart(0);
});

test('a source in an account that has lost its record fails the copy, and no gateway', async () => {
  await stack.createAccount('third');
  const [{ value: accountKey }] = await stack.keysOf('third');
  const third = { account: 'third', accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/third` };
  const lost = new BlobServiceClient(third.blobEndpoint, new StorageSharedKeyCredential('third', accountKey), noRetry)
    .getContainerClient('sources');
  await lost.create();
  await lost.getBlockBlobClient('source').upload(content, content.length);
  const blob = copies.getBlockBlobClient(`copy-${names++}`);
  await blob.beginCopyFromURL(`${lost.url}/source?${encodeQuery(serviceSas(third, 'sources', 'source', 'r'))}`, QUICK);
  await stack.gateway.stop();
  const object = accountObject(stack, 'third');
  const record = object.get(RECORD);
  object.set(RECORD, 'damaged');
  options.copyThreads = 1;
  await stack.gateway.start();
  await ended(blob);
  assert.equal(await statusOf(blob), 'failed');
  await stack.gateway.stop();
  object.set(RECORD, record);
  options.copyThreads = 0;
  await stack.gateway.start();
});

test('a snapshot is copied as it is, whatever becomes of its blob', async () => {
  const source = await newSource();
  const { snapshot } = await source.createSnapshot();
  const blob = copies.getBlockBlobClient('of-snapshot');
  const poller = await blob.beginCopyFromURL(`${sources.url}/${source.name}?snapshot=${encodeURIComponent(snapshot)}` +
    `&${encodeQuery(serviceSas(other, 'sources', source.name, 'r'))}`, QUICK);
  await source.upload('other', 5);
  await restart(2);
  assert.equal((await poller.pollUntilDone()).copyStatus, 'success');
  assert.ok((await blob.downloadToBuffer()).equals(content));
  await restart(0);
});

test('an append blob is appended to again', async () => {
  const source = sources.getAppendBlobClient('log');
  await source.create();
  for (const part of [content, content]) await source.appendBlock(part, part.length);
  const blob = copies.getAppendBlobClient('log');
  const poller = await blob.beginCopyFromURL(url('log'), QUICK);
  const pending = await blob.getProperties();
  assert.deepEqual([pending.contentLength, pending.blobCommittedBlockCount, pending.copyStatus], [0, 0, 'pending']);
  await refused(blob.appendBlock('x', 1), 409, 'PendingCopyOperation');
  await restart(2);
  await poller.pollUntilDone();
  assert.equal((await blob.getProperties()).blobCommittedBlockCount, 2);
  await blob.appendBlock('more', 4);
  assert.ok((await blob.downloadToBuffer()).equals(Buffer.concat([content, content, Buffer.from('more')])));
});

// With threads, from here on.

test('a blob that is copied onto itself is whole all the time', async () => {
  const source = copies.getAppendBlobClient('itself-source');
  await source.create();
  await source.appendBlock(content, content.length);
  const blob = copies.getAppendBlobClient('itself');
  await (await blob.beginCopyFromURL(source.url, QUICK)).pollUntilDone();
  await blob.appendBlock('more', 4); // partly its own, partly borrowed: its data cannot be shared
  const bytes = Buffer.concat([content, Buffer.from('more')]);
  const poller = await blob.beginCopyFromURL(blob.url, { ...QUICK, metadata: { copied: 'again' } });
  const { copyId, copyStatus } = poller.getOperationState();
  assert.equal(copyStatus ?? (await statusOf(blob)), 'success'); // what was its source would be gone
  await assertCopied(blob, bytes, copyId);
});

test('while a key is revoked the copy waits, and can be aborted', async () => {
  await restart(0);
  const [first, second] = [await startCopy(await newSource()), await startCopy(await newSource())];
  const versions = await stack.vault.disableAllVersions('second-key');
  await restart(2);
  for (const { blob } of [first, second]) {
    await stack.until(async () => (await blob.getProperties()).copyStatusDescription?.startsWith('403 '),
      'the copy to say what it waits for');
    const waits = await blob.getProperties();
    assert.deepEqual([waits.copyStatus, waits.contentLength], ['pending', 0]);
  }
  await second.blob.abortCopyFromURL(second.copyId);
  await stack.vault.enableVersions('second-key', versions);
  await ended(first.blob);
  await assertCopied(first.blob, content, first.copyId);
  assert.equal(await statusOf(second.blob), 'aborted');
});

test('the same of the copy\'s own key, without which a copy can be aborted', async () => {
  await restart(0);
  const [first, second] = [await startCopy(await newSource()), await startCopy(await newSource())];
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await restart(2);
  const told = async (blob) => (await listed(blob.name)).copyStatusDescription?.startsWith('403 ');
  await stack.until(async () => (await told(first.blob)) && told(second.blob), 'the copies to wait');
  await second.blob.abortCopyFromURL(second.copyId);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await statusOf(first.blob)) === 'success', 'the copy');
  await assertCopied(first.blob, content, first.copyId);
  assert.equal(await statusOf(second.blob), 'aborted');
});

test('a gateway that is killed goes on where it was', async () => {
  const large = Buffer.alloc(200 * MIB);
  for (let at = 0; at < large.length; at += MIB) large.writeUInt32LE(at, at);
  const source = sources.getBlockBlobClient('large');
  await source.uploadData(large, { maxSingleShotSize: large.length });
  const { blob, copyId } = await startCopy(source);
  const progress = async () => Number((await blob.getProperties()).copyProgress.split('/')[0]);
  await stack.until(async () => (await progress()) > 0, 'the first part');
  const before = await progress();
  await stack.gateway.kill();
  await stack.gateway.start();
  assert.ok((await progress()) >= before);
  await ended(blob);
  await assertCopied(blob, large, copyId);
});

test('nothing of all that is left behind', async () => {
  const done = await stack.ctl('scrub', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
});

test('what is asked of one gateway another one makes, and goes on with', { skip: !onRados }, async () => {
  const both = { ...options, copyThreads: 0, gateways: 2 };
  const pair = await startStack(both);
  try {
    await pair.createAccount('second');
    const [{ value }] = await pair.keysOf('second');
    const containerOf = ({ gateway }, account, key) => new BlobServiceClient(`${gateway.ready.blob_endpoint}/${account}`,
      new StorageSharedKeyCredential(account, key), noRetry).getContainerClient('shared');
    const [one, two] = pair.sides;
    const from = containerOf(one, 'second', value);
    const [byOne, byTwo] = [one, two].map((side) => containerOf(side, pair.account, pair.accountKey));
    await Promise.all([from.create(), byOne.create()]);
    const bytes = randomBytes(130 * MIB);
    await from.getBlockBlobClient('source').uploadData(bytes, { maxSingleShotSize: bytes.length });
    const signed = `${from.url}/source?${encodeQuery(serviceSas({ account: 'second', accountKey: value }, 'shared',
      'source', 'r'))}`;
    const copyOf = async (name) => {
      const poller = await byOne.getBlockBlobClient(name).beginCopyFromURL(signed, QUICK);
      return { name, copyId: poller.getOperationState().copyId, blob: byTwo.getBlockBlobClient(name) };
    };
    const begun = [await copyOf('first'), await copyOf('second')];
    for (const { blob } of begun) assert.equal(await statusOf(blob), 'pending');
    await one.gateway.kill(); // who has nothing to do with it any more
    both.copyThreads = 2;
    await two.gateway.restart();
    for (const { blob, copyId } of begun) {
      await ended(blob);
      await assertCopied(blob, bytes, copyId);
    }
    await one.gateway.start();
    const third = await copyOf('third');
    await pair.until(async () => !(await third.blob.getProperties()).copyProgress.startsWith('0/'), 'the first part');
    await one.gateway.kill(); // perhaps it is the one that works on it
    await ended(third.blob);
    await assertCopied(third.blob, bytes, third.copyId);
    await one.gateway.start();
  } finally {
    await pair.stop();
  }
});
