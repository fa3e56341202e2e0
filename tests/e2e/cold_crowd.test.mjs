// SPDX-License-Identifier: Apache-2.0
// Ten thousand requests at once for an account whose key nobody has asked for yet: the vault is asked once, and all
// are served. The way to the vault is a proxy here, which lets nothing through before all of them wait. About fifteen
// seconds.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { accountSas, encodeQuery, send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';
import { startTunnel } from './lib/tunnel.mjs';

const CALLERS = 10000;
const CONTENT = 'for everybody';
const openFiles = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits'))?.[1] ?? Infinity);
const OPEN_FILES = CALLERS + 1000;
const DEADLINE_MS = 60000;

let release = []; // of those who are held; undefined: nobody is
let tunnel;
async function mayPass() {
  if (release !== undefined) await new Promise((resolve) => { release.push(resolve); });
  return true;
}
function letThrough() {
  for (const go of release) go();
  release = undefined;
}

let stack;
let head;

before(async () => {
  assert.ok(openFiles >= OPEN_FILES,
    `${OPEN_FILES} files have to be open at once, and ${openFiles} may be: ulimit -Hn ${OPEN_FILES}, or scripts/test`);
  tunnel = await startTunnel(mayPass);
  letThrough();
  stack = await startStack({ proxy: tunnel.uri, connectionsMax: CALLERS + 100,
    checkIntervalMs: DEADLINE_MS, requestTimeoutMs: DEADLINE_MS, vaultDeadlineMs: DEADLINE_MS });
  const sas = accountSas(stack);
  const done = (request) => send(stack, { ...request, sas }).then(({ status }) => assert.equal(status, 201));
  await done({ method: 'PUT', path: '/crowd', query: { restype: 'container' } });
  await done({ method: 'PUT', path: '/crowd/blob', body: CONTENT, headers: { 'x-ms-blob-type': 'BlockBlob' } });
  release = [];
  await stack.gateway.restart();
  const { host } = new URL(stack.blobEndpoint);
  head = `GET /${stack.account}/crowd/blob?${encodeQuery(sas)} HTTP/1.1\r\nHost: ${host}\r\n` +
    'x-ms-version: 2021-12-02\r\nConnection: close\r\n\r\n';
});
after(async () => {
  await stack?.stop();
  tunnel?.stop();
});

// Resolves to its answer, as text, once the gateway has closed the connection.
function call(port, answered) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(head));
    socket.setEncoding('latin1');
    socket.on('data', (part) => { answered.count += text === ''; text += part; });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

test('ten thousand cold requests at once are one unwrap', async () => {
  const { port } = new URL(stack.blobEndpoint);
  const unwraps = await stack.vault.countCalls('unwrapKey', stack.keyName);
  const answered = { count: 0 };
  const answers = Array.from({ length: CALLERS }, () => call(port, answered));
  // Each connection is a thread of the gateway's.
  await stack.until(() => readdirSync(`/proc/${stack.gateway.pid}/task`).length > CALLERS, 'all of them to wait', DEADLINE_MS);
  await stack.until(() => release.length > 0, 'the vault to be asked');
  assert.equal(answered.count, 0);
  letThrough();
  for (const text of await Promise.all(answers)) {
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(text.endsWith(CONTENT), text);
  }
  assert.equal(await stack.vault.countCalls('unwrapKey', stack.keyName) - unwraps, 1);
});
