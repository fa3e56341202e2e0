// SPDX-License-Identifier: Apache-2.0
// Accounts whose keys are in a transit engine, as OpenBao and HashiCorp Vault have it, beside one of Key
// Vault, in one gateway: their lives from the first key to the last refusal. Takes some 20 seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { makeIdentityProvider } from './lib/identity.mjs';
import { accountBody, noRetry, startStack } from './lib/stack.mjs';

const NAME = 'tenant-key';
const issuer = makeIdentityProvider();
let stack;
let transit;

before(async () => {
  stack = await startStack({ vaultDeadlineMs: 2000, transit: { namespace: 'team', mount: 'storage/transit', issuer } });
  ({ transit } = stack);
  await transit.createKey(NAME);
});
after(() => stack?.stop());

const keyOf = (name = NAME, version = '') => ({ vaultUri: transit.uri, name, version });
const manage = (method, name, body) =>
  stack.management.request(method, `${stack.accountPath(name)}?api-version=2023-05-01`, { body });

async function containerOf(account, options = {}) {
  const [{ value }] = await stack.keysOf(account);
  const container = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}`,
    new StorageSharedKeyCredential(account, value), noRetry).getContainerClient('transit');
  await container.createIfNotExists();
  const blob = container.getBlockBlobClient(options.encryptionScope ?? 'blob');
  return {
    write: async () => {
      const bytes = randomBytes(10000);
      await blob.upload(bytes, bytes.length, options);
      return bytes;
    },
    read: async () => {
      const parts = [];
      for await (const part of (await blob.download()).readableStreamBody) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}

const stateIs = (account, state) => stack.until(async () => (await stack.keyStatus(account)).state === state,
  `${account} to be ${state}`);

// The account goes dark for the reason that is named, and is light again when that is mended.
async function revokedAndBack(account, { take, give, reason, code = 'KeyVaultEncryptionKeyNotFound' }) {
  const { write, read } = await containerOf(account);
  const bytes = await write();
  await take();
  await stateIs(account, 'revoked');
  assert.equal((await stack.keyStatus(account)).reasonCode, reason);
  await assert.rejects(read(), { statusCode: 403, code });
  await give();
  await stateIs(account, 'active');
  assert.deepEqual(await read(), bytes);
}

test('the stand-in is what node-vault, written for the real ones, takes for one', async () => {
  const { owner } = transit;
  const at = (action, name) => `${transit.mount}/${action}/${name}`;
  await transit.createKey('probe');
  const plaintext = randomBytes(32).toString('base64');
  const { data: { ciphertext } } = await owner.write(at('encrypt', 'probe'), { plaintext });
  assert.equal((await owner.write(at('decrypt', 'probe'), { ciphertext })).data.plaintext, plaintext);
  await transit.rotate('probe');
  const { data } = await owner.read(at('keys', 'probe'));
  assert.deepEqual([data.type, data.latest_version, Object.keys(data.keys)], ['aes256-gcm96', 2, ['1', '2']]);
  await transit.configureKey('probe', { min_decryption_version: 2 });
  await assert.rejects(owner.write(at('decrypt', 'probe'), { ciphertext }), /too old/);
  await assert.rejects(owner.write(at('encrypt', 'nothing'), { plaintext }), /encryption key not found/);
  const stranger = transit.client({ namespace: transit.namespace, token: 'hvs.nobody' });
  await assert.rejects(stranger.read(at('keys', 'probe')), /permission denied/);
  assert.equal((await transit.admin.health()).sealed, false);
});

test('an account is made under a transit key, and the audit names it', async () => {
  await stack.createAccount('kept', keyOf(), transit.resourceId);
  const { write, read } = await containerOf('kept');
  assert.deepEqual(await write(), await read());
  const status = await stack.keyStatus('kept');
  assert.equal(status.state, 'active');
  assert.equal(status.currentKeyIdentifier, `${transit.uri}/keys/${NAME}/1`);
  const made = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter((line) => line !== '')
    .map((line) => JSON.parse(line)).find(({ event, account }) => event === 'account.create' && account === 'kept');
  assert.equal(made.outcome, 'ok');
  assert.ok(JSON.stringify(made).includes(`${transit.uri}/keys/${NAME}/1`));
});

test('a new version is taken at the check, and the one before may be disabled', async () => {
  const { write, read } = await containerOf('kept');
  const bytes = await write();
  await transit.rotate(NAME);
  assert.equal((await stack.ctl('key', 'check', 'kept')).code, 0);
  assert.equal((await stack.keyStatus('kept')).currentKeyIdentifier, `${transit.uri}/keys/${NAME}/2`);
  await transit.configureKey(NAME, { min_decryption_version: 2 });
  assert.equal((await stack.ctl('key', 'check', 'kept')).code, 0);
  await stateIs('kept', 'active');
  assert.deepEqual(await read(), bytes);
});

test('what the owner of the key takes away is revoked, and what is given back returns', async () => {
  await revokedAndBack('kept', { reason: 'PermissionDenied',
    take: () => transit.setPermitted(false), give: () => transit.setPermitted(true) });
  await revokedAndBack('kept', { reason: 'KeyDeleted',
    take: () => transit.softDelete(NAME), give: () => transit.restore(NAME) });
  await revokedAndBack('kept', { reason: 'KeyVersionDisabled',
    take: async () => {
      await transit.rotate(NAME);
      await transit.configureKey(NAME, { min_decryption_version: 3 });
    },
    give: () => transit.configureKey(NAME, { min_decryption_version: 1 }) });
  const { engine } = transit.state;
  await revokedAndBack('kept', { reason: 'EngineNotFound',
    take: transit.disableEngine, give: () => { transit.state.engine = engine; } });
});

test('tokens that are gone are replaced, and a secret id that is gone revokes', async () => {
  const logins = transit.countCalls('auth/approle/login', 200);
  transit.revokeTokens();
  await stack.until(() => transit.countCalls('auth/approle/login', 200) > logins, 'another login');
  await stateIs('kept', 'active');
  await revokedAndBack('kept', { reason: 'LoginRefused', code: 'KeyVaultAccessTokenCannotBeAcquired',
    take: () => {
      transit.state.secretIds.clear();
      transit.revokeTokens();
    },
    give: transit.newSecretId });
});

test('a sealed vault, and answers that are no refusal of a vault’s, are silence: the key stays', async () => {
  const { write, read } = await containerOf('kept');
  const bytes = await write();
  await transit.seal();
  await stateIs('kept', 'unreachable');
  assert.match((await stack.keyStatus('kept')).reason, /sealed/);
  assert.deepEqual(await read(), bytes);
  await transit.unseal();
  await stateIs('kept', 'active');
  for (const answer of [{ status: 403, json: { message: 'of a proxy in between' } },
    { status: 403, json: { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] } },
    { status: 200, json: { data: { plaintext: randomBytes(31).toString('base64') } } }]) {
    transit.state.fault = (method, where) => (where.includes('/decrypt/') ? answer : undefined);
    await stateIs('kept', 'unreachable');
    transit.state.fault = () => undefined;
    await stateIs('kept', 'active');
  }
});

test('a login by a foreign token serves as well, and its role can be taken away', async () => {
  await stack.createAccount('foreign', keyOf(), transit.jwtResourceId);
  await revokedAndBack('foreign', { reason: 'RoleNotFound', code: 'KeyVaultAccessTokenCannotBeAcquired',
    take: async () => {
      await transit.removeJwtRole();
      transit.revokeTokens();
    },
    give: transit.addJwtRole });
  // A token that its issuer does not renew, or an issuer that cannot be asked, is no refusal.
  writeFileSync(path.join(stack.directory, 'transit', 'jwt'),
    `${issuer.token('gateway', { claims: { exp: 1 } })}\n`);
  transit.revokeTokens();
  await stateIs('foreign', 'unreachable');
  writeFileSync(path.join(stack.directory, 'transit', 'jwt'), `${issuer.token('gateway')}\n`);
  await stateIs('foreign', 'active');
});

test('a login by a certificate serves as well, and its role can be taken away', async () => {
  await stack.createAccount('shown', keyOf(), transit.tlsResourceId);
  await revokedAndBack('shown', { reason: 'LoginRefused', code: 'KeyVaultAccessTokenCannotBeAcquired',
    take: async () => {
      await transit.removeCertRole();
      transit.revokeTokens();
    },
    give: transit.addCertRole });
});

test('an account goes from Key Vault to a transit engine and back while it is read', async () => {
  const { write, read } = await containerOf(stack.account);
  const bytes = await write();
  const running = { on: true };
  const reads = (async () => {
    let count = 0;
    for (; running.on; count++) assert.deepEqual(await read(), bytes);
    return count;
  })();
  reads.catch(() => {});
  const move = async (identity, key) => {
    const body = accountBody(identity, key);
    const answer = await manage('PATCH', stack.account, { identity: body.identity, properties: body.properties });
    assert.equal(answer.status, 200, answer.body);
    return (await stack.keyStatus()).currentKeyIdentifier;
  };
  assert.equal(await move(transit.resourceId, keyOf()), `${transit.uri}/keys/${NAME}/3`);
  assert.ok((await move(stack.identity, { vaultUri: stack.vault.uri, name: stack.keyName })).startsWith(stack.vault.uri));
  assert.equal(await move(transit.resourceId, keyOf(NAME, '2')), `${transit.uri}/keys/${NAME}/2`);
  running.on = false;
  assert.ok(await reads > 0);
  await stack.gateway.restart();
  assert.deepEqual(await (await containerOf(stack.account)).read(), bytes);
});

test('an encryption scope has a transit key of its own, and goes dark by itself', async () => {
  const path = `${stack.accountPath('kept')}/encryptionScopes/apart`;
  const scope = async () => (await stack.management.good('GET', path)).properties;
  await transit.createKey('scope-key');
  await stack.management.good('PUT', path, { body: { properties: { source: 'Microsoft.KeyVault',
    keyVaultProperties: { keyUri: `${transit.uri}/keys/scope-key` } } } });
  assert.equal((await scope()).keyVaultProperties.currentVersionedKeyIdentifier, `${transit.uri}/keys/scope-key/1`);
  const inScope = await containerOf('kept', { encryptionScope: 'apart' });
  const outside = await containerOf('kept');
  const bytes = await inScope.write();
  assert.deepEqual(await inScope.read(), bytes);
  await transit.softDelete('scope-key');
  await stack.until(async () => (await scope()).gatekey.state === 'revoked', 'the scope to be dark');
  await assert.rejects(inScope.read(), { statusCode: 403, code: 'KeyVaultEncryptionKeyNotFound' });
  assert.deepEqual(await outside.write(), await outside.read());
  await transit.restore('scope-key');
});

test('keys and identities that do not fit are refused with what to do', async () => {
  await transit.createKey('derived', { derived: true });
  await transit.createKey('rsa', { type: 'rsa-4096' });
  await transit.createKey('deletable');
  await transit.configureKey('deletable', { deletion_allowed: true });
  await transit.createKey('deleted');
  await transit.softDelete('deleted');
  for (const [key, identity, message] of [
    [keyOf('derived'), transit.resourceId, /not derived/],
    [keyOf('rsa'), transit.resourceId, /aes256-gcm96/],
    [keyOf('deletable'), transit.resourceId, /deletion_allowed/],
    [keyOf('deleted'), transit.resourceId, /enable it/],
    [keyOf('nothing'), transit.resourceId, /no such key/],
    [keyOf('Upper'), transit.resourceId, /lower-case/],
    [keyOf(NAME, '78deebed173b48e48f55abf87ed4cf71'), transit.resourceId, /number/],
    [keyOf(NAME, '9'), transit.resourceId, /enable it/],
    [keyOf(), stack.identity, /approle, jwt or tls/],
    [{ vaultUri: stack.vault.uri, name: stack.keyName }, transit.resourceId, /approle, jwt or tls/],
  ]) {
    const answer = await manage('PUT', 'unfit', accountBody(identity, key));
    assert.equal(answer.status, 400, `${key.name}: ${answer.body}`);
    assert.match(answer.json.error.message, message);
  }
  assert.equal((await manage('GET', 'unfit')).status, 404);
});

test('a key that is deleted is gone for good, and one of its name is another', async () => {
  await transit.createKey('short-lived');
  await stack.createAccount('ended', keyOf('short-lived'), transit.resourceId);
  const { write, read } = await containerOf('ended');
  await write();
  await transit.deleteKey('short-lived');
  await stateIs('ended', 'revoked');
  assert.equal((await stack.keyStatus('ended')).reasonCode, 'KeyNotFound');
  await transit.createKey('short-lived');
  await stack.until(async () => (await stack.keyStatus('ended')).reasonCode === 'KeyIsAnother', 'the other key to be noticed');
  await assert.rejects(read(), { statusCode: 403, code: 'KeyVaultEncryptionKeyNotFound' });
});

test('no secret of a login is in any log', () => {
  const secrets = [...transit.state.secretIds.keys(), ...transit.state.tokens.keys(),
    readFileSync(path.join(stack.directory, 'transit', 'jwt'), 'utf8').trim()];
  for (const file of [stack.gateway.logFile, stack.gateway.auditFile]) {
    const text = readFileSync(file, 'utf8');
    for (const secret of secrets) assert.ok(!text.includes(secret), `${file} holds a secret`);
  }
});
