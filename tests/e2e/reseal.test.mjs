// SPDX-License-Identifier: Apache-2.0
// After a new root key, all that an account has is moved to it: blobs of every kind with all that they were, copies
// that share, staged blocks, scopes, containers that are deleted and kept. The older root keys are retired then, and
// nothing is lost: not what is there, and not what a client was in the middle of. About ten seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobSASPermissions, BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { jobOf, keepWhatWas, ofTheClient } from './lib/account_job.mjs';
import { damageBlob } from './lib/account_object.mjs';
import { refused } from './lib/refused.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const BLOCK = Buffer.from('block').toString('base64');
const DISK_PIECES = 10;
const DISK_PIECE = 4 << 20;
const diskPiece = randomBytes(DISK_PIECE);
let stack;
let service;
let container;
let reseal;
const content = new Map(); // what reads back: a key for people, then [client, bytes]

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('resealed');
  reseal = jobOf(stack, 'reseal');
  await keepWhatWas(stack);
  await container.create();
});
after(() => stack?.stop());

const post = (action, body) => stack.management.good('POST', `/gatekey/accounts/${stack.account}/${action}`, { body });
const newRootKey = () => stack.management.good('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`);

async function write(name, bytes = randomBytes(70000), options = {}, where = container) {
  const blob = where.getBlockBlobClient(name);
  const answer = await blob.upload(bytes, bytes.length, { metadata: { of: 'test' }, ...options });
  content.set(name, [blob, bytes]);
  return answer;
}

async function everythingReadsBack() {
  for (const [name, [blob, bytes]] of content) {
    assert.ok((await blob.downloadToBuffer()).equals(bytes), name);
    if (name !== 'pages' && name !== 'appended') assert.equal((await blob.getProperties()).metadata.of, 'test', name);
  }
}

const generations = async () => {
  const { generation, oldestGeneration } = await stack.keyStatus();
  return [oldestGeneration, generation];
};

// One of each, and what they were.
async function writeEverything() {
  await write('beside its record', Buffer.from('small'));
  await write('in data objects', randomBytes(5 << 20));
  const staged = container.getBlockBlobClient('of blocks');
  await staged.stageBlock(BLOCK, 'from blocks', 11);
  await staged.commitBlockList([BLOCK], { metadata: { of: 'test' } });
  content.set('of blocks', [staged, Buffer.from('from blocks')]);
  const appended = container.getAppendBlobClient('appended');
  await appended.create();
  await appended.appendBlock('one ', 4);
  content.set('appended', [appended, Buffer.from('one ')]);
  const pages = container.getPageBlobClient('pages');
  const page = randomBytes(512);
  await pages.create(1024);
  await pages.uploadPages(page, 0, 512);
  const { snapshot } = await pages.createSnapshot();
  await pages.uploadPages(page, 512, 512);
  content.set('pages, before', [pages.withSnapshot(snapshot), Buffer.concat([page, Buffer.alloc(512)])]);
  content.delete('pages, before'); // it has no metadata of its own
  content.set('pages', [pages, Buffer.concat([page, page])]);
  // What a blob was: a version and a snapshot.
  const { versionId } = await write('with a past', Buffer.from('first'));
  const taken = await container.getBlobClient('with a past').createSnapshot();
  await write('with a past', Buffer.from('second'));
  content.set('version', [container.getBlobClient('with a past').withVersion(versionId), Buffer.from('first')]);
  content.set('snapshot', [container.getBlobClient('with a past').withSnapshot(taken.snapshot), Buffer.from('first')]);
  // A copy that shares, of a source that is gone then.
  await write('lender', randomBytes(200000));
  const poller = await container.getBlobClient('borrower').beginCopyFromURL(container.getBlobClient('lender').url,
    { metadata: { of: 'test' } });
  await poller.pollUntilDone();
  content.set('borrower', [container.getBlobClient('borrower'), content.get('lender')[1]]);
  await container.getBlockBlobClient('staged alone').stageBlock(BLOCK, 'staged', 6);
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/plain`,
    { body: { properties: {} } });
  await write('scoped', Buffer.from('in a scope'), { encryptionScope: 'plain' });
}

test('nothing to do is done at once', async () => {
  const { code, status, counts } = await reseal();
  assert.deepEqual([code, status, counts.retiredRootKeys], [0, 'done', 0]);
});

test('all that is there is sealed anew, and reads back', async () => {
  await writeEverything();
  const deleted = service.getContainerClient('deleted-and-kept');
  await deleted.create();
  await write('kept', Buffer.from('kept'), {}, deleted);
  content.delete('kept');
  await deleted.delete();
  await write('deleted', Buffer.from('deleted'));
  await container.getBlobClient('deleted').delete();
  content.delete('deleted');
  const { etag, lastModified } = await container.getBlobClient('in data objects').getProperties();

  await newRootKey();
  await stack.ctl('scope', 'new-root-key', `${stack.account}/plain`);
  const { code, status, counts, phase } = await reseal();
  assert.deepEqual([code, status, phase, counts.retiredRootKeys, counts.damaged], [0, 'done', 'end', 2, 0]);
  assert.ok(counts.resealed >= 14, JSON.stringify(counts));
  assert.deepEqual(await generations(), [2, 2]);
  await everythingReadsBack();
  const unchanged = await container.getBlobClient('in data objects').getProperties();
  assert.deepEqual([unchanged.etag, unchanged.lastModified], [etag, lastModified]);

  // What was set aside comes back, too.
  await container.getBlockBlobClient('staged alone').commitBlockList([BLOCK]);
  assert.equal((await container.getBlobClient('staged alone').downloadToBuffer()).toString(), 'staged');
  await container.getBlobClient('deleted').undelete();
  for await (const { name, version } of service.listContainers({ prefix: 'deleted-', includeDeleted: true })) {
    await service.undeleteContainer(name, version);
  }
  assert.equal((await deleted.getBlobClient('kept').downloadToBuffer()).toString(), 'kept');
  await container.getBlobClient('lender').delete();
  content.delete('lender');
  await stack.gateway.restart();
  await everythingReadsBack();
  const { stdout } = await stack.ctl('scrub', '--verify', '--json');
  assert.equal(JSON.parse(stdout).counts.damaged, 0);
});

// A snapshot that takes its time to be copied, and whose reader has root keys of its own.
async function diskOfAnother() {
  await stack.createAccount('another');
  const [{ value }] = await stack.keysOf('another');
  const disks = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/another`,
    new StorageSharedKeyCredential('another', value), noRetry).getContainerClient('disks');
  await disks.create();
  const disk = disks.getPageBlobClient('disk');
  await disk.create(DISK_PIECES * DISK_PIECE);
  for (let i = 0; i < DISK_PIECES; i++) await disk.uploadPages(diskPiece, i * DISK_PIECE, DISK_PIECE);
  const { snapshot } = await disk.createSnapshot();
  return disk.withSnapshot(snapshot).generateSasUrl({ permissions: BlobSASPermissions.parse('r'),
    expiresOn: new Date(Date.now() + 3600e3) });
}

test('clients who write meanwhile lose nothing', async () => {
  const load = { on: true };
  const client = async (number) => {
    for (let i = 0; load.on; i++) {
      const name = `load ${number} ${i % 3}`;
      await write(name, randomBytes(100 + i));
      const [blob, bytes] = content.get(name);
      assert.ok((await blob.downloadToBuffer()).equals(bytes), name);
      await blob.setMetadata({ of: 'test', round: `${i}` });
    }
  };
  const copied = [];
  const copier = async () => {
    const url = await diskOfAnother();
    for (let i = 0; load.on; i++) {
      const follower = container.getPageBlobClient(`follower ${i}`);
      assert.equal((await follower.startCopyIncremental(url)).copyStatus, 'success');
      copied.push(follower);
    }
  };
  const clients = [...[0, 1, 2, 3].map(client), copier()];
  for (let i = 0; i < 3; i++) {
    await newRootKey();
    const { code, counts } = await reseal();
    assert.deepEqual([code, counts.retiredRootKeys], [0, 1], JSON.stringify(counts));
  }
  load.on = false;
  await Promise.all(clients);
  await everythingReadsBack();
  for (const follower of copied) {
    const { destinationSnapshot } = await follower.getProperties();
    assert.deepEqual(await follower.withSnapshot(destinationSnapshot).downloadToBuffer(0, DISK_PIECE), diskPiece);
  }
});

// Its data key was made under a root key that is gone when its last byte comes.
test('an upload from before ends well', async () => {
  const blob = container.getBlockBlobClient('long upload');
  const bytes = randomBytes(1 << 20);
  const url = await blob.generateSasUrl({ permissions: BlobSASPermissions.parse('cw'), expiresOn: new Date(Date.now() + 3600e3) });
  const request = http.request(url, { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2021-12-02',
    'x-ms-meta-of': 'test', 'content-length': bytes.length } });
  const answered = new Promise((resolve, reject) => { request.once('response', resolve).once('error', reject); });
  await new Promise((resolve) => { request.write(bytes.subarray(0, bytes.length / 2), resolve); });
  // The gateway has begun with it when it has opened the account for it: that takes no longer than a whole request.
  await write('another', Buffer.from('another'));
  await newRootKey();
  assert.equal((await reseal()).counts.retiredRootKeys, 1);
  const [oldest, newest] = await generations();
  assert.equal(oldest, newest);
  request.end(bytes.subarray(bytes.length / 2));
  const response = await answered;
  response.resume();
  assert.equal(response.statusCode, 201);
  content.set('long upload', [blob, bytes]);
  await stack.gateway.restart();
  await everythingReadsBack();
});

test('containers that are made or renamed later take nothing older either', async () => {
  const later = service.getContainerClient('made-later');
  await later.create();
  await write('later', Buffer.from('later'), {}, later);
  await newRootKey();
  assert.equal((await reseal()).counts.retiredRootKeys, 1);
  await everythingReadsBack();
});

test('while something cannot be opened, no root key is destroyed', async () => {
  await write('spoilt');
  content.delete('spoilt');
  await newRootKey();
  damageBlob(stack, 'spoilt');
  const { code, status, counts } = await reseal();
  assert.deepEqual([code, status, counts.damaged, counts.retiredRootKeys], [5, 'done', 1, 0]);
  await everythingReadsBack();
  await stack.management.good('POST', '/gatekey/scrub/removeDamaged',
    { body: { account: stack.account, container: 'resealed', blob: 'spoilt' } });
  const whole = await reseal();
  assert.deepEqual([whole.code, whole.status, whole.counts.damaged], [0, 'done', 0]);
  assert.ok(whole.counts.retiredRootKeys > 0);
  await everythingReadsBack();
});

test('what is under a client’s key keeps its root key until it is written anew', async () => {
  const overTls = BlobServiceClient.fromConnectionString(stack.connectionStringTls, stack.overTls).getContainerClient('resealed');
  const keyed = overTls.getBlockBlobClient('under two keys');
  await keyed.upload('keyed', 5, { customerProvidedKey: ofTheClient });
  await newRootKey();
  const first = await reseal();
  assert.deepEqual([first.status, first.counts.underClientKeys, first.counts.retiredRootKeys], ['done', 1, 0]);
  const read = () => keyed.downloadToBuffer(0, undefined, { customerProvidedKey: ofTheClient });
  assert.equal((await read()).toString(), 'keyed');
  await keyed.delete({ deleteSnapshots: 'include' });
  await keyed.upload('anew', 4, { customerProvidedKey: ofTheClient });
  // Versions of before are kept, and so is their root key.
  assert.equal((await reseal()).counts.retiredRootKeys, 0);
  assert.equal((await read()).toString(), 'anew');
  // But none of the root keys between that and the newest.
  for (let i = 0; i < 3; i++) await newRootKey();
  assert.equal((await reseal()).counts.retiredRootKeys, 2);
  assert.equal((await read()).toString(), 'anew');
  await everythingReadsBack();
});

test('it is paused and goes on, also in a gateway that was restarted', async () => {
  const many = service.getContainerClient('many');
  await many.create();
  for (let i = 0; i < 40; i++) await write(`many ${i}`, Buffer.from(`${i}`), {}, many);
  await newRootKey();
  assert.equal((await post('reseal', { rate: 20 })).status, 'running');
  const again = await stack.management.request('POST', `/gatekey/accounts/${stack.account}/reseal?api-version=2023-05-01`, { body: {} });
  assert.equal(`${again.status} ${again.json.error.code}`, '409 ResealIsRunning');
  await stack.until(async () => (await reseal('--status')).counts.resealed > 0, 'something to be resealed');
  assert.equal((await stack.ctl('account', 'reseal', stack.account, '--pause')).code, 0);
  const paused = await stack.until(async () => {
    const state = await reseal('--status');
    return state.status === 'paused' && state;
  }, 'it to be paused');
  assert.equal(paused.code, 7);
  assert.equal(paused.counts.retiredRootKeys, 0);
  await everythingReadsBack();
  await stack.gateway.restart();
  const resumed = await stack.management.good('POST', `/gatekey/accounts/${stack.account}/resealResume`);
  assert.equal(resumed.status, 'running');
  const done = await stack.until(async () => {
    const state = await reseal('--status');
    return state.status === 'done' && state;
  }, 'it to be done');
  assert.ok(done.counts.resealed >= 40, JSON.stringify(done.counts));
  const { code, stderr } = await stack.ctl('account', 'reseal', stack.account, '--resume');
  assert.equal(code, 1);
  assert.match(stderr, /ResealIsDone/);
  await everythingReadsBack();
});

test('a backup of before does not bring a retired root key back', async () => {
  const file = path.join(stack.directory, 'before.json');
  await stack.ctl('account', 'export', stack.account, '--out', file);
  for await (const blob of container.listBlobsFlat({ includeVersions: true, includeDeleted: true, prefix: 'under two keys' })) {
    if (!blob.isCurrentVersion && blob.versionId) await container.getBlobClient(blob.name).withVersion(blob.versionId).delete().catch(() => {});
  }
  const { code, stderr } = await stack.ctl('account', 'restore', stack.account, '--in', file);
  assert.equal(code, 0, stderr); // the same root keys are in use
  await stack.management.good('PUT', `${stack.accountPath('fresh')}`, { body: { location: 'local', kind: 'StorageV2',
    sku: { name: 'Standard_LRS' }, properties: {} } });
  const fresh = path.join(stack.directory, 'fresh.json');
  await stack.management.good('POST', `${stack.accountPath('fresh')}/gatekeyNewRootKey`);
  await stack.ctl('account', 'export', 'fresh', '--out', fresh);
  assert.equal((await stack.ctl('account', 'reseal', 'fresh')).code, 0);
  const revived = await stack.ctl('account', 'restore', 'fresh', '--in', fresh);
  assert.equal(revived.code, 1);
  assert.match(revived.stderr, /AccountBackupRevivesRootKey/);
});

test('while the key is revoked it is refused with the reason', async () => {
  await newRootKey();
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const failed = await reseal();
  assert.deepEqual([failed.code, failed.status, failed.counts.retiredRootKeys], [1, 'failed', 0]);
  assert.match(failed.failure, /key/i);
  await refused(content.get('scoped')[0].downloadToBuffer(), 403, 'KeyVaultEncryptionKeyNotFound');
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.checkKey();
  assert.equal((await reseal('--resume')).status, 'done');
  await everythingReadsBack();
});

test('an account that was resealed can be deleted', async () => {
  await stack.management.good('DELETE', stack.accountPath(stack.account));
  await assert.rejects(stack.keyStatus(), /404/);
});
