// SPDX-License-Identifier: Apache-2.0
// Vaults of several tenants: who gets a token where, which vault takes it, and a gateway whose accounts
// have their keys in vaults of two tenants.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { KeyClient } from '@azure/keyvault-keys';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';

const HOME = randomUUID();
const CUSTOMER = randomUUID();
const ELSEWHERE = randomUUID();
const permissions = ['get', 'wrapKey', 'unwrapKey'];
const managed = (name) => `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;

let stack;
let first;
let second;

before(async () => {
  stack = await startStack({
    vault: { tenantId: HOME, tenants: [CUSTOMER], identities: [
      { name: 'admin', clientId: randomUUID(), administer: true },
      { name: 'gateway', clientId: randomUUID(), permissions, resourceId: managed('home') },
      { name: 'guest', clientId: randomUUID(), permissions, tenantId: CUSTOMER, installedIn: [HOME] },
      { name: 'stranger', clientId: randomUUID(), permissions, tenantId: CUSTOMER },
      { name: 'host', clientId: randomUUID(), permissions, systemAssigned: true },
    ] },
    moreVaults: [{ ownAuthority: true, tenantId: CUSTOMER, identities: [
      { name: 'admin', clientId: randomUUID(), administer: true },
      { name: 'gateway', clientId: randomUUID(), permissions, resourceId: managed('customer') },
    ] }],
  });
  [first, second] = stack.vaults;
});
after(() => stack?.stop());

const scope = 'https://vault.azure.net/.default';
const tokenOf = async (name, tenant) => (await first.credential(name, tenant).getToken(scope)).token;
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const get = (token) => first.request('GET', `/keys/${stack.keyName}?api-version=7.4`,
  { headers: { authorization: `Bearer ${token}` } });

test('a multi-tenant application has a token and an object in each of its tenants', async () => {
  const abroad = claimsOf(await tokenOf('guest', HOME));
  const home = claimsOf(await tokenOf('guest', CUSTOMER));
  assert.equal(abroad.tid, HOME);
  assert.equal(abroad.iss, `${first.authority}/${HOME}/`);
  assert.equal(home.tid, CUSTOMER);
  assert.equal(home.appid, abroad.appid);
  assert.notEqual(home.oid, abroad.oid);
});

test('a vault takes the tokens of its own tenant', async () => {
  assert.equal((await get(await tokenOf('guest', HOME))).status, 200);
  for (const name of ['guest', 'stranger']) {
    const answer = await get(await tokenOf(name, CUSTOMER));
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'],
      `Bearer authorization="${first.authority}/${HOME}", resource="https://vault.azure.net"`);
  }
  const client = new KeyClient(first.uri, first.credential('guest', HOME),
    { tlsOptions: { ca: first.ca }, disableChallengeResourceVerification: true });
  assert.equal((await client.getKey(stack.keyName)).name, stack.keyName);
});

test('an application that a tenant does not have gets no token there', async () => {
  await assert.rejects(tokenOf('stranger', HOME), /AADSTS700016/);
  await assert.rejects(tokenOf('gateway', CUSTOMER), /AADSTS700016/);
  await assert.rejects(tokenOf('gateway', ELSEWHERE));
  const discovery = `/v2.0/.well-known/openid-configuration`;
  assert.equal((await first.request('GET', `/${CUSTOMER}${discovery}`)).json.issuer, `${first.authority}/${CUSTOMER}/v2.0`);
  assert.equal((await first.request('GET', `/${ELSEWHERE}${discovery}`)).status, 400);
});

test('a gateway keeps accounts under keys of two tenants, each revoked for itself', async () => {
  await second.createKey('of-the-customer');
  await stack.createAccount('abroad', { vaultUri: second.uri, name: 'of-the-customer' },
    second.clients.gateway.resourceId);
  const blobs = {};
  for (const name of [stack.account, 'abroad']) {
    const [{ value }] = await stack.keysOf(name);
    const container = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${name}`,
      new StorageSharedKeyCredential(name, value), noRetry).getContainerClient('tenants');
    await container.create();
    const bytes = randomBytes(1000);
    await container.getBlockBlobClient('blob').upload(bytes, bytes.length);
    const read = async () => {
      const parts = [];
      for await (const part of (await container.getBlobClient('blob').download()).readableStreamBody) parts.push(part);
      return Buffer.concat(parts);
    };
    blobs[name] = { read, bytes };
  }
  const versions = await second.disableAllVersions('of-the-customer');
  await stack.until(async () => (await stack.keyStatus('abroad')).state === 'revoked', 'the customer’s account to be dark');
  await assert.rejects(blobs.abroad.read(), { statusCode: 403, code: 'KeyVaultEncryptionKeyNotFound' });
  assert.deepEqual(await blobs[stack.account].read(), blobs[stack.account].bytes);
  await second.enableVersions('of-the-customer', versions);
  await stack.until(async () => (await stack.keyStatus('abroad')).state === 'active', 'the account to be light again');
  assert.deepEqual(await blobs.abroad.read(), blobs.abroad.bytes);
});

test('an identity of one tenant is refused by the other’s vault, and the account is not made', async () => {
  const answer = await stack.management.request('PUT', `${stack.accountPath('mixed')}?api-version=2023-05-01`, {
    body: { location: 'local', kind: 'StorageV2', sku: { name: 'Standard_LRS' },
      identity: { type: 'UserAssigned', userAssignedIdentities: { [managed('home')]: {} } },
      properties: { encryption: { keySource: 'Microsoft.Keyvault', identity: { userAssignedIdentity: managed('home') },
        keyvaultproperties: { keyvaulturi: second.uri, keyname: 'of-the-customer' } } } } });
  assert.equal(answer.status, 503);
  assert.match(answer.json.error.message, new RegExp('ChallengeInvalid: the vault wants a token of ' +
    `${second.authority}/${CUSTOMER}, and ${first.authority} is configured: name an identity of that authority`));
  const made = await stack.management.request('GET', `${stack.accountPath('mixed')}?api-version=2023-05-01`);
  assert.equal(made.status, 404);
});
