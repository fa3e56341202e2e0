// SPDX-License-Identifier: Apache-2.0
// Every event of include/gatekey/audit_events.def is caused, and told with who, when, which account and key
// version, the request's id as the vault knows it, and the id of the request to the gateway that caused it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { RECORD, accountObject, damageBlob } from './lib/account_object.mjs';
import { send } from './lib/signed.mjs';
import { accountBody, startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const GRACE_S = 600;
const TELL_MS = 30000;
const CALLER = 'alice';
const UNKNOWN = '00000000000000000000000000000000';
const documented = [...readFileSync(fileURLToPath(new URL('../../include/gatekey/audit_events.def', import.meta.url)), 'utf8')
  .matchAll(/^GK_AUDIT_EVENT\(\w+, "([^"]+)"/gm)].map(([, name]) => name);

const READER = 'bob';
const options = { callers: { [CALLER]: 'owner', [READER]: 'reader' }, movableClock: true, graceS: GRACE_S, requestTimeoutMs: 1000, vaultDeadlineMs: 2000,
  unwrapAuditIntervalS: 1 };
const told = new Set();
const asked = new Set(); // ids of requests, as their answers have them
const begun = Date.now() - 1000;
let stack;
let kept;

before(async () => {
  stack = await startStack(options);
  for (const request of [{ path: '/kept', query: { restype: 'container' } },
    ...['spoilt', 'secret'].map((name) => ({ path: `/kept/${name}`, body: 'x', headers: { 'x-ms-blob-type': 'BlockBlob' } }))]) {
    assert.equal((await send(stack, { method: 'PUT', ...request })).status, 201);
  }
});
after(() => stack?.stop());

const events = () => readFileSync(stack.gateway.auditFile, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
const as = (name) => ({ authorization: `Bearer ${stack.gateway.callerTokens[name]}` });
const scopePath = (name) => `${stack.accountPath(stack.account)}/encryptionScopes/${name}`;
const keyOf = (version) => ({ vaultUri: stack.vault.uri, name: stack.keyName, version });
const encryption = (version) => ({ properties: accountBody(stack.identity, keyOf(version)).properties });

async function ask(method, target, options) {
  const answer = await stack.management.request(method, target, options);
  asked.add(answer.headers['x-ms-request-id']);
  return answer;
}

async function manage(method, target, body, wanted = 200) {
  const answer = await ask(method, `${target}?${API}`, { body, headers: as(CALLER) });
  assert.equal(answer.status, wanted, `${method} ${target}: ${answer.body}`);
  return answer.json;
}

// What is told from now on until all of these are: [{ event, ... }], of which an event must have the members.
async function tells(cause, ...wanted) {
  const from = events().length;
  await cause();
  const found = await stack.until(() => {
    const fresh = events().slice(from);
    const matches = wanted.map((one) => fresh.find((event) => Object.entries(one).every(([name, value]) => event[name] === value)));
    return matches.every(Boolean) && matches;
  }, JSON.stringify(wanted), TELL_MS);
  for (const { event } of found) told.add(event);
  return found;
}

// The call that the event is about, in the vault's own log.
async function assertCall({ keyId, requestId }, operation) {
  const { calls } = await stack.vault.calls();
  const call = calls.find((one) => one.request_id === requestId);
  assert.ok(call, `${requestId} is not in the vault's log`);
  assert.equal(call.operation, operation);
  assert.equal(`${stack.vault.uri}/keys/${call.key}/${call.version}`.toLowerCase(), keyId.toLowerCase());
  assert.match(readFileSync(stack.vault.logFile, 'utf8'), new RegExp(`request=${requestId}`));
}

test('an account is made, under a key of the customer’s', async () => {
  const account = 'audited';
  const [created, wrap, unwrap] = await tells(
    () => manage('PUT', stack.accountPath(account), accountBody(stack.identity, keyOf())),
    { event: 'account.create', outcome: 'ok', account, actor: CALLER },
    { event: 'key.wrap', outcome: 'ok', account, actor: CALLER },
    { event: 'key.unwrap', outcome: 'ok', account, actor: 'gatekey' });
  assert.equal(created.keyId, wrap.keyId);
  assert.match(created.keyId, new RegExp(`^${stack.vault.uri}/keys/${stack.keyName}/[0-9a-f]{32}$`));
  await assertCall(created, 'get');
  await assertCall(wrap, 'wrapKey');
  await assertCall(unwrap, 'unwrapKey');
  assert.ok(asked.has(created.causedBy));
  assert.deepEqual([wrap.causedBy, unwrap.causedBy], [created.causedBy, undefined]);
  assert.ok(unwrap.count >= 1);
  assert.ok(Date.parse(unwrap.since) <= Date.parse(unwrap.time));
});

test('a wrap that the vault refuses', async () => {
  await stack.vault.setPermissions('gateway', ['get', 'unwrapKey']);
  const [wrap, created] = await tells(
    () => manage('PUT', stack.accountPath('refused'), accountBody(stack.identity, keyOf()), 400),
    { event: 'key.wrap', outcome: 'refused', account: 'refused', actor: CALLER },
    { event: 'account.create', outcome: 'refused', account: 'refused', actor: CALLER });
  await assertCall(wrap, 'wrapKey');
  assert.ok(wrap.reason.length > 0);
  assert.ok(created.detail.length > 0);
  await stack.vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
});

test('versions and switches', async () => {
  const { currentKeyIdentifier: first } = await stack.keyStatus();
  const version = await stack.vault.rotate(stack.keyName);
  const [rotated, wrap] = await tells(() => manage('POST', `${stack.accountPath(stack.account)}/gatekeyCheckKey`),
    { event: 'key.rotate', outcome: 'ok', account: stack.account, actor: CALLER },
    { event: 'key.wrap', outcome: 'ok', account: stack.account, actor: CALLER });
  assert.ok(rotated.keyId.endsWith(version));
  await assertCall(wrap, 'wrapKey');
  const [pinned] = await tells(() => manage('PATCH', stack.accountPath(stack.account), encryption(first.split('/').at(-1))),
    { event: 'account.encryption', outcome: 'ok', actor: CALLER });
  assert.equal(pinned.keyId, first);
  assert.equal(pinned.detail, `instead of ${rotated.keyId}`);
  await tells(() => manage('PATCH', stack.accountPath(stack.account), encryption(UNKNOWN), 400),
    { event: 'account.encryption', outcome: 'refused', actor: CALLER });
  await tells(() => manage('PATCH', stack.accountPath(stack.account),
    { properties: { encryption: { keySource: 'Microsoft.Storage' } } }),
  { event: 'account.encryption', outcome: 'ok', detail: `instead of ${first}` });
  await tells(() => manage('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`),
    { event: 'account.root-key', outcome: 'ok', actor: CALLER, detail: 'new data is under generation 2' });
  const [, retired, resealed] = await tells(() => manage('POST', `/gatekey/accounts/${stack.account}/reseal`, {}, 202),
    { event: 'account.reseal', outcome: 'ok', actor: CALLER, detail: 'it begins' },
    { event: 'account.root-key.retire', outcome: 'ok', actor: 'gatekey' },
    { event: 'account.reseal', outcome: 'ok', actor: 'gatekey' });
  assert.match(resealed.detail, /^[0-9]+ data keys are sealed anew, 1 root keys retired$/);
  const [, reencrypted] = await tells(() => manage('POST', `/gatekey/accounts/${stack.account}/reencrypt`, {}, 202),
    { event: 'account.reencrypt', outcome: 'ok', actor: CALLER, detail: 'it begins' },
    { event: 'account.reencrypt', outcome: 'ok', actor: 'gatekey' });
  assert.match(reencrypted.detail, /^[0-9]+ records with [0-9]+ bytes are encrypted anew, [0-9]+ are left$/);
  assert.match(retired.detail, /^generation 1, commitment [0-9a-f]{64}, is destroyed$/);
  await tells(() => manage('PATCH', stack.accountPath(stack.account), encryption()),
    { event: 'account.encryption', outcome: 'ok', keyId: rotated.keyId });
});

test('a client’s error, the log and the events of a request are joined by its id', async () => {
  const refused = await ask('PATCH', `${stack.accountPath(stack.account)}?${API}`, { body: encryption(UNKNOWN), headers: as(CALLER) });
  assert.equal(refused.status, 400);
  const id = refused.headers['x-ms-request-id'];
  assert.deepEqual(events().filter(({ causedBy }) => causedBy === id).map(({ event, outcome }) => [event, outcome]),
    [['account.encryption', 'refused']]);
  const log = readFileSync(stack.gateway.logFile, 'utf8').split('\n').filter((line) => line.includes(`"requestId":"${id}"`));
  assert.equal(log.length, 1);
  assert.match(log[0], new RegExp(refused.json.error.code));
});

test('a rotation that nobody asked for is the product’s own', async () => {
  await stack.vault.rotate(stack.keyName);
  await tells(() => stack.gateway.moveClock(25 * 3600e3), { event: 'key.rotate', outcome: 'ok', actor: 'gatekey' });
});

test('a key that ends soon, until there is another one', async () => {
  const account = { account: 'audited', outcome: 'ok', actor: 'gatekey', reason: 'key-expires-soon' };
  await stack.vault.createKey('ending', 2048, { expiresOn: new Date(Date.now() + 10 * 24 * 3600e3) });
  const [warning] = await tells(() => manage('PATCH', stack.accountPath('audited'),
    { properties: accountBody(stack.identity, { ...keyOf(), name: 'ending' }).properties }), { event: 'key.warning', ...account });
  assert.match(warning.detail, /^the key version in use ends on .*; make a new version or move its end$/);
  await tells(() => manage('PATCH', stack.accountPath('audited'), encryption()), { event: 'key.warning-over', ...account });
});

test('revoked and back, silent and past the grace', async () => {
  const { account } = stack;
  let versions;
  const [revoked] = await tells(async () => { versions = await stack.vault.disableAllVersions(stack.keyName); },
    { event: 'key.revoked', outcome: 'refused', account, actor: 'gatekey' },
    { event: 'key.unwrap', outcome: 'refused' });
  await assertCall(revoked, 'unwrapKey');
  assert.match(revoked.reason, /^Forbidden/);
  await tells(() => stack.vault.enableVersions(stack.keyName, versions), { event: 'key.restored', outcome: 'ok', account });
  await tells(() => stack.vault.fault({ operation: '*', count: -1, status: 500 }),
    { event: 'key.unreachable', outcome: 'unavailable', account }, { event: 'key.unwrap', outcome: 'unavailable' });
  await tells(() => stack.gateway.moveClock((GRACE_S + 5) * 1000), { event: 'key.degraded', outcome: 'unavailable', account });
  await tells(() => stack.vault.clearFaults(), { event: 'key.restored', outcome: 'ok', account });
});

test('settings, access keys and scopes', async () => {
  const account = { account: stack.account, actor: CALLER, outcome: 'ok' };
  const at = stack.accountPath(stack.account);
  await tells(() => manage('PUT', `${at}/blobServices/default`, { properties: {} }), { event: 'account.blob-service', ...account });
  await tells(() => manage('POST', `${at}/listKeys`), { event: 'account.keys.list', ...account });
  const expires = '2036-05-04T00:00:00Z';
  const [made] = await tells(() => manage('POST', `${at}/listServiceSas`, { canonicalizedResource: `/blob/${stack.account}/audited`,
    signedResource: 'c', signedPermission: 'rl', signedExpiry: expires, keyToSign: 'key2' }), { event: 'account.sas', ...account });
  assert.equal(made.detail, `key2 audited sv=2024-08-04&sr=c&sp=rl&se=${encodeURIComponent(expires)}`);
  await tells(() => manage('POST', `${at}/regenerateKey`, { keyName: 'key2' }),
    { event: 'account.keys.regenerate', detail: 'key2', ...account });
  await tells(() => manage('POST', `${at}/revokeUserDelegationKeys`), { event: 'account.delegation.revoke', ...account });
  const scope = { ...account, account: `${stack.account}/audited` };
  await tells(() => manage('PUT', scopePath('audited'), { properties: {} }, 201),
    { event: 'scope.create', ...scope }, { event: 'account.create', ...scope });
  await tells(() => manage('PATCH', scopePath('audited'), { properties: { state: 'Disabled' } }), { event: 'scope.change', ...scope });
});

test('a scope’s own key, from its making to its return', async () => {
  const of = { account: `${stack.account}/in-the-vault` };
  const key = 'scope-key';
  await stack.vault.createKey(key);
  const keyUri = `${stack.vault.uri}/keys/${key}`;
  const [wrap, unwrap] = await tells(() => manage('PUT', scopePath('in-the-vault'), { properties: { source: 'Microsoft.KeyVault',
    keyVaultProperties: { keyUri } } }, 201),
  { event: 'key.wrap', outcome: 'ok', actor: CALLER, ...of }, { event: 'key.unwrap', outcome: 'ok', actor: 'gatekey', ...of });
  assert.ok(wrap.keyId.startsWith(`${keyUri}/`));
  await assertCall(wrap, 'wrapKey');
  await assertCall(unwrap, 'unwrapKey');
  const version = await stack.vault.rotate(key);
  const [rotated] = await tells(() => manage('POST', `${scopePath('in-the-vault')}/gatekeyCheckKey`),
    { event: 'key.rotate', outcome: 'ok', actor: CALLER, ...of }, { event: 'key.wrap', outcome: 'ok', actor: CALLER, ...of });
  assert.equal(rotated.keyId, `${keyUri}/${version}`);
  let versions;
  const [revoked] = await tells(async () => { versions = await stack.vault.disableAllVersions(key); },
    { event: 'key.revoked', outcome: 'refused', actor: 'gatekey', ...of }, { event: 'key.unwrap', outcome: 'refused', ...of });
  assert.equal(revoked.keyId, rotated.keyId);
  await assertCall(revoked, 'unwrapKey');
  await tells(() => stack.vault.enableVersions(key, versions), { event: 'key.restored', outcome: 'ok', actor: 'gatekey', ...of });
});

test('backups', async () => {
  const at = `/gatekey/accounts/${stack.account}`;
  const account = { account: stack.account, actor: CALLER, outcome: 'ok' };
  await tells(async () => {
    kept = await manage('POST', `${at}/export`);
    delete kept.scopes; // they are restored one by one
  }, { event: 'account.export', ...account });
  await tells(() => manage('POST', `${at}/restore`, { backup: kept, replaceProfile: true }),
    { event: 'account.restore', ...account }, { event: 'account.keys.restore', ...account });
});

test('a record that was put back', async () => {
  const object = accountObject(stack, stack.account);
  const older = object.get(RECORD);
  await manage('PATCH', stack.accountPath(stack.account), encryption((await stack.keyStatus()).currentKeyIdentifier.split('/').at(-1)));
  const newer = object.get(RECORD);
  await tells(() => object.set(RECORD, older), { event: 'record.rollback', account: stack.account, outcome: 'refused', actor: 'gatekey' });
  assert.match((await stack.management.request('GET', '/metrics')).body, /^gatekey_record_rollbacks_total 1$/m);
  const doctor = JSON.parse((await stack.ctl('doctor', '--json')).stdout).find(({ check }) => check === 'record');
  assert.deepEqual([doctor.result, doctor.detail], ['failed', '1 account records in the store are older than was seen, since the gateway started']);
  object.set(RECORD, newer);
});

test('what a scrub finds', async () => {
  damageBlob(stack, 'spoilt');
  const [, damaged] = await tells(() => manage('POST', '/gatekey/scrub', {}, 202),
    { event: 'scrub.start', actor: CALLER }, { event: 'scrub.damaged', account: stack.account, actor: 'gatekey', outcome: 'failed' });
  assert.match(damaged.detail, /^kept\/spoilt: /);
  await tells(() => manage('POST', '/gatekey/scrub/removeDamaged', { account: stack.account, container: 'kept', blob: 'spoilt' }),
    { event: 'blob.remove-damaged', account: stack.account, actor: CALLER, detail: 'kept/spoilt' });
});

test('a head that a power cut has left behind', async () => {
  const head = `${stack.gateway.auditFile}.head`;
  const behind = readFileSync(head);
  await stack.keysOf(stack.account);
  await stack.keysOf(stack.account);
  await stack.gateway.stop();
  writeFileSync(head, behind);
  const { sequence } = JSON.parse(behind);
  const { sequence: last } = events().at(-1);
  assert.ok(last >= sequence + 2);
  const [told] = await tells(() => stack.gateway.start(), { event: 'audit.head-behind', outcome: 'failed', actor: 'gatekey' });
  assert.equal(told.sequence, last + 1);
  assert.equal(told.detail, `events ${sequence + 1} to ${last} were in the file, and not in its head`);
});

test('the policy', async () => {
  options.policy = 'customer_keys = "deny"; key_size = "audit"; minimum_key_bits = 4096;';
  await stack.gateway.restart();
  await tells(() => manage('PUT', stack.accountPath('denied'), accountBody(stack.identity), 403),
    { event: 'policy.denied', account: 'denied', outcome: 'refused', reason: 'customer_keys', actor: CALLER });
  await tells(() => manage('PUT', stack.accountPath('small'), accountBody(stack.identity, keyOf())),
    { event: 'policy.broken', account: 'small', outcome: 'ok', reason: 'key_size', actor: CALLER });
});

test('an account is deleted', async () => {
  const of = { account: 'audited', outcome: 'ok', actor: CALLER };
  const [began, done] = await tells(() => manage('DELETE', stack.accountPath('audited')),
    { event: 'account.delete.begin', ...of }, { event: 'account.delete', ...of });
  assert.match(began.detail, /^account [0-9a-f-]{36}$/);
  assert.equal(done.detail, `${began.detail}: the root key is destroyed`);
});

test('a blob is shredded', async () => {
  const [done] = await tells(() => manage('POST', `/gatekey/accounts/${stack.account}/shredBlob`, { container: 'kept', blob: 'secret' }),
    { event: 'blob.shred', account: stack.account, outcome: 'ok', actor: CALLER });
  assert.equal(done.detail, 'kept/secret: 1 records are destroyed; a second read found none; 0 copies have its data key');
});

test('an account is shredded', async () => {
  const account = 'shredded';
  const { keyId } = (await tells(() => manage('PUT', stack.accountPath(account), accountBody(stack.identity, keyOf())),
    { event: 'account.create', outcome: 'ok', account }))[0];
  const [wrap, done] = await tells(() => manage('POST', `/gatekey/accounts/${account}/shred`, { confirm: account }),
    { event: 'account.shred.wrap', account, outcome: 'ok', actor: CALLER }, { event: 'account.shred', account, outcome: 'ok', actor: CALLER });
  assert.equal(wrap.keyId, keyId);
  assert.match(wrap.detail, /^account [0-9a-f-]{36}, generation 1, SHA-256 [0-9a-f]{64}$/);
  assert.match(done.detail, /^account [0-9a-f-]{36}: 1 wraps are destroyed; a second read found none$/);
});

test('the one token is the operator’s, and none is nobody’s', async () => {
  await tells(() => stack.keysOf(stack.account), { event: 'account.keys.list', actor: 'operator' });
  const answer = await stack.management.request('GET', `/gatekey/accounts?${API}`, { headers: { authorization: 'Bearer x' } });
  assert.equal(answer.status, 401);
});

test('a caller whose role does not allow it', async () => {
  const at = stack.accountPath(stack.account);
  const [denied] = await tells(() => ask('DELETE', `${at}?${API}`, { headers: as(READER) }),
    { event: 'manage.denied', account: stack.account, outcome: 'refused', actor: READER });
  assert.equal(denied.detail, `DELETE ${at}`);
  assert.equal(denied.count, undefined);
});

test('one who goes on trying makes the audit grow by no more than so much, and nothing is left out', async () => {
  const at = stack.accountPath(stack.account);
  const denials = () => events().filter(({ event, actor }) => event === 'manage.denied' && actor === READER);
  const before = denials().length;
  for (let i = 0; i < 40; i++) {
    assert.equal((await ask('DELETE', `${at}?${API}`, { headers: as(READER) })).status, 403);
  }
  stack.gateway.moveClock(61000);
  await stack.until(async () => {
    await stack.management.request('GET', '/healthz');
    return denials().slice(before).reduce((sum, { count }) => sum + (count ?? 1), 0) === 40;
  }, 'all 40 to be told of');
  const counted = denials().slice(before).filter(({ count }) => count > 0);
  assert.ok(counted.length > 0 && denials().length - before < 40);
  for (const { detail, since, time } of counted) {
    assert.equal(detail, `the last: DELETE ${at}`);
    assert.ok(Date.parse(since) <= Date.parse(time));
  }
});

test('a configuration that is read again', async () => {
  const { configFile, pid } = stack.gateway;
  const text = readFileSync(configFile, 'utf8');
  const reload = (changed, ...wanted) => tells(() => {
    writeFileSync(configFile, changed);
    process.kill(pid, 'SIGHUP');
  }, ...wanted);
  const event = 'gateway.reload';
  const quieter = text.replace('log_level = "info"', 'log_level = "warning"');
  await reload(quieter, { event, outcome: 'ok', actor: 'signal', detail: 'log_level' });
  await reload(text.replace(`name = "${READER}"`, 'name = "carol"'), { event, outcome: 'ok', actor: 'signal', detail: 'log_level, management.callers' });
  await reload(quieter.replace('domain = ', 'domian = '), { event, outcome: 'refused', actor: 'signal', reason: 'InvalidConfiguration' });
  await reload(text, { event, outcome: 'ok', actor: 'signal', detail: 'management.callers' });
});

test('every event that is documented was told, and no other; the chain is whole', async () => {
  assert.deepEqual([...told].sort(), [...documented].sort());
  for (const event of events()) {
    assert.ok(documented.includes(event.event), event.event);
    assert.match(event.time, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.ok(Date.parse(event.time) >= begun, `${event.event} is of ${event.time}`);
    assert.ok(event.actor.length > 0, event.event);
    if ([CALLER, READER].includes(event.actor)) assert.equal(asked.has(event.causedBy), event.count === undefined, JSON.stringify(event));
  }
  const done = await stack.ctl('audit', 'verify', stack.gateway.auditFile);
  assert.equal(done.code, 0, done.stdout);
});
