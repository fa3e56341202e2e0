// SPDX-License-Identifier: Apache-2.0
// Canary search: no plaintext of data or user metadata and no key in the state directory, the logs,
// the process's arguments, or a core dump of the running gateway.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';

let stack;
const canaries = new Map();
const canary = (what) => {
  const bytes = randomBytes(32);
  canaries.set(what, bytes);
  return bytes;
};

before(async () => {
  stack = await startStack();
});
after(() => stack?.stop());

function* files(directory) {
  for (const name of readdirSync(directory)) {
    const full = path.join(directory, name);
    const stat = statSync(full);
    if (stat.isDirectory()) yield* files(full);
    else if (stat.isFile()) yield full;
  }
}

// Each canary in the forms in which it could have been written.
function forms(bytes) {
  return [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(bytes.toString('base64')),
    Buffer.from(bytes.toString('base64url'))].map((form) => form.subarray(0, 24));
}

function assertClean(where, content) {
  for (const [what, bytes] of canaries) {
    for (const form of forms(bytes)) {
      assert.ok(!content.includes(form), `${what} found in ${where}`);
    }
  }
}

test('nothing at rest, in logs, in arguments, in a core dump', async () => {
  const container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('canary');
  await container.create({ metadata: { secret: canary('container metadata').toString('hex') } });
  for (const size of [32, 5000, 70000, 5 * 1024 * 1024]) {
    const body = Buffer.alloc(size);
    const bytes = canary(`content of ${size} bytes`);
    for (let at = 0; at + 32 <= size; at += 4096) bytes.copy(body, at);
    if (size === 32) bytes.copy(body);
    await container.getBlockBlobClient(`blob-${size}`).upload(body, size, {
      metadata: { secret: canary(`metadata of ${size}`).toString('hex') },
      blobHTTPHeaders: { blobContentType: `x/${canary(`type of ${size}`).toString('hex')}` },
    });
    await container.getBlockBlobClient(`blob-${size}`).downloadToBuffer();
  }
  canaries.set('account key', Buffer.from(stack.accountKey, 'base64').subarray(0, 32));
  canaries.set('service key', Buffer.from(
    readFileSync(stack.gateway.serviceKeyFile, 'utf8').trim().split(' ')[1], 'base64'));
  canaries.set('management token', Buffer.from(readFileSync(stack.gateway.tokenFile, 'utf8').trim()));

  for (const file of files(stack.gateway.stateDir)) assertClean(file, readFileSync(file));
  assertClean('the log', readFileSync(stack.gateway.logFile));
  assertClean('the arguments', readFileSync(`/proc/${stack.gateway.pid}/cmdline`));

  const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-core-'));
  try {
    // gcore honours the process's own filter and the pages that it excluded, as the kernel does.
    execFileSync('gcore', ['-o', path.join(directory, 'core'), String(stack.gateway.pid)],
      { stdio: 'ignore' });
    for (const file of files(directory)) assertClean('a core dump', readFileSync(file));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
