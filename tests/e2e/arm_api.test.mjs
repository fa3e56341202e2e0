// SPDX-License-Identifier: Apache-2.0
// The rest of the Storage resource provider's API, by the vendor's client: lists by pages, what a list is of, versions
// of the API, and whatever the client can ask for that is not served. Takes some seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { StorageManagementClient } from '@azure/arm-storage';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { noRetry, RESOURCE_GROUP, startStack, SUBSCRIPTION } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const NAMES = ['paged1', 'paged2', 'paged3', 'paged4', 'paged5'];
const SERVED = ['storageAccounts', 'encryptionScopes', 'blobServices'];
let stack;
let client;
const asked = []; // URLs of the client's requests

const recorder = { name: 'recorder', sendRequest: (request, next) => {
  asked.push(request.url);
  return next(request);
} };

before(async () => {
  stack = await startStack({ customerKey: false });
  const credential = { getToken: async () => ({ token: stack.managementToken, expiresOnTimestamp: Date.now() + 3600e3 }) };
  client = new StorageManagementClient(credential, SUBSCRIPTION, { endpoint: stack.managementEndpoint,
    tlsOptions: { ca: stack.ca }, retryOptions: { maxRetries: 0 } });
  client.pipeline.addPolicy(recorder, { afterPhase: 'Retry' });
  for (const name of NAMES) await stack.createAccount(name);
});
after(() => stack?.stop());

const listOf = async (target, query = '') => {
  const answer = await stack.management.request('GET', `${target}?${API}${query}`);
  assert.equal(answer.status, 200, answer.body);
  return answer.json;
};
const storage = () => stack.accountPath('x').replace(/\/storageAccounts.*/, '');

async function pagesOf(target, query) {
  const pages = [];
  let page = await listOf(target, query);
  for (;;) {
    pages.push(page.value.map(({ name }) => name));
    if (page.nextLink === undefined) return pages;
    const next = new URL(page.nextLink);
    assert.equal(next.origin, new URL(stack.managementEndpoint).origin);
    page = (await stack.management.request('GET', next.pathname + next.search)).json;
  }
}

test('lists of accounts come by pages, in the order of names', async () => {
  const all = [...NAMES, stack.account].sort();
  for (const target of ['/gatekey/accounts', `${storage()}/storageAccounts`,
    `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts`]) {
    assert.deepEqual(await pagesOf(target, '&$maxpagesize=4'), [all.slice(0, 4), all.slice(4)], target);
    assert.deepEqual(await pagesOf(target, '&%24maxpagesize=6'), [all], target);
  }
  // Accounts that are filed elsewhere are looked at, and are on no page.
  const elsewhere = `${storage()}/storageAccounts`.replace(`/${RESOURCE_GROUP}/`, '/elsewhere/');
  assert.deepEqual(await pagesOf(elsewhere, '&$maxpagesize=4'), [[], []]);
  const found = [];
  for await (const { name } of client.storageAccounts.list()) found.push(name);
  assert.deepEqual(found, all);
});

test('lists of scopes: by state, by the begin of their names, by pages', async () => {
  const scopes = client.encryptionScopes;
  const [account] = NAMES;
  for (const name of ['aa1', 'aa2', 'bb1', 'bb2', 'bb3']) await scopes.put(RESOURCE_GROUP, account, name, { source: 'Microsoft.Storage' });
  await scopes.patch(RESOURCE_GROUP, account, 'bb2', { state: 'Disabled' });
  const names = async (options) => {
    const found = [];
    for await (const { name } of scopes.list(RESOURCE_GROUP, account, options)) found.push(name);
    return found;
  };
  assert.deepEqual(await names(), ['aa1', 'aa2', 'bb1', 'bb2', 'bb3']);
  assert.deepEqual(await names({ maxpagesize: 2 }), ['aa1', 'aa2', 'bb1', 'bb2', 'bb3']);
  assert.deepEqual(await names({ include: 'Enabled', maxpagesize: 1 }), ['aa1', 'aa2', 'bb1', 'bb3']);
  assert.deepEqual(await names({ include: 'Disabled' }), ['bb2']);
  for (const filter of ['bb', 'startswith(name, bb)', "startswith(name,'bb')"]) {
    assert.deepEqual(await names({ filter, include: 'All', maxpagesize: 2 }), ['bb1', 'bb2', 'bb3'], filter);
  }
  const pages = await pagesOf(`${stack.accountPath(account)}/encryptionScopes`, '&$filter=startswith(name, bb)&$maxpagesize=2');
  assert.deepEqual(pages, [['bb1', 'bb2'], ['bb3']]);
});

test('what a list cannot be of is refused', async () => {
  const scopes = `${stack.accountPath(NAMES[0])}/encryptionScopes`;
  for (const [target, query] of [['/gatekey/accounts', '$maxpagesize=0'], ['/gatekey/accounts', '$maxpagesize=1001'],
    ['/gatekey/accounts', '$maxpagesize=x'], ['/gatekey/accounts', `$skiptoken=${'a'.repeat(64)}`],
    ['/gatekey/policy/report', '$maxpagesize=-1'], [scopes, '$maxpagesize=5001'], [scopes, '$include=Some'],
    [scopes, '$filter=startswith(name, aa'], [scopes, `$filter=${'a'.repeat(64)}`]]) {
    const answer = await stack.management.request('GET', `${target}?${API}&${query}`);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'InvalidQueryParameterValue'], query);
  }
});

test('settings of the Blob service, alone and as a list of one', async () => {
  const [account] = NAMES;
  const set = await client.blobServices.setServiceProperties(RESOURCE_GROUP, account, { isVersioningEnabled: true,
    deleteRetentionPolicy: { enabled: true, days: 3 } });
  assert.equal(set.id, `${stack.accountPath(account)}/blobServices/default`);
  const got = await client.blobServices.getServiceProperties(RESOURCE_GROUP, account);
  const listed = [];
  for await (const service of client.blobServices.list(RESOURCE_GROUP, account)) listed.push(service);
  for (const service of [set, got, ...listed]) {
    assert.deepEqual([service.name, service.isVersioningEnabled, service.deleteRetentionPolicy.days], ['default', true, 3]);
  }
  assert.equal(listed.length, 1);
});

test('rules for other origins and the default version, which the Blob service has as well', async () => {
  const [account] = NAMES;
  const [{ value }] = await stack.keysOf(account);
  const service = new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}`,
    new StorageSharedKeyCredential(account, value), noRetry);
  const rule = { allowedOrigins: ['https://one.test', 'https://two.test'], allowedMethods: ['GET', 'PUT'],
    allowedHeaders: ['x-ms-meta-*'], exposedHeaders: [], maxAgeInSeconds: 60 };
  const set = (properties) => client.blobServices.setServiceProperties(RESOURCE_GROUP, account, properties);
  const made = await set({ cors: { corsRules: [rule] }, defaultServiceVersion: '2021-12-02' });
  assert.deepEqual([made.cors.corsRules, made.defaultServiceVersion], [[rule], '2021-12-02']);
  assert.equal(made.isVersioningEnabled, true, 'what is left out stays');
  const seen = await service.getProperties();
  assert.equal(seen.defaultServiceVersion, '2021-12-02');
  assert.deepEqual(seen.cors.map(({ allowedOrigins, allowedMethods, allowedHeaders, exposedHeaders, maxAgeInSeconds }) =>
    [allowedOrigins, allowedMethods, allowedHeaders, exposedHeaders, maxAgeInSeconds]),
  [['https://one.test,https://two.test', 'GET,PUT', 'x-ms-meta-*', '', 60]]);

  // And the other way.
  await service.setProperties({ cors: [{ allowedOrigins: '*', allowedMethods: 'GET', allowedHeaders: 'a, b',
    exposedHeaders: '*', maxAgeInSeconds: 0 }] });
  const { cors } = await client.blobServices.getServiceProperties(RESOURCE_GROUP, account);
  assert.deepEqual(cors.corsRules, [{ allowedOrigins: ['*'], allowedMethods: ['GET'], allowedHeaders: ['a', 'b'],
    exposedHeaders: ['*'], maxAgeInSeconds: 0 }]);

  for (const wrong of [{ defaultServiceVersion: '2008-10-26' }, { defaultServiceVersion: 'newest' },
    { cors: { corsRules: Array(6).fill(rule) } }, { cors: { corsRules: [{ ...rule, allowedOrigins: [] }] } },
    { cors: { corsRules: [{ ...rule, allowedOrigins: ['a,b'] }] } }, { cors: { corsRules: [{ ...rule, exposedHeaders: ['a\r\nb: c'] }] } }, { cors: { corsRules: [{ ...rule, allowedMethods: ['SEE'] }] } },
    { cors: { corsRules: [{ ...rule, maxAgeInSeconds: -1 }] } }, { cors: { corsRules: [{ ...rule, exposedHeaders: undefined }] } },
    { cors: { corsRules: [{ ...rule, allowedHeaders: ['a'.repeat(257)] }] } },
    { cors: { corsRules: [{ ...rule, exposedHeaders: Array(20).fill('a'.repeat(200)) }] } },
    { cors: { corsRules: [1] } }, { cors: { corsRules: {} } }]) {
    const answer = await stack.management.request('PUT', `${stack.accountPath(account)}/blobServices/default?${API}`,
      { body: { properties: wrong } });
    assert.equal(answer.status, 400, JSON.stringify(wrong));
    assert.match(answer.json.error.code, /^InvalidRequest(PropertyValue|Content)$/);
  }
  assert.deepEqual((await set({ cors: {} })).cors.corsRules, [], 'no rule disables it');
  assert.deepEqual((await service.getProperties()).cors ?? [], []);
});

test('versions of the API: one has to be named, and newer and older ones are taken', async () => {
  const path = stack.accountPath(stack.account);
  for (const [query, code] of [['', 'MissingApiVersionParameter'], ['api-version=', 'MissingApiVersionParameter'],
    ['api-version=latest', 'InvalidApiVersionParameter'], ['api-version=2023-5-1', 'InvalidApiVersionParameter']]) {
    const answer = await stack.management.request('GET', `${path}?${query}`);
    assert.deepEqual([answer.status, answer.json.error.code], [400, code], query);
    assert.match(answer.headers['x-ms-request-id'], /^[0-9a-f-]{36}$/);
  }
  for (const version of ['2019-06-01', '2023-05-01', '2025-01-01-preview', '2030-01-01']) {
    assert.equal((await stack.management.request('GET', `${path}?api-version=${version}`)).status, 200, version);
  }
});

test('answers have an id, and that of the work which they belong to', async () => {
  const work = '0f8fad5b-d9cb-469f-a165-70867728950e';
  const ids = async (given) => {
    const { headers } = await stack.management.request('GET', `/gatekey/accounts?${API}`,
      { headers: { authorization: `Bearer ${stack.managementToken}`, ...given } });
    return [headers['x-ms-request-id'], headers['x-ms-correlation-request-id']];
  };
  const [id, correlation] = await ids({ 'x-ms-correlation-request-id': work.toUpperCase() });
  assert.notEqual(id, work);
  assert.equal(correlation, work);
  for (const given of [{}, { 'x-ms-correlation-request-id': 'none' }]) {
    const [own, same] = await ids(given);
    assert.equal(own, same);
  }
});

// Every method of the client, with names and bodies that would do if it were served.
async function tryAll(group, methods) {
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method !== 'function') continue;
    const before_ = asked.length;
    try {
      const result = method(RESOURCE_GROUP, NAMES[0], 'name', 'other', 'more', {});
      if (typeof result.next === 'function') await result.next();
      else await result;
      assert.fail(`${group}.${name} is served`);
    } catch (error) {
      if (asked.length === before_) continue; // the client refused the body
      assert.deepEqual([error.statusCode, error.code], [501, 'NotImplemented'], `${group}.${name}: ${error.message}`);
    }
  }
}

test('what is not served is told from a mistake', async () => {
  const before_ = asked.length;
  for (const [group, methods] of Object.entries(client)) {
    if (typeof methods === 'object' && Object.values(methods ?? {}).some((method) => typeof method === 'function') &&
      !SERVED.includes(group) && group !== 'pipeline' && !group.startsWith('_')) await tryAll(group, methods);
  }
  assert.ok(asked.length - before_ > 50, `${asked.length - before_} requests`);
  const accounts = client.storageAccounts;
  await refused(accounts.failover(RESOURCE_GROUP, NAMES[0]).then((poller) => poller?.pollUntilDone?.()), 501, 'NotImplemented');
  const mistake = await stack.management.request('GET', `${stack.accountPath(NAMES[0])}/localUser?${API}`);
  assert.deepEqual([mistake.status, mistake.json.error.code], [404, 'ResourceNotFound']);
});
