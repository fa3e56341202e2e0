// SPDX-License-Identifier: Apache-2.0
// gatekeyctl doctor, as somebody runs it who was called because something is wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { makeAuthority } from './lib/certificates.mjs';
import { program } from './lib/process.mjs';
import { startStack } from './lib/stack.mjs';

const NOT_HEALTHY = 4;

let stack;

before(async () => {
  // Installed, both programs stand in one directory; here each has its own.
  process.env.PATH += `:${path.dirname(program('gateway', 'gatekey-gateway'))}`;
  stack = await startStack();
  await stack.createAccount('plain');
});
after(() => stack?.stop());

// { check: [{ result, detail, remedy }] }, and the exit code.
async function doctor(...args) {
  const done = await stack.ctl('doctor', '--json', ...args);
  assert.equal(done.stderr, '');
  const found = {};
  for (const { check, ...finding } of JSON.parse(done.stdout)) (found[check] ??= []).push(finding);
  return { code: done.code, found };
}

const failures = (found) => Object.entries(found).flatMap(([check, findings]) =>
  findings.filter(({ result }) => result === 'failed').map(({ detail }) => `${check}: ${detail}`));

test('of a good installation nothing is wrong', async () => {
  const { code, found } = await doctor('--config', stack.gateway.configFile);
  assert.deepEqual(failures(found), []);
  assert.equal(code, 0);
  assert.match(found.configuration[0].detail, /is good$/);
  assert.match(found.gateway[0].detail, /answers, and knows who asks$/);
  assert.equal(found.store[0].result, 'ok');
  assert.equal(found.audit[0].result, 'ok');
  // No resolver knows the domain of the tests, which is what clients would meet.
  assert.equal(found.blob[0].result, 'warning');
  assert.match(found.blob[0].detail, /blob\.gatekey\.test.* cannot be reached from here/);
  assert.match(found.account[0].detail, /all 2 accounts/);
  // The test's certificates end within days, and so do the words.
  assert.match(found.certificate[0].detail, /management listener ends in \d+ days/);
});

test('it is readable, with a summary', async () => {
  const done = await stack.ctl('doctor');
  assert.match(done.stdout, /^ok {7}gateway {8}https:.* answers, and knows who asks$/m);
  assert.match(done.stdout, /^\d+ good, \d+ to look at, 0 wrong$/m);
});

test('a configuration that is wrong is told with its line', async () => {
  const file = path.join(stack.directory, 'wrong.conf');
  writeFileSync(file, `${readFileSync(stack.gateway.configFile, 'utf8')}\nlog_levle = "info";\n`);
  const { code, found } = await doctor('--config', file);
  assert.equal(code, NOT_HEALTHY);
  assert.match(found.configuration[0].detail, /wrong\.conf:\d+: log_levle/);
});

test('another token, another authority, nobody there', async () => {
  const token = path.join(stack.directory, 'other.token');
  writeFileSync(token, 'another-token-of-some-length\n', { mode: 0o600 });
  const refused = await doctor('--token-file', token);
  assert.equal(refused.code, NOT_HEALTHY);
  assert.match(refused.found.gateway[0].detail, /status 401/);
  assert.match(refused.found.gateway[0].remedy, /management\.token_file/);
  const distrusted = await doctor('--ca-file', '/etc/ssl/certs/ca-certificates.crt');
  assert.match(distrusted.found.gateway[0].remedy, /--ca-file/);
  const nobody = await doctor('--endpoint', 'https://127.0.0.1:1');
  assert.equal(nobody.code, NOT_HEALTHY);
  assert.match(nobody.found.gateway[0].detail, /cannot be reached/);
  assert.equal((await stack.ctl('doctor', '--endpoint', 'https://127.0.0.1:1', '--no-fail')).code, 0);
});

// The gateway as it is before it has read its accounts for the first time, or when that never succeeds: what stands between
// leaves their series out, or makes the reading an old one. Resolves to the options that lead there.
async function besideReadings(t, change) {
  const authority = makeAuthority(path.join(stack.directory, 'between'));
  const { certificateFile, keyFile } = authority.issue('between');
  const server = https.createServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) }, async (request, response) => {
    const { status, body } = await stack.management.request(request.method, request.url);
    response.writeHead(status).end(request.url.startsWith('/metrics') ? change(body) : body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  return ['--endpoint', `https://127.0.0.1:${server.address().port}`, '--ca-file', authority.caFile];
}

test('of scopes that /metrics does not tell of nobody says that they are well', async (t) => {
  const silent = await besideReadings(t, (metrics) => metrics.replaceAll(/^gatekey_account.*\n/gm, ''));
  const { code, found } = await doctor(...silent);
  assert.equal(code, 0);
  assert.match(found.account[0].detail, /^the keys of all 2 accounts can be used$/);
  assert.deepEqual([found.scope[0].result, found.scope[0].detail.split(':')[0]],
    ['warning', 'how the keys of encryption scopes are is not known']);
  const all = await stack.ctl('key', 'status', ...silent);
  assert.deepEqual([all.code, all.stderr.includes('is not known: /metrics gave status 200')], [1, true]);
  assert.match(all.stdout, /^journeys/m);
  // The account alone is known, and so is its code.
  const one = await stack.ctl('key', 'status', stack.account, ...silent);
  assert.deepEqual([one.code, one.stderr.includes('is not known')], [0, true]);
});

test('a reading that is old is told with its age', async (t) => {
  const old = await besideReadings(t, (metrics) => metrics.replace(/^(gatekey_accounts_read_timestamp_seconds) (\S+)$/m,
    (line, name, time) => `${name} ${Number(time) - 2 * 3600}`));
  const { found } = await doctor(...old);
  assert.match(found.scope[0].detail, /as they were 1[12]\d minutes ago$/);
  const all = await stack.ctl('key', 'status', ...old);
  assert.equal(all.code, 0);
  assert.match(all.stderr, /as they were 1[12]\d minutes ago/);
});

test('a silent vault, a key that ends, a revoked key', async () => {
  await stack.vault.createKey('ending', 2048, { expiresOn: new Date(Date.now() + 5.5 * 86_400_000) });
  await stack.createAccount('ending', { vaultUri: stack.vault.uri, name: 'ending' });
  assert.ok((await doctor()).found.key.some(({ detail }) => detail === 'the key of account ending: key-expires-soon'));
  await stack.vault.fault({ operation: '*', count: -1, action: 'drop' });
  await stack.checkKey();
  const silent = await doctor();
  assert.ok(silent.found.account.some(({ result, detail }) => result === 'warning' && /^journeys is unreachable/.test(detail)));
  assert.equal(silent.found.vault[0].result, 'warning');
  await stack.vault.clearFaults();
  await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const revoked = await doctor();
  assert.equal(revoked.code, NOT_HEALTHY);
  const [finding] = revoked.found.account.filter(({ detail }) => /^journeys is revoked: Forbidden\/KeyDisabled/.test(detail));
  assert.match(finding.remedy, /enables or recovers the key/);
});
