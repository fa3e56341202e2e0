// SPDX-License-Identifier: Apache-2.0
// The jobs of an account, reseal and reencrypt, and what tests of them begin with.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

const CLIENT_KEY = Buffer.alloc(32, 'client');

// A key of the client's own.
export const ofTheClient = { encryptionAlgorithm: 'AES256', encryptionKey: CLIENT_KEY.toString('base64'),
  encryptionKeySha256: createHash('sha256').update(CLIENT_KEY).digest('base64') };

// The account keeps what was: versions, and blobs and containers that are deleted.
export const keepWhatWas = (stack) => stack.management.good('PUT',
  `${stack.accountPath(stack.account)}/blobServices/default`, { body: { properties: { isVersioningEnabled: true,
    deleteRetentionPolicy: { enabled: true, days: 3 }, containerDeleteRetentionPolicy: { enabled: true, days: 3 } } } });

// gatekeyctl account <job>: its exit code and the state that it shows.
export const jobOf = (stack, job) => async (...options) => {
  const { code, stdout, stderr } = await stack.ctl('account', job, stack.account, '--json', ...options);
  assert.ok(stdout.length > 0, stderr);
  return { code, ...JSON.parse(stdout) };
};
