// SPDX-License-Identifier: Apache-2.0
// The vendor's Blob SDK, unmodified, against the gateway: what is stored comes back byte for byte,
// and the documented headers, conditions and listings are what the SDK expects.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { after, before, test } from 'node:test';

import { BlobServiceClient, StorageSharedKeyCredential, ContainerSASPermissions,
  generateBlobSASQueryParameters, BlobClient, ContainerClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { startStack, noRetry } from './lib/stack.mjs';

const CHUNK = 65536;
const STRIPE = 4 * 1024 * 1024;
let stack;
let service;
let container;

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('blobs');
  await container.create();
});
after(() => stack?.stop());

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

for (const size of [0, 1, 511, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, STRIPE - 1, STRIPE, STRIPE + 1,
  100 * 1024 * 1024]) {
  test(`single shot, ${size} bytes`, async () => {
    const bytes = randomBytes(size);
    const blob = container.getBlockBlobClient(`single-${size}`);
    const put = await blob.upload(bytes, size, { metadata: { size: `${size}` } });
    assert.equal(put.isServerEncrypted, true);
    const back = await blob.downloadToBuffer();
    assert.equal(hash(back), hash(bytes));
    const properties = await blob.getProperties();
    assert.equal(properties.contentLength, size);
    assert.equal(properties.blobType, 'BlockBlob');
    assert.equal(properties.isServerEncrypted, true);
    assert.deepEqual(properties.metadata, { size: `${size}` });
    assert.equal(properties.etag, put.etag);
  });

  test(`staged blocks, ${size} bytes`, async () => {
    const bytes = randomBytes(size);
    const blob = container.getBlockBlobClient(`staged-${size}`);
    await blob.uploadData(bytes, { maxSingleShotSize: 0, blockSize: Math.max(1, 8 * 1024 * 1024 - 7),
      concurrency: 4, blobHTTPHeaders: { blobContentType: 'application/x-test' } });
    assert.equal(hash(await blob.downloadToBuffer()), hash(bytes));
    assert.equal((await blob.getProperties()).contentType, 'application/x-test');
  });
}

test('ranges at every chunk border', async () => {
  const size = 5 * CHUNK + 123;
  const bytes = randomBytes(size);
  const blob = container.getBlockBlobClient('ranges');
  await blob.upload(bytes, size);
  for (let border = 0; border <= 5 * CHUNK; border += CHUNK) {
    for (const from of [border - 1, border, border + 1]) {
      for (const length of [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size]) {
        if (from < 0 || from >= size) continue;
        const back = await blob.downloadToBuffer(from, Math.min(length, size - from));
        assert.ok(back.equals(bytes.subarray(from, from + length)), `${from}+${length}`);
      }
    }
  }
});

test('ranges at every chunk border of a blob of several stripes', async () => {
  const size = 2 * STRIPE + 3 * CHUNK + 1;
  const bytes = randomBytes(size);
  const blob = container.getBlockBlobClient('striped');
  await blob.upload(bytes, size);
  const borders = Array.from({ length: Math.floor(size / CHUNK) + 1 }, (_, i) => i * CHUNK);
  const check = async (border) => {
    for (const [from, to] of [[border - 1, border], [border, border], [border - 1, border + CHUNK],
      [border + 1, border + 2 * CHUNK + 1]]) {
      if (from < 0 || from >= size) continue;
      const end = Math.min(to + 1, size);
      const back = await blob.downloadToBuffer(from, end - from);
      assert.ok(back.equals(bytes.subarray(from, end)), `${from} to ${end}`);
    }
  };
  await Promise.all([0, 1, 2, 3].map(async (lane) => {
    for (let i = lane; i < borders.length; i += 4) await check(borders[i]);
  }));
});

test('the forms in which a range is written', async () => {
  const bytes = randomBytes(3 * CHUNK);
  await container.getBlockBlobClient('forms').upload(bytes, bytes.length);
  const get = (headers) => send(stack, { method: 'GET', path: '/blobs/forms', headers });
  const last = bytes.length - 1;
  for (const [header, from, to] of [['bytes=0-', 0, last], [`bytes=${CHUNK}-`, CHUNK, last],
    [`bytes=${CHUNK - 1}-${CHUNK}`, CHUNK - 1, CHUNK], ['bytes=0-0', 0, 0],
    [`bytes=${last}-${last + 1000}`, last, last], [`bytes=7-${10 ** 15}`, 7, last]]) {
    for (const name of ['range', 'x-ms-range']) {
      const answer = await get({ [name]: header });
      assert.equal(answer.status, 206, `${name}: ${header}`);
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/${bytes.length}`);
      assert.equal(answer.headers['content-length'], String(to - from + 1));
      assert.ok(answer.body.equals(bytes.subarray(from, to + 1)), `${name}: ${header}`);
    }
  }
  // x-ms-range is the one that counts.
  const both = await get({ range: 'bytes=0-9', 'x-ms-range': 'bytes=5-6' });
  assert.ok(both.body.equals(bytes.subarray(5, 7)));
  assert.equal((await get({})).headers['accept-ranges'], 'bytes');
});

test('ranges across blocks of uneven lengths and stripes', async () => {
  const parts = [1, CHUNK, STRIPE + 5, 3, 2 * STRIPE, 70000].map((n) => randomBytes(n));
  const blob = container.getBlockBlobClient('uneven');
  const ids = parts.map((_, i) => Buffer.from(`block-${i}`).toString('base64'));
  for (const [i, part] of parts.entries()) await blob.stageBlock(ids[i], part, part.length);
  await blob.commitBlockList(ids);
  const whole = Buffer.concat(parts);
  let border = 0;
  for (const part of parts) {
    border += part.length;
    for (const from of [border - 2, border - 1, border]) {
      const length = Math.min(5, whole.length - from);
      if (from < 0 || length <= 0) continue;
      assert.ok((await blob.downloadToBuffer(from, length)).equals(whole.subarray(from, from + length)));
    }
  }
  assert.equal(hash(await blob.downloadToBuffer()), hash(whole));
});

test('a range past the end is 416, one that only ends there is cut', async () => {
  const blob = container.getBlockBlobClient('short');
  await blob.upload('hello', 5);
  await refused(blob.download(5, 1), 416, 'InvalidRange');
  const cut = await blob.download(3, 100);
  assert.equal(cut._response.status, 206);
  assert.equal(cut.contentRange, 'bytes 3-4/5');
  const md5 = await blob.download(0, 4, { rangeGetContentMD5: true });
  assert.equal(Buffer.from(md5.contentMD5).toString('hex'), createHash('md5').update('hell').digest('hex'));
});

test('metadata, headers and their changes', async () => {
  const blob = container.getBlockBlobClient('meta');
  await blob.upload('x', 1, { metadata: { one: '1', Two: 'zwei' }, blobHTTPHeaders: {
    blobCacheControl: 'no-cache', blobContentDisposition: 'attachment', blobContentEncoding: 'identity',
    blobContentLanguage: 'en', blobContentType: 'text/plain' } });
  let properties = await blob.getProperties();
  assert.deepEqual(properties.metadata, { one: '1', two: 'zwei' });
  assert.equal(properties.cacheControl, 'no-cache');
  assert.equal(properties.contentDisposition, 'attachment');
  assert.equal(properties.contentLanguage, 'en');
  await blob.setHTTPHeaders({ blobContentType: 'text/html' });
  properties = await blob.getProperties();
  assert.equal(properties.contentType, 'text/html');
  assert.equal(properties.cacheControl, undefined);
  assert.deepEqual(properties.metadata, { one: '1', two: 'zwei' });
  await blob.setMetadata({ three: '3' });
  properties = await blob.getProperties();
  assert.deepEqual(properties.metadata, { three: '3' });
  assert.equal(properties.contentType, 'text/html');
  await refused(blob.setMetadata({ big: 'x'.repeat(8193) }), 400, 'MetadataTooLarge');
});

test('conditions', async () => {
  const blob = container.getBlockBlobClient('conditions');
  const first = await blob.upload('one', 3, { conditions: { ifNoneMatch: '*' } });
  await refused(blob.upload('two', 3, { conditions: { ifNoneMatch: '*' } }), 409, 'BlobAlreadyExists');
  await refused(blob.upload('two', 3, { conditions: { ifMatch: '"0xDEAD"' } }), 412, 'ConditionNotMet');
  const second = await blob.upload('two', 3, { conditions: { ifMatch: first.etag } });
  assert.notEqual(first.etag, second.etag);
  await refused(blob.download(0, undefined, { conditions: { ifMatch: first.etag } }), 412,
    'ConditionNotMet');
  await refused(blob.download(0, undefined, { conditions: { ifNoneMatch: second.etag } }), 304);
  const hourAgo = new Date(Date.now() - 3600e3);
  await refused(blob.download(0, undefined, { conditions: { ifUnmodifiedSince: hourAgo } }), 412,
    'ConditionNotMet');
  assert.equal((await blob.downloadToBuffer(0, undefined, {
    conditions: { ifModifiedSince: hourAgo } })).toString(), 'two');
  await refused(blob.delete({ conditions: { ifMatch: first.etag } }), 412, 'ConditionNotMet');
  await blob.delete({ conditions: { ifMatch: second.etag } });
  await refused(blob.getProperties(), 404, 'BlobNotFound');
});

test('conditions hold for every operation that takes them', async () => {
  const blob = container.getBlockBlobClient('conditional');
  const { etag } = await blob.upload('x', 1);
  const id = Buffer.from('a').toString('base64');
  await blob.stageBlock(id, 'y', 1);
  const wrong = { conditions: { ifMatch: '"0x8D0000000000000"' } };
  const unchanged = { conditions: { ifModifiedSince: new Date(Date.now() + 1000) } };
  for (const attempt of [() => blob.getProperties(wrong), () => blob.download(0, 1, wrong),
    () => blob.setMetadata({ a: 'b' }, wrong), () => blob.setHTTPHeaders({}, wrong),
    () => blob.commitBlockList([id], wrong), () => blob.upload('z', 1, wrong), () => blob.delete(wrong),
    () => blob.setMetadata({ a: 'b' }, { conditions: { ifNoneMatch: etag } }),
    () => blob.commitBlockList([id], unchanged), () => blob.delete(unchanged)]) {
    await refused(attempt(), 412, 'ConditionNotMet');
  }
  for (const conditions of [unchanged, { conditions: { ifNoneMatch: etag } },
    { conditions: { ifNoneMatch: `"other", ${etag}` } }]) {
    await refused(blob.getProperties(conditions), 304);
    await refused(blob.download(0, undefined, conditions), 304);
  }
  await refused(blob.commitBlockList([id], { conditions: { ifNoneMatch: '*' } }), 409, 'BlobAlreadyExists');
  await blob.getProperties({ conditions: { ifMatch: `"other", ${etag}` } });
  assert.equal((await blob.getProperties()).etag, etag, 'a refused request changed it');
  await blob.commitBlockList([id], { conditions: { ifMatch: etag } });
  assert.equal((await blob.downloadToBuffer()).toString(), 'y');
  // What is not there has no ETag.
  await refused(container.getBlockBlobClient('nothing').upload('x', 1, { conditions: { ifMatch: '*' } }), 412);

  const box = service.getContainerClient('conditional');
  await box.create();
  const past = { conditions: { ifUnmodifiedSince: new Date(Date.now() - 3600e3) } };
  await refused(box.delete(past), 412, 'ConditionNotMet');
  await refused(box.setMetadata({ a: 'b' }, { conditions: { ifModifiedSince: new Date(Date.now() + 1000) } }), 412);
  await box.delete({ conditions: { ifModifiedSince: new Date(Date.now() - 3600e3) } });
});

test('of many writers with the same condition one wins', async () => {
  const blob = container.getBlockBlobClient('race');
  const { etag } = await blob.upload('start', 5);
  const results = await Promise.allSettled(Array.from({ length: 16 }, (_, i) =>
    blob.upload(`writer ${String(i).padStart(2, '0')}`, 9, { conditions: { ifMatch: etag } })));
  const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
  assert.equal(winners.length, 1);
  assert.equal((await blob.downloadToBuffer()).toString(), `writer ${String(winners[0]).padStart(2, '0')}`);
  for (const result of results) {
    if (result.status === 'rejected') assert.equal(result.reason.statusCode, 412);
  }
});

test('a small blob is written over by larger ones, by blocks and by small ones', async () => {
  const blob = container.getBlockBlobClient('small');
  const id = Buffer.from('one').toString('base64');
  const sizes = [10, 4096, 5000, 1, 100000, 4095, 0, 7];
  for (const size of sizes) {
    const bytes = randomBytes(size);
    await blob.upload(bytes, size);
    assert.deepEqual(await blob.downloadToBuffer(), bytes);
    await blob.setMetadata({ size: `${size}` });
    await blob.setHTTPHeaders({ blobContentType: 'application/x-small' });
    assert.deepEqual(await blob.downloadToBuffer(), bytes);
    if (size > 2) assert.deepEqual(await blob.downloadToBuffer(1, size - 2), bytes.subarray(1, -1));
    assert.deepEqual((await blob.getProperties()).metadata, { size: `${size}` });
  }
  assert.deepEqual((await blob.getBlockList('committed')).committedBlocks ?? [], []);
  await blob.stageBlock(id, 'staged', 6);
  assert.equal((await blob.downloadToBuffer()).length, 7);
  await blob.commitBlockList([id]);
  assert.equal((await blob.downloadToBuffer()).toString(), 'staged');
  await blob.upload('again', 5);
  await blob.delete();
  await refused(blob.download(), 404, 'BlobNotFound');
  await blob.stageBlock(id, 'new', 3);
  await blob.commitBlockList([id]);
  assert.equal((await blob.downloadToBuffer()).toString(), 'new');
});

test('block lists: committed, uncommitted, latest; what is not named is dropped', async () => {
  const blob = container.getBlockBlobClient('blocks');
  const id = (text) => Buffer.from(text).toString('base64');
  await blob.stageBlock(id('a1'), 'AAAA', 4);
  await blob.stageBlock(id('b1'), 'BB', 2);
  await refused(blob.getProperties(), 404, 'BlobNotFound');
  let list = await blob.getBlockList('all');
  assert.deepEqual(list.uncommittedBlocks.map((b) => [b.name, b.size]), [[id('a1'), 4], [id('b1'), 2]]);
  await blob.commitBlockList([id('b1'), id('a1')], { metadata: { order: 'ba' } });
  assert.equal((await blob.downloadToBuffer()).toString(), 'BBAAAA');
  await blob.stageBlock(id('a1'), 'CCC', 3);
  await blob.stageBlock(id('x1'), 'never', 5);
  assert.equal((await blob.downloadToBuffer()).toString(), 'BBAAAA');
  // "Latest" of the SDK takes the newly staged block where there is one.
  await blob.commitBlockList([id('a1'), id('b1'), id('a1')]);
  assert.equal((await blob.downloadToBuffer()).toString(), 'CCCBBCCC');
  list = await blob.getBlockList('all');
  assert.deepEqual(list.committedBlocks.map((b) => b.name), [id('a1'), id('b1'), id('a1')]);
  assert.equal(list.uncommittedBlocks?.length ?? 0, 0);
  assert.deepEqual((await blob.getProperties()).metadata, {});
  await refused(blob.commitBlockList([id('x1')]), 400, 'InvalidBlockList');
  await blob.stageBlock(id('y1'), 'D', 1);
  await refused(blob.stageBlock(id('longer'), 'D', 1), 400, 'InvalidBlobOrBlock');
});

test('12,000 blobs listed flat, by pages and with a delimiter', async () => {
  const many = service.getContainerClient('many');
  await many.create();
  const names = [];
  for (let folder = 0; folder < 12; folder++) {
    for (let i = 0; i < 1000; i++) {
      names.push(`folder-${String(folder).padStart(2, '0')}/blob-${String(i).padStart(4, '0')}`);
    }
  }
  const queue = [...names];
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      await many.getBlockBlobClient(name).upload(name, name.length);
    }
  }));
  const flat = [];
  for await (const item of many.listBlobsFlat()) flat.push(item.name);
  assert.deepEqual(flat, names);
  let pages = 0;
  const paged = [];
  for await (const page of many.listBlobsFlat().byPage({ maxPageSize: 777 })) {
    pages++;
    paged.push(...page.segment.blobItems.map((item) => item.name));
  }
  assert.equal(pages, Math.ceil(12000 / 777));
  assert.deepEqual(paged, names);
  const prefixes = [];
  for await (const item of many.listBlobsByHierarchy('/')) {
    assert.equal(item.kind, 'prefix');
    prefixes.push(item.name);
  }
  assert.deepEqual(prefixes, Array.from({ length: 12 }, (_, i) => `folder-${String(i).padStart(2, '0')}/`));
  const inside = [];
  for await (const item of many.listBlobsByHierarchy('/', { prefix: 'folder-07/' })) {
    assert.equal(item.properties.contentLength, item.name.length);
    inside.push(item.name);
  }
  assert.equal(inside.length, 1000);
  await many.delete();
  await refused(many.getProperties(), 404, 'ContainerNotFound');
});

test('delimiters among blobs and folders, page by page', async () => {
  const mixed = service.getContainerClient('mixed');
  await mixed.create();
  const names = ['a', 'a/1', 'a/2', 'a/b/3', 'aa', 'b--1', 'b--2', 'b-3', 'c/', 'z'];
  for (const name of names) await mixed.getBlockBlobClient(name).upload(name, name.length);
  const list = async (delimiter, options, maxPageSize) => {
    const seen = [];
    for await (const page of mixed.listBlobsByHierarchy(delimiter, options).byPage({ maxPageSize })) {
      const here = [...(page.segment.blobPrefixes ?? []), ...page.segment.blobItems];
      assert.ok(here.length <= maxPageSize, `${here.length} of at most ${maxPageSize}`);
      seen.push(...here.map((item) => item.name));
    }
    return seen.sort();
  };
  for (const size of [1, 2, 3, 5000]) {
    assert.deepEqual(await list('/', {}, size), ['a', 'a/', 'aa', 'b--1', 'b--2', 'b-3', 'c/', 'z']);
    assert.deepEqual(await list('/', { prefix: 'a/' }, size), ['a/1', 'a/2', 'a/b/']);
    assert.deepEqual(await list('--', {}, size), ['a', 'a/1', 'a/2', 'a/b/3', 'aa', 'b--', 'b-3', 'c/', 'z']);
    assert.deepEqual(await list('/', { prefix: 'c/' }, size), ['c/']);
    assert.deepEqual(await list('/', { prefix: 'nothing' }, size), []);
  }
});

test('listing with metadata, and names that XML finds hard', async () => {
  const odd = service.getContainerClient('odd');
  await odd.create({ metadata: { purpose: 'names' } });
  const names = ['a b', 'ä/ö', '<&>"\'', 'plus+sign', 'per%cent', '日本語', 'q?mark#hash', 'dot.'];
  for (const name of names) {
    await odd.getBlockBlobClient(name).upload('x', 1, { metadata: { name: encodeURIComponent(name) } });
  }
  const seen = new Map();
  for await (const item of odd.listBlobsFlat({ includeMetadata: true })) {
    seen.set(item.name, item.metadata.name);
  }
  assert.deepEqual([...seen.keys()].sort(), [...names].sort());
  for (const [name, value] of seen) assert.equal(decodeURIComponent(value), name);
  // In a query a blank may be written as '+'; the Go SDK does.
  const plus = await send(stack, { method: 'GET', path: '/odd', query: { restype: 'container',
    comp: 'list', prefix: 'a b' }, raw: (o) => { o.path = o.path.replace('a%20b', 'a+b'); } });
  assert.match(plus.body.toString(), /<Name>a b<\/Name>/);
  for (const name of names) await odd.getBlobClient(name).delete();
  assert.deepEqual((await odd.getProperties()).metadata, { purpose: 'names' });
  await odd.setMetadata({ purpose: 'changed' });
  assert.deepEqual((await odd.getProperties()).metadata, { purpose: 'changed' });
  const containers = [];
  for await (const item of service.listContainers({ includeMetadata: true, prefix: 'od' })) {
    containers.push([item.name, item.metadata]);
  }
  assert.deepEqual(containers, [['odd', { purpose: 'changed' }]]);
});

test('containers: twice, never, and names that are not allowed', async () => {
  await refused(container.create(), 409, 'ContainerAlreadyExists');
  await refused(service.getContainerClient('nobody').delete(), 404, 'ContainerNotFound');
  await refused(service.getContainerClient('nobody').getBlockBlobClient('x').upload('x', 1), 404,
    'ContainerNotFound');
  await refused(service.getContainerClient('UPPER').create(), 400, 'InvalidResourceName');
});

test('a container in many shards is one container, and none when it is gone', async () => {
  const create = (shards) => send(stack, { method: 'PUT', path: '/sharded',
    query: { restype: 'container' }, headers: { 'x-gatekey-index-shards': shards } });
  for (const shards of ['0', '1025', 'many', '-1', '']) {
    assert.equal((await create(shards)).headers['x-ms-error-code'], 'InvalidHeaderValue', shards);
  }
  assert.equal((await create('1024')).status, 201);
  assert.equal((await create('7')).headers['x-ms-error-code'], 'ContainerAlreadyExists');
  const sharded = service.getContainerClient('sharded');
  const names = [...Array(300).keys()].map((number) => `${number % 3}/${number}`).sort();
  for (const name of names) await sharded.getBlockBlobClient(name).upload(name, name.length);
  const listed = [];
  for await (const page of sharded.listBlobsFlat().byPage({ maxPageSize: 77 })) {
    listed.push(...page.segment.blobItems.map((item) => item.name));
  }
  assert.deepEqual(listed, names);
  const prefixes = [];
  for await (const item of sharded.listBlobsByHierarchy('/')) prefixes.push(item.name);
  assert.deepEqual(prefixes, ['0/', '1/', '2/']);
  // Deleted and made anew: the gateway knows at once, whatever it had looked up before.
  const blob = sharded.getBlockBlobClient(names[0]);
  for (const shards of ['3', '1']) {
    assert.equal((await blob.downloadToBuffer()).toString(), names[0]);
    await sharded.delete();
    await refused(blob.download(), 404, 'ContainerNotFound');
    await refused(blob.upload('late', 4), 404, 'ContainerNotFound');
    assert.equal((await create(shards)).status, 201);
    await refused(blob.download(), 404, 'BlobNotFound');
    await blob.upload(names[0], names[0].length);
  }
  await sharded.delete();
});

test('a service SAS reads what it names and nothing else', async () => {
  const credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
  await container.getBlockBlobClient('shared').upload('for you', 7);
  const sas = (options) => generateBlobSASQueryParameters({ containerName: 'blobs',
    expiresOn: new Date(Date.now() + 600e3), ...options }, credential).toString();
  const read = sas({ blobName: 'shared', permissions: ContainerSASPermissions.parse('r') });
  const blob = new BlobClient(`${stack.blobEndpoint}/blobs/shared?${read}`, undefined, noRetry);
  assert.equal((await blob.downloadToBuffer()).toString(), 'for you');
  await refused(blob.delete(), 403, 'AuthorizationPermissionMismatch');
  const other = new BlobClient(`${stack.blobEndpoint}/blobs/ranges?${read}`, undefined, noRetry);
  await refused(other.download(), 403, 'AuthenticationFailed');
  const late = sas({ blobName: 'shared', permissions: ContainerSASPermissions.parse('r'),
    expiresOn: new Date(Date.now() - 1000) });
  await refused(new BlobClient(`${stack.blobEndpoint}/blobs/shared?${late}`, undefined, noRetry)
    .download(), 403, 'AuthenticationFailed');
  const list = sas({ permissions: ContainerSASPermissions.parse('l') });
  const listed = [];
  for await (const item of new ContainerClient(`${stack.blobEndpoint}/blobs?${list}`, undefined, noRetry)
    .listBlobsFlat({ prefix: 'shared' })) listed.push(item.name);
  assert.deepEqual(listed, ['shared']);
});

test('over TLS', async () => {
  const overTls = BlobServiceClient.fromConnectionString(stack.connectionStringTls, stack.overTls);
  const bytes = randomBytes(STRIPE + 17);
  const blob = overTls.getContainerClient('blobs').getBlockBlobClient('tls');
  await blob.uploadData(bytes, { maxSingleShotSize: 0, blockSize: 1024 * 1024 });
  assert.equal(hash(await blob.downloadToBuffer()), hash(bytes));
  const plain = container.getBlockBlobClient('tls');
  assert.equal(hash(await plain.downloadToBuffer()), hash(bytes));
});

test('with the account in the host name, over TLS and without', async () => {
  const credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
  const lookup = (name, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }])
    : done(null, '127.0.0.1', 4));
  for (const [scheme, base, Agent] of [['http', stack.blobEndpoint, http.Agent],
    ['https', stack.blobEndpointTls, https.Agent]]) {
    const url = `${scheme}://${stack.account}.${stack.domain}:${new URL(base).port}`;
    const agent = new Agent({ ca: stack.ca, lookup });
    const named = new BlobServiceClient(url, credential, { ...noRetry, agent });
    const blob = named.getContainerClient('blobs').getBlockBlobClient('a name/in a host');
    await blob.upload(scheme, scheme.length, { metadata: { scheme } });
    assert.equal((await blob.downloadToBuffer()).toString(), scheme);
    const listed = [];
    for await (const item of named.listContainers()) listed.push(item.name);
    assert.ok(listed.includes('blobs'));
    agent.destroy();
  }
});

test('a wrong account key is refused', async () => {
  const wrong = new BlobServiceClient(stack.blobEndpoint,
    new StorageSharedKeyCredential(stack.account, randomBytes(64).toString('base64')), noRetry);
  await refused(wrong.getContainerClient('blobs').getProperties(), 403, 'AuthenticationFailed');
});
