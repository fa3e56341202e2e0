// SPDX-License-Identifier: Apache-2.0
// As whom the gateway asks a vault: each kind of identity that the provider knows, from an account that is
// made with it to the refusal of its token and back. The vault takes tokens of a second, so that refusals show.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { accountBody, startStack, until } from './lib/stack.mjs';

const resourceId = (name) =>
  `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;
const permissions = ['get', 'wrapKey', 'unwrapKey'];
const assigned = (name) => ({ name, clientId: randomUUID(), permissions, resourceId: resourceId(name) });

let stack;

before(async () => {
  stack = await startStack({
    vault: { tokenLifetimeS: 1, identities: [
      { name: 'admin', clientId: randomUUID(), administer: true },
      { name: 'host', clientId: randomUUID(), permissions, systemAssigned: true },
      assigned('gateway'), assigned('arc'), assigned('app')] },
    identities: (vault) => [
      `{ kind = "arc"; endpoint = "${vault.arcEndpoint}"; challenge_directory = "${vault.arcDirectory}"; }`,
      `{ kind = "arc"; resource_id = "${resourceId('arc')}"; endpoint = "${vault.arcEndpoint}";
         challenge_directory = "${vault.arcDirectory}"; }`,
      `{ kind = "app-service"; resource_id = "${resourceId('app')}"; endpoint = "${vault.appServiceEndpoint}";
         identity_header_file = "${vault.identityHeaderFile}"; }`,
    ],
  });
});
after(() => stack?.stop());

const key = () => ({ vaultUri: stack.vault.uri, name: stack.keyName });
const createAs = (name, identity) =>
  stack.management.good('PUT', stack.accountPath(name), { body: accountBody(identity, key()) });

async function unwrapsAs(account, identity) {
  const { next } = await stack.vault.calls();
  await stack.checkKey(account);
  const { calls } = await stack.vault.calls(next);
  assert.ok(calls.some((call) => call.operation === 'unwrapKey' && call.status === 200 && call.identity === identity),
    JSON.stringify(calls));
}

const stateIs = (account, state) => until(async () => {
  await stack.checkKey(account);
  return (await stack.keyStatus(account)).state === state;
}, `${account} to be ${state}`);

// Refused for good by whoever gives the tokens, and back.
async function isRevokedWith(account, identity) {
  await stack.vault.setIdentityEnabled(identity, false);
  await stateIs(account, 'revoked');
  await stack.vault.setIdentityEnabled(identity, true);
  await stateIs(account, 'active');
}

test('a machine that is connected by Azure Arc: a user-assigned identity', async () => {
  await createAs('byarc', resourceId('arc'));
  await unwrapsAs('byarc', 'arc');
  await isRevokedWith('byarc', 'arc');
});

test('a machine that is connected by Azure Arc: its own identity', async () => {
  const identity = resourceId('gateway');
  await createAs('bymachine', identity);
  const body = accountBody(identity, key());
  body.identity.type = 'SystemAssigned,UserAssigned';
  body.properties.encryption.identity.userAssignedIdentity = '';
  await stack.management.good('PATCH', stack.accountPath('bymachine'), { body });
  await unwrapsAs('bymachine', 'host');
  await isRevokedWith('bymachine', 'host');
});

test('an agent of Azure Arc whose key files cannot be read revokes nothing', async () => {
  renameSync(stack.vault.arcDirectory, `${stack.vault.arcDirectory}.away`);
  await stateIs('byarc', 'unreachable');
  renameSync(`${stack.vault.arcDirectory}.away`, stack.vault.arcDirectory);
  await stateIs('byarc', 'active');
});

test('App Service, whose refusals are no OAuth errors and revoke nothing', async () => {
  await createAs('byapp', resourceId('app'));
  await unwrapsAs('byapp', 'app');
  await stack.vault.setIdentityEnabled('app', false);
  await stateIs('byapp', 'unreachable');
  await stack.vault.setIdentityEnabled('app', true);
  await stateIs('byapp', 'active');
});
