// SPDX-License-Identifier: Apache-2.0
// The planted root key (docs/threat-model.md): somebody who writes to the store makes a root key of
// their own, wraps it with the customer's public key, and waits for data to be sealed under it. Without
// the service key the record is refused, and nothing is read or written under it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const PYTHON = '/usr/bin/python3';
const SKIPPED = 77;
const PLANT = fileURLToPath(new URL('../fault/plant_root_key.py', import.meta.url));
const CONTENT = 'stored before';

let stack;
let skip = false;
let publicKeyFile;

const put = (name, body) => send(stack, { method: 'PUT', path: `/kept/${name}`, body,
  headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-mark': 'right' } });
const get = (name) => send(stack, { method: 'GET', path: `/kept/${name}` });
const list = () => send(stack, { method: 'GET', path: '/kept',
  query: { restype: 'container', comp: 'list' } });

function plant(command, ...more) {
  const done = spawnSync(PYTHON, ['-B', PLANT, command, stack.gateway.store.place, '--account', stack.account,
    '--keep', path.join(stack.directory, 'kept-record'), ...more], { encoding: 'utf8' });
  if (done.status === SKIPPED) skip = true;
  else assert.equal(done.status, 0, done.stderr);
}

const plantWith = (mac) => plant('plant', '--public-key', publicKeyFile, '--mac', mac, '--service-key',
  stack.gateway.serviceKeyFile);

before(async () => {
  stack = await startStack();
  assert.equal((await send(stack, { method: 'PUT', path: '/kept', query: { restype: 'container' } })).status,
    201);
  assert.equal((await put('before', CONTENT)).status, 201);
  const { key } = await stack.vault.admin.getKey(stack.keyName);
  const jwk = { kty: 'RSA', n: Buffer.from(key.n).toString('base64url'),
    e: Buffer.from(key.e).toString('base64url') };
  publicKeyFile = path.join(stack.directory, 'public.pem');
  writeFileSync(publicKeyFile,
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
});
after(() => stack?.stop());

async function planted(mac, check) {
  await stack.gateway.stop();
  plantWith(mac);
  await stack.gateway.start();
  if (!skip) await check();
  await stack.gateway.stop();
  if (!skip) plant('restore');
  await stack.gateway.start();
  assert.equal((await get('before')).body.toString(), CONTENT);
}

async function refused() {
  for (const answer of [await get('before'), await put('after', 'planted'), await list(),
    await put('before', 'planted'), await send(stack, { method: 'PUT', path: '/another',
      query: { restype: 'container' } }),
    await send(stack, { method: 'DELETE', path: '/kept/before' })]) {
    assert.equal(answer.status, 500);
    assert.equal(answer.code, 'IntegrityCheckFailed');
  }
}

for (const mac of ['own', 'old', 'zeros']) {
  test(`a planted root key is refused: MAC ${mac}`, async (t) => {
    await planted(mac, refused);
    if (skip) {
      t.skip('no python3-cryptography');
      return;
    }
    const names = [...(await list()).body.toString().matchAll(/<Name>([^<]*)/g)].map(([, name]) => name);
    assert.deepEqual(names, ['before']);
  });
}

// It shows that the records above are well made: with the one thing that they lack, the attack succeeds.
test('with the service key the same record is taken', async (t) => {
  if (skip) {
    t.skip('no python3-cryptography');
    return;
  }
  await planted('true', async () => {
    assert.equal((await put('under-the-planted-key', 'x')).status, 201);
    assert.equal((await get('under-the-planted-key')).body.toString(), 'x');
    assert.equal((await get('before')).code, 'IntegrityCheckFailed');
  });
  assert.equal((await get('under-the-planted-key')).code, 'IntegrityCheckFailed');
});
