// SPDX-License-Identifier: Apache-2.0
// Accounts that nobody uses: they are closed, open at their next use, and their daily version check is made all the
// same, also by a gateway that was started after their last use. Takes about 10 seconds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const MINUTE = 60e3;
const DAY = 24 * 60 * MINUTE;
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
  stack = await startStack({ movableClock: true, accountIdleS: 60 });
  await stack.createAccount(OTHER);
  service = await serviceOf(stack.account);
  other = await serviceOf(OTHER);
  await service.getContainerClient('kept').create();
  await service.getContainerClient('kept').getBlockBlobClient('blob').uploadData(CONTENT);
});
after(() => stack?.stop());

const read = () => service.getContainerClient('kept').getBlobClient('blob').downloadToBuffer();
const closed = async () => {
  const { body } = await stack.management.request('GET', '/metrics');
  return Number(/^gatekey_accounts_closed_total (\d+)/m.exec(body)?.[1] ?? 0);
};

// Time goes on and the other account is used, until one more account has been closed.
async function close() {
  const before = await closed();
  await stack.until(async () => {
    stack.gateway.moveClock(3 * MINUTE);
    await other.getProperties();
    return await closed() > before;
  }, 'the end of an account that nobody uses');
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
  const wrapped = stack.vault.waitForCall('wrapKey', stack.keyName);
  stack.gateway.moveClock(DAY);
  await wrapped;
  await stack.until(async () => (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), 'the new version');
  assert.deepEqual(await read(), CONTENT);
});

test('so is one that nobody has used since the gateway was started', async () => {
  await stack.gateway.restart();
  const version = await stack.vault.rotate(stack.keyName);
  const wrapped = stack.vault.waitForCall('wrapKey', stack.keyName);
  stack.gateway.moveClock(DAY);
  await wrapped;
  await stack.until(async () => (await stack.keyStatus()).currentKeyIdentifier.endsWith(`/${version}`), 'the new version');
  service = await serviceOf(stack.account);
  assert.deepEqual(await read(), CONTENT);
});
