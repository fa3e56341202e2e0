// SPDX-License-Identifier: Apache-2.0
// What is no refusal of a key, and makes an account dark all the same: the identity is deleted, and the vault is, with
// its name. When each shows, what does not count as it, and the way back. About ten seconds.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { makeNames, noNames } from './lib/names.mjs';
import { accountSas, send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const VAULT_NAME = 'customer.gatekey.test';
const AUTHORITY_NAME = 'localhost';
const HOUR = 3600e3;
const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-gone-'));
const names = noNames ? undefined : makeNames(directory, VAULT_NAME);
let stack;
let elsewhere; // an account under a key in the vault with the name

const put = (account, pathname, query, body, headers) => send(account, { method: 'PUT', path: pathname, query, body, headers,
  sas: account.sas }).then(({ status, code }) => assert.equal(status, 201, code));
const answer = async (account) => {
  const { status, code } = await send(account, { method: 'GET', path: '/box/blob', sas: account.sas });
  return code === undefined ? `${status}` : `${status} ${code}`;
};
const answers = (account, wanted) => stack.until(async () => (await answer(account)) === wanted, `${account.account}: ${wanted}`);
const stateOf = async (account) => (await stack.keyStatus(account.account)).state;

// Signed for longer than the clock is moved.
async function withBlob(account, accountKey) {
  const made = { account, accountKey, blobEndpoint: `${stack.gateway.ready.blob_endpoint}/${account}` };
  made.sas = accountSas({ ...made, expiry: new Date(Date.now() + 72 * HOUR).toISOString().replace(/\.\d+/, '') });
  await put(made, '/box', { restype: 'container' });
  await put(made, '/box/blob', {}, 'content', { 'x-ms-blob-type': 'BlockBlob' });
  return made;
}

before(async () => {
  names?.set(AUTHORITY_NAME, VAULT_NAME);
  stack = await startStack({ movableClock: true, graceS: 100 * 3600, requestTimeoutMs: 1000, vaultDeadlineMs: 4000,
    gatewayCommand: names?.command, moreVaults: names && [{ host: VAULT_NAME }] });
  Object.assign(stack, await withBlob(stack.account, stack.accountKey));
  if (names) {
    const [, vault] = stack.vaults;
    await vault.createKey('elsewhere');
    await stack.createAccount('elsewhere', { vaultUri: vault.uri, name: 'elsewhere' });
    elsewhere = await withBlob('elsewhere', (await stack.keysOf('elsewhere'))[0].value);
  }
});
after(async () => {
  await stack?.stop();
  rmSync(directory, { recursive: true, force: true });
});

// A check that began after now was answered by the vault.
async function isOpenedByVault() {
  for (let i = 0; i < 2; i++) assert.equal((await stack.vault.waitForCall('unwrapKey', stack.keyName)).status, 200);
}

test('an identity that is deleted serves to the end of the token that was had for it', async () => {
  await stack.vault.setIdentityEnabled('gateway', false);
  await isOpenedByVault();
  assert.notEqual(await stateOf(stack), 'revoked');
  assert.equal(await answer(stack), '200');
});

test('and no longer, until there is one again', async () => {
  stack.gateway.moveClock(HOUR);
  await answers(stack, '403 KeyVaultAccessTokenCannotBeAcquired');
  assert.equal(await stateOf(stack), 'revoked');
  await stack.vault.setIdentityEnabled('gateway', true);
  await answers(stack, '200');
});

test('a gateway that starts while there is none has no token', async () => {
  await stack.vault.setIdentityEnabled('gateway', false);
  await stack.gateway.restart();
  await answers(stack, '403 KeyVaultAccessTokenCannotBeAcquired');
  await stack.vault.setIdentityEnabled('gateway', true);
  await answers(stack, '200');
});

test('a vault that is deleted, and whose name is gone', { skip: noNames }, async () => {
  const [, vault] = stack.vaults;
  assert.equal(await answer(elsewhere), '200');
  await vault.setVaultDeleted(true);
  names.set(AUTHORITY_NAME);
  await answers(elsewhere, '403 KeyVaultVaultNotFound');
  assert.equal(await stateOf(elsewhere), 'revoked');
  assert.equal(await answer(stack), '200');
  names.set(AUTHORITY_NAME, VAULT_NAME);
  await vault.setVaultDeleted(false);
  await answers(elsewhere, '200');
});

test('one whose name stays and that is silent is an outage', { skip: noNames }, async () => {
  await stack.vaults[1].setVaultDeleted(true);
  await stack.until(async () => (await stateOf(elsewhere)) === 'unreachable', 'silence');
  assert.equal(await answer(elsewhere), '200');
  await stack.vaults[1].setVaultDeleted(false);
  await stack.until(async () => (await stateOf(elsewhere)) === 'active', 'an answer');
});

test('a name service that knows nobody any more says nothing of a vault', { skip: noNames }, async () => {
  await stack.vaults[1].setVaultDeleted(true);
  names.set();
  await stack.until(async () => (await stateOf(elsewhere)) === 'unreachable', 'silence');
  await stack.checkKey('elsewhere');
  assert.equal(await stateOf(elsewhere), 'unreachable');
  assert.equal(await answer(elsewhere), '200');
  names.set(AUTHORITY_NAME, VAULT_NAME);
  await stack.vaults[1].setVaultDeleted(false);
  await stack.until(async () => (await stateOf(elsewhere)) === 'active', 'an answer');
});
