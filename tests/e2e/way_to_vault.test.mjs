// SPDX-License-Identifier: Apache-2.0
// The way to a vault: through a proxy, to a server whose public key is pinned, with nothing taken from the
// environment; and what is silence on it.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { pinOf } from './lib/certificates.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';
import { startTunnel } from './lib/tunnel.mjs';

const options = { pinVaults: true, vaultDeadlineMs: 4000 };
let open = true;
let tunnel;
let stack;
let vault;

before(async () => {
  tunnel = await startTunnel(() => open);
  const nobody = 'http://127.0.0.1:1';
  Object.assign(options, { proxy: tunnel.uri,
    gatewayEnv: { https_proxy: nobody, HTTPS_PROXY: nobody, ALL_PROXY: nobody, no_proxy: '*' } });
  stack = await startStack(options);
  vault = stack.vault;
});
after(async () => {
  await stack?.stop();
  tunnel?.stop();
});

const stateIs = (state) => stack.until(async () => {
  await stack.checkKey();
  return (await stack.keyStatus()).state === state;
}, `the account to be ${state}`);

test('vault and authority are asked through it, and it sees nothing of that', async () => {
  await stateIs('active');
  assert.ok(tunnel.asked.length > 0);
  for (const { method, target, headers } of tunnel.asked) {
    assert.equal(method, 'CONNECT');
    assert.equal(target, new URL(vault.uri).host);
    assert.equal(headers.authorization, undefined);
  }
});

test('the token services of the host are not', async () => {
  const { json } = await stack.management.request('PATCH',
    `${stack.accountPath(stack.account)}?api-version=2023-05-01`, { body: { identity: { type: 'SystemAssigned,UserAssigned' },
      properties: { encryption: { identity: { userAssignedIdentity: '' } } } } });
  assert.equal(json.properties.encryption.identity.userAssignedIdentity ?? '', '', JSON.stringify(json));
  const { calls } = await vault.calls();
  assert.ok(calls.some(({ operation, identity }) => operation === 'unwrapKey' && identity === 'host'));
  for (const { target } of tunnel.asked) assert.equal(target, new URL(vault.uri).host);
});

test('a proxy that refuses is silence', async () => {
  open = false;
  await vault.stop(); // the connections that are kept end with it
  await vault.start();
  await stateIs('unreachable');
  open = true;
  await stateIs('active');
});

test('a server with another key than the pinned one is silent, until its own is pinned, too', async () => {
  const { tls } = vault;
  const next = stack.issueCertificate('next');
  const present = { certificateFile: `${tls.certificateFile}.kept`, keyFile: `${tls.keyFile}.kept` };
  for (const kind of ['certificateFile', 'keyFile']) copyFileSync(tls[kind], present[kind]);
  const serveWith = async (files) => {
    for (const kind of ['certificateFile', 'keyFile']) copyFileSync(files[kind], tls[kind]);
    await vault.stop();
    await vault.start();
  };
  const request = async (method, path, more) => (await send(stack, { method, path, ...more })).status;
  assert.equal(await request('PUT', '/pinned', { query: { restype: 'container' } }), 201);
  assert.equal(await request('PUT', '/pinned/blob', { body: 'content', headers: { 'x-ms-blob-type': 'BlockBlob' } }), 201);
  const read = () => request('GET', '/pinned/blob');

  await serveWith(next);
  await stateIs('unreachable');
  assert.equal(await read(), 200);
  await stack.gateway.restart();
  assert.equal(await read(), 503);
  await serveWith(present);
  await stateIs('active');
  assert.equal(await read(), 200);

  options.pinVaults = `${vault.pin};${pinOf(next.certificateFile)}`;
  await serveWith(next);
  await stack.gateway.restart();
  assert.equal(await read(), 200);
});
