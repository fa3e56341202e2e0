// SPDX-License-Identifier: Apache-2.0
// keyvaultd against the vendor's own Key Vault SDK: what a key does in each of its states, who may do
// what, what survives a restart, and that the fault switch does what the other tests rely on.
import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';

import { makeAuthority } from './lib/certificates.mjs';
import { startVault } from './lib/vault.mjs';

const noRetry = { retryOptions: { maxRetries: 0 } };
const ALGORITHMS = ['RSA-OAEP-256', 'RSA-OAEP', 'RSA1_5'];
const HOUR_MS = 3600e3;

let directory;
let authority;
let vault;

before(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'gatekey-keyvaultd-'));
  authority = makeAuthority(path.join(directory, 'ca'));
  vault = await startVault(path.join(directory, 'vault'), { authority });
});
after(async () => {
  await vault?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function refused(promise, status, innerCode) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status, error.message);
    if (innerCode) assert.equal(error.details?.error?.innerError?.code, innerCode);
    return true;
  });
}

async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

// The private operations are sent; wrapping with these clients may be done locally by the SDK.
const unwraps = async (who, id, wrapped, alg = 'RSA-OAEP-256') =>
  Buffer.from((await vault.cryptography(who, id, noRetry).unwrapKey(alg, wrapped)).result);

// Past the SDK, which wraps locally where it can and checks dates and uses itself; with a fresh token.
async function bare(who, method, target, body) {
  const token = await vault.credential(who).getToken(`${vault.resource}/.default`);
  return vault.request(method, `${target}?api-version=7.4`, {
    headers: { authorization: `Bearer ${token.token}` }, body: body && JSON.stringify(body) });
}
const post = (who, keyId, operation, body) => bare(who, 'POST', `${new URL(keyId).pathname}/${operation}`, body);
const wraps = (who, keyId, bytes, alg = 'RSA-OAEP-256') =>
  post(who, keyId, 'wrapkey', { alg, value: bytes.toString('base64url') });
const bareUnwraps = async (who, keyId, wrapped) => {
  const answer = await post(who, keyId, 'unwrapkey', { alg: 'RSA-OAEP-256', value: wrapped.toString('base64url') });
  assert.equal(answer.status, 200, answer.body);
  return Buffer.from(answer.json.value, 'base64url');
};

async function atOffset(offsetMs, action) {
  await vault.setClock(offsetMs);
  try {
    await action();
  } finally {
    await vault.setClock(0);
  }
}

for (const size of [2048, 3072, 4096]) {
  test(`RSA ${size}: created, read, wraps, unwraps, encrypts and decrypts`, async () => {
    const key = await vault.createKey(`size-${size}`, size, { tags: { purpose: 'test' } });
    assert.equal(key.keyType, 'RSA');
    assert.equal(key.key.n.length, size / 8);
    assert.equal(key.properties.recoveryLevel, 'Recoverable');
    assert.equal(key.properties.recoverableDays, 90);
    assert.deepEqual(key.properties.tags, { purpose: 'test' });
    assert.equal(key.key.d, undefined);
    const got = await vault.keyClient('gateway').getKey(`size-${size}`);
    assert.deepEqual(Buffer.from(got.key.n), Buffer.from(key.key.n));
    const secret = randomBytes(32);
    for (const alg of ALGORITHMS) {
      const client = vault.cryptography('admin', key.id);
      const wrapped = await client.wrapKey(alg, secret);
      assert.equal(wrapped.keyID, key.id);
      assert.equal(wrapped.result.length, size / 8);
      assert.deepEqual(await unwraps('gateway', key.id, wrapped.result, alg), secret);
      const remote = await wraps('gateway', key.id, secret, alg);
      assert.equal(remote.status, 200);
      assert.equal(remote.json.kid, key.id);
      assert.deepEqual(await unwraps('gateway', key.id, Buffer.from(remote.json.value, 'base64url'), alg), secret);
      const sealed = await client.encrypt({ algorithm: alg, plaintext: secret });
      const opened = await client.decrypt({ algorithm: alg, ciphertext: sealed.result });
      assert.deepEqual(Buffer.from(opened.result), secret);
    }
  });
}

test('the ciphers are those of another implementation', async () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = pair.privateKey.export({ format: 'jwk' });
  const binary = Object.fromEntries(Object.entries(jwk).filter(([name]) => name !== 'kty')
    .map(([name, value]) => [name, Buffer.from(value, 'base64url')]));
  const key = await vault.admin.importKey('imported', { kty: 'RSA', keyOps: ['wrapKey', 'unwrapKey'], ...binary });
  assert.deepEqual(Buffer.from(key.key.n), binary.n);
  assert.deepEqual(key.keyOperations, ['wrapKey', 'unwrapKey']);
  const secret = randomBytes(32);
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  assert.deepEqual(await unwraps('gateway', key.id, publicEncrypt({ key: pair.publicKey, ...oaep }, secret)), secret);
  const wrapped = await wraps('gateway', key.id, secret);
  assert.deepEqual(privateDecrypt({ key: pair.privateKey, ...oaep }, Buffer.from(wrapped.json.value, 'base64url')),
    secret);
  const decrypt = await post('admin', key.id, 'decrypt', { alg: 'RSA-OAEP-256', value: randomBytes(256).toString('base64url') });
  assert.equal(decrypt.status, 403);
  assert.equal(decrypt.json.error.innererror.code, 'KeyOperationForbidden');
  await refused(vault.admin.importKey('broken', { kty: 'RSA', ...binary, d: randomBytes(256) }), 400);
});

test('versions: each opens its own, the current one is what a bare name means', async () => {
  const first = await vault.createKey('versions');
  const secret = randomBytes(32);
  const wrapped = (await wraps('gateway', first.id, secret)).json;
  const second = await vault.rotate('versions');
  assert.notEqual(second, first.properties.version);
  assert.equal((await vault.admin.getKey('versions')).properties.version, second);
  assert.equal((await vault.admin.getKey('versions', { version: first.properties.version })).id, first.id);
  assert.deepEqual(await unwraps('gateway', first.id, Buffer.from(wrapped.value, 'base64url')), secret);
  await refused(unwraps('gateway', `${vault.uri}/keys/versions/${second}`, Buffer.from(wrapped.value, 'base64url')),
    400);
  const bare = await wraps('gateway', `${vault.uri}/keys/versions`, secret);
  assert.equal(bare.json.kid, `${vault.uri}/keys/versions/${second}`);
  const listed = await all(vault.admin.listPropertiesOfKeyVersions('versions'));
  assert.deepEqual(listed.map((item) => item.version), [first.properties.version, second]);
});

const DAY_MS = 24 * HOUR_MS;

test('a rotation policy makes versions on its days, and their ends', async () => {
  const first = await vault.createKey('by-policy', 2048, { tags: { a: 'b' } });
  const before = await vault.admin.getKeyRotationPolicy('by-policy');
  assert.deepEqual(before.lifetimeActions, [{ action: 'Notify', timeBeforeExpiry: 'P30D', timeAfterCreate: undefined }]);
  const set = await vault.admin.updateKeyRotationPolicy('by-policy', { expiresIn: 'P90D',
    lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }, { action: 'Notify', timeBeforeExpiry: 'P10D' }] });
  assert.equal(set.id, `${vault.uri}/keys/by-policy/rotationpolicy`);
  assert.equal(set.expiresIn, 'P90D');
  assert.deepEqual(set.lifetimeActions.map((item) => item.action), ['Rotate', 'Notify']);
  assert.ok(set.createdOn && set.updatedOn);
  assert.deepEqual(await vault.admin.getKeyRotationPolicy('by-policy'), set);

  const rotated = await vault.admin.rotateKey('by-policy');
  assert.equal(rotated.properties.expiresOn - rotated.properties.createdOn, 90 * DAY_MS, 'also when asked for');
  assert.equal((await vault.admin.getKey('by-policy', { version: first.properties.version })).properties.expiresOn,
    undefined, 'only new versions end');
  const current = async () => (await bare('gateway', 'GET', '/keys/by-policy')).json;
  await atOffset(29 * DAY_MS, async () => assert.equal((await current()).key.kid, rotated.id));
  let second;
  await atOffset(31 * DAY_MS, async () => {
    const together = await Promise.all(Array.from({ length: 8 }, current));
    second = together[0];
    assert.equal(new Set(together.map((answer) => answer.key.kid)).size, 1, 'one of many requests rotates');
  });
  assert.notEqual(second.key.kid, rotated.id);
  assert.equal(second.attributes.exp - second.attributes.created, 90 * 86400);
  assert.ok(second.attributes.created * 1000 - rotated.properties.createdOn >= 30 * DAY_MS);
  assert.deepEqual(second.tags, { a: 'b' });
  assert.equal((await all(vault.admin.listPropertiesOfKeyVersions('by-policy'))).length, 3);

  await vault.admin.updateKeyRotationPolicy('by-policy', { expiresIn: 'P90D',
    lifetimeActions: [{ action: 'Rotate', timeBeforeExpiry: 'P30D' }] });
  await atOffset(90 * DAY_MS, async () => assert.equal((await current()).key.kid, second.key.kid));
  await atOffset(92 * DAY_MS, async () => assert.notEqual((await current()).key.kid, second.key.kid));
  await vault.disableVersion('by-policy', (await vault.admin.getKey('by-policy')).properties.version);
  await atOffset(300 * DAY_MS, async () => assert.equal((await current()).attributes.enabled, false, 'rests'));
});

test('rotation policies: who may, and what is refused', async () => {
  await vault.createKey('policy-refused');
  const put = (body, who = 'admin') => bare(who, 'PUT', '/keys/policy-refused/rotationpolicy', body);
  const rotate = (trigger) => ({ lifetimeActions: [{ trigger, action: { type: 'Rotate' } }] });
  for (const body of [rotate({ timeAfterCreate: 'P6D' }), rotate({ timeBeforeExpiry: 'P30D' }), rotate({}),
    rotate({ timeAfterCreate: '30' }), { attributes: { expiryTime: 'P27D' } }, { lifetimeActions: 1 }]) {
    const answer = await put(body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.json.error.code, 'BadParameter');
  }
  assert.equal((await put(rotate({ timeAfterCreate: 'P30D' }), 'gateway')).status, 403);
  assert.equal((await bare('gateway', 'GET', '/keys/policy-refused/rotationpolicy')).status, 403);
  await vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey', 'getrotationpolicy', 'setrotationpolicy']);
  assert.equal((await put(rotate({ timeAfterCreate: 'P30D' }), 'gateway')).status, 200);
  assert.equal((await bare('gateway', 'GET', '/keys/policy-refused/rotationpolicy')).status, 200);
  await vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
  assert.equal((await bare('admin', 'GET', '/keys/nothing/rotationpolicy')).status, 404);
  assert.equal((await bare('admin', 'PUT', '/keys/nothing/rotationpolicy', {})).status, 404);
});

test('lists come in pages', async () => {
  await vault.createKey('many');
  for (let i = 0; i < 6; i++) await vault.rotate('many');
  const pages = await all(vault.admin.listPropertiesOfKeyVersions('many').byPage({ maxPageSize: 3 }));
  assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
  assert.equal(new Set(pages.flat().map((item) => item.version)).size, 7);
  const names = (await all(vault.admin.listPropertiesOfKeys({ maxPageSize: 2 }))).map((item) => item.name);
  assert.deepEqual(names, [...names].sort());
  assert.ok(names.includes('many') && names.includes('versions'));
});

test('a disabled key answers get and not unwrap', async () => {
  const key = await vault.createKey('disabled');
  const secret = randomBytes(32);
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  const versions = await vault.disableAllVersions('disabled');
  assert.deepEqual(versions, [key.properties.version]);
  await refused(unwraps('gateway', key.id, wrapped), 403, 'KeyDisabled');
  await refused(vault.cryptography('admin', key.id, noRetry).decrypt('RSA-OAEP-256', wrapped), 403, 'KeyDisabled');
  assert.equal((await vault.keyClient('gateway').getKey('disabled')).properties.enabled, false);
  assert.equal((await wraps('gateway', key.id, secret)).status, 200, 'the public half goes on');
  await vault.enableVersions('disabled', versions);
  assert.deepEqual(await unwraps('gateway', key.id, wrapped), secret);
});

test('outside its dates a key opens and does not close', async () => {
  const key = await vault.createKey('dates', 2048, { notBefore: new Date(Date.now() - HOUR_MS),
    expiresOn: new Date(Date.now() + HOUR_MS) });
  const secret = randomBytes(32);
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  for (const [offset, code] of [[2 * HOUR_MS, 'KeyExpired'], [-2 * HOUR_MS, 'KeyNotYetValid']]) {
    await atOffset(offset, async () => {
      const answer = await wraps('gateway', key.id, secret);
      assert.equal(answer.status, 403);
      assert.equal(answer.json.error.code, 'Forbidden');
      assert.equal(answer.json.error.innererror.code, code);
      assert.deepEqual(await bareUnwraps('gateway', key.id, wrapped), secret);
    });
  }
  await vault.expireKey('dates');
  assert.equal((await wraps('gateway', key.id, secret)).json.error.innererror.code, 'KeyExpired');
  assert.deepEqual(await bareUnwraps('gateway', key.id, wrapped), secret);
});

test('delete takes all versions, recover brings them back, purge is refused', async () => {
  const key = await vault.createKey('deleted');
  const second = await vault.rotate('deleted');
  const secret = randomBytes(32);
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  const deleted = await vault.deleteKey('deleted');
  assert.equal(deleted.properties.recoveryId, `${vault.uri}/deletedkeys/deleted`);
  const days = (deleted.properties.scheduledPurgeDate - deleted.properties.deletedOn) / 86400e3;
  assert.equal(days, 90);
  await refused(unwraps('gateway', key.id, wrapped), 404);
  await refused(vault.admin.getKey('deleted', { version: second }), 404);
  await refused(vault.createKey('deleted'), 409, 'ObjectIsDeletedButRecoverable');
  assert.ok((await all(vault.admin.listDeletedKeys())).some((item) => item.name === 'deleted'));
  assert.ok(!(await all(vault.admin.listPropertiesOfKeys())).some((item) => item.name === 'deleted'));
  await refused(vault.admin.purgeDeletedKey('deleted'), 403);
  await vault.recoverKey('deleted');
  assert.deepEqual(await unwraps('gateway', key.id, wrapped), secret);
  assert.equal((await vault.admin.getKey('deleted')).properties.version, second);
});

test('a deleted key goes when its time has come', async () => {
  await vault.createKey('gone');
  await vault.deleteKey('gone');
  await atOffset(91 * 86400e3, async () => {
    assert.equal((await bare('admin', 'GET', '/deletedkeys/gone')).status, 404);
  });
});

test('an identity may do what it was given and nothing else', async () => {
  const key = await vault.createKey('permissions');
  const wrapped = Buffer.from((await wraps('gateway', key.id, randomBytes(32))).json.value, 'base64url');
  const gateway = vault.keyClient('gateway', noRetry);
  await refused(all(gateway.listPropertiesOfKeys()), 403); // the SDK keeps no details of a list
  await refused(gateway.createRsaKey('other'), 403, 'AccessDenied');
  await refused(gateway.updateKeyProperties('permissions', key.properties.version, { enabled: false }), 403);
  await refused(gateway.beginDeleteKey('permissions'), 403);
  await refused(gateway.rotateKey('permissions'), 403);
  await vault.setPermissions('gateway', ['get', 'wrapKey']);
  await refused(unwraps('gateway', key.id, wrapped), 403, 'AccessDenied');
  await gateway.getKey('permissions');
  await vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
  assert.equal((await unwraps('gateway', key.id, wrapped)).length, 32);
});

test('no token, a stranger’s, one for another audience, one that ran out: a challenge', async () => {
  const target = '/keys/permissions?api%2Dversion=2025-07-01';
  const credential = vault.credential('gateway');
  const good = (await credential.getToken(`${vault.resource}/.default`)).token;
  const elsewhere = (await credential.getToken('https://storage.azure.com/.default')).token;
  const cases = [undefined, 'Bearer x', `Bearer ${good.slice(0, -2)}`, `Bearer ${elsewhere}`,
    `Bearer ${good.replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url'))}`];
  for (const authorization of cases) {
    const answer = await vault.request('GET', target, { headers: authorization ? { authorization } : {} });
    assert.equal(answer.status, 401, authorization);
    assert.equal(answer.json.error.code, 'Unauthorized');
    assert.equal(answer.headers['www-authenticate'],
      `Bearer authorization="${vault.authority}/${vault.tenantId}", resource="${vault.resource}"`);
  }
  const headers = { authorization: `Bearer ${good}` };
  assert.equal((await vault.request('GET', target, { headers })).status, 200);
  assert.equal((await vault.request('GET', '/keys/permissions', { headers })).status, 400, 'no api-version');
  await atOffset(2 * HOUR_MS, async () => {
    assert.equal((await vault.request('GET', target, { headers })).status, 401);
  });
});

test('the token endpoint refuses as the authority does', async () => {
  const gateway = vault.clients.gateway;
  const form = { grant_type: 'client_credentials', client_id: gateway.clientId,
    client_secret: gateway.clientSecret, scope: `${vault.resource}/.default` };
  const ask = (change, tenant = vault.tenantId) => vault.request('POST', `/${tenant}/oauth2/v2.0/token`,
    { body: new URLSearchParams({ ...form, ...change }).toString() });
  const cases = [
    [{}, vault.tenantId, 200],
    [{ client_secret: 'wrong' }, vault.tenantId, 401, 7000215],
    [{ client_id: 'nobody' }, vault.tenantId, 400, 700016],
    [{ grant_type: 'password' }, vault.tenantId, 400, 70003],
    [{ scope: 'https://vault.azure.net' }, vault.tenantId, 400, 1002012],
    [{}, 'another-tenant', 400, 90002],
  ];
  for (const [change, tenant, status, number] of cases) {
    const answer = await ask(change, tenant);
    assert.equal(answer.status, status, answer.body);
    if (number) {
      assert.deepEqual(answer.json.error_codes, [number]);
      assert.match(answer.json.error_description, new RegExp(`^AADSTS${number}: `));
    }
  }
  const v1 = await vault.request('POST', `/${vault.tenantId}/oauth2/token`, { body: new URLSearchParams({
    ...form, resource: vault.resource }).toString() });
  assert.equal(typeof v1.json.expires_on, 'string');
  await vault.setIdentityEnabled('gateway', false);
  assert.deepEqual((await ask({})).json.error_codes, [7000112]);
  await assert.rejects(new ClientSecretCredential(vault.tenantId, gateway.clientId, gateway.clientSecret,
    { authorityHost: vault.authority, disableInstanceDiscovery: true, tlsOptions: { ca: vault.ca }, ...noRetry })
    .getToken(`${vault.resource}/.default`), /7000112/);
  await vault.setIdentityEnabled('gateway', true);
});

function imds(target, headers = { Metadata: 'true' }) {
  return new Promise((resolve, reject) => {
    http.get(`${vault.imdsEndpoint}${target}`, { headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.once('end', () => resolve({ status: answer.statusCode, headers: answer.headers,
        json: JSON.parse(Buffer.concat(chunks)) }));
    }).once('error', reject);
  });
}

test('instance metadata gives tokens to managed identities', async () => {
  const base = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(vault.resource)}`;
  const { gateway, host } = vault.clients;
  const chosen = [['', host], [`&client_id=${gateway.clientId}`, gateway],
    [`&msi_res_id=${encodeURIComponent(gateway.resourceId)}`, gateway]];
  for (const [query, client] of chosen) {
    const answer = await imds(base + query);
    assert.equal(answer.status, 200);
    assert.equal(answer.json.client_id, client.clientId);
    assert.equal(typeof answer.json.expires_on, 'string');
    const get = await vault.request('GET', '/keys/permissions?api-version=7.5',
      { headers: { authorization: `Bearer ${answer.json.access_token}` } });
    assert.equal(get.status, 200);
  }
  assert.equal((await imds(base, {})).status, 400, 'without the header');
  assert.equal((await imds(`${base}&client_id=nobody`)).status, 400);
  assert.equal((await imds(`${base}&client_id=${vault.clients.admin.clientId}`)).status, 400);
  process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = vault.imdsEndpoint;
  const token = await new ManagedIdentityCredential({ clientId: gateway.clientId })
    .getToken(`${vault.resource}/.default`);
  assert.ok(token.token.length > 0);
});

const environment = ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER', 'IMDS_ENDPOINT'];
// The vendor's SDK finds out from the environment what kind of host it is on.
async function sdkTokenOn(variables, options) {
  Object.assign(process.env, variables);
  try {
    return (await new ManagedIdentityCredential(options).getToken(`${vault.resource}/.default`)).token;
  } finally {
    for (const name of environment) delete process.env[name];
  }
}
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

test('the agent of Azure Arc wants a file read, once for each token', async () => {
  const { gateway, host } = vault.clients;
  const query = `?api-version=2020-06-01&resource=${encodeURIComponent(vault.resource)}`;
  const target = `/arc/metadata/identity/oauth2/token${query}`;
  const challenged = await imds(target);
  assert.equal(challenged.status, 401);
  const [, file] = /^Basic realm=(.+)$/.exec(challenged.headers['www-authenticate']);
  assert.equal(path.dirname(file), vault.arcDirectory);
  const headers = { Metadata: 'true', Authorization: `Basic ${readFileSync(file)}` };
  assert.equal((await imds(target, { ...headers, Authorization: 'Basic guessed' })).status, 401);
  assert.equal((await imds(`${target}&client_id=nobody`, headers)).status, 400);
  assert.equal(existsSync(file), false, 'the challenge is used up');
  assert.equal((await imds(target, headers)).status, 401);
  assert.equal((await imds(target, {})).status, 400, 'without the header');
  for (let i = 0; i < 40; i += 1) assert.equal((await imds(target)).status, 401);
  assert.equal(readdirSync(vault.arcDirectory).length, 32, 'the newest are kept');

  const sources = pathToFileURL(path.join(path.dirname(fileURLToPath(import.meta.resolve('@azure/msal-node'))),
    'client/ManagedIdentitySources/AzureArc.mjs'));
  const { SUPPORTED_AZURE_ARC_PLATFORMS } = await import(sources);
  SUPPORTED_AZURE_ARC_PLATFORMS.linux = `${vault.arcDirectory}/`;
  const on = { IDENTITY_ENDPOINT: vault.arcEndpoint, IMDS_ENDPOINT: vault.imdsEndpoint };
  assert.equal(claimsOf(await sdkTokenOn(on, {})).appid, host.clientId);
  assert.equal(claimsOf(await sdkTokenOn(on, { clientId: gateway.clientId })).appid, gateway.clientId);
  assert.equal(claimsOf(await sdkTokenOn(on, { resourceId: gateway.resourceId })).appid, gateway.clientId);
});

test('App Service gives tokens to whoever has its header', async () => {
  const { gateway, host } = vault.clients;
  const target = `/msi/token?api-version=2019-08-01&resource=${encodeURIComponent(vault.resource)}`;
  const header = { 'X-IDENTITY-HEADER': vault.identityHeader };
  const answer = await imds(target, header);
  assert.equal(answer.json.client_id, host.clientId);
  assert.equal(typeof answer.json.expires_on, 'string');
  assert.equal((await imds(target, {})).status, 401);
  assert.equal((await imds(target, { 'X-IDENTITY-HEADER': `${vault.identityHeader}0` })).status, 401);
  assert.deepEqual((await imds(`${target}&principal_id=nobody`, header)).json.statusCode, 400);
  const on = { IDENTITY_ENDPOINT: vault.appServiceEndpoint, IDENTITY_HEADER: vault.identityHeader };
  assert.equal(claimsOf(await sdkTokenOn(on, {})).appid, host.clientId);
  assert.equal(claimsOf(await sdkTokenOn(on, { resourceId: gateway.resourceId })).appid, gateway.clientId);
});

test('what is malformed is refused', async () => {
  const key = await vault.createKey('malformed');
  const value = randomBytes(32).toString('base64url');
  const cases = [{}, { alg: 'RSA-OAEP-256' }, { alg: 'A256KW', value }, { alg: 'RSA-OAEP-256', value: '*' },
    { alg: 'RSA-OAEP-256', value: '' }, { alg: 'RSA-OAEP-256', value: 'A'.repeat(5000) }, { alg: 1, value: 2 },
    { alg: 'RSA-OAEP-256', value: randomBytes(191).toString('base64url') }];
  for (const body of cases) {
    const answer = await post('gateway', key.id, 'wrapkey', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.json.error.code, 'BadParameter');
  }
  for (const bytes of [randomBytes(256), randomBytes(255), Buffer.alloc(257), Buffer.alloc(256)]) {
    await refused(unwraps('gateway', key.id, bytes), 400);
  }
  await refused(vault.createKey('small', 1024), 400);
  await refused(vault.admin.createEcKey('curve'), 400);
  await refused(vault.admin.createRsaKey('under_score'), 400);
  await refused(vault.admin.getKey('not-there'), 404);
  const token = (await vault.credential('admin').getToken(`${vault.resource}/.default`)).token;
  const headers = { authorization: `Bearer ${token}` };
  for (const body of ['[]', '{', '"text"', '{"kty":"RSA","kty":"RSA"}', '{"kty":"RSA","tags":[]}',
    '{"kty":"RSA","attributes":{"exp":"soon"}}', '{"kty":"RSA","key_ops":["fly"]}']) {
    assert.equal((await vault.request('POST', '/keys/malformed/create?api-version=7.4', { headers, body })).status,
      400, body);
  }
  const large = await vault.request('POST', '/keys/malformed/create?api-version=7.4',
    { headers, body: JSON.stringify({ kty: 'RSA', tags: { a: 'x'.repeat(100000) } }) });
  assert.equal(large.status, 413);
  assert.equal((await vault.request('GET', '/keys/%zz?api-version=7.4', { headers })).status, 400);
  assert.equal((await vault.request('GET', '/nothing', { headers })).status, 404);
});

test('the control API wants its own token', async () => {
  const gateway = (await vault.credential('gateway').getToken(`${vault.resource}/.default`)).token;
  const admin = (await vault.credential('admin').getToken(`${vault.resource}/.default`)).token;
  for (const [token, status] of [['x'.repeat(48), 401], [gateway, 401], [admin, 200]]) {
    const answer = await vault.request('GET', '/control/calls', { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, status);
  }
  assert.equal((await vault.request('DELETE', '/control/faults')).status, 401);
  await assert.rejects(vault.fault({ operation: 'get', count: 1, action: 'explode' }), /400/);
  await assert.rejects(vault.fault({}), /400/);
});

test('faults: each does what it says, as often as it says', async () => {
  const key = await vault.createKey('faults');
  const secret = randomBytes(32);
  const value = (await wraps('gateway', key.id, secret)).json.value;
  const unwrap = () => post('gateway', key.id, 'unwrapkey', { alg: 'RSA-OAEP-256', value });
  const length = (answer) => Buffer.from(answer.json.value, 'base64url').length;
  await unwrap();

  await vault.fault({ operation: 'unwrapKey', count: 2, status: 429, retry_after: 7 });
  for (let i = 0; i < 2; i++) {
    const answer = await unwrap();
    assert.equal(answer.status, 429);
    assert.equal(answer.headers['retry-after'], '7');
    assert.equal(answer.json.error.code, 'Throttled');
  }
  assert.equal((await unwrap()).status, 200, 'counted down');

  const body = { error: { code: 'Forbidden', innererror: { code: 'ForbiddenByFirewall' } } };
  await vault.fault({ operation: 'unwrapKey', key: 'faults', count: 1, status: 403, body: JSON.stringify(body) });
  assert.deepEqual((await unwrap()).json, body);
  await vault.fault({ operation: 'unwrapKey', key: 'another', count: -1, status: 500 });
  assert.equal((await unwrap()).status, 200, 'another key’s fault');
  await vault.clearFaults();

  await vault.fault({ operation: 'unwrapKey', count: 1, action: 'drop' });
  await assert.rejects(unwrap(), { code: 'ECONNRESET' });
  await vault.fault({ operation: 'unwrapKey', count: 1, action: 'truncate' });
  await assert.rejects(unwrap());
  await vault.fault({ operation: 'unwrapKey', count: 1, action: 'garbage' });
  const garbage = await unwrap();
  assert.equal(garbage.status, 200);
  assert.equal(garbage.json, undefined);
  await vault.fault({ operation: 'unwrapKey', count: 1, action: 'huge' });
  const huge = await unwrap();
  assert.equal(huge.body.length, 64 << 20);
  assert.equal(huge.json, undefined);
  await vault.fault({ operation: 'unwrapKey', count: 1, action: 'wrong_kid' });
  assert.notEqual((await unwrap()).json.kid, key.id);
  for (const [action, bytes] of [['short_key', 31], ['long_key', 33]]) {
    await vault.fault({ operation: 'unwrapKey', count: 1, action });
    assert.equal(length(await unwrap()), bytes);
  }
  await vault.fault({ operation: 'unwrapKey', count: 1, delay_ms: 300 });
  const started = process.hrtime.bigint();
  assert.equal((await unwrap()).status, 200);
  assert.ok(process.hrtime.bigint() - started >= 300000000n);
  const challenge = 'Bearer authorization="https://elsewhere.example/t", resource="https://vault.azure.net"';
  await vault.fault({ operation: 'unwrapKey', count: 1, status: 401, challenge });
  const challenged = await unwrap();
  assert.deepEqual([challenged.status, challenged.headers['www-authenticate']], [401, challenge]);
  const statusOfToken = async (form) => (await vault.request('POST', `/${vault.tenantId}/oauth2/v2.0/token`,
    { body: `${new URLSearchParams(form)}` })).status;
  await vault.fault({ operation: 'token', count: 1, status: 503 });
  assert.equal(await statusOfToken({}), 503);
  const { clientId } = vault.clients.gateway;
  await vault.fault({ operation: 'token', client_id: clientId, count: -1, status: 503 });
  assert.equal(await statusOfToken({ client_id: vault.clients.admin.clientId }), 400, 'another client’s fault');
  assert.equal(await statusOfToken({ client_id: clientId }), 503);
  await vault.endFaults('another');
  assert.equal(await statusOfToken({ client_id: clientId }), 503);
  assert.deepEqual(await vault.endFaults('another', clientId), { taken: 2 });
  assert.equal(await statusOfToken({ client_id: clientId }), 400);
  await vault.fault({ operation: '*', count: -1, action: 'drop' });
  await assert.rejects(vault.request('GET', '/keys/faults?api-version=7.4'));
  await vault.clearFaults();
  assert.equal(length(await unwrap()), 32);
});

test('many callers at once, while the key changes under them', async () => {
  const key = await vault.createKey('busy');
  const secret = randomBytes(32);
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  const client = vault.cryptography('gateway', key.id);
  const caller = async () => {
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(Buffer.from((await client.unwrapKey('RSA-OAEP-256', wrapped)).result), secret);
    }
  };
  const changer = async (tag) => {
    for (let i = 0; i < 5; i++) {
      await vault.rotate('busy');
      await vault.admin.updateKeyProperties('busy', key.properties.version, { tags: { [tag]: `${i}` } });
    }
  };
  await Promise.all([...Array.from({ length: 16 }, caller), changer('a'), changer('b')]);
  assert.equal((await all(vault.admin.listPropertiesOfKeyVersions('busy'))).length, 11);
});

test('a vault that is gone closes every connection, and comes back', async () => {
  await vault.setVaultDeleted(true);
  await assert.rejects(vault.request('GET', '/keys/faults?api-version=7.4'));
  await vault.setVaultDeleted(false);
  assert.equal((await vault.request('GET', '/keys/faults?api-version=7.4')).status, 401);
});

test('calls are logged without secrets', async () => {
  const key = await vault.createKey('logged');
  const { next } = await vault.calls();
  const secret = Buffer.from('canary-canary-canary-canary-1234');
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  await unwraps('gateway', key.id, wrapped);
  const { calls } = await vault.calls(next);
  const call = calls.find((item) => item.operation === 'unwrapKey' && item.status === 200);
  assert.equal(call.key, 'logged');
  assert.equal(call.version, key.properties.version);
  assert.equal(call.identity, 'gateway');
  assert.deepEqual(calls.map((item) => item.seq), calls.map((_, i) => calls[0].seq + i));
  const log = readFileSync(vault.logFile, 'utf8');
  assert.match(log, /development, tests and air-gapped sites/);
  assert.match(log, /does not protect/);
  for (const text of [secret.toString(), secret.toString('base64url'), vault.clients.gateway.clientSecret,
    vault.controlToken, 'eyJ']) {
    assert.ok(!log.includes(text), 'a secret is in the log');
  }
});

test('its state survives a restart and a crash', async () => {
  const key = await vault.createKey('kept', 2048, { tags: { a: 'b' } });
  const secret = randomBytes(32);
  const wrapped = Buffer.from((await wraps('gateway', key.id, secret)).json.value, 'base64url');
  const second = await vault.rotate('kept');
  await vault.disableVersion('kept', second);
  const policy = await vault.admin.updateKeyRotationPolicy('kept', { expiresIn: 'P1Y',
    lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P90D' }] });
  await vault.createKey('kept-deleted');
  await vault.deleteKey('kept-deleted');
  const token = (await vault.credential('gateway').getToken(`${vault.resource}/.default`)).token;
  assert.equal(await vault.stop(), 0);
  await vault.start();
  assert.deepEqual(await unwraps('gateway', key.id, wrapped), secret);
  const got = await vault.admin.getKey('kept');
  assert.equal(got.properties.version, second);
  assert.equal(got.properties.enabled, false);
  assert.deepEqual(got.properties.tags, { a: 'b' });
  assert.deepEqual(await vault.admin.getKeyRotationPolicy('kept'), policy);
  assert.ok((await vault.admin.getDeletedKey('kept-deleted')).properties.deletedOn);
  const answer = await vault.request('GET', '/keys/kept?api-version=7.4',
    { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, 'tokens that are out go on');
  const third = await vault.rotate('kept');
  await vault.kill();
  await vault.start();
  assert.equal((await vault.admin.getKey('kept')).properties.version, third);
  assert.equal(statSync(path.join(vault.stateDir, 'vault.json')).mode & 0o777, 0o600);
});

test('without purge protection, and without soft delete', async () => {
  const kinds = [
    [{ purgeProtection: false }, 'Recoverable+Purgeable'],
    [{ purgeProtection: true, recoverableDays: 7 }, 'CustomizedRecoverable'],
    [{ purgeProtection: false, recoverableDays: 7 }, 'CustomizedRecoverable+Purgeable'],
    [{ purgeProtection: false, recoverableDays: 0 }, 'Purgeable'],
  ];
  for (const [index, [options, level]] of kinds.entries()) {
    const other = await startVault(path.join(directory, `other-${index}`), { ...options, authority });
    try {
      const key = await other.createKey('key');
      assert.equal(key.properties.recoveryLevel, level);
      if (options.recoverableDays === 0) {
        const token = (await other.credential('admin').getToken(`${other.resource}/.default`)).token;
        const headers = { authorization: `Bearer ${token}` };
        assert.equal((await other.request('DELETE', '/keys/key?api-version=7.4', { headers })).status, 200);
        await refused(other.admin.getDeletedKey('key'), 404);
      } else if (!options.purgeProtection) {
        await other.deleteKey('key');
        await other.admin.purgeDeletedKey('key');
        await refused(other.admin.getDeletedKey('key'), 404);
        await other.createKey('key');
      }
    } finally {
      await other.stop();
    }
  }
});
