// SPDX-License-Identifier: Apache-2.0
// keyvaultd as a Managed HSM, its keys in a PKCS#11 token: the vendor's Key Vault SDK against it, and a gateway
// with accounts in a vault and in the HSM side by side, an account that moves between the two under writes, and what is
// warned of by a rotation policy in the HSM.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { accountBody, noRetry, startStack } from './lib/stack.mjs';

const ALGORITHMS = ['RSA-OAEP-256', 'RSA-OAEP', 'RSA1_5'];
const DAY_MS = 86400e3;
const API = 'api-version=7.4';

let stack;
let vault;
let hsm;

before(async () => {
  stack = await startStack({ movableClock: true, readRotationPolicy: true, moreVaults: [{ kind: 'managed-hsm' }] });
  [vault, hsm] = stack.vaults;
});
after(() => stack?.stop());

// By the clocks of both.
const at = (offsetMs) => Promise.all([vault, hsm].map((one) => one.setClock(offsetMs)));
// Past the SDK, which wraps locally with a public key that it knows.
async function bare(who, method, target, body) {
  const token = await hsm.credential(who).getToken(`${hsm.resource}/.default`);
  return hsm.request(method, `${target}?${API}`, { headers: { authorization: `Bearer ${token.token}` },
    body: body && JSON.stringify(body) });
}
const ask = (keyId, operation, bytes, alg = 'RSA-OAEP-256') => bare('gateway', 'POST',
  `${new URL(keyId).pathname}/${operation}`, { alg, value: bytes.toString('base64url') });
const valueOf = (answer) => {
  assert.equal(answer.status, 200, answer.body);
  return Buffer.from(answer.json.value, 'base64url');
};
// As recordings of the service have them: no innererror, and the request named in the message.
function refusal({ status, headers, json: { error } }) {
  assert.deepEqual(Object.keys(error), ['code', 'message']);
  assert.ok(error.message.endsWith(` (Activity ID: ${headers['x-ms-request-id']})`), error.message);
  return [status, error.code];
}

// What the token itself says of the private keys in it.
const pkcs11 = (...args) => execFileSync('pkcs11-tool', ['--module', hsm.token.module, '--token-label',
  hsm.token.label, '--login', '--pin', 'env:PIN', ...args],
{ env: { ...process.env, ...hsm.token.env, PIN: hsm.token.pin }, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
const privateKeys = () => pkcs11('--list-objects', '--type', 'privkey').split('Private Key Object').slice(1);

for (const size of [2048, 3072, 4096]) {
  test(`RSA-HSM ${size}: made in the token, wraps, unwraps, encrypts and decrypts`, async () => {
    const key = await hsm.createKey(`size-${size}`, size);
    assert.equal(key.keyType, 'RSA-HSM');
    assert.equal(key.key.n.length, size / 8);
    const secret = randomBytes(32);
    for (const alg of ALGORITHMS) {
      const wrapped = valueOf(await ask(key.id, 'wrapkey', secret, alg));
      assert.equal(wrapped.length, size / 8);
      const unwrapped = await hsm.cryptography('gateway', key.id).unwrapKey(alg, wrapped);
      assert.deepEqual(Buffer.from(unwrapped.result), secret);
      const client = hsm.cryptography('admin', key.id);
      const sealed = await client.encrypt({ algorithm: alg, plaintext: secret });
      assert.deepEqual(Buffer.from((await client.decrypt({ algorithm: alg, ciphertext: sealed.result })).result), secret);
    }
  });
}

test('its cipher is that of another implementation', async () => {
  const key = await hsm.createKey('other');
  const jwk = { kty: 'RSA', n: Buffer.from(key.key.n).toString('base64url'), e: Buffer.from(key.key.e).toString('base64url') };
  const secret = randomBytes(32);
  const wrapped = publicEncrypt({ key: createPublicKey({ key: jwk, format: 'jwk' }), oaepHash: 'sha256',
    padding: constants.RSA_PKCS1_OAEP_PADDING }, secret);
  assert.deepEqual(valueOf(await ask(key.id, 'unwrapkey', wrapped)), secret);
});

test('private keys are in the token alone, and do not leave it', async () => {
  const state = readFileSync(path.join(hsm.stateDir, 'vault.json'), 'utf8');
  assert.ok(JSON.parse(state).keys.length >= 4);
  assert.doesNotMatch(state, /"private"/);
  for (const text of privateKeys()) assert.match(text, /sensitive, always sensitive, never extractable, local/);
});

test('only its own key types and tokens are taken', async () => {
  await assert.rejects(hsm.admin.createRsaKey('software', { hsm: false }), { statusCode: 400 });
  const imported = await bare('admin', 'PUT', '/keys/imported', { key: { kty: 'RSA-HSM' } });
  assert.deepEqual(refusal(imported), [501, 'NotImplemented']);
  const { token } = await hsm.credential('gateway').getToken(`${vault.resource}/.default`);
  const answer = await hsm.request('GET', `/keys/other?${API}`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual([answer.status, answer.body], [401, '']);
  assert.equal(answer.headers['www-authenticate'],
    `Bearer authorization="${vault.authority}/${vault.tenantId}", resource="https://managedhsm.azure.net"`);
});

test('what is no ciphertext of the key is refused as such', async () => {
  const key = await hsm.createKey('strict');
  const secret = randomBytes(32);
  const wrapped = valueOf(await ask(key.id, 'wrapkey', secret));
  const flipped = Buffer.from(wrapped);
  flipped[100] ^= 1;
  const cases = [[flipped], [wrapped, 'RSA-OAEP'], [wrapped.subarray(1)], [Buffer.alloc(256, 0xff)], [Buffer.alloc(256)],
    [Buffer.concat([wrapped, Buffer.alloc(1)])]];
  for (const [bytes, alg] of cases) {
    assert.deepEqual(refusal(await ask(key.id, 'unwrapkey', bytes, alg)), [400, 'BadParameter']);
  }
  assert.deepEqual(valueOf(await ask(key.id, 'unwrapkey', wrapped)), secret);
});

test('versions, states, deletion and a restart, as in a vault', async () => {
  const key = await hsm.createKey('life');
  const secret = randomBytes(32);
  const wrapped = valueOf(await ask(key.id, 'wrapkey', secret));
  const unwrap = () => ask(key.id, 'unwrapkey', wrapped);
  await hsm.rotate('life');
  assert.deepEqual(refusal(await ask(`${hsm.uri}/keys/life`, 'unwrapkey', wrapped)), [400, 'BadParameter']);
  await hsm.stop();
  await hsm.start();
  assert.deepEqual(valueOf(await unwrap()), secret);
  const versions = await hsm.disableAllVersions('life');
  assert.deepEqual(refusal(await unwrap()), [403, 'Forbidden']);
  await hsm.enableVersions('life', versions);
  await hsm.deleteKey('life');
  assert.deepEqual(refusal(await unwrap()), [404, 'KeyNotFound']);
  await hsm.recoverKey('life');
  assert.deepEqual(valueOf(await unwrap()), secret);
});

test('a key whose time to be purged has come is destroyed in the token', async () => {
  const before = privateKeys().length;
  await hsm.createKey('gone');
  await hsm.rotate('gone');
  assert.equal(privateKeys().length, before + 2);
  await hsm.deleteKey('gone');
  assert.equal(privateKeys().length, before + 2);
  await at(91 * DAY_MS);
  try {
    assert.equal((await bare('admin', 'GET', '/deletedkeys/gone')).status, 404);
  } finally {
    await at(0);
  }
  assert.equal(privateKeys().length, before);
});

test('a purged key that a killed process has left in the token is destroyed at the next start', async () => {
  const before = privateKeys().length;
  await hsm.createKey('left');
  await hsm.stop();
  assert.equal(privateKeys().length, before + 1);
  const file = path.join(hsm.stateDir, 'vault.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  const [purged] = state.keys.splice(state.keys.findIndex(({ name }) => name === 'left'), 1);
  state.toDestroy = purged.versions.map(({ hsmId }) => hsmId);
  writeFileSync(file, JSON.stringify(state));
  await hsm.start();
  assert.equal(privateKeys().length, before);
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).toDestroy, undefined);
});

test('a key that the token has lost is a failure of the module, not a refusal', async () => {
  const known = privateKeys();
  const key = await hsm.createKey('lost');
  const wrapped = valueOf(await ask(key.id, 'wrapkey', randomBytes(32)));
  const [added] = privateKeys().filter((text) => !known.includes(text));
  pkcs11('--delete-object', '--type', 'privkey', '--id', /ID: +([0-9a-f]+)/.exec(added)[1]);
  await hsm.stop(); // SoftHSM keeps what it has seen
  await hsm.start();
  assert.deepEqual(refusal(await ask(key.id, 'unwrapkey', wrapped)), [503, 'ServiceUnavailable']);
});

/* --- the gateway -------------------------------------------------------------------------------*/

const current = async (account) => (await stack.keyStatus(account)).currentKeyIdentifier;
const stateOf = async (account) => (await stack.keyStatus(account)).state;
const turns = (account, state) => stack.until(async () => (await stateOf(account)) === state, `${account} to be ${state}`);

async function containerOf(account) {
  const [{ value }] = await stack.keysOf(account);
  const container = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}`,
    new StorageSharedKeyCredential(account, value), noRetry).getContainerClient('hsm');
  await container.createIfNotExists();
  return container;
}

async function read(container, name) {
  const parts = [];
  for await (const part of (await container.getBlobClient(name).download()).readableStreamBody) parts.push(part);
  return Buffer.concat(parts);
}

async function write(container, name) {
  const bytes = randomBytes(3000);
  await container.getBlockBlobClient(name).upload(bytes, bytes.length);
  return bytes;
}

test('an account under a key in the HSM, beside one in the vault: rotated, disabled, deleted', async () => {
  await hsm.createKey('account-key');
  await stack.createAccount('onhsm', { vaultUri: hsm.uri, name: 'account-key' });
  const [inHsm, inVault] = [await containerOf('onhsm'), await containerOf(stack.account)];
  const bytes = await write(inHsm, 'blob');
  const other = await write(inVault, 'blob');

  const version = await hsm.rotate('account-key');
  await stack.checkKey('onhsm');
  await stack.until(async () => (await current('onhsm')).endsWith(`/${version}`), 'the rotation to be picked up');
  assert.deepEqual(await read(inHsm, 'blob'), bytes);

  const dark = async (code) => {
    await turns('onhsm', 'revoked');
    await assert.rejects(read(inHsm, 'blob'), { statusCode: 403, code });
    assert.deepEqual(await read(inVault, 'blob'), other);
  };
  const versions = await hsm.disableAllVersions('account-key');
  await dark('KeyVaultEncryptionKeyNotFound');
  await hsm.enableVersions('account-key', versions);
  await turns('onhsm', 'active');
  await hsm.deleteKey('account-key');
  await dark('KeyVaultEncryptionKeyNotFound');
  assert.match((await stack.keyStatus('onhsm')).reason, /\(Activity ID: [0-9a-f-]{36}\)$/);
  await hsm.recoverKey('account-key');
  await turns('onhsm', 'active');
  assert.deepEqual(await read(inHsm, 'blob'), bytes);

  // A Managed HSM has been seen to append a NUL to what it unwraps: that is no key, and no revocation.
  await hsm.fault({ operation: 'unwrapKey', key: 'account-key', count: -1, action: 'long_key' });
  await turns('onhsm', 'unreachable');
  assert.deepEqual(await read(inHsm, 'blob'), bytes);
  await hsm.clearFaults();
  await turns('onhsm', 'active');
});

test('an account moves from the vault to the HSM and back, under writes', async () => {
  await hsm.createKey('moves', 3072);
  await stack.createAccount('moving', { vaultUri: vault.uri, name: stack.keyName });
  const container = await containerOf('moving');
  const written = new Map([['first', await write(container, 'first')]]);
  const running = { on: true };
  const load = Promise.all(Array.from({ length: 4 }, async (_, client) => {
    for (let i = 0; running.on; i++) {
      const name = `${client}-${i % 10}`;
      written.set(name, await write(container, name));
      assert.deepEqual(await read(container, name), written.get(name));
    }
  }));
  load.catch(() => { running.on = false; });
  for (const [uri, name] of [[hsm.uri, 'moves'], [vault.uri, stack.keyName], [hsm.uri, 'moves']]) {
    const count = written.size;
    await stack.management.good('PATCH', stack.accountPath('moving'), { body: { properties: { encryption: {
      keySource: 'Microsoft.Keyvault', keyvaultproperties: { keyvaulturi: uri, keyname: name, keyversion: '' } } } } });
    assert.ok((await current('moving')).startsWith(`${uri}/keys/${name}/`));
    await stack.until(() => !running.on || written.size >= Math.min(count + 1, 40), 'writes that go on');
  }
  running.on = false;
  await load;
  for (const [name, bytes] of written) assert.deepEqual(await read(container, name), bytes);
});

test('an account under a key of each type and size, one after the other', async () => {
  const inVault = (hardware) => async (name, size) => vault.admin.createRsaKey(name, { keySize: size, hsm: hardware });
  const kinds = [['RSA', vault, inVault(false)], ['RSA-HSM', vault, inVault(true)],
    ['RSA-HSM', hsm, async (name, size) => hsm.createKey(name, size)]];
  await stack.createAccount('sizes');
  const container = await containerOf('sizes');
  const bytes = await write(container, 'blob');
  for (const [index, [type, where, create]] of kinds.entries()) {
    for (const size of [2048, 3072, 4096]) {
      const name = `of-${index}-${size}`;
      const key = await create(name, size);
      assert.deepEqual([key.keyType, key.key.n.length], [type, size / 8]);
      const body = accountBody(stack.identity, { vaultUri: where.uri, name });
      await stack.management.good('PATCH', stack.accountPath('sizes'), { body });
      assert.equal(await current('sizes'), key.id);
      const { next } = await where.calls();
      await stack.checkKey('sizes');
      const { calls } = await where.calls(next);
      assert.ok(calls.some((call) => call.operation === 'unwrapKey' && call.key === name && call.status === 200), name);
      assert.equal(await stateOf('sizes'), 'active');
      assert.deepEqual(await read(container, 'blob'), bytes);
    }
  }
});

// The last one: the gateway's clock does not go back.
test('a version that its rotation policy would have rotated is old, where the policy may be read', async () => {
  await hsm.createKey('by-policy');
  await hsm.admin.updateKeyRotationPolicy('by-policy', { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }] });
  await stack.createAccount('bypolicy', { vaultUri: hsm.uri, name: 'by-policy' });
  await stack.checkKey('bypolicy');
  assert.equal((await stack.keyStatus('bypolicy')).keyRotationDue, undefined, 'nobody may read it');
  await hsm.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey', 'getrotationpolicy']);
  await stack.checkKey('bypolicy');
  const status = await stack.keyStatus('bypolicy');
  assert.equal(Date.parse(status.keyRotationDue) - Date.parse(status.keyCreated), 30 * DAY_MS);
  assert.deepEqual(status.keyWarnings, []);
  stack.gateway.moveClock(33 * DAY_MS); // alone: the HSM has not noticed
  await stack.until(async () => Date.parse((await stack.keyStatus('bypolicy')).lastVersionCheck)
    > Date.now() + 32 * DAY_MS, 'the daily check');
  assert.deepEqual((await stack.keyStatus('bypolicy')).keyWarnings, ['key-old']);
  await at(33 * DAY_MS); // now it has
  await stack.checkKey('bypolicy');
  assert.deepEqual((await stack.keyStatus('bypolicy')).keyWarnings, []);
  assert.notEqual(await current('bypolicy'), status.currentKeyIdentifier);
});
