// SPDX-License-Identifier: Apache-2.0
// Leases of blobs and containers with the vendor's SDK: who holds one keeps others from writing, on a
// clock that is moved; and that a revoked key is nothing to them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const A = '11111111-1111-1111-1111-111111111111';
const B = '22222222-2222-2222-2222-222222222222';
const C = '33333333-3333-3333-3333-333333333333';
const BLOCK = Buffer.from('block-1').toString('base64');
let stack;
let service;
let container;
let names = 0;

before(async () => {
  stack = await startStack({ movableClock: true, checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('leases');
  await container.create();
});
after(() => stack?.stop());

async function newBlob() {
  const blob = container.getBlockBlobClient(`blob-${names++}`);
  await blob.upload('content', 7);
  return blob;
}

// What headers tell, and that the listing tells the same.
async function leaseOf(blob) {
  const { leaseStatus, leaseState, leaseDuration } = await blob.getProperties();
  const told = { leaseStatus, leaseState, leaseDuration };
  for await (const { name, properties } of container.listBlobsFlat({ prefix: blob.name })) {
    if (name !== blob.name) continue;
    assert.deepEqual({ leaseStatus: properties.leaseStatus, leaseState: properties.leaseState,
      leaseDuration: properties.leaseDuration }, told);
  }
  const get = await blob.download();
  get.readableStreamBody.resume();
  assert.equal(get.leaseState, leaseState);
  return [leaseStatus, leaseState, leaseDuration];
}

test('a blob is leased, renewed, handed over and released; ETag and time stay', async () => {
  const blob = await newBlob();
  const { etag, lastModified } = await blob.getProperties();
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'available', undefined]);
  const lease = blob.getBlobLeaseClient(A);
  const acquired = await lease.acquireLease(15);
  assert.equal(acquired.leaseId, A);
  assert.equal(acquired.etag, etag);
  assert.equal(acquired._response.status, 201);
  assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'fixed']);
  await refused(blob.getBlobLeaseClient(B).acquireLease(15), 409, 'LeaseAlreadyPresent');
  assert.equal((await lease.acquireLease(-1)).leaseId, A);
  assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'infinite']);
  assert.equal((await lease.renewLease()).leaseId, A);
  assert.equal((await lease.changeLease(B)).leaseId, B);
  await refused(blob.getBlobLeaseClient(A).renewLease(), 409, 'LeaseIdMismatchWithLeaseOperation');
  await blob.getBlobLeaseClient(B).releaseLease();
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'available', undefined]);
  const after = await blob.getProperties();
  assert.equal(after.etag, etag);
  assert.deepEqual(after.lastModified, lastModified);
  const own = await blob.getBlobLeaseClient().acquireLease(15);
  assert.match(own.leaseId, /^[0-9a-f-]{36}$/);
});

test('a lease runs out by the clock; only its holder notices, and only until somebody writes', async () => {
  const blob = await newBlob();
  const lease = blob.getBlobLeaseClient(A);
  await lease.acquireLease(15);
  stack.gateway.moveClock(16000);
  await stack.until(async () => (await blob.getProperties()).leaseState === 'expired', 'the lease to run out');
  await refused(blob.setMetadata({ a: 'b' }, { conditions: { leaseId: A } }), 412, 'LeaseLost');
  await lease.renewLease();
  assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'fixed']);
  stack.gateway.moveClock(16000);
  await stack.until(async () => (await blob.getProperties()).leaseState === 'expired', 'the lease to run out again');
  await blob.setMetadata({ a: 'b' });
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'available', undefined]);
  await refused(lease.renewLease(), 409, 'LeaseIdMismatchWithLeaseOperation');
});

test('a lease is broken, at once or after a period', async () => {
  const blob = await newBlob();
  const lease = blob.getBlobLeaseClient(A);
  await refused(lease.breakLease(0), 409, 'LeaseNotPresentWithLeaseOperation');
  await lease.acquireLease(-1);
  const breaking = await lease.breakLease(30);
  assert.equal(breaking._response.status, 202);
  assert.equal(breaking.leaseTime, 30);
  assert.deepEqual(await leaseOf(blob), ['locked', 'breaking', undefined]);
  await refused(lease.acquireLease(15), 409, 'LeaseIsBreakingAndCannotBeAcquired');
  await refused(lease.renewLease(), 409, 'LeaseIsBrokenAndCannotBeRenewed');
  await refused(lease.changeLease(B), 409, 'LeaseIsBreakingAndCannotBeChanged');
  await blob.upload('again', 5, { conditions: { leaseId: A } });
  assert.deepEqual(await leaseOf(blob), ['locked', 'breaking', undefined]);
  assert.equal((await lease.breakLease(0)).leaseTime, 0);
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'broken', undefined]);
  await blob.getBlobLeaseClient(C).acquireLease(15);
  assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'fixed']);
});

// Every operation that writes to a blob, by an id that may be undefined.
const writes = {
  'Put Blob': (blob, conditions) => blob.upload('x', 1, { conditions }),
  'Put Block': (blob, conditions) => blob.stageBlock(BLOCK, 'block', 5, { conditions }),
  'Put Block List': (blob, conditions) => blob.commitBlockList([BLOCK], { conditions }),
  'Set Blob Properties': (blob, conditions) => blob.setHTTPHeaders({ blobContentType: 'a/b' }, { conditions }),
  'Set Blob Metadata': (blob, conditions) => blob.setMetadata({ a: 'b' }, { conditions }),
  'Delete Blob': (blob, conditions) => blob.delete({ conditions }),
};

test('a leased blob is written with its lease and with no other; the lease stays', async () => {
  const blob = await newBlob();
  for (const [name, write] of Object.entries(writes)) {
    if (!(await blob.exists())) await blob.upload('content', 7);
    await refused(write(blob, { leaseId: A }), 412, 'LeaseNotPresentWithBlobOperation');
    await blob.getBlobLeaseClient(A).acquireLease(-1);
    await refused(write(blob, undefined), 412, 'LeaseIdMissing');
    await refused(write(blob, { leaseId: B }), 412, 'LeaseIdMismatchWithBlobOperation');
    await write(blob, { leaseId: A });
    if (name === 'Delete Blob') break;
    assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'infinite'], name);
    await blob.getBlobLeaseClient(A).releaseLease();
  }
  assert.equal(await blob.exists(), false);
  await blob.upload('content', 7);
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'available', undefined], 'a new blob has no lease');
});

test('blobs of other types are kept alike', async () => {
  const append = container.getAppendBlobClient('append');
  await append.create();
  const page = container.getPageBlobClient('page');
  await page.create(512);
  const others = [[append, (conditions) => append.appendBlock('x', 1, { conditions })],
    [append, (conditions) => append.create({ conditions })], [append, (conditions) => append.seal({ conditions })],
    [page, (conditions) => page.uploadPages(Buffer.alloc(512), 0, 512, { conditions })],
    [page, (conditions) => page.clearPages(0, 512, { conditions })],
    [page, (conditions) => page.resize(1024, { conditions })], [page, (conditions) => page.create(512, { conditions })]];
  for (const blob of [append, page]) await blob.getBlobLeaseClient(A).acquireLease(-1);
  for (const [blob, write] of others) {
    await refused(write(undefined), 412, 'LeaseIdMissing');
    await refused(write({ leaseId: B }), 412, 'LeaseIdMismatchWithBlobOperation');
    await write({ leaseId: A });
    assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'infinite']);
  }
});

test('reads need no lease, and check the one that they name', async () => {
  const blob = await newBlob();
  const reads = [(conditions) => blob.download(0, undefined, { conditions }),
    (conditions) => blob.getProperties({ conditions }),
    (conditions) => blob.getBlockList('all', { conditions })];
  for (const read of reads) await refused(read({ leaseId: A }), 412, 'LeaseNotPresentWithBlobOperation');
  await blob.getBlobLeaseClient(A).acquireLease(-1);
  for (const read of reads) {
    (await read({ leaseId: A })).readableStreamBody?.resume();
    (await read(undefined)).readableStreamBody?.resume();
    await refused(read({ leaseId: B }), 412, 'LeaseIdMismatchWithBlobOperation');
  }
});

test('conditions go before the lease; many ask for one, and one gets it', async () => {
  const blob = await newBlob();
  await refused(blob.getBlobLeaseClient(A).acquireLease(15, { conditions: { ifMatch: '"0x1"' } }), 412,
    'ConditionNotMet');
  const tries = await Promise.allSettled(Array.from({ length: 16 },
    () => blob.getBlobLeaseClient().acquireLease(15)));
  assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
  const other = service.getContainerClient('contended');
  await other.create();
  const more = await Promise.allSettled(Array.from({ length: 16 },
    () => other.getBlobLeaseClient().acquireLease(15)));
  assert.equal(more.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const { reason } of more.filter(({ status }) => status === 'rejected')) {
    assert.equal(reason.code ?? reason.details?.errorCode, 'LeaseAlreadyPresent');
  }
});

async function containerLease(client) {
  const { leaseStatus, leaseState, leaseDuration } = await client.getProperties();
  for await (const { name, properties } of service.listContainers()) {
    if (name !== client.containerName) continue;
    assert.deepEqual([properties.leaseStatus, properties.leaseState, properties.leaseDuration],
      [leaseStatus, leaseState, leaseDuration]);
  }
  return [leaseStatus, leaseState, leaseDuration];
}

test('a container that is leased is deleted with its lease alone', async () => {
  const leased = service.getContainerClient('leased');
  const { etag } = await leased.create();
  assert.deepEqual(await containerLease(leased), ['unlocked', 'available', undefined]);
  await refused(leased.delete({ conditions: { leaseId: A } }), 412, 'LeaseNotPresentWithContainerOperation');
  const lease = leased.getBlobLeaseClient(A);
  assert.equal((await lease.acquireLease(-1)).etag, etag);
  assert.deepEqual(await containerLease(leased), ['locked', 'leased', 'infinite']);
  await refused(leased.delete(), 412, 'LeaseIdMissing');
  await refused(leased.delete({ conditions: { leaseId: B } }), 412, 'LeaseIdMismatchWithContainerOperation');
  for (const query of [{}, { comp: 'metadata' }, { comp: 'list' }]) { // the SDK does not send it here
    const get = (id) => send(stack, { method: 'GET', path: '/leased', query: { restype: 'container', ...query },
      headers: { 'x-ms-lease-id': id } });
    assert.equal((await get(A)).status, 200);
    assert.equal((await get(B)).code, 'LeaseIdMismatchWithContainerOperation');
  }
  await leased.setMetadata({ a: 'b' });
  await leased.setMetadata({ a: 'c' }, { conditions: { leaseId: A } });
  await refused(leased.setMetadata({}, { conditions: { leaseId: B } }), 412, 'LeaseIdMismatchWithContainerOperation');
  await leased.getBlockBlobClient('free').upload('x', 1);
  await lease.changeLease(B);
  await lease.renewLease();
  assert.equal((await lease.breakLease(0)).leaseTime, 0);
  assert.deepEqual(await containerLease(leased), ['unlocked', 'broken', undefined]);
  await lease.releaseLease();
  await lease.acquireLease(15);
  await leased.delete({ conditions: { leaseId: B } });
  assert.equal(await leased.exists(), false);
});

test('bad requests', async () => {
  const blob = await newBlob();
  const ask = (headers) => send(stack, { method: 'PUT', path: `/leases/${blob.name}`, query: { comp: 'lease' }, headers });
  const rows = [
    [{}, 400, 'MissingRequiredHeader'],
    [{ 'x-ms-lease-action': 'lend' }, 400, 'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'acquire' }, 400, 'MissingRequiredHeader'],
    [{ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '14' }, 400, 'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '61' }, 400, 'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '-2' }, 400, 'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '15', 'x-ms-proposed-lease-id': 'x' }, 400,
      'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'renew' }, 400, 'MissingRequiredHeader'],
    [{ 'x-ms-lease-action': 'renew', 'x-ms-lease-id': 'nonsense' }, 400, 'InvalidHeaderValue'],
    [{ 'x-ms-lease-action': 'change', 'x-ms-lease-id': A }, 400, 'MissingRequiredHeader'],
    [{ 'x-ms-lease-action': 'release' }, 400, 'MissingRequiredHeader'],
    [{ 'x-ms-lease-action': 'break', 'x-ms-lease-break-period': '61' }, 400, 'InvalidHeaderValue'],
  ];
  for (const [headers, status, code] of rows) {
    const answer = await ask(headers);
    assert.deepEqual([answer.status, answer.code], [status, code], JSON.stringify(headers));
  }
  assert.deepEqual(await leaseOf(blob), ['unlocked', 'available', undefined]);
  // The other ways to write a GUID.
  for (const id of [`{${A}}`, `(${A})`, A.replaceAll('-', '')]) {
    const answer = await ask({ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '15',
      'x-ms-proposed-lease-id': id });
    assert.equal(answer.headers['x-ms-lease-id'], A);
  }
  await refused(container.getBlobClient('nobody').getBlobLeaseClient(A).acquireLease(15), 404, 'BlobNotFound');
  await refused(service.getContainerClient('nobody').getBlobLeaseClient(A).acquireLease(15), 404, 'ContainerNotFound');
});

test('who may delete may break a lease, and not take one', async () => {
  const blob = await newBlob();
  await blob.getBlobLeaseClient(A).acquireLease(-1);
  const deleter = (headers) => send(stack, { method: 'PUT', path: `/leases/${blob.name}`, query: { comp: 'lease' },
    headers, sas: accountSas({ ...stack, permissions: 'd' }) });
  const acquire = await deleter({ 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': '15' });
  assert.deepEqual([acquire.status, acquire.code], [403, 'AuthorizationPermissionMismatch']);
  assert.equal((await deleter({ 'x-ms-lease-action': 'break' })).status, 202);
});

test('while the key is revoked leases go on, and keep what they keep', async () => {
  const blob = await newBlob();
  await blob.getBlobLeaseClient(A).acquireLease(-1);
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: `/leases/${blob.name}` })).status === 403,
    'the key to be revoked');
  await refused(blob.delete(), 412, 'LeaseIdMissing');
  await refused(blob.setHTTPHeaders({ blobContentType: 'a/b' }), 412, 'LeaseIdMissing');
  const lease = blob.getBlobLeaseClient(A);
  await lease.renewLease();
  await lease.changeLease(B);
  await lease.breakLease(0);
  await lease.releaseLease();
  await lease.acquireLease(-1);
  await container.getBlobLeaseClient(A).acquireLease(-1);
  await container.getBlobLeaseClient(A).releaseLease();
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: `/leases/${blob.name}` })).status === 200,
    'the key to be back');
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
  assert.deepEqual(await leaseOf(blob), ['locked', 'leased', 'infinite']);
});
