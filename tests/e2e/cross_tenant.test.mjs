// SPDX-License-Identifier: Apache-2.0
// A customer's key in the customer's own tenant: the provider's multi-tenant application asks for it, which
// trusts a managed identity of the provider's. From the account's creation to each way in which either
// side can end it, and back.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { StorageManagementClient } from '@azure/arm-storage';
import { ClientAssertionCredential, ManagedIdentityCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { noRetry, startStack, SUBSCRIPTION, RESOURCE_GROUP } from './lib/stack.mjs';

const PROVIDER = randomUUID();
const CUSTOMER = randomUUID();
const KEY = 'of-the-customer';
const EXCHANGE = 'api://AzureADTokenExchange';
const permissions = ['get', 'wrapKey', 'unwrapKey'];
const managed = (name) => `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;

let onArc = false; // the machine that the gateway runs on, whose identity vouches
let stack;
let home; // the provider's: its authority gives the tokens of both tenants
let vault; // the customer's
let accounts; // of the vendor's SDK

before(async () => {
  const application = { name: 'application', clientId: randomUUID(), tenantId: PROVIDER, permissions };
  const admin = () => ({ name: 'admin', clientId: randomUUID(), administer: true });
  const atCustomers = { ...admin(), name: 'customer', tenantId: CUSTOMER, clientSecret: randomBytes(24).toString('base64url') };
  stack = await startStack({
    vault: { tenantId: PROVIDER, tenants: [CUSTOMER], identities: [admin(), atCustomers,
      { name: 'gateway', clientId: randomUUID(), permissions, resourceId: managed('gateway') },
      { name: 'vouching', clientId: randomUUID(), permissions: [], resourceId: managed('vouching') },
      { name: 'another', clientId: randomUUID(), permissions, resourceId: managed('another') },
      { ...application, installedIn: [CUSTOMER], federated: { identity: 'vouching' } }] },
    // Whoever administers the customer's vault has an object in the customer's tenant.
    moreVaults: [{ tenantId: CUSTOMER, tenants: [PROVIDER], identities: [{ ...atCustomers, name: 'admin' },
      { ...application, installedIn: [CUSTOMER] }] }],
    identities: ({ imdsEndpoint, arcEndpoint, arcDirectory }) => ['vouching', 'another'].map((name) =>
      `{ resource_id = "${managed(name)}"; ${onArc ? `kind = "arc"; endpoint = "${arcEndpoint}";
        challenge_directory = "${arcDirectory}";` : `kind = "managed"; endpoint = "${imdsEndpoint}";`} }`),
  });
  [home, vault] = stack.vaults;
  await vault.createKey(KEY);
  accounts = new StorageManagementClient({ getToken: async () =>
    ({ token: stack.managementToken, expiresOnTimestamp: Date.now() + 3600e3 }) }, SUBSCRIPTION,
  { endpoint: stack.managementEndpoint, tlsOptions: { ca: stack.ca }, retryOptions: { maxRetries: 0 } }).storageAccounts;
});
after(() => stack?.stop());

const applicationId = () => home.clients.application.clientId;
const wanted = ({ identity = managed('vouching'), federated = applicationId(), vaultUri = vault.uri } = {}) => ({
  sku: { name: 'Standard_LRS' }, kind: 'StorageV2', location: 'local',
  identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
  encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties: { keyVaultUri: vaultUri, keyName: KEY },
    encryptionIdentity: { encryptionUserAssignedIdentity: identity,
      encryptionFederatedIdentityClientId: federated } } });
const create = (name, more) => accounts.beginCreateAndWait(RESOURCE_GROUP, name, wanted(more));
const stateIs = (account, state) => stack.until(async () => {
  await stack.checkKey(account);
  return (await stack.keyStatus(account)).state === state;
}, `${account} to be ${state}`);

// Tokens that are out are good to their end, which is this: they are of an hour, and either too old by the clock
// of who gives and takes them, or not valid yet.
let offsetMs = 0;
async function endTokens() {
  offsetMs = offsetMs === 0 ? 7200e3 : 0;
  for (const one of [home, vault]) await one.setClock(offsetMs);
}

// As an application of the provider's would, with the vendor's SDK.
function exchange(identity = 'vouching') {
  process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = home.imdsEndpoint;
  const vouching = new ManagedIdentityCredential({ clientId: home.clients[identity].clientId });
  return new ClientAssertionCredential(CUSTOMER, applicationId(),
    async () => (await vouching.getToken(`${EXCHANGE}/.default`)).token,
    { authorityHost: home.authority, disableInstanceDiscovery: true, tlsOptions: { ca: home.ca } });
}

test('the exchange, with the vendor’s SDK', async () => {
  const client = new KeyClient(vault.uri, exchange(),
    { tlsOptions: { ca: vault.ca }, disableChallengeResourceVerification: true });
  assert.equal((await client.getKey(KEY)).name, KEY);
  await assert.rejects(exchange('another').getToken(`${vault.resource}/.default`), /AADSTS700213/);
});

test('an account is made with it, and says so', async () => {
  const made = await create('abroad');
  const { encryption, identity } = await accounts.getProperties(RESOURCE_GROUP, 'abroad');
  assert.deepEqual(encryption.encryptionIdentity, made.encryption.encryptionIdentity);
  assert.equal(encryption.encryptionIdentity.encryptionFederatedIdentityClientId, applicationId());
  assert.equal(encryption.encryptionIdentity.encryptionUserAssignedIdentity, managed('vouching'));
  assert.deepEqual(Object.keys(identity.userAssignedIdentities), [managed('vouching')]);
  assert.match(encryption.keyVaultProperties.currentVersionedKeyIdentifier, new RegExp(`^${vault.uri}/keys/${KEY}/`));
  const { calls } = await vault.calls();
  for (const operation of ['get', 'wrapKey', 'unwrapKey']) {
    assert.ok(calls.some((call) => call.operation === operation && call.status === 200 &&
      call.identity === 'application'), operation);
  }
});

test('each of its ends, and back', async () => {
  const [{ value }] = await stack.keysOf('abroad');
  const container = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/abroad`,
    new StorageSharedKeyCredential('abroad', value), noRetry).getContainerClient('tenants');
  await container.create();
  const bytes = randomBytes(1000);
  await container.getBlockBlobClient('blob').upload(bytes, bytes.length);
  const read = async () => {
    const parts = [];
    for await (const part of (await container.getBlobClient('blob').download()).readableStreamBody) parts.push(part);
    return Buffer.concat(parts);
  };
  const ends = [
    ['the federated credential is deleted', (on) => home.setIdentityFederated('application', on)],
    ['the application is removed from the customer’s tenant', (on) => home.setIdentityInstalled('application', on)],
    ['the application is disabled', (on) => home.setIdentityEnabled('application', on)],
    ['the managed identity is deleted', (on) => home.setIdentityEnabled('vouching', on)],
  ];
  for (const [what, set] of ends) {
    await set(false);
    await endTokens();
    await stateIs('abroad', 'revoked');
    await assert.rejects(read(), { statusCode: 403, code: 'KeyVaultAccessTokenCannotBeAcquired' }, what);
    await set(true);
    await stateIs('abroad', 'active');
    assert.deepEqual(await read(), bytes, what);
  }
  await vault.setPermissions('application', ['get']);
  await stateIs('abroad', 'revoked');
  await assert.rejects(read(), { statusCode: 403, code: 'KeyVaultEncryptionKeyNotFound' });
  await vault.setPermissions('application', permissions);
  await stateIs('abroad', 'active');
  assert.equal((await stack.keyStatus(stack.account)).state, 'active', 'the provider’s own account was never concerned');
});

test('no answer of either revokes nothing', async () => {
  await home.fault({ operation: 'token', count: -1, status: 503 });
  await endTokens();
  await stateIs('abroad', 'unreachable');
  await home.clearFaults();
  await endTokens();
  await stateIs('abroad', 'active');
});

test('to the provider’s own vault and back, under the same account', async () => {
  await stack.vault.createKey(KEY);
  const own = managed('another');
  const { properties } = await stack.management.good('PATCH', stack.accountPath('abroad'), { body: {
    identity: { type: 'UserAssigned', userAssignedIdentities: { [own]: {} } },
    properties: { encryption: { keySource: 'Microsoft.Keyvault',
      keyvaultproperties: { keyvaulturi: home.uri, keyname: KEY },
      identity: { userAssignedIdentity: own, federatedIdentityClientId: 'None' } } } } });
  assert.deepEqual(properties.encryption.identity, { userAssignedIdentity: own });
  await stateIs('abroad', 'active');
  const { encryption } = await accounts.update(RESOURCE_GROUP, 'abroad', wanted());
  assert.equal(encryption.encryptionIdentity.encryptionFederatedIdentityClientId, applicationId());
  await stateIs('abroad', 'active');
});

test('a machine that is connected by Azure Arc vouches, too', async () => {
  onArc = true;
  const { next } = await home.calls();
  await stack.gateway.restart();
  await stateIs('abroad', 'active');
  const tokens = (await home.calls(next)).calls.filter(({ operation }) => operation === 'token');
  assert.ok(tokens.some(({ status }) => status === 401), 'its agent challenges');
  assert.ok(tokens.some(({ status, identity }) => status === 200 && identity === 'vouching'), JSON.stringify(tokens));
});

test('what does not go together', async () => {
  await assert.rejects(create('notrust', { identity: managed('another') }), { statusCode: 400,
    code: 'KeyVaultAuthenticationFailure', message: /No token can be had/ });
  await assert.rejects(create('noapp', { federated: randomUUID() }), { statusCode: 400,
    code: 'KeyVaultAuthenticationFailure', message: /No token can be had/ });
  await assert.rejects(create('noguid', { federated: 'application' }), { statusCode: 400,
    code: 'InvalidRequestPropertyValue', message: /client id/ });
  // An identity that is no managed one here cannot vouch.
  await assert.rejects(create('notmanaged', { identity: managed('gateway') }), { statusCode: 400,
    message: /goes with a user-assigned managed identity/ });
  const without = wanted();
  without.identity = { type: 'SystemAssigned' };
  without.encryption.encryptionIdentity = { encryptionFederatedIdentityClientId: applicationId() };
  await assert.rejects(accounts.beginCreateAndWait(RESOURCE_GROUP, 'nobody', without), { statusCode: 400,
    code: 'ManagedServiceIdentityNotFound' });
  await assert.rejects(accounts.update(RESOURCE_GROUP, 'abroad', without), { statusCode: 400,
    code: 'ManagedServiceIdentityNotFound' });
  const nobody = { ...wanted(), identity: { type: 'UserAssigned' } };
  await assert.rejects(accounts.beginCreateAndWait(RESOURCE_GROUP, 'nobody', nobody), { statusCode: 400,
    code: 'MissingUserAssignedIdentity' });
  for (const name of ['notrust', 'noapp', 'noguid', 'notmanaged', 'nobody']) {
    await assert.rejects(accounts.getProperties(RESOURCE_GROUP, name), { statusCode: 404 });
  }
});
