// SPDX-License-Identifier: Apache-2.0
// A reload under load: the certificate and the management token are renewed again and again while clients read and write
// over HTTPS, on connections that are kept and on new ones. No request fails, who connects sees the new certificate, and
// a file that is wrong, or that asks for what takes a restart, changes nothing. Takes some seconds.
import assert from 'node:assert/strict';
import { X509Certificate, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';

import { makeAuthority } from './lib/certificates.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const RELOADS = 50;
let stack;
let config;
let files;
let trusted;
let management;

before(async () => {
  stack = await startStack({ customerKey: false });
  const authority = makeAuthority(path.join(stack.gateway.directory, 'renewed'));
  files = [0, 1].map((i) => authority.issue(`renewed-${i}`));
  trusted = [stack.ca, readFileSync(authority.caFile)];
  config = readFileSync(stack.gateway.configFile, 'utf8');
  management = { token: stack.gateway.token };
  assert.equal((await send(stack, { method: 'PUT', path: '/kept', query: { restype: 'container' } })).status, 201);
});
after(() => stack?.stop());

/* --- the gateway -------------------------------------------------------------------------------*/

function manage(target, token = management.token) {
  const options = { ca: trusted, headers: { authorization: `Bearer ${token}` }, agent: false };
  return new Promise((resolve, reject) => {
    https.get(new URL(target, stack.managementEndpoint), options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() }));
    }).on('error', reject);
  });
}

async function counted(result) {
  const { status, body } = await manage('/metrics');
  assert.equal(status, 200);
  return Number(body.match(new RegExp(`^gatekey_config_reloads_total\\{result="${result}"\\} (\\d+)`, 'm'))?.[1] ?? 0);
}

function replaceFile(file, text) {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

// The token is the one that holds when it is over: the count tells.
async function reload(text, result, token = management.token) {
  const former = await counted(result);
  replaceFile(stack.gateway.configFile, text);
  process.kill(stack.gateway.pid, 'SIGHUP');
  await stack.until(async () => {
    const { token: before_ } = management;
    management.token = token;
    try {
      return await counted(result) === former + 1;
    } catch (error) {
      if (error.code !== 'ERR_ASSERTION') throw error;
      management.token = before_; // not yet
      return false;
    }
  }, `a reload that is ${result}`);
}

async function shownAt(endpoint) {
  const socket = tls.connect({ port: new URL(endpoint).port, host: '127.0.0.1', ca: trusted });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const with_ = ({ certificateFile, keyFile }) => config
  .replace(/tls_certificate = "[^"]*"/g, `tls_certificate = "${certificateFile}"`)
  .replace(/tls_key = "[^"]*"/g, `tls_key = "${keyFile}"`);
const serialOf = ({ certificateFile }) => new X509Certificate(readFileSync(certificateFile)).serialNumber;

/* --- clients -----------------------------------------------------------------------------------*/

// Writes and reads back until it is told to end; how many requests there were.
async function work(name, agent, state) {
  const raw = (options) => Object.assign(options, { ca: trusted, agent });
  let requests = 0;
  while (!state.over) {
    const body = randomBytes(20000);
    const put = await send(stack, { method: 'PUT', path: `/kept/${name}`, body, tls: true, raw,
      headers: { 'x-ms-blob-type': 'BlockBlob' } });
    assert.equal(put.status, 201);
    const got = await send(stack, { method: 'GET', path: `/kept/${name}`, tls: true, raw });
    assert.deepEqual([got.status, got.body.equals(body)], [200, true]);
    requests += 2;
  }
  return requests;
}

/* --- the journey -------------------------------------------------------------------------------*/

test('certificates and tokens are renewed under load', async () => {
  const state = { over: false };
  const kept = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const clients = Promise.all([work('kept', kept, state), work('new', false, state)]);
  for (let i = 0; i < RELOADS; i++) {
    const former = management.token;
    const token = randomBytes(24).toString('base64url');
    replaceFile(stack.gateway.tokenFile, `${token}\n`);
    await Promise.race([reload(with_(files[i % 2]), 'ok', token), clients]);
    assert.equal((await manage('/metrics', former)).status, 401);
    if (i % 10 < 2) {
      assert.equal(await shownAt(stack.blobEndpointTls), serialOf(files[i % 2]));
      assert.equal(await shownAt(stack.managementEndpoint), serialOf(files[i % 2]));
    }
  }
  state.over = true;
  for (const requests of await clients) assert.ok(requests > 0);
  kept.destroy();
});

test('callers come and go, and so does what the log tells', async () => {
  const callerFile = path.join(stack.gateway.directory, 'caller.token');
  const token = randomBytes(24).toString('base64url');
  replaceFile(callerFile, `${token}\n`);
  const good = with_(files[0]);
  const status = async () => (await manage('/metrics', token)).status;
  const lines = () => readFileSync(stack.gateway.logFile, 'utf8').split('\n').filter((line) => line.includes('"debug"')).length;
  assert.equal(await status(), 401);
  await reload(good.replace(/token_file = [^;]*;/, `$& callers = ( { name = "alice"; token_file = "${callerFile}"; } );`)
    .replace('log_level = "info"', 'log_level = "debug"'), 'ok');
  assert.equal(await status(), 200);
  await send(stack, { method: 'GET', path: '/kept/new' });
  await stack.until(() => lines() > 0, 'a line of the level debug');
  await reload(good, 'ok');
  assert.equal(await status(), 401);
});

test('a file that is wrong, or that takes a restart, changes nothing', async () => {
  const good = with_(files[0]);
  await reload(good, 'ok');
  const other = with_(files[1]);
  for (const text of [`${other}\nblob = `, other.replace('domain = ', 'domian = '),
    other.replace('domain = "', 'domain = "other.'), other.replace(files[1].keyFile, files[0].keyFile)]) {
    await reload(text, 'refused');
    assert.equal(await shownAt(stack.blobEndpointTls), serialOf(files[0]));
  }
  const log = readFileSync(stack.gateway.logFile, 'utf8');
  assert.match(log, new RegExp(`${stack.gateway.configFile}:\\d+: blob.domain: cannot change while the gateway runs; restart it`));
  assert.equal((await send(stack, { method: 'GET', path: '/kept/new' })).status, 200);
  replaceFile(stack.gateway.configFile, good);
});
