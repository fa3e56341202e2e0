// SPDX-License-Identifier: Apache-2.0
// An account is shredded while its key is revoked: its wraps are gone, the evidence says which they were, no
// backup brings it back, and what broke off comes to its end when it is asked for again. A few seconds.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BlobServiceClient } from '@azure/storage-blob';

import { RECORD, accountObject, setMapValue } from './lib/account_object.mjs';
import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const READER = fileURLToPath(new URL('../vectors/read_store.py', import.meta.url));
const SCOPE = 'within';
const DARK = 'KeyVaultEncryptionKeyNotFound';
let stack;
let container;
let scope;
let blob;
let backup;
let destroyed; // the hashes of what is to be destroyed: { hash: key version }
let versions; // of the key
let evidence;

const shred = (...options) => stack.ctl('account', 'shred', stack.account, ...options);
const events = (name) => readFileSync(stack.gateway.auditFile, 'utf8').split('\n').slice(0, -1)
  .map((line) => JSON.parse(line)).filter(({ event }) => event === name);

// The JSON of a record, behind its MAC.
const recordOf = (object) => JSON.parse(object.get(RECORD).toString().replace(/^[^\n]*\n/, ''));
const wrapsOf = (object) => Object.fromEntries(recordOf(object).generations.flatMap(({ wraps }) => wraps)
  .map(({ value, keyId }) => [createHash('sha256').update(Buffer.from(value, 'base64')).digest('hex'), keyId]));

async function good(...args) {
  const { code, stdout, stderr } = await stack.ctl(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

before(async () => {
  stack = await startStack({ callers: { 'a-key-operator': 'key-operator' } });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('kept');
  await container.create();
  blob = container.getBlockBlobClient('secret');
  await good('scope', 'create', `${stack.account}/${SCOPE}`);
  await blob.upload('secret', 6, { metadata: { a: 'b' } });
  await container.getBlockBlobClient('scoped').upload('scoped', 6, { encryptionScope: SCOPE });
  // Three generations, of which one is retired, and two wraps of the newest.
  await good('account', 'new-root-key', stack.account);
  await good('account', 'reseal', stack.account);
  await good('account', 'new-root-key', stack.account);
  await stack.vault.rotate(stack.keyName);
  await good('key', 'check', stack.account);
  backup = path.join(stack.directory, 'backup.json');
  await good('account', 'export', stack.account, '--out', backup);
  scope = accountObject(stack, `${stack.account}/${SCOPE}`, 'scope');
  destroyed = { ...wrapsOf(accountObject(stack, stack.account)), ...wrapsOf(scope) };
  assert.equal(Object.keys(destroyed).length, 4);
});
after(() => stack?.stop());

async function copyStore() {
  await stack.gateway.stop();
  cpSync(stack.gateway.store.place, `${stack.gateway.store.place}.before`, { recursive: true });
  await stack.gateway.start();
}

test('it takes the name once more, and an owner', async () => {
  for (const options of [[], ['--confirm', 'another']]) assert.equal((await shred(...options)).code, 2);
  const at = `/gatekey/accounts/${stack.account}/shred?api-version=2023-05-01`;
  for (const body of [{}, { confirm: 'another' }, { confirm: stack.account, more: true }]) {
    assert.equal((await stack.management.request('POST', at, { body })).status, 400);
  }
  const headers = { authorization: `Bearer ${stack.gateway.callerTokens['a-key-operator']}` };
  assert.equal((await stack.management.request('POST', at, { body: { confirm: stack.account }, headers })).status, 403);
  const none = await stack.ctl('account', 'shred', 'nosuch', '--confirm', 'nosuch');
  assert.deepEqual([none.code, /\(ResourceNotFound\)/.test(none.stderr)], [1, true], none.stderr);
});

test('what is under a legal hold is neither shredded nor deleted', async () => {
  await blob.setLegalHold(true);
  for (const { code, stderr } of [await shred('--confirm', stack.account), await stack.ctl('account', 'delete', stack.account, '--yes')]) {
    assert.equal(code, 1);
    assert.match(stderr, /kept: .*\(ContainerHasLegalHold\)/);
  }
  await blob.setLegalHold(false);
  assert.equal((await blob.downloadToBuffer()).toString(), 'secret');
  assert.deepEqual(events('account.shred').map(({ outcome, reason }) => [outcome, reason]), [['refused', 'ContainerHasLegalHold']]);
});

test('it is shredded while the key is revoked, with evidence', async () => {
  if (!onRados) await copyStore();
  await blob.downloadToBuffer(); // a key that nobody uses is not looked at
  versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await stack.keyStatus()).state === 'revoked', 'revoked');
  evidence = JSON.parse(await good('account', 'shred', stack.account, '--confirm', stack.account, '--json'));
  assert.equal(evidence.account, stack.account);
  assert.equal(evidence.accountId, JSON.parse(readFileSync(backup)).accountId);
  assert.ok(Date.parse(evidence.began) <= Date.parse(evidence.verified));
  assert.deepEqual(Object.fromEntries(evidence.wraps.map(({ sha256, keyId }) => [sha256, keyId])), destroyed);
  assert.deepEqual(evidence.wraps.map(({ of, generation }) => `${of} ${generation}`).sort(),
    [`${stack.account} 2`, `${stack.account} 3`, `${stack.account} 3`, `${stack.account}/${SCOPE} 1`]);
  assert.deepEqual([...evidence.keyVersions].sort(), [...new Set(Object.values(destroyed))].filter((id) => id.startsWith('https://')).sort());
  assert.equal(evidence.keyVersions.length, 2);
});

test('nothing is left, and nothing is served', async () => {
  assert.throws(() => accountObject(stack, stack.account).names());
  assert.throws(() => scope.names());
  await refused(blob.downloadToBuffer(), 403, 'AuthenticationFailed');
  assert.equal((await stack.ctl('account', 'show', stack.account)).code, 1);
});

test('the audit has the same', async () => {
  const [done] = events('account.shred').filter(({ outcome }) => outcome === 'ok');
  assert.equal(done.actor, 'operator');
  assert.equal(done.detail, `account ${evidence.accountId}: 4 wraps are destroyed; a second read found none`);
  assert.deepEqual(Object.fromEntries(events('account.shred.wrap').map(({ detail, keyId }) => [detail.slice(-64), keyId])), destroyed);
  await good('audit', 'verify', stack.gateway.auditFile);
});

test('no backup brings it back', async () => {
  const { code, stderr } = await stack.ctl('account', 'restore', stack.account, '--in', backup);
  assert.deepEqual([code, /\(AccountShredded\)/.test(stderr)], [1, true], stderr);
});

test('asked for again it tells the same, and does no more', async () => {
  const told = events('account.shred').length;
  assert.deepEqual(JSON.parse(await good('account', 'shred', stack.account, '--confirm', stack.account, '--json')), evidence);
  assert.equal(events('account.shred').length, told);
  const shown = await good('account', 'shred', stack.account, '--confirm', stack.account);
  for (const text of [`Account ${stack.account} (${evidence.accountId}) is shredded.`, ...Object.keys(destroyed), ...evidence.keyVersions]) {
    assert.ok(shown.includes(text), text);
  }
});

test('what broke off comes to its end: a scope was left behind', async () => {
  const name = 'broken0off';
  await stack.createAccount(name);
  await good('scope', 'create', `${name}/${SCOPE}`);
  const left = accountObject(stack, `${name}/${SCOPE}`, 'scope');
  left.copyTo(`${name}/copied`);
  const args = ['account', 'shred', name, '--confirm', name, '--json'];
  const { verified, wraps, keyVersions, ...about } = JSON.parse(await good(...args));
  assert.ok(verified);
  assert.ok(keyVersions);
  // As if the gateway had ended after the account was gone.
  accountObject(stack, `${name}/copied`, 'scope').copyTo(`${name}/${SCOPE}`);
  setMapValue(stack, 'shredded', about.accountId.replaceAll('-', ''), JSON.stringify(about));
  const told = events('account.shred.wrap').length;
  const again = JSON.parse(await good(...args));
  assert.deepEqual({ ...again, verified, wraps: undefined }, { ...about, verified, keyVersions, wraps: undefined });
  assert.ok(Date.parse(again.verified) >= Date.parse(verified));
  assert.deepEqual(again.wraps.map(({ sha256 }) => sha256).sort(), wraps.map(({ sha256 }) => sha256).sort());
  assert.equal(events('account.shred.wrap').length, told + wraps.length);
  assert.throws(() => left.names());
});

test('the name is free, and a scrub finds nothing amiss', async () => {
  await stack.createAccount('broken0off');
  assert.equal((await send(stack, { method: 'GET', path: '/', query: { comp: 'list' } })).status, 403);
  accountObject(stack, 'broken0off/copied', 'scope').loseAll();
  await good('scrub', '--verify', '--older-than', '0s');
});

test('a decoder finds the evidence, and no account', { skip: onRados && 'a gateway may be using it' }, async (context) => {
  const read = (...args) => spawnSync('/usr/bin/python3', ['-B', READER, stack.gateway.store.place,
    '--service-key', stack.gateway.serviceKeyFile, ...args], { encoding: 'utf8' });
  await stack.gateway.stop();
  const { status, stdout, stderr } = read('--shredded');
  const none = read('--account', stack.account);
  await stack.gateway.start();
  if (status === 77) {
    context.skip('no python3-cryptography');
    return;
  }
  assert.equal(status, 0, stderr);
  const noted = JSON.parse(stdout).find(({ accountId }) => accountId === evidence.accountId);
  assert.equal(noted.verified, evidence.verified);
  assert.deepEqual(Object.fromEntries(Object.entries(noted.wraps).map(([hash, { keyId }]) => [hash, keyId])), destroyed);
  assert.deepEqual([none.status, /there is no object/.test(none.stderr)], [1, true], none.stderr);
});

// What is promised, and what is not: docs/decisions/0027-shredding.md.
test('a copy of the store from before opens with the key, and with it alone', { skip: onRados && 'a cluster is not copied' }, async () => {
  const { place } = stack.gateway.store;
  await stack.gateway.stop();
  renameSync(place, `${place}.shredded`);
  renameSync(`${place}.before`, place);
  await stack.gateway.start();
  await refused(blob.downloadToBuffer(), 403, DARK);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await blob.downloadToBuffer()).toString() === 'secret', 'the copy');
});
