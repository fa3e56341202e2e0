// SPDX-License-Identifier: Apache-2.0
// Snapshots and versions of page blobs with the vendor's SDK: they stay what the blob was whatever is written,
// also while the key is revoked, and what has changed since one is told page by page.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const PAGE = 512;
const BLOCK = 4096;
const PIECE = 4 << 20;
const SIZE = 3 * PIECE;
let stack;
let container;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('disks');
  await container.create();
});
after(() => stack?.stop());

// A page blob and what its bytes are.
async function disk(name) {
  const blob = container.getPageBlobClient(name);
  const bytes = Buffer.alloc(SIZE);
  await blob.create(SIZE, { metadata: { of: 'blob' } });
  return { blob, bytes,
    write: async (from, length) => {
      const body = randomBytes(length);
      await blob.uploadPages(body, from, length);
      body.copy(bytes, from);
    },
    clear: async (from, length) => {
      await blob.clearPages(from, length);
      bytes.fill(0, from, from + length);
    },
    snapshot: async (options) => {
      const { snapshot } = await blob.createSnapshot(options);
      return { time: snapshot, blob: blob.withSnapshot(snapshot), bytes: Buffer.from(bytes) };
    } };
}

const assertIs = async (blob, bytes) => assert.ok((await blob.downloadToBuffer()).equals(bytes));

async function changes(blob, since, options = {}) {
  const found = [];
  for await (const { start, end, isClear } of blob.listPageRangesDiff(0, SIZE, since, options)) {
    found.push([isClear ? 'clear' : 'page', start, end - start + 1]);
  }
  return found;
}

const pageList = (name, query, headers = {}) => send(stack, { method: 'GET', path: `/disks/${name}`,
  query: { comp: 'pagelist', ...query }, headers });

test('what is written later is of the blob alone', async () => {
  const { blob, bytes, write, clear, snapshot } = await disk('kept');
  const empty = await snapshot();
  await write(0, 3 * BLOCK);
  await write(PIECE - PAGE, 2 * PAGE);
  const first = await snapshot();
  assert.equal((await first.blob.getProperties()).blobType, 'PageBlob');
  await write(PAGE, PAGE); // within a block that the snapshot has
  await write(2 * PIECE, BLOCK);
  await clear(PIECE, PAGE);
  const second = await snapshot({ metadata: { of: 'snapshot' } });
  await write(PIECE + BLOCK, 5 * PAGE);
  await clear(0, SIZE);
  await write(7 * PAGE, PAGE);
  await blob.resize(PIECE);
  await blob.resize(SIZE);
  for (const past of [empty, first, second]) await assertIs(past.blob, past.bytes);
  await assertIs(blob, bytes);
  assert.deepEqual((await second.blob.getProperties()).metadata, { of: 'snapshot' });
  assert.deepEqual((await first.blob.getProperties()).metadata, { of: 'blob' });
  const { pageRange } = await first.blob.getPageRanges();
  assert.deepEqual(pageRange.map(({ offset, count }) => [offset, count + 1]),
    [[0, 3 * BLOCK], [PIECE - PAGE, 2 * PAGE]]);

  await first.blob.delete();
  await refused(blob.delete(), 409, 'SnapshotsPresent');
  await write(0, PAGE);
  for (const past of [empty, second]) await assertIs(past.blob, past.bytes);
  // Another blob in its place is nothing to what was of this one.
  await blob.create(PIECE);
  for (const past of [empty, second]) await assertIs(past.blob, past.bytes);
  await blob.delete({ deleteSnapshots: 'include' });
  await refused(second.blob.getProperties(), 404);
});

test('what has changed since a snapshot', async () => {
  const { blob, write, clear, snapshot } = await disk('changes');
  await write(0, 8 * PAGE);
  await write(2 * PIECE, 8 * PAGE);
  const first = await snapshot();
  assert.deepEqual(await changes(blob, first.time), []);
  await write(PAGE, PAGE);
  await clear(4 * PAGE, 2 * PAGE);
  await write(PIECE - PAGE, 2 * PAGE);
  await clear(2 * PIECE + 6 * PAGE, 4 * PAGE); // more than was written there
  const ofFirst = [['page', PAGE, PAGE], ['clear', 4 * PAGE, 2 * PAGE], ['page', PIECE - PAGE, 2 * PAGE],
    ['clear', 2 * PIECE + 6 * PAGE, 2 * PAGE]];
  const second = await snapshot();
  await write(4 * PAGE, PAGE);
  const sinceFirst = [['page', PAGE, PAGE], ['page', 4 * PAGE, PAGE], ['clear', 5 * PAGE, PAGE], ...ofFirst.slice(2)];
  for (const maxPageSize of [undefined, 1, 2]) {
    const pages = [];
    for await (const page of blob.listPageRangesDiff(0, SIZE, first.time).byPage({ maxPageSize })) {
      for (const { start, end } of page.pageRange ?? []) pages.push(['page', start, end - start + 1]);
      for (const { start, end } of page.clearRange ?? []) pages.push(['clear', start, end - start + 1]);
    }
    assert.deepEqual(pages.sort((a, b) => a[1] - b[1]), sinceFirst, `pages of ${maxPageSize}`);
  }
  const in4K = await blob.getPageRangesDiff(0, BLOCK, first.time);
  assert.deepEqual([in4K.pageRange.length, in4K.clearRange.length], [2, 1]);
  assert.deepEqual((await changes(blob, second.time)), [['page', 4 * PAGE, PAGE]]);
  const past = await pageList('changes', { snapshot: second.time, prevsnapshot: first.time });
  assert.equal(past.headers['x-ms-blob-content-length'], String(SIZE));
  assert.deepEqual([...past.body.toString().matchAll(/<(Page|Clear)Range><Start>(\d+)<\/Start><End>(\d+)</g)]
    .map(([, kind, start, end]) => [kind.toLowerCase(), Number(start), end - start + 1]), ofFirst);

  // What lay between may go: what was changed then is still known.
  await second.blob.delete();
  const url = `${stack.blobEndpoint}/disks/changes?snapshot=${encodeURIComponent(first.time)}`;
  const byUrl = await pageList('changes', {}, { 'x-ms-previous-snapshot-url': url });
  assert.equal(byUrl.body.toString().match(/Range>/g).length, 2 * sinceFirst.length);

  for (const [query, headers, status, code] of [
    [{ prevsnapshot: 'yesterday' }, {}, 400, 'InvalidQueryParameterValue'],
    [{ prevsnapshot: second.time }, {}, 409, 'PreviousSnapshotNotFound'],
    [{ snapshot: first.time, prevsnapshot: (await snapshot()).time }, {}, 400, 'PreviousSnapshotCannotBeNewer'],
    [{}, { 'x-ms-previous-snapshot-url': url.replace('disks', 'other') }, 400, 'InvalidHeaderValue'],
    [{}, { 'x-ms-previous-snapshot-url': 'nothing' }, 400, 'InvalidHeaderValue'],
    [{ prevsnapshot: first.time }, { 'x-ms-previous-snapshot-url': url }, 400, 'InvalidQueryParameterValue'],
  ]) {
    const answer = await pageList('changes', query, headers);
    assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`);
  }
  await blob.create(SIZE);
  const answer = await pageList('changes', { prevsnapshot: first.time });
  assert.equal(`${answer.status} ${answer.code}`, '409 BlobOverwritten');
});

test('while the key is revoked, and after it', async () => {
  const { blob, bytes, write, clear, snapshot } = await disk('dark');
  await write(PAGE, 2 * BLOCK);
  const before = await snapshot();
  await write(0, BLOCK);
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/disks/dark' })).status === 403,
    'the key to be refused');
  const dark = await snapshot();
  await refused(blob.createSnapshot({ metadata: { a: 'b' } }), 403, 'KeyVaultEncryptionKeyNotFound');
  await refused(dark.blob.downloadToBuffer(0, PAGE), 403, 'KeyVaultEncryptionKeyNotFound');
  assert.deepEqual(await changes(dark.blob, before.time), [['page', 0, BLOCK]]);
  await blob.resize(PIECE);
  await blob.resize(SIZE);
  await before.blob.delete();
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/disks/dark' })).status === 200,
    'the key to be back');
  await clear(BLOCK, PAGE);
  await assertIs(blob, bytes);
  await assertIs(dark.blob, dark.bytes);
  await refused(before.blob.getProperties(), 404);
});

test('versions: what the blob was before its metadata was set, or another came in its place', async () => {
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`,
    { body: { properties: { isVersioningEnabled: true } } });
  const { blob, bytes, write } = await disk('versioned');
  await write(0, BLOCK);
  const { versionId: first } = await blob.getProperties();
  const was = Buffer.from(bytes);
  const { versionId: second } = await blob.setMetadata({ of: 'second' });
  assert.ok(second > first);
  await write(PAGE, PAGE);
  await write(2 * PIECE, PAGE);
  await assertIs(blob.withVersion(first), was);
  assert.deepEqual((await blob.withVersion(first).getProperties()).metadata, { of: 'blob' });
  await blob.create(PAGE);
  await assertIs(blob.withVersion(first), was);
  await assertIs(blob.withVersion(second), bytes);
  await blob.withVersion(first).delete();
  await assertIs(blob.withVersion(second), bytes);
  await blob.delete();
  await assertIs(blob.withVersion(second), bytes);
});

test('scrub opens all of it and finds nothing', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(JSON.parse(done.stdout).counts.damaged, 0);
});
