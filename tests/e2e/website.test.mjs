// SPDX-License-Identifier: Apache-2.0
// An account's static website: what is in $web is shown to everybody, with index and error documents as the
// settings name them, and nothing else is; while the customer's key is revoked the site is dark.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

let stack;
let service;
let web;

before(async () => {
  stack = await startStack();
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  await service.setProperties({ staticWebsite: { enabled: true } }); // which makes $web
  await service.setProperties({ staticWebsite: { enabled: false } });
  web = service.getContainerClient('$web');
  for (const [name, content] of Object.entries({ 'index.html': 'root', 'docs/index.html': 'docs',
    'docs/a b.html': 'page', 'errors/404.html': 'no such page', 'large': 'x'.repeat(200000) })) {
    await web.getBlockBlobClient(name).upload(content, content.length,
      { blobHTTPHeaders: { blobContentType: 'text/html' }, metadata: { a: '1' } });
  }
  await service.createContainer('private');
  await service.getContainerClient('private').getBlockBlobClient('blob').upload('secret', 6);
});
after(() => stack?.stop());

const setSite = (staticWebsite) => service.setProperties({ staticWebsite });
async function page(path, { method = 'GET', headers = {}, account = stack.account } = {}) {
  const { origin } = new URL(stack.blobEndpoint);
  return send({ ...stack, blobEndpoint: origin }, { method, path, unsigned: true,
    headers: { ...headers, host: `${account}.${stack.webDomain}` } });
}
const text = async (path, options) => {
  const answer = await page(path, options);
  return `${answer.status} ${answer.body}`;
};

test('there is none unless it is enabled', async () => {
  for (const account of [stack.account, 'nobody']) {
    const answer = await page('/index.html', { account });
    assert.equal(answer.status, 404);
    assert.equal(answer.code, 'WebContentNotFound');
  }
});

test('pages, index documents and the error document', async () => {
  await setSite({ enabled: true, indexDocument: 'index.html', errorDocument404Path: '/errors/404.html' });
  assert.equal(await text('/'), '200 root');
  assert.equal(await text('/docs/'), '200 docs');
  assert.equal(await text('/docs/a%20b.html?comp=metadata&snapshot=x'), '200 page');
  assert.equal(await text('/docs'), '404 no such page');
  assert.equal(await text('/none/'), '404 no such page');
  assert.equal(await text('/../private/blob'), '404 no such page');
  const { body, headers } = await page('/large');
  assert.equal(body.length, 200000);
  assert.equal(headers['content-type'], 'text/html');
});

test('parts, versions and heads of pages, and whole error documents', async () => {
  assert.equal(await text('/index.html', { headers: { range: 'bytes=1-2' } }), '206 oo');
  const { headers } = await page('/index.html', { method: 'HEAD' });
  assert.equal(headers['content-length'], '4');
  assert.equal((await page('/index.html', { headers: { 'if-none-match': headers.etag } })).status, 304);
  assert.equal(await text('/none', { headers: { range: 'bytes=1-2' } }), '404 no such page');
  const missing = await page('/none', { method: 'HEAD' });
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['content-length'], '12');
});

test('nobody changes anything there', async () => {
  for (const method of ['PUT', 'POST', 'DELETE', 'OPTIONS']) {
    const answer = await page('/index.html', { method, headers: { 'x-ms-blob-type': 'BlockBlob' } });
    assert.equal(answer.status, 405, method);
  }
  assert.equal(await text('/'), '200 root');
});

test('other settings', async () => {
  await setSite({ enabled: true, defaultIndexDocumentPath: 'docs/a b.html' });
  assert.equal(await text('/'), '200 page');
  assert.equal(await text('/any/where/'), '200 page');
  const answer = await page('/none');
  assert.equal(answer.status, 404);
  assert.equal(answer.code, 'WebContentNotFound');
  await setSite({ enabled: true });
  assert.equal((await page('/')).status, 404);
  assert.equal(await text('/index.html'), '200 root');
});

test('a revoked key makes it dark', async () => {
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await page('/index.html')).status === 403, 'the site to go dark');
  assert.equal((await page('/index.html')).code, 'KeyVaultEncryptionKeyNotFound');
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await text('/index.html')) === '200 root', 'the site to come back');
  await setSite({ enabled: false });
  assert.equal((await page('/index.html')).status, 404);
});
