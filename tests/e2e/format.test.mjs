// SPDX-License-Identifier: Apache-2.0
// docs/format.md is complete: what the vendor's SDK has stored is read out of the store by a
// program in another language that was written from that page, tests/vectors/read_store.py.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const PYTHON = '/usr/bin/python3';
const SKIPPED = 77; // the system's Python has no "cryptography"
const CLIENT_KEY = Buffer.alloc(32, 'client');
const READER = fileURLToPath(new URL('../vectors/read_store.py', import.meta.url));

const CONTAINER = 'formats';
const OTHER_ACCOUNT = 'servicekept';
const LEASE = '11111111-2222-3333-4444-555555555555';
const UNTIL = new Date('2099-01-01T00:00:00Z');

// Blobs by name: what was stored.
const stored = new Map();
let stack;
let skip = false;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function putWhole(container, name, content, options = {}) {
  const answer = await container.getBlockBlobClient(name).upload(content, content.length, options);
  stored.set(name, { content, ...options, etag: answer.etag });
}

// Blocks in reverse of the order in which they are staged; the first one is listed twice.
async function putBlocks(container, name, sizes, options = {}) {
  const blob = container.getBlockBlobClient(name);
  const blocks = sizes.map((size, i) => ({ content: randomBytes(size),
    id: Buffer.from(`block ${String(i).padStart(6, '0')}`).toString('base64') }));
  const queue = [...blocks];
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let block = queue.shift(); block; block = queue.shift()) {
      await blob.stageBlock(block.id, block.content, block.content.length);
    }
  }));
  const listed = [...blocks].reverse();
  listed.push(blocks[0]);
  await blob.commitBlockList(listed.map(({ id }) => id), options);
  stored.set(name, { content: Buffer.concat(listed.map(({ content }) => content)),
    segments: listed.length, ...options });
}

// More blocks than a record holds: some are in pages.
async function appendMany(container, name, count) {
  const blob = container.getAppendBlobClient(name);
  await blob.create();
  const blocks = Array.from({ length: count }, (_, i) => randomBytes(1 + i));
  for (const block of blocks) await blob.appendBlock(block, block.length);
  await blob.seal();
  stored.set(name, { content: Buffer.concat(blocks), segments: count, pages: Math.floor((count - 1) / 64) });
}

// Some pages of some pieces; others were cleared again.
async function putPages(container, name, size) {
  const blob = container.getPageBlobClient(name);
  const content = Buffer.alloc(size);
  await blob.create(size);
  for (const [from, length] of [[512, 512], [4096, 8192], [(4 << 20) - 1024, 5120], [size - 512, 512]]) {
    const bytes = randomBytes(length);
    await blob.uploadPages(bytes, from, length);
    bytes.copy(content, from);
  }
  await blob.clearPages(8192, 1024);
  content.fill(0, 8192, 9216);
  stored.set(name, { content });
  return { blob, content };
}

// A page blob that goes on after a snapshot; what that is of is put aside.
const past = {};
async function putPagesAndSnapshot(container, name, size) {
  const { blob, content } = await putPages(container, name, size);
  const { snapshot } = await blob.createSnapshot();
  Object.assign(past, { name, snapshot, content: Buffer.from(content),
    time: BigInt(Date.parse(snapshot)) * 10000n + BigInt(snapshot.slice(-5, -1)) });
  for (const from of [1024, 8 << 20]) {
    const bytes = randomBytes(512);
    await blob.uploadPages(bytes, from, 512);
    bytes.copy(content, from);
  }
  await blob.clearPages(512, 512);
  content.fill(0, 512, 1024);
}

// A page blob that follows it from that snapshot on; its base is what was copied last.
async function putFollower(container, name) {
  const source = container.getPageBlobClient(past.name);
  const follower = container.getPageBlobClient(name);
  await follower.startCopyIncremental(source.withSnapshot(past.snapshot).url);
  const { snapshot } = await source.createSnapshot();
  await follower.startCopyIncremental(source.withSnapshot(snapshot).url);
  stored.set(name, { content: stored.get(past.name).content });
}

// Resolves to { code, json, stderr }.
function read(directory, ...args) {
  return new Promise((resolve) => {
    execFile(PYTHON, ['-B', READER, directory, '--service-key', stack.gateway.serviceKeyFile, ...args],
      { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        resolve({ code: error ? error.code : 0, json: error ? undefined : JSON.parse(stdout), stderr });
      });
  });
}

const vaultKeys = () => ['--keyvaultd', path.join(stack.directory, 'vault', 'state')];
const ofBlob = (name, account = stack.account) =>
  ['--account', account, '--container', CONTAINER, '--blob', name];

before(async () => {
  stack = await startStack({ copyWaitBytes: 65536, copyThreads: 0 });
  const container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient(CONTAINER);
  await container.create({ metadata: { purpose: 'proof' } });
  await putWhole(container, 'empty', Buffer.alloc(0));
  await putWhole(container, 'one byte', randomBytes(1));
  await putWhole(container, 'two/data objects', randomBytes((4 << 20) + 65536 + 17), {
    metadata: { Colour: 'green', empty_not: 'x' }, tier: 'Cool',
    blobHTTPHeaders: { blobContentType: 'text/x-proof', blobContentLanguage: 'en',
      blobContentDisposition: 'inline', blobCacheControl: 'no-cache' } });
  await putBlocks(container, 'in the record: \u00fcber', [70000, 1, 65536, 12]);
  await putBlocks(container, 'in one page', Array.from({ length: 70 }, (_, i) => 1 + i * 997),
    { metadata: { pages: 'one' } });
  await putBlocks(container, 'in two pages', Array.from({ length: 1030 }, () => 3));
  // What stands there stays under the first root key.
  await stack.management.good('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`);
  await stack.management.good('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`);
  await container.getBlobLeaseClient(LEASE).acquireLease(-1);
  await container.setAccessPolicy(undefined, [{ id: 'readers', accessPolicy: { permissions: 'rl' } }]);
  const fielded = container.getBlockBlobClient('one byte');
  await fielded.getBlobLeaseClient(LEASE).acquireLease(60);
  await fielded.setAccessTier('Archive', { conditions: { leaseId: LEASE } });
  await fielded.setAccessTier('Cold', { conditions: { leaseId: LEASE }, rehydratePriority: 'High' });
  await fielded.setImmutabilityPolicy({ expiriesOn: UNTIL });
  await appendMany(container, 'appended', 150);
  await send(stack, { method: 'PUT', path: `/${CONTAINER}/appended`, query: { comp: 'expiry' },
    headers: { 'x-ms-expiry-option': 'Absolute', 'x-ms-expiry-time': UNTIL.toUTCString() } });
  await putPages(container, 'pages', 12 << 20);
  await putPagesAndSnapshot(container, 'pages after a snapshot', 12 << 20);
  await putFollower(container, 'pages that follow');
  await container.getBlockBlobClient('staged alone')
    .stageBlock(Buffer.from('x').toString('base64'), 'x', 1);

  await putScoped(container);

  await stack.createAccount(OTHER_ACCOUNT);
  const [key] = await stack.keysOf(OTHER_ACCOUNT);
  const other = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${OTHER_ACCOUNT}`,
    new StorageSharedKeyCredential(OTHER_ACCOUNT, key.value), noRetry).getContainerClient(CONTAINER);
  await other.create();
  await other.getBlockBlobClient('kept').upload('by the service key', 18);
  await other.getBlockBlobClient('large').upload(randomBytes(70000), 70000);
  const large = `${other.url}/large?${encodeQuery(serviceSas({ account: OTHER_ACCOUNT, accountKey: key.value },
    CONTAINER, 'large', 'r'))}`;
  for (const name of ['pending copy', 'aborted copy']) {
    const poller = await container.getBlockBlobClient(name).beginCopyFromURL(large);
    if (name === 'aborted copy') await poller.cancelOperation();
    stored.set(name, { content: Buffer.alloc(0) });
  }

  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`,
    { body: { properties: { containerDeleteRetentionPolicy: { enabled: true, days: 3 } } } });
  const service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  for (const name of ['gone', 'back']) {
    const gone = service.getContainerClient(name);
    await gone.create();
    await gone.delete();
  }
  for await (const { name, version } of service.listContainers({ prefix: 'back', includeDeleted: true })) {
    await service.undeleteContainer(name, version);
  }

  // As a crash: what was answered stands in the database's log, not yet in the database.
  await stack.gateway.kill();
  skip = (await read(stack.gateway.store.place)).code === SKIPPED;
});
after(() => stack?.stop().catch(() => {})); // the gateway has ended by a signal

// A container's scope under the vault's key, and a blob in it; and one under a key of the client's.
async function putScoped(container) {
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/of-the-vault`,
    { body: { properties: { source: 'Microsoft.KeyVault',
      keyVaultProperties: { keyUri: `${stack.vault.uri}/keys/${stack.keyName}` } } } });
  await container.getBlockBlobClient('in a scope').upload('scoped', 6,
    { encryptionScope: 'of-the-vault', metadata: { in: 'scope' } });
  const overTls = BlobServiceClient.fromConnectionString(stack.connectionStringTls, stack.overTls)
    .getContainerClient(CONTAINER);
  await overTls.getBlockBlobClient('under two keys').upload('keyed', 5, { metadata: { in: 'keys' },
    customerProvidedKey: { encryptionAlgorithm: 'AES256', encryptionKey: CLIENT_KEY.toString('base64'),
      encryptionKeySha256: createHash('sha256').update(CLIENT_KEY).digest('base64') } });
}

const maybe = (name, fn) => test(name, (t) => (skip ? t.skip('no python3-cryptography') : fn(t)));

maybe('accounts, containers and blobs with the service key alone', async () => {
  const accounts = await read(stack.gateway.store.place);
  assert.deepEqual(accounts.json, [stack.account, OTHER_ACCOUNT].sort(), accounts.stderr);

  const { json } = await read(stack.gateway.store.place, '--account', stack.account);
  assert.equal(json.record.settings.source, 'customer');
  assert.deepEqual(json.record.generations.map(({ generation, state, wraps: [{ keyId }] }) =>
    [generation, state, keyId.replace(/^https:.*/, 'https')]),
  [[1, 'decrypt-only', 'root-key/3'], [2, 'decrypt-only', 'root-key/3'], [3, 'active', 'https']]);
  assert.equal(json.record.generations[2].wraps[0].algorithm, 'RSA-OAEP-256');
  assert.equal(json.record.keyTold.keyId, json.record.generations[2].wraps[0].keyId);
  assert.deepEqual([json.record.keyTold.type, json.record.keyTold.bits], ['RSA', 2048]);
  assert.equal(json.profile.location, 'local');
  assert.deepEqual(Object.keys(json.containers), ['back', CONTAINER]);
  const { opening, deleted } = json.containers.back.fields.life;
  assert.ok(opening > 0 && deleted === 0);
  const [[kept, { fields: { life } }]] = Object.entries(json.keptContainers);
  assert.match(kept, /^gone [0-9A-F]{16}$/);
  assert.deepEqual([life.opening, life.keptUntil - life.deleted], [0, 3 * 86400e3]);
  assert.equal(json.profile.containerRetentionDays, 3);
  assert.deepEqual(json.containers[CONTAINER].metadata, { purpose: 'proof' });

  const blobs = (await read(stack.gateway.store.place, '--account', stack.account, '--container',
    CONTAINER)).json;
  assert.deepEqual(Object.keys(blobs).sort(),
    [...stored.keys(), 'in a scope', 'staged alone', 'under two keys'].sort());
  assert.equal(blobs['staged alone'].committed, false);
  for (const [name, { content }] of stored) {
    assert.ok(blobs[name].committed, name);
    assert.equal(blobs[name].size, content.length, name);
  }
  assert.equal(blobs['two/data objects'].tier, 'Cool');
  assert.deepEqual(blobs['two/data objects'].headers, { contentType: 'text/x-proof',
    contentLanguage: 'en', contentDisposition: 'inline', cacheControl: 'no-cache' });
});

maybe('what most have not', async () => {
  const { json } = await read(stack.gateway.store.place, '--account', stack.account);
  const { lease, acl } = json.containers[CONTAINER].fields;
  assert.equal(lease.id, LEASE.replaceAll('-', ''));
  assert.equal(lease.duration, 2 ** 32 - 1);
  assert.equal(acl.publicAccess, null);
  assert.deepEqual(acl.policies.map(({ id, permissions }) => [id, permissions]), [['readers', 'rl']]);
  const blobs = (await read(stack.gateway.store.place, '--account', stack.account, '--container', CONTAINER)).json;
  const { tier, fields } = blobs['one byte'];
  assert.equal(tier, 'Archive');
  assert.equal(fields.lease.id, LEASE.replaceAll('-', ''));
  assert.equal(fields.lease.duration, 60);
  assert.equal(fields.tierTimes.rehydratesTo, 'Cold');
  assert.equal(fields.tierTimes.highPriority, true);
  assert.equal(fields.tierTimes.ready - fields.tierTimes.changed, 300e3);
  assert.deepEqual(fields.immutability, { policyMode: 'unlocked', until: UNTIL.getTime(), legalHold: false });
  const { keyed, ...others } = blobs.empty.fields; // when its data key was made, which all have
  assert.ok(Math.abs(keyed - Date.now()) < 3600e3, `${keyed}`);
  assert.deepEqual(others, {});
  const { status, done, origin } = blobs['pending copy'].fields.copyUnfinished;
  assert.deepEqual([status, done, origin.account, origin.container, origin.blob, origin.time],
    ['pending', 0, OTHER_ACCOUNT, CONTAINER, 'large', 0]);
  assert.equal(blobs['aborted copy'].fields.copyUnfinished.status, 'aborted');
});

maybe('every blob, byte for byte, with the customer\'s key', async () => {
  const out = path.join(stack.directory, 'out');
  for (const [name, { content, metadata = {}, segments, pages, etag }] of stored) {
    const { json, stderr } = await read(stack.gateway.store.place, ...ofBlob(name), ...vaultKeys(),
      '--out', out);
    assert.ok(json, `${name}: ${stderr}`);
    assert.equal(json.sha256, sha256(content), name);
    assert.ok(readFileSync(out).equals(content), name);
    assert.deepEqual(json.metadata, metadata, name);
    if (segments !== undefined) {
      assert.equal(json.segments, segments, name);
      assert.equal(json.pages, pages ?? (segments <= 64 ? 0 : Math.ceil(segments / 1024)), name);
    }
    if (etag !== undefined) assert.equal(`"${json.etag}"`, etag, name);
  }
});

maybe('a blob in an encryption scope, and one under a client’s key', async () => {
  const { json: account } = await read(stack.gateway.store.place, '--account', stack.account);
  assert.deepEqual(Object.entries(account.scopes).map(([name, { disabled }]) => [name, disabled]),
    [['of-the-vault', false]]);
  const scoped = (await read(stack.gateway.store.place, ...ofBlob('in a scope'), ...vaultKeys())).json;
  assert.equal(scoped.sha256, sha256('scoped'));
  assert.deepEqual(scoped.metadata, { in: 'scope' });
  assert.deepEqual(scoped.fields.encryption, { scope: 'of-the-vault' });
  const keyed = ['--client-key', CLIENT_KEY.toString('base64')];
  const both = (await read(stack.gateway.store.place, ...ofBlob('under two keys'), ...vaultKeys(), ...keyed)).json;
  assert.equal(both.sha256, sha256('keyed'));
  assert.deepEqual(both.metadata, { in: 'keys' });
  for (const without of [[...vaultKeys()], keyed]) {
    assert.equal((await read(stack.gateway.store.place, ...ofBlob('under two keys'), ...without)).code, 1);
  }
});

maybe('what a page blob was', async () => {
  const { json, stderr } = await read(stack.gateway.store.place, ...ofBlob(past.name), ...vaultKeys(),
    '--time', String(past.time));
  assert.equal(json?.sha256, sha256(past.content), stderr);
  assert.equal(json.fields.pageEras, undefined);
  const { json: now } = await read(stack.gateway.store.place, ...ofBlob(past.name), ...vaultKeys());
  assert.equal(now.fields.pageEras.era, 2);
  assert.deepEqual(now.fields.pageEras.groups, { 0: 1 });
});

maybe('what an incremental copy is', async () => {
  const follower = (...args) => read(stack.gateway.store.place, ...ofBlob('pages that follow'), ...vaultKeys(), ...args);
  const { json: last, stderr } = await follower();
  const { json: source } = await read(stack.gateway.store.place, ...ofBlob(past.name), ...vaultKeys());
  assert.deepEqual(last?.fields.incremental, { source: source.fields.type.space, era: 1,
    snapshot: last?.fields.history.newest }, stderr);
  const { json: snapshot } = await follower('--time', String(last.fields.incremental.snapshot));
  assert.equal(snapshot.sha256, last.sha256);
  assert.deepEqual(snapshot.fields.incremental, last.fields.incremental);
});

maybe('what an append blob is', async () => {
  const { json } = await read(stack.gateway.store.place, ...ofBlob('appended'), ...vaultKeys());
  assert.deepEqual(json.fields.type, { type: 'AppendBlob', blocks: 150, sealed: true });
  assert.deepEqual(json.fields.lifetime, { ends: UNTIL.getTime() });
});

maybe('an account under the service key needs no other', async () => {
  const { json, stderr } = await read(stack.gateway.store.place, ...ofBlob('kept', OTHER_ACCOUNT));
  assert.equal(json?.sha256, sha256('by the service key'), stderr);
});

maybe('without the customer\'s key there is no content', async () => {
  const answer = await read(stack.gateway.store.place, ...ofBlob('one byte'));
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, new RegExp(`wrapped by https://localhost:.*/keys/${stack.keyName}/`));
});

maybe('a byte that was changed is refused', async () => {
  const out = path.join(stack.directory, 'never');
  const copy = stack.gateway.store.spoiled(path.join(stack.directory, 'changed'));
  const changed = await read(copy, ...ofBlob('two/data objects'), ...vaultKeys(), '--out', out);
  assert.equal(changed.code, 1, 'the content was read all the same');
  assert.match(changed.stderr, /InvalidTag/);
  assert.ok(!existsSync(out), 'something was written');

  const key = path.join(stack.directory, 'other-service.key');
  writeFileSync(key, `gatekey-service-key-v1 ${randomBytes(32).toString('base64')}\n`);
  const other = await read(stack.gateway.store.place, '--account', stack.account, '--service-key', key);
  assert.match(other.stderr, /not authentic/);
});
