// SPDX-License-Identifier: Apache-2.0
// az's generic REST call against the management API, as somebody has it who knows the vendor's command line alone: an
// account under a customer's key is made, its version rule and its key are changed, and what is reported is read back.
// The token is in a file, for a command line can be seen. Takes half a minute: az is slow to start.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { startStack } from './lib/stack.mjs';

const API = 'api-version=2023-05-01';
let stack;
let directory;

before(async () => {
  stack = await startStack({ customerKey: false });
  directory = path.join(stack.directory, 'az');
  mkdirSync(directory, { mode: 0o700 });
  writeFileSync(path.join(directory, 'headers.json'),
    JSON.stringify({ Authorization: `Bearer ${stack.managementToken}` }), { mode: 0o600 });
});
after(() => stack?.stop());

// Resolves to { answer } or, when az ends with an error, { told }.
function az(method, target, body) {
  const url = new URL(`${target}?${API}`, stack.managementEndpoint);
  url.hostname = 'localhost';
  const args = ['rest', '--method', method, '--url', url.href, '--skip-authorization-header',
    '--headers', `@${path.join(directory, 'headers.json')}`, '--only-show-errors', '--output', 'json'];
  if (body) {
    const file = path.join(directory, 'body.json');
    writeFileSync(file, JSON.stringify(body));
    args.push('--body', `@${file}`);
  }
  const env = { PATH: process.env.PATH, HOME: directory, AZURE_CONFIG_DIR: path.join(directory, 'config'),
    AZURE_CORE_COLLECT_TELEMETRY: 'false', REQUESTS_CA_BUNDLE: stack.caFile, NO_PROXY: 'localhost,127.0.0.1' };
  return new Promise((resolve) => {
    execFile('/usr/bin/az', args, { env }, (error, stdout, stderr) => {
      resolve(error ? { told: stderr } : { answer: stdout.trim() === '' ? undefined : JSON.parse(stdout) });
    });
  });
}

async function good(...args) {
  const { answer, told } = await az(...args);
  assert.equal(told, undefined);
  return answer;
}

test('az rest: a customer’s key is set, its version rule changed, and the account switched to another', async () => {
  const account = stack.accountPath('byrest');
  const { identity } = stack;
  const under = (name, version) => ({ encryption: { keySource: 'Microsoft.Keyvault',
    identity: { userAssignedIdentity: identity },
    keyvaultproperties: { keyvaulturi: stack.vault.uri, keyname: name, keyversion: version } } });
  const first = (await stack.vault.createKey('rest-key')).properties.version;
  const other = (await stack.vault.createKey('other-key', 3072)).properties.version;
  const inUse = async () => (await good('get', account)).properties.encryption.keyvaultproperties;

  const made = await good('put', account, { kind: 'StorageV2', location: 'local', sku: { name: 'Standard_LRS' },
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } }, properties: under('rest-key', '') });
  assert.equal(made.properties.provisioningState, 'Succeeded');
  assert.equal(made.properties.encryption.keyvaultproperties.currentVersionedKeyIdentifier,
    `${stack.vault.uri}/keys/rest-key/${first}`);

  const second = await stack.vault.rotate('rest-key');
  await good('patch', account, { properties: under('rest-key', first) });
  const fixed = await inUse();
  assert.equal(fixed.keyversion, first);
  assert.ok(fixed.currentVersionedKeyIdentifier.endsWith(`/${first}`));
  await good('patch', account, { properties: under('rest-key', '') });
  const following = await inUse();
  assert.ok(!following.keyversion);
  assert.ok(following.currentVersionedKeyIdentifier.endsWith(`/${second}`));
  assert.ok(Date.parse(following.lastKeyRotationTimestamp) > 0);

  await good('patch', account, { properties: under('other-key', '') });
  assert.equal((await inUse()).currentVersionedKeyIdentifier, `${stack.vault.uri}/keys/other-key/${other}`);
  await good('patch', account, { properties: { encryption: { keySource: 'Microsoft.Storage' } } });
  assert.equal(await inUse(), undefined);

  const refused = await az('patch', account, { properties: under('no-such-key', '') });
  assert.match(refused.told, /KeyVault/);
  assert.equal(await good('delete', account), undefined);
  assert.match((await az('get', account)).told, /ResourceNotFound/);
});
