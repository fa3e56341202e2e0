// SPDX-License-Identifier: Apache-2.0
// A blob is shredded with all that it was, whatever the account keeps and while its key is revoked; what may not
// be deleted is not, and copies that have its data key are told of. A few seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const LARGE = Buffer.alloc(200000, 'large'); // a small one's chunk stands beside its record, and is not shared
const SNAPSHOTS = 140; // more than are changed in one write
let stack;
let container;

const shred = (name, ...options) => stack.ctl('blob', 'shred', `${stack.account}/kept/${name}`, ...options);
const events = () => readFileSync(stack.gateway.auditFile, 'utf8').split('\n').slice(0, -1)
  .map((line) => JSON.parse(line)).filter(({ event }) => event === 'blob.shred');

async function good(name) {
  const { code, stdout, stderr } = await shred(name, '--yes', '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function bad(name, code) {
  const told = events().length;
  const done = await shred(name, '--yes');
  assert.equal(done.code, 1);
  assert.match(done.stderr, new RegExp(`\\(${code}\\)`));
  return events().slice(told);
}

async function uploaded(name, content = 'content', options = {}) {
  const blob = container.getBlockBlobClient(name);
  await blob.upload(content, content.length, { metadata: { of: name }, ...options });
  return blob;
}

async function listed(prefix) {
  const items = [];
  const all = { includeSnapshots: true, includeVersions: true, includeDeleted: true, includeUncommitedBlobs: true };
  for await (const item of container.listBlobsFlat({ prefix, ...all })) items.push(item.name);
  return items;
}

const keep = (properties) => stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`, { body: { properties } });

before(async () => {
  stack = await startStack();
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('kept');
  await container.create();
});
after(() => stack?.stop());

test('it takes --yes and three names', async () => {
  assert.equal((await shred('blob')).code, 2);
  assert.equal((await stack.ctl('blob', 'shred', `${stack.account}/kept`, '--yes')).code, 2);
  const at = `/gatekey/accounts/${stack.account}/shredBlob?api-version=2023-05-01`;
  for (const body of [{}, { container: 'kept' }, { container: 'kept', blob: 'x', more: 1 }, { container: 'Not-One', blob: 'x' }]) {
    assert.equal((await stack.management.request('POST', at, { body })).status, 400, JSON.stringify(body));
  }
  assert.deepEqual(await bad('none', 'BlobNotFound'), []);
  const elsewhere = await stack.ctl('blob', 'shred', `${stack.account}/none/blob`, '--yes');
  assert.match(elsewhere.stderr, /\(ContainerNotFound\)/);
});

test('what is protected, leased or pending stays whole', async () => {
  const blob = await uploaded('protected');
  const { snapshot } = await blob.createSnapshot();
  await blob.withSnapshot(snapshot).setLegalHold(true);
  const [told] = await bad('protected', 'BlobImmutableDueToPolicy');
  assert.deepEqual([told.outcome, told.reason, told.actor], ['refused', 'BlobImmutableDueToPolicy', 'operator']);
  await blob.withSnapshot(snapshot).setLegalHold(false);
  await blob.setImmutabilityPolicy({ expiriesOn: new Date(Date.now() + 86400e3) });
  await bad('protected', 'BlobImmutableDueToPolicy');
  await blob.deleteImmutabilityPolicy();
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(-1);
  await bad('protected', 'LeaseIdMissing');
  await lease.releaseLease();
  assert.equal((await blob.downloadToBuffer()).toString(), 'content');
  assert.equal((await blob.withSnapshot(snapshot).downloadToBuffer()).toString(), 'content');
  assert.equal((await good('protected')).records, 2);
});

test('all that it was goes at once, whatever is kept', async () => {
  await keep({ isVersioningEnabled: true, deleteRetentionPolicy: { enabled: true, days: 7 } });
  await uploaded('versions', 'one');
  const blob = await uploaded('versions', 'two');
  await blob.createSnapshot();
  await blob.delete({ deleteSnapshots: 'include' });
  assert.equal((await listed('versions')).length, 4); // a snapshot makes a version as well
  const { records, objects } = await good('versions');
  assert.deepEqual([records, objects.length], [4, 2]);
  assert.deepEqual(await listed('versions'), []);
  assert.deepEqual(await bad('versions', 'BlobNotFound'), []);
  await keep({ isVersioningEnabled: false, deleteRetentionPolicy: { enabled: false } });
});

test('of very many snapshots too, which takes several writes', async () => {
  const blob = await uploaded('many');
  for (let i = 0; i < SNAPSHOTS; i += 10) await Promise.all(Array.from({ length: 10 }, () => blob.createSnapshot()));
  assert.equal((await good('many')).records, SNAPSHOTS + 1);
  assert.deepEqual(await listed('many'), []);
});

test('blocks that were never committed go, too', async () => {
  await container.getBlockBlobClient('staged').stageBlock(Buffer.from('1').toString('base64'), 'block', 5);
  assert.deepEqual(await listed('staged'), ['staged']);
  assert.equal((await good('staged')).records, 1);
  assert.deepEqual(await listed('staged'), []);
});

test('copies that have its data key stay, and are told of', async () => {
  const source = await uploaded('source', LARGE);
  const copy = container.getBlockBlobClient('copy');
  await (await copy.beginCopyFromURL(source.url)).pollUntilDone();
  const evidence = await good('source');
  assert.deepEqual([evidence.records, evidence.lentTo, evidence.borrowed], [1, 1, 0]);
  await refused(source.downloadToBuffer(), 404, 'BlobNotFound');
  assert.ok((await copy.downloadToBuffer()).equals(LARGE));
  const { code, stdout } = await shred('copy', '--yes');
  assert.equal(code, 0);
  assert.match(stdout, /^Its data is not gone: 1 of the records were of a copy/m);
  assert.match(stdout, new RegExp(`^and then: gatekeyctl account reseal ${stack.account}$`, 'm'));
  await refused(copy.downloadToBuffer(), 404, 'BlobNotFound');
});

test('it is told under which root keys it was, of which scopes, and the reseal is the second half', async () => {
  assert.equal((await stack.ctl('scope', 'create', `${stack.account}/within`)).code, 0);
  await uploaded('scoped', 'one', { encryptionScope: 'within' });
  assert.deepEqual((await good('scoped')).rootKeys, [{ of: `${stack.account}/within`, generation: 1 }]);
  await uploaded('older');
  assert.equal((await stack.ctl('account', 'new-root-key', stack.account)).code, 0);
  assert.deepEqual((await good('older')).rootKeys, [{ of: stack.account, generation: 1 }]);
  const resealed = await stack.ctl('account', 'reseal', stack.account);
  assert.equal(resealed.code, 0, resealed.stderr);
  const retired = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line))
    .find(({ event }) => event === 'account.root-key.retire');
  assert.match(retired.detail, /^generation 1, /);
});

test('it needs no key, and the audit has it', async () => {
  const blob = await uploaded('dark');
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await stack.keyStatus()).state === 'revoked', 'revoked');
  const { records, actor } = await good('dark');
  assert.deepEqual([records, actor], [1, 'operator']);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await stack.keyStatus()).state === 'active', 'active');
  await refused(blob.downloadToBuffer(), 404, 'BlobNotFound');
  assert.equal(events().at(-1).detail, 'kept/dark: 1 records are destroyed; a second read found none; 0 copies have its data key');
  const scrub = await stack.ctl('scrub', '--verify', '--older-than', '0s');
  assert.equal(scrub.code, 0, scrub.stdout);
});
