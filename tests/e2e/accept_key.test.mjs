// SPDX-License-Identifier: Apache-2.0
// Which customer keys are accepted: one case for each reason to refuse, for a new account, for one that changes its
// key and for an encryption scope; manual and automatic versions; a present key that is revoked; a pinned version that the
// identity may not get.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { accountBody, startStack } from './lib/stack.mjs';

const API = '?api-version=2023-05-01';
const DAY_MS = 86400e3;
const ALL = ['get', 'wrapKey', 'unwrapKey'];
const POLICY = 'KeyVaultPolicyError';
const AUTHENTICATION = 'KeyVaultAuthenticationFailure';

let stack;
let vault;
let probes = 0;

before(async () => {
  stack = await startStack({ pinnedKeyWithoutGet: true });
  vault = stack.vault;
  await stack.createAccount('second'); // its key is the service's
});
after(() => stack?.stop());

const manage = (method, name, body) => stack.management.request(method, `${stack.accountPath(name)}${API}`, { body });
const scopePath = (name) => `${stack.accountPath(stack.account)}/encryptionScopes/${name}${API}`;
const encryptionOf = async (name) => (await manage('GET', name)).json.properties.encryption;
// The account's identity as an update has it that asks for a key.
const withKey = (key) => {
  const { identity, properties } = accountBody(stack.identity, { vaultUri: vault.uri, ...key });
  return { identity, properties: { encryption: properties.encryption } };
};

// What a get of the key answers from now on: the truth, changed.
async function pretend(name, change) {
  const { key, properties } = await vault.admin.getKey(name);
  const body = { key: { kid: properties.id, kty: 'RSA', key_ops: ALL.slice(1),
    n: Buffer.from(key.n).toString('base64url'), e: Buffer.from(key.e).toString('base64url') },
  attributes: { enabled: true, recoveryLevel: 'Recoverable' } };
  change(body);
  await vault.fault({ operation: 'get', key: name, count: -1, status: 200, body: JSON.stringify(body) });
}

// Each: what is done to a good key, with its name and version, what the refusal says, and its status, 400 unless given.
const permit = (...permissions) => () => vault.setPermissions('gateway', permissions);
const dates = (from, to) => async (name, version) => vault.admin.updateKeyProperties(name, version,
  { notBefore: new Date(Date.now() + from * DAY_MS), expiresOn: new Date(Date.now() + to * DAY_MS) });
const rows = {
  'another type': [(name) => pretend(name, ({ key }) => { key.kty = 'EC'; }), POLICY, /RSA or RSA-HSM/],
  'too small': [(name) => pretend(name, ({ key }) => {
    key.n = Buffer.from(key.n, 'base64url').subarray(0, 128).toString('base64url');
  }), POLICY, /1024 bits.*2048, 3072 or 4096/],
  'disabled': [(name, version) => vault.disableVersion(name, version), POLICY, /disabled; enable it/],
  'no wrapKey among its operations': [(name, version) => vault.admin.updateKeyProperties(name, version,
    { keyOps: ['unwrapKey'] }), POLICY, /permitted operations/],
  'no unwrapKey among its operations': [(name, version) => vault.admin.updateKeyProperties(name, version,
    { keyOps: ['wrapKey'] }), POLICY, /permitted operations/],
  'no soft delete': [(name) => pretend(name, ({ attributes }) => { attributes.recoveryLevel = 'Purgeable'; }), POLICY,
    /no soft delete; turn on/],
  'no purge protection': [(name) => pretend(name, ({ attributes }) => {
    attributes.recoveryLevel = 'Recoverable+Purgeable';
  }), POLICY, /no purge protection; turn it on/],
  'expired': [dates(-2, -1), AUTHENTICATION, /expired.*new version/],
  'not valid yet': [dates(1, 2), AUTHENTICATION, /not valid yet.*wait/],
  'deleted': [(name) => vault.deleteKey(name), AUTHENTICATION, /no such key.*recover/],
  'no permission get': [permit('wrapKey', 'unwrapKey'), AUTHENTICATION, /refuses get .*the permission get/],
  'no permission wrapKey': [permit('get', 'unwrapKey'), AUTHENTICATION, /refuses wrapKey .*the permission wrapKey/],
  'behind a firewall': [() => vault.setNetwork('firewall'), AUTHENTICATION, /ForbiddenByFirewall.*let the gateway through/],
  'without public access': [() => vault.setNetwork('private'), AUTHENTICATION, /ForbiddenByConnection.*let the gateway/],
  'no permission unwrapKey': [permit('get', 'wrapKey'), AUTHENTICATION, /refuses unwrapKey .*the permission unwrapKey/],
  'a key of another length comes back': [(name) => vault.fault({ operation: 'unwrapKey', key: name, count: -1, action: 'long_key' }),
    'ServerBusy', /no answer \(AnswerInvalid\)/, 503],
  'another key comes back': [async (name, version) => vault.fault({ operation: 'unwrapKey', key: name, count: -1, status: 200,
    body: JSON.stringify({ kid: `${vault.uri}/keys/${name}/${version}`, value: randomBytes(32).toString('base64url') }) }),
  'IntegrityCheckFailed', /not the root key that the account record commits to/, 500],
};

async function assertRefused(answer, status, code, message) {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.json.error.code, code, answer.body);
  assert.match(answer.json.error.message, message);
}

for (const [what, [spoil, code, message, status = 400]] of Object.entries(rows)) {
  test(`refused: ${what}`, async () => {
    const name = `probe-${++probes}`;
    const { properties: { version } } = await vault.createKey(name);
    await spoil(name, version);
    try {
      const body = accountBody(stack.identity, { vaultUri: vault.uri, name });
      await assertRefused(await manage('PUT', `probe${probes}`, body), status, code, message);
      await assertRefused(await manage('PATCH', 'second', withKey({ name })), status, code, message);
      const scope = { properties: { source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri: `${vault.uri}/keys/${name}` } } };
      await assertRefused(await stack.management.request('PUT', scopePath(`probe${probes}`), { body: scope }), status, code, message);
    } finally {
      await vault.clearFaults();
      await vault.setPermissions('gateway', ALL);
      await vault.setNetwork('open');
    }
    assert.equal((await manage('GET', `probe${probes}`)).status, 404);
    assert.equal((await stack.management.request('GET', scopePath(`probe${probes}`))).status, 404);
    assert.equal((await encryptionOf('second')).keySource, 'Microsoft.Storage');
  });
}

test('a version that is not there, a vault that may not be asked, an account without its identity', async () => {
  const named = { name: stack.keyName, version: '0'.repeat(32) };
  await assertRefused(await manage('PATCH', 'second', withKey(named)), 400, AUTHENTICATION, /key version; check/);
  const elsewhere = accountBody(stack.identity, { vaultUri: 'https://vault.elsewhere.test', name: 'key' });
  const { status, json } = await manage('PUT', 'elsewhere', elsewhere);
  assert.equal(status, 400, JSON.stringify(json));
  const nobody = accountBody(stack.identity, { vaultUri: vault.uri, name: stack.keyName });
  nobody.identity = { type: 'SystemAssigned' };
  delete nobody.properties.encryption.identity;
  await assertRefused(await manage('PUT', 'nobody', nobody), 400, 'ManagedServiceIdentityNotFound', /user-assigned/);
});

// What the key of an account meets after it was accepted: what is done to it, which may give back what undoes that, and
// what gatekeyctl key check says: its exit code, and what to do.
const checks = {
  'a vault that is no more': [() => vault.setVaultDeleted(true), 0, /^State +unreachable.*^What to do +check the vault/ms],
  'behind a firewall': [() => vault.setNetwork('firewall'), 0, /^State +revoked.*Forbidden\/ForbiddenByFirewall/ms],
  'no permission get': [permit('wrapKey', 'unwrapKey'), 1, /refuses get .*the permission get/],
  'no permission unwrapKey': [permit('get', 'wrapKey'), 0,
    /^State +revoked.*does not have keys unwrapKey permission.*Forbidden\/AccessDenied.*gives the identity/ms],
  'disabled': [async (name) => {
    const versions = await vault.disableAllVersions(name);
    return () => vault.enableVersions(name, versions);
  }, 0, /^State +revoked.*disabled key.*Forbidden\/KeyDisabled.*enables/ms],
  'deleted': [async (name) => {
    await vault.deleteKey(name);
    return () => vault.recoverKey(name);
  }, 0, /^State +revoked.*KeyNotFound.*recovers/ms],
  'a newer version, and no permission wrapKey': [async (name) => {
    await vault.rotate(name);
    await permit('get', 'unwrapKey')();
  }, 1, /refuses wrapKey .*the permission wrapKey/],
  'a newer version that is disabled': [async (name) => vault.disableVersion(name, await vault.rotate(name)), 0, /^State +active/m],
};

test('gatekeyctl key check says what is wrong, and how to mend it', async (t) => {
  await vault.createKey('checked');
  const made = await manage('PUT', 'checked', accountBody(stack.identity, { vaultUri: vault.uri, name: 'checked' }));
  assert.equal(made.status, 200, made.body);
  for (const [what, [spoil, code, says]] of Object.entries(checks)) {
    await t.test(what, async () => {
      const undo = await spoil('checked');
      const { code: ended, stdout, stderr } = await stack.ctl('key', 'check', 'checked');
      if (typeof undo === 'function') await undo();
      await vault.setVaultDeleted(false);
      await vault.setPermissions('gateway', ALL);
      await vault.setNetwork('open');
      assert.equal(ended, code, `${stdout}${stderr}`);
      assert.match(`${stdout}${stderr}`, says);
    });
  }
});

test('a firewall that no longer lets the gateway through revokes, and says so', async () => {
  const stateIs = (state) => stack.until(async () => {
    await stack.checkKey();
    return (await stack.keyStatus()).state === state;
  }, `the account to be ${state}`);
  for (const [network, code, reason] of [['firewall', 'ForbiddenByFirewall', /^Client address is not authorized.*127\.0\.0\.1$/],
    ['private', 'ForbiddenByConnection', /^Public network access is disabled/]]) {
    await vault.setNetwork(network);
    await stateIs('revoked');
    const status = await stack.keyStatus();
    assert.equal(status.reasonCode, `Forbidden/${code}`);
    assert.match(status.reason, reason);
    await vault.setNetwork('open');
    await stateIs('active');
  }
});

test('manual to automatic and back', async () => {
  const { properties: { version: first } } = await vault.admin.getKey(stack.keyName);
  const set = async (version) => {
    const answer = await manage('PATCH', stack.account, withKey({ name: stack.keyName, version }));
    assert.equal(answer.status, 200, answer.body);
    return answer.json.properties;
  };
  const current = (properties) => properties.encryption.keyvaultproperties.currentVersionedKeyIdentifier.split('/').at(-1);
  assert.equal((await set(first)).encryption.keyvaultproperties.keyversion, first);
  const second = await vault.rotate(stack.keyName);
  await stack.checkKey();
  const pinned = await set(undefined); // accountBody() makes "" of that
  assert.equal(pinned.encryption.keyvaultproperties.keyversion, '');
  assert.equal(current(pinned), second, 'automatic again takes the current version at once');
  const third = await vault.rotate(stack.keyName);
  const { properties } = await stack.checkKey();
  assert.equal(current(properties), third);
  assert.ok(Date.parse(properties.encryption.keyvaultproperties.lastKeyRotationTimestamp) > 0);
  assert.ok(Date.parse(properties.gatekey.nextVersionCheck) > Date.parse(properties.gatekey.lastVersionCheck));
  const back = await set(first);
  assert.equal(current(back), first, 'an older version may be pinned');
  await vault.rotate(stack.keyName);
  assert.equal(current((await stack.checkKey()).properties), first, 'and stays');
});

test('the end of a key is shown, and a metric to be warned by', async () => {
  const expiresOn = new Date(Date.now() + 40 * DAY_MS);
  await vault.createKey('ending', 2048, { expiresOn });
  const seconds = Math.floor(expiresOn / 1000);
  const made = await manage('PUT', 'ending', accountBody(stack.identity, { vaultUri: vault.uri, name: 'ending' }));
  assert.equal(made.status, 200, made.body);
  const { currentVersionedKeyExpirationTimestamp: end } = made.json.properties.encryption.keyvaultproperties;
  assert.equal(Date.parse(end), seconds * 1000);
  const { body } = await stack.management.request('GET', '/metrics');
  assert.match(body, new RegExp(`^gatekey_account_key_expires_timestamp_seconds{account="ending"} ${seconds}\\.000$`, 'm'));
  assert.doesNotMatch(body, new RegExp(`key_expires_timestamp_seconds{account="${stack.account}"}`));
});

test('a revoked key is not switched away from; once it is back, it is', async () => {
  await vault.createKey('other');
  const versions = await vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const toService = { properties: { encryption: { keySource: 'Microsoft.Storage' } } };
  for (const body of [withKey({ name: 'other' }), toService]) {
    await assertRefused(await manage('PATCH', stack.account, body), 403, 'KeyVaultEncryptionKeyNotFound', /not found/);
  }
  await vault.enableVersions(stack.keyName, versions);
  await stack.checkKey();
  assert.equal((await manage('PATCH', stack.account, withKey({ name: 'other' }))).status, 200);
  assert.equal((await manage('PATCH', stack.account, toService)).status, 200);
  assert.equal((await encryptionOf(stack.account)).keySource, 'Microsoft.Storage');
  assert.equal((await manage('PATCH', stack.account, withKey({ name: 'other' }))).status, 200);
});

test('queues and tables are under the account’s key when that was said at first, and never later', async () => {
  const body = accountBody(stack.identity, { vaultUri: vault.uri, name: 'other' });
  body.properties.encryption.services = { queue: { keyType: 'Account' } };
  const made = await manage('PUT', 'queues', body);
  assert.equal(made.status, 200, made.body);
  const { services } = made.json.properties.encryption;
  assert.deepEqual(['blob', 'file', 'queue', 'table'].map((name) => services[name]?.keyType),
    ['Account', 'Account', 'Account', undefined], 'what is under the service’s key is left out');
  const change = (name, keyType) => manage('PATCH', 'queues',
    { properties: { encryption: { services: { [name]: { keyType } } } } });
  for (const [name, keyType] of [['queue', 'Service'], ['table', 'Account']]) {
    await assertRefused(await change(name, keyType), 400, 'InvalidRequestPropertyValue', /when the account is created/);
  }
  for (const name of ['blob', 'file']) {
    await assertRefused(await change(name, 'Service'), 400, 'InvalidRequestPropertyValue', /Account alone/);
  }
  assert.equal((await change('queue', 'Account')).status, 200, 'what it is already may be said again');
});

test('without get a pinned version is taken, proved, served, and looked for no newer one', async () => {
  const { properties: { version } } = await vault.admin.getKey('other');
  await vault.setPermissions('gateway', ['wrapKey', 'unwrapKey']);
  const body = accountBody(stack.identity, { vaultUri: vault.uri, name: 'other', version });
  const made = await manage('PUT', 'pinned', body);
  assert.equal(made.status, 200, made.body);
  const { properties } = await stack.checkKey('pinned');
  assert.equal(properties.gatekey.state, 'active');
  assert.ok(properties.encryption.keyvaultproperties.currentVersionedKeyIdentifier.endsWith(version));
  assert.equal(properties.encryption.keyvaultproperties.currentVersionedKeyExpirationTimestamp, undefined);
  await assertRefused(await manage('PATCH', 'pinned', withKey({ name: 'other', version: '' })), 400, AUTHENTICATION,
    /refuses get/);
  await vault.setPermissions('gateway', ['unwrapKey']);
  await assertRefused(await manage('PATCH', 'second', withKey({ name: 'other', version })), 400, AUTHENTICATION,
    /refuses wrapKey/);
  await vault.setPermissions('gateway', ALL);
});
