// SPDX-License-Identifier: Apache-2.0
// Three gateways on one cluster, one namespace and one vault, under load by the vendor's SDK through all
// of them: what is changed through one is obeyed by the others, the key that is taken away is taken away
// everywhere, and a rotation is one wrap in all. On RADOS alone: the embedded store has one gateway.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential, generateBlobSASQueryParameters } from '@azure/storage-blob';

import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const GATEWAYS = 3;
const CLIENTS = 9;
const ROTATIONS = 5;
const DAY_MS = 86400e3;
const OBEYED_MS = 1000;
const INTERVAL_MS = 1000;
const DARK = 'KeyVaultEncryptionKeyNotFound';

// An answer to HEAD has no body for the SDK to take it from.
const codeOf = (error) => error.code ?? error.details?.errorCode;

// A client writes through one gateway and reads what it wrote through the next.
class Client {
  constructor(containers, number) {
    this.containers = containers;
    this.number = number;
    this.content = new Map();
    this.rounds = 0;
    this.refusals = 0;
  }

  blob(side, name) {
    return this.containers[side % this.containers.length].getBlockBlobClient(name);
  }

  async round(index) {
    const name = `client-${this.number}-${index % 20}`;
    const bytes = randomBytes(1 + (index * 7919 + this.number * 104729) % 200000);
    const side = this.number + index;
    await this.blob(side, name).upload(bytes, bytes.length, { metadata: { round: `${index}` } });
    this.content.set(name, bytes);
    await this.check(name, side + 1);
    const properties = await this.blob(side + 2, name).getProperties();
    assert.equal(properties.metadata.round, `${index}`);
  }

  async check(name, side) {
    const back = await this.blob(side, name).downloadToBuffer();
    assert.ok(back.equals(this.content.get(name)), `${name} through ${side % GATEWAYS}`);
  }

  // Where the key may be away, what is refused for that is no failure.
  async run(load) {
    for (let index = 0; load.on; index++) {
      try {
        await this.round(index);
      } catch (error) {
        if (!load.darkness || codeOf(error) !== DARK) throw error;
        this.refusals++;
        this.content.delete(`client-${this.number}-${index % 20}`);
      }
      this.rounds++;
    }
  }
}

function startLoad(stack, containers) {
  const load = { on: true, darkness: false };
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(containers, number));
  // The first failure ends all; it is the test's result, whatever the rest made of that end.
  const all = Promise.all(clients.map((client) => client.run(load)
    .catch((error) => { load.on = false; throw error; })));
  all.catch(() => {});
  return {
    clients,
    setDarkness: (darkness) => { load.darkness = darkness; },
    // Every client gets through to rounds that began after now.
    goesOn: async () => {
      const seen = clients.map((client) => client.rounds);
      await stack.until(() => !load.on || clients.every((client, i) => client.rounds > seen[i] + 1),
        'requests of every client');
      if (!load.on) await all;
    },
    end: async () => {
      load.on = false;
      await all;
    },
  };
}

const keyNamed = (keys, name) => keys.find((key) => key.keyName === name).value;

function containerOf(side, credential, options) {
  return new BlobServiceClient(side.blobEndpointTls, credential, options).getContainerClient('load');
}

/* --- what is changed through one -----------------------------------------------------------------*/

describe('changes, told by notice: the interval is a minute', { skip: !onRados }, () => {
  let stack;
  let load;
  let key1;

  before(async () => {
    stack = await startStack({ gateways: GATEWAYS, checkIntervalMs: 60000 });
    const keys = await stack.keysOf(stack.account);
    key1 = keyNamed(keys, 'key1');
    // Over TLS and with the second key: what the tests take away is plain http and the first.
    const credential = new StorageSharedKeyCredential(stack.account, keyNamed(keys, 'key2'));
    const containers = stack.sides.map((side) => containerOf(side, credential, stack.overTls));
    await containers[0].create();
    load = startLoad(stack, containers);
    await load.goesOn();
  });
  afterEach(() => load.goesOn());
  after(() => Promise.resolve(load?.end()).finally(() => stack?.stop()));

  const get = (side, accountKey) => send({ ...side, accountKey },
    { method: 'GET', path: '/', query: { comp: 'list' } });

  // From the end of the change to the beginning of the first request that obeyed.
  async function obeyed(t, what, sides, probe) {
    const changed = performance.now();
    const took = await Promise.all(sides.map(async (side) => {
      let began = 0;
      await stack.until(() => {
        began = performance.now();
        return probe(side);
      }, what);
      return began - changed;
    }));
    const most = Math.max(...took);
    t.diagnostic(`${what}: obeyed within ${most.toFixed(0)} ms`);
    assert.ok(most < OBEYED_MS, `${what}: obeyed after ${most} ms`);
  }

  test('a regenerated access key', async (t) => {
    const [first, ...others] = stack.sides;
    for (const side of others) assert.equal((await get(side, key1)).status, 200);
    const { keys } = await first.management.good('POST',
      `${stack.accountPath(stack.account)}/regenerateKey`, { body: { keyName: 'key1' } });
    const old = key1;
    key1 = keyNamed(keys, 'key1');
    await obeyed(t, 'the old key is refused', stack.sides,
      async (side) => (await get(side, old)).status === 403);
    await obeyed(t, 'the new key is taken', stack.sides,
      async (side) => (await get(side, key1)).status === 200);
  });

  test('plain http refused, and allowed again', async (t) => {
    for (const [httpsOnly, status] of [[true, 400], [false, 200]]) {
      await stack.sides[httpsOnly ? 1 : 2].management.good('PATCH', stack.accountPath(stack.account),
        { body: { properties: { supportsHttpsTrafficOnly: httpsOnly } } });
      await obeyed(t, `https only ${httpsOnly}`, stack.sides,
        async (side) => (await get(side, key1)).status === status);
    }
  });

  test('who wraps the root key', async (t) => {
    const customer = { keySource: 'Microsoft.Keyvault',
      identity: { userAssignedIdentity: stack.identity },
      keyvaultproperties: { keyvaulturi: stack.vault.uri, keyname: stack.keyName, keyversion: '' } };
    const steps = [[2, { keySource: 'Microsoft.Storage' }, 'service-managed'], [1, customer, 'active']];
    for (const [through, encryption, state] of steps) {
      await stack.sides[through].management.good('PATCH', stack.accountPath(stack.account),
        { body: { properties: { encryption } } });
      await obeyed(t, `key source ${encryption.keySource}`, stack.sides, async (side) => {
        const status = await side.keyStatus();
        return status.keySource === encryption.keySource && status.state === state;
      });
      await load.goesOn();
    }
    // The customer has the last word in all of them, whoever was asked to change it.
    await stack.sides[0].checkKey();
  });

  // These stand in records that are read for each request: there is nothing to wait for.
  test('leases and access policies', async () => {
    const [first, second, third] = stack.sides.map((side) => ({ ...side, accountKey: key1 }));
    const put = (side, path, query, headers, body) => send(side, { method: 'PUT', path, query, headers, body });
    const block = { 'x-ms-blob-type': 'BlockBlob' };
    const lease = '11111111-1111-1111-1111-111111111111';
    assert.equal((await put(first, '/shared', { restype: 'container' })).status, 201);
    assert.equal((await put(second, '/shared/blob', {}, block, 'content')).status, 201);
    assert.equal((await put(third, '/shared/blob', { comp: 'lease' }, { 'x-ms-lease-action': 'acquire',
      'x-ms-lease-duration': '-1', 'x-ms-proposed-lease-id': lease })).status, 201);
    for (const side of [first, second, third]) {
      assert.equal((await put(side, '/shared/blob', {}, block, 'other')).code, 'LeaseIdMissing');
      assert.equal((await put(side, '/shared/blob', {}, { ...block, 'x-ms-lease-id': lease }, 'own')).status, 201);
    }
    const policies = (side, permissions) => put(side, '/shared', { restype: 'container', comp: 'acl' }, {},
      '<SignedIdentifiers><SignedIdentifier><Id>p</Id><AccessPolicy><Expiry>2099-01-01</Expiry>' +
      `<Permission>${permissions}</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>`);
    const credential = new StorageSharedKeyCredential(stack.account, key1);
    const sas = Object.fromEntries(new URLSearchParams(generateBlobSASQueryParameters({ containerName: 'shared',
      identifier: 'p' }, credential).toString()));
    for (let round = 0; round < 10; round++) {
      const [writer, reader] = [stack.sides[round % GATEWAYS], stack.sides[(round + 1) % GATEWAYS]];
      for (const [permissions, status] of [['r', 200], ['w', 403]]) {
        assert.equal((await policies({ ...writer, accountKey: key1 }, permissions)).status, 200);
        assert.equal((await send(reader, { method: 'GET', path: '/shared/blob', sas })).status, status);
      }
    }
  });

  test('settings of the service, each part set through another', async (t) => {
    const sides = stack.sides.map((side) => ({ ...side, accountKey: key1 }));
    const properties = { path: '/', query: { restype: 'service', comp: 'properties' } };
    const document = (inside) => `<StorageServiceProperties>${inside}</StorageServiceProperties>`;
    const parts = ['<DefaultServiceVersion>2021-12-02</DefaultServiceVersion>',
      '<DeleteRetentionPolicy><Enabled>true</Enabled><Days>9</Days></DeleteRetentionPolicy>',
      '<StaticWebsite><Enabled>true</Enabled><IndexDocument>index.html</IndexDocument></StaticWebsite>'];
    const set = await Promise.all(sides.map((side, i) => send(side, { method: 'PUT', ...properties,
      body: document(parts[i]) })));
    assert.deepEqual(set.map((answer) => answer.status), [202, 202, 202]);
    await obeyed(t, 'all parts', sides, async (side) => {
      const { body } = await send(side, { method: 'GET', ...properties });
      return parts.every((part) => body.toString().includes(part));
    });
    const off = document('<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>');
    assert.equal((await send(sides[2], { method: 'PUT', ...properties, body: off })).status, 202);
    await obeyed(t, 'no retention', sides, async (side) => {
      const { body } = await send(side, { method: 'GET', ...properties });
      return !body.toString().includes('<Days>9</Days>');
    });
  });

  test('an encryption scope, changed through one and used through another', async (t) => {
    const name = 'withscopes';
    const scope = `${stack.accountPath(name)}/encryptionScopes/shared`;
    const sideOf = (side, accountKey) => ({ account: name, accountKey,
      blobEndpoint: `${side.gateway.ready.blob_endpoint}/${name}` });
    const put = (side) => send(side, { method: 'PUT', path: '/scoped/blob', body: 'scoped',
      headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-encryption-scope': 'shared' } });
    const get = async (side) => (await send(side, { method: 'GET', path: '/scoped/blob' })).status;
    for (let i = 0; i < 3; i++) { // the account and its scope are others each time
      const [maker, user, deleter] = [0, 1, 2].map((k) => stack.sides[(i + k) % GATEWAYS]);
      await maker.createAccount(name);
      const key = (await maker.keysOf(name))[0].value;
      const sides = stack.sides.map((side) => sideOf(side, key));
      await obeyed(t, 'the new account is served', sides, async (side) =>
        (await send(side, { method: 'GET', path: '/', query: { comp: 'list' } })).status === 200);
      await maker.management.good('PUT', scope, { body: {} });
      await send(sides[0], { method: 'PUT', path: '/scoped', query: { restype: 'container' } });
      for (const side of sides) {
        assert.equal((await put(side)).status, 201);
        for (const reader of sides) assert.equal(await get(reader), 200);
      }
      await user.management.good('PATCH', scope, { body: { properties: { state: 'Disabled' } } });
      for (const side of sides) assert.equal(await get(side), 403);
      await deleter.management.good('PATCH', scope, { body: { properties: { state: 'Enabled' } } });
      for (const side of sides) assert.equal(await get(side), 200);
      const deleted = await deleter.management.request('DELETE', `${stack.accountPath(name)}?api-version=2023-05-01`);
      assert.equal(deleted.status, 200);
    }
  });

  test('an account that is shredded through one is served by none', async (t) => {
    const name = 'shredded';
    await stack.sides[0].createAccount(name);
    const accountKey = (await stack.sides[0].keysOf(name))[0].value;
    const sides = stack.sides.map((side) => ({ account: name, accountKey, blobEndpoint: `${side.gateway.ready.blob_endpoint}/${name}` }));
    const get = async (side) => (await send(side, { method: 'GET', path: '/kept/blob' })).status;
    await obeyed(t, 'the new account is served', sides, async (side) =>
      (await send(side, { method: 'GET', path: '/', query: { comp: 'list' } })).status === 200);
    await send(sides[0], { method: 'PUT', path: '/kept', query: { restype: 'container' } });
    await send(sides[0], { method: 'PUT', path: '/kept/blob', body: 'x', headers: { 'x-ms-blob-type': 'BlockBlob' } });
    for (const side of sides) assert.equal(await get(side), 200);
    const { verified } = await stack.sides[1].management.good('POST', `/gatekey/accounts/${name}/shred`, { body: { confirm: name } });
    assert.ok(verified);
    await obeyed(t, 'the shredding', sides, async (side) => (await get(side)) === 403);
  });

  // No gateway goes on with a container by the name that it had, at once and not within a while: nothing is told.
  test('containers that get another name, and that come back', async () => {
    const call = (side, method, path, query = {}, more = {}) =>
      send({ ...stack.sides[side % GATEWAYS], accountKey: key1 }, { method, path, query, ...more });
    const does = async (...args) => {
      const answer = await call(...args);
      assert.ok(answer.status < 300, `${args.slice(1, 3).join(' ')}: ${answer.status} ${answer.code}`);
      return answer;
    };
    const box = { restype: 'container' };
    const put = (side, name, content) => does(side, 'PUT', `/${name}/blob`, {},
      { body: content, headers: { 'x-ms-blob-type': 'BlockBlob' } });
    const eachReads = async (name, content) => {
      for (let side = 0; side < GATEWAYS; side++) {
        const answer = await call(side, 'GET', `/${name}/blob`);
        if (content === undefined) assert.equal(answer.code, 'ContainerNotFound', `${name} through ${side}`);
        else assert.equal(String(answer.body), content, `${name} through ${side}`);
      }
    };
    await stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`,
      { body: { properties: { containerDeleteRetentionPolicy: { enabled: true, days: 1 } } } });
    for (let side = 0; side < GATEWAYS; side++) {
      const probe = `probe-${side}`;
      await stack.until(async () => {
        await does(side, 'PUT', `/${probe}`, box);
        await does(side, 'DELETE', `/${probe}`, box);
        const { body } = await does(side, 'GET', '/', { comp: 'list', include: 'deleted', prefix: probe });
        return String(body).includes('<Deleted>true</Deleted>');
      }, `gateway ${side} to keep what is deleted`);
    }
    await does(0, 'PUT', '/first', box);
    await put(0, 'first', 'one');
    await eachReads('first', 'one');
    for (let side = 0; side < GATEWAYS; side++) {
      await does(side, 'PUT', '/second', { ...box, comp: 'rename' }, { headers: { 'x-ms-source-container-name': 'first' } });
      await eachReads('first', undefined);
      await eachReads('second', 'one');
      await does(side + 1, 'PUT', '/first', box);
      await put(side + 2, 'first', 'another');
      await eachReads('first', 'another');
      await does(side + 1, 'DELETE', '/first', box);
      await eachReads('first', undefined);
      const list = String((await does(side, 'GET', '/', { comp: 'list', include: 'deleted', prefix: 'first' })).body);
      const version = [...list.matchAll(/<Version>(\w+)<\/Version>/g)].at(-1)[1];
      await does(side + 2, 'PUT', '/third', { ...box, comp: 'undelete' }, { headers:
        { 'x-ms-deleted-container-name': 'first', 'x-ms-deleted-container-version': version } });
      await eachReads('third', 'another');
      await put(side, 'third', 'changed');
      await eachReads('third', 'changed');
      await does(side, 'PUT', '/first', { ...box, comp: 'rename' }, { headers: { 'x-ms-source-container-name': 'second' } });
      await eachReads('first', 'one');
      await does(side + 1, 'DELETE', '/third', box);
      await eachReads('third', undefined);
    }
  });

  test('an account made, deleted and made anew', async (t) => {
    const name = 'comesandgoes';
    const probe = (side, accountKey) => send({ account: name, accountKey,
      blobEndpoint: `${side.gateway.ready.blob_endpoint}/${name}` },
    { method: 'GET', path: '/', query: { comp: 'list' } });
    for (let i = 0; i < 3; i++) {
      const maker = stack.sides[i % GATEWAYS];
      await maker.createAccount(name, i === 1 ? undefined : { vaultUri: stack.vault.uri, name: stack.keyName });
      const key = (await maker.keysOf(name))[0].value;
      // The first is new to all: there is nothing that would have to be heard of.
      if (i === 0) for (const side of stack.sides) assert.equal((await probe(side, key)).status, 200);
      await obeyed(t, 'the new account is served', stack.sides,
        async (side) => (await probe(side, key)).status === 200);
      const deleted = await stack.sides[(i + 1) % GATEWAYS].management.request('DELETE',
        `${stack.accountPath(name)}?api-version=2023-05-01`);
      assert.equal(deleted.status, 200);
      await obeyed(t, 'the deleted account is gone', stack.sides,
        async (side) => (await probe(side, key)).status >= 400);
    }
  });
});

/* --- what the vault says -------------------------------------------------------------------------*/

describe('one key for all', { skip: !onRados }, () => {
  let stack;
  let load;

  before(async () => {
    stack = await startStack({ gateways: GATEWAYS, checkIntervalMs: INTERVAL_MS, movableClock: true });
    // A SAS: signed dates would have to move with the gateways' clock.
    const expiry = new Date(Date.now() + 60 * DAY_MS).toISOString().replace(/\.\d+/, '');
    const sas = encodeQuery(accountSas({ ...stack, expiry }));
    const containers = stack.sides.map((side) => new BlobServiceClient(`${side.blobEndpoint}?${sas}`,
      undefined, noRetry).getContainerClient('load'));
    await containers[0].create();
    load = startLoad(stack, containers);
    await load.goesOn();
  });
  after(() => Promise.resolve(load?.end()).finally(() => stack?.stop()));

  const versionOf = async (side) => (await side.keyStatus()).currentKeyIdentifier.split('/').pop();

  async function wrapsSince(mark) {
    const { calls, next } = await stack.vault.calls(mark.next);
    mark.next = next;
    return calls.filter((call) => call.operation === 'wrapKey' && call.status === 200).length;
  }

  test('rotated while loaded: no failed request, one wrap in all', async () => {
    const mark = { next: 0 };
    await wrapsSince(mark);
    for (let i = 0; i < ROTATIONS; i++) {
      const old = await versionOf(stack.sides[0]);
      const version = await stack.vault.rotate(stack.keyName);
      stack.gateway.moveClock(DAY_MS); // the three are due at the same moment
      await stack.until(async () => (await Promise.all(stack.sides.map(versionOf)))
        .every((now) => now === version), `rotation ${i + 1} in every gateway`);
      await load.goesOn();
      assert.equal(await wrapsSince(mark), 1, `wraps of rotation ${i + 1}`);
      await stack.vault.disableVersion(stack.keyName, old);
      await load.goesOn();
    }
    // Asked for in all at once.
    const version = await stack.vault.rotate(stack.keyName);
    await Promise.all(stack.sides.map((side) => side.checkKey()));
    for (const side of stack.sides) assert.equal(await versionOf(side), version);
    assert.equal(await wrapsSince(mark), 1, 'wraps of three checks at once');
    await load.goesOn();
  });

  test('the key disabled: refused by all within the check interval, and back', async (t) => {
    const marker = 'marker';
    load.setDarkness(true);
    const read = (side) => load.clients[0].containers[stack.sides.indexOf(side)]
      .getBlobClient(marker).downloadToBuffer().then(() => true, (error) => {
        assert.equal(codeOf(error), DARK);
        return false;
      });
    await load.clients[0].containers[0].getBlockBlobClient(marker).upload('dark', 4);
    let versions;
    for (const serves of [false, true]) {
      if (serves) await stack.vault.enableVersions(stack.keyName, versions);
      else versions = await stack.vault.disableAllVersions(stack.keyName);
      const changed = performance.now();
      const took = await Promise.all(stack.sides.map(async (side) => {
        let began = 0;
        await stack.until(async () => {
          began = performance.now();
          return (await read(side)) === serves;
        }, `${serves ? 'service' : 'refusal'} by each gateway`);
        return began - changed;
      }));
      t.diagnostic(`${serves ? 'served' : 'refused'} by all after ${Math.max(...took).toFixed(0)} ms`);
      // The interval, and what an unwrap takes on a busy machine.
      assert.ok(Math.max(...took) < 2 * INTERVAL_MS, `${took}`);
      for (const side of stack.sides) assert.equal(await read(side), serves);
    }
    load.setDarkness(false);
    await load.goesOn();
    assert.ok(load.clients.some((client) => client.refusals > 0));
  });

  test('everything reads back through every gateway', async () => {
    await load.end();
    for (const client of load.clients) {
      for (const name of client.content.keys()) {
        for (let side = 0; side < GATEWAYS; side++) await client.check(name, side);
      }
    }
  });
});
