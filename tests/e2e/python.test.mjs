// SPDX-License-Identifier: Apache-2.0
// The vendor's Python SDK: see python/blob_sdk.py.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { makeIdentityProvider } from './lib/identity.mjs';
import { startStack } from './lib/stack.mjs';

const SCRIPT = fileURLToPath(new URL('python/blob_sdk.py', import.meta.url));
const OWNER = randomUUID();
const provider = makeIdentityProvider();
let stack;

before(async () => {
  stack = await startStack({ bearer: { provider, principals: [{ object_id: OWNER, role: 'owner' }] } });
  await stack.management.good('PUT', `${stack.accountPath(stack.account)}/blobServices/default`,
    { body: { properties: { isVersioningEnabled: true } } });
  await stack.createAccount('plain');
});
after(() => stack?.stop());

test('the Python SDK: each operation that it offers', async () => {
  const [{ value }] = await stack.keysOf('plain');
  const plain = stack.connectionString.replaceAll(stack.account, 'plain').replace(stack.accountKey, value);
  const env = { PATH: process.env.PATH, CONNECTION_STRING: stack.connectionString,
    CONNECTION_STRING_TLS: stack.connectionStringTls, PLAIN_CONNECTION_STRING: plain, CA_FILE: stack.caFile,
    TOKEN: provider.token(OWNER) };
  const { error, stderr } = await new Promise((resolve) => {
    execFile(SCRIPT, { env, maxBuffer: 16 << 20 }, (failed, _, text) => resolve({ error: failed, stderr: text }));
  });
  assert.ok(!error, stderr);
});
