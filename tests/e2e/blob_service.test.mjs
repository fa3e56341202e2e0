// SPDX-License-Identifier: Apache-2.0
// What an account says of its Blob service as a whole, with the vendor's SDK and by hand: settings come
// back as they were set, what is not sent stays, and what is not allowed changes nothing; browsers of other
// origins are told what the rules allow.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { accountSas, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const PROPERTIES = { restype: 'service', comp: 'properties' };
let stack;
let service;

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
});
after(() => stack?.stop());

const document = (inside) => '<?xml version="1.0" encoding="utf-8"?>' +
  `<StorageServiceProperties>${inside}</StorageServiceProperties>`;
const set = (body, more = {}) => send(stack, { method: 'PUT', path: '/', query: PROPERTIES, body, ...more });
const get = async () => {
  const answer = await send(stack, { method: 'GET', path: '/', query: PROPERTIES });
  assert.equal(answer.status, 200);
  return answer.body.toString();
};

const none = { enabled: false };
// Without what the SDK has no value for.
const plain = (value) => JSON.parse(JSON.stringify(value));
const rule = (origins, methods, allowed = '', exposed = '') => ({ allowedOrigins: origins,
  allowedMethods: methods, allowedHeaders: allowed, exposedHeaders: exposed, maxAgeInSeconds: 200 });
const everything = {
  blobAnalyticsLogging: { version: '1.0', deleteProperty: true, read: true, write: false,
    retentionPolicy: { enabled: true, days: 5 } },
  hourMetrics: { version: '1.0', enabled: true, includeAPIs: true, retentionPolicy: { enabled: true, days: 4 } },
  minuteMetrics: { version: '1.0', enabled: false, retentionPolicy: none },
  cors: [rule('http://www.example.org,http://www.example.com', 'GET,PUT', 'x-ms-meta-data*', 'x-ms-meta-*'),
    rule('*', 'GET,PUT,POST,MERGE,PATCH,DELETE,HEAD,OPTIONS')],
  defaultServiceVersion: '2021-12-02',
  deleteRetentionPolicy: { enabled: true, days: 3 },
  staticWebsite: { enabled: true, indexDocument: 'index.html', errorDocument404Path: 'error/404.html' },
};

function assertEverything(actual) {
  for (const [name, value] of Object.entries(everything)) {
    if (name !== 'cors') assert.deepEqual(plain(actual[name]), value, name);
  }
  const texts = (rules) => rules.map((one) => ({ ...one, maxAgeInSeconds: Number(one.maxAgeInSeconds) }));
  assert.deepEqual(texts(actual.cors), everything.cors);
}

test('an account that nothing was set for', async () => {
  const properties = plain(await service.getProperties());
  assert.deepEqual(properties.deleteRetentionPolicy, none);
  assert.deepEqual(properties.hourMetrics, { version: '1.0', enabled: false, retentionPolicy: none });
  assert.equal(properties.defaultServiceVersion, undefined);
  assert.equal(properties.staticWebsite.enabled, false);
  assert.equal(properties.cors?.length ?? 0, 0);
});

test('all that can be set comes back, after a restart too', async () => {
  const answer = await service.setProperties(everything);
  assert.equal(answer._response.status, 202);
  assertEverything(await service.getProperties());
  await stack.gateway.restart();
  assertEverything(await service.getProperties());
});

test('what is not sent stays as it is', async () => {
  const before = await get();
  assert.equal((await set(document(''))).status, 202);
  assert.equal(await get(), before);
  assert.equal((await set(document('<DeleteRetentionPolicy><Enabled>false</Enabled>' +
    '</DeleteRetentionPolicy>'))).status, 202);
  assert.equal(await get(), before.replace(/<DeleteRetentionPolicy>.*<\/DeleteRetentionPolicy>/,
    '<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>'));
  assert.equal((await set(document('<Cors/>'))).status, 202);
  assert.equal((await service.getProperties()).cors?.length ?? 0, 0);
});

const wrong = {
  'no XML': ['<StorageServiceProperties>', 'InvalidXmlDocument'],
  'an empty body': ['', 'InvalidXmlDocument'],
  'an element that is not known': [document('<Metrics/>'), 'InvalidXmlDocument'],
  'a part that lacks something': [document('<Logging><Version>1.0</Version></Logging>'), 'InvalidXmlDocument'],
  'a retention of no days': [document('<DeleteRetentionPolicy><Enabled>true</Enabled><Days>0</Days>' +
    '</DeleteRetentionPolicy>'), 'InvalidXmlNodeValue'],
  'a retention without days': [document('<DeleteRetentionPolicy><Enabled>true</Enabled>' +
    '</DeleteRetentionPolicy>'), 'InvalidXmlDocument'],
  'a version that is none': [document('<DefaultServiceVersion>latest</DefaultServiceVersion>'),
    'InvalidXmlNodeValue'],
  'six rules': [document(`<Cors>${('<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET' +
    '</AllowedMethods><AllowedHeaders/><ExposedHeaders/><MaxAgeInSeconds>1</MaxAgeInSeconds></CorsRule>')
    .repeat(6)}</Cors>`), 'InvalidXmlDocument'],
};
for (const [what, [body, code]] of Object.entries(wrong)) {
  test(`${what} is refused and changes nothing`, async () => {
    const before = await get();
    const answer = await set(body);
    assert.equal(answer.status, 400);
    assert.equal(answer.code, code);
    assert.equal(await get(), before);
  });
}

test('a shared access signature needs w to set and r to get', async () => {
  const body = document('<Cors/>');
  for (const [permissions, status] of [['w', 202], ['r', 403]]) {
    assert.equal((await set(body, { sas: accountSas({ ...stack, permissions }) })).status, status);
  }
  for (const [permissions, status] of [['r', 200], ['w', 403]]) {
    const answer = await send(stack, { method: 'GET', path: '/', query: PROPERTIES,
      sas: accountSas({ ...stack, permissions }) });
    assert.equal(answer.status, status);
  }
});

test('several who set different parts at once lose none', async () => {
  const days = (number) => ({ deleteRetentionPolicy: { enabled: true, days: number } });
  await Promise.all([service.setProperties(days(9)), service.setProperties({ cors: [rule('*', 'GET')] }),
    service.setProperties({ defaultServiceVersion: '2020-10-02' }),
    service.createContainer('meanwhile'), service.createContainer('meanwhile-2')]);
  const properties = await service.getProperties();
  assert.deepEqual(plain(properties.deleteRetentionPolicy), { enabled: true, days: 9 });
  assert.equal(properties.cors.length, 1);
  assert.equal(properties.defaultServiceVersion, '2020-10-02');
});

/* --- other origins -----------------------------------------------------------------------------*/

const preflight = (path, headers, query = {}) =>
  send(stack, { method: 'OPTIONS', path, query, headers, unsigned: true });
const asked = (origin, method, headers) => ({ origin, 'access-control-request-method': method,
  ...(headers === undefined ? {} : { 'access-control-request-headers': headers }) });

test('a preflight is answered by the rules, for a blob that need not be there', async () => {
  await service.setProperties({ cors: [rule('http://a.example,http://b.example', 'GET,PUT', 'x-ms-meta-*,content-type',
    'x-ms-meta-*,etag'), rule('*', 'DELETE', '*', '*')] });
  const good = await preflight('/none/none', asked('http://b.example', 'PUT', 'x-ms-meta-one,content-type'),
    { comp: 'block', blockid: 'AAAA' });
  assert.equal(good.status, 200);
  assert.equal(good.headers['access-control-allow-origin'], 'http://b.example');
  assert.equal(good.headers['access-control-allow-methods'], 'PUT');
  assert.equal(good.headers['access-control-allow-headers'], 'x-ms-meta-one,content-type');
  assert.equal(good.headers['access-control-max-age'], '200');
  assert.equal(good.headers['access-control-allow-credentials'], 'true');
  for (const path of ['/', '/cors', '/$root/blob']) {
    assert.equal((await preflight(path, asked('http://other.example', 'DELETE', 'anything'))).status, 200, path);
  }
});

test('a preflight that no rule allows, or that lacks something', async () => {
  for (const headers of [asked('http://c.example', 'GET'), asked('http://a.example', 'POST'),
    asked('http://a.example', 'GET', 'x-ms-blob-type')]) {
    const answer = await preflight('/cors/blob', headers);
    assert.equal(answer.status, 403);
    assert.equal(answer.code, 'CorsPreflightFailure');
  }
  for (const headers of [{ origin: 'http://a.example' }, { 'access-control-request-method': 'GET' }]) {
    const answer = await preflight('/cors/blob', headers);
    assert.equal(answer.status, 400);
    assert.equal(answer.code, 'InvalidHeaderValue');
  }
  const elsewhere = await send({ ...stack, blobEndpoint: stack.blobEndpoint.replace(/[^/]*$/, 'nobody') },
    { method: 'OPTIONS', path: '/c/b', headers: asked('http://a.example', 'GET'), unsigned: true });
  assert.equal(elsewhere.code, 'CorsPreflightFailure');
});

test('answers tell what may be read', async () => {
  const container = service.getContainerClient('cors');
  await container.create();
  await container.getBlockBlobClient('blob').upload('x', 1, { metadata: { one: '1', two: '2' } });
  const read = (headers, more = {}) => send(stack, { method: 'GET', path: '/cors/blob', headers, ...more });

  const exact = await read({ origin: 'http://a.example' });
  assert.equal(exact.headers['access-control-allow-origin'], 'http://a.example');
  assert.equal(exact.headers['access-control-allow-credentials'], 'true');
  assert.equal(exact.headers['access-control-expose-headers'], 'x-ms-meta-one,x-ms-meta-two,etag');
  assert.equal(exact.headers.vary, 'Origin');

  // An error too, or a page could not tell what it is.
  const missing = await read({ origin: 'http://a.example' }, { path: '/cors/none' });
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['access-control-allow-origin'], 'http://a.example');

  for (const headers of [{}, { origin: 'http://c.example' }]) {
    const other = await read(headers);
    assert.equal(other.status, 200);
    assert.equal(other.headers['access-control-allow-origin'], undefined);
    assert.equal(other.headers.vary, 'Origin');
  }
  const any = await read({ origin: 'http://c.example' }, { method: 'DELETE' });
  assert.equal(any.status, 202);
  assert.equal(any.headers['access-control-allow-origin'], '*');
  assert.match(any.headers['access-control-expose-headers'], /x-ms-request-id/);
  assert.equal(any.headers.vary, undefined);

  await service.setProperties({ cors: [] });
  const none = await read({ origin: 'http://a.example' }, { path: '/cors/none' });
  assert.equal(none.headers['access-control-allow-origin'], undefined);
  assert.equal(none.headers.vary, undefined);
});

/* --- the account -------------------------------------------------------------------------------*/

test('account information, of the account, a container and a blob', async () => {
  const info = await service.getAccountInfo();
  assert.equal(info.skuName, 'Standard_LRS');
  assert.equal(info.accountKind, 'StorageV2');
  assert.equal(info.isHierarchicalNamespaceEnabled, false);
  const query = { restype: 'account', comp: 'properties' };
  for (const method of ['GET', 'HEAD']) {
    for (const path of ['/', '/none', '/none/none']) {
      const answer = await send(stack, { method, path, query });
      assert.equal(answer.status, 200, path);
      assert.equal(answer.headers['x-ms-sku-name'], 'Standard_LRS');
      assert.equal(answer.body.length, 0);
    }
  }
  for (const permissions of ['r', 'd']) {
    const sas = accountSas({ ...stack, permissions });
    assert.equal((await send(stack, { method: 'GET', path: '/', query, sas })).status, 200);
  }
  const sas = serviceSas(stack, 'none', 'none', 'w');
  assert.equal((await send(stack, { method: 'GET', path: '/none/none', query, sas })).status, 200);
  assert.equal((await send(stack, { method: 'GET', path: '/', query, unsigned: true })).status, 401);
});

test('the secondary endpoint tells that it is live, reads, and writes nothing', async () => {
  const secondary = new BlobServiceClient(`${stack.blobEndpoint}-secondary`,
    new StorageSharedKeyCredential(stack.account, stack.accountKey), noRetry);
  const stats = await secondary.getStatistics();
  assert.equal(stats.geoReplication.status, 'live');
  assert.ok(stats.geoReplication.lastSyncOn instanceof Date);
  const container = service.getContainerClient('secondary');
  await container.create();
  await container.getBlockBlobClient('blob').upload('x', 1);
  const reading = secondary.getContainerClient('secondary').getBlockBlobClient('blob');
  assert.equal((await reading.downloadToBuffer()).toString(), 'x');
  await assert.rejects(reading.upload('y', 1), (error) => {
    assert.equal(error.statusCode, 403);
    assert.equal(error.code, 'InsufficientAccountPermissions');
    return true;
  });
  const primary = await send(stack, { method: 'GET', path: '/', query: { restype: 'service', comp: 'stats' } });
  assert.equal(primary.status, 400);
});

/* --- $root and $web ----------------------------------------------------------------------------*/

test('blobs in $root need not name it', async () => {
  const root = service.getContainerClient('$root');
  await refusedRead('/none', 404);
  await root.create();
  await root.getBlockBlobClient('one').upload('one', 3, { metadata: { a: '1' } });
  const read = await send(stack, { method: 'GET', path: '/one' });
  assert.equal(read.body.toString(), 'one');
  const put = await send(stack, { method: 'PUT', path: '/two', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: 'two' });
  assert.equal(put.status, 201);
  assert.equal((await root.getBlobClient('two').downloadToBuffer()).toString(), 'two');
  // A signature has the container's name.
  const sas = serviceSas(stack, '$root', 'two', 'rd');
  assert.equal((await send(stack, { method: 'GET', path: '/two', sas })).body.toString(), 'two');
  assert.equal((await send(stack, { method: 'DELETE', path: '/two', sas })).status, 202);
  await refusedRead('/two', 404);
  const names = [];
  for await (const item of service.listContainers({ prefix: '$' })) names.push(item.name);
  assert.deepEqual(names, ['$root', '$web']); // a static website was enabled before
  for (const name of ['$logs', '$rooty', '$Root']) {
    const answer = await send(stack, { method: 'PUT', path: `/${name}`, query: { restype: 'container' } });
    assert.equal(answer.code, 'InvalidResourceName', name);
  }
});

async function refusedRead(path, status) {
  assert.equal((await send(stack, { method: 'GET', path })).status, status);
}
