// SPDX-License-Identifier: Apache-2.0
// Callers of the management API who show a TLS certificate: named in each way that there is, with each role, renewed and
// taken away by reloads; and certificates that are nobody's or no good. Takes some seconds.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';

import { makeAuthority } from './lib/certificates.mjs';
import { startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const LOCAL = ['localhost'];
let stack;
let config;
let authority;
const shown = {};

const fingerprint = ({ certificateFile }) => new X509Certificate(readFileSync(certificateFile)).fingerprint256
  .replaceAll(':', '').toLowerCase();

function makeCertificates(directory) {
  authority = makeAuthority(directory);
  const client = (name, hosts, options) => {
    shown[name] = authority.issue(name, hosts, { usage: 'clientAuth', ...options });
  };
  client('by-uri', LOCAL, { uris: ['urn:other', 'spiffe://cluster.test/Backup'] });
  client('by-dns', [...LOCAL, 'Prometheus.test']);
  client('by-subject', LOCAL, { subject: '/O=Example/OU=Keys, and more/CN=alice' });
  client('by-hash', LOCAL);
  client('nobody', ['other-prometheus.test'], { uris: ['spiffe://cluster.test/backup'], subject: '/CN=alice/O=Example' });
  client('ended', ['prometheus.test'], { days: -1 });
  client('a-server', ['prometheus.test'], { usage: 'serverAuth' });
  const stranger = makeAuthority(path.join(directory, 'stranger'));
  shown.strange = stranger.issue('strange', ['prometheus.test'], { usage: 'clientAuth' });
}

const callers = () => [
  ['by-uri', 'owner', 'uri:spiffe://cluster.test/Backup'],
  ['by-dns', 'reader', 'dns:prometheus.TEST'],
  ['by-subject', 'key-operator', 'subject:CN=alice, OU=Keys\\\\, and more, O=Example'],
  ['by-hash', 'reader', `sha256:${fingerprint(shown['by-hash']).toUpperCase()}`],
];

const reloads = async () => Number((await stack.management.request('GET', '/metrics')).body
  .match(/^gatekey_config_reloads_total\{result="ok"\} (\d+)/m)?.[1] ?? 0);

async function reloadWith(text) {
  const former = await reloads();
  writeFileSync(stack.gateway.configFile, text, { mode: 0o600 });
  process.kill(stack.gateway.pid, 'SIGHUP');
  await stack.until(async () => await reloads() === former + 1, 'a reload');
}

const endOf = async () => (await stack.management.request('GET', '/metrics')).body
  .match(/^gatekey_certificate_expires_timestamp_seconds\{certificate="client-ca"\} (\S+)$/m)[1];

async function reload(named) {
  const list = named.map(([name, role, certificate]) =>
    `{ name = "${name}"; role = "${role}"; certificate = "${certificate}"; }`).join(', ');
  await reloadWith(config.replace(/(token_file = "[^"]*management.token";)/,
    `$1\n  client_ca = "${authority.caFile}";\n  callers = ( ${list} );`));
  assert.equal(await endOf(), `${Date.parse(new X509Certificate(readFileSync(authority.caFile)).validTo) / 1000}`);
}

before(async () => {
  stack = await startStack({ customerKey: false });
  makeCertificates(path.join(stack.directory, 'clients'));
  config = readFileSync(stack.gateway.configFile, 'utf8');
  await reload(callers());
});
after(() => stack?.stop());

const options = (name) => ({ ca: stack.ca, ...(name && { cert: readFileSync(shown[name].certificateFile),
  key: readFileSync(shown[name].keyFile) }) });

function ask(name, method, target, { headers = {}, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const separator = target.includes('?') ? '&' : '?';
    https.request(new URL(`${target}${separator}${API}`, stack.managementEndpoint),
      { method, headers, agent, ...options(name) }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: answer.statusCode, json: text.startsWith('{') ? JSON.parse(text) : undefined });
        });
      }).on('error', reject).end();
  });
}

test('each is known by its certificate, and may do what its role may', async () => {
  const absent = stack.accountPath('absent');
  for (const [name, role] of callers()) {
    assert.equal((await ask(name, 'GET', '/gatekey/accounts')).status, 200, name);
    const keys = await ask(name, 'POST', `${absent}/listKeys`);
    const removal = await ask(name, 'DELETE', absent);
    assert.equal(keys.status, role === 'reader' ? 403 : 404, name);
    assert.equal(removal.status, role === 'owner' ? 204 : 403, name);
    if (role === 'owner') continue;
    assert.match(removal.json.error.message, new RegExp(`^The client '${name}' does not have authorization`));
    const denied = readFileSync(stack.gateway.auditFile, 'utf8').trim().split('\n').map(JSON.parse)
      .filter(({ event, actor }) => event === 'manage.denied' && actor === name);
    assert.ok(denied.some(({ detail }) => detail.startsWith('DELETE ')), name);
  }
});

test('who shows none is known by the token, and a token goes before a certificate', async () => {
  const token = { authorization: `Bearer ${stack.managementToken}` };
  assert.equal((await ask(undefined, 'GET', '/healthz')).status, 200);
  assert.equal((await ask(undefined, 'GET', '/gatekey/accounts')).json.error.code, 'InvalidAuthenticationToken');
  assert.equal((await ask(undefined, 'GET', '/gatekey/accounts', { headers: token })).status, 200);
  assert.equal((await ask('by-dns', 'DELETE', stack.accountPath('absent'), { headers: token })).status, 204);
  const wrong = await ask('by-uri', 'GET', '/gatekey/accounts', { headers: { authorization: 'Bearer none-that-is-known' } });
  assert.deepEqual([wrong.status, wrong.json.error.code], [401, 'InvalidAuthenticationToken']);
});

test('a good certificate of nobody’s is told how to be named', async () => {
  const refused = await ask('nobody', 'GET', '/gatekey/accounts');
  assert.deepEqual([refused.status, refused.json.error.code], [401, 'AuthenticationFailed']);
  assert.ok(refused.json.error.message.includes(`sha256:${fingerprint(shown.nobody)}`));
  assert.equal((await ask('nobody', 'GET', '/healthz')).status, 200);
});

test('one that is no good ends the handshake, and the log says why', async () => {
  for (const name of ['strange', 'ended', 'a-server']) {
    await assert.rejects(ask(name, 'GET', '/healthz'), /alert|socket hang up|ECONNRESET|EPIPE/, name);
  }
  const log = readFileSync(stack.gateway.logFile, 'utf8');
  const refusals = log.split('\n').filter((line) => line.includes('a client\'s certificate is refused: '));
  assert.equal(refusals.length, 3);
  assert.match(refusals[0], /issuer is unknown/);
  assert.match(refusals[1], /expired|not yet activated/);
  assert.match(refusals[2], /purpose/);
});

test('TLS 1.2 clients are judged alike', async () => {
  const connect = (name) => tls.connect({ port: new URL(stack.managementEndpoint).port, host: 'localhost',
    maxVersion: 'TLSv1.2', ...options(name) });
  const good = connect('by-dns');
  await once(good, 'secureConnect');
  good.destroy();
  const [error] = await once(connect('strange'), 'error');
  assert.match(error.message, /alert|ECONNRESET|disconnected/);
});

test('gatekeyctl shows a certificate', async () => {
  const { certificateFile, keyFile } = shown['by-subject'];
  const as = (...args) => stack.ctl('account', ...args, '--client-cert', certificateFile);
  const listed = await as('list', '--client-key', keyFile);
  assert.deepEqual([listed.code, listed.stderr], [0, '']);
  assert.ok(listed.stdout.includes(stack.account));
  const refused = await as('delete', stack.account, '--yes', '--client-key', keyFile);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /'by-subject' does not have authorization/);
  assert.match((await as('list')).stderr, /--client-cert and --client-key go together/);
  assert.match((await as('list', '--client-key', certificateFile)).stderr, /closed to others|open to others/);
});

test('a caller who is taken away is refused with the next request, on the same connection', async () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ...options('by-dns') });
  const status = async () => (await ask('by-dns', 'GET', '/gatekey/accounts', { agent })).status;
  assert.equal(await status(), 200);
  await reload(callers().filter(([name]) => name !== 'by-dns'));
  assert.equal(await status(), 401);
  assert.equal((await ask('by-uri', 'GET', '/gatekey/accounts')).status, 200);
  await reload(callers());
  assert.equal(await status(), 200);
  agent.destroy();
});

test('the end of an authority that a reload took away is told no more', async () => {
  await reloadWith(config);
  assert.equal(await endOf(), 'nan');
});
