// SPDX-License-Identifier: Apache-2.0
// Hostile and broken requests: a documented error each, the gateway lives on, nothing is half written.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { accountSas, send } from './lib/signed.mjs';
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
  } finally {
    await stack?.stop();
  }
});

const block = (id) => ({ method: 'PUT', path: '/bad/other', query: { comp: 'block', blockid: id }, body: 'x' });
const blockList = (body) => ({ method: 'PUT', path: '/bad/other', query: { comp: 'blocklist' }, body });
const header = (name, value) => ({ ...put, headers: { ...put.headers, [name]: value } });

// request, status, code
const rows = {
  'a block list that is not XML': [blockList('<BlockList><Latest>'), 400, 'InvalidXmlDocument'],
  'a block list of another document': [blockList('<Other/>'), 400, 'InvalidXmlDocument'],
  'a block list with entities': [blockList('<!DOCTYPE x [<!ENTITY a "b">]><BlockList><Latest>&a;</Latest></BlockList>'),
    400, 'InvalidXmlDocument'],
  'a block list with bad base64': [blockList('<BlockList><Latest>!!!</Latest></BlockList>'), 400],
  'a block list that names nobody': [blockList('<BlockList><Latest>AAAA</Latest></BlockList>'), 400, 'InvalidBlockList'],
  'an empty body for a block list': [blockList(''), 400, 'InvalidXmlDocument'],
  'a block id that is not base64': [block('!!!'), 400, 'InvalidBlockId'],
  'an empty block id': [block(''), 400],
  'a block id of 65 bytes': [block(randomBytes(65).toString('base64')), 400],
  'a wrong Content-MD5': [header('content-md5', Buffer.alloc(16).toString('base64')), 400, 'Md5Mismatch'],
  'a Content-MD5 that is not base64': [header('content-md5', 'nonsense'), 400, 'InvalidMd5'],
  'a wrong CRC64': [header('x-ms-content-crc64', Buffer.alloc(8).toString('base64')), 400, 'Crc64Mismatch'],
  'no blob type': [{ ...put, headers: {} }, 400],
  'an unknown blob type': [{ ...put, headers: { 'x-ms-blob-type': 'Banana' } }, 400],
  'metadata of 9 KiB': [header('x-ms-meta-a', 'x'.repeat(9216)), 400, 'MetadataTooLarge'],
  'a metadata name with a dash': [header('x-ms-meta-a-b', 'x'), 400, 'InvalidMetadata'],
  'a metadata name that begins with a digit': [header('x-ms-meta-1a', 'x'), 400, 'InvalidMetadata'],
  'a date in If-Modified-Since that is none': [{ method: 'GET', path: '/bad/blob',
    headers: { 'if-modified-since': 'yesterday' } }, 400],
  'a customer-provided key, which is not served': [header('x-ms-encryption-key', 'AAAA'), 400],
  'maxresults 0': [{ method: 'GET', path: '/bad', query: { restype: 'container', comp: 'list', maxresults: '0' } },
    400, 'OutOfRangeQueryParameterValue'],
  'maxresults that is no number': [{ method: 'GET', path: '/bad',
    query: { restype: 'container', comp: 'list', maxresults: 'many' } }, 400],
  'an unknown comp': [{ method: 'GET', path: '/bad/blob', query: { comp: 'banana' } }, 400],
  'a method that is none': [{ method: 'PATCH', path: '/bad/blob' }, 405, 'UnsupportedHttpVerb'],
  'a container name that is too short': [{ method: 'PUT', path: '/ab', query: { restype: 'container' } }, 400],
  'a container name in capitals': [{ method: 'PUT', path: '/ABC', query: { restype: 'container' } }, 400, 'InvalidResourceName'],
  'a container name with two dashes': [{ method: 'PUT', path: '/a--b', query: { restype: 'container' } }, 400, 'InvalidResourceName'],
  'a blob name of 1025 characters': [{ ...put, path: `/bad/${'n'.repeat(1025)}` }, 400],
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
  'a date of yesterday': [{ method: 'GET', path: '/bad/blob',
    headers: { 'x-ms-date': new Date(Date.now() - 86400e3).toUTCString() } }, 403, 'AuthenticationFailed'],
  'a date that is none': [{ method: 'GET', path: '/bad/blob', headers: { 'x-ms-date': 'today' } }, 403],
  'a changed path after signing': [{ method: 'GET', path: '/bad/blob', raw: (o) => { o.path += 'x'; } },
    403, 'AuthenticationFailed'],
  'a changed query after signing': [{ method: 'GET', path: '/bad', query: { restype: 'container', comp: 'list' },
    raw: (o) => { o.path += '&prefix=a'; } }, 403, 'AuthenticationFailed'],
  'an unknown account': [{ method: 'GET', path: '/x', raw: (o) => { o.path = '/nosuchaccount/bad/blob'; } }, undefined],
  'no lease, but a condition on one': [{ method: 'PUT', path: '/bad/blob', query: { comp: 'metadata' },
    headers: { 'x-ms-lease-id': '00000000-0000-0000-0000-000000000001' } }, 412],
};

for (const [what, [request, status, code]] of Object.entries(rows)) {
  test(what, async () => {
    const answer = await send(stack, request);
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

test('headers of 64 KiB', async () => {
  const answer = await send(stack, { method: 'GET', path: '/bad/blob', raw: (o) => {
    o.headers['x-large'] = 'x'.repeat(65536); } });
  assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
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

test('garbage instead of HTTP', async () => {
  for (let i = 0; i < 50; i++) await talk(randomBytes(300));
  assert.equal((await send(stack, { method: 'GET', path: '/bad/blob' })).status, 200);
});
