// SPDX-License-Identifier: Apache-2.0
// The way to a vault: through a proxy, to a server whose public key is pinned, with nothing taken from the
// environment; and what is silence on it.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { startStack } from './lib/stack.mjs';

// A proxy that tunnels, and says no more than where to and with which headers it was asked.
const asked = [];
let open = true;
const proxy = http.createServer((request, answer) => {
  asked.push({ method: request.method, target: request.url, headers: request.headers });
  answer.writeHead(405).end();
});
proxy.on('connect', (request, client) => {
  asked.push({ method: request.method, target: request.url, headers: request.headers });
  if (!open) {
    client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const { hostname, port } = new URL(`http://${request.url}`);
  const server = net.connect(port, hostname, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    server.pipe(client).pipe(server);
  });
  for (const end of [client, server]) end.on('error', () => { client.destroy(); server.destroy(); });
  client.on('close', () => server.destroy());
});

let stack;
let vault;

before(async () => {
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  const nobody = 'http://127.0.0.1:1';
  stack = await startStack({ proxy: `http://127.0.0.1:${proxy.address().port}`, pinVaults: true,
    vaultDeadlineMs: 4000,
    gatewayEnv: { https_proxy: nobody, HTTPS_PROXY: nobody, ALL_PROXY: nobody, no_proxy: '*' } });
  vault = stack.vault;
});
after(async () => {
  await stack?.stop();
  proxy.closeAllConnections();
  proxy.close();
});

const stateIs = (state) => stack.until(async () => {
  await stack.checkKey();
  return (await stack.keyStatus()).state === state;
}, `the account to be ${state}`);

test('vault and authority are asked through it, and it sees nothing of that', async () => {
  await stateIs('active');
  assert.ok(asked.length > 0);
  for (const { method, target, headers } of asked) {
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
  for (const { target } of asked) assert.equal(target, new URL(vault.uri).host);
});

test('a proxy that refuses is silence', async () => {
  open = false;
  proxy.closeAllConnections();
  await vault.stop(); // the connections that are kept end with it
  await vault.start();
  await stateIs('unreachable');
  open = true;
  await stateIs('active');
});
