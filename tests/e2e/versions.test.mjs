// SPDX-License-Identifier: Apache-2.0
// Versions with the vendor's SDK, in an account for which the management API has turned them on: each write
// has an identifier, what was replaced or deleted stays readable by its own, also while nothing is deleted
// softly, and comes back after a delete of the version where it is.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobSASPermissions, BlobServiceClient, BlobClient,
  generateBlobSASQueryParameters } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

let stack;
let service;
let container;

const settings = () => `${stack.accountPath(stack.account)}/blobServices/default`;
const set = (properties) => stack.management.good('PUT', settings(), { body: { properties } });

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('versions');
  await container.create();
});
after(() => stack?.stop());

async function list(prefix, options) {
  const found = [];
  for await (const item of container.listBlobsFlat({ prefix, ...options })) found.push(item);
  return found;
}
const VERSIONS = { includeVersions: true };
const text = async (blob) => (await blob.downloadToBuffer()).toString();

test('the management API turns versions on', async () => {
  const old = container.getBlockBlobClient('before');
  assert.equal((await old.upload('one', 3)).versionId, undefined);
  assert.equal((await stack.management.good('GET', settings())).properties.isVersioningEnabled, false);
  const { properties } = await set({ isVersioningEnabled: true });
  assert.equal(properties.isVersioningEnabled, true);
  assert.equal(properties.deleteRetentionPolicy.enabled, false);
  for (const [body, status] of [[{ properties: { isVersioningEnabled: 'yes' } }, 400],
    [{ properties: { lastAccessTimeTrackingPolicy: { enable: true } } }, 400],
    [{ properties: { deleteRetentionPolicy: { enabled: true, days: 0 } } }, 400]]) {
    assert.equal((await stack.management.request('PUT', `${settings()}?api-version=2023-05-01`, { body })).status, status);
  }
  // What was there has no identifier until it is replaced.
  const { versionId } = await old.upload('two', 3);
  const rows = await list('before', VERSIONS);
  assert.equal(rows.length, 2);
  assert.equal(rows[1].versionId, versionId);
  assert.equal(await text(old.withVersion(rows[0].versionId)), 'one');
});

for (const size of [10, 65521, 200000]) {
  test(`each write of a blob of ${size} bytes is a version`, async () => {
    const blob = container.getBlockBlobClient(`of-${size}`);
    const contents = [0, 1, 2].map((number) => randomBytes(size + number));
    const ids = [];
    for (const [number, bytes] of contents.entries()) {
      ids.push((await blob.upload(bytes, bytes.length, { metadata: { number: `${number}` } })).versionId);
    }
    await blob.stageBlock('AAAA', 'block', 5);
    ids.push((await blob.commitBlockList(['AAAA'])).versionId);
    contents.push(Buffer.from('block'));
    ids.push((await blob.setMetadata({ number: '4' })).versionId);
    contents.push(Buffer.from('block'));
    assert.deepEqual(ids, [...new Set(ids)].sort());
    for (const [number, id] of ids.entries()) {
      const version = blob.withVersion(id);
      assert.ok((await version.downloadToBuffer()).equals(contents[number]), `version ${number}`);
      const properties = await version.getProperties();
      assert.equal(properties.versionId, id);
      assert.equal(properties.isCurrentVersion, number === 4 ? true : undefined);
      assert.deepEqual(properties.metadata, number === 3 ? {} : { number: `${number}` });
    }
    const rows = await list(`of-${size}`, VERSIONS);
    assert.deepEqual(rows.map((item) => item.versionId), ids);
    assert.deepEqual(rows.map((item) => Boolean(item.isCurrentVersion)), [false, false, false, false, true]);
    assert.equal((await list(`of-${size}`, {})).length, 1);
    const pages = [];
    for await (const page of container.listBlobsFlat({ prefix: `of-${size}`, ...VERSIONS })
      .byPage({ maxPageSize: 2 })) pages.push(...page.segment.blobItems);
    assert.deepEqual(pages.map((item) => item.versionId), ids);

    // A version that is not current goes by its own identifier, the current one does not.
    await blob.withVersion(ids[1]).delete();
    await refused(blob.withVersion(ids[1]).getProperties(), 404);
    await refused(blob.withVersion(ids[4]).delete(), 403, 'OperationNotAllowedOnRootBlob');
    assert.ok((await blob.withVersion(ids[2]).downloadToBuffer()).equals(contents[2]));

    // What is deleted is a version before now.
    await blob.delete();
    await refused(blob.getProperties(), 404);
    assert.deepEqual(await list(`of-${size}`, {}), []);
    assert.deepEqual((await list(`of-${size}`, VERSIONS)).map((item) => item.versionId),
      [ids[0], ids[2], ids[3], ids[4]]);
    assert.ok((await blob.withVersion(ids[4]).downloadToBuffer()).equals(contents[4]));
    const again = await blob.upload('again', 5);
    assert.ok(again.versionId > ids[4]);
    await blob.delete();
    for (const id of [ids[0], ids[2], ids[3], ids[4], again.versionId]) await blob.withVersion(id).delete();
    assert.deepEqual(await list(`of-${size}`, VERSIONS), []);
  });
}

test('snapshots beside versions', async () => {
  const blob = container.getBlockBlobClient('both');
  const first = (await blob.upload('first', 5)).versionId;
  const made = await blob.createSnapshot();
  assert.ok(made.versionId > first && made.snapshot > first);
  assert.equal((await blob.getProperties()).versionId, made.versionId);
  assert.equal(await text(blob.withVersion(first)), 'first');
  assert.equal(await text(blob.withSnapshot(made.snapshot)), 'first');
  await refused(blob.withVersion(made.snapshot).getProperties(), 404);
  await refused(blob.delete(), 409, 'SnapshotsPresent');
  await blob.delete({ deleteSnapshots: 'include' });
  assert.deepEqual((await list('both', { ...VERSIONS, includeSnapshots: true })).map((item) => item.versionId),
    [first, made.versionId]);
});

test('what cannot be done to a version', async () => {
  const blob = container.getBlockBlobClient('fixed');
  const { versionId } = await blob.upload('fixed', 5);
  for (const [method, query, headers, body] of [
    ['PUT', {}, { 'x-ms-blob-type': 'BlockBlob' }, 'x'], ['PUT', { comp: 'metadata' }], ['PUT', { comp: 'snapshot' }],
    ['GET', { snapshot: versionId }], ['GET', { versionid: 'now' }]]) {
    const answer = await send(stack, { method, path: '/versions/fixed', query: { versionid: versionId, ...query },
      headers, body });
    assert.equal(answer.status, 400, JSON.stringify(query));
  }
  const other = (await blob.upload('other', 5)).versionId;
  await blob.withVersion(versionId).setAccessTier('Cool');
  await blob.withVersion(other).setAccessTier('Cold');
  assert.equal((await blob.withVersion(versionId).getProperties()).accessTier, 'Cool');
  assert.equal((await blob.getProperties()).accessTier, 'Cold');
  // To delete a version takes a permission of its own.
  const sas = (permissions) => generateBlobSASQueryParameters({ containerName: 'versions', blobName: 'fixed',
    permissions: BlobSASPermissions.parse(permissions), expiresOn: new Date(Date.now() + 3600e3) },
  service.credential);
  const url = `${stack.blobEndpoint}/versions/fixed?versionid=${encodeURIComponent(versionId)}&`;
  await refused(new BlobClient(url + sas('rd'), undefined, noRetry).delete(), 403,
    'AuthorizationPermissionMismatch');
  await new BlobClient(url + sas('x'), undefined, noRetry).delete();
  await refused(blob.withVersion(versionId).getProperties(), 404);
});

test('a signature for one version, and one for a snapshot', async () => {
  const blob = container.getBlockBlobClient('signed');
  const { versionId } = await blob.upload('first', 5);
  const { snapshot } = await blob.createSnapshot();
  const second = (await blob.upload('second', 6)).versionId;
  const sasOf = (of, permissions) => generateBlobSASQueryParameters({ containerName: 'versions', blobName: 'signed',
    ...of, permissions: BlobSASPermissions.parse(permissions), expiresOn: new Date(Date.now() + 3600e3) },
  service.credential);
  const client = (sas, query) => new BlobClient(`${stack.blobEndpoint}/versions/signed?${query}${sas}`, undefined, noRetry);
  const version = (id) => `versionid=${encodeURIComponent(id)}&`;
  const snap = `snapshot=${encodeURIComponent(snapshot)}&`;
  const ofVersion = sasOf({ versionId }, 'rx');
  const ofSnapshot = sasOf({ snapshotTime: snapshot }, 'rd');
  assert.ok(String(ofVersion).includes('sr=bv') && String(ofSnapshot).includes('sr=bs'));
  assert.equal(await text(client(ofVersion, version(versionId))), 'first');
  assert.equal(await text(client(ofSnapshot, snap)), 'first');
  for (const other of [client(ofVersion, ''), client(ofVersion, version(second)), client(ofVersion, snap),
    client(ofSnapshot, ''), client(ofSnapshot, version(versionId))]) {
    await refused(other.download(), 403, 'AuthenticationFailed');
  }
  await client(ofSnapshot, snap).delete();
  await client(ofVersion, version(versionId)).delete();
  await refused(blob.withVersion(versionId).getProperties(), 404);
  assert.equal(await text(blob), 'second');
});

test('blobs that have versions alone, one row each', async () => {
  const names = async (options) => (await list('only', options)).map((item) =>
    [item.name, Boolean(item.deleted), Boolean(item.hasVersionsOnly), item.properties.contentLength]);
  for (const name of ['only-here', 'only-past', 'only-snapshot']) {
    const blob = container.getBlockBlobClient(name);
    for (const content of ['a', 'bb', 'ccc']) await blob.upload(content, content.length, { metadata: { content } });
  }
  await container.deleteBlob('only-past');
  await container.getBlockBlobClient('only-snapshot').createSnapshot();
  await container.deleteBlob('only-snapshot', { deleteSnapshots: 'only' });
  const here = ['only-here', false, false, 3];
  const there = ['only-snapshot', false, false, 3];
  assert.deepEqual(await names({}), [here, there]);
  assert.deepEqual(await names({ includeDeletedWithVersions: true }), [here, ['only-past', true, true, 3], there]);
  const [, past] = await list('only', { includeDeletedWithVersions: true, includeMetadata: true });
  assert.deepEqual([past.metadata, past.versionId], [{ content: 'ccc' }, undefined]);
  for await (const page of container.listBlobsFlat({ prefix: 'only', includeDeletedWithVersions: true })
    .byPage({ maxPageSize: 1 })) assert.ok(page.segment.blobItems.length <= 1);
  for (const item of await list('only-past', VERSIONS)) await container.getBlobClient('only-past').withVersion(item.versionId).delete();
  assert.deepEqual(await names({ includeDeletedWithVersions: true }), [here, there]);
});

test('versions that are deleted softly, and a revoked key', async () => {
  await set({ deleteRetentionPolicy: { enabled: true, days: 3 } });
  const blob = container.getBlockBlobClient('soft');
  const first = (await blob.upload('first', 5)).versionId;
  const second = (await blob.upload('second', 6)).versionId;
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/versions/soft' })).status === 403,
    'the key to be refused');
  await blob.withVersion(first).delete();
  await blob.delete();
  assert.deepEqual((await list('soft', { ...VERSIONS, includeDeleted: true }))
    .map((item) => [item.versionId, Boolean(item.deleted)]), [[first, true], [second, false]]);
  await blob.undelete();
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/versions/soft',
    query: { versionid: second } })).status === 200, 'the key to be back');
  // Undeleting brings versions back, and makes none the current one.
  assert.equal(await text(blob.withVersion(first)), 'first');
  await refused(blob.getProperties(), 404);
});

test('scrub opens all versions and finds nothing', async () => {
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
});
