// SPDX-License-Identifier: Apache-2.0
// Other people's clients, unmodified: rclone, az, the Python SDKs, the management SDK; and gatekeyctl.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { StorageManagementClient } from '@azure/arm-storage';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { program } from './lib/process.mjs';
import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, RESOURCE_GROUP, startStack, SUBSCRIPTION } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
let stack;
let directory;

before(async () => {
  stack = await startStack();
  directory = path.join(stack.directory, 'clients');
  mkdirSync(directory);
});
after(() => stack?.stop());

// Resolves with what it printed; a program that fails is the test's failure, in its own words.
function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20,
      env: { PATH: process.env.PATH, HOME: directory, NO_PROXY: 'localhost,127.0.0.1', ...env } },
    (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.code}\n${stderr}${stdout}`));
      else resolve(stdout);
    });
  });
}

/* --- rclone ------------------------------------------------------------------------------------*/

function hashesOf(tree) {
  const hashes = new Map();
  for (const name of readdirSync(tree, { recursive: true })) {
    const full = path.join(tree, name);
    if (statSync(full).isFile()) {
      hashes.set(name, createHash('sha256').update(readFileSync(full)).digest('hex'));
    }
  }
  return hashes;
}

function makeTree(tree) {
  const sizes = [0, 1, 100, 4095, 65535, 65536, 65537];
  for (let i = 0; i < 1000; i++) {
    const name = path.join(tree, `dir ${i % 7}`, `sub-${i % 3}`, `file ${i} ${'ä+&%#'[i % 5]}.bin`);
    mkdirSync(path.dirname(name), { recursive: true });
    // Few of each large size, and some that are uploaded by blocks.
    const size = i < 3 ? 9_000_000 + i : sizes[i % (i % 10 === 0 ? sizes.length : 4)];
    writeFileSync(name, randomBytes(size));
  }
}

test('rclone syncs a tree of 1,000 files there and back', async () => {
  // Over plain HTTP and with the account in the path, this version of rclone takes a SAS alone.
  const env = { RCLONE_CONFIG: '/dev/null', RCLONE_RETRIES: '1', RCLONE_LOW_LEVEL_RETRIES: '1',
    RCLONE_AZUREBLOB_SAS_URL: `${stack.blobEndpoint}?${encodeQuery(accountSas(stack))}` };
  const rclone = (...args) => run('rclone', args, env);
  const there = path.join(directory, 'there');
  const back = path.join(directory, 'back');
  const remote = ':azureblob:tree';
  makeTree(there);
  await rclone('sync', '--transfers', '8', '--azureblob-upload-cutoff', '4M', there, remote);
  await rclone('check', there, remote);
  await rclone('sync', '--transfers', '8', remote, back);
  assert.equal(hashesOf(back).size, 1000);
  assert.deepEqual(hashesOf(back), hashesOf(there));

  // Changed, new and removed files; what stayed is not sent again.
  const names = [...hashesOf(there).keys()];
  for (const name of names.slice(0, 20)) rmSync(path.join(there, name));
  for (const name of names.slice(20, 40)) writeFileSync(path.join(there, name), randomBytes(5000));
  writeFileSync(path.join(there, 'new'), 'new');
  await rclone('sync', there, remote);
  await rclone('sync', remote, back);
  assert.deepEqual(hashesOf(back), hashesOf(there));
  const listed = JSON.parse(await rclone('lsjson', '-R', '--files-only', remote));
  assert.equal(listed.length, 981);
  await rclone('purge', remote);
  assert.deepEqual(JSON.parse(await rclone('lsjson', ':azureblob:')), []);
});

/* --- az ----------------------------------------------------------------------------------------*/

test('az storage: container, upload, list, show, download, delete', async () => {
  const env = { AZURE_STORAGE_CONNECTION_STRING: stack.connectionString,
    AZURE_CONFIG_DIR: path.join(directory, 'azure'), AZURE_CORE_COLLECT_TELEMETRY: 'false' };
  const az = async (...args) => {
    const text = await run('/usr/bin/az', ['storage', ...args, '--only-show-errors', '--output', 'json'], env);
    return text.trim() === '' ? undefined : JSON.parse(text);
  };
  const up = path.join(directory, 'up');
  const down = path.join(directory, 'down');
  writeFileSync(up, randomBytes(300_000));
  assert.deepEqual(await az('container', 'create', '--name', 'from-az'), { created: true });
  await az('blob', 'upload', '--container-name', 'from-az', '--name', 'a/b c', '--file', up,
    '--content-type', 'application/x-az', '--metadata', 'from=az', 'two=2');
  const [listed] = await az('blob', 'list', '--container-name', 'from-az', '--include', 'm');
  assert.equal(listed.name, 'a/b c');
  assert.equal(listed.properties.contentLength, 300_000);
  assert.deepEqual(listed.metadata, { from: 'az', two: '2' });
  const shown = await az('blob', 'show', '--container-name', 'from-az', '--name', 'a/b c');
  assert.equal(shown.properties.contentSettings.contentType, 'application/x-az');
  assert.equal(shown.properties.serverEncrypted, true);
  await az('blob', 'download', '--container-name', 'from-az', '--name', 'a/b c', '--file', down);
  assert.ok(readFileSync(down).equals(readFileSync(up)));
  await az('blob', 'delete', '--container-name', 'from-az', '--name', 'a/b c');
  assert.deepEqual(await az('blob', 'list', '--container-name', 'from-az'), []);
  assert.deepEqual(await az('container', 'delete', '--name', 'from-az'), { deleted: true });
});

/* --- Python ------------------------------------------------------------------------------------*/

test('the Python SDKs take the demo’s tour', async () => {
  const owner = stack.vault.clients.admin;
  const out = await run(path.join(root, 'scripts', 'customer'), ['tour', path.join(root, 'LICENSE'),
    ...(onRados ? [] : [stack.gateway.store.place]), stack.gateway.logFile], {
    ACCOUNT: stack.account, CONNECTION_STRING: stack.connectionString,
    VAULT_URI: stack.vault.uri, VAULT_AUTHORITY: stack.vault.authority, VAULT_CA: stack.caFile,
    VAULT_TENANT_ID: stack.vault.tenantId, VAULT_CLIENT_ID: owner.clientId,
    VAULT_CLIENT_SECRET: owner.clientSecret, VAULT_KEY_NAME: stack.keyName,
    GATEKEYCTL: program('ctl', 'gatekeyctl'), GATEKEY_ENDPOINT: stack.managementEndpoint,
    GATEKEY_TOKEN_FILE: stack.gateway.tokenFile, GATEKEY_CA_FILE: stack.caFile });
  assert.match(out, /403 KeyVaultEncryptionKeyNotFound/);
  assert.match(out, /the file reads again/);
});

/* --- the management SDK ------------------------------------------------------------------------*/

function managementClient(token = stack.managementToken) {
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600e3 }) };
  return new StorageManagementClient(credential, SUBSCRIPTION, { endpoint: stack.managementEndpoint,
    tlsOptions: { ca: stack.ca }, retryOptions: { maxRetries: 0 } });
}

async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

test('@azure/arm-storage: an account’s life under keys of several kinds', async () => {
  const accounts = managementClient().storageAccounts;
  const name = 'managed';
  const { identity } = stack;
  const wanted = (version) => ({ keySource: 'Microsoft.Keyvault',
    encryptionIdentity: { encryptionUserAssignedIdentity: identity },
    keyVaultProperties: { keyVaultUri: stack.vault.uri, keyName: 'managed-key', keyVersion: version } });
  const first = (await stack.vault.createKey('managed-key')).properties.version;
  const wishedName = { name, type: 'Microsoft.Storage/storageAccounts' };
  assert.equal((await accounts.checkNameAvailability(wishedName)).nameAvailable, true);

  const created = await accounts.beginCreateAndWait(RESOURCE_GROUP, name, { kind: 'StorageV2',
    location: 'local', sku: { name: 'Standard_LRS' }, tags: { purpose: 'test' },
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
    encryption: wanted('') });
  assert.equal(created.provisioningState, 'Succeeded');
  assert.equal(created.name, name);
  assert.deepEqual(created.tags, { purpose: 'test' });
  assert.equal(created.encryption.keySource, 'Microsoft.Keyvault');
  assert.equal(created.encryption.keyVaultProperties.currentVersionedKeyIdentifier,
    `${stack.vault.uri}/keys/managed-key/${first}`);
  assert.equal(created.encryption.encryptionIdentity.encryptionUserAssignedIdentity, identity);
  assert.equal((await accounts.checkNameAvailability(wishedName)).reason, 'AlreadyExists');

  // One blob, written under the first key, is there after each change.
  const { keys } = await accounts.listKeys(RESOURCE_GROUP, name);
  assert.deepEqual(keys.map((key) => [key.keyName, key.permissions]), [['key1', 'FULL'], ['key2', 'FULL']]);
  assert.equal(Buffer.from(keys[0].value, 'base64').length, 64);
  assert.equal(new URL(created.primaryEndpoints.blob).hostname, `${name}.${stack.domain}`);
  const containerWith = (key) => new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${name}`,
    new StorageSharedKeyCredential(name, key), noRetry).getContainerClient('container');
  const blobWith = (key) => containerWith(key).getBlockBlobClient('blob');
  const content = randomBytes(100_000);
  await containerWith(keys[0].value).create();
  await blobWith(keys[0].value).upload(content, content.length);
  const stillThere = async (what, key = keys[1].value) =>
    assert.ok((await blobWith(key).downloadToBuffer()).equals(content), what);
  const inUse = async () => (await accounts.getProperties(RESOURCE_GROUP, name)).encryption
    .keyVaultProperties?.currentVersionedKeyIdentifier?.split('/').pop();
  await stillThere('under the first key');

  const second = await stack.vault.rotate('managed-key');
  const fixed = await accounts.update(RESOURCE_GROUP, name, { encryption: wanted(second) });
  assert.equal(fixed.encryption.keyVaultProperties.keyVersion, second);
  assert.equal(await inUse(), second);
  await stillThere('under a version that was named');

  // A version that is named stays, whatever the vault rotates to.
  const third = await stack.vault.rotate('managed-key');
  await stack.checkKey(name);
  assert.equal(await inUse(), second);
  await accounts.update(RESOURCE_GROUP, name, { encryption: wanted('') });
  assert.equal(await inUse(), third);
  await stillThere('back on the current version');

  const own = await accounts.update(RESOURCE_GROUP, name, { encryption: { keySource: 'Microsoft.Storage' } });
  assert.equal(own.encryption.keySource, 'Microsoft.Storage');
  assert.equal(own.encryption.keyVaultProperties, undefined);
  await stillThere('under the service key');
  const versions = await stack.vault.disableAllVersions('managed-key');
  await stillThere('under the service key with the customer key disabled');
  await refused(accounts.update(RESOURCE_GROUP, name, { encryption: wanted('') }), 400, 'KeyVaultPolicyError');
  await stillThere('after a refused change');
  await stack.vault.enableVersions('managed-key', versions);
  await accounts.update(RESOURCE_GROUP, name, { encryption: wanted('') });
  assert.equal(await inUse(), third);
  await stillThere('under the customer key again');

  // As the host's own managed identity: no secret is involved.
  await accounts.update(RESOURCE_GROUP, name, {
    identity: { type: 'SystemAssigned,UserAssigned', userAssignedIdentities: { [identity]: {} } },
    encryption: { ...wanted(''), encryptionIdentity: { encryptionUserAssignedIdentity: '' } } });
  const { next } = await stack.vault.calls();
  await stack.checkKey(name);
  const { calls } = await stack.vault.calls(next);
  assert.ok(calls.some((call) => call.operation === 'unwrapKey' && call.identity === 'host'));
  await stillThere('under the system-assigned identity');

  const renewed = await accounts.regenerateKey(RESOURCE_GROUP, name, { keyName: 'key1' });
  assert.notEqual(renewed.keys[0].value, keys[0].value);
  assert.equal(renewed.keys[1].value, keys[1].value);
  await refused(blobWith(keys[0].value).getProperties(), 403);
  await stillThere('with the new key', renewed.keys[0].value);

  const names = (items) => items.map((item) => item.name).sort();
  assert.deepEqual(names(await all(accounts.list())), [stack.account, name].sort());
  assert.deepEqual(names(await all(accounts.listByResourceGroup(RESOURCE_GROUP))), [stack.account, name].sort());
  assert.deepEqual(names(await all(accounts.listByResourceGroup('elsewhere'))), []);
  await accounts.delete(RESOURCE_GROUP, name);
  await refused(accounts.getProperties(RESOURCE_GROUP, name), 404, 'ResourceNotFound');
  await refused(blobWith(keys[1].value).getProperties(), 403);
});

test('@azure/arm-storage: what is told of a key, and which services are under it', async () => {
  const client = managementClient();
  const name = 'reported';
  const encryptionOf = (services) => ({ keySource: 'Microsoft.Keyvault', services,
    encryptionIdentity: { encryptionUserAssignedIdentity: stack.identity },
    keyVaultProperties: { keyVaultUri: stack.vault.uri, keyName: 'reported-key', keyVersion: '' } });
  await stack.vault.admin.createRsaKey('reported-key');
  await stack.vault.admin.updateKeyRotationPolicy('reported-key', { expiresIn: 'P90D', lifetimeActions: [] });
  const { encryption: made } = await client.storageAccounts.beginCreateAndWait(RESOURCE_GROUP, name, {
    kind: 'StorageV2', location: 'local', sku: { name: 'Standard_LRS' },
    identity: { type: 'UserAssigned', userAssignedIdentities: { [stack.identity]: {} } },
    encryption: encryptionOf({ queue: { keyType: 'Account' } }) });
  assert.deepEqual(['blob', 'file', 'queue', 'table'].map((service) => made.services[service]?.keyType),
    ['Account', 'Account', 'Account', undefined]);
  assert.equal(made.keyVaultProperties.currentVersionedKeyExpirationTimestamp, undefined, 'the first has no end');
  for (const services of [{ queue: { keyType: 'Service' } }, { table: { keyType: 'Account' } }]) {
    await refused(client.storageAccounts.update(RESOURCE_GROUP, name, { encryption: { services } }), 400,
      'InvalidRequestPropertyValue');
  }
  await client.encryptionScopes.put(RESOURCE_GROUP, name, 'told', { source: 'Microsoft.KeyVault',
    keyVaultProperties: { keyUri: `${stack.vault.uri}/keys/reported-key` } });

  const began = Date.now();
  const { properties } = await stack.vault.admin.rotateKey('reported-key');
  await stack.checkKey(name);
  const told = (await client.storageAccounts.getProperties(RESOURCE_GROUP, name)).encryption.keyVaultProperties;
  assert.equal(told.currentVersionedKeyIdentifier, properties.id);
  assert.deepEqual(told.currentVersionedKeyExpirationTimestamp, properties.expiresOn);
  assert.ok(told.lastKeyRotationTimestamp >= began && told.lastKeyRotationTimestamp <= Date.now());
  await stack.management.good('POST', `${stack.accountPath(name)}/encryptionScopes/told/gatekeyCheckKey`);
  const scope = (await client.encryptionScopes.get(RESOURCE_GROUP, name, 'told')).keyVaultProperties;
  assert.equal(scope.currentVersionedKeyIdentifier, properties.id);
  assert.ok(scope.lastKeyRotationTimestamp >= began && scope.lastKeyRotationTimestamp <= Date.now());
  await client.storageAccounts.delete(RESOURCE_GROUP, name);
});

test('@azure/arm-storage: keys that are refused, each with what to do', async () => {
  const accounts = managementClient().storageAccounts;
  const identity = { type: 'UserAssigned', userAssignedIdentities: { [stack.identity]: {} } };
  const attempt = (keyVaultProperties, more = {}) => accounts.beginCreateAndWait(RESOURCE_GROUP, 'refused', {
    kind: 'StorageV2', location: 'local', sku: { name: 'Standard_LRS' }, identity,
    encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties,
      encryptionIdentity: { encryptionUserAssignedIdentity: stack.identity } }, ...more });
  const keyVaultUri = stack.vault.uri;
  await stack.vault.createKey('disabled-key');
  await stack.vault.disableAllVersions('disabled-key');
  await stack.vault.createKey('unwrap-only', 2048, { keyOps: ['unwrapKey'] });
  const cases = {
    'no such key': [{ keyVaultUri, keyName: 'nobody' }],
    'no such version': [{ keyVaultUri, keyName: stack.keyName, keyVersion: '0'.repeat(32) }],
    'a disabled key': [{ keyVaultUri, keyName: 'disabled-key' }],
    'a key that may not wrap': [{ keyVaultUri, keyName: 'unwrap-only' }],
    'a vault that is not trusted': [{ keyVaultUri: 'https://localhost:1', keyName: 'x' }],
    'no key name': [{ keyVaultUri }],
    'an identity of nobody': [{ keyVaultUri, keyName: stack.keyName }, { identity:
      { type: 'UserAssigned', userAssignedIdentities: { [`${stack.identity}-other`]: {} } } }],
    'no identity': [{ keyVaultUri, keyName: stack.keyName }, { identity: { type: 'None' } }],
  };
  for (const [what, [key, more]] of Object.entries(cases)) {
    await assert.rejects(attempt(key, more), (error) => {
      assert.ok(error.statusCode >= 400 && error.statusCode < 500, `${what}: ${error.statusCode} ${error.message}`);
      assert.ok(error.code && error.message.length > 20, `${what}: ${error.code} ${error.message}`);
      return true;
    }, what);
    await refused(accounts.getProperties(RESOURCE_GROUP, 'refused'), 404, 'ResourceNotFound');
  }
  await refused(managementClient('not-the-token').storageAccounts.getProperties(RESOURCE_GROUP, stack.account), 401);
});

/* --- gatekeyctl --------------------------------------------------------------------------------*/

async function ctl(...args) {
  const { code, stdout, stderr } = await stack.ctl(...args);
  assert.equal(code, 0, `gatekeyctl ${args.join(' ')}: ${code} ${stderr}`);
  assert.equal(stderr, '');
  return stdout;
}

test('gatekeyctl: accounts, for people and for programs', async () => {
  const key = (await stack.vault.createKey('ctl-key')).properties.version;
  const made = await ctl('account', 'create', 'byhand', '--vault', stack.vault.uri, '--key', 'ctl-key',
    '--identity', stack.identity, '--tag', 'team=a');
  assert.match(made, /^Account +byhand$/m);
  assert.match(made, /^State +active - /m);
  assert.match(made, /^Tags +team=a$/m);
  assert.match(made, new RegExp(`^In use +${stack.vault.uri}/keys/ctl-key/${key}$`, 'm'));
  assert.match(await ctl('account', 'show', 'byhand'), /^Version rule +automatic/m);
  const shown = JSON.parse(await ctl('account', 'show', 'byhand', '--json'));
  assert.equal(shown.properties.encryption.keyvaultproperties.keyname, 'ctl-key');
  assert.match(await ctl('account', 'list'), /^byhand +active +https:.*ctl-key/m);
  assert.ok(JSON.parse(await ctl('account', 'list', '--json')).some((item) => item.name === 'byhand'));

  const second = await stack.vault.rotate('ctl-key');
  assert.match(await ctl('account', 'update', 'byhand', '--key-version', second), /^Version rule +fixed/m);
  assert.match(await ctl('account', 'update', 'byhand', '--automatic-version'), /^Version rule +automatic/m);
  assert.match(await ctl('account', 'update', 'byhand', '--service-managed'), /^State +service-managed/m);
  assert.match(await ctl('account', 'update', 'byhand', '--vault', stack.vault.uri, '--key', 'ctl-key',
    '--identity', stack.identity), /^State +active/m);

  assert.match(await ctl('account', 'keys', 'byhand'), /^key1 +\S{88}\nkey2 +\S{88}\n$/);
  const before = JSON.parse(await ctl('account', 'keys', 'byhand', '--json'));
  const after_ = JSON.parse(await ctl('account', 'keys', 'byhand', '--regenerate', 'key2', '--json'));
  assert.equal(after_[0].value, before[0].value);
  assert.notEqual(after_[1].value, before[1].value);
  const connection = await ctl('account', 'keys', 'byhand', '--connection-string', '--blob-endpoint',
    stack.gateway.ready.blob_endpoint);
  const service = BlobServiceClient.fromConnectionString(connection.trim(), noRetry);
  assert.deepEqual(await all(service.listContainers()), []);

  assert.equal((await stack.ctl('account', 'delete', 'byhand')).code, 2, '--yes is needed');
  assert.match(await ctl('account', 'delete', 'byhand', '--yes'), /byhand is deleted/);
  const gone = await stack.ctl('account', 'show', 'byhand');
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^gatekeyctl: .*was not found/);
  assert.match(await ctl('account', 'create', 'plain'), /^State +service-managed/m);
  assert.match(await ctl('account', 'delete', 'plain', '--yes'), /plain is deleted/);
});

test('gatekeyctl: the state of keys, and its exit codes', async () => {
  assert.match(await ctl('key', 'status'), new RegExp(`^${stack.account} +active`, 'm'));
  assert.match(await ctl('key', 'check', stack.account), /^State +active/m);
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await stack.ctl('key', 'status', stack.account)).code === 4, 'exit code 4');
  const dark = await stack.ctl('key', 'status', stack.account);
  assert.match(dark.stdout, /^State +revoked - /m);
  assert.match(dark.stdout, /^Reason code +\S*KeyDisabled/m);
  assert.match(dark.stdout, /^What to do +\S/m);
  assert.equal((await stack.ctl('key', 'status')).code, 4);
  const json = await stack.ctl('key', 'status', stack.account, '--json');
  assert.equal(json.code, 4);
  assert.equal(JSON.parse(json.stdout).properties.gatekey.state, 'revoked');
  assert.match(await ctl('key', 'status', stack.account, '--no-fail'), /revoked/);
  await stack.vault.enableVersions(stack.keyName, versions);
  assert.match(await ctl('key', 'check', stack.account), /^State +active/m);

  assert.equal((await stack.ctl('account', 'show')).code, 2);
  assert.equal((await stack.ctl('no', 'command')).code, 2);
  assert.equal((await stack.ctl('account', 'list', '--endpoint', 'https://127.0.0.1:1')).code, 3);
});

// A command line is seen by everybody on the machine, and plain HTTP by everybody on the way.
test('gatekeyctl: no secret on the command line, nor over plain HTTP', async () => {
  const { stdout: overview } = await stack.ctl('--help');
  const commands = [...overview.matchAll(/^ {2}([a-z].*?) {2,}/gm)].map(([, words]) =>
    words.split(' ').filter((word) => /^[a-z][a-z-]+$/.test(word)));
  assert.ok(commands.length > 20, overview);
  for (const words of commands) {
    const options = [...(await ctl(...words, '--help')).matchAll(/^ {2}(--\S+) ?(\S*)/gm)];
    for (const [, name, value] of options) {
      if (/token|secret|password|client-key/.test(name)) assert.equal(value, 'FILE', `${words.join(' ')} ${name}`);
    }
  }
  const token = await stack.ctl('account', 'list', '--token', 'x');
  assert.deepEqual([token.code, token.stdout], [2, '']);
  const plain = await stack.ctl('account', 'list', '--endpoint', stack.gateway.ready.blob_endpoint);
  assert.deepEqual([plain.code, plain.stdout], [2, '']);
  assert.match(plain.stderr, /--endpoint https:/);
});

test('gatekeyctl: what makes a file tells programs of it', async () => {
  const key = path.join(directory, 'service.key');
  assert.deepEqual(JSON.parse(await ctl('service-key', 'create', '--out', key, '--json')), { file: key });
  const backup = path.join(directory, 'backup');
  const { sequence, ...made } = JSON.parse(await ctl('account', 'export', stack.account, '--out', backup, '--json'));
  assert.deepEqual(made, { file: backup, account: stack.account, scopes: 0 });
  assert.equal(sequence, JSON.parse(readFileSync(backup, 'utf8')).sequence);
});
