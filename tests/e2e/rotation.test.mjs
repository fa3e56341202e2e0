// SPDX-License-Identifier: Apache-2.0
// Sixteen clients read and write without pause while the vault key is rotated ten times, the daily
// check being brought about by moving the gateway's clock: no request fails, the root key is wrapped
// once for each rotation, and old versions that are disabled afterwards break nothing.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';

const CLIENTS = 16;
const ROTATIONS = 10;
const DAY_MS = 86400e3;
let stack;
let container;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000, movableClock: true });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('rotation');
  await container.create();
});
after(() => stack?.stop());

async function client(number, running, counts) {
  for (let round = 0; running.on; round++) {
    const bytes = randomBytes(1 + (round * 7919 + number * 104729) % 200000);
    const blob = container.getBlockBlobClient(`client-${number}-${round % 20}`);
    await blob.upload(bytes, bytes.length, { metadata: { round: `${round}` } });
    const back = await blob.downloadToBuffer();
    assert.equal(createHash('sha256').update(back).digest('hex'),
      createHash('sha256').update(bytes).digest('hex'));
    counts.requests += 2;
  }
}

test('ten rotations under load', async () => {
  const wrapsBefore = await stack.vault.countCalls('wrapKey', stack.keyName);
  const running = { on: true };
  const counts = { requests: 0 };
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i, running, counts)
    .catch((error) => { running.on = false; throw error; }));
  const oldVersions = [];
  for (let i = 0; i < ROTATIONS && running.on; i++) {
    const status = await stack.keyStatus();
    oldVersions.push(status.currentKeyIdentifier.split('/').pop());
    const version = await stack.vault.rotate(stack.keyName);
    await stack.gateway.moveClock(DAY_MS);
    await stack.until(async () => !running.on ||
      (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), `rotation ${i + 1}`);
  }
  running.on = false;
  await Promise.all(clients);
  const wraps = await stack.vault.countCalls('wrapKey', stack.keyName) - wrapsBefore;
  assert.equal(wraps, ROTATIONS, 'one wrap for each rotation');
  assert.ok(counts.requests > CLIENTS * ROTATIONS);
  for (const version of oldVersions) await stack.vault.disableVersion(stack.keyName, version);
  await stack.gateway.moveClock(5000);
  await stack.vault.waitForCall('unwrapKey', stack.keyName);
  for (let i = 0; i < CLIENTS; i++) {
    await container.getBlockBlobClient(`client-${i}-0`).downloadToBuffer();
  }
  await stack.gateway.restart();
  await container.getBlockBlobClient('client-0-0').downloadToBuffer();
});
