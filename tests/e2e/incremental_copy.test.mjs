// SPDX-License-Identifier: Apache-2.0
// Incremental Copy Blob with the vendor's SDK: a page blob whose snapshots follow those of another, byte by byte and
// change by change, whatever becomes of what they were copied from; and which is nothing but that.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const PAGE = 512;
const BLOCK = 4096;
const PIECE = 4 << 20;
const SIZE = 3 * PIECE;
let stack;
let service;
let container;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('disks');
  await container.create();
});
after(() => stack?.stop());

// A page blob, what its bytes are, and its snapshots with theirs.
async function disk(name, options = {}) {
  const blob = container.getPageBlobClient(name);
  let bytes = Buffer.alloc(SIZE);
  await blob.create(SIZE, options);
  return { blob,
    write: async (from, length) => {
      const body = randomBytes(length);
      await blob.uploadPages(body, from, length);
      body.copy(bytes, from);
    },
    clear: async (from, length) => {
      await blob.clearPages(from, length);
      bytes.fill(0, from, from + length);
    },
    resize: async (size) => {
      await blob.resize(size);
      const resized = Buffer.alloc(size);
      bytes.copy(resized);
      bytes = resized;
    },
    snapshot: async (more) => {
      const { snapshot } = await blob.createSnapshot(more);
      return { time: snapshot, blob: blob.withSnapshot(snapshot), bytes: Buffer.from(bytes) };
    } };
}

// Makes target follow to a snapshot, and resolves to its own.
async function follow(target, snapshot, url = snapshot.blob.url) {
  const answer = await target.startCopyIncremental(url);
  assert.equal(answer.copyStatus, 'success');
  const { copyId, copyStatus, copySource, isIncrementalCopy, destinationSnapshot, etag } = await target.getProperties();
  assert.deepEqual({ copyId, copyStatus, isIncrementalCopy, etag },
    { copyId: answer.copyId, copyStatus: 'success', isIncrementalCopy: true, etag: answer.etag });
  assert.equal(copySource, snapshot.blob.url.replaceAll(':', (colon, at) => (at < 30 ? colon : '%3A')));
  return { time: destinationSnapshot, blob: target.withSnapshot(destinationSnapshot), bytes: snapshot.bytes };
}

const assertIs = async ({ blob, bytes }) => {
  const got = await blob.downloadToBuffer();
  assert.equal(got.length, bytes.length);
  assert.ok(got.equals(bytes));
};

async function changes(blob, since) {
  const found = [];
  for await (const { start, end, isClear } of blob.listPageRangesDiff(0, SIZE, since)) {
    found.push([isClear ? 'clear' : 'page', start, end - start + 1]);
  }
  return found;
}

async function listed(prefix) {
  const found = [];
  const what = { prefix, includeSnapshots: true, includeCopy: true };
  for await (const { name, snapshot, properties } of container.listBlobsFlat(what)) {
    if (name === prefix) found.push({ snapshot, ...properties });
  }
  return found;
}

async function ranges(blob) {
  const found = [];
  for await (const { start, end } of blob.listPageRanges()) found.push([start, end - start + 1]);
  return found;
}

const incremental = (to, from, more = {}) => send(stack, { method: 'PUT', path: `/disks/${to}`,
  query: { comp: 'incrementalcopy' }, ...more, headers: { 'x-ms-copy-source': from, ...more.headers } });
const codeOf = ({ status, code }) => `${status} ${code}`;

test('snapshots follow snapshots: bytes, pages, changes, size and properties', async () => {
  const source = await disk('source', { metadata: { of: 'source' }, blobSequenceNumber: 7,
    blobHTTPHeaders: { blobContentType: 'application/x-disk' } });
  const target = container.getPageBlobClient('follower');
  const steps = [
    async () => {}, // nothing was ever written
    async () => {
      await source.write(0, 3 * BLOCK);
      await source.write(PIECE - PAGE, 2 * PAGE);
      await source.write(2 * PIECE + BLOCK, PAGE);
    },
    async () => { // within blocks that the copy before has, and cleared where that had something
      await source.write(PAGE, PAGE);
      await source.clear(5 * PAGE, 4 * PAGE);
      await source.clear(PIECE, PAGE);
      await source.write(2 * PIECE, PAGE);
    },
    async () => {}, // nothing since
    async () => { // what is cut off does not come back
      await source.resize(PIECE - 2 * PAGE);
      await source.resize(SIZE);
      await source.write(PIECE + BLOCK, 5 * PAGE);
    },
    async () => {
      await source.resize(PIECE + BLOCK + PAGE);
    },
    async () => {
      await source.clear(0, PIECE + BLOCK);
      await source.write(7 * PAGE, PAGE);
      await source.blob.setHTTPHeaders({ blobContentType: 'application/x-other' });
    },
  ];
  const from = [];
  const to = [];
  for (const [i, step] of steps.entries()) {
    await step();
    from.push(await source.snapshot(i === 4 ? { metadata: { of: 'snapshot' } } : {}));
    if (i === 5) continue; // not each has to be copied
    to.push({ ...await follow(target, from[i]), source: from[i] });
  }
  for (const [i, copy] of to.entries()) {
    await assertIs(copy);
    assert.deepEqual(await ranges(copy.blob), await ranges(copy.source.blob), `pages of ${i}`);
    const { metadata, contentType, blobSequenceNumber, contentLength } = await copy.source.blob.getProperties();
    const own = await copy.blob.getProperties();
    assert.deepEqual([own.metadata, own.contentType, own.blobSequenceNumber, own.contentLength],
      [metadata, contentType, blobSequenceNumber, contentLength]);
    assert.deepEqual([own.isIncrementalCopy, own.destinationSnapshot], [true, copy.time]);
    for (const earlier of to.slice(0, i)) {
      assert.deepEqual(await changes(copy.blob, earlier.time), await changes(copy.source.blob, earlier.source.time));
    }
  }
  const all = (await listed('follower')).map((item) => [item.snapshot, item.incrementalCopy, item.destinationSnapshot]);
  assert.deepEqual(all, [...to.map(({ time }) => [time, true, time]), [undefined, true, to.at(-1).time]]);
});

test('many pieces here and there, and a cut through them', async () => {
  const GROUP = 8192 * PIECE; // as many as have their rows told by one
  const source = container.getPageBlobClient('sparse');
  const target = container.getPageBlobClient('sparse-follower');
  const bytes = new Map(); // of the pages that were written, by their places
  await source.create(3 * GROUP);
  const writeAll = async (places) => { // eight at a time: writes of one blob take turns, and none waits for ever
    const left = places.values();
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (const at of left) {
        bytes.set(at, randomBytes(PAGE));
        await source.uploadPages(bytes.get(at), at, PAGE);
      }
    }));
  };
  const copied = [];
  const copy = async () => {
    const { snapshot } = await source.createSnapshot();
    await target.startCopyIncremental(source.withSnapshot(snapshot).url);
    const { destinationSnapshot, contentLength } = await target.getProperties();
    const own = target.withSnapshot(destinationSnapshot);
    const sorted = [...bytes.keys()].sort((a, b) => a - b);
    assert.deepEqual(await ranges(own), sorted.map((at) => [at, PAGE]));
    const some = sorted.filter((_, i) => i % 7 === 0 || i === sorted.length - 1);
    await Promise.all(some.map(async (at) => {
      assert.ok((await own.downloadToBuffer(at, PAGE)).equals(bytes.get(at)), `${at}`);
    }));
    copied.push({ snapshot, destinationSnapshot, contentLength });
  };
  const pieces = Array.from({ length: 70 }, (_, i) => 3 * i); // more than are written at once
  await writeAll([...pieces.map((piece) => piece * PIECE), GROUP + BLOCK, GROUP + 3 * PIECE + BLOCK]);
  await copy();
  await writeAll(pieces.slice(0, 67).map((piece) => piece * PIECE + PAGE * 20)); // of one group alone
  await source.clearPages(GROUP + 3 * PIECE + BLOCK, PAGE);
  bytes.delete(GROUP + 3 * PIECE + BLOCK);
  await copy();
  const size = 20 * PIECE + BLOCK; // in the midst of the first group
  await source.resize(size);
  for (const at of bytes.keys()) if (at >= size) bytes.delete(at);
  await copy();
  assert.deepEqual(copied.map(({ contentLength }) => contentLength), [3 * GROUP, 3 * GROUP, size]);
  const changed = async (blob, { time, since }) => {
    const found = [];
    for await (const { start, end, isClear } of blob.withSnapshot(time).listPageRangesDiff(0, 3 * GROUP, since)) {
      found.push([isClear, start, end]);
    }
    return found;
  };
  for (const [i, j] of [[0, 1], [1, 2], [0, 2]]) {
    assert.deepEqual(
      await changed(target, { time: copied[j].destinationSnapshot, since: copied[i].destinationSnapshot }),
      await changed(source, { time: copied[j].snapshot, since: copied[i].snapshot }), `${i} to ${j}`);
  }
});

test('what was copied stays: without the source, its snapshots, and after a restart', async () => {
  const source = await disk('passing');
  const target = container.getPageBlobClient('stays');
  await source.write(0, BLOCK);
  await source.write(PIECE, BLOCK);
  const first = await source.snapshot();
  const copied = await follow(target, first);
  await first.blob.delete(); // what is new since is known without it
  await source.write(PAGE, PAGE);
  const second = await source.snapshot();
  await stack.gateway.restart();
  const next = await follow(target, second);
  assert.deepEqual(await changes(next.blob, copied.time), [['page', PAGE, PAGE]]);
  await source.blob.delete({ deleteSnapshots: 'include' });
  await copied.blob.delete();
  await assertIs(next);
  // A copy of it, and a blob that follows it, are as any other's.
  const plain = container.getPageBlobClient('plain');
  await (await plain.beginCopyFromURL(next.blob.url)).pollUntilDone();
  await assertIs({ blob: plain, bytes: next.bytes });
  assert.equal((await plain.getProperties()).isIncrementalCopy, undefined);
  await assertIs(await follow(container.getPageBlobClient('chained'), next));
});

test('it is no blob to read or write', async () => {
  const source = await disk('only-source');
  await source.write(0, BLOCK);
  const target = container.getPageBlobClient('only');
  const copied = await follow(target, await source.snapshot());
  const block = container.getBlockBlobClient('only');
  const not = [409, 'OperationNotAllowedOnIncrementalCopyBlob'];
  const body = randomBytes(PAGE);
  const copyOf = container.getPageBlobClient('only-copy');
  for (const attempt of [() => target.downloadToBuffer(0, PAGE), () => target.getPageRanges(),
    () => target.uploadPages(body, 0, PAGE), () => target.clearPages(0, PAGE), () => target.resize(PIECE),
    () => target.updateSequenceNumber('increment'), () => target.setMetadata({ a: 'b' }),
    () => target.setHTTPHeaders({ blobContentType: 'a/b' }), () => target.setTags({ a: 'b' }), () => target.getTags(),
    () => target.createSnapshot(), () => target.create(PIECE), () => block.upload('x', 1),
    () => target.beginCopyFromURL(source.blob.url), () => copyOf.beginCopyFromURL(target.url)]) {
    await refused(attempt(), ...not);
  }
  await assertIs(copied);
  await refused(target.abortCopyFromURL((await target.getProperties()).copyId), 409, 'NoPendingCopyOperation');

  const lease = target.getBlobLeaseClient();
  await lease.acquireLease(-1);
  await source.write(BLOCK, BLOCK);
  const second = await source.snapshot();
  await refused(target.startCopyIncremental(second.blob.url), 412, 'LeaseIdMissing');
  await lease.releaseLease();
  await follow(target, second);
  await refused(target.delete(), 409, 'SnapshotsPresent');
  await target.delete({ deleteSnapshots: 'only' });
  await source.write(2 * BLOCK, BLOCK);
  await assertIs(await follow(target, await source.snapshot()));
  await target.delete({ deleteSnapshots: 'include' });
  await target.create(PAGE); // the name is free for anything
  await refused(target.startCopyIncremental(second.blob.url), 409, 'IncrementalCopyBlobMismatch');
});

test('what cannot be followed', async () => {
  const source = await disk('refused-source');
  const first = await source.snapshot();
  await source.write(0, PAGE);
  const second = await source.snapshot();
  const other = await (await disk('refused-other')).snapshot();
  const block = container.getBlockBlobClient('refused-block');
  await block.upload('block', 5);
  const blockSnapshot = await block.createSnapshot();
  const target = container.getPageBlobClient('refused');
  await refused(target.startCopyIncremental(source.blob.url), 409, 'IncrementalCopySourceMustBeSnapshot');
  await refused(target.startCopyIncremental(block.withSnapshot(blockSnapshot.snapshot).url), 409, 'InvalidBlobType');
  await refused(target.startCopyIncremental(source.blob.withSnapshot('2020-01-01T00:00:00.0000000Z').url), 404,
    'CannotVerifyCopySource');
  await refused(target.startCopyIncremental(source.blob.withSnapshot('yesterday').url), 400);
  assert.equal(codeOf(await send(stack, { method: 'PUT', path: '/disks/refused', query: { comp: 'incrementalcopy' } })),
    '400 MissingRequiredHeader');
  assert.equal(codeOf(await incremental('refused', second.blob.url, { headers: { 'x-ms-source-range': 'bytes=0-511' } })),
    '400 UnsupportedHeader');
  assert.equal(await target.exists(), false);

  await follow(target, second);
  const before = await target.getProperties();
  for (const snapshot of [first, second]) {
    await refused(target.startCopyIncremental(snapshot.blob.url), 409,
      'IncrementalCopyOfEarlierVersionSnapshotNotAllowed');
  }
  await refused(target.startCopyIncremental(other.blob.url), 409, 'IncrementalCopyBlobMismatch');
  const conditions = { conditions: { ifMatch: '"0x1"' } };
  const third = await source.snapshot();
  await refused(target.startCopyIncremental(third.blob.url, conditions), 412, 'ConditionNotMet');
  // A source that is made anew is another blob.
  await source.blob.create(SIZE);
  await refused(target.startCopyIncremental((await source.snapshot()).blob.url), 409, 'IncrementalCopyBlobMismatch');
  assert.equal((await target.getProperties()).etag, before.etag);
  await follow(target, third, third.blob.url);
});

test('of several at once each ends whole or not at all', async () => {
  const source = await disk('crowded');
  const target = container.getPageBlobClient('crowd');
  let last = 0;
  for (let round = 0; round < 3; round++) {
    const snapshots = [];
    for (let i = 0; i < 4; i++) {
      await source.write((round * 4 + i) * BLOCK, PAGE);
      await source.clear(i * BLOCK, PAGE);
      snapshots.push(await source.snapshot());
    }
    const answers = await Promise.all([...snapshots, snapshots[3]].map(({ blob }) => incremental('crowd', blob.url)));
    for (const answer of answers) {
      if (answer.status !== 202) {
        assert.equal(answer.headers['x-ms-copy-status'], undefined);
        assert.match(codeOf(answer), /^409 (PendingCopyOperation|IncrementalCopyOfEarlierVersionSnapshotNotAllowed)$/);
      }
    }
    const done = answers.filter(({ status }) => status === 202).length;
    assert.ok(done > 0);
    const copies = (await listed('crowd')).filter(({ snapshot }) => snapshot !== undefined);
    assert.equal(copies.length, last + done);
    for (const { snapshot, copySource } of copies.slice(last)) {
      const copied = snapshots.find(({ time }) => copySource.includes(encodeURIComponent(time)));
      await assertIs({ blob: target.withSnapshot(snapshot), bytes: copied.bytes });
    }
    last = copies.length;
  }
});

test('deleted and kept, it comes back and goes on', async () => {
  const properties = (days) => service.setProperties({ deleteRetentionPolicy: { enabled: days > 0, days: days || undefined } });
  const source = await disk('kept-source');
  const target = container.getPageBlobClient('kept');
  await source.write(0, BLOCK);
  const copied = await follow(target, await source.snapshot());
  await properties(1);
  await target.delete({ deleteSnapshots: 'include' });
  await target.undelete();
  await refused(target.downloadToBuffer(), 409, 'OperationNotAllowedOnIncrementalCopyBlob');
  await assertIs(copied);
  await source.write(PAGE, PAGE);
  const next = await follow(target, await source.snapshot());
  assert.deepEqual(await changes(next.blob, copied.time), [['page', PAGE, PAGE]]);
  // In the place of one that is kept another begins, of whatever kind that was.
  await target.delete({ deleteSnapshots: 'include' });
  const block = container.getBlockBlobClient('kept');
  await block.upload('block', 5);
  await block.delete({ deleteSnapshots: 'include' });
  const anew = await follow(target, await source.snapshot());
  await assertIs(anew);
  await properties(0);
});

test('where there are versions it is one from its beginning, which is not to be read either', async () => {
  const versions = (isVersioningEnabled) => stack.management.good('PUT',
    `${stack.accountPath(stack.account)}/blobServices/default`, { body: { properties: { isVersioningEnabled } } });
  await versions(true);
  const source = await disk('versioned-source');
  const target = container.getPageBlobClient('versioned');
  await source.write(0, BLOCK);
  const first = await follow(target, await source.snapshot());
  const { versionId } = await target.getProperties();
  await source.write(PAGE, PAGE);
  const second = await follow(target, await source.snapshot());
  assert.equal((await target.getProperties()).versionId, versionId); // as with Put Page
  assert.deepEqual(await changes(second.blob, first.time), [['page', PAGE, PAGE]]);
  await target.delete({ deleteSnapshots: 'include' });
  const version = target.withVersion(versionId);
  assert.equal((await version.getProperties()).destinationSnapshot, second.time);
  await refused(version.downloadToBuffer(), 409, 'OperationNotAllowedOnIncrementalCopyBlob');
  await assertIs(await follow(target, await source.snapshot()));
  await version.delete();
  await versions(false);
});

test('from another account, with a signature of its; neither account\'s key may be revoked', async () => {
  await stack.vault.createKey('second-key');
  await stack.createAccount('second', { vaultUri: stack.vault.uri, name: 'second-key' });
  const [{ value: accountKey }] = await stack.keysOf('second');
  const other = { account: 'second', accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/second` };
  const put = (query, headers, body) => send(other, { method: 'PUT', path: '/box/blob', query, headers, body });
  await send(other, { method: 'PUT', path: '/box', query: { restype: 'container' } });
  await put({}, { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': String(BLOCK) });
  const body = randomBytes(PAGE);
  await put({ comp: 'page' }, { 'x-ms-page-write': 'update', 'x-ms-range': 'bytes=512-1023' }, body);
  const snapshot = async () => {
    const time = (await put({ comp: 'snapshot' }, {})).headers['x-ms-snapshot'];
    const url = `${other.blobEndpoint}/box/blob?snapshot=${encodeURIComponent(time)}`;
    return { url, signed: `${url}&${encodeQuery(serviceSas(other, 'box', 'blob', 'r'))}` };
  };
  const first = await snapshot();
  const second = await snapshot();
  const target = container.getPageBlobClient('across');
  await refused(target.startCopyIncremental(first.url), 403, 'CannotVerifyCopySource');
  await target.startCopyIncremental(first.signed);
  const { copySource, destinationSnapshot } = await target.getProperties();
  assert.equal(copySource, first.url); // and nothing of the signature
  await assertIs({ blob: target.withSnapshot(destinationSnapshot),
    bytes: Buffer.concat([Buffer.alloc(PAGE), body, Buffer.alloc(BLOCK - 2 * PAGE)]) });
  for (const key of ['second-key', stack.keyName]) {
    const versions = await stack.vault.disableAllVersions(key);
    const codeNow = async () => (await incremental('across', first.signed)).code; // which was copied already
    await stack.until(async () => await codeNow() === 'KeyVaultEncryptionKeyNotFound', `${key} to go dark`);
    assert.equal(codeOf(await incremental('across', second.signed)), '403 KeyVaultEncryptionKeyNotFound');
    await stack.vault.enableVersions(key, versions);
    await stack.until(async () => await codeNow() === 'IncrementalCopyOfEarlierVersionSnapshotNotAllowed',
      `${key} to come back`);
    assert.equal((await target.getProperties()).destinationSnapshot, destinationSnapshot);
  }
  await target.startCopyIncremental(second.signed);
});

test('scrub opens all of it and finds nothing', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(JSON.parse(done.stdout).counts.damaged, 0);
});
