// SPDX-License-Identifier: Apache-2.0
// What the operator demands of keys: what is denied, with the policy's name and what would be right; what is
// only told; and the report of who keeps it, by pages, and after a restart without the vault. Other rules take a reload.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { accountBody, startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const PAGE = 100;
const NOT_COMPLIANT = 8;
const LONG_AGO_S = 1500000000;
const SIZE_ID = '82067dbb-e53b-4e06-b631-546d197452d9';

const options = {};
let stack;
let made = 0;

before(async () => {
  stack = await startStack(options);
  await stack.createAccount('plain'); // its key is the service's
  await manage('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/free`, { properties: {} });
});
after(() => stack?.stop());

const manage = async (method, target, body) => stack.management.request(method, `${target}?${API}`, { body });
const create = (key, services) => {
  const body = accountBody(stack.identity, key);
  if (services) body.properties.encryption.services = services;
  return manage('PUT', stack.accountPath(`made${++made}`), body);
};
const under = async (policy) => {
  options.policy = policy;
  assert.equal(await stack.gateway.reload(), 'policy');
};
const events = () => readFileSync(stack.gateway.auditFile, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));

// What a get of the key tells from now on.
async function pretend(name, attributes) {
  const { key: { n, e }, properties } = await stack.vault.admin.getKey(name);
  const told = { key: { kid: properties.id, kty: 'RSA', key_ops: ['wrapKey', 'unwrapKey'],
    n: Buffer.from(n).toString('base64url'), e: Buffer.from(e).toString('base64url') },
  attributes: { enabled: true, recoveryLevel: 'Recoverable', ...attributes } };
  await stack.vault.fault({ operation: 'get', key: name, count: -1, status: 200, body: JSON.stringify(told) });
}

async function report(code) {
  const done = await stack.ctl('policy', 'report', '--json');
  assert.equal(done.code, code, done.stdout + done.stderr);
  return new Map(JSON.parse(done.stdout).map((value) => [value.name, value]));
}

const brokenBy = (value) => value.findings.map(({ policy, compliance }) => `${policy} ${compliance}`);

async function assertDenied(promise, rule) {
  const answer = await promise;
  assert.equal(answer.status, 403, answer.body);
  assert.equal(answer.json.error.code, 'RequestDisallowedByPolicy');
  assert.match(answer.json.error.message, new RegExp(`disallowed by policy '.*policy\\.${rule}\\): `));
  const denied = events().findLast(({ event }) => event === 'policy.denied');
  assert.equal(denied.reason, rule);
  assert.equal(denied.outcome, 'refused');
}

test('without rules all are compliant', async () => {
  for (const { compliance } of (await report(0)).values()) assert.equal(compliance, 'compliant');
});

test('keys must be the customers’, in an allowed vault', async () => {
  await under(`customer_keys = "deny"; scope_customer_keys = "deny"; vaults = "deny";
    allowed_vaults = [ "https://elsewhere.test" ]; queue_customer_keys = "audit";`);
  const key = { vaultUri: stack.vault.uri, name: stack.keyName };
  await assertDenied(create(), 'customer_keys');
  const { next } = await stack.vault.calls();
  await assertDenied(create(key), 'vaults');
  const { calls } = await stack.vault.calls(next);
  assert.deepEqual(calls.filter(({ operation }) => operation !== 'unwrapKey'), [], 'what is not allowed is not asked'); // checks go on
  await assertDenied(manage('PUT', `${stack.accountPath(stack.account)}/encryptionScopes/other`, { properties: {} }),
    'scope_customer_keys');
  await assertDenied(manage('PATCH', stack.accountPath(stack.account),
    { properties: { encryption: { keySource: 'Microsoft.Storage' } } }), 'customer_keys');
  assert.equal((await manage('GET', stack.accountPath(`made${made}`))).status, 404);
  assert.equal((await manage('PATCH', stack.accountPath('plain'), { tags: { a: 'b' } })).status, 200,
    'what there is goes on');

  const all = await report(NOT_COMPLIANT);
  assert.deepEqual(brokenBy(all.get('plain')), ['customer_keys nonCompliant']);
  assert.deepEqual(brokenBy(all.get(stack.account)), ['queue_customer_keys nonCompliant', 'vaults nonCompliant']);
  assert.deepEqual(brokenBy(all.get(`${stack.account}/free`)), ['scope_customer_keys nonCompliant']);
  const table = await stack.ctl('policy', 'report', '--no-fail');
  assert.equal(table.code, 0);
  assert.match(table.stdout, /^plain +not compliant +service-managed\n +customer_keys +not compliant +deny +Storage acc/m);
  assert.match(table.stdout, /^3 accounts and scopes: 0 compliant, 0 unknown, 3 not$/m);
});

test('keys must be large, young and protected; what is only audited is told', async () => {
  await under(`key_size = "deny"; minimum_key_bits = 3072; key_age = "deny"; maximum_key_age_days = 30;
    purge_protection = "deny"; queue_customer_keys = "deny"; table_customer_keys = "audit"; hsm_keys = "audit";`);
  const { vault } = stack;
  await vault.createKey('large', 3072);
  const key = { vaultUri: vault.uri, name: 'large' };
  const queues = { queue: { keyType: 'Account' } };
  await assertDenied(create(key), 'queue_customer_keys');
  await assertDenied(create({ ...key, name: stack.keyName }, queues), 'key_size');
  await pretend('large', { created: LONG_AGO_S });
  await assertDenied(create(key, queues), 'key_age');
  await vault.clearFaults();

  const good = await create(key, queues);
  assert.equal(good.status, 200, good.body);
  const told = events().filter(({ event, account }) => event === 'policy.broken' && account === `made${made}`);
  assert.deepEqual(told.map(({ reason }) => reason), ['table_customer_keys', 'hsm_keys'], 'once for each');
  assert.deepEqual(brokenBy((await report(NOT_COMPLIANT)).get(`made${made}`)),
    ['table_customer_keys nonCompliant', 'hsm_keys nonCompliant']);

  // By the command line: its remedy can be followed, and is seen.
  const byHand = (...flags) => stack.ctl('account', 'create', 'byhand', '--vault', vault.uri, '--key', 'large',
    '--identity', stack.identity, ...flags);
  const denied = await byHand('--table-key-type', 'Account');
  assert.equal(denied.code, 1, denied.stdout);
  assert.match(denied.stderr, /policy\.queue_customer_keys.*RequestDisallowedByPolicy/);
  const wrong = await byHand('--queue-key-type', 'customer');
  assert.match(wrong.stderr, /services\.queue\.keyType can be Service or Account/);
  const shown = await byHand('--queue-key-type', 'Account');
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^Services +blob Account, file Account, queue Account, table Service$/m);

  // A newer version that is not permitted is not taken.
  const small = (await vault.createKey('large', 2048)).properties.version;
  const { properties: { gatekey, encryption } } = await stack.checkKey(`made${made}`);
  assert.equal(gatekey.rotationPending, true);
  assert.ok(!encryption.keyvaultproperties.currentVersionedKeyIdentifier.endsWith(small));
  const refused = events().findLast(({ event }) => event === 'key.rotate');
  assert.deepEqual([refused.outcome, refused.account], ['refused', `made${made}`]);
});

test('each of the other rules denies, and tells, by itself', async () => {
  const { vault, keyName: name } = stack;
  const key = { vaultUri: vault.uri, name };
  const denied = async (rules, rule, ...what) => {
    await under(rules);
    await assertDenied(create(...what), rule);
  };
  const told = async (rules, rule, ...what) => {
    await under(rules);
    const answer = await create(...what);
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(events().filter(({ event, account }) => event === 'policy.broken' && account === `made${made}`)
      .map(({ reason }) => reason), [rule]);
    assert.deepEqual(brokenBy((await report(NOT_COMPLIANT)).get(`made${made}`)), [`${rule} nonCompliant`]);
  };
  await denied('table_customer_keys = "deny";', 'table_customer_keys', key);
  await denied('hsm_keys = "deny";', 'hsm_keys', key);
  await told('customer_keys = "audit";', 'customer_keys');
  await told('vaults = "audit"; allowed_vaults = [ "https://elsewhere.test" ];', 'vaults', key);
  await pretend(name, { created: LONG_AGO_S });
  await told('key_age = "audit"; maximum_key_age_days = 30;', 'key_age', key);
  await vault.clearFaults();

  // A vault that is known not to protect its keys is refused whatever the rules; one that loses that later, or does not tell.
  await under('purge_protection = "audit";');
  assert.equal((await create(key)).status, 200);
  await pretend(name, { recoveryLevel: 'Recoverable+Purgeable' });
  await stack.checkKey(`made${made}`);
  assert.deepEqual(brokenBy((await report(NOT_COMPLIANT)).get(`made${made}`)), ['purge_protection nonCompliant']);
  await vault.clearFaults();
  options.pinnedKeyWithoutGet = true;
  await stack.gateway.restart();
  const { properties: { version } } = await vault.admin.getKey(name);
  await vault.setPermissions('gateway', ['wrapKey', 'unwrapKey']);
  try {
    await denied('purge_protection = "deny";', 'purge_protection', { ...key, version });
  } finally {
    await vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey']);
  }
});

test('what a vault has told is known after a restart without it', async () => {
  const toldAt = async () => Date.parse((await report(NOT_COMPLIANT)).get(stack.account).keyToldAt);
  await under('hsm_keys = "audit"; key_size = "deny"; minimum_key_bits = 3072;');
  await stack.checkKey(stack.account);
  const before = await toldAt();
  await stack.vault.stop();
  await stack.gateway.restart();
  const value = (await report(NOT_COMPLIANT)).get(stack.account);
  assert.deepEqual(brokenBy(value), ['key_size nonCompliant', 'hsm_keys nonCompliant']);
  assert.equal(value.findings[0].policyDefinitionId,
    `/providers/Microsoft.Authorization/policyDefinitions/${SIZE_ID}`);
  assert.equal(await toldAt(), before);
});

test('a report comes by pages', async () => {
  options.policy = '';
  await stack.gateway.restart();
  const names = Array.from({ length: PAGE + 3 }, (_, i) => `many${String(i).padStart(4, '0')}`);
  for (const name of names) await stack.createAccount(name);
  const { json } = await stack.management.request('GET', `/gatekey/policy/report?${API}`);
  assert.ok(json.nextSkipToken);
  const all = await report(0);
  for (const name of [...names, stack.account, 'plain']) assert.equal(all.get(name)?.compliance, 'compliant', name);
  const last = await stack.management.request('GET', `/gatekey/policy/report?${API}&$skiptoken=plain`);
  assert.deepEqual([last.json.value, last.json.nextSkipToken], [[], undefined]);
});
