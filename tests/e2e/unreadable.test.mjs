// SPDX-License-Identifier: Apache-2.0
// Accounts whose records cannot be read, or are lost: the others are listed all the same, and these with
// what is wrong, for it is the operator who looks at the list who must find them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PROFILE, RECORD, accountObject } from './lib/account_object.mjs';
import { send } from './lib/signed.mjs';
import { RESOURCE_GROUP, SUBSCRIPTION, startStack } from './lib/stack.mjs';

// What befalls each, and the error's code in the list; none: it is not listed.
const cases = {
  badrecord: [(object) => object.set(RECORD, 'damaged'), 'IntegrityCheckFailed'],
  badprofile: [(object) => object.set(PROFILE, 'damaged'), 'IntegrityCheckFailed'],
  norecord: [(object) => object.lose(RECORD), 'AccountRecordLost'],
  noprofile: [(object) => object.lose(PROFILE), 'AccountRecordLost'],
  nothing: [(object) => [RECORD, PROFILE].forEach((name) => object.lose(name)), 'AccountRecordLost'],
  halfmade: [(object) => object.lose(PROFILE)],
  gone: [(object) => object.loseAll()],
};
const broken = Object.keys(cases).filter((name) => cases[name][1] !== undefined).sort();

let stack;
const requestTo = {}; // of each account: a good request to it

const names = (accounts) => accounts.map(({ name }) => name).sort();
const arm = (group) => stack.management.good('GET',
  `/subscriptions/${SUBSCRIPTION}${group}/providers/Microsoft.Storage/storageAccounts`);

before(async () => {
  stack = await startStack({ customerKey: false });
  await stack.createAccount('whole');
  for (const name of Object.keys(cases)) {
    await stack.createAccount(name);
    const [{ value: accountKey }] = await stack.keysOf(name);
    requestTo[name] = (request) => send({ ...stack, account: name, accountKey,
      blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${name}` }, request);
    if (name === 'halfmade') continue;
    assert.equal((await requestTo[name]({ method: 'PUT', path: '/kept', query: { restype: 'container' } })).status, 201);
  }
  await stack.gateway.stop(); // which also forgets every account
  for (const [name, [befall]] of Object.entries(cases)) befall(accountObject(stack, name));
  await stack.gateway.start();
});
after(() => stack?.stop());

test('the list has the whole ones as ever, and the others with what is wrong', async () => {
  const { value } = await stack.management.good('GET', '/gatekey/accounts');
  assert.deepEqual(names(value), [...broken, stack.account, 'whole'].sort());
  for (const account of value) {
    const code = cases[account.name]?.[1];
    assert.equal(account.error?.code, code, account.name);
    if (code === undefined) {
      assert.equal(account.properties.gatekey.state, 'service-managed');
    } else {
      assert.deepEqual(Object.keys(account).sort(), ['error', 'name']);
      assert.ok(account.error.message.length > 0);
    }
  }
});

test('its clients are told that it is not them; of what is not there nobody is told anything', async () => {
  const account = 'neverwas';
  requestTo[account] = (request) => send({ ...stack, account, blobEndpoint:
    `${stack.gateway.ready.blob_endpoint}/${account}` }, request);
  for (const [name, ask] of Object.entries(requestTo)) {
    for (const unsigned of [false, true]) {
      const { status, code } = await ask({ method: 'GET', path: '/kept',
        query: { restype: 'container', comp: 'list' }, unsigned });
      const absent = unsigned ? [401, 'NoAuthenticationInformation'] : [403, 'AuthenticationFailed'];
      assert.deepEqual([status, code], broken.includes(name) ? [500, 'IntegrityCheckFailed'] : absent, `${name} ${unsigned}`);
    }
  }
});

test('one that has lost its record is not told of as deleted', async () => {
  for (const [name, status] of Object.entries({ norecord: 409, noprofile: 409, nothing: 409, halfmade: 204, gone: 204 })) {
    const answer = await stack.management.request('DELETE', `${stack.accountPath(name)}?api-version=2023-05-01`);
    assert.equal(answer.status, status, `${name}: ${answer.body}`);
    if (status === 409) assert.equal(answer.json.error.code, 'AccountRecordLost');
  }
});

test('where one is filed cannot be told: a subscription lists the whole ones', async () => {
  for (const group of ['', `/resourceGroups/${RESOURCE_GROUP}`]) {
    assert.deepEqual(names((await arm(group)).value), [stack.account, 'whole'].sort());
  }
});

test('gatekeyctl lists all, and its exit code tells', async () => {
  for (const words of [['account', 'list'], ['key', 'status']]) {
    const { code, stdout } = await stack.ctl(...words);
    assert.equal(code, 5, words.join(' '));
    assert.match(stdout, /^whole +service-managed/m);
    for (const name of broken) {
      assert.match(stdout, new RegExp(`^${name} +unreadable +\\S.*\\(${cases[name][1]}\\)$`, 'm'));
    }
    const json = await stack.ctl(...words, '--json');
    assert.equal(json.code, 5);
    assert.equal(JSON.parse(json.stdout).filter(({ error }) => error !== undefined).length, broken.length);
  }
  assert.equal((await stack.ctl('key', 'status', '--no-fail')).code, 0);
});

test('metrics have them, and the gateway is ready: the others are served', async () => {
  const { body: text } = await stack.management.request('GET', '/metrics');
  assert.match(text, /^gatekey_account_state\{account="whole",state="service-managed"\} 1$/m);
  for (const name of ['badrecord', 'norecord', 'nothing']) {
    assert.match(text, new RegExp(`^gatekey_account_state\\{account="${name}",state="unreadable"\\} 1$`, 'm'));
  }
  assert.doesNotMatch(text, /account="gone"/);
  assert.equal((await stack.management.request('GET', '/readyz')).status, 200);
});

test('once they are gone, the list is whole again', async () => {
  for (const name of broken) accountObject(stack, name).loseAll();
  const { code, stdout } = await stack.ctl('account', 'list');
  assert.equal(code, 0, stdout);
  assert.doesNotMatch(stdout, /unreadable/);
});
