// SPDX-License-Identifier: Apache-2.0
// Immutability policies and legal holds with the vendor's SDK: what they protect is neither changed nor
// deleted, by whatever operation, with and without the customer's key.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const DAY = 86400e3;
const BLOCK = Buffer.from('block-1').toString('base64');
let stack;
let container;
let names = 0;

// By a signature: a request's own date would not agree with a clock that is moved.
const sas = () => accountSas({ ...stack, expiry: '2099-01-01T00:00:00Z' });
const service = () => new BlobServiceClient(`${stack.blobEndpoint}?${encodeQuery(sas())}`, undefined, noRetry);

before(async () => {
  stack = await startStack({ movableClock: true, checkIntervalMs: 1000 });
  container = service().getContainerClient('worm');
  await container.create();
});
after(() => stack?.stop());

async function newBlob(options) {
  const blob = container.getBlockBlobClient(`blob-${names++}`);
  await blob.upload('content', 7, options);
  return blob;
}

// The gateway's clock may be ahead of this one.
const inDays = (days) => new Date(Math.floor((Date.now() + stack.gateway.shared.offsetMs) / 1000) * 1000 + days * DAY);

// What headers tell, and that the listing tells the same when it is asked.
async function protectionOf(blob) {
  const { immutabilityPolicyExpiresOn, immutabilityPolicyMode, legalHold } = await blob.getProperties();
  const told = [immutabilityPolicyExpiresOn, immutabilityPolicyMode, legalHold];
  const listed = async (options) => {
    for await (const item of container.listBlobsFlat({ prefix: blob.name, ...options })) {
      if (item.name === blob.name) return item.properties;
    }
    return undefined;
  };
  const shown = await listed({ includeImmutabilityPolicy: true, includeLegalHold: true });
  assert.deepEqual([shown.immutabilityPolicyExpiresOn, shown.immutabilityPolicyMode, shown.legalHold], told);
  const hidden = await listed({});
  assert.deepEqual([hidden.immutabilityPolicyExpiresOn, hidden.immutabilityPolicyMode, hidden.legalHold],
    [undefined, undefined, undefined]);
  return told;
}

async function assertProtected(blob) {
  const attempts = [() => blob.upload('x', 1), () => blob.setMetadata({ a: 'b' }), () => blob.setHTTPHeaders({}),
    () => blob.commitBlockList([]), () => blob.delete()];
  for (const attempt of attempts) await refused(attempt(), 409, 'BlobImmutableDueToPolicy');
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
}

test('an unlocked policy protects until its date, and can be changed and taken away', async () => {
  const blob = await newBlob();
  const { etag, lastModified } = await blob.getProperties();
  assert.deepEqual(await protectionOf(blob), [undefined, undefined, undefined]);
  const until = inDays(2);
  const set = await blob.setImmutabilityPolicy({ expiriesOn: until, policyMode: 'Unlocked' });
  assert.deepEqual([set.immutabilityPolicyExpiry, set.immutabilityPolicyMode], [until, 'unlocked']);
  assert.deepEqual(await protectionOf(blob), [until, 'unlocked', undefined]);
  await assertProtected(blob);
  await blob.setAccessTier('Cool'); // how it is kept is not what is kept
  await blob.setImmutabilityPolicy({ expiriesOn: inDays(1) });
  await blob.deleteImmutabilityPolicy();
  assert.deepEqual(await protectionOf(blob), [undefined, undefined, undefined]);
  const now = await blob.getProperties();
  assert.equal(now.etag, etag);
  assert.deepEqual(now.lastModified, lastModified);
  await blob.setImmutabilityPolicy({ expiriesOn: inDays(1) });
  stack.gateway.moveClock(DAY + 60e3);
  await stack.until(() => blob.setMetadata({ a: 'b' }).then(() => true), 'the policy to end');
  await blob.delete();
});

test('a locked policy is extended, and nothing else', async () => {
  const blob = await newBlob();
  const until = inDays(2);
  await blob.setImmutabilityPolicy({ expiriesOn: until, policyMode: 'Locked' });
  assert.deepEqual(await protectionOf(blob), [until, 'locked', undefined]);
  for (const attempt of [() => blob.deleteImmutabilityPolicy(),
    () => blob.setImmutabilityPolicy({ expiriesOn: inDays(3), policyMode: 'Unlocked' }),
    () => blob.setImmutabilityPolicy({ expiriesOn: inDays(1), policyMode: 'Locked' })]) {
    await refused(attempt(), 409, 'BlobImmutableDueToPolicy');
  }
  const later = inDays(3);
  await blob.setImmutabilityPolicy({ expiriesOn: later, policyMode: 'Locked' });
  assert.deepEqual(await protectionOf(blob), [later, 'locked', undefined]);
  await assertProtected(blob);
});

test('a legal hold protects until it is taken away, beside a policy and without one', async () => {
  const blob = await newBlob();
  assert.equal((await blob.setLegalHold(true)).legalHold, true);
  assert.deepEqual(await protectionOf(blob), [undefined, undefined, true]);
  await assertProtected(blob);
  await blob.setImmutabilityPolicy({ expiriesOn: inDays(1) });
  assert.equal((await blob.setLegalHold(false)).legalHold, false);
  await assertProtected(blob);
  await blob.deleteImmutabilityPolicy();
  await blob.upload('x', 1);
  await blob.delete();
});

test('a snapshot is protected by itself, and from going with its blob', async () => {
  const blob = await newBlob();
  const { snapshot } = await blob.createSnapshot();
  const state = blob.withSnapshot(snapshot);
  await state.setLegalHold(true);
  assert.equal((await state.getProperties()).legalHold, true);
  assert.deepEqual(await protectionOf(blob), [undefined, undefined, undefined]);
  await refused(state.delete(), 409, 'BlobImmutableDueToPolicy');
  await refused(blob.delete({ deleteSnapshots: 'include' }), 409, 'BlobImmutableDueToPolicy');
  await refused(blob.delete({ deleteSnapshots: 'only' }), 409, 'BlobImmutableDueToPolicy');
  assert.equal((await state.downloadToBuffer()).toString(), 'content');
  await blob.upload('x', 1);
  const set = await state.setImmutabilityPolicy({ expiriesOn: inDays(1) });
  assert.equal(set.immutabilityPolicyMode, 'unlocked');
  await state.setLegalHold(false);
  await refused(state.delete(), 409, 'BlobImmutableDueToPolicy');
  await state.deleteImmutabilityPolicy();
  await blob.delete({ deleteSnapshots: 'include' });
});

test('a blob is protected from its first moment on', async () => {
  const until = inDays(1);
  const put = await newBlob({ immutabilityPolicy: { expiriesOn: until, policyMode: 'Unlocked' }, legalHold: true });
  assert.deepEqual(await protectionOf(put), [until, 'unlocked', true]);
  await assertProtected(put);
  const listed = container.getBlockBlobClient('of-blocks');
  await listed.stageBlock(BLOCK, 'content', 7);
  await listed.commitBlockList([BLOCK], { immutabilityPolicy: { expiriesOn: until, policyMode: 'Unlocked' } });
  assert.deepEqual(await protectionOf(listed), [until, 'unlocked', undefined]);
  await assertProtected(listed);
});

test('blobs of other types are protected alike', async () => {
  const policy = { immutabilityPolicy: { expiriesOn: inDays(1), policyMode: 'Unlocked' }, legalHold: true };
  const append = container.getAppendBlobClient('append');
  await append.create(policy);
  const page = container.getPageBlobClient('page');
  await page.create(512, policy);
  for (const attempt of [() => append.appendBlock('x', 1), () => append.create(), () => append.seal(),
    () => append.delete(), () => page.uploadPages(Buffer.alloc(512), 0, 512), () => page.clearPages(0, 512),
    () => page.resize(1024), () => page.create(512), () => page.delete()]) {
    await refused(attempt(), 409, 'BlobImmutableDueToPolicy');
  }
});

test('a container is not deleted with what is protected in it', async () => {
  for (const shards of ['1', '7']) {
    const kept = service().getContainerClient(`kept-${shards}`);
    const made = await send(stack, { method: 'PUT', path: `/kept-${shards}`, query: { restype: 'container' },
      headers: { 'x-gatekey-index-shards': shards }, sas: sas() });
    assert.equal(made.status, 201);
    const blobs = ['a', 'b', 'c', 'd'].map((name) => kept.getBlockBlobClient(name));
    for (const blob of blobs) await blob.upload('content', 7);
    await blobs[2].setLegalHold(true);
    await refused(kept.delete(), 409, 'ContainerHasLegalHold');
    await blobs[1].setImmutabilityPolicy({ expiriesOn: inDays(1), policyMode: 'Unlocked' });
    await blobs[2].setLegalHold(false);
    await refused(kept.delete(), 409, 'ContainerImmutabilityPolicyLocked');
    for (const blob of blobs) assert.equal((await blob.downloadToBuffer()).toString(), 'content');
    await blobs[1].deleteImmutabilityPolicy();
    await kept.delete();
    assert.equal(await kept.exists(), false);
  }
});

test('conditions, permissions and bad requests', async () => {
  const blob = await newBlob();
  await refused(container.getBlobClient('absent').setLegalHold(true), 404, 'BlobNotFound');
  const ask = (comp, headers, more = {}) => send(stack, { method: 'PUT', path: `/worm/${blob.name}`, query: { comp },
    headers, sas: sas(), ...more });
  const date = (days) => ({ 'x-ms-immutability-policy-until-date': inDays(days).toUTCString() });
  const rows = [
    [ask('immutabilityPolicies', {}), 400, 'MissingRequiredHeader'],
    [ask('immutabilityPolicies', { 'x-ms-immutability-policy-until-date': 'tomorrow' }), 400, 'InvalidHeaderValue'],
    [ask('immutabilityPolicies', date(-1)), 400, 'InvalidHeaderValue'],
    [ask('immutabilityPolicies', { ...date(1), 'x-ms-immutability-policy-mode': 'Mutable' }), 400, 'InvalidHeaderValue'],
    [ask('immutabilityPolicies', { ...date(1), 'if-unmodified-since': new Date(0).toUTCString() }), 412, 'ConditionNotMet'],
    [ask('legalhold', {}), 400, 'MissingRequiredHeader'],
    [ask('legalhold', { 'x-ms-legal-hold': 'perhaps' }), 400, 'InvalidHeaderValue'],
    [ask('legalhold', { 'x-ms-legal-hold': 'true' }, { sas: accountSas({ ...stack, permissions: 'rwdl', expiry: '2099-01-01T00:00:00Z' }) }), 403,
      'AuthorizationPermissionMismatch'],
  ];
  for (const [asked, status, code] of rows) {
    const answer = await asked;
    assert.deepEqual([answer.status, answer.code], [status, code]);
  }
  assert.deepEqual(await protectionOf(blob), [undefined, undefined, undefined]);
});

test('a revoked key neither lifts a protection nor hinders one', async () => {
  const held = await newBlob({ legalHold: true });
  const free = await newBlob();
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  const status = async (expected) => (await send(stack, { method: 'GET', path: `/worm/${free.name}`, sas: sas() })).status === expected;
  await stack.until(() => status(403), 'the key to be revoked');
  await refused(held.delete(), 409, 'BlobImmutableDueToPolicy');
  await refused(held.setHTTPHeaders({}), 409, 'BlobImmutableDueToPolicy');
  await free.setImmutabilityPolicy({ expiriesOn: inDays(1), policyMode: 'Locked' });
  await refused(free.delete(), 409, 'BlobImmutableDueToPolicy');
  await held.setLegalHold(false);
  await held.delete();
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(() => status(200), 'the key to be back');
  await assertProtected(free);
});
