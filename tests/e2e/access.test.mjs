// SPDX-License-Identifier: Apache-2.0
// Who may use a container without the account's key: stored access policies, and the public, as far as
// account and container let it; a change holds at once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobClient, BlobServiceClient, ContainerClient, ContainerSASPermissions, StorageSharedKeyCredential,
  generateBlobSASQueryParameters } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const DAY = 86400e3;
let stack;
let service;
let credential;
let names = 0;

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
});
after(() => stack?.stop());

async function newContainer(options) {
  const container = service.getContainerClient(`access-${names++}`);
  await container.create(options);
  return container;
}

const permit = (allowed) => stack.management.good('PATCH', stack.accountPath(stack.account),
  { body: { properties: { allowBlobPublicAccess: allowed } } });
// A signature that says no more than the policy's name.
const byPolicy = (container, identifier, more = {}) => {
  const query = generateBlobSASQueryParameters({ containerName: container.containerName, identifier, ...more },
    credential);
  return new ContainerClient(`${container.url}?${query}`, undefined, noRetry);
};
const policy = (id, accessPolicy) => ({ id, accessPolicy });
const inDays = (days) => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY);

test('policies come back as they were set, and go when none are sent', async () => {
  const container = await newContainer();
  const before = await container.getAccessPolicy();
  const [startsOn, expiresOn] = [inDays(-1), inDays(1)];
  assert.deepEqual(before.signedIdentifiers, []);
  const set = await container.setAccessPolicy(undefined, [
    policy('first', { startsOn, expiresOn, permissions: 'rl' }),
    policy('\u00e9 & <second>', { permissions: 'w' }), policy('third', {})]);
  assert.notEqual(set.etag, before.etag);
  const { signedIdentifiers, etag, blobPublicAccess } = await container.getAccessPolicy();
  assert.equal(etag, set.etag);
  assert.equal(blobPublicAccess, undefined);
  assert.deepEqual(signedIdentifiers.map(({ id }) => id), ['first', '\u00e9 & <second>', 'third']);
  assert.deepEqual(signedIdentifiers[0].accessPolicy.startsOn, startsOn);
  assert.deepEqual(signedIdentifiers[0].accessPolicy.expiresOn, expiresOn);
  assert.equal(signedIdentifiers[0].accessPolicy.permissions, 'rl');
  assert.equal(signedIdentifiers[1].accessPolicy.expiresOn, undefined);
  await container.setAccessPolicy();
  assert.deepEqual((await container.getAccessPolicy()).signedIdentifiers, []);
  const head = await send(stack, { method: 'HEAD', path: `/${container.containerName}`,
    query: { restype: 'container', comp: 'acl' } });
  assert.equal(head.status, 200);
});

test('a signature by a policy does what the policy says, until it says otherwise', async () => {
  const container = await newContainer();
  await container.getBlockBlobClient('blob').upload('content', 7);
  await container.setAccessPolicy(undefined, [policy('reader', { expiresOn: inDays(1), permissions: 'r' })]);
  const reader = byPolicy(container, 'reader').getBlockBlobClient('blob');
  assert.equal((await reader.downloadToBuffer()).toString(), 'content');
  await refused(reader.upload('x', 1), 403, 'AuthorizationPermissionMismatch');
  await container.setAccessPolicy(undefined, [policy('reader', { expiresOn: inDays(1), permissions: 'rw' })]);
  await reader.upload('changed', 7);
  await container.setAccessPolicy(undefined, [policy('reader', { expiresOn: inDays(-1), permissions: 'r' })]);
  await refused(reader.downloadToBuffer(), 403, 'AuthenticationFailed');
  await container.setAccessPolicy(undefined, [policy('reader', { startsOn: inDays(1), expiresOn: inDays(2),
    permissions: 'r' })]);
  await refused(reader.downloadToBuffer(), 403, 'AuthenticationFailed');
  await container.setAccessPolicy(undefined, [policy('other', { expiresOn: inDays(1), permissions: 'r' })]);
  await refused(reader.downloadToBuffer(), 403, 'AuthenticationFailed');
});

test('what a policy leaves open the signature says, and neither says it twice', async () => {
  const container = await newContainer();
  await container.getBlockBlobClient('blob').upload('content', 7);
  await container.setAccessPolicy(undefined, [policy('open', { permissions: 'rl' }), policy('all',
    { expiresOn: inDays(1), permissions: 'rl' }), policy('nothing', {})]);
  const read = (client) => client.getBlobClient('blob').downloadToBuffer();
  await refused(read(byPolicy(container, 'open')), 403, 'AuthenticationFailed');
  await read(byPolicy(container, 'open', { expiresOn: inDays(1) }));
  await refused(read(byPolicy(container, 'all', { expiresOn: inDays(2) })), 403, 'AuthenticationFailed');
  await refused(read(byPolicy(container, 'all', { permissions: ContainerSASPermissions.parse('r') })), 403,
    'AuthenticationFailed');
  await read(byPolicy(container, 'nothing', { expiresOn: inDays(1),
    permissions: ContainerSASPermissions.parse('r') }));
  await refused(read(byPolicy(container, 'nothing', { expiresOn: inDays(1) })), 403, 'AuthorizationPermissionMismatch');
  const listed = [];
  for await (const { name } of byPolicy(container, 'all').listBlobsFlat()) listed.push(name);
  assert.deepEqual(listed, ['blob']);
});

test('an ACL is the owner’s: no signature reads or sets it', async () => {
  const container = await newContainer();
  for (const sas of [accountSas(stack), serviceSas(stack, container.containerName)]) {
    for (const method of ['GET', 'PUT']) {
      const answer = await send(stack, { method, path: `/${container.containerName}`,
        query: { restype: 'container', comp: 'acl' }, sas });
      assert.deepEqual([answer.status, answer.code], [403, 'AuthorizationPermissionMismatch']);
    }
  }
});

const anonymous = (path, query = {}, method = 'GET') => send(stack, { method, path, query, unsigned: true });
const list = { restype: 'container', comp: 'list' };

test('without the account’s leave nothing is public', async () => {
  const container = await newContainer();
  await refused(container.setAccessPolicy('blob'), 409, 'PublicAccessNotPermitted');
  await refused(service.getContainerClient('access-public').create({ access: 'container' }), 409,
    'PublicAccessNotPermitted');
  const answer = await anonymous(`/${container.containerName}`, list);
  assert.deepEqual([answer.status, answer.code], [401, 'NoAuthenticationInformation']);
});

test('with it, the public reads what its container shows', async () => {
  await permit(true);
  const blobs = await newContainer({ access: 'blob' });
  const all = await newContainer({ access: 'container' });
  const none = await newContainer();
  for (const container of [blobs, all, none]) await container.getBlockBlobClient('blob').upload('content', 7);
  const outcomes = async ({ containerName: name }) => Promise.all([
    anonymous(`/${name}/blob`), anonymous(`/${name}/blob`, {}, 'HEAD'), anonymous(`/${name}/blob`, { comp: 'metadata' }),
    anonymous(`/${name}/blob`, { comp: 'blocklist' }), anonymous(`/${name}/blob`, { comp: 'blocklist', blocklisttype: 'all' }),
    anonymous(`/${name}`, list), anonymous(`/${name}`, { restype: 'container' }),
    anonymous(`/${name}`, { restype: 'container', comp: 'metadata' }), anonymous(`/${name}`, { restype: 'container', comp: 'acl' }),
    anonymous(`/${name}/blob`, {}, 'PUT'), anonymous(`/${name}/blob`, {}, 'DELETE')]).then((answers) =>
    answers.map(({ status }) => status));
  assert.deepEqual(await outcomes(blobs), [200, 200, 200, 200, 401, 401, 401, 401, 401, 400, 401]);
  assert.deepEqual(await outcomes(all), [200, 200, 200, 200, 401, 200, 200, 200, 401, 400, 401]);
  assert.deepEqual(await outcomes(none), [401, 401, 401, 401, 401, 401, 401, 401, 401, 400, 401]);
  assert.equal((await anonymous(`/${blobs.containerName}/absent`)).code, 'BlobNotFound');
  assert.equal((await anonymous('/access-absent/blob')).status, 401);
  assert.equal((await new BlobClient(`${blobs.url}/blob`, undefined, noRetry).downloadToBuffer()).toString(), 'content');

  assert.equal((await blobs.getProperties()).blobPublicAccess, 'blob');
  assert.equal((await none.getProperties()).blobPublicAccess, undefined);
  const listed = {};
  for await (const { name, properties } of service.listContainers()) listed[name] = properties.publicAccess;
  assert.equal(listed[blobs.containerName], 'blob');
  assert.equal(listed[all.containerName], 'container');
  assert.equal(listed[none.containerName], undefined);

  // Each change holds for the next request.
  await all.setAccessPolicy();
  assert.equal((await anonymous(`/${all.containerName}/blob`)).status, 401);
  await all.setAccessPolicy('blob', [policy('x', { permissions: 'r' })]);
  assert.equal((await anonymous(`/${all.containerName}/blob`)).status, 200);
  assert.equal((await all.getAccessPolicy()).blobPublicAccess, 'blob');
  await permit(false);
  assert.equal((await anonymous(`/${all.containerName}/blob`)).status, 401);
  await refused(all.setAccessPolicy('blob'), 409, 'PublicAccessNotPermitted');
  assert.equal((await all.getAccessPolicy()).blobPublicAccess, 'blob');
});

test('an account is made with that leave', async () => {
  for (const [name, flags] of [['openone', ['--public-access']], ['closedone', []]]) {
    const made = await stack.ctl('account', 'create', name, '--json', ...flags);
    assert.equal(made.code, 0, made.stderr);
    const { properties } = await stack.management.good('GET', stack.accountPath(name));
    assert.equal(properties.allowBlobPublicAccess, flags.length > 0);
  }
});

test('a revoked key is the public’s limit, too; policies are managed meanwhile', async () => {
  await permit(true);
  const container = await newContainer({ access: 'container' });
  await container.getBlockBlobClient('blob').upload('content', 7);
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await anonymous(`/${container.containerName}/blob`)).status === 403,
    'the key to be revoked');
  assert.equal((await anonymous(`/${container.containerName}`, list)).status, 200);
  await container.setAccessPolicy('container', [policy('x', { permissions: 'r' })]);
  assert.equal((await container.getAccessPolicy()).signedIdentifiers.length, 1);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await anonymous(`/${container.containerName}/blob`)).status === 200,
    'the key to be back');
});

test('bad requests change nothing', async () => {
  const container = await newContainer();
  const set = (body, headers = {}) => send(stack, { method: 'PUT', path: `/${container.containerName}`,
    query: { restype: 'container', comp: 'acl' }, headers, body });
  const rows = [
    [set('<SignedIdentifiers>'), 400, 'InvalidXmlDocument'],
    [set('<SignedIdentifiers><SignedIdentifier><Id>a</Id></SignedIdentifier></SignedIdentifiers>'.replace('a<', 'a'.repeat(65) + '<')),
      400, 'InvalidXmlNodeValue'],
    [set(`<SignedIdentifiers>${[1, 2, 3, 4, 5, 6].map((id) => `<SignedIdentifier><Id>${id}</Id></SignedIdentifier>`)
      .join('')}</SignedIdentifiers>`), 400, 'InvalidXmlDocument'],
    [set('', { 'x-ms-blob-public-access': 'everybody' }), 400, 'InvalidHeaderValue'],
    [set('', { 'if-unmodified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' }), 412, 'ConditionNotMet'],
    [set('x'.repeat(70000)), 413, 'RequestBodyTooLarge'],
  ];
  const { etag } = await container.getProperties();
  for (const [asked, status, code] of rows) {
    const answer = await asked;
    assert.deepEqual([answer.status, answer.code], [status, code]);
  }
  assert.equal((await container.getProperties()).etag, etag);
});
