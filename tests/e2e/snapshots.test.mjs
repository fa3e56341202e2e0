// SPDX-License-Identifier: Apache-2.0
// Snapshots with the vendor's SDK: what a blob was stays readable whatever becomes of the blob, listings
// have the documented order and pages, and nothing is left when all of it was deleted.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobClient, BlobSASPermissions, BlobServiceClient,
  generateBlobSASQueryParameters } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

let stack;
let service;
let container;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('snapshots');
  await container.create();
});
after(() => stack?.stop());

async function all(pages) {
  const found = [];
  for await (const item of pages) found.push(item);
  return found;
}

const request = (method, path, query = {}, headers = {}, body = undefined) =>
  send(stack, { method, path: `/snapshots/${path}`, query, headers, body });

for (const size of [0, 1000, 65521, 300000]) {
  test(`a blob of ${size} bytes, its snapshots, and what becomes of it`, async () => {
    const versions = [randomBytes(size), randomBytes(size + 1), randomBytes(size + 2)];
    const blob = container.getBlockBlobClient(`of-${size}`);
    const taken = [];
    for (const [number, bytes] of versions.entries()) {
      const put = await blob.upload(bytes, bytes.length, { metadata: { number: `${number}` },
        blobHTTPHeaders: { blobContentType: `test/${number}` } });
      const made = await blob.createSnapshot();
      assert.match(made.snapshot, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
      assert.equal(made.etag, put.etag);
      taken.push(made.snapshot);
    }
    assert.deepEqual(taken, [...new Set(taken)].sort());
    const check = async () => {
      for (const [number, bytes] of versions.entries()) {
        const past = blob.withSnapshot(taken[number]);
        assert.ok((await past.downloadToBuffer()).equals(bytes), `snapshot ${number}`);
        const properties = await past.getProperties();
        assert.deepEqual(properties.metadata, { number: `${number}` });
        assert.equal(properties.contentType, `test/${number}`);
        assert.equal(properties.contentLength, bytes.length);
        if (bytes.length > 10) {
          assert.ok((await past.downloadToBuffer(5, 5)).equals(bytes.subarray(5, 10)));
        }
      }
    };
    await check();
    await blob.setMetadata({ other: 'now' });
    await blob.setHTTPHeaders({ blobContentType: 'test/other' });
    await blob.stageBlock(Buffer.from('block').toString('base64'), 'block', 5);
    await blob.commitBlockList([Buffer.from('block').toString('base64')]);
    await check();
    // The blob goes with all of them, or not at all.
    await refused(blob.delete(), 409, 'SnapshotsPresent');
    await check();
    await blob.withSnapshot(taken[1]).delete();
    await refused(blob.withSnapshot(taken[1]).getProperties(), 404);
    assert.ok((await blob.withSnapshot(taken[2]).downloadToBuffer()).equals(versions[2]));
    await blob.delete({ deleteSnapshots: 'only' });
    assert.equal((await blob.downloadToBuffer()).toString(), 'block');
    await refused(blob.withSnapshot(taken[0]).getProperties(), 404);
    const last = (await blob.createSnapshot()).snapshot;
    await blob.delete({ deleteSnapshots: 'include' });
    await refused(blob.getProperties(), 404);
    await refused(blob.withSnapshot(last).getProperties(), 404);
  });
}

test('metadata of its own, and conditions', async () => {
  const blob = container.getBlockBlobClient('conditions');
  const put = await blob.upload('content', 7, { metadata: { of: 'blob' } });
  const own = await blob.createSnapshot({ metadata: { of: 'snapshot', more: 'yes' } });
  assert.deepEqual((await blob.withSnapshot(own.snapshot).getProperties()).metadata,
    { of: 'snapshot', more: 'yes' });
  assert.deepEqual((await blob.getProperties()).metadata, { of: 'blob' });
  await refused(blob.createSnapshot({ conditions: { ifMatch: '"0x1"' } }), 412, 'ConditionNotMet');
  await refused(blob.createSnapshot({ conditions: { ifNoneMatch: put.etag } }), 412, 'ConditionNotMet');
  await blob.createSnapshot({ conditions: { ifMatch: put.etag } });
  await refused(container.getBlockBlobClient('nothing').createSnapshot(), 404, 'BlobNotFound');
  const staged = container.getBlockBlobClient('staged');
  await staged.stageBlock('AAAA', 'x', 1);
  await refused(staged.createSnapshot(), 404, 'BlobNotFound');
});

test('blocks that a snapshot and the blob share', async () => {
  const blob = container.getBlockBlobClient('shared');
  const ids = [...Array(100).keys()].map((n) => Buffer.from(String(n).padStart(4)).toString('base64'));
  const parts = ids.map(() => randomBytes(700));
  for (const [n, part] of parts.entries()) await blob.stageBlock(ids[n], part, part.length);
  await blob.commitBlockList(ids);
  const first = blob.withSnapshot((await blob.createSnapshot()).snapshot);
  const half = ids.filter((_, n) => n % 2 === 0);
  await blob.commitBlockList(half);
  const second = blob.withSnapshot((await blob.createSnapshot()).snapshot);
  await blob.commitBlockList(ids.slice(0, 2).filter((id) => half.includes(id)));
  assert.equal((await first.getBlockList('all')).committedBlocks.length, 100);
  assert.equal((await second.getBlockList('committed')).committedBlocks.length, 50);
  await stack.ctl('scrub', '--json'); // and the reaper has its turn
  assert.ok((await first.downloadToBuffer()).equals(Buffer.concat(parts)));
  assert.ok((await second.downloadToBuffer()).equals(Buffer.concat(parts.filter((_, n) => n % 2 === 0))));
  await first.delete();
  assert.ok((await second.downloadToBuffer()).equals(Buffer.concat(parts.filter((_, n) => n % 2 === 0))));
});

test('what cannot be done to a snapshot', async () => {
  const blob = container.getBlockBlobClient('fixed');
  await blob.upload('fixed', 5);
  const { snapshot } = await blob.createSnapshot();
  const past = { snapshot };
  const blockList = '<?xml version="1.0"?><BlockList></BlockList>';
  for (const [query, headers, body] of [[past, { 'x-ms-blob-type': 'BlockBlob' }, 'x'],
    [{ comp: 'metadata', ...past }, { 'x-ms-meta-a': 'b' }], [{ comp: 'properties', ...past }],
    [{ comp: 'block', blockid: 'AAAA', ...past }, {}, 'x'], [{ comp: 'blocklist', ...past }, {}, blockList],
    [{ comp: 'snapshot', ...past }]]) {
    const answer = await request('PUT', 'fixed', query, headers, body);
    assert.equal(answer.status, 400, JSON.stringify(query));
    assert.equal(answer.code, 'InvalidQueryParameterValue');
  }
  const include = { 'x-ms-delete-snapshots': 'include' };
  assert.equal((await request('DELETE', 'fixed', past, include)).status, 400);
  assert.equal((await request('DELETE', 'fixed', {}, { 'x-ms-delete-snapshots': 'all' })).status, 400);
  for (const wrong of ['', 'now', '2026-01-01', snapshot.replace('Z', ''), snapshot.replace(/\dZ$/, 'Z')]) {
    const answer = await request('GET', 'fixed', { snapshot: wrong });
    assert.equal(answer.status, 400, wrong);
    assert.equal(answer.code, 'InvalidQueryParameterValue');
  }
  const other = snapshot.replace(/^\d{4}/, '2001');
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    assert.equal((await request(method, 'fixed', { snapshot: other })).status, 404);
  }
  assert.equal((await blob.withSnapshot(snapshot).downloadToBuffer()).toString(), 'fixed');
});

test('listings: the oldest first, before their blob; pages end anywhere', async () => {
  const listed = service.getContainerClient('listed');
  await listed.create();
  const wanted = [];
  for (const [name, count] of [['a', 3], ['a!', 0], ['a0', 2], ['b', 1], ['b/c', 4], ['ü', 2]]) {
    const blob = listed.getBlockBlobClient(name);
    await blob.upload(name, Buffer.byteLength(name), { metadata: { name: 'x' } });
    for (let n = 0; n < count; n++) wanted.push([name, (await blob.createSnapshot()).snapshot]);
    wanted.push([name, undefined]);
  }
  const rows = (items) => items.map((item) => [item.name, item.snapshot || undefined]);
  const options = { includeSnapshots: true };
  assert.deepEqual(rows(await all(listed.listBlobsFlat(options))), wanted);
  assert.deepEqual(rows(await all(listed.listBlobsFlat())), wanted.filter(([, time]) => !time));
  for (const maxPageSize of [1, 2, 3, 5]) {
    const found = [];
    for await (const page of listed.listBlobsFlat(options).byPage({ maxPageSize })) {
      assert.ok(page.segment.blobItems.length <= maxPageSize);
      found.push(...rows(page.segment.blobItems));
    }
    assert.deepEqual(found, wanted, `pages of ${maxPageSize}`);
  }
  assert.deepEqual(rows(await all(listed.listBlobsFlat({ ...options, prefix: 'b' }))),
    wanted.filter(([name]) => name.startsWith('b')));
  const withMetadata = await all(listed.listBlobsFlat({ ...options, includeMetadata: true }));
  assert.ok(withMetadata.every((item) => item.metadata.name === 'x'));
  const byHierarchy = await all(listed.listBlobsByHierarchy('/', options));
  assert.deepEqual(rows(byHierarchy.filter(({ kind }) => kind === 'blob')),
    wanted.filter(([name]) => !name.includes('/')));
});

test('a SAS of one snapshot', async () => {
  const blob = container.getBlockBlobClient('sas');
  await blob.upload('then', 4);
  const { snapshot } = await blob.createSnapshot();
  await blob.upload('now', 3);
  const sas = generateBlobSASQueryParameters({ containerName: 'snapshots', blobName: 'sas',
    snapshotTime: snapshot, permissions: BlobSASPermissions.parse('rd'),
    expiresOn: new Date(Date.now() + 3600e3) }, service.credential);
  const url = (query) => `${stack.blobEndpoint}/snapshots/sas?${query}${sas}`;
  const past = new BlobClient(url(`snapshot=${encodeURIComponent(snapshot)}&`), undefined, noRetry);
  assert.equal((await past.downloadToBuffer()).toString(), 'then');
  await refused(new BlobClient(url(''), undefined, noRetry).getProperties(), 403);
  await past.delete();
  await refused(blob.withSnapshot(snapshot).getProperties(), 404);
});

test('while the key is revoked, and after it', async () => {
  const blob = container.getBlockBlobClient('dark');
  const bytes = randomBytes(100000);
  await blob.upload(bytes, bytes.length, { metadata: { secret: 'value' } });
  const small = container.getBlockBlobClient('dark-small');
  await small.upload('small', 5, { metadata: { secret: 'small' } });
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await request('GET', 'dark')).status === 403, 'the key to be refused');
  const taken = (await blob.createSnapshot()).snapshot;
  const takenSmall = (await small.createSnapshot()).snapshot;
  await refused(blob.createSnapshot({ metadata: { a: 'b' } }), 403, 'KeyVaultEncryptionKeyNotFound');
  await refused(blob.withSnapshot(taken).getProperties(), 403);
  assert.equal((await all(container.listBlobsFlat({ includeSnapshots: true, prefix: 'dark' }))).length, 4);
  const gone = (await blob.createSnapshot()).snapshot;
  await blob.withSnapshot(gone).delete();
  await small.delete({ deleteSnapshots: 'only' });
  const again = (await small.createSnapshot()).snapshot;
  assert.notEqual(again, takenSmall);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await request('GET', 'dark')).status === 200, 'the key to be back');
  assert.ok((await blob.withSnapshot(taken).downloadToBuffer()).equals(bytes));
  assert.deepEqual((await blob.withSnapshot(taken).getProperties()).metadata, { secret: 'value' });
  assert.equal((await small.withSnapshot(again).downloadToBuffer()).toString(), 'small');
  assert.deepEqual((await small.withSnapshot(again).getProperties()).metadata, { secret: 'small' });
  await refused(blob.withSnapshot(gone).getProperties(), 404);
});

test('scrub opens all of it and finds nothing', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(JSON.parse(done.stdout).counts.damaged, 0);
});
