// SPDX-License-Identifier: Apache-2.0
// An account goes from the service's key to a customer's and from key to key, version rule to version rule and vault
// to vault while clients write and read without pause, on RADOS through two gateways: no request fails, every byte
// is right. What is refused is refused with the reason, and when an old version may go. Takes about 15 seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const CLIENTS = 8;
const REQUESTS = 10; // of every client, after each switch
const KEPT = 12;
const API = 'api-version=2023-05-01';
const OTHER_KEY = 'other-key';
const DARK = 'KeyVaultEncryptionKeyNotFound';
let stack;
let home;
let other;
let containers;

before(async () => {
  stack = await startStack({ customerKey: false, gateways: onRados ? 2 : 1, moreVaults: [{}] });
  [home, other] = stack.vaults;
  await other.createKey(OTHER_KEY, 3072);
  containers = stack.sides.map((side) => new BlobServiceClient(side.blobEndpoint,
    new StorageSharedKeyCredential(stack.account, stack.accountKey), noRetry).getContainerClient('switching'));
  await containers[0].create();
});
after(() => stack?.stop());

let switches = 0;
// Each through the next gateway.
const side = () => stack.sides[switches++ % stack.sides.length];

const key = (vault, name, version = '') => ({ keySource: 'Microsoft.Keyvault',
  keyvaultproperties: { keyvaulturi: vault.uri, keyname: name, keyversion: version },
  identity: { userAssignedIdentity: home.clients.gateway.resourceId } });
const service = { keySource: 'Microsoft.Storage' };
const request = (encryption) => side().management.request('PATCH', `${stack.accountPath(stack.account)}?${API}`, { body: {
  identity: { type: 'UserAssigned', userAssignedIdentities: { [home.clients.gateway.resourceId]: {} } },
  properties: { encryption } } });
async function change(encryption) {
  const answer = await request(encryption);
  assert.equal(answer.status, 200, answer.body);
  return answer.json.properties;
}

// One client's life: what it wrote through one gateway is what it reads through the next, a round later too.
class Client {
  constructor(number) {
    this.number = number;
    this.content = new Map();
    this.requests = 0;
  }

  blob(name, through) {
    return containers[through % containers.length].getBlockBlobClient(name);
  }

  async check(name, through) {
    const back = await this.blob(name, through).downloadToBuffer();
    assert.ok(back.equals(this.content.get(name)), name);
    this.requests++;
  }

  async round(index) {
    const name = `client-${this.number}-${index % KEPT}`;
    const bytes = randomBytes(1 + (index * 7919 + this.number * 104729) % 150000);
    await this.blob(name, index).upload(bytes, bytes.length, { metadata: { round: `${index}` } });
    this.content.set(name, bytes);
    this.requests++;
    await this.check(name, index + 1);
    const earlier = `client-${this.number}-${(index * 5) % KEPT}`;
    if (this.content.has(earlier)) await this.check(earlier, index);
  }

  async run(running) {
    for (let index = 0; running.on; index++) await this.round(index);
  }
}

const versionOf = ({ encryption }) => encryption.keyvaultproperties.currentVersionedKeyIdentifier.split('/').at(-1);

// All gateways say so.
const seenByAll = (wanted, what) => stack.until(async () => {
  const states = await Promise.all(stack.sides.map((one) => one.keyStatus()));
  return states.every(wanted);
}, what);

test('from source to source, rule to rule, key to key and vault to vault, under load', async () => {
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number));
  const running = { on: true };
  const load = Promise.all(clients.map((client) => client.run(running)
    .catch((error) => { running.on = false; throw error; })));
  load.catch(() => {});
  const goesOn = async (wanted, what) => {
    if (running.on) await seenByAll(wanted, what);
    const seen = clients.map((client) => client.requests);
    await stack.until(() => !running.on || clients.every((client, i) => client.requests > seen[i] + REQUESTS),
      `requests of every client ${what}`);
  };
  await goesOn(({ keySource }) => keySource === 'Microsoft.Storage', 'under the service key');

  const first = versionOf(await change(key(home, stack.keyName)));
  await goesOn(({ currentKeyIdentifier }) => currentKeyIdentifier?.endsWith(first), 'under the first key');
  assert.equal(versionOf(await change(key(home, stack.keyName, first))), first);
  const second = await home.rotate(stack.keyName);
  await goesOn(({ currentKeyIdentifier }) => currentKeyIdentifier.endsWith(first), 'under a pinned version');
  assert.equal(versionOf(await change(key(home, stack.keyName, ''))), second);
  await goesOn(({ currentKeyIdentifier }) => currentKeyIdentifier.endsWith(second), 'under the current version');
  await change(key(other, OTHER_KEY));
  await goesOn(({ currentKeyIdentifier }) => currentKeyIdentifier.startsWith(`${other.uri}/`), 'in another vault');
  // Of the key before nothing is needed any more.
  await home.disableAllVersions(stack.keyName);
  await goesOn(({ state }) => state === 'active', 'without the key before');
  await change(service);
  await goesOn(({ keySource }) => keySource === 'Microsoft.Storage', 'under the service key again');
  await other.disableAllVersions(OTHER_KEY);
  await goesOn(({ state }) => state === 'service-managed', 'without any customer’s key');
  running.on = false;
  await load;

  await stack.gateway.restart();
  for (const client of clients) {
    for (const name of client.content.keys()) await client.check(name, client.number);
  }
});

test('away from a key that is revoked there is no way, until it is back', async () => {
  const before = (await home.createKey('revoked')).properties.version;
  await change(key(home, 'revoked'));
  const version = await home.rotate('revoked');
  await stack.checkKey();
  assert.ok((await stack.keyStatus()).previousKeyIdentifier.endsWith(before), 'which could still open the root key');
  await home.disableVersion('revoked', version);
  await seenByAll(({ state }) => state === 'revoked', 'the refusal');
  await other.createKey('free');
  for (const encryption of [service, key(other, 'free'), key(home, 'revoked', version)]) {
    const refused = await request(encryption);
    // A version that is disabled is not accepted, whatever there is at present.
    const [status, code] = encryption === service || encryption.keyvaultproperties.keyname === 'free'
      ? [403, DARK] : [400, 'KeyVaultPolicyError'];
    assert.deepEqual([refused.status, refused.json.error.code], [status, code]);
    assert.ok(refused.json.error.message.length > 20, refused.body);
  }
  assert.ok((await stack.keyStatus()).currentKeyIdentifier.endsWith(version), 'nothing has changed');
  await home.enableVersions('revoked', [version]);
  await seenByAll(({ state }) => state === 'active', 'the key to be back');
  await change(service);
});

test('an old version that goes before the new one is taken makes the account dark; afterwards it does not', async () => {
  const first = (await home.createKey('early')).properties.version;
  await change(key(home, 'early'));
  const second = await home.rotate('early');
  await home.disableVersion('early', first);
  await seenByAll(({ state }) => state === 'revoked', 'the old version to be missed');
  assert.equal((await stack.checkKey()).properties.gatekey.state, 'revoked');
  await home.enableVersions('early', [first]);
  await seenByAll(({ state }) => state === 'active', 'the old version to be back');
  const { properties } = await stack.checkKey();
  assert.equal(versionOf(properties), second);
  assert.ok(properties.gatekey.previousKeyIdentifier.endsWith(first));
  assert.ok(Date.parse(properties.gatekey.oldVersionMayBeDisabledAfter) > Date.now(), 'the wrap by it stays for a while');
  await home.disableVersion('early', first);
  const { next } = await home.calls();
  await stack.until(async () => (await home.calls(next)).calls.some((call) => call.operation === 'unwrapKey'
    && call.version === second && call.status === 200), 'a check of the new version');
  const blob = containers[0].getBlockBlobClient('afterwards');
  await blob.upload('served', 6);
  assert.equal((await blob.downloadToBuffer()).toString(), 'served');
  await seenByAll(({ state }) => state === 'active', 'all to be well');
});
