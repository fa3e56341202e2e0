// SPDX-License-Identifier: Apache-2.0
// An account gets a new root key because the one before may be known to somebody: what is written from then on
// is under the new one, what was there reads back and can be changed, and a revocation is of both. A few seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const BLOCK = Buffer.from('block').toString('base64');
const DARK = 'KeyVaultEncryptionKeyNotFound';
let stack;
let container;
const content = new Map();

before(async () => {
  stack = await startStack();
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('old-and-new');
  await container.create();
});
after(() => stack?.stop());

async function write(name, options = {}) {
  const bytes = randomBytes(70000);
  await container.getBlockBlobClient(name).upload(bytes, bytes.length, { metadata: { of: name }, ...options });
  content.set(name, bytes);
}

async function everythingReadsBack() {
  for (const [name, bytes] of content) {
    const blob = container.getBlobClient(name);
    assert.ok((await blob.downloadToBuffer()).equals(bytes), name);
    assert.equal((await blob.getProperties()).metadata.of, name);
  }
}

async function newRootKey(generation) {
  const { code, stdout, stderr } = await stack.ctl('account', 'new-root-key', stack.account);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^Root key +generation ${generation}; data from before may be under 1 and later$`, 'm'));
  const { generation: now, oldestGeneration } = await stack.keyStatus();
  assert.deepEqual([now, oldestGeneration], [generation, 1]);
}

test('what is under older root keys reads back, and so does what is new', async () => {
  await write('first');
  await newRootKey(2);
  await write('second');
  await everythingReadsBack();
  await newRootKey(3);
  await write('third');
  await everythingReadsBack();
  await stack.gateway.restart();
  await everythingReadsBack();
});

test('what is under an older root key can be changed as ever', async () => {
  const blob = container.getBlockBlobClient('first');
  await blob.setMetadata({ of: 'first', changed: 'yes' });
  assert.equal((await blob.getProperties()).metadata.changed, 'yes');
  const { snapshot } = await blob.createSnapshot();
  await blob.stageBlock(BLOCK, 'from blocks', 11);
  await blob.commitBlockList([BLOCK], { metadata: { of: 'first' } });
  assert.ok((await blob.withSnapshot(snapshot).downloadToBuffer()).equals(content.get('first')));
  content.set('first', Buffer.from('from blocks'));
  const poller = await container.getBlobClient('copied').beginCopyFromURL(blob.url, { metadata: { of: 'copied' } });
  await poller.pollUntilDone();
  content.set('copied', content.get('first'));
  await everythingReadsBack();
});

test('requests under way do not notice', async () => {
  const pages = container.getPageBlobClient('pages');
  const appended = container.getAppendBlobClient('appended');
  await pages.create(1 << 20, { metadata: { of: 'pages' } });
  await appended.create({ metadata: { of: 'appended' } });
  const expected = Buffer.alloc(1 << 20);
  const parts = [];
  const load = { on: true };
  const writing = (async () => {
    for (let i = 0; load.on; i = (i + 1) % 2048) {
      const bytes = randomBytes(512);
      await pages.uploadPages(bytes, i * 512, 512);
      bytes.copy(expected, i * 512);
      await appended.appendBlock(bytes, bytes.length);
      parts.push(bytes);
    }
  })();
  for (const generation of [4, 5, 6]) await newRootKey(generation);
  load.on = false;
  await writing;
  content.set('pages', expected);
  content.set('appended', Buffer.concat(parts));
  await everythingReadsBack();
});

test('the customer’s key may go on as it pleases', async () => {
  await stack.vault.rotate(stack.keyName);
  await stack.checkKey();
  await everythingReadsBack();
  for (const options of [['--service-managed'], ['--vault', stack.vault.uri, '--key', stack.keyName, '--identity', stack.identity]]) {
    const { code, stderr } = await stack.ctl('account', 'update', stack.account, ...options);
    assert.equal(code, 0, stderr);
    await stack.gateway.restart();
    await everythingReadsBack();
  }
});

test('a revocation is of all that there is', async () => {
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  for (const name of content.keys()) await refused(container.getBlobClient(name).downloadToBuffer(), 403, DARK);
  const { code, stderr } = await stack.ctl('account', 'new-root-key', stack.account);
  assert.equal(code, 1);
  assert.match(stderr, /key/i);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.checkKey();
  await everythingReadsBack();
});

test('an older backup is refused, which does not have what is in use', async () => {
  const file = path.join(stack.directory, 'before.json');
  await stack.ctl('account', 'export', stack.account, '--out', file);
  await newRootKey(7);
  const { code, stderr } = await stack.ctl('account', 'restore', stack.account, '--in', file);
  assert.equal(code, 1);
  assert.match(stderr, /AccountBackupLosesData/);
  await everythingReadsBack();
});

test('an account has eight at most, and says what to do', async () => {
  await newRootKey(8);
  const { code, stderr } = await stack.ctl('account', 'new-root-key', stack.account);
  assert.equal(code, 1);
  assert.match(stderr, /RootKeyGenerationsInUse/);
  await everythingReadsBack();
});

test('an encryption scope has root keys of its own', async () => {
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/plain`, { body: { properties: {} } });
  await write('scoped before', { encryptionScope: 'plain' });
  const { code, stdout, stderr } = await stack.ctl('scope', 'new-root-key', `${stack.account}/plain`, '--json');
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).properties.gatekey.generation, 2);
  await write('scoped after', { encryptionScope: 'plain' });
  await stack.gateway.restart();
  await everythingReadsBack();
});
