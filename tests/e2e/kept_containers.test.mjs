// SPDX-License-Identifier: Apache-2.0
// Containers that are deleted in an account that keeps them for a while, and containers that get another name:
// with the vendor's SDK, and with requests by hand for what that does not have. Takes about 10 seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const DAYS = 7;
let stack;
let service;

const settings = (of) => `${of.accountPath(of.account)}/blobServices/default`;
const keep = (policy, of = stack) => of.management.good('PUT', settings(of),
  { body: { properties: { containerDeleteRetentionPolicy: policy } } });

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
});
after(() => stack?.stop());

async function list(prefix, options = { includeDeleted: true }, from = service) {
  const found = [];
  for await (const item of from.listContainers({ prefix, ...options })) found.push(item);
  return found;
}
async function make(name, content) {
  const container = service.getContainerClient(name);
  await container.create({ metadata: { of: name } });
  await container.getBlockBlobClient('blob').upload(content, content.length);
  return container;
}
const text = async (container) => (await container.getBlockBlobClient('blob').downloadToBuffer()).toString();
const restore = (name, headers) => send(stack, { method: 'PUT', path: `/${name}`,
  query: { restype: 'container', comp: 'undelete' }, headers });
const rename = (from, to, headers = {}, more = {}) => send(stack, { method: 'PUT', path: `/${to}`,
  query: { restype: 'container', comp: 'rename' },
  headers: { 'x-ms-source-container-name': from, ...headers }, ...more });

test('the management API says for how long', async () => {
  const off = (await stack.management.good('GET', settings(stack))).properties;
  assert.deepEqual(off.containerDeleteRetentionPolicy, { enabled: false });
  for (const policy of [{ enabled: true }, { enabled: true, days: 0 }, { enabled: true, days: 366 },
    { enabled: true, days: 7, allowPermanentDelete: true }, { enabled: 'yes' }, { other: 1 }]) {
    const answer = await stack.management.request('PUT', `${settings(stack)}?api-version=2023-05-01`,
      { body: { properties: { containerDeleteRetentionPolicy: policy } } });
    assert.equal(answer.status, 400, JSON.stringify(policy));
  }
  const gone = await make('final', 'gone');
  await gone.delete();
  assert.deepEqual(await list('final'), []);
  const { properties } = await keep({ enabled: true, days: DAYS });
  assert.deepEqual(properties.containerDeleteRetentionPolicy, { enabled: true, days: DAYS });
  assert.equal(properties.deleteRetentionPolicy.enabled, false);
});

test('a container that was deleted, and restored', async () => {
  const container = await make('back', 'content');
  const { etag } = await container.getProperties();
  await container.getBlobLeaseClient('11111111-1111-1111-1111-111111111111').acquireLease(-1);
  await refused(container.delete(), 412, 'LeaseIdMissing');
  await container.delete({ conditions: { leaseId: '11111111-1111-1111-1111-111111111111' } });
  await refused(text(container), 404, 'ContainerNotFound');
  await refused(container.getProperties(), 404);
  assert.deepEqual(await list('back', {}), []);
  const [item] = await list('back');
  assert.equal(item.deleted, true);
  assert.match(item.version, /^[0-9A-F]{16}$/);
  assert.ok(Math.abs(item.properties.deletedOn - Date.now()) < 60e3);
  assert.equal(item.properties.remainingRetentionDays, DAYS);
  await service.undeleteContainer('back', item.version);
  assert.equal(await text(container), 'content');
  const properties = await container.getProperties();
  assert.deepEqual([properties.metadata, properties.etag, properties.leaseState], [{ of: 'back' }, etag, 'available']);
  const shown = await list('back');
  assert.deepEqual(shown.map((one) => one.deleted), [undefined]);
  // It is as any other: written to, deleted again, under another version.
  await container.getBlockBlobClient('blob').upload('changed', 7);
  await container.delete();
  const [again] = await list('back');
  assert.ok(again.version > item.version);
  await refused(service.undeleteContainer('back', item.version), 404, 'ContainerNotFound');
  await service.undeleteContainer('back', again.version);
  assert.equal(await text(container), 'changed');
});

test('several of one name, and another name', async () => {
  for (const content of ['one', 'two', 'three']) {
    await (await make('many', content)).delete();
  }
  const present = await make('many', 'present');
  await make('many-more', 'more');
  const shown = await list('many');
  assert.deepEqual(shown.map((item) => [item.name, item.deleted]), [['many', undefined], ['many', true],
    ['many', true], ['many', true], ['many-more', undefined]]);
  const versions = shown.filter((item) => item.deleted).map((item) => item.version);
  assert.deepEqual(versions, [...new Set(versions)].sort());
  for (const size of [1, 2, 3]) {
    const paged = [];
    for await (const page of service.listContainers({ prefix: 'many', includeDeleted: true }).byPage({ maxPageSize: size })) {
      paged.push(...page.containerItems.map((item) => `${item.name} ${item.version}`));
    }
    assert.deepEqual(paged, shown.map((item) => `${item.name} ${item.version}`));
  }
  await refused(service.undeleteContainer('many', versions[0]), 409, 'ContainerAlreadyExists');
  const two = await restore('many-two', { 'x-ms-deleted-container-name': 'many',
    'x-ms-deleted-container-version': versions[1] });
  assert.equal(two.status, 201, two.code);
  assert.equal(await text(service.getContainerClient('many-two')), 'two');
  assert.equal(await text(present), 'present');
  await present.delete();
  await service.undeleteContainer('many', versions[2]);
  assert.equal(await text(present), 'three');
});

test('restoring what is not there, and bad requests', async () => {
  const container = await make('odd', 'odd');
  await container.delete();
  const [{ version }] = await list('odd');
  const name = { 'x-ms-deleted-container-name': 'odd' };
  const of = (value) => ({ ...name, 'x-ms-deleted-container-version': value });
  for (const [to, headers, status, code] of [['odd', {}, 400, 'MissingRequiredHeader'],
    ['odd', name, 400, 'MissingRequiredHeader'],
    ['odd', { 'x-ms-deleted-container-version': version }, 400, 'MissingRequiredHeader'],
    ['odd', of('1'), 400, 'InvalidHeaderValue'], ['odd', of('x'.repeat(16)), 400, 'InvalidHeaderValue'],
    ['odd', of(`${version}0`), 400, 'InvalidHeaderValue'],
    ['odd', of('0'.repeat(16)), 404, 'ContainerNotFound'],
    ['odd', { ...of(version), 'x-ms-deleted-container-name': 'other' }, 404, 'ContainerNotFound'],
    ['odd', { ...of(version), 'x-ms-deleted-container-name': 'Not/One' }, 400, 'InvalidHeaderValue'],
    ['Odd', of(version), 400, 'InvalidResourceName']]) {
    const answer = await restore(to, headers);
    assert.deepEqual([answer.status, answer.code], [status, code], JSON.stringify(headers));
  }
  await service.undeleteContainer('odd', version);
  assert.equal(await text(container), 'odd');
});

test('a container that gets another name', async () => {
  const old = await make('named', 'content');
  const lease = old.getBlobLeaseClient('22222222-2222-2222-2222-222222222222');
  await lease.acquireLease(-1);
  await make('taken', 'taken');
  const id = { 'x-ms-source-lease-id': lease.leaseId };
  for (const [from, to, headers, status, code] of [['nobody', 'free', {}, 404, 'ContainerNotFound'],
    ['named', 'free', {}, 412, 'LeaseIdMissing'],
    ['taken', 'free', id, 412, 'LeaseNotPresentWithContainerOperation'],
    ['named', 'taken', id, 409, 'ContainerAlreadyExists'], ['named', 'named', id, 409, 'ContainerAlreadyExists'],
    ['named', 'Not', id, 400, 'InvalidResourceName'], ['Not', 'free', id, 400, 'InvalidHeaderValue']]) {
    const answer = await rename(from, to, headers);
    assert.deepEqual([answer.status, answer.code], [status, code], `${from} to ${to}`);
  }
  const without = await send(stack, { method: 'PUT', path: '/free', query: { restype: 'container', comp: 'rename' } });
  assert.equal(without.code, 'MissingRequiredHeader');
  const cannot = await rename('named', 'free', id, { sas: accountSas({ ...stack, permissions: 'rwl' }) });
  assert.deepEqual([cannot.status, cannot.code], [403, 'AuthorizationPermissionMismatch']);
  assert.equal(await text(old), 'content');
  assert.equal((await rename('named', 'free', id)).status, 200);
  await refused(text(old), 404, 'ContainerNotFound');
  const renamed = service.getContainerClient('free');
  assert.equal(await text(renamed), 'content');
  assert.equal((await renamed.getProperties()).leaseState, 'leased');
  await make('named', 'another');
  assert.equal(await text(old), 'another');
  await renamed.getBlockBlobClient('blob').upload('changed', 7);
  await lease.releaseLease().catch(() => {}); // of the name that it had
  await renamed.getBlobLeaseClient(lease.leaseId).releaseLease();
  assert.equal((await rename('free', 'free-again')).status, 200);
  assert.equal(await text(service.getContainerClient('free-again')), 'changed');
  // What has to stay where it is keeps its container there.
  const held = service.getContainerClient('free-again').getBlockBlobClient('blob');
  await held.setLegalHold(true);
  assert.equal((await rename('free-again', 'elsewhere')).code, 'ContainerHasLegalHold');
  assert.equal(await text(service.getContainerClient('free-again')), 'changed');
  await held.setLegalHold(false);
  assert.equal((await rename('free-again', 'elsewhere')).status, 200);
});

test('while the key is revoked', async () => {
  const container = await make('dark', 'dark');
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/dark/blob' })).status === 403,
    'the key to be refused');
  await container.delete();
  const [{ version }] = await list('dark');
  await service.undeleteContainer('dark', version);
  assert.equal((await rename('dark', 'darker')).status, 200);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/darker/blob' })).status === 200,
    'the key to be back');
  assert.equal(await text(service.getContainerClient('darker')), 'dark');
});

test('scrub takes nothing of what is kept for nobody’s', async () => {
  const big = service.getContainerClient('big');
  await big.create();
  await big.getBlockBlobClient('blob').upload(Buffer.alloc(100000), 100000);
  await big.delete();
  const done = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const { counts } = JSON.parse(done.stdout);
  assert.deepEqual([counts.unreferencedObjects, counts.damaged], [0, 0], done.stdout);
});

test('an account is deleted with what it keeps', async () => {
  await stack.createAccount('leaving');
  await stack.management.good('PUT', `${stack.accountPath('leaving')}/blobServices/default`,
    { body: { properties: { containerDeleteRetentionPolicy: { enabled: true, days: DAYS } } } });
  const [key] = await stack.keysOf('leaving');
  const one = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/leaving`,
    new StorageSharedKeyCredential('leaving', key.value), noRetry).getContainerClient('kept');
  await one.create();
  await one.getBlockBlobClient('blob').upload(Buffer.alloc(100000), 100000);
  await one.delete();
  const gone = await stack.management.request('DELETE', `${stack.accountPath('leaving')}?api-version=2023-05-01`);
  assert.equal(gone.status, 200, gone.body);
  const removed = async () => {
    const { counts } = JSON.parse((await stack.ctl('scrub', '--json')).stdout);
    return counts.waitingObjects + counts.unreferencedObjects === 0;
  };
  await stack.until(removed, 'its data to be removed');
});

test('the end of what is kept', async () => {
  const moved = await startStack({ movableClock: true });
  try {
    const expiry = new Date(Date.now() + 60 * 86400e3).toISOString().replace(/\.\d+/, '');
    const sas = encodeQuery(accountSas({ ...moved, expiry }));
    const its = new BlobServiceClient(`${moved.blobEndpoint}?${sas}`, undefined, noRetry);
    await keep({ enabled: true, days: DAYS }, moved);
    for (const name of ['ends', 'restored']) {
      const one = its.getContainerClient(name);
      await one.create();
      await one.getBlockBlobClient('blob').upload(Buffer.alloc(70000, name), 70000);
      await one.delete();
    }
    const [ends, restored] = await list(undefined, { includeDeleted: true }, its);
    await its.undeleteContainer('restored', restored.version);
    moved.gateway.moveClock((DAYS + 1) * 86400e3);
    await moved.until(async () => (await list('ends', { includeDeleted: true }, its)).length === 0, 'it not to be shown');
    await refused(its.undeleteContainer('ends', ends.version), 404, 'ContainerNotFound');
    // A time that is computed while the clock jumps is wrong; the next search of all maps is not.
    let counts = {};
    for (let hours = 0; hours < 60 && counts.referencedObjects !== 1; hours += 5) {
      moved.gateway.moveClock(5 * 3600e3);
      await new Promise((resolve) => { setTimeout(resolve, 1500); });
      ({ counts } = JSON.parse((await moved.ctl('scrub', '--json')).stdout));
    }
    assert.deepEqual([counts.referencedObjects, counts.unreferencedObjects], [1, 0], JSON.stringify(counts));
    const content = await its.getContainerClient('restored').getBlockBlobClient('blob').downloadToBuffer();
    assert.ok(content.equals(Buffer.alloc(70000, 'restored')));
  } finally {
    await moved.stop();
  }
});
