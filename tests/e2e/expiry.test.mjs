// SPDX-License-Identifier: Apache-2.0
// Set Blob Expiry, which the SDK for blobs does not have, and what the SDK sees of it: a blob ends at its time,
// for everybody at once, and its data is removed. Takes about 5 seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const HOUR = 3600e3;
let stack;
let container;
let sas;

// A SAS: signed dates would have to move with the gateway's clock.
before(async () => {
  stack = await startStack({ checkIntervalMs: 1000, movableClock: true });
  sas = accountSas({ ...stack, expiry: new Date(Date.now() + 60 * 24 * HOUR).toISOString().replace(/\.\d+/, '') });
  const service = new BlobServiceClient(`${stack.blobEndpoint}?${encodeQuery(sas)}`, undefined, noRetry);
  container = service.getContainerClient('ends');
  await container.create();
});
after(() => stack?.stop());

const expire = (name, option, time, headers = {}, more = {}) => send(stack, { method: 'PUT', path: `/ends/${name}`,
  query: { comp: 'expiry' }, sas, headers: { ...(option === undefined ? {} : { 'x-ms-expiry-option': option }),
    ...(time === undefined ? {} : { 'x-ms-expiry-time': String(time) }), ...headers }, ...more });
async function good(...args) {
  const answer = await expire(...args);
  assert.equal(answer.status, 200, answer.code);
  return answer;
}
async function list(options = {}) {
  const found = [];
  for await (const item of container.listBlobsFlat(options)) found.push(item);
  return found;
}
async function make(name, bytes = Buffer.alloc(70000, name)) {
  const blob = container.getBlockBlobClient(name);
  await blob.upload(bytes, bytes.length, { metadata: { of: name }, tags: { kind: 'brief' } });
  return blob;
}
// The gateway sees a moved clock a little later.
async function move(ms, blob) {
  stack.gateway.moveClock(ms);
  await stack.until(() => blob.exists().then((there) => !there), 'the end');
}

test('each option, and what it says afterwards', async () => {
  const blob = await make('options');
  const { createdOn, etag, expiresOn } = await blob.getProperties();
  assert.equal(expiresOn, undefined);
  const at = new Date(Math.floor(Date.now() / 1000) * 1000 + 24 * HOUR);
  const answer = await good('options', 'Absolute', at.toUTCString());
  const properties = await blob.getProperties();
  assert.deepEqual([answer.headers.etag, properties.expiresOn], [properties.etag, at]);
  assert.notEqual(properties.etag, etag);
  assert.deepEqual(properties.metadata, { of: 'options' });
  assert.deepEqual((await list())[0].properties.expiresOn, at);
  assert.deepEqual((await blob.download()).expiresOn ?? at, at);
  await good('options', 'RelativeToCreation', 2 * 24 * HOUR);
  const relative = (await blob.getProperties()).expiresOn;
  assert.ok(Math.abs(relative - createdOn - 2 * 24 * HOUR) < 2000);
  await good('options', 'RelativeToNow', HOUR);
  assert.ok(Math.abs((await blob.getProperties()).expiresOn - Date.now() - HOUR) < 60e3);
  await good('options', 'NeverExpire');
  assert.equal((await blob.getProperties()).expiresOn, undefined);
  await good('options', 'RelativeToNow', HOUR);
  await blob.upload('new', 3); // another blob, which does not end
  assert.equal((await blob.getProperties()).expiresOn, undefined);
});

test('bad requests change nothing', async () => {
  const blob = await make('bad');
  const { etag } = await blob.getProperties();
  const past = new Date(Date.now() - HOUR).toUTCString();
  for (const [option, time, status, code] of [[undefined, HOUR, 400, 'MissingRequiredHeader'],
    ['Sometimes', HOUR, 400, 'InvalidHeaderValue'], ['Absolute', undefined, 400, 'MissingRequiredHeader'],
    ['Absolute', past, 400, 'InvalidHeaderValue'], ['Absolute', 'soon', 400, 'InvalidHeaderValue'],
    ['Absolute', HOUR, 400, 'InvalidHeaderValue'], ['RelativeToNow', 0, 400, 'InvalidHeaderValue'],
    ['RelativeToNow', -5, 400, 'InvalidHeaderValue'], ['RelativeToNow', '1e3', 400, 'InvalidHeaderValue'],
    ['RelativeToNow', '9223372036854775807', 400, 'InvalidHeaderValue'],
    ['RelativeToNow', '253402300799000', 400, 'InvalidHeaderValue'],
    ['RelativeToCreation', 0, 400, 'InvalidHeaderValue'], ['NeverExpire', HOUR, 400, 'InvalidHeaderValue']]) {
    const answer = await expire('bad', option, time);
    assert.deepEqual([answer.status, answer.code], [status, code], `${option} ${time}`);
  }
  const { status, code } = await expire('nobody', 'RelativeToNow', HOUR);
  assert.deepEqual([status, code], [404, 'BlobNotFound']);
  const reader = accountSas({ ...stack, permissions: 'rl' });
  assert.equal((await expire('bad', 'RelativeToNow', HOUR, {}, { sas: reader })).status, 403);
  const lease = blob.getBlobLeaseClient('33333333-3333-3333-3333-333333333333');
  await lease.acquireLease(-1);
  assert.equal((await expire('bad', 'RelativeToNow', HOUR)).code, 'LeaseIdMissing');
  assert.equal((await blob.getProperties()).etag, etag);
  await good('bad', 'RelativeToNow', HOUR, { 'x-ms-lease-id': lease.leaseId });
  await good('bad', 'NeverExpire', undefined, { 'x-ms-lease-id': lease.leaseId });
  const upload = await send(stack, { method: 'PUT', path: '/ends/bad', sas, body: 'x',
    headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-expiry-option': 'RelativeToNow' } });
  assert.deepEqual([upload.status, upload.code], [400, 'UnsupportedHeader']);
});

test('the end: of a blob for everybody, of its data, and of nothing else', async () => {
  for (const { name } of await list()) await container.deleteBlob(name).catch(() => {});
  const blob = await make('first');
  const small = await make('small', Buffer.from('beside its record'));
  const later = await make('later');
  const held = await make('held');
  const leased = await make('leased');
  const blocks = await make('blocks');
  const { snapshot } = await blob.createSnapshot();
  await leased.getBlobLeaseClient('44444444-4444-4444-4444-444444444444').acquireLease(-1);
  for (const name of ['first', 'small', 'held', 'blocks']) await good(name, 'RelativeToNow', HOUR);
  await good('leased', 'RelativeToNow', HOUR, { 'x-ms-lease-id': '44444444-4444-4444-4444-444444444444' });
  await good('later', 'RelativeToNow', 300 * HOUR);
  await held.setLegalHold(true);
  await move(2 * HOUR, blob);
  for (const gone of [blob, small, leased, blocks]) {
    for (const call of [() => gone.getProperties(), () => gone.download(), () => gone.delete(), () => gone.getTags(),
      () => gone.setMetadata({}), () => gone.setHTTPHeaders({}), () => gone.createSnapshot(), () => gone.undelete(),
      () => gone.setAccessTier('Cool'), () => gone.getBlockList('committed')]) {
      // The undelete finds what the blob has of states.
      if (call.toString().includes('undelete') && gone === blob) continue;
      await refused(call(), 404);
    }
  }
  const rest = async () => (await list({ includeSnapshots: true })).map((item) => item.name + (item.snapshot ? '*' : ''));
  const left = ['bad', 'first*', 'held', 'later'];
  assert.deepEqual(await rest(), left);
  assert.deepEqual((await list({ includeDeleted: true })).map((item) => item.name), ['bad', 'held', 'later']);
  const found = [];
  for await (const item of container.findBlobsByTags("kind='brief'")) found.push(item.name);
  assert.ok(!found.includes('first') && found.includes('later'), String(found));
  // The name is free.
  await leased.upload('again', 5, { conditions: { ifNoneMatch: '*' } });
  assert.equal((await leased.downloadToBuffer()).toString(), 'again');
  await leased.delete();
  const block = Buffer.from('block').toString('base64');
  // What has ended may be removed in between, with what is staged over it.
  await stack.until(async () => {
    await blocks.stageBlock(block, 'of blocks', 9);
    return blocks.commitBlockList([block]).then(() => true, ({ code }) => assert.equal(code, 'InvalidBlockList'));
  }, 'the blocks to be committed');
  left.unshift(...left.splice(0, 1), 'blocks');
  let counts = {};
  for (let hours = 0; hours < 60 && counts.blobs !== 5; hours += 5) {
    stack.gateway.moveClock(5 * HOUR);
    await new Promise((resolve) => { setTimeout(resolve, 1500); });
    ({ counts } = JSON.parse((await stack.ctl('scrub', '--json')).stdout));
  }
  // bad, blocks, held, later, and the snapshot with the base that says so.
  assert.deepEqual(await rest(), left);
  assert.equal(counts.unreferencedObjects, 0);
  assert.equal((await blob.withSnapshot(snapshot).downloadToBuffer()).length, 70000);
  assert.equal((await held.downloadToBuffer()).length, 70000);
  assert.equal((await later.downloadToBuffer()).length, 70000);
  await held.setLegalHold(false);
  await refused(held.getProperties(), 404);
});

test('while the key is revoked', async () => {
  const blob = await make('dark');
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/ends/dark', sas })).status === 403,
    'the key to be refused');
  await good('dark', 'RelativeToNow', HOUR);
  assert.ok((await list({ prefix: 'dark' }))[0].properties.expiresOn);
  stack.gateway.moveClock(2 * HOUR);
  await stack.until(async () => (await list({ prefix: 'dark' })).length === 0, 'the end');
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/ends/dark', sas })).status === 404,
    'the key to be back');
  await refused(blob.getProperties(), 404);
});
