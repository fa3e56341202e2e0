// SPDX-License-Identifier: Apache-2.0
// Canary search: no plaintext of data or user metadata and no key in what is stored, the logs,
// the process's arguments and environment, or a core dump of the running gateway.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BlobServiceClient } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';

const STORED_KEYS = fileURLToPath(new URL('./lib/stored_keys.py', import.meta.url));
const SKIPPED = 77; // the system's Python has no "cryptography"
let stack;
let cores;

before(async () => {
  stack = await startStack();
  cores = mkdtempSync(path.join(tmpdir(), 'gatekey-core-'));
});
after(async () => {
  rmSync(cores, { recursive: true });
  await stack?.stop();
});

// What must not be found: by what it is, its bytes.
const content = new Map();
const keys = new Map();
const canary = (what) => {
  const bytes = randomBytes(32);
  content.set(what, bytes);
  return bytes;
};

// Each canary in the forms in which it could have been written; base64 may begin at any of its bytes.
function forms(bytes) {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((ahead) => Buffer.concat([Buffer.alloc(ahead), bytes]).toString('base64'));
  return [bytes, hex, hex.toUpperCase(), ...base64.map((text) => text.slice(4)),
    ...base64.map((text) => text.slice(4).replaceAll('+', '-').replaceAll('/', '_'))]
    .map((form) => Buffer.from(form).subarray(0, 24));
}

function found(where, canaries, formsOf = forms) {
  const names = [];
  for (const [what, bytes] of canaries) {
    if (formsOf(bytes).some((form) => where.includes(form))) names.push(what);
  }
  return names;
}

// The gateway's memory as a file; gdb writes what the process's own filter lets the kernel write.
function dump(name, ...commands) {
  const file = path.join(cores, name);
  execFileSync('gdb', ['-batch', '-nx', '-p', String(stack.gateway.pid),
    ...commands.flatMap((command) => ['-ex', command]), '-ex', `generate-core-file ${file}`],
  { stdio: 'ignore' });
  assert.ok(statSync(file).size > 0);
  return file;
}

test('every kind of content is written and read', async () => {
  const container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('canary');
  await container.create({ metadata: { secret: canary('container metadata').toString('hex') } });
  for (const [index, size] of [32, 5000, 70000, 140000, 5 * 1024 * 1024].entries()) {
    const body = Buffer.alloc(size);
    const bytes = canary(`content of ${size} bytes`);
    for (let at = 0; at + 32 <= size; at += 4096) bytes.copy(body, at);
    const blob = container.getBlockBlobClient(`blob-${size}`);
    const options = { metadata: { secret: canary(`metadata of ${size}`).toString('hex') },
      blobHTTPHeaders: { blobContentType: `x/${canary(`type of ${size}`).toString('hex')}` } };
    if (index % 2 === 0) await blob.upload(body, size, options);
    else await blob.uploadData(body, { ...options, maxSingleShotSize: 0, blockSize: 40000 });
    assert.ok((await blob.downloadToBuffer()).equals(body));
    await blob.setMetadata({ secret: canary(`later metadata of ${size}`).toString('hex') });
  }
  const staged = canary('a staged block');
  await container.getBlockBlobClient('staged').stageBlock(Buffer.from('one').toString('base64'), staged, 32);
  for await (const item of container.listBlobsFlat({ includeMetadata: true })) assert.ok(item.metadata);
  const stranger = container.getBlockBlobClient('stranger');
  await assert.rejects(stranger.upload(canary('a refused body'), 32, { conditions: { ifMatch: '"0x1"' } }));
});

test('nothing in a core dump of the running gateway', () => {
  // Both before the keys are known here: they are looked for below.
  dump('as-the-kernel-would');
  dump('all-but-secret-memory', 'set use-coredump-filter off');
  keys.set('account key', Buffer.from(stack.accountKey, 'base64'));
  keys.set('service key', Buffer.from(
    readFileSync(stack.gateway.serviceKeyFile, 'utf8').trim().split(' ')[1], 'base64'));
  keys.set('management token', Buffer.from(stack.managementToken));
  keys.set('client secret', Buffer.from(stack.vault.clients.gateway.clientSecret));
});

test('what the keys are, from outside', async (t) => {
  for (const name of ['cmdline', 'environ']) {
    const text = readFileSync(`/proc/${stack.gateway.pid}/${name}`);
    assert.deepEqual(found(text, [...content, ...keys]), [], name);
  }
  await stack.gateway.stop();
  const done = spawnSync('/usr/bin/python3', ['-B', STORED_KEYS, stack.gateway.store.place,
    stack.gateway.serviceKeyFile, stack.vault.stateDir, stack.account], { encoding: 'utf8' });
  if (done.status === SKIPPED) {
    t.skip(done.stderr);
    return;
  }
  assert.equal(done.status, 0, done.stderr);
  const stored = Object.entries(JSON.parse(done.stdout));
  for (const [what, hex] of stored) keys.set(what, Buffer.from(hex, 'hex'));
  assert.ok(keys.has('root key 1') && stored.length >= 6, done.stdout);
});

test('nothing in what was dumped', () => {
  const kernel = readFileSync(path.join(cores, 'as-the-kernel-would'));
  assert.deepEqual(found(kernel, [...content, ...keys]), []);
  // Past the process's own filter: buffers hold what was just read and written, but no key.
  const most = readFileSync(path.join(cores, 'all-but-secret-memory'));
  assert.ok(most.length > 10 * kernel.length);
  assert.deepEqual(found(most, keys, (bytes) => [bytes.subarray(0, 24)]), []);
});

test('nothing at rest, nothing in logs', () => {
  let bytes = 0;
  const { store, logFile, auditFile } = stack.gateway;
  for (const file of [...store.files(path.join(stack.directory, 'stored')), logFile, auditFile, stack.vault.logFile]) {
    const text = readFileSync(file);
    bytes += text.length;
    assert.deepEqual(found(text, [...content, ...keys]), [], file);
  }
  assert.ok(bytes > 5 * 1024 * 1024, 'the content is there, sealed');
});
