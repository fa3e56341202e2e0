// SPDX-License-Identifier: Apache-2.0
// All data of an account are encrypted anew under new data keys, and clients see nothing of it: blobs of every kind
// with all that they were, copies that share, and what is read and written meanwhile. What was stored before is gone
// in the end. About fifteen seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { BlobSASPermissions, BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { jobOf, keepWhatWas, ofTheClient } from './lib/account_job.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { storedIn } from './lib/stored.mjs';

const REST_S = 60; // of what is to be removed
const COPY_PAUSE_MS = 200;
let stack;
let service;
let container;
let reencrypt;
const content = new Map(); // what reads back: a name for people, then [client, bytes, properties]
const id = (number) => Buffer.from(`block ${number}`.padEnd(9)).toString('base64');

before(async () => {
  stack = await startStack({ movableClock: true, removalDelayS: REST_S });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('encrypted-anew');
  reencrypt = jobOf(stack, 'reencrypt');
  await keepWhatWas(stack);
  await container.create();
});
after(() => stack?.stop());

const post = (action, body) => stack.management.good('POST', `/gatekey/accounts/${stack.account}/${action}`, { body });

// What a client sees of it, but for what each answer has of its own.
async function seen(blob) {
  const { etag, lastModified, createdOn, metadata, contentMD5, contentLength, contentType, blobType, versionId, leaseState,
    blobCommittedBlockCount, accessTier } = await blob.getProperties();
  return { etag, lastModified, createdOn, metadata, contentMD5, contentLength, contentType, blobType, versionId, leaseState,
    blobCommittedBlockCount, accessTier };
}

async function remember(name, blob, bytes) {
  content.set(name, [blob, bytes, await seen(blob)]);
}

async function write(name, bytes = randomBytes(70000), options = {}, where = container) {
  const blob = where.getBlockBlobClient(name);
  const answer = await blob.upload(bytes, bytes.length, { metadata: { of: 'test' }, ...options });
  await remember(name, blob, bytes);
  return answer;
}

async function everythingReadsBack() {
  for (const [name, [blob, bytes, properties]] of content) {
    assert.ok((await blob.downloadToBuffer()).equals(bytes), name);
    assert.deepEqual(await seen(blob), properties, name);
  }
}

async function writeEverything() {
  await write('beside its record', Buffer.from('small'));
  await write('empty', Buffer.alloc(0));
  await write('in data objects', randomBytes(9 << 20), { blobHTTPHeaders: { blobContentType: 'text/x-test' }, tags: { a: 'b' } });
  const blocks = container.getBlockBlobClient('of blocks');
  const parts = Array.from({ length: 100 }, () => randomBytes(200));
  for (const [number, part] of parts.entries()) await blocks.stageBlock(id(number), part, part.length);
  await blocks.commitBlockList(parts.map((_, number) => id(number)), { metadata: { of: 'test' } });
  await remember('of blocks', blocks, Buffer.concat(parts));
  const twice = container.getBlockBlobClient('a block twice');
  await twice.stageBlock(id(0), 'twice ', 6);
  await twice.commitBlockList([id(0), id(0)], { metadata: { of: 'test' } });
  await remember('a block twice', twice, Buffer.from('twice twice '));
  const appended = container.getAppendBlobClient('appended');
  await appended.create({ metadata: { of: 'test' } });
  for (let i = 0; i < 70; i++) await appended.appendBlock(`${i % 10}`, 1);
  const early = container.getAppendBlobClient('appended').withSnapshot((await appended.createSnapshot()).snapshot);
  await remember('appended, before', early, Buffer.from('0123456789'.repeat(7)));
  for (let i = 0; i < 70; i++) await appended.appendBlock(`${i % 10}`, 1);
  await remember('appended', appended, Buffer.from('0123456789'.repeat(14)));
  // What a blob was: a version and snapshots, of one data key and of another.
  const first = randomBytes(300000);
  const { versionId } = await write('with a past', first);
  const past = container.getBlobClient('with a past');
  const taken = await past.createSnapshot();
  const other = await past.createSnapshot({ metadata: { of: 'snapshot' } });
  await write('with a past', randomBytes(100000));
  await remember('version', past.withVersion(versionId), first);
  await remember('snapshot', past.withSnapshot(taken.snapshot), first);
  await remember('snapshot with metadata', past.withSnapshot(other.snapshot), first);
  // Copies that share.
  await write('lender', randomBytes(200000));
  for (const name of ['borrower', 'borrower of the borrower']) {
    const from = name === 'borrower' ? 'lender' : 'borrower';
    await (await container.getBlobClient(name).beginCopyFromURL(container.getBlobClient(from).url)).pollUntilDone();
    await remember(name, container.getBlobClient(name), content.get('lender')[1]);
  }
  await container.getBlobClient('in data objects').getBlobLeaseClient().acquireLease(-1);
  await remember('in data objects', ...content.get('in data objects'));
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/plain`, { body: { properties: {} } });
  await write('scoped', Buffer.from('in a scope'), { encryptionScope: 'plain' });
}

test('an account without data is done at once', async () => {
  const { code, stderr } = await stack.ctl('account', 'reencrypt', stack.account, '--status');
  assert.equal(code, 1);
  assert.match(stderr, /ReencryptionNotFound/);
  const { code: done, status, counts } = await reencrypt();
  assert.deepEqual([done, status, counts.reencrypted], [0, 'done', 0]);
});

test('all is encrypted anew, and no client sees a thing', async () => {
  await writeEverything();
  const deleted = service.getContainerClient('deleted-and-kept');
  await deleted.create();
  await write('kept', randomBytes(80000), {}, deleted);
  const kept = content.get('kept');
  content.delete('kept');
  await deleted.delete();
  const gone = randomBytes(80000);
  const { versionId } = await write('deleted', gone);
  content.delete('deleted');
  await container.getBlobClient('deleted').delete();
  await remember('deleted', container.getBlobClient('deleted').withVersion(versionId), gone);
  const before = await storedIn(stack);

  const { code, status, phase, counts } = await reencrypt();
  assert.deepEqual([code, status, phase], [0, 'done', 'end']);
  assert.ok(counts.reencrypted >= 16, JSON.stringify(counts));
  assert.ok(counts.reencryptedBytes > 10 << 20, JSON.stringify(counts));
  for (const left of ['underClientKeys', 'withUncommittedBlocks', 'pendingCopies', 'inScopesWithoutKey',
    'changing', 'damaged']) assert.equal(counts[left], 0, left);
  await everythingReadsBack();
  const { committedBlocks } = await container.getBlockBlobClient('of blocks').getBlockList('committed');
  assert.deepEqual(committedBlocks.map(({ name, size }) => [name, size]), Array.from({ length: 100 }, (_, number) => [id(number), 200]));
  assert.deepEqual((await container.getBlobClient('in data objects').getTags()).tags, { a: 'b' });

  // What was stored before is removed; what was lent is given back first, and rests then.
  if (before.keys !== undefined) {
    const old = new Set(Object.values(before.keys));
    assert.ok(old.size >= 10 && Object.keys(before.objects).length >= 10);
    await stack.gateway.restart(); // what waits for removal is found again, wherever it is
    stack.gateway.moveClock((REST_S + 1) * 1000);
    const { keys } = await stack.until(async () => {
      const now = await storedIn(stack);
      return Object.values(now.keys).every((key) => !old.has(key)) && now;
    }, 'what was lent to be given back');
    assert.ok(Object.keys(keys).length >= 16);
    stack.gateway.moveClock((REST_S + 1) * 1000);
    const { objects } = await stack.until(async () => {
      const now = await storedIn(stack);
      return Object.keys(now.objects).every((name) => !(name in before.objects)) && now;
    }, 'what was stored before to be removed');
    const bytes = new Set(Object.values(before.objects));
    assert.ok(Object.keys(objects).length >= 10 && Object.values(objects).every((hash) => !bytes.has(hash)));
  }
  // Who shared has data of its own by now: as before, what is copied again shares again.
  await container.getBlobClient('lender').delete();
  content.delete('lender');
  await everythingReadsBack();
  for await (const { name, version } of service.listContainers({ prefix: 'deleted-', includeDeleted: true })) {
    await service.undeleteContainer(name, version);
  }
  assert.ok((await kept[0].downloadToBuffer()).equals(kept[1]));
  assert.equal((await scrub('--verify')).counts.damaged, 0);
});

async function scrub(...options) {
  const { stdout, stderr } = await stack.ctl('scrub', '--json', ...options);
  assert.ok(stdout.length > 0, stderr);
  return JSON.parse(stdout);
}

test('what is under new data keys already stays as it is', async () => {
  const before = await reencrypt();
  await write('made after', randomBytes(70000));
  const { counts } = before;
  assert.ok(counts.reencrypted > 0); // it was ordered anew
  await stack.gateway.restart();
  const status = await reencrypt('--status');
  assert.deepEqual([status.status, status.counts.reencrypted], ['done', counts.reencrypted]);
});

test('clients who read and write meanwhile lose nothing', async () => {
  const load = { on: true };
  let refused = 0;
  // As SDKs do: what was in the middle of something may be answered 503.
  const tried = async (work) => {
    for (let i = 0; ; i++) {
      try {
        return await work();
      } catch (error) {
        if (error.statusCode !== 503 || i === 50) throw error;
        refused++;
      }
    }
  };
  const client = async (number) => {
    const log = container.getAppendBlobClient(`log ${number}`);
    await log.create();
    let lines = '';
    for (let i = 0; load.on; i++) {
      const name = `load ${number} ${i % 3}`;
      const blob = container.getBlockBlobClient(name);
      const bytes = randomBytes(i % 2 === 0 ? 1000 : 150000);
      await tried(() => blob.upload(bytes, bytes.length));
      assert.ok((await tried(() => blob.downloadToBuffer(0, undefined, { maxRetryRequestsPerBlock: 0 }))).equals(bytes), name);
      await tried(() => blob.setMetadata({ round: `${i}` }));
      await tried(() => log.appendBlock(`${i}\n`, `${i}\n`.length));
      lines += `${i}\n`;
      await remember(name, blob, bytes);
    }
    await remember(`log ${number}`, log, Buffer.from(lines));
  };
  const clients = [0, 1, 2].map(client);
  for (let i = 0; i < 2; i++) {
    const { code, status, counts } = await reencrypt();
    assert.deepEqual([code, status, counts.damaged], [0, 'done', 0], JSON.stringify(counts));
  }
  load.on = false;
  await Promise.all(clients);
  await everythingReadsBack();
});

// One that has begun to read has the data of before, which rest for a while.
test('a download goes on to its end, and so does an upload', async () => {
  const [source, bytes] = content.get('in data objects');
  const download = await source.download();
  const blob = container.getBlockBlobClient('long upload');
  const url = await blob.generateSasUrl({ permissions: BlobSASPermissions.parse('cw'), expiresOn: new Date(Date.now() + 7 * 86400e3) });
  const request = http.request(url, { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2021-12-02',
    'x-ms-meta-of': 'test', 'content-length': bytes.length } });
  const answered = new Promise((resolve, reject) => { request.once('response', resolve).once('error', reject); });
  await new Promise((resolve) => { request.write(bytes.subarray(0, 100000), resolve); });
  assert.equal((await reencrypt()).status, 'done');
  request.end(bytes.subarray(100000));
  const answer = await answered;
  answer.resume();
  assert.equal(answer.statusCode, 201);
  await remember('long upload', blob, bytes);
  const pieces = [];
  for await (const piece of download.readableStreamBody) pieces.push(piece);
  assert.ok(Buffer.concat(pieces).equals(bytes));
  await everythingReadsBack();
});

test('what cannot be encrypted anew is counted', async () => {
  const overTls = BlobServiceClient.fromConnectionString(stack.connectionStringTls, stack.overTls).getContainerClient(container.containerName);
  const keyed = overTls.getBlockBlobClient('under two keys');
  await keyed.upload('keyed', 5, { customerProvidedKey: ofTheClient });
  const staged = container.getBlockBlobClient('staged alone');
  await staged.stageBlock(id(0), 'staged', 6);
  const also = container.getBlockBlobClient('of blocks');
  await also.stageBlock(id(0), 'other', 5);
  const { code, status, counts } = await reencrypt();
  assert.deepEqual([code, status], [0, 'done']);
  assert.deepEqual([counts.underClientKeys, counts.withUncommittedBlocks], [1, 2]);
  assert.equal((await keyed.downloadToBuffer(0, undefined, { customerProvidedKey: ofTheClient })).toString(), 'keyed');
  await everythingReadsBack();
  await staged.commitBlockList([id(0)]);
  await also.commitBlockList([id(0)]);
  content.delete('of blocks');
  assert.equal((await also.downloadToBuffer()).toString(), 'other');
  assert.equal((await reencrypt()).counts.withUncommittedBlocks, 0);
  assert.equal((await staged.downloadToBuffer()).toString(), 'staged');
  assert.equal((await also.downloadToBuffer()).toString(), 'other');
});

test('it ends although what is left is copied all the time', async () => {
  const kept = container.getBlockBlobClient('copied again and again');
  await kept.upload('kept', 4);
  await kept.stageBlock(id(0), 'staged', 6); // it stays under the data key that it has
  const load = { on: true };
  // At a pace: each copy is a version more that has to be encrypted anew, on a slow store faster than that is done.
  const copier = async () => {
    while (load.on) {
      await (await container.getBlobClient('copy of it').beginCopyFromURL(kept.url)).pollUntilDone();
      await pause(COPY_PAUSE_MS);
    }
  };
  const copying = copier();
  const { code, status, passes, counts, found: foundAtLast } = await reencrypt();
  load.on = false;
  await copying;
  assert.deepEqual([code, status, counts.withUncommittedBlocks], [0, 'done', 1]);
  assert.ok(passes <= 16, `${passes}`);
  assert.ok(counts.changing >= foundAtLast, `${counts.changing} of ${foundAtLast}`); // not told as complete
  const { found } = await reencrypt();
  assert.equal(found, 0); // when nobody copies it comes to its end by itself
  assert.equal((await container.getBlobClient('copy of it').downloadToBuffer()).toString(), 'kept');
  await kept.commitBlockList([id(0)]);
});

// A blob that is staged over a deleted one has that one's data key, whatever type it was of. Only without versions: with
// them what is deleted is no longer the blob.
test('what a page blob was before a block blob came in its place is encrypted anew by itself', async () => {
  const account = 'mixed';
  await stack.createAccount(account);
  await stack.management.good('PUT', `${stack.accountPath(account)}/blobServices/default`, { body: { properties: {
    deleteRetentionPolicy: { enabled: true, days: 3 } } } });
  const [{ value }] = await stack.keysOf(account);
  const mixed = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}`,
    new StorageSharedKeyCredential(account, value), noRetry).getContainerClient('mixed');
  await mixed.create();
  const pages = Buffer.alloc(512, 7);
  const before = mixed.getPageBlobClient('blob');
  await before.create(512);
  await before.uploadPages(pages, 0, 512);
  await before.delete();
  const blob = mixed.getBlockBlobClient('blob');
  await blob.stageBlock(id(0), 'hello', 5);
  await blob.commitBlockList([id(0)]);
  const { code, stdout } = await stack.ctl('account', 'reencrypt', account, '--json');
  const { counts } = JSON.parse(stdout);
  assert.deepEqual([code, counts.reencrypted, counts.damaged], [0, 2, 0], stdout);
  await blob.undelete();
  const found = [];
  for await (const item of mixed.listBlobsFlat({ includeSnapshots: true })) if (item.snapshot) found.push(item.snapshot);
  assert.equal(found.length, 1);
  assert.ok((await before.withSnapshot(found[0]).downloadToBuffer()).equals(pages));
  assert.equal((await blob.downloadToBuffer()).toString(), 'hello');
});

// Both jobs go by leases of their own. What is written anew is under the root key of before when its turn comes.
test('a new root key and a reseal meanwhile lose nothing', async () => {
  const account = 'apart';
  await stack.createAccount(account);
  const [{ value }] = await stack.keysOf(account);
  const apart = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}`,
    new StorageSharedKeyCredential(account, value), noRetry).getContainerClient('apart');
  await apart.create();
  const bytes = randomBytes(24 << 20);
  const blob = apart.getBlockBlobClient('blob');
  await blob.uploadData(bytes, { maxSingleShotSize: bytes.length });
  const { snapshot } = await blob.createSnapshot();
  const of = (action) => `/gatekey/accounts/${account}/${action}`;
  await stack.management.good('POST', of('reencrypt'), { body: { rate: 8 } });
  await stack.management.good('POST', `${stack.accountPath(account)}/gatekeyNewRootKey`);
  const { code, stdout } = await stack.ctl('account', 'reseal', account, '--json');
  assert.deepEqual([code, JSON.parse(stdout).counts.damaged], [0, 0], stdout);
  const { status, counts } = await stack.until(async () => {
    const state = await stack.management.good('GET', of('reencrypt'));
    return state.status !== 'running' && state;
  }, 'the end of the re-encryption');
  assert.deepEqual([status, counts.damaged], ['done', 0]);
  for (const each of [blob, blob.withSnapshot(snapshot)]) assert.ok((await each.downloadToBuffer()).equals(bytes));
});

test('it is paused and goes on, also in a gateway that was restarted', async () => {
  for (let i = 0; i < 8; i++) await write(`many ${i}`, randomBytes(1 << 20));
  assert.equal((await post('reencrypt', { rate: 10 })).status, 'running');
  const again = await stack.management.request('POST', `/gatekey/accounts/${stack.account}/reencrypt?api-version=2023-05-01`, { body: {} });
  assert.equal(`${again.status} ${again.json.error.code}`, '409 ReencryptionIsRunning');
  await stack.until(async () => (await reencrypt('--status')).counts.reencrypted > 0, 'something to be encrypted anew');
  assert.equal((await stack.ctl('account', 'reencrypt', stack.account, '--pause')).code, 0);
  const paused = await stack.until(async () => {
    const state = await reencrypt('--status');
    return state.status === 'paused' && state;
  }, 'it to be paused');
  assert.equal(paused.code, 7);
  await everythingReadsBack();
  await stack.gateway.restart();
  const { status, counts } = await reencrypt('--resume');
  assert.equal(status, 'done');
  assert.ok(counts.reencrypted > paused.counts.reencrypted);
  await everythingReadsBack();
});

test('while the key is revoked it ends with the reason, and goes on after its return', async () => {
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const failed = await reencrypt();
  assert.deepEqual([failed.code, failed.status, failed.counts.reencrypted], [1, 'failed', 0]);
  assert.match(failed.failure, /key/i);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.checkKey();
  const resumed = await reencrypt('--resume');
  assert.equal(resumed.status, 'done');
  assert.ok(resumed.counts.reencrypted > 0);
  await everythingReadsBack();
});
