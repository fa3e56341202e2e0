// SPDX-License-Identifier: Apache-2.0
// Tiers with the vendor's SDK: what is archived is not read until it was rehydrated, which takes its time,
// on a clock that is moved.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const BLOCK = Buffer.from('block-1').toString('base64');
const HOUR = 3600e3;
let stack;
let container;
let names = 0;

// By a signature: a request's own date would not agree with a clock that is moved.
const sas = () => accountSas({ ...stack, expiry: '2099-01-01T00:00:00Z' });
const service = () => new BlobServiceClient(`${stack.blobEndpoint}?${encodeQuery(sas())}`, undefined, noRetry);

before(async () => {
  stack = await startStack({ movableClock: true });
  container = service().getContainerClient('tiers');
  await container.create();
});
after(() => stack?.stop());

async function newBlob(options) {
  const blob = container.getBlockBlobClient(`blob-${names++}`);
  await blob.upload('content', 7, options);
  return blob;
}

// What headers tell, and that the listing tells the same.
async function tierOf(blob) {
  const { accessTier, accessTierInferred, accessTierChangedOn, archiveStatus, rehydratePriority } =
    await blob.getProperties();
  const told = { accessTier, accessTierInferred, accessTierChangedOn, archiveStatus, rehydratePriority };
  for await (const { name, properties } of container.listBlobsFlat({ prefix: blob.name })) {
    if (name !== blob.name) continue;
    assert.deepEqual({ accessTier: properties.accessTier, accessTierInferred: properties.accessTierInferred ?? false,
      accessTierChangedOn: properties.accessTierChangedOn, archiveStatus: properties.archiveStatus,
      rehydratePriority: properties.rehydratePriority }, told);
  }
  return told;
}

test('a tier is inferred until it is set; setting it changes neither ETag nor time', async () => {
  const blob = await newBlob();
  assert.deepEqual(await tierOf(blob), { accessTier: 'Hot', accessTierInferred: true, accessTierChangedOn: undefined,
    archiveStatus: undefined, rehydratePriority: undefined });
  const { etag, lastModified } = await blob.getProperties();
  for (const tier of ['Hot', 'Cool', 'Cold']) {
    assert.equal((await blob.setAccessTier(tier))._response.status, 200);
    const told = await tierOf(blob);
    assert.equal(told.accessTier, tier);
    assert.equal(told.accessTierInferred, false);
    assert.ok(told.accessTierChangedOn instanceof Date);
    assert.equal((await blob.downloadToBuffer()).toString(), 'content');
  }
  const now = await blob.getProperties();
  assert.equal(now.etag, etag);
  assert.deepEqual(now.lastModified, lastModified);
  const cool = await newBlob({ tier: 'Cool' });
  assert.equal((await tierOf(cool)).accessTier, 'Cool');
  await cool.stageBlock(BLOCK, 'x', 1);
  await cool.commitBlockList([BLOCK], { tier: 'Archive' });
  assert.equal((await tierOf(cool)).accessTier, 'Archive');
});

test('what is archived is not read or changed; it may be replaced and deleted', async () => {
  const blob = await newBlob({ metadata: { a: 'b' } });
  assert.equal((await blob.setAccessTier('Archive'))._response.status, 200);
  for (const attempt of [() => blob.downloadToBuffer(), () => blob.setMetadata({}), () => blob.setHTTPHeaders({}),
    () => blob.stageBlock(BLOCK, 'x', 1), () => blob.commitBlockList([])]) {
    await refused(attempt(), 409, 'BlobArchived');
  }
  const { accessTier, metadata } = await blob.getProperties();
  assert.equal(accessTier, 'Archive');
  assert.deepEqual(metadata, { a: 'b' });
  await blob.upload('new', 3);
  assert.deepEqual((await tierOf(blob)).accessTierInferred, true);
  const archived = await newBlob({ tier: 'Archive' });
  await refused(archived.downloadToBuffer(), 409, 'BlobArchived');
  await archived.delete();
});

test('rehydration is pending for as long as it takes, and then over', async () => {
  const blob = await newBlob({ tier: 'Archive' });
  assert.equal((await blob.setAccessTier('Cool'))._response.status, 202);
  const told = await tierOf(blob);
  assert.deepEqual([told.accessTier, told.archiveStatus, told.rehydratePriority],
    ['Archive', 'rehydrate-pending-to-cool', 'Standard']);
  await refused(blob.downloadToBuffer(), 409, 'BlobBeingRehydrated');
  await refused(blob.setAccessTier('Hot'), 409, 'BlobBeingRehydrated');
  await refused(blob.setAccessTier('Archive'), 409, 'BlobBeingRehydrated');
  stack.gateway.moveClock(HOUR - 60e3);
  assert.equal((await tierOf(blob)).accessTier, 'Archive');
  stack.gateway.moveClock(61e3);
  await stack.until(async () => (await blob.getProperties()).accessTier === 'Cool', 'the blob to be rehydrated');
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
  assert.equal((await tierOf(blob)).archiveStatus, undefined);
});

test('a higher priority makes it sooner', async () => {
  const blob = await newBlob({ tier: 'Archive' });
  await blob.setAccessTier('Hot', { rehydratePriority: 'Standard' });
  assert.equal((await blob.setAccessTier('Hot', { rehydratePriority: 'High' }))._response.status, 202);
  assert.equal((await tierOf(blob)).rehydratePriority, 'High');
  stack.gateway.moveClock(301e3);
  await stack.until(async () => (await blob.getProperties()).accessTier === 'Hot', 'the blob to be rehydrated');
});

test('a snapshot has a tier of its own', async () => {
  const blob = await newBlob();
  const { snapshot } = await blob.createSnapshot();
  const { etag } = await blob.getProperties();
  const state = blob.withSnapshot(snapshot);
  await state.setAccessTier('Archive');
  assert.equal((await state.getProperties()).accessTier, 'Archive');
  await refused(state.downloadToBuffer(), 409, 'BlobArchived');
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
  assert.equal((await blob.getProperties()).etag, etag);
  assert.equal((await state.setAccessTier('Cool'))._response.status, 202);
  assert.equal((await state.getProperties()).archiveStatus, 'rehydrate-pending-to-cool');
  await refused(blob.withSnapshot('2020-01-01T00:00:00.0000000Z').setAccessTier('Cool'), 404, 'BlobNotFound');
  await blob.setAccessTier('Archive');
  await refused(blob.createSnapshot(), 409, 'BlobArchived');
});

test('block blobs alone have tiers', async () => {
  const append = container.getAppendBlobClient('append');
  await append.create();
  const page = container.getPageBlobClient('page');
  await page.create(512);
  for (const blob of [append, page]) {
    await refused(blob.setAccessTier('Cool'), 409, 'InvalidBlobType');
    assert.equal((await blob.getProperties()).accessTier, undefined);
  }
});

test('a lease keeps the tier; bad requests', async () => {
  const blob = await newBlob();
  const { leaseId } = await blob.getBlobLeaseClient().acquireLease(-1);
  await refused(blob.setAccessTier('Cool'), 412, 'LeaseIdMissing');
  await blob.setAccessTier('Cool', { conditions: { leaseId } });
  const ask = (headers) => send(stack, { method: 'PUT', path: `/tiers/${blob.name}`, query: { comp: 'tier' },
    headers: { 'x-ms-lease-id': leaseId, ...headers }, sas: sas() });
  for (const [headers, code] of [[{}, 'MissingRequiredHeader'], [{ 'x-ms-access-tier': 'Warm' }, 'InvalidHeaderValue'],
    [{ 'x-ms-access-tier': 'P10' }, 'InvalidHeaderValue'],
    [{ 'x-ms-access-tier': 'Hot', 'x-ms-rehydrate-priority': 'Now' }, 'InvalidHeaderValue']]) {
    const answer = await ask(headers);
    assert.deepEqual([answer.status, answer.code], [400, code]);
  }
  assert.equal((await tierOf(blob)).accessTier, 'Cool');
  await refused(container.getBlobClient('absent').setAccessTier('Hot'), 404, 'BlobNotFound');
  await refused(container.getBlockBlobClient('made').upload('x', 1, { tier: 'P10' }), 400, 'InvalidHeaderValue');
});
