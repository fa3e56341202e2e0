// SPDX-License-Identifier: Apache-2.0
// Shared access signatures that the management API makes, asked for with the vendor's management client and used with its
// Blob client: they open what they say, are those that the Blob client would make itself, and end with their key. Takes a
// few seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { StorageManagementClient } from '@azure/arm-storage';
import { AccountSASPermissions, AccountSASResourceTypes, AccountSASServices, BlobSASPermissions, BlobServiceClient,
  generateAccountSASQueryParameters, generateBlobSASQueryParameters, SASProtocol, StorageSharedKeyCredential } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { noRetry, RESOURCE_GROUP, startStack, SUBSCRIPTION } from './lib/stack.mjs';

const VERSION = '2024-08-04';
const HOUR = 3600e3;
const second = (time) => new Date(Math.floor(time / 1000) * 1000);
const start = second(Date.now() - HOUR);
const end = second(Date.now() + HOUR);
let stack;
let accounts;

before(async () => {
  stack = await startStack({ customerKey: false });
  const credential = { getToken: async () => ({ token: stack.managementToken, expiresOnTimestamp: Date.now() + HOUR }) };
  accounts = new StorageManagementClient(credential, SUBSCRIPTION, { endpoint: stack.managementEndpoint,
    tlsOptions: { ca: stack.ca }, retryOptions: { maxRetries: 0 } }).storageAccounts;
  const container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('letters');
  await container.create();
  await container.setAccessPolicy(undefined, [{ id: 'readers', accessPolicy: { permissions: 'r', expiresOn: end } }]);
  await container.getBlockBlobClient('a letter, ä').upload('content', 7);
});
after(() => stack?.stop());

const ofAccount = async (more) => (await accounts.listAccountSAS(RESOURCE_GROUP, stack.account, { services: 'b', resourceTypes: 'sco',
  permissions: 'rwdlac', sharedAccessExpiryTime: end, ...more })).accountSasToken;
const ofService = async (place, more) => (await accounts.listServiceSAS(RESOURCE_GROUP, stack.account, {
  canonicalizedResource: `/blob/${stack.account}/${place}`, ...more })).serviceSasToken;
const over = { permissions: 'r', sharedAccessExpiryTime: end };
const serviceWith = (token, endpoint = stack.blobEndpoint, options = noRetry) => new BlobServiceClient(`${endpoint}?${token}`, undefined, options);
const letter = (token, ...more) => serviceWith(token, ...more).getContainerClient('letters').getBlobClient('a letter, ä');
const keyOf = async (name) => (await stack.keysOf(stack.account)).find(({ keyName }) => keyName === name).value;
const signatureOf = (token) => new URLSearchParams(token).get('sig');

test('an account SAS opens what it says', async () => {
  const service = serviceWith(await ofAccount({ protocols: 'https,http', iPAddressOrRange: '127.0.0.1-127.0.0.9', sharedAccessStartTime: start }));
  const container = service.getContainerClient('made');
  await container.create();
  await container.getBlockBlobClient('blob').upload('more', 4);
  assert.equal((await container.getBlobClient('blob').downloadToBuffer()).toString(), 'more');
  const names = [];
  for await (const { name } of service.listContainers()) names.push(name);
  assert.deepEqual(names, ['letters', 'made']);

  const reader = letter(await ofAccount({ permissions: 'r', resourceTypes: 'o' }));
  assert.equal((await reader.downloadToBuffer()).toString(), 'content');
  await refused(reader.delete(), 403, 'AuthorizationPermissionMismatch');
  await refused(letter(await ofAccount({ iPAddressOrRange: '192.0.2.1' })).getProperties(), 403, 'AuthorizationSourceIPMismatch');
  const secure = await ofAccount({ protocols: 'https' });
  await refused(letter(secure).getProperties(), 403, 'AuthorizationProtocolMismatch');
  await letter(secure, stack.blobEndpointTls, stack.overTls).getProperties();
});

test('a service SAS is of a container or a blob, and may name a stored access policy', async () => {
  const container = serviceWith(await ofService('letters', { resource: 'c', ...over, permissions: 'l' })).getContainerClient('letters');
  const names = [];
  for await (const { name } of container.listBlobsFlat()) names.push(name);
  assert.deepEqual(names, ['a letter, ä']);
  await refused(container.getBlobClient(names[0]).getProperties(), 403, 'AuthorizationPermissionMismatch');
  const blob = await letter(await ofService('letters/a letter, ä', { resource: 'b', ...over, cacheControl: 'no-cache, "x"', contentType: 'text/x&y' })).getProperties();
  assert.deepEqual([blob.cacheControl, blob.contentType], ['no-cache, "x"', 'text/x&y']);
  const byPolicy = letter(await ofService('letters', { resource: 'c', identifier: 'readers', keyToSign: 'KEY2' }));
  assert.equal((await byPolicy.downloadToBuffer()).toString(), 'content');
});

test('they are those that the Blob client makes', async () => {
  const credential = new StorageSharedKeyCredential(stack.account, await keyOf('key2'));
  const account = generateAccountSASQueryParameters({ version: VERSION, services: AccountSASServices.parse('b').toString(),
    resourceTypes: AccountSASResourceTypes.parse('sco').toString(), permissions: AccountSASPermissions.parse('rwdlac'),
    protocol: SASProtocol.HttpsAndHttp, startsOn: start, expiresOn: end }, credential).toString();
  const given = await ofAccount({ protocols: 'https,http', sharedAccessStartTime: start, keyToSign: 'key2',
    permissions: AccountSASPermissions.parse('rwdlac').toString() });
  assert.equal(signatureOf(given), signatureOf(account));
  const blob = generateBlobSASQueryParameters({ version: VERSION, containerName: 'letters', blobName: 'a letter, ä',
    permissions: BlobSASPermissions.parse('r'), expiresOn: end, contentLanguage: 'de' }, credential).toString();
  assert.equal(signatureOf(await ofService('letters/a letter, ä', { resource: 'b', ...over, contentLanguage: 'de', keyToSign: 'key2' })),
    signatureOf(blob));
});

test('a \\ in the name of a blob is signed as requests with it are: as a /', async () => {
  assert.equal(signatureOf(await ofService('letters/in\\a\\folder', { resource: 'b', ...over })),
    signatureOf(await ofService('letters/in/a/folder', { resource: 'b', ...over })));
});

test('the name of a blob does not pass for fields in the audit', async () => {
  await ofService('letters/a sp=rwd&se=never/b', { resource: 'b', ...over });
  const { detail } = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse)
    .filter(({ event }) => event === 'account.sas').at(-1);
  assert.match(detail, /^key1 letters\/a%20sp%3Drwd%26se%3Dnever\/b [^ ]*sp=r(&[^ ]*)?$/);
});

test('it ends with the key that it was made with', async () => {
  const [first, other] = [letter(await ofAccount()), letter(await ofAccount({ keyToSign: 'key2' }))];
  await accounts.regenerateKey(RESOURCE_GROUP, stack.account, { keyName: 'key1' });
  await refused(first.getProperties(), 403, 'AuthenticationFailed');
  assert.equal((await other.downloadToBuffer()).toString(), 'content');
});

const account = { signedServices: 'b', signedResourceTypes: 'o', signedPermission: 'r', signedExpiry: end.toISOString() };
const service = { canonicalizedResource: '/blob/journeys/letters', signedResource: 'c', signedPermission: 'r', signedExpiry: end.toISOString() };
const bad = {
  'no services': ['Account', { ...account, signedServices: undefined }],
  'services of nobody': ['Account', { ...account, signedServices: 'bx' }],
  'a service twice': ['Account', { ...account, signedServices: 'bb' }],
  'no resource types': ['Account', { ...account, signedResourceTypes: '' }],
  'no permissions': ['Account', { ...account, signedPermission: undefined }],
  'a permission of nobody': ['Account', { ...account, signedPermission: 'rz' }],
  'no end': ['Account', { ...account, signedExpiry: undefined }],
  'an end that is none': ['Account', { ...account, signedExpiry: 'tomorrow' }],
  'a start after the end': ['Account', { ...account, signedStart: new Date(Date.now() + 2 * HOUR).toISOString() }],
  'an address that is none': ['Account', { ...account, signedIp: '127.0.0' }],
  'a range from its end': ['Account', { ...account, signedIp: '127.0.0.9-127.0.0.1' }],
  'plain HTTP alone': ['Account', { ...account, signedProtocol: 'http' }],
  'a third key': ['Account', { ...account, keyToSign: 'key3' }],
  'a number for a text': ['Account', { ...account, keyToSign: 1 }, 'InvalidRequestContent'],
  'a member of the other kind': ['Account', { ...account, signedResource: 'c' }, 'InvalidRequestContent'],
  'no body': ['Account', '', 'InvalidRequestContent'],
  'no place': ['Service', { ...service, canonicalizedResource: undefined }],
  'another account': ['Service', { ...service, canonicalizedResource: '/blob/another/letters' }],
  'another service': ['Service', { ...service, canonicalizedResource: '/file/journeys/letters' }],
  'no container': ['Service', { ...service, canonicalizedResource: '/blob/journeys/' }],
  'a container that is none': ['Service', { ...service, canonicalizedResource: '/blob/journeys/Letters' }],
  'a blob for a container': ['Service', { ...service, canonicalizedResource: '/blob/journeys/letters/a' }],
  'a container for a blob': ['Service', { ...service, signedResource: 'b' }],
  'a blob without a name': ['Service', { ...service, signedResource: 'b', canonicalizedResource: '/blob/journeys/letters/' }],
  'no resource': ['Service', { ...service, signedResource: undefined }],
  'a share': ['Service', { ...service, signedResource: 's' }],
  'neither policy nor permissions': ['Service', { ...service, signedPermission: undefined }],
  'a policy whose name is too long': ['Service', { ...service, signedIdentifier: 'x'.repeat(65) }],
  'a header with two lines': ['Service', { ...service, rscc: 'a\nb' }],
  'a key of a table': ['Service', { ...service, startPk: 'a' }, 'InvalidRequestContent'],
};

test('what is not a signature is refused', async () => {
  for (const [what, [kind, body, code = 'InvalidRequestPropertyValue']] of Object.entries(bad)) {
    const answer = await stack.management.request('POST',
      `${stack.accountPath(stack.account)}/list${kind}Sas?api-version=2023-05-01`, { body });
    assert.deepEqual([answer.status, answer.json?.error?.code], [400, code], `${what}: ${answer.body}`);
  }
});
