// SPDX-License-Identifier: Apache-2.0
// What is deleted in an account that keeps it for a while, with the vendor's SDK: it is gone for who does not
// ask for it, and comes back with Undelete Blob, whatever the customer's key does meanwhile.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const DAYS = 7;
let stack;
let service;
let container;

const keep = (policy) => service.setProperties({ deleteRetentionPolicy: policy });

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('kept');
  await container.create();
  await keep({ enabled: true, days: DAYS });
});
after(() => stack?.stop());

async function list(prefix, options = {}) {
  const found = [];
  for await (const item of container.listBlobsFlat({ prefix, ...options })) found.push(item);
  return found;
}
const DELETED = { includeDeleted: true };
const ALL = { includeDeleted: true, includeSnapshots: true };
const remove = (path, query, headers = {}) => send(stack, { method: 'DELETE', path: `/kept/${path}`, query,
  headers });

test('a blob that was deleted, and undeleted', async () => {
  const bytes = randomBytes(100000);
  const blob = container.getBlockBlobClient('back');
  await blob.upload(bytes, bytes.length, { metadata: { of: 'it' }, blobHTTPHeaders: { blobContentType: 'a/b' } });
  const { etag } = await blob.getProperties();
  const answer = await remove('back');
  assert.equal(answer.status, 202);
  assert.equal(answer.headers['x-ms-delete-type-permanent'], 'false');
  for (const call of [() => blob.getProperties(), () => blob.download(), () => blob.delete(),
    () => blob.setMetadata({}), () => blob.setHTTPHeaders({}), () => blob.createSnapshot(),
    () => blob.getBlockList('all')]) await refused(call(), 404);
  assert.deepEqual(await list('back'), []);
  const [item] = await list('back', DELETED);
  assert.equal(item.deleted, true);
  assert.ok(Math.abs(item.properties.deletedOn - Date.now()) < 60e3);
  assert.equal(item.properties.remainingRetentionDays, DAYS);
  await blob.undelete();
  assert.ok((await blob.downloadToBuffer()).equals(bytes));
  const properties = await blob.getProperties();
  assert.deepEqual([properties.metadata, properties.contentType, properties.etag], [{ of: 'it' }, 'a/b', etag]);
  await blob.undelete(); // of one that is there: nothing
  const [shown] = await list('back', DELETED);
  assert.ok(!shown.deleted && shown.properties.deletedOn === undefined);
  await refused(container.getBlockBlobClient('never').undelete(), 404, 'BlobNotFound');
});

test('snapshots that were deleted, alone and with their blob', async () => {
  const blob = container.getBlockBlobClient('snapshots');
  await blob.upload('one', 3);
  const one = blob.withSnapshot((await blob.createSnapshot()).snapshot);
  const two = blob.withSnapshot((await blob.createSnapshot()).snapshot);
  await one.delete();
  await refused(one.getProperties(), 404);
  await refused(one.delete(), 404);
  await refused(blob.delete(), 409, 'SnapshotsPresent');
  await blob.delete({ deleteSnapshots: 'include' });
  assert.deepEqual((await list('snapshots', ALL)).map((item) => item.deleted), [true, true, true]);
  assert.equal((await list('snapshots', DELETED)).length, 1);
  assert.deepEqual(await list('snapshots', { includeSnapshots: true }), []);
  await blob.undelete();
  for (const state of [blob, one, two]) assert.equal((await state.downloadToBuffer()).toString(), 'one');
  // What is deleted does not stand in the way of deleting the blob.
  await one.delete();
  await two.delete();
  await blob.delete();
});

test('what was overwritten is a snapshot that was deleted', async () => {
  const blob = container.getBlockBlobClient('overwritten');
  const ids = ['AAAA', 'BBBB'];
  await blob.upload('first', 5, { metadata: { number: '1' } });
  for (const id of ids) await blob.stageBlock(id, id, 4);
  await blob.commitBlockList(ids);
  await blob.commitBlockList(ids.slice(1));
  await blob.delete();
  await blob.upload('last', 4);
  assert.deepEqual(await list('overwritten', { includeSnapshots: true }).then((items) => items.length), 1);
  const past = (await list('overwritten', ALL)).filter((item) => item.snapshot);
  assert.deepEqual(past.map((item) => item.deleted), [true, true, true]);
  await blob.undelete();
  const contents = [];
  for (const { snapshot } of past) {
    contents.push((await blob.withSnapshot(snapshot).downloadToBuffer()).toString());
  }
  assert.deepEqual(contents, ['first', 'AAAABBBB', 'BBBB']);
  assert.deepEqual((await blob.withSnapshot(past[0].snapshot).getProperties()).metadata, { number: '1' });
  assert.equal((await blob.downloadToBuffer()).toString(), 'last');
});

test('blocks are staged for a blob that was deleted, and make another', async () => {
  const blob = container.getBlockBlobClient('staged');
  await blob.stageBlock('AAAA', 'before', 6);
  await blob.commitBlockList(['AAAA']);
  await blob.delete();
  await blob.stageBlock('BBBB', 'after', 5);
  assert.deepEqual((await blob.getBlockList('all')).uncommittedBlocks.map((item) => item.name), ['BBBB']);
  await refused(blob.commitBlockList(['AAAA', 'BBBB']), 400, 'InvalidBlockList');
  await blob.commitBlockList(['BBBB']);
  assert.equal((await blob.downloadToBuffer()).toString(), 'after');
});

test('deleted for good, where that is allowed', async () => {
  const blob = container.getBlockBlobClient('for-good');
  await blob.upload('content', 7);
  const { snapshot } = await blob.createSnapshot();
  const query = { snapshot, deletetype: 'permanent' };
  assert.equal((await remove('for-good', query)).status, 409);
  const xml = `<?xml version="1.0"?><StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled>
<Days>${DAYS}</Days><AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>
</StorageServiceProperties>`;
  const set = await send(stack, { method: 'PUT', path: '/', body: xml,
    query: { restype: 'service', comp: 'properties' } });
  assert.equal(set.status, 202, String(set.body));
  assert.equal((await remove('for-good', query)).status, 409); // it was not deleted
  await blob.withSnapshot(snapshot).delete();
  assert.equal((await remove('for-good', { deletetype: 'permanent' })).status, 409);
  assert.equal((await remove('for-good', { snapshot, deletetype: 'soft' })).status, 400);
  const gone = await remove('for-good', query);
  assert.equal(gone.status, 202);
  assert.equal(gone.headers['x-ms-delete-type-permanent'], 'true');
  await blob.undelete();
  await refused(blob.withSnapshot(snapshot).getProperties(), 404);
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
});

test('while the key is revoked', async () => {
  const blob = container.getBlockBlobClient('dark');
  await blob.upload('dark', 4, { metadata: { secret: 'value' } });
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/kept/dark' })).status === 403,
    'the key to be refused');
  await blob.delete();
  assert.equal((await list('dark', DELETED))[0].deleted, true);
  await blob.undelete();
  assert.equal((await list('dark', DELETED))[0].deleted, undefined);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/kept/dark' })).status === 200,
    'the key to be back');
  assert.equal((await blob.downloadToBuffer()).toString(), 'dark');
  assert.deepEqual((await blob.getProperties()).metadata, { secret: 'value' });
});

test('an account that keeps nothing any more', async () => {
  const before = container.getBlockBlobClient('before');
  await before.upload('before', 6);
  await before.delete();
  await keep({ enabled: false });
  const blob = container.getBlockBlobClient('after');
  await blob.upload('after', 5);
  const answer = await remove('after');
  assert.equal(answer.headers['x-ms-delete-type-permanent'], 'true');
  assert.deepEqual(await list('after', DELETED), []);
  await refused(blob.undelete(), 404, 'BlobNotFound');
  await before.undelete(); // what was kept is kept for as long as was said then
  assert.equal((await before.downloadToBuffer()).toString(), 'before');
});

test('scrub opens all that is kept and finds nothing', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
});

test('the end of what is kept', async () => {
  const moved = await startStack({ movableClock: true });
  try {
    // A SAS: signed dates would have to move with the gateway's clock.
    const expiry = new Date(Date.now() + 60 * 86400e3).toISOString().replace(/\.\d+/, '');
    const sas = encodeQuery(accountSas({ ...moved, expiry }));
    const its = new BlobServiceClient(`${moved.blobEndpoint}?${sas}`, undefined, noRetry);
    await its.setProperties({ deleteRetentionPolicy: { enabled: true, days: DAYS } });
    const ends = its.getContainerClient('ends');
    await ends.create();
    const content = Buffer.alloc(70000, 'content');
    const names = ['deleted', 'undeleted', 'overwritten', 'snapshot', 'later'];
    for (const name of names) await ends.getBlockBlobClient(name).upload(content, content.length);
    const blob = (name) => ends.getBlockBlobClient(name);
    const { snapshot } = await blob('snapshot').createSnapshot();
    await blob('snapshot').withSnapshot(snapshot).delete();
    await blob('deleted').delete();
    await blob('undeleted').delete();
    await blob('undeleted').undelete();
    await blob('overwritten').upload('x', 1);
    const shown = async () => {
      const found = [];
      for await (const item of ends.listBlobsFlat(ALL)) found.push(item.deleted ? `${item.name}!` : item.name);
      return found;
    };
    assert.deepEqual(await shown(), ['deleted!', 'later', 'overwritten!', 'overwritten', 'snapshot!', 'snapshot',
      'undeleted']);
    moved.gateway.moveClock(5 * 86400e3);
    // The gateway sees a moved clock a little later.
    await moved.until(async () => {
      const [{ properties }] = await ends.listBlobsFlat({ ...DELETED, prefix: 'deleted' }).byPage().next()
        .then(({ value }) => value.segment.blobItems);
      return properties.remainingRetentionDays === DAYS - 5;
    }, 'five days to be over');
    await blob('later').delete();
    moved.gateway.moveClock(3 * 86400e3);
    // A time that is computed while the clock jumps is wrong; the next search of all maps is not.
    for (let hours = 0; hours < 60 && (await shown()).length !== 4; hours += 5) {
      moved.gateway.moveClock(5 * 3600e3);
      await new Promise((resolve) => { setTimeout(resolve, 3000); });
    }
    assert.deepEqual(await shown(), ['later!', 'overwritten', 'snapshot', 'undeleted']);
    await refused(blob('deleted').undelete(), 404, 'BlobNotFound');
    await blob('later').undelete();
    for (const name of ['later', 'snapshot', 'undeleted']) {
      assert.ok((await blob(name).downloadToBuffer()).equals(content), name);
    }
    moved.gateway.moveClock(3600e3);
    await moved.until(async () => {
      const { counts } = JSON.parse((await moved.ctl('scrub', '--verify', '--json')).stdout);
      return counts.unreferencedObjects === 0 && counts.damaged === 0 && counts.blobs === 4 &&
        counts.referencedObjects === 3;
    }, 'the data to be gone');
  } finally {
    await moved.stop();
  }
});
