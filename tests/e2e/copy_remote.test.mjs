// SPDX-License-Identifier: Apache-2.0
// Copies and everything "from URL" from other hosts: a server that does what it wants, and the gateway itself
// under a name that it does not know as its own. Only what is listed is connected to, and only what is whole
// and what was asked for is taken.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { makeAuthority } from './lib/certificates.mjs';
import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { refused } from './lib/refused.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const MIB = 1 << 20;
const content = randomBytes(3 * MIB + 321);
const SECRET = 'signature-of-the-source';
const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-e2e-copies-'));
const servers = [];
let asked = []; // what the servers were asked for
let names; // of the headers of the last request for /token
let stack;
let container;
let url;

// --- the servers --------------------------------------------------------------------------------------

const partOf = (range) => {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range);
  return [Number(first), last === '' ? content.length - 1 : Math.min(Number(last), content.length - 1)];
};

const behaviours = {
  '/good': (request, response) => {
    const headers = { 'content-type': 'text/x-remote', 'content-language': 'rm', 'x-ms-meta-from': 'there',
      etag: '"one"', 'last-modified': 'Mon, 23 Nov 2026 12:00:00 GMT', 'x-not-printable': 'a\x80b' };
    if (request.headers.range === undefined) {
      const md5 = createHash('md5').update(content).digest('base64');
      response.writeHead(200, { ...headers, 'content-length': content.length, 'content-md5': md5 }).end(content);
      return;
    }
    const [first, last] = partOf(request.headers.range);
    response.writeHead(206, { ...headers, 'content-length': last - first + 1,
      'content-range': `bytes ${first}-${last}/${content.length}` }).end(content.subarray(first, last + 1));
  },
  '/empty': (request, response) => response.writeHead(200, { 'content-length': 0 }).end(),
  '/append': (request, response) => response.writeHead(200, { 'content-length': 5,
    'x-ms-blob-type': 'AppendBlob', 'x-ms-blob-committed-block-count': 3, 'x-ms-blob-sealed': 'true' }).end('abcde'),
  '/pages': (request, response) => response.writeHead(200, { 'content-length': 512,
    'x-ms-blob-type': 'PageBlob' }).end(Buffer.alloc(512)),
  '/token': (request, response) => {
    const good = request.headers.authorization === 'Bearer of-the-source';
    names = Object.keys(request.headers).sort();
    response.writeHead(good ? 200 : 401, { 'content-length': 1 }).end('x');
  },
  '/absent': (request, response) =>
    response.writeHead(404, { 'x-ms-error-code': 'BlobNotFound', 'content-length': 4 }).end('none'),
  '/redirect': (request, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/metadata/instance' }).end(),
  '/chunked': (request, response) => response.writeHead(200).end('without a length'),
  '/short': (request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, MIB), () => response.destroy());
  },
  '/long': (request, response) => {
    response.shouldKeepAlive = false;
    request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more');
  },
  '/wide': (request, response) => response.writeHead(200, { 'content-length': 1,
    'x-wide': 'x'.repeat(40000) }).end('x'),
  '/whole': (request, response) => response.writeHead(200, { 'content-length': content.length }).end(content),
  '/elsewhere': (request, response) => response.writeHead(206, { 'content-length': 4,
    'content-range': `bytes 4-7/${content.length}` }).end('else'),
  '/silent': () => {},
  '/stalled': (request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write('x');
  },
};

async function startServer(authority, name) {
  const { certificateFile, keyFile } = authority.issue(name);
  const server = https.createServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) },
    (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      behaviours[request.url.split('?')[0]](request, response);
    });
  server.count = 0;
  server.on('connection', () => { server.count++; });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  servers.push(server);
  return server;
}

// From other hosts no copy is pending, whatever its size.
const options = { copySources: [], copyWaitBytes: MIB };
let listed;
let quick; // the same, of which nothing slow is taken
let guarded; // may not be at a private address
let impostor; // certified by somebody else
let unlisted;

before(async () => {
  const authority = makeAuthority(path.join(directory, 'ca'));
  const other = makeAuthority(path.join(directory, 'other'));
  listed = await startServer(authority, 'listed');
  quick = await startServer(authority, 'quick');
  guarded = await startServer(authority, 'guarded');
  impostor = await startServer(other, 'impostor');
  unlisted = await startServer(authority, 'unlisted');
  const allow = (server, more) => options.copySources.push({ host: 'localhost', port: server.address().port,
    caFile: authority.caFile, ...more });
  allow(listed, { allowPrivate: true });
  allow(quick, { allowPrivate: true, timeoutS: 1 });
  allow(guarded, {});
  allow(impostor, { allowPrivate: true });
  stack = await startStack(options);
  url = (name, server = listed) => `https://localhost:${server.address().port}${name}?sig=${SECRET}`;
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('copies');
  await container.create();
});
after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await stack?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const copy = (source, headers = {}, path_ = '/copies/by-hand', query = {}) =>
  send(stack, { method: 'PUT', path: path_, query, headers: { 'x-ms-copy-source': source, ...headers } });

async function assertRefused(source, status, code, headers) {
  const answer = await copy(source, headers);
  assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`, `${source}: ${answer.body}`);
  assert.doesNotMatch(String(answer.body), new RegExp(SECRET));
  return answer;
}

// --- what is copied -----------------------------------------------------------------------------------

test('Copy Blob takes content, content headers, metadata and MD5', async () => {
  const blob = container.getBlockBlobClient('copied');
  await (await blob.beginCopyFromURL(url('/good'))).pollUntilDone();
  assert.ok((await blob.downloadToBuffer()).equals(content));
  const properties = await blob.getProperties();
  assert.equal(properties.contentType, 'text/x-remote');
  assert.equal(properties.contentLanguage, 'rm');
  assert.deepEqual(properties.metadata, { from: 'there' });
  assert.deepEqual(Buffer.from(properties.contentMD5), createHash('md5').update(content).digest());
  assert.equal(properties.copyStatus, 'success');
  assert.equal(properties.copySource, url('/good').split('?')[0]);
  assert.equal(properties.copyProgress, `${content.length}/${content.length}`);
});

test('Copy Blob From URL, and Put Blob From URL with a sum of the source', async () => {
  const md5 = createHash('md5').update(content).digest();
  const blob = container.getBlockBlobClient('made');
  for (const make of [
    () => blob.syncCopyFromURL(url('/good'), { sourceContentMD5: md5 }),
    () => blob.syncUploadFromURL(url('/good'), { sourceContentMD5: md5 }),
  ]) {
    await make();
    assert.ok((await blob.downloadToBuffer()).equals(content));
    await blob.delete();
  }
  const wrong = { sourceContentMD5: createHash('md5').update('x').digest() };
  await refused(blob.syncCopyFromURL(url('/good'), wrong), 400, 'Md5Mismatch');
  await refused(blob.syncUploadFromURL(url('/good'), wrong), 400, 'Md5Mismatch');
  await blob.syncUploadFromURL(url('/empty'));
  assert.equal((await blob.getProperties()).contentLength, 0);
});

test('blocks, pages and what is appended, by parts', async () => {
  const block = container.getBlockBlobClient('blocks');
  const id = (number) => Buffer.from(`block-${number}`).toString('base64');
  await block.stageBlockFromURL(id(0), url('/good'), 0, 2 * MIB);
  await block.stageBlockFromURL(id(1), url('/good'), 2 * MIB); // to its end
  await block.commitBlockList([id(0), id(1)]);
  assert.ok((await block.downloadToBuffer()).equals(content));
  const append = container.getAppendBlobClient('appended');
  await append.create();
  await append.appendBlockFromURL(url('/good'), 1, 70000);
  assert.ok((await append.downloadToBuffer()).equals(content.subarray(1, 70001)));
  const page = container.getPageBlobClient('pages');
  await page.create(8192);
  await page.uploadPagesFromURL(url('/good'), 512, 4096, 1024);
  assert.ok((await page.downloadToBuffer(4096, 1024)).equals(content.subarray(512, 1536)));
});

test('an append blob stays one; a page blob is not copied as a whole', async () => {
  const blob = container.getAppendBlobClient('append-copy');
  await (await blob.beginCopyFromURL(url('/append'))).pollUntilDone();
  const properties = await blob.getProperties();
  assert.equal(properties.blobType, 'AppendBlob');
  assert.equal(properties.blobCommittedBlockCount, 3);
  assert.equal(properties.isSealed, true);
  assert.equal((await blob.downloadToBuffer()).toString(), 'abcde');
  await assertRefused(url('/pages'), 501, 'NotImplemented');
});

test('another gateway is a source, with a signature; snapshots of it, too', async () => {
  const port = Number(new URL(stack.blobEndpointTls).port);
  options.copySources.push({ host: 'localhost', port, caFile: stack.caFile, allowPrivate: true });
  assert.equal(await stack.gateway.reload(), 'blob.copy_sources');
  const source = container.getBlockBlobClient('source');
  await source.upload('first', 5, { metadata: { of: 'first' }, blobHTTPHeaders: { blobContentType: 'text/first' } });
  const { snapshot } = await source.createSnapshot();
  await source.upload('second', 6);
  const sas = encodeQuery(serviceSas(stack, 'copies', undefined, 'r'));
  const there = `https://localhost:${port}/${stack.account}/copies/source`;
  const blob = container.getBlockBlobClient('from-gateway');
  await (await blob.beginCopyFromURL(`${there}?snapshot=${encodeURIComponent(snapshot)}&${sas}`)).pollUntilDone();
  assert.equal((await blob.downloadToBuffer()).toString(), 'first');
  const properties = await blob.getProperties();
  assert.equal(properties.contentType, 'text/first');
  assert.deepEqual(properties.metadata, { of: 'first' });
  const { etag } = await source.getProperties();
  const good = { sourceConditions: { ifMatch: etag } };
  const bad = { sourceConditions: { ifNoneMatch: etag } };
  await blob.syncCopyFromURL(`${there}?${sas}`, good);
  assert.equal((await blob.downloadToBuffer()).toString(), 'second');
  await refused(blob.syncCopyFromURL(`${there}?${sas}`, bad), 412, 'SourceConditionNotMet');
  const answer = await assertRefused(there, 403, 'CannotVerifyCopySource');
  assert.equal(answer.headers['x-ms-copy-source-status-code'], '401'); // as the source says it
});

test('a token for the source goes with it, and nothing else of the request', async () => {
  const headers = { 'x-ms-copy-source-authorization': 'Bearer of-the-source', 'x-ms-requires-sync': 'true' };
  assert.equal((await copy(url('/token'), headers)).status, 202);
  assert.deepEqual(names, ['accept', 'authorization', 'host', 'user-agent', 'x-ms-version']);
  await assertRefused(url('/token'), 403, 'CannotVerifyCopySource');
});

// --- what is refused ----------------------------------------------------------------------------------

test('conditions are those of the source, whether it knows them or not', async () => {
  assert.equal((await copy(url('/good'), { 'x-ms-source-if-match': '"one"' })).status, 202);
  for (const [name, value] of [
    ['if-match', '"two"'],
    ['if-none-match', '"one"'],
    ['if-modified-since', 'Mon, 23 Nov 2026 12:00:00 GMT'],
    ['if-unmodified-since', 'Mon, 23 Nov 2026 11:00:00 GMT'],
    ['if-tags', '"a" = \'b\''],
  ]) await assertRefused(url('/good'), 412, 'SourceConditionNotMet', { [`x-ms-source-${name}`]: value });
});

test('a source\'s refusal is told with its status and code', async () => {
  const answer = await assertRefused(url('/absent'), 404, 'CannotVerifyCopySource');
  assert.equal(answer.headers['x-ms-copy-source-status-code'], '404');
  assert.equal(answer.headers['x-ms-copy-source-error-code'], 'BlobNotFound');
});

test('what is not whole, or not what was asked for, is not taken', async () => {
  await assertRefused(url('/chunked'), 500, 'CannotVerifyCopySource');
  await assertRefused(url('/short'), 500, 'CannotVerifyCopySource');
  await assertRefused(url('/wide'), 500, 'CannotVerifyCopySource');
  const block = { 'x-ms-source-range': 'bytes=0-3' };
  for (const name of ['/whole', '/elsewhere']) {
    const answer = await copy(url(name), block, '/copies/by-hand', { comp: 'block', blockid: 'YQ==' });
    assert.equal(`${answer.status} ${answer.code}`, '500 CannotVerifyCopySource', name);
  }
  assert.equal((await copy(url('/long'), {}, '/copies/long')).status, 202);
  assert.equal((await container.getBlobClient('long').downloadToBuffer()).toString(), 'four');
  await assertRefused(url('/good'), 501, 'NotImplemented',
    { 'x-ms-copy-source-tag-option': 'COPY', 'x-ms-requires-sync': 'true' });
});

test('a redirect leads nowhere', async () => {
  await assertRefused(url('/redirect'), 403, 'CannotVerifyCopySource');
});

test('what is slow is given up', async () => {
  await Promise.all(['/silent', '/stalled'].map((name) =>
    assertRefused(url(name, quick), 500, 'CannotVerifyCopySource')));
});

test('a host whose certificate is not good is not asked', async () => {
  asked = [];
  await assertRefused(url('/good', impostor), 500, 'CannotVerifyCopySource');
  assert.deepEqual(asked, []);
});

test('a private address is not connected to unless that is allowed, nor what is not listed', async () => {
  await assertRefused(url('/good', guarded), 403, 'CannotVerifyCopySource');
  await assertRefused(url('/good', unlisted), 403, 'CannotVerifyCopySource');
  await assertRefused(url('/good').replace('https:', 'http:'), 403, 'CannotVerifyCopySource');
  await assertRefused(url('/good').replace('localhost', 'localhost.'), 403, 'CannotVerifyCopySource');
  await assertRefused(url('/good').replace('localhost', 'me@localhost'), 400, 'InvalidHeaderValue');
  await assertRefused(url('/a b'), 400, 'InvalidHeaderValue');
  const incremental = await copy(url('/good', unlisted), {}, '/copies/by-hand', { comp: 'incrementalcopy' });
  assert.equal(`${incremental.status} ${incremental.code}`, '501 NotImplemented');
  assert.equal(guarded.count, 0);
  assert.equal(unlisted.count, 0);
});

test('a client that may not write here makes nothing asked', async () => {
  asked = [];
  const answer = await send(stack, { method: 'PUT', path: '/copies/by-hand',
    sas: accountSas({ ...stack, permissions: 'r' }), headers: { 'x-ms-copy-source': url('/good') } });
  assert.equal(answer.status, 403);
  assert.deepEqual(asked, []);
});

test('a signature in a source\'s URL is in no log', () => {
  assert.doesNotMatch(readFileSync(stack.gateway.logFile, 'utf8'), new RegExp(SECRET));
  assert.doesNotMatch(readFileSync(stack.gateway.auditFile, 'utf8'), new RegExp(SECRET));
});
