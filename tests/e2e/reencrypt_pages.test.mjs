// SPDX-License-Identifier: Apache-2.0
// Page blobs are encrypted anew while they are written in place, and clients see nothing of it: snapshots, versions,
// holes, what has changed since a snapshot, incremental copies, and pages that are written, cleared and made
// snapshots of meanwhile. What was stored before is gone in the end. About fifteen seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { jobOf, keepWhatWas } from './lib/account_job.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { storedIn } from './lib/stored.mjs';

const PAGE = 512;
const PIECE = 4 << 20;
const GROUP = 8192 * PIECE;
const SIZE = 3 * PIECE;
const REST_S = 60; // of what is to be removed
const HELD_S = 600; // what no record has come to name
let stack;
let service;
let container;
let reencrypt;

before(async () => {
  stack = await startStack({ movableClock: true, removalDelayS: REST_S });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('disks');
  reencrypt = jobOf(stack, 'reencrypt');
  await container.create();
});
after(() => stack?.stop());

async function disk(name, size = SIZE, scope = {}) {
  const blob = container.getPageBlobClient(name);
  const bytes = Buffer.alloc(size);
  await blob.create(size, { metadata: { of: 'disk' }, ...scope });
  return { blob, bytes,
    write: async (from, length) => {
      const body = randomBytes(length);
      await tried(() => blob.uploadPages(body, from, length, scope));
      body.copy(bytes, from);
    },
    clear: async (from, length) => {
      await tried(() => blob.clearPages(from, length, scope));
      bytes.fill(0, from, from + length);
    },
    snapshot: async () => {
      const { snapshot } = await tried(() => blob.createSnapshot());
      return { time: snapshot, blob: blob.withSnapshot(snapshot), bytes: Buffer.from(bytes) };
    } };
}

// As SDKs do: what was in the middle of something may be answered 503.
let refusals = 0;
async function tried(work) {
  for (let i = 0; ; i++) {
    try {
      return await work();
    } catch (error) {
      if (error.statusCode !== 503 || i === 50) throw error;
      refusals++;
    }
  }
}

const assertIs = async ({ blob, bytes }, what) => assert.ok((await blob.downloadToBuffer()).equals(bytes), what);

async function rangesOf(blob) {
  const found = [];
  for await (const { start, end } of blob.listPageRanges()) found.push([start, end]);
  return found;
}

async function changesOf(blob, since) {
  const found = [];
  for await (const { start, end, isClear } of blob.listPageRangesDiff(0, undefined, since)) found.push([isClear, start, end]);
  return found;
}

// What a client sees of a disk and of what it was.
async function seen(blob, snapshots) {
  const { etag, lastModified, metadata, contentLength, blobSequenceNumber, versionId, leaseState } = await blob.getProperties();
  const of = { etag, lastModified, metadata, contentLength, blobSequenceNumber, versionId, leaseState, ranges: await rangesOf(blob) };
  for (const each of snapshots) {
    of[each.time] = { ranges: await rangesOf(each.blob), changes: await changesOf(blob, each.time) };
  }
  return of;
}

async function allAnew(atLeast) {
  const { code, status, counts } = await reencrypt();
  assert.deepEqual([code, status, counts.changing, counts.damaged], [0, 'done', 0, 0], JSON.stringify(counts));
  assert.ok(counts.reencrypted >= atLeast, JSON.stringify(counts));
  return counts;
}

test('a disk with snapshots, holes and a past, and one in a scope', async () => {
  const full = await disk('disk');
  await full.write(0, 808 * PAGE);
  await full.write(2 * PIECE - PAGE, 2 * PAGE);
  const first = await full.snapshot();
  await full.write(PAGE, PAGE);
  await full.clear(2 * PIECE, PAGE);
  const second = await full.snapshot();
  await full.clear(0, PAGE);
  await full.write(2 * PIECE, 64 * PAGE);
  await full.blob.updateSequenceNumber('update', 7);
  await full.blob.getBlobLeaseClient().acquireLease(-1);
  await disk('empty');
  const far = await disk('far', 8 * PAGE); // its groups are two
  await far.write(0, PAGE);
  await far.blob.resize(GROUP + PIECE);
  await tried(() => far.blob.uploadPages(Buffer.alloc(PAGE, 'far'), GROUP, PAGE));
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/plain`, { body: { properties: {} } });
  const scoped = await disk('scoped', SIZE, { encryptionScope: 'plain' });
  await scoped.write(PIECE, 2 * PAGE);
  const follower = container.getPageBlobClient('follower');
  await follower.startCopyIncremental(first.blob.url);

  const was = await seen(full.blob, [first, second]);
  const before = await storedIn(stack);
  await stack.management.good('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`);
  const { reencryptedBytes } = await allAnew(8);
  assert.ok(reencryptedBytes > 1 << 20, `${reencryptedBytes}`);
  assert.deepEqual(await seen(full.blob, [first, second]), was);
  // All of it is under the new root key, so that the one before has nothing any more.
  const { counts } = await jobOf(stack, 'reseal')();
  assert.deepEqual([counts.resealed, counts.retiredRootKeys], [0, 1], JSON.stringify(counts));
  for (const each of [full, first, second, scoped]) await assertIs(each, each.time);
  assert.ok((await far.blob.downloadToBuffer(GROUP, PAGE)).equals(Buffer.alloc(PAGE, 'far')));
  assert.ok((await far.blob.downloadToBuffer(0, 8 * PAGE)).equals(far.bytes));
  if (before.keys !== undefined) {
    const old = new Set(Object.values(before.keys));
    await stack.gateway.restart();
    stack.gateway.moveClock((REST_S + 1) * 1000);
    const { keys, objects } = await stack.until(async () => {
      const now = await storedIn(stack);
      return Object.keys(now.objects).every((name) => !(name in before.objects)) && now;
    }, 'what was stored before to be removed');
    assert.ok(Object.values(keys).every((key) => !old.has(key)));
    assert.equal(Object.keys(objects).length, Object.keys(before.objects).length); // what was shared is shared
  }

  // The disk goes on, with what it was.
  await full.blob.getBlobLeaseClient().breakLease(0);
  await full.write(PIECE, 3 * PAGE);
  const third = await full.snapshot();
  assert.deepEqual(await changesOf(third.blob, second.time),
    [...was[second.time].changes, [false, PIECE, PIECE + 3 * PAGE - 1]].sort((a, b) => a[1] - b[1]));
  await follower.startCopyIncremental(second.blob.url);
  await follower.startCopyIncremental(third.blob.url);
  const { destinationSnapshot } = await follower.getProperties();
  assert.ok((await follower.withSnapshot(destinationSnapshot).downloadToBuffer()).equals(third.bytes));
  for (const each of [full, first, second, third]) await assertIs(each, each.time);
  await second.blob.delete();
  for (const each of [full, first, third]) await assertIs(each, each.time);
});

// A version has the time at which it began, and what it was last: a snapshot that was made in between has a later time.
test('a version that is older than snapshots of it', async () => {
  const versions = (isVersioningEnabled) => stack.management.good('PUT',
    `${stack.accountPath(stack.account)}/blobServices/default`, { body: { properties: { isVersioningEnabled } } });
  await versions(true);
  const of = await disk('versions');
  const { versionId } = await of.blob.getProperties();
  await versions(false);
  const states = [];
  for (let i = 0; i < 3; i++) {
    await of.write(i * PIECE, PAGE);
    await of.write(0, 2 * PAGE);
    states.push(await of.snapshot());
  }
  await of.write(PAGE, PAGE);
  const version = Buffer.from(of.bytes);
  await versions(true);
  await of.blob.setMetadata({ of: 'version' });
  await of.write(0, PAGE);
  states.push({ time: 'version', blob: of.blob.withVersion(versionId), bytes: version }, of);
  for (const each of states) await assertIs(each, each.time);
  await allAnew(5);
  for (const each of states) await assertIs(each, each.time);
  await versions(false);
});

test('what is written meanwhile is not lost, and is in the snapshots that it is before', async () => {
  await keepWhatWas(stack);
  const busy = await disk('busy');
  await busy.write(0, PIECE);
  await busy.write(PIECE, PIECE);
  const load = { on: true };
  const snapshots = [await busy.snapshot()];
  const writer = async (number) => { // each has pages of its own, in blocks of all
    for (let i = 0; load.on; i++) {
      const from = ((i * 97 + number) % (SIZE / PAGE / 4) * 4 + number) * PAGE;
      await (i % 7 === 6 ? busy.clear(from, PAGE) : busy.write(from, PAGE));
    }
  };
  const reader = async () => {
    while (load.on) {
      const answer = await busy.blob.downloadToBuffer(0, 64 * PAGE);
      assert.equal(answer.length, 64 * PAGE);
    }
  };
  for (let round = 0; round < 2; round++) {
    load.on = true;
    const clients = [0, 1, 2, 3].map(writer).concat(reader());
    await allAnew(1);
    load.on = false;
    await Promise.all(clients);
    await assertIs(busy, `round ${round}`);
    for (const each of snapshots) await assertIs(each, each.time);
    snapshots.push(await busy.snapshot());
  }
  // What has ended, deleted and kept, is moved as well.
  await busy.blob.delete({ deleteSnapshots: 'include' });
  await allAnew(1);
  await busy.blob.undelete();
  for (const each of snapshots) await assertIs(each, each.time);
  // Nothing is left of what was written and came to be named by nobody.
  stack.gateway.moveClock((HELD_S + REST_S) * 1000);
  await stack.gateway.restart();
  const { counts } = JSON.parse((await stack.ctl('scrub', '--json', '--verify')).stdout);
  assert.equal(counts.damaged, 0);
});
