// SPDX-License-Identifier: Apache-2.0
// Sixteen clients read and write without pause while the vault key is rotated ten times, the daily
// check being brought about by moving the gateway's clock: no request fails, the root key of each
// account is wrapped once for each rotation, and old versions that are disabled afterwards break nothing.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const CLIENTS = 16;
const ROTATIONS = 10;
const DAY_MS = 86400e3;
const NAMES = ['journeys', 'second', 'third'];
const BLOCK = Buffer.from('block').toString('base64');
const options = { movableClock: true };
let stack;
let containers;

before(async () => {
  stack = await startStack(options);
  const key = { vaultUri: stack.vault.uri, name: stack.keyName };
  // A SAS: signed dates would have to move with the gateway's clock.
  const expiry = new Date(Date.now() + 60 * DAY_MS).toISOString().replace(/\.\d+/, '');
  containers = await Promise.all(NAMES.map(async (account) => {
    if (account !== stack.account) await stack.createAccount(account, key);
    const [{ value: accountKey }] = await stack.keysOf(account);
    const sas = encodeQuery(accountSas({ account, accountKey, expiry }));
    const service = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}?${sas}`,
      undefined, noRetry);
    const container = service.getContainerClient('rotation');
    await container.create();
    return container;
  }));
});
after(() => stack?.stop());

// One client's life: what it wrote, in one piece or by blocks, is what it reads, a round later too.
class Client {
  constructor(number) {
    this.number = number;
    this.container = containers[number % containers.length];
    this.content = new Map();
    this.requests = 0;
  }

  async check(name, from = 0) {
    const back = await this.container.getBlobClient(name).downloadToBuffer(from);
    assert.ok(back.equals(this.content.get(name).subarray(from)), `${name} from ${from}`);
    this.requests++;
  }

  async round(index) {
    const name = `client-${this.number}-${index % 20}`;
    const bytes = randomBytes(1 + (index * 7919 + this.number * 104729) % 200000);
    const blob = this.container.getBlockBlobClient(name);
    if (index % 3 === 0) {
      await blob.stageBlock(BLOCK, bytes, bytes.length);
      await blob.commitBlockList([BLOCK], { metadata: { round: `${index}` } });
    } else {
      await blob.upload(bytes, bytes.length, { metadata: { round: `${index}` } });
    }
    this.content.set(name, bytes);
    await this.check(name);
    await this.check(name, bytes.length - 1);
    const earlier = `client-${this.number}-${(index * 7) % 20}`;
    if (this.content.has(earlier)) await this.check(earlier);
    assert.equal((await blob.getProperties()).metadata.round, `${index}`);
    this.requests += 3;
  }

  async run(running) {
    for (let index = 0; running.on; index++) await this.round(index);
  }
}

async function wrapsSince(mark) {
  const { calls, next } = await stack.vault.calls(mark.next);
  mark.next = next;
  return calls.filter((call) => call.operation === 'wrapKey' && call.status === 200).length;
}

test('ten rotations under load', async () => {
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number));
  const running = { on: true };
  // The first failure ends all; it is the test's result, whatever the rest made of that end.
  const load = Promise.all(clients.map((client) => client.run(running)
    .catch((error) => { running.on = false; throw error; })));
  load.catch(() => {});
  // Between the steps every client gets through to requests that began after the step.
  const everyoneGoesOn = async () => {
    const seen = clients.map((client) => client.requests);
    await stack.until(() => !running.on || clients.every((client, i) => client.requests > seen[i] + 6),
      'requests of every client');
  };
  const mark = { next: 0 };
  await wrapsSince(mark);
  await everyoneGoesOn();

  const old = [];
  for (let i = 0; i < ROTATIONS && running.on; i++) {
    old.push((await stack.keyStatus()).currentKeyIdentifier.split('/').pop());
    const version = await stack.vault.rotate(stack.keyName);
    stack.gateway.moveClock(DAY_MS);
    for (const name of NAMES) {
      await stack.until(async () => !running.on ||
        (await stack.keyStatus(name)).currentKeyIdentifier.endsWith(`/${version}`),
      `rotation ${i + 1} of ${name}`);
    }
    await everyoneGoesOn();
    if (running.on) assert.equal(await wrapsSince(mark), NAMES.length, 'one wrap for each account');
  }

  // As long as the wrap before is kept, and no longer, the version before has to stay.
  stack.gateway.moveClock(DAY_MS);
  for (const version of old) await stack.vault.disableVersion(stack.keyName, version);
  await stack.vault.waitForCall('unwrapKey', stack.keyName);
  await everyoneGoesOn();
  running.on = false;
  await load;
  assert.equal(await wrapsSince(mark), 0, 'disabling old versions wraps nothing');

  await stack.gateway.restart();
  for (const client of clients) {
    for (const name of client.content.keys()) await client.check(name);
  }
  for (const name of NAMES) {
    const status = await stack.keyStatus(name);
    assert.equal(status.state, 'active');
    assert.equal(status.rotationPending, false);
  }
});

test('versions are looked for, and the wrap before is kept, as long as the settings say', async () => {
  Object.assign(options, { versionCheckIntervalS: 1000, previousWrapKeepS: 2000 });
  await stack.gateway.restart();
  // Time goes by; the vault is asked by the ticker, which looks at all that is due.
  const pass = async (seconds) => {
    const { next } = await stack.vault.calls();
    stack.gateway.moveClock(seconds * 1000);
    await stack.until(async () => (await stack.vault.calls(next)).calls.some(({ operation }) => operation === 'unwrapKey'),
      'a check');
  };
  await stack.checkKey();
  const { currentKeyIdentifier: before } = await stack.keyStatus();
  const version = await stack.vault.rotate(stack.keyName);
  for (let i = 0; i < 2; i++) await pass(450);
  assert.equal((await stack.keyStatus()).currentKeyIdentifier, before);
  await pass(101);
  await stack.until(async () => (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), 'the new version');
  for (let i = 0; i < 2; i++) await pass(950);
  assert.equal((await stack.keyStatus()).previousKeyIdentifier, before);
  await pass(101);
  await stack.until(async () => (await stack.keyStatus()).previousKeyIdentifier === undefined, 'the end of the wrap before');
});
