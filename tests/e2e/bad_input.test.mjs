// SPDX-License-Identifier: Apache-2.0
// Hostile and broken requests: a documented error each, the gateway lives on, nothing is half written.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { accountSas, encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

let stack;
const put = { method: 'PUT', path: '/bad/blob', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: 'good' };

before(async () => {
  stack = await startStack({ customerKey: false });
  assert.equal((await send(stack, { method: 'PUT', path: '/bad', query: { restype: 'container' } })).status, 201);
  assert.equal((await send(stack, put)).status, 201);
});
after(async () => {
  try {
    const answer = await send(stack, { method: 'GET', path: '/bad/blob' });
    assert.equal(answer.body.toString(), 'good', 'the blob was touched');
    const list = await send(stack, { method: 'GET', path: '/bad', query: { restype: 'container', comp: 'list',
      include: 'uncommittedblobs' } });
    const names = [...list.body.toString().matchAll(/<Name>([^<]*)<\/Name>/g)].map((match) => match[1]);
    assert.deepEqual(names, ['blob', 'longer'], 'something was written');
  } finally {
    await stack?.stop();
  }
});

const block = (id) => ({ method: 'PUT', path: '/bad/other', query: { comp: 'block', blockid: id }, body: 'x' });
const blockList = (body) => ({ method: 'PUT', path: '/bad/other', query: { comp: 'blocklist' }, body });
const header = (name, value) => ({ ...put, headers: { ...put.headers, [name]: value } });
const get = (more = {}) => ({ method: 'GET', path: '/bad/blob', ...more });
const list = (query) => get({ path: '/bad', query: { restype: 'container', comp: 'list', ...query } });
// A SAS that is well signed, and then changed.
const sas = (change) => get({ sas: () => {
  const query = accountSas(stack);
  change(query);
  return query;
} });
const signedSas = (options) => get({ sas: () => accountSas({ ...stack, ...options }) });
const hour = (hours) => new Date(Date.now() + hours * 3600e3).toISOString().replace(/\.\d+/, '');
const latest = (content) => `<?xml version="1.0" encoding="utf-8"?><BlockList>${content}</BlockList>`;

// request, status, code
const rows = {
  'a block list that is not XML': [blockList('<BlockList><Latest>'), 400, 'InvalidXmlDocument'],
  'a block list of another document': [blockList('<Other/>'), 400, 'InvalidXmlDocument'],
  'a block list with entities': [blockList('<!DOCTYPE x [<!ENTITY a "b">]><BlockList><Latest>&a;</Latest></BlockList>'),
    400, 'InvalidXmlDocument'],
  'a block list with bad base64': [blockList('<BlockList><Latest>!!!</Latest></BlockList>'), 400],
  'a block list that names nobody': [blockList('<BlockList><Latest>AAAA</Latest></BlockList>'), 400, 'InvalidBlockList'],
  'an empty body for a block list': [blockList(''), 400, 'InvalidXmlDocument'],
  'a block list with an element that is none': [blockList(latest('<Banana>AAAA</Banana>')), 400, 'InvalidXmlDocument'],
  'a block list with elements in elements': [blockList(latest('<Latest><Latest>AAAA</Latest></Latest>')), 400,
    'InvalidXmlDocument'],
  'a block list that nests without end': [blockList(latest('<Latest>'.repeat(100000))), 400, 'InvalidXmlDocument'],
  'a block list that includes a file': [blockList('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' +
    '<BlockList><Latest>&a;</Latest></BlockList>'), 400, 'InvalidXmlDocument'],
  'a block list with entities of entities': [blockList(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${Array.from(
    { length: 20 }, (_, i) => `<!ENTITY b${i} "${(i === 0 ? '&a;' : `&b${i - 1};`).repeat(10)}">`).join('')}]>` +
    '<BlockList><Latest>&b19;</Latest></BlockList>'), 400, 'InvalidXmlDocument'],
  'a block list in UTF-16': [blockList(Buffer.from('\ufeff<BlockList/>', 'utf16le')), 400, 'InvalidXmlDocument'],
  'a block list with a NUL in it': [blockList('<BlockList><Latest>AA\0AA</Latest></BlockList>'), 400, 'InvalidXmlDocument'],
  'a block list with rubbish behind it': [blockList(`${latest('')}rubbish`), 400, 'InvalidXmlDocument'],
  'a block list of 50,001 blocks': [blockList(latest('<Latest>AAAA</Latest>'.repeat(50001))), 400, 'BlockListTooLong'],
  'a block list of 20 MB': [blockList(latest(' '.repeat(20_000_000))), undefined],
  'a block id that is not base64': [block('!!!'), 400, 'InvalidBlockId'],
  'an empty block id': [block(''), 400],
  'a block of 4001 MiB, announced': [{ ...block('AAAA'), body: undefined, raw: (o) => {
    o.headers['content-length'] = String(4001 * 1024 * 1024); } }, undefined],
  'a block id of 65 bytes': [block(randomBytes(65).toString('base64')), 400],
  'a wrong Content-MD5': [header('content-md5', Buffer.alloc(16).toString('base64')), 400, 'Md5Mismatch'],
  'a Content-MD5 that is not base64': [header('content-md5', 'nonsense'), 400, 'InvalidMd5'],
  'a wrong CRC64': [header('x-ms-content-crc64', Buffer.alloc(8).toString('base64')), 400, 'Crc64Mismatch'],
  'no blob type': [{ ...put, headers: {} }, 400],
  'an unknown blob type': [{ ...put, headers: { 'x-ms-blob-type': 'Banana' } }, 400],
  'metadata of 9 KiB': [header('x-ms-meta-a', 'x'.repeat(9216)), 400, 'MetadataTooLarge'],
  'a metadata name with a dash': [header('x-ms-meta-a-b', 'x'), 400, 'InvalidMetadata'],
  'a metadata name that begins with a digit': [header('x-ms-meta-1a', 'x'), 400, 'InvalidMetadata'],
  'a metadata name without a name': [header('x-ms-meta-', 'x'), 400, 'EmptyMetadataKey'],
  'metadata of many names': [{ ...put, headers: { ...put.headers, ...Object.fromEntries(Array.from({ length: 600 },
    (_, i) => [`x-ms-meta-a${i}`, 'x'])) } }, 400, 'RequestHeaderTooLarge'],
  'a date in If-Modified-Since that is none': [{ method: 'GET', path: '/bad/blob',
    headers: { 'if-modified-since': 'yesterday' } }, 400],
  'a customer-provided key, which is not served': [header('x-ms-encryption-key', 'AAAA'), 400],
  'maxresults 0': [{ method: 'GET', path: '/bad', query: { restype: 'container', comp: 'list', maxresults: '0' } },
    400, 'OutOfRangeQueryParameterValue'],
  'maxresults that is no number': [{ method: 'GET', path: '/bad',
    query: { restype: 'container', comp: 'list', maxresults: 'many' } }, 400],
  'a marker of nobody': [list({ marker: '!!!' }), undefined],
  'an include of nobody': [list({ include: 'banana' }), 400, 'InvalidQueryParameterValue'],
  'a snapshot that is no time': [get({ query: { snapshot: 'yesterday' } }), 400],
  'an unknown restype': [get({ path: '/bad', query: { restype: 'banana' } }), 400],
  '100 query parameters': [list(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`q${i}`, 'x']))), 400],
  'an unknown comp': [{ method: 'GET', path: '/bad/blob', query: { comp: 'banana' } }, 400],
  'a method that is none': [{ method: 'PATCH', path: '/bad/blob' }, 405, 'UnsupportedHttpVerb'],
  'a container name that is too short': [{ method: 'PUT', path: '/ab', query: { restype: 'container' } }, 400],
  'a container name of 64 characters': [{ method: 'PUT', path: `/${'c'.repeat(64)}`, query: { restype: 'container' } }, 400],
  'a container name with a dash at its end': [{ method: 'PUT', path: '/abc-', query: { restype: 'container' } }, 400,
    'InvalidResourceName'],
  'a container name with dots': [{ method: 'PUT', path: '/a.bc', query: { restype: 'container' } }, 400],
  'a container name that climbs': [{ method: 'PUT', path: '/..%2f..', query: { restype: 'container' } }, 400],
  'a container name in capitals': [{ method: 'PUT', path: '/ABC', query: { restype: 'container' } }, 400, 'InvalidResourceName'],
  'a container name with two dashes': [{ method: 'PUT', path: '/a--b', query: { restype: 'container' } }, 400, 'InvalidResourceName'],
  'a blob name of 1025 characters': [{ ...put, path: `/bad/${'n'.repeat(1025)}` }, 400],
  'a name in UTF-8 that is longer than it need be': [{ ...put, path: '/bad/%c0%af' }, 400],
  'a name that holds half of a surrogate': [{ ...put, path: '/bad/%ed%a0%80' }, 400],
  'a name that is not UTF-8': [{ ...put, path: '/bad/%ff%fe' }, 400],
  'a broken escape': [{ method: 'GET', path: '/bad/%zz' }, 400],
  'an encoded NUL': [{ method: 'GET', path: '/bad/a%00b' }, 400],
  'a signature by nobody': [{ method: 'GET', path: '/bad/blob', raw: (o) => {
    o.headers.authorization = `SharedKey ${stack.account}:${Buffer.alloc(32).toString('base64')}`; } },
  403, 'AuthenticationFailed'],
  'a signature that is not base64': [{ method: 'GET', path: '/bad/blob', raw: (o) => {
    o.headers.authorization = `SharedKey ${stack.account}:***`; } }, 403, 'AuthenticationFailed'],
  'an Authorization header without a scheme': [{ method: 'GET', path: '/bad/blob', raw: (o) => {
    o.headers.authorization = 'x'; } }, undefined],
  'another account’s name in the signature': [{ method: 'GET', path: '/bad/blob', raw: (o) => {
    o.headers.authorization = o.headers.authorization.replace(stack.account, 'other'); } }, 403],
  'a signature of another scheme': [get({ raw: (o) => { o.headers.authorization = 'Basic YTpi'; } }), undefined],
  'a signature of 16 KiB': [get({ raw: (o) => {
    o.headers.authorization = `SharedKey ${stack.account}:${'A'.repeat(16384)}`; } }), undefined],
  'a signature without an account': [get({ raw: (o) => { o.headers.authorization = 'SharedKey :AAAA'; } }), undefined],
  'a bearer token over plain HTTP': [get({ raw: (o) => { o.headers.authorization = 'Bearer abc'; } }), undefined],
  'a changed header after signing': [get({ headers: { 'x-ms-client-request-id': 'one' }, raw: (o) => {
    o.headers['x-ms-client-request-id'] = 'two'; } }), 403, 'AuthenticationFailed'],
  'a changed method after signing': [get({ raw: (o) => { o.method = 'DELETE'; } }), 403, 'AuthenticationFailed'],
  'a SAS whose signature is another’s': [sas((q) => { q.sig = Buffer.alloc(32).toString('base64'); }), 403,
    'AuthenticationFailed'],
  'a SAS whose signature is no base64': [sas((q) => { q.sig = '***'; }), 403, 'AuthenticationFailed'],
  'a SAS without a signature': [sas((q) => { delete q.sig; }), undefined],
  'a SAS with more permissions than it had': [sas((q) => { q.sp += 'x'; }), 403, 'AuthenticationFailed'],
  'a SAS with a later end than it had': [sas((q) => { q.se = hour(48); }), 403, 'AuthenticationFailed'],
  'a SAS of no version': [sas((q) => { delete q.sv; }), 403],
  'a SAS of a version that is none': [sas((q) => { q.sv = 'banana'; }), 403],
  'a SAS that has ended': [signedSas({ get expiry() { return hour(-1); } }), 403, 'AuthenticationFailed'],
  'a SAS that ends at no time': [signedSas({ expiry: 'never' }), 403, 'AuthenticationFailed'],
  'a SAS that may not read': [signedSas({ permissions: 'wd' }), 403, 'AuthorizationPermissionMismatch'],
  'a SAS of another container': [get({ sas: () => serviceSas(stack, 'other') }), 403, 'AuthenticationFailed'],
  'a SAS of another blob': [get({ sas: () => serviceSas(stack, 'bad', 'other') }), 403, 'AuthenticationFailed'],
  'a SAS of one blob, to list with': [{ ...list({}), sas: () => serviceSas(stack, 'bad', 'blob') }, 403],
  'a SAS of a container, to delete it': [{ method: 'DELETE', path: '/bad', query: { restype: 'container' },
    sas: () => serviceSas(stack, 'bad') }, 403],
  'no credential at all': [get({ unsigned: true }), undefined],
  'a date of yesterday': [{ method: 'GET', path: '/bad/blob',
    headers: { 'x-ms-date': new Date(Date.now() - 86400e3).toUTCString() } }, 403, 'AuthenticationFailed'],
  'a date of tomorrow': [get({ headers: { 'x-ms-date': new Date(Date.now() + 86400e3).toUTCString() } }), 403,
    'AuthenticationFailed'],
  'a date in another form': [get({ headers: { 'x-ms-date': new Date().toISOString() } }), 403],
  'no date': [get({ headers: { 'x-ms-date': '' } }), 403],
  'a date that is none': [{ method: 'GET', path: '/bad/blob', headers: { 'x-ms-date': 'today' } }, 403],
  'a changed path after signing': [{ method: 'GET', path: '/bad/blob', raw: (o) => { o.path += 'x'; } },
    403, 'AuthenticationFailed'],
  'a changed query after signing': [{ method: 'GET', path: '/bad', query: { restype: 'container', comp: 'list' },
    raw: (o) => { o.path += '&prefix=a'; } }, 403, 'AuthenticationFailed'],
  'an unknown account': [{ method: 'GET', path: '/x', raw: (o) => { o.path = '/nosuchaccount/bad/blob'; } }, undefined],
  'no lease, but a condition on one': [{ method: 'PUT', path: '/bad/blob', query: { comp: 'metadata' },
    headers: { 'x-ms-lease-id': '00000000-0000-0000-0000-000000000001' } }, 412, 'LeaseNotPresentWithBlobOperation'],
  'a lease id that is none': [header('x-ms-lease-id', 'mine'), 400, 'InvalidHeaderValue'],
  'a lease of a blob that is not there': [{ ...put, path: '/bad/other', headers: { ...put.headers,
    'x-ms-lease-id': '00000000-0000-0000-0000-000000000001' } }, 412, 'LeaseNotPresentWithBlobOperation'],
};

for (const [what, [request, status, code]] of Object.entries(rows)) {
  test(what, async () => {
    const answer = await send(stack, { ...request,
      sas: typeof request.sas === 'function' ? request.sas() : request.sas });
    const seen = `${answer.status} ${answer.code} ${answer.body.toString().slice(0, 300)}`;
    if (status === undefined) assert.ok(answer.status >= 400 && answer.status < 500, seen);
    else assert.equal(answer.status, status, seen);
    assert.ok(answer.code, `no error code: ${seen}`);
    if (code) assert.equal(answer.code, code, seen);
    if (request.method !== 'HEAD') assert.match(answer.body.toString(), /<Error><Code>/);
    assert.ok(answer.headers['x-ms-request-id']);
  });
}

for (const range of ['bytes=5-', 'bytes=9-12']) {
  test(`a range past the end: ${range}`, async () => {
    const answer = await send(stack, { method: 'GET', path: '/bad/blob', headers: { range } });
    assert.equal(answer.status, 416);
    assert.equal(answer.code, 'InvalidRange');
  });
}

for (const range of ['bytes=a-b', 'bytes=3-1', 'lines=1-2', 'bytes=-', 'bytes=0-1,2-3', '']) {
  test(`a range that is none: "${range}"`, async () => {
    const answer = await send(stack, { method: 'GET', path: '/bad/blob', headers: { 'x-ms-range': range } });
    assert.ok([200, 400, 416].includes(answer.status), String(answer.status));
    if (answer.status === 200) assert.equal(answer.body.toString(), 'good');
  });
}

test('headers of 64 KiB, many headers, and a path of 64 KiB', async () => {
  for (const raw of [(o) => { o.headers['x-large'] = 'x'.repeat(65536); },
    (o) => { for (let i = 0; i < 1000; i++) o.headers[`x-many-${i}`] = 'x'.repeat(50); },
    (o) => { o.path += 'x'.repeat(65536); }, (o) => { o.path += `?prefix=${'x'.repeat(65536)}`; }]) {
    const answer = await send(stack, get({ raw })).catch((error) => ({ status: error.code }));
    // Where the answer would come before the request was read, the connection may simply end.
    assert.ok((answer.status >= 400 && answer.status < 500) || ['ECONNRESET', 'EPIPE'].includes(answer.status),
      String(answer.status));
  }
});

// Talks to the socket: what no HTTP library would send.
function talk(lines, { end = true } = {}) {
  const { hostname, port } = new URL(stack.blobEndpoint);
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(lines);
      if (end) socket.end();
    });
    let answer = '';
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
  });
}

const pathOf = (name) => {
  const base = new URL(stack.blobEndpoint).pathname;
  const query = new URLSearchParams(accountSas(stack)).toString();
  return `${base}/bad/${name}?${query}`;
};
const head = (name, extra) => `PUT ${pathOf(name)} HTTP/1.1\r\nHost: x\r\nx-ms-version: 2021-12-02\r\n` +
  `x-ms-blob-type: BlockBlob\r\n${extra}\r\n\r\n`;

async function assertAbsent(name) {
  const answer = await send(stack, { method: 'HEAD', path: `/bad/${name}` });
  assert.equal(answer.status, 404);
}

test('a body shorter than announced leaves nothing', async () => {
  await talk(`${head('short', 'Content-Length: 100000')}only this`);
  await assertAbsent('short');
});

test('a client that goes away in the middle of a large body leaves nothing', async () => {
  await talk(head('gone', 'Content-Length: 50000000') + 'x'.repeat(9_000_000));
  await assertAbsent('gone');
});

test('a body longer than announced is not part of the blob', async () => {
  await talk(`${head('longer', 'Content-Length: 4')}goodGARBAGE GARBAGE\r\n\r\n`);
  const answer = await send(stack, { method: 'GET', path: '/bad/longer' });
  assert.equal(answer.body.toString(), 'good');
});

test('no Content-Length', async () => {
  const answer = await talk(head('nolength', 'Transfer-Encoding: chunked') + '4\r\ngood\r\n0\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 411 /);
  await assertAbsent('nolength');
});

test('two different lengths, negative and absurd ones', async () => {
  for (const [index, extra] of ['Content-Length: 4\r\nContent-Length: 5', 'Content-Length: -1',
    'Content-Length: 99999999999999999999999'].entries()) {
    await talk(`${head(`length${index}`, extra)}good`);
    await assertAbsent(`length${index}`);
  }
});

test('a body of chunks and a length at once is one request at most', async () => {
  const answer = await talk(`${head('smuggled', 'Content-Length: 4\r\nTransfer-Encoding: chunked')}` +
    `0\r\n\r\nGET ${pathOf('blob')} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 4\d\d /);
  assert.ok(!answer.includes('good'), answer);
  await assertAbsent('smuggled');
});

test('what is no HTTP/1.1', async () => {
  for (const lines of [`GET ${pathOf('blob')}\r\n\r\n`, `GET ${pathOf('blob')} HTTP/9.9\r\nHost: x\r\n\r\n`,
    `GET  ${pathOf('blob')} HTTP/1.1\r\nHost: x\r\n\r\n`, 'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET ${pathOf('blob')} HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n`,
    `GET ${pathOf('blob')} HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n`,
    `\0\0\0 ${pathOf('blob')} HTTP/1.1\r\nHost: x\r\n\r\n`, '\r\n'.repeat(1000),
    `${'G'.repeat(100000)} / HTTP/1.1\r\n\r\n`, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']) {
    const answer = await talk(lines);
    assert.doesNotMatch(answer, /^HTTP\/1\.1 50[0-4]/, lines.slice(0, 100));
  }
});

// A file that is closed while we look is none.
const kindOf = (file) => {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
};
const connections = () => readdirSync(`/proc/${stack.gateway.pid}/fd`)
  .filter((name) => kindOf(`/proc/${stack.gateway.pid}/fd/${name}`).startsWith('socket:')).length;
const threads = () => readdirSync(`/proc/${stack.gateway.pid}/task`).length;

test('clients that go away in the middle, hundreds of them, cost nothing that lasts', async () => {
  const large = Buffer.alloc(8 * 1024 * 1024, 'x');
  const path = '/bad/leaving';
  assert.equal((await send(stack, { ...put, path, body: large })).status, 201);
  const connectionsBefore = connections();
  const threadsBefore = threads();
  const query = encodeQuery(accountSas(stack));
  const url = new URL(`${stack.blobEndpoint}${path}?${query}`);
  const leave = (method, act) => new Promise((resolve) => {
    const request = http.request(url, { method, agent: false, headers: { 'x-ms-version': '2021-12-02',
      ...(method === 'PUT' ? { 'x-ms-blob-type': 'BlockBlob', 'content-length': large.length } : {}) } });
    request.on('close', resolve).on('error', () => {});
    act(request);
  });
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ?
      leave('GET', (request) => request.on('response', (answer) => answer.once('data', () => request.destroy())).end()) :
      leave('PUT', (request) => request.write(large.subarray(0, 1 + i * 400_000), () => request.destroy())))));
  }
  await stack.until(() => connections() <= connectionsBefore && threads() <= threadsBefore,
    'connections and threads to end');
  const answer = await send(stack, get({ path }));
  assert.ok(answer.body.equals(large), 'a broken upload was kept');
  assert.equal((await send(stack, { method: 'DELETE', path })).status, 202);
});

/* --- management --------------------------------------------------------------------------------*/

const base = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts';
const version = '?api-version=2023-05-01';
const account = { location: 'local', kind: 'StorageV2', sku: { name: 'Standard_LRS' }, properties: {} };
const encryption = (value) => ({ ...account, properties: { encryption: value } });
const keyOf = (value) => encryption({ keySource: 'Microsoft.Keyvault', keyvaultproperties: value });

// method, path, body, status
const managed = {
  'no JSON': ['PUT', `${base}/fresh${version}`, '{"location":', 400],
  'JSON with rubbish behind it': ['PUT', `${base}/fresh${version}`, `${JSON.stringify(account)}x`, 400],
  'JSON that nests without end': ['PUT', `${base}/fresh${version}`, '['.repeat(100000), 400],
  'JSON that is not UTF-8': ['PUT', `${base}/fresh${version}`, Buffer.from('7b22ff223a317d', 'hex').toString('latin1'), 400],
  'a list instead of an account': ['PUT', `${base}/fresh${version}`, [], 400],
  'a number instead of a text': ['PUT', `${base}/fresh${version}`, { ...account, location: 5 }, 400],
  'a member that is unknown': ['PUT', `${base}/fresh${version}`, { ...account, banana: 1 }, 400],
  'a member twice': ['PUT', `${base}/fresh${version}`, '{"location":"a","location":"b"}', 400],
  'an empty body': ['PUT', `${base}/fresh${version}`, '', 400],
  'a kind that is not served': ['PUT', `${base}/fresh${version}`, { ...account, kind: 'BlobStorage' }, 400],
  'encryption switched off': ['PUT', `${base}/fresh${version}`, encryption({ services: { blob: { enabled: false } } }), 400],
  'a key source of nobody': ['PUT', `${base}/fresh${version}`, encryption({ keySource: 'Banana' }), 400],
  'a key without a vault': ['PUT', `${base}/fresh${version}`, keyOf({ keyname: 'x' }), 400],
  'a key’s name that is none': ['PUT', `${base}/fresh${version}`, keyOf({ keyname: '../x', keyvaulturi: 'https://localhost' }), 400],
  'a vault that is no URI': ['PUT', `${base}/fresh${version}`, keyOf({ keyname: 'x', keyvaulturi: 'banana' }), 400],
  'a vault over plain HTTP': ['PUT', `${base}/fresh${version}`, keyOf({ keyname: 'x', keyvaulturi: 'http://localhost' }), 400],
  'an account’s name in capitals': ['PUT', `${base}/Fresh${version}`, account, 400],
  'an account’s name of two letters': ['PUT', `${base}/ab${version}`, account, 400],
  'a name that climbs': ['PUT', `${base}/..%2f..${version}`, account, 400],
  'a path that is none': ['GET', `/banana${version}`, undefined, 404],
  'a broken escape': ['GET', `${base}/%zz${version}`, undefined, 404],
  'a method that is none': ['PURGE', `${base}/fresh${version}`, undefined, 405],
  'an action of nobody': ['POST', `${base}/fresh/banana${version}`, {}, 404],
  'no api-version': ['GET', `${base}/fresh`, undefined, 400],
  'an api-version that is none': ['GET', `${base}/fresh?api-version=banana`, undefined, 400],
  'nobody’s account, to change': ['PATCH', `${base}/fresh${version}`, {}, 404],
  'nobody’s account, for its keys': ['POST', `${base}/fresh/listKeys${version}`, undefined, 404],
};

for (const [what, [method, path, body, status]] of Object.entries(managed)) {
  test(`management: ${what}`, async () => {
    const answer = await stack.management.request(method, path, { body });
    assert.equal(answer.status, status, answer.body);
    assert.ok(answer.json?.error?.code && answer.json.error.message, answer.body);
    const there = await stack.management.request('GET', `${base}/fresh${version}`);
    assert.equal(there.status, 404, 'an account was made');
  });
}

test('management: a body that is too large', async () => {
  const answer = await stack.management.request('PUT', `${base}/fresh${version}`, { body: ' '.repeat(1 << 20) })
    .catch((error) => ({ status: error.code }));
  assert.ok([413, 'ECONNRESET', 'EPIPE'].includes(answer.status), String(answer.status));
});

test('management: no token, another’s token, and what says nothing about paths', async () => {
  for (const authorization of [undefined, 'Bearer banana', `Basic ${stack.managementToken}`, 'Bearer ',
    `Bearer ${stack.managementToken}x`, `Bearer ${stack.managementToken.slice(0, -1)}`]) {
    for (const path of [`${base}/${stack.account}${version}`, `/banana${version}`, '/metrics']) {
      const answer = await stack.management.request('GET', path,
        { headers: authorization === undefined ? {} : { authorization } });
      assert.equal(answer.status, 401, `${authorization} ${path}`);
      assert.match(answer.headers['www-authenticate'], /^Bearer/);
      assert.ok(!answer.body.includes(stack.managementToken));
    }
  }
  for (const path of ['/healthz', '/readyz']) {
    assert.equal((await stack.management.request('GET', path, { headers: {} })).status, 200);
  }
});

test('garbage instead of HTTP', async () => {
  for (let i = 0; i < 50; i++) await talk(randomBytes(300));
  assert.ok(existsSync(`/proc/${stack.gateway.pid}`));
  assert.equal((await send(stack, { method: 'GET', path: '/bad/blob' })).status, 200);
});
