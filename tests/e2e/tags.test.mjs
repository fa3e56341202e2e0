// SPDX-License-Identifier: Apache-2.0
// Index tags with the vendor's SDK: kept with the blob and outside of its version, shown, asked for as a
// condition, and found again, page by page; what is no tag or no expression is refused.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient, BlobClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const BLOCK = Buffer.from('block-1').toString('base64');
let stack;
let service;
let container;

before(async () => {
  stack = await startStack({ customerKey: false });
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('tagged');
  await container.create();
});
after(() => stack?.stop());

async function put(name, tags, where = container) {
  const blob = where.getBlockBlobClient(name);
  await blob.upload('content', 7, { tags });
  return blob;
}

test('tags come with the blob, are told, and change without its version', async () => {
  const blob = await put('blob', { project: 'one', 'with blank': 'a+b/c=d' });
  assert.deepEqual((await blob.getTags()).tags, { project: 'one', 'with blank': 'a+b/c=d' });
  const before = await blob.getProperties();
  assert.equal(before.tagCount, 2);
  assert.equal((await blob.download()).tagCount, 2);
  const set = await blob.setTags({ other: '' });
  assert.equal(set._response.status, 204);
  assert.deepEqual((await blob.getTags()).tags, { other: '' });
  const after = await blob.getProperties();
  assert.equal(after.etag, before.etag);
  assert.deepEqual(after.lastModified, before.lastModified);
  await blob.setMetadata({ one: '1' });
  await blob.setHTTPHeaders({ blobContentType: 'text/plain' });
  assert.deepEqual((await blob.getTags()).tags, { other: '' }, 'other changes keep them');
  await blob.setTags({});
  assert.deepEqual((await blob.getTags()).tags, {});
  assert.equal((await blob.getProperties()).tagCount, undefined);
});

test('a commit of blocks sets tags, and without any there are none', async () => {
  const blob = container.getBlockBlobClient('blocks');
  await blob.stageBlock(BLOCK, 'content', 7);
  await blob.commitBlockList([BLOCK], { tags: { a: '1' } });
  assert.deepEqual((await blob.getTags()).tags, { a: '1' });
  await blob.commitBlockList([BLOCK]);
  assert.deepEqual((await blob.getTags()).tags, {});
});

test('a listing shows them when asked to', async () => {
  await put('list/one', { a: '1', b: '2' });
  await put('list/two', undefined);
  const shown = async (options) => {
    const found = {};
    for await (const item of container.listBlobsFlat({ prefix: 'list/', ...options })) {
      found[item.name] = { tags: item.tags, count: item.properties.tagCount };
    }
    return found;
  };
  const tags = await shown({ includeTags: true });
  assert.deepEqual(tags['list/one'], { tags: { a: '1', b: '2' }, count: 2 });
  assert.deepEqual(tags['list/two'], { tags: undefined, count: undefined });
  assert.equal((await shown({}))['list/one'].tags, undefined);
});

test('conditions on tags', async () => {
  const blob = await put('conditions', { status: 'done', level: '5' });
  const when = (tagConditions) => ({ conditions: { tagConditions } });
  for (const good of ['"status" = \'done\'', "status='done' AND level > '4'", "level='1' OR status <> 'open'",
    "(level='1' OR level='5') AND status <> 'x'"]) {
    assert.equal((await blob.getProperties(when(good))).contentLength, 7, good);
    await blob.getTags(when(good));
  }
  const bad = when("status = 'open'");
  await refused(blob.getTags(when("none <> 'x'")), 412, 'ConditionNotMet'); // of a tag that is not there
  await refused(blob.getTags(bad), 412, 'ConditionNotMet');
  await refused(blob.setTags({ a: '1' }, bad), 412, 'ConditionNotMet');
  await refused(blob.download(0, undefined, bad), 412, 'ConditionNotMet');
  await refused(blob.setMetadata({ a: '1' }, bad), 412, 'ConditionNotMet');
  await refused(blob.upload('x', 1, bad), 412, 'ConditionNotMet');
  await refused(blob.delete(bad), 412, 'ConditionNotMet');
  await refused(container.getBlockBlobClient('none').upload('x', 1, when("a='1'")), 412, 'ConditionNotMet');
  await refused(blob.getTags(when('status')), 400, 'InvalidHeaderValue');
  assert.deepEqual((await blob.getTags()).tags, { status: 'done', level: '5' });
  await blob.delete(when("status='done'"));
});

test('what is no tag is refused, and changes nothing', async () => {
  const blob = await put('strict', { a: '1' });
  const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, '1']));
  for (const [tags, code] of [[eleven, 'TagsTooLarge'], [{ ['k'.repeat(129)]: '1' }, 'TagsTooLarge'],
    [{ k: 'v'.repeat(257) }, 'TagsTooLarge'], [{ 'ä': '1' }, 'InvalidTag'], [{ k: '<' }, 'InvalidTag']]) {
    await refused(blob.setTags(tags), 400, code);
    await refused(blob.upload('x', 1, { tags }), 400, code);
  }
  const set = (body, headers = {}) => send(stack, { method: 'PUT', path: '/tagged/strict', query: { comp: 'tags' },
    body, headers });
  assert.equal((await set('<Tags/>')).code, 'InvalidXmlDocument');
  assert.equal((await set('<Tags><TagSet/></Tags>', { 'content-md5': Buffer.alloc(16).toString('base64') })).code,
    'Md5Mismatch');
  await refused(container.getBlockBlobClient('none').setTags({ a: '1' }), 404, 'BlobNotFound');
  await refused(container.getBlockBlobClient('none').getTags(), 404, 'BlobNotFound');
  assert.deepEqual((await blob.getTags()).tags, { a: '1' });
});

test('what a signature must allow', async () => {
  await put('allowed', { a: '1' });
  const as = (permissions) => new BlobClient(`${stack.blobEndpoint}/tagged/allowed?` +
    `${encodeQuery(serviceSas(stack, 'tagged', 'allowed', permissions))}`, undefined, noRetry);
  assert.deepEqual((await as('t').getTags()).tags, { a: '1' });
  assert.equal((await as('r').getProperties()).tagCount, undefined);
  assert.equal((await as('rt').getProperties()).tagCount, 1);
  await as('t').setTags({ a: '1' });
  const mismatch = [403, 'AuthorizationPermissionMismatch'];
  await refused(as('rw').getTags(), ...mismatch);
  await refused(as('rw').setTags({}), ...mismatch);
  await refused(as('rw').getProperties({ conditions: { tagConditions: "a='1'" } }), 403);
  await refused(as('rw').getBlockBlobClient().upload('x', 1, { tags: { a: '2' } }), ...mismatch);
  const list = (permissions) => send(stack, { method: 'GET', path: '/tagged', query: { restype: 'container',
    comp: 'list', include: 'tags' }, sas: accountSas({ ...stack, permissions }) });
  assert.equal((await list('l')).status, 403);
  assert.equal((await list('lt')).status, 200);
  const find = (permissions) => send(stack, { method: 'GET', path: '/', query: { comp: 'blobs', where: "a='1'" },
    sas: accountSas({ ...stack, permissions }) });
  assert.equal((await find('rlt')).status, 403);
  assert.equal((await find('f')).status, 200);
});

test('blobs are found by their tags, in a container and in all', async () => {
  const names = ['find-a', 'find-b', 'find-c'];
  for (const [i, name] of names.entries()) {
    const where = service.getContainerClient(name);
    await where.create();
    for (let k = 0; k < 7; k++) {
      await put(`blob-${k}`, { search: 'yes', number: `${k}`, place: `${i}` }, where);
      await put(`no-${k}`, k % 2 ? { search: 'no' } : undefined, where);
    }
  }
  const all = async (pages) => {
    const found = [];
    let markers = 0;
    for await (const page of pages) {
      found.push(...page.blobs.map((blob) => `${blob.containerName}/${blob.name}`));
      markers++;
    }
    assert.equal(new Set(found).size, found.length);
    return { found: found.sort(), markers };
  };
  const everywhere = names.flatMap((name) => Array.from({ length: 7 }, (_, k) => `${name}/blob-${k}`));
  for (const maxPageSize of [1, 4, 7, 100]) {
    const { found, markers } = await all(service.findBlobsByTags("search='yes'").byPage({ maxPageSize }));
    assert.deepEqual(found, everywhere, `${maxPageSize} a page`);
    assert.ok(markers >= Math.ceil(21 / maxPageSize));
  }
  const some = await all(service.findBlobsByTags("search='yes' AND number >= '5' AND place < '2'").byPage());
  assert.deepEqual(some.found, ['find-a/blob-5', 'find-a/blob-6', 'find-b/blob-5', 'find-b/blob-6']);
  const one = await all(service.findBlobsByTags("@container='find-b' AND number='3'").byPage());
  assert.deepEqual(one.found, ['find-b/blob-3']);
  for (const maxPageSize of [2, 100]) {
    const inside = await all(service.getContainerClient('find-c').findBlobsByTags("\"search\"='yes'")
      .byPage({ maxPageSize }));
    assert.deepEqual(inside.found, everywhere.filter((name) => name.startsWith('find-c/')));
  }
  // Those tags are told that were asked for.
  for await (const item of service.findBlobsByTags("number='3' AND place='0'")) {
    assert.deepEqual(item.tags, { number: '3', place: '0' });
  }
  await service.deleteContainer('find-b');
  assert.equal((await all(service.findBlobsByTags("search='yes'").byPage())).found.length, 14);
});

test('searches that are none', async () => {
  const find = (query, path = '/') => send(stack, { method: 'GET', path, query: { comp: 'blobs', ...query,
    ...(path === '/' ? {} : { restype: 'container' }) } });
  for (const where of ['', 'a', 'a=1', "a<>'1'", "a='1' OR b='1'", "(a='1')"]) {
    assert.equal((await find({ where })).code, 'InvalidQueryParameterValue', where);
  }
  assert.equal((await find({})).status, 400);
  assert.equal((await find({ where: "a='1'" }, '/no-such')).code, 'ContainerNotFound');
  assert.equal((await find({ where: "a='1'", marker: 'x' })).code, 'InvalidQueryParameterValue');
  assert.equal((await find({ where: "a='1'", maxresults: '0' })).status, 400);
});
