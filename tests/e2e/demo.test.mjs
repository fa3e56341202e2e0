// SPDX-License-Identifier: Apache-2.0
// scripts/demo --serve: what it tells clients is all that they need, it ends what it started, and it
// goes on with what it finds.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient, parseKeyVaultKeyIdentifier } from '@azure/keyvault-keys';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { program } from './lib/process.mjs';
import { noRetry, until } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const demo = fileURLToPath(new URL('../../scripts/demo', import.meta.url));
const WANTED = ['BLOB_ENDPOINT', 'BLOB_ENDPOINT_TLS', 'ACCOUNT', 'ACCOUNT_KEY', 'CONNECTION_STRING',
  'MGMT_ENDPOINT', 'MGMT_TOKEN', 'TLS_CA', 'VAULT_URI', 'VAULT_KEY_ID', 'VAULT_CA', 'VAULT_AUTHORITY',
  'VAULT_TENANT_ID', 'VAULT_CLIENT_ID', 'VAULT_CLIENT_SECRET', 'GATEWAY_PID', 'KEYVAULT_PID'];
const START_TIMEOUT_MS = 300_000; // of servers and, perhaps, of a cluster
const content = randomBytes(200_000);
let directory;
let running;

before(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'gatekey-demo-test-'));
});
after(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
  rmSync(directory, { recursive: true, force: true });
});

// The variables as a shell reads them; resolves once the file is there.
async function serve() {
  const envFile = path.join(directory, 'out', 'env');
  // Its programs are those under test; nothing is built beneath other tests.
  const child = spawn(demo, ['--serve', '--state', path.join(directory, 'state'), '--env', envFile,
    '--check-interval', '1', ...(onRados ? ['--store', 'rados'] : [])], { stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: directory, GATEKEY_BUILD: program() } });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  child.stderr.on('data', (data) => { output += data; });
  let end;
  const ended = new Promise((resolve) => { child.once('exit', (code, signal) => {
    end = code ?? signal;
    resolve(end);
  }); });
  running = { child, ended, envFile, output: () => output };
  await until(() => {
    if (end !== undefined) throw assert.fail(`the demo ended with ${end}\n${output}`);
    return existsSync(envFile);
  }, 'the file of variables', START_TIMEOUT_MS);
  assert.equal(statSync(envFile).mode & 0o777, 0o600);
  const env = Object.fromEntries(readFileSync(envFile, 'utf8').trim().split('\n').map((line) => {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line);
    return [name, value.replace(/^'(.*)'$/, '$1')];
  }));
  for (const name of WANTED) assert.ok(env[name], `${name} is not told`);
  return env;
}

const isAlive = (pid) => existsSync(`/proc/${pid}`);

// The process ids of the demo's own cluster: its monitor and its OSD.
function clusterPids() {
  const cluster = path.join(directory, 'state', 'ceph');
  return readdirSync(cluster).filter((name) => name.endsWith('.pid'))
    .map((name) => readFileSync(path.join(cluster, name), 'utf8').trim());
}

async function end(signal, env) {
  const cluster = onRados ? clusterPids() : [];
  assert.equal(cluster.length, onRados ? 2 : 0);
  running.child.kill(signal);
  assert.equal(await running.ended, 0, running.output());
  for (const pid of [env.GATEWAY_PID, env.KEYVAULT_PID, ...cluster]) {
    assert.ok(!isAlive(pid), 'a server is still there');
  }
  assert.ok(!existsSync(running.envFile), 'the file speaks of servers that are gone');
  running = undefined;
}

const containerOf = (service) => service.getContainerClient('demo-test');

test('what is told serves every client; the key’s life; SIGTERM ends all', async () => {
  const env = await serve();
  assert.ok(isAlive(env.GATEWAY_PID) && isAlive(env.KEYVAULT_PID));
  assert.equal(new URL(env.MGMT_ENDPOINT).protocol, 'https:');
  const ca = readFileSync(env.TLS_CA);

  const plain = containerOf(BlobServiceClient.fromConnectionString(env.CONNECTION_STRING, noRetry));
  await plain.create();
  await plain.getBlockBlobClient('blob').upload(content, content.length);
  const sharedKey = new StorageSharedKeyCredential(env.ACCOUNT, env.ACCOUNT_KEY);
  for (const [endpoint, options] of [[env.BLOB_ENDPOINT, noRetry],
    [env.BLOB_ENDPOINT_TLS, { ...noRetry, tlsOptions: { ca } }]]) {
    const service = new BlobServiceClient(endpoint, sharedKey, options);
    assert.ok((await containerOf(service).getBlobClient('blob').downloadToBuffer()).equals(content));
  }

  const credential = { getToken: async () =>
    ({ token: env.MGMT_TOKEN, expiresOnTimestamp: Date.now() + 3600e3 }) };
  const { storageAccounts } = new StorageManagementClient(credential, env.SUBSCRIPTION_ID,
    { endpoint: env.MGMT_ENDPOINT, tlsOptions: { ca } });
  const account = await storageAccounts.getProperties(env.RESOURCE_GROUP, env.ACCOUNT);
  assert.equal(account.encryption.keyVaultProperties.currentVersionedKeyIdentifier, env.VAULT_KEY_ID);

  const vaultCa = readFileSync(env.VAULT_CA);
  const keys = new KeyClient(env.VAULT_URI, new ClientSecretCredential(env.VAULT_TENANT_ID,
    env.VAULT_CLIENT_ID, env.VAULT_CLIENT_SECRET, { authorityHost: env.VAULT_AUTHORITY,
      disableInstanceDiscovery: true, tlsOptions: { ca: vaultCa } }),
  { tlsOptions: { ca: vaultCa }, disableChallengeResourceVerification: true });
  const { name, version } = parseKeyVaultKeyIdentifier(env.VAULT_KEY_ID);
  const answers = (status) => until(async () => {
    const seen = await plain.getBlobClient('blob').download().then((answer) => answer._response.status,
      (error) => error.statusCode);
    return seen === status;
  }, `Get Blob to answer ${status}`);
  await keys.updateKeyProperties(name, version, { enabled: false });
  await answers(403);
  await keys.updateKeyProperties(name, version, { enabled: true });
  await answers(200);

  // Rotated and taken, the new version is the one that counts, and the old one no more.
  const rotated = (await keys.rotateKey(name)).properties.version;
  await promisify(execFile)(env.GATEKEYCTL, ['key', 'check', env.ACCOUNT], { env });
  await keys.updateKeyProperties(name, rotated, { enabled: false });
  await answers(403);
  await keys.updateKeyProperties(name, version, { enabled: false });
  await keys.updateKeyProperties(name, rotated, { enabled: true });
  await answers(200);

  const commands = running.output().slice(running.output().indexOf('commands to try'));
  assert.match(running.output(), new RegExp(`AccountKey=${env.ACCOUNT_KEY.replace(/[+/=]/g, '\\$&')}`));
  assert.equal(commands.split('\n').filter((line) => line.startsWith('    /')).length, 3);
  await end('SIGTERM', env);
});

test('served again, the same account has the same data; Ctrl-C ends all', async () => {
  const env = await serve();
  const service = BlobServiceClient.fromConnectionString(env.CONNECTION_STRING, noRetry);
  assert.ok((await containerOf(service).getBlobClient('blob').downloadToBuffer()).equals(content));
  await end('SIGINT', env);
});
