// SPDX-License-Identifier: Apache-2.0
// Bearer tokens of the operator's identity provider, and what can be made with them: user delegation keys
// and the signatures of those, with the vendor's SDK. What a principal may not do, nobody can by its key.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { after, before, test } from 'node:test';

import { BlobClient, BlobServiceClient, ContainerClient, generateBlobSASQueryParameters,
  BlobSASPermissions, ContainerSASPermissions } from '@azure/storage-blob';

import { makeIdentityProvider } from './lib/identity.mjs';
import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const HOUR = 3600e3;
const provider = makeIdentityProvider();
const [owner, contributor, reader, delegator, elsewhere, stranger] = Array.from({ length: 6 }, () => randomUUID());
const options = { bearer: { provider, principals: [
  { object_id: owner, role: 'owner' }, { object_id: contributor, role: 'contributor', account: 'journeys' },
  { object_id: reader, role: 'reader' }, { object_id: delegator, role: 'delegator' },
  { object_id: elsewhere, role: 'owner', account: 'another' }] } };
let stack;

before(async () => {
  stack = await startStack(options);
  const { container } = as(contributor);
  await container.create();
  await container.getBlockBlobClient('blob').upload('content', 7);
});
after(() => stack?.stop());

function as(object) {
  const service = new BlobServiceClient(stack.blobEndpointTls, provider.credentialOf(object), stack.overTls);
  return { service, container: service.getContainerClient('delegated') };
}

/* --- tokens ------------------------------------------------------------------------------------*/

test('what each role may do', async () => {
  const blob = (object) => as(object).container.getBlockBlobClient('blob');
  const mismatch = [403, 'AuthorizationPermissionMismatch'];
  for (const object of [owner, contributor, reader]) {
    assert.equal((await blob(object).downloadToBuffer()).toString(), 'content');
  }
  for (const object of [owner, contributor]) await blob(object).upload('content', 7);
  await refused(blob(reader).upload('other', 5), ...mismatch);
  await refused(blob(reader).delete(), ...mismatch);
  await blob(owner).setTags({ a: '1' });
  await refused(blob(contributor).getTags(), ...mismatch);
  for (const object of [delegator, elsewhere, stranger]) await refused(blob(object).downloadToBuffer(), ...mismatch);
});

const get = (token, more = {}) => send(stack, { method: 'GET', path: '/delegated/blob', unsigned: true, tls: true,
  headers: { authorization: `Bearer ${token}` }, ...more });

test('tokens that are none', async () => {
  const now = Math.floor(Date.now() / 1000);
  const good = provider.token(reader);
  const [head, body, signature] = good.split('.');
  const rows = {
    'nonsense': 'nonsense', 'an empty one': '', 'four parts': `${good}.x`, 'no signature': `${head}.${body}.`,
    'a changed body': `${head}.${Buffer.from(JSON.stringify({ oid: owner })).toString('base64url')}.${signature}`,
    'expired': provider.token(reader, { claims: { exp: now - 1 } }),
    'not yet valid': provider.token(reader, { claims: { nbf: now + 3600 } }),
    'without an end': provider.token(reader, { claims: { exp: undefined } }),
    'another issuer': provider.token(reader, { claims: { iss: 'https://other.example' } }),
    'another audience': provider.token(reader, { claims: { aud: 'https://vault.azure.net' } }),
    'nobody’s': provider.token(reader, { claims: { oid: undefined } }),
    'a stranger’s key': provider.token(reader, { key: provider.strangersKey() }),
    'an unknown key': provider.token(reader, { header: { kid: 'other' } }),
    'the public key as a secret': provider.tokenOfPublicKey(reader),
    'not signed': provider.unsignedToken(reader),
    '20 KiB': provider.token(reader, { claims: { more: 'x'.repeat(15000) } }),
  };
  assert.equal((await get(good)).status, 200);
  assert.equal((await get(provider.token(reader, { claims: { aud: [`${provider.audience}/`] } }))).status, 200);
  for (const [what, token] of Object.entries(rows)) {
    const answer = await get(token);
    assert.equal(answer.status, 401, what);
    assert.equal(answer.code, 'InvalidAuthenticationInfo', what);
    assert.match(answer.headers['www-authenticate'], /^Bearer authorization_uri=https:\/\/identity\.gatekey\.test/);
  }
  const plain = await get(good, { tls: false });
  assert.equal(plain.status, 403);
  assert.equal(plain.code, 'AuthenticationFailed');
});

test('the provider rolls its key', async () => {
  provider.rollKey();
  assert.equal((await get(provider.token(reader))).status, 401);
  writeFileSync(stack.gateway.jwksFile, 'not whole');
  assert.equal((await get(provider.token(reader))).status, 401);
  writeFileSync(stack.gateway.jwksFile, JSON.stringify(provider.jwks));
  assert.equal((await get(provider.token(reader))).status, 200);
});

// Its head is with the gateway, which waits for the body.
async function beginPut(object, body) {
  const request = https.request(`${stack.blobEndpointTls}/delegated/begun`, { method: 'PUT', ca: stack.ca, agent: false,
    headers: { authorization: `Bearer ${provider.token(object)}`, 'x-ms-version': '2024-08-04', 'x-ms-blob-type': 'BlockBlob',
      'content-length': body.length, expect: '100-continue' } });
  request.flushHeaders();
  await once(request, 'continue');
  return { end: async () => {
    request.end(body);
    const [answer] = await once(request, 'response');
    answer.resume();
    return answer.statusCode;
  } };
}

test('who may do what changes by a reload, for what begins then', async () => {
  const { bearer } = options;
  const mismatch = [403, 'AuthorizationPermissionMismatch'];
  const upload = (object) => as(object).container.getBlockBlobClient('begun').upload('content', 7);
  const begun = await beginPut(contributor, 'content');
  options.bearer = { provider, principals: [{ object_id: reader, role: 'owner' }, { object_id: contributor, role: 'reader' }] };
  assert.equal(await stack.gateway.reload(), 'bearer');
  await refused(upload(contributor), ...mismatch);
  await refused(as(owner).container.getBlockBlobClient('blob').downloadToBuffer(), ...mismatch);
  await upload(reader);
  assert.equal(await begun.end(), 201, 'goes on with what it began with');

  options.bearer = undefined;
  assert.equal(await stack.gateway.reload(), 'bearer');
  const answer = await get(provider.token(reader));
  assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'SharedKey']);

  options.bearer = bearer;
  assert.equal(await stack.gateway.reload(), 'bearer');
  await as(contributor).container.deleteBlob('begun');
});

/* --- user delegation ---------------------------------------------------------------------------*/

const keyOf = (object, hours = 1) => as(object).service.getUserDelegationKey(new Date(Date.now() - 60e3),
  new Date(Date.now() + hours * HOUR));
const sasOf = (key, { blobName, permissions = 'r', ...more } = {}) => generateBlobSASQueryParameters({
  containerName: 'delegated', blobName, expiresOn: new Date(Date.now() + HOUR), ...more,
  permissions: blobName === undefined ? ContainerSASPermissions.parse(permissions) : BlobSASPermissions.parse(permissions),
}, key, stack.account).toString();
const blobWith = (sas, name = 'blob') =>
  new BlobClient(`${stack.blobEndpointTls}/delegated/${name}?${sas}`, undefined, stack.overTls);

test('a key, and signatures by it', async () => {
  const key = await keyOf(contributor);
  assert.equal(key.signedObjectId, contributor);
  assert.equal(key.signedTenantId, provider.tenant);
  assert.equal(key.signedService, 'b');
  assert.equal(Buffer.from(key.value, 'base64').length, 32);
  assert.equal((await keyOf(contributor)).value === (await keyOf(reader)).value, false);

  const one = sasOf(key, { blobName: 'blob' });
  assert.equal((await blobWith(one).downloadToBuffer()).toString(), 'content');
  await refused(blobWith(one).delete(), 403, 'AuthorizationPermissionMismatch');
  await refused(blobWith(one, 'other').downloadToBuffer(), 403, 'AuthenticationFailed');

  const all = sasOf(key, { permissions: 'rcwl', contentType: 'text/css', protocol: 'https' });
  await blobWith(all, 'new').getBlockBlobClient().upload('new', 3);
  const read = await blobWith(all, 'new').download();
  assert.equal(read.contentType, 'text/css');
  const names = [];
  const container = new ContainerClient(`${stack.blobEndpointTls}/delegated?${all}`, undefined, stack.overTls);
  for await (const item of container.listBlobsFlat()) names.push(item.name);
  assert.deepEqual(names, ['blob', 'new']);

  const { snapshot } = await as(contributor).container.getBlobClient('blob').createSnapshot();
  const ofSnapshot = sasOf(key, { blobName: 'blob', snapshotTime: snapshot });
  assert.equal((await blobWith(ofSnapshot).withSnapshot(snapshot).downloadToBuffer()).toString(), 'content');
});

test('a signature gives no more than its principal may', async () => {
  const write = (key) => blobWith(sasOf(key, { blobName: 'blob', permissions: 'rw' })).getBlockBlobClient()
    .upload('content', 7);
  await write(await keyOf(contributor));
  await refused(write(await keyOf(reader)), 403, 'AuthorizationPermissionMismatch');
  const ofDelegator = sasOf(await keyOf(delegator), { blobName: 'blob' });
  await refused(blobWith(ofDelegator).downloadToBuffer(), 403, 'AuthorizationPermissionMismatch');
  const taken = sasOf(await keyOf(reader), { blobName: 'blob', permissions: 'rw' }).replace(reader, contributor);
  await refused(blobWith(taken).downloadToBuffer(), 403, 'AuthenticationFailed');
});

test('keys that nobody gets', async () => {
  await refused(keyOf(contributor, 7 * 24 + 1), 400, 'InvalidXmlNodeValue');
  await refused(keyOf(contributor, -1), 400, 'InvalidXmlNodeValue');
  await refused(keyOf(stranger), 403, 'AuthorizationPermissionMismatch');
  const ask = (body, more = {}) => send(stack, { method: 'POST', path: '/', tls: true, body,
    query: { restype: 'service', comp: 'userdelegationkey' }, ...more });
  const token = { unsigned: true, headers: { authorization: `Bearer ${provider.token(reader)}` } };
  const times = `<Start>${new Date().toISOString()}</Start><Expiry>${new Date(Date.now() + HOUR).toISOString()}</Expiry>`;
  assert.equal((await ask(`<KeyInfo>${times}</KeyInfo>`, token)).status, 200);
  assert.equal((await ask(`<KeyInfo>${times}</KeyInfo>`)).code, 'AuthenticationFailed', 'an access key gets none');
  for (const body of ['', '<KeyInfo/>', '<Other/>', `<KeyInfo>${times}${times}</KeyInfo>`,
    `<KeyInfo>${times}<More/></KeyInfo>`]) {
    assert.equal((await ask(body, token)).code, 'InvalidXmlDocument', body);
  }
  assert.equal((await ask('<KeyInfo><Start>now</Start><Expiry>then</Expiry></KeyInfo>', token)).code,
    'InvalidXmlNodeValue');
});

test('keys end when they are revoked, and when the access keys change they do not', async () => {
  const sas = sasOf(await keyOf(contributor), { blobName: 'blob' });
  const path = stack.accountPath(stack.account);
  await stack.management.good('POST', `${path}/regenerateKey`, { body: { keyName: 'key2' } });
  assert.equal((await blobWith(sas).downloadToBuffer()).toString(), 'content');
  await stack.gateway.restart();
  assert.equal((await blobWith(sas).downloadToBuffer()).toString(), 'content');
  const answer = await stack.management.request('POST', `${path}/revokeUserDelegationKeys?api-version=2023-05-01`);
  assert.equal(answer.status, 200);
  await refused(blobWith(sas).downloadToBuffer(), 403, 'AuthenticationFailed');
  const later = sasOf(await keyOf(contributor), { blobName: 'blob' });
  assert.equal((await blobWith(later).downloadToBuffer()).toString(), 'content');
});
