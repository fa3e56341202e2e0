// SPDX-License-Identifier: Apache-2.0
// Who may do what with the management API: each operation, by each role. What is allowed may fail for other
// reasons (accounts that are not there, bodies that say nothing), which keeps the table short.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const ROLES = ['reader', 'key-operator', 'owner'];

let stack;

before(async () => {
  stack = await startStack({ customerKey: false, callers: Object.fromEntries(ROLES.map((role) => [`a-${role}`, role])) });
});
after(() => stack?.stop());

const operations = () => {
  const absent = stack.accountPath('absent');
  const storage = absent.replace(/\/storageAccounts.*/, '');
  const own = '/gatekey/accounts/absent';
  return [
    ['reader', 'GET', absent],
    ['reader', 'GET', `${absent}/blobServices`],
    ['reader', 'GET', `${absent}/blobServices/default`],
    ['reader', 'GET', `${absent}/encryptionScopes`],
    ['reader', 'GET', `${absent}/encryptionScopes/scope`],
    ['reader', 'GET', `${storage}/storageAccounts`],
    ['reader', 'GET', `${storage.replace(/\/resourceGroups\/[^/]+/, '')}/storageAccounts`],
    ['reader', 'POST', `${storage.replace(/\/resourceGroups\/[^/]+/, '')}/checkNameAvailability`],
    ['reader', 'GET', '/gatekey/accounts'],
    ['reader', 'GET', own],
    ['reader', 'GET', '/gatekey/policy/report'],
    ['reader', 'GET', '/gatekey/scrub'],
    ['reader', 'GET', `${own}/reencrypt`],
    ['reader', 'GET', `${own}/reseal`],
    ['reader', 'GET', '/gatekey/events'],
    ['reader', 'GET', '/metrics'],
    ...['listKeys', 'listAccountSas', 'listServiceSas', 'regenerateKey', 'revokeUserDelegationKeys', 'gatekeyCheckKey', 'gatekeyNewRootKey']
      .map((action) => ['key-operator', 'POST', `${absent}/${action}`]),
    ['key-operator', 'POST', `${absent}/encryptionScopes/scope/gatekeyCheckKey`],
    ['key-operator', 'POST', `${absent}/encryptionScopes/scope/gatekeyNewRootKey`],
    ['key-operator', 'POST', `${own}/export`],
    ...['reencrypt', 'reencryptPause', 'reencryptResume', 'reseal', 'resealPause', 'resealResume'].map((action) => ['key-operator', 'POST', `${own}/${action}`]),
    ['owner', 'PUT', absent],
    ['owner', 'PATCH', absent],
    ['owner', 'DELETE', absent],
    ['owner', 'PUT', `${absent}/blobServices/default`],
    ['owner', 'PUT', `${absent}/encryptionScopes/scope`],
    ['owner', 'PATCH', `${absent}/encryptionScopes/scope`],
    ['owner', 'POST', `${own}/restore`],
    ['owner', 'POST', `${own}/restoreScope`],
    ...['shred', 'shredBlob'].map((action) => ['owner', 'POST', `${own}/${action}`]),
    ...['', '/stop', '/resume', '/removeDamaged'].map((action) => ['owner', 'POST', `/gatekey/scrub${action}`]),
  ];
};

test('the list is whole', () => {
  const source = readFileSync(new URL('../../gateway/manage/manage.c', import.meta.url), 'utf8');
  const rows = source.match(/{GK_ROUTE_[^}]*GK_MANAGE_(READER|KEY_OPERATOR|OWNER)}/g);
  assert.equal(operations().length, rows.length);
});

test('each operation, by each role', async () => {
  for (const [least, method, target] of operations()) {
    for (const role of ROLES) {
      const name = `a-${role}`;
      const answer = await stack.management.request(method, `${target}?${API}`, {
        body: ['GET', 'DELETE'].includes(method) ? undefined : {},
        headers: { authorization: `Bearer ${stack.gateway.callerTokens[name]}` },
      });
      const what = `${role}: ${method} ${target}: ${answer.status} ${answer.body}`;
      if (ROLES.indexOf(role) < ROLES.indexOf(least)) {
        assert.equal(answer.status, 403, what);
        assert.equal(answer.json.error.code, 'AuthorizationFailed', what);
        assert.match(answer.json.error.message, new RegExp(`^The client '${name}' does not have authorization`));
      } else {
        assert.ok(answer.status !== 401 && answer.status !== 403, what);
      }
    }
  }
});

test('health needs no role, and the one token of the configuration is an owner’s', async () => {
  for (const target of ['/healthz', '/readyz']) {
    assert.equal((await stack.management.request('GET', target, { headers: { authorization: '' } })).status, 200);
  }
  assert.equal((await stack.management.request('DELETE', `${stack.accountPath('absent')}?${API}`)).status, 204);
});
