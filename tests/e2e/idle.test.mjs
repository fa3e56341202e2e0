// SPDX-License-Identifier: Apache-2.0
// Accounts that nobody uses: they are closed, open at their next use, and their daily version check is made all the
// same, also by a gateway that was started after their last use. Takes about 15 seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { RECORD, accountObject } from './lib/account_object.mjs';
import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const IDLE_S = 60;
const DAY = 86400e3;
const OTHER = 'busy';
const CONTENT = Buffer.from('nobody asks for it');
let stack;
let service;
let other;

async function serviceOf(account) {
  const [{ value: accountKey }] = await stack.keysOf(account);
  // A SAS: signed dates would have to move with the gateway's clock.
  const sas = accountSas({ account, accountKey, expiry: new Date(Date.now() + 60 * DAY).toISOString().replace(/\.\d+/, '') });
  return new BlobServiceClient(`${stack.gateway.ready.blob_endpoint}/${account}?${encodeQuery(sas)}`, undefined, noRetry);
}

before(async () => {
  stack = await startStack({ movableClock: true, accountIdleS: IDLE_S });
  await stack.createAccount(OTHER, { vaultUri: stack.vault.uri, name: stack.keyName });
  service = await serviceOf(stack.account);
  other = await serviceOf(OTHER);
  for (const one of [service, other]) {
    await one.getContainerClient('kept').create();
    await one.getContainerClient('kept').getBlockBlobClient('blob').uploadData(CONTENT);
  }
});
after(() => stack?.stop());

const readOf = (one) => one.getContainerClient('kept').getBlobClient('blob').downloadToBuffer();
const read = () => readOf(service);
const closed = async () => {
  const { body } = await stack.management.request('GET', '/metrics');
  return Number(/^gatekey_accounts_closed_total (\d+)/m.exec(body)?.[1] ?? 0);
};

// Time goes on in steps that are too short to close the other account, which is used at each, until one more has been
// closed. To ask for that number is to look at both, which has a closed one in memory until the gateway's thread comes
// round: it has when the other account's key was checked twice.
async function close() {
  await readOf(other);
  const before = await closed();
  await stack.until(async () => {
    stack.gateway.moveClock(IDLE_S / 3 * 1e3);
    await readOf(other);
    return await closed() > before;
  }, 'the end of an account that nobody uses');
  for (let i = 0; i < 2; i++) await stack.vault.waitForCall('unwrapKey', stack.keyName);
}

test('an account that nobody uses is closed, and opens at its next use', async () => {
  await close();
  assert.equal((await stack.keyStatus()).state, 'cold');
  assert.deepEqual(await read(), CONTENT);
  assert.equal((await stack.keyStatus()).state, 'active');
});

test('a closed account is rotated when its day has come', async () => {
  await close();
  const version = await stack.vault.rotate(stack.keyName);
  const before = await stack.vault.calls();
  stack.gateway.moveClock(DAY);
  await stack.vault.waitForCall('wrapKey', stack.keyName, before);
  await stack.until(async () => (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), 'the new version');
  assert.deepEqual(await read(), CONTENT);
});

test('so is one that nobody has used since the gateway was started', async () => {
  await stack.gateway.restart();
  const version = await stack.vault.rotate(stack.keyName);
  const before = await stack.vault.calls();
  stack.gateway.moveClock(DAY);
  await stack.vault.waitForCall('wrapKey', stack.keyName, before);
  await stack.until(async () => (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), 'the new version');
  service = await serviceOf(stack.account);
  assert.deepEqual(await read(), CONTENT);
});

test('a record that was put back while its account was closed is told of by the request that finds it', async () => {
  const object = accountObject(stack, stack.account);
  const older = object.get(RECORD);
  await stack.vault.rotate(stack.keyName);
  await stack.checkKey();
  const newer = object.get(RECORD);
  await close();
  object.set(RECORD, older);
  const refused = await read().then(() => assert.fail('it opens'), (error) => error);
  assert.equal(refused.statusCode, 500);
  const told = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter((line) => line.includes('"record.rollback"'));
  assert.deepEqual(told.map((line) => JSON.parse(line).causedBy), [refused.response.headers.get('x-ms-request-id')]);
  object.set(RECORD, newer);
  assert.deepEqual(await read(), CONTENT);
});
