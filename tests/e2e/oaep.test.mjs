// SPDX-License-Identifier: Apache-2.0
// A vault whose keys take OAEP with SHA-1 alone: refused with what to do, and served once that is configured.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { accountBody, noRetry, startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
const options = { customerKey: false, vault: { oaep256: false } };
const CONTENT = Buffer.from('under OAEP with SHA-1');
let stack;

before(async () => {
  stack = await startStack(options);
});
after(() => stack?.stop());

const key = () => ({ vaultUri: stack.vault.uri, name: stack.keyName });
const log = () => readFileSync(stack.gateway.logFile, 'utf8');
const service = () => BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
const read = async () => (await service().getContainerClient('kept').getBlobClient('b').downloadToBuffer()).toString();
const state = async () => {
  await stack.checkKey();
  return (await stack.keyStatus()).state;
};

test('its key is not taken, and nothing weaker is taken instead', async () => {
  const answer = await stack.management.request('PATCH', `${stack.accountPath(stack.account)}?${API}`,
    { body: accountBody(stack.identity, key()) });
  assert.equal(answer.status, 400, answer.body);
  assert.match(answer.json.error.message, /does not take wrapKey.*BadParameter.*set wrap_algorithm/);
  assert.equal((await stack.keyStatus()).state, 'service-managed');
  assert.doesNotMatch(log(), /wrapped by RSA-OAEP,/);
});

test('where it is configured, it is used and warned of', async () => {
  options.wrapAlgorithm = 'RSA-OAEP';
  await stack.gateway.restart();
  assert.match(log(), /"warning".*root keys are wrapped by RSA-OAEP, as is configured/);
  await stack.management.good('PATCH', stack.accountPath(stack.account), { body: accountBody(stack.identity, key()) });
  const container = service().getContainerClient('kept');
  await container.create();
  await container.getBlockBlobClient('b').upload(CONTENT, CONTENT.length);
  await stack.gateway.restart(); // the root key is the vault's to open
  assert.equal(await read(), CONTENT.toString());
});

test('rotated, revoked and restored as any other', async () => {
  const version = await stack.vault.rotate(stack.keyName);
  await stack.checkKey();
  assert.ok((await stack.keyStatus()).currentKeyIdentifier.endsWith(version));
  const disabled = await stack.vault.disableAllVersions(stack.keyName);
  assert.equal(await state(), 'revoked');
  await assert.rejects(read(), ({ statusCode }) => statusCode === 403);
  await stack.vault.enableVersions(stack.keyName, disabled);
  assert.equal(await state(), 'active');
  assert.equal(await read(), CONTENT.toString());
});

test('a wrap is opened by the algorithm that made it, whatever is configured now', async () => {
  options.wrapAlgorithm = undefined;
  await stack.gateway.restart();
  assert.equal(await read(), CONTENT.toString());
  await stack.vault.rotate(stack.keyName);
  await stack.management.request('POST', `${stack.accountPath(stack.account)}/gatekeyCheckKey?${API}`);
  const status = await stack.keyStatus();
  assert.equal(status.state, 'active'); // and not rotated: the vault does not take the other
  assert.equal(status.rotationPending, true);
});
