// SPDX-License-Identifier: Apache-2.0
// The command lines that people copy, sync and script with, beyond what clients.test.mjs does: azcopy, where
// npm has brought it and its libraries are there; az; rclone. Names, types, metadata and content arrive.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BlobServiceClient } from '@azure/storage-blob';

import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const AZCOPY = fileURLToPath(new URL(
  'node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64', import.meta.url));
let stack;
let directory;
let service;
let sas;

before(async () => {
  stack = await startStack();
  directory = path.join(stack.directory, 'tools');
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  sas = encodeQuery(accountSas(stack));
  for (const [name, size] of [['a/one', 300_000], ['a/b/two', 9_000_000], ['ä ö', 2], ['empty', 0]]) {
    const file = path.join(directory, 'tree', name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, randomBytes(size));
  }
});
after(() => stack?.stop());

// Resolves with what it printed; a program that fails is the test's failure, in its own words.
function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20,
      env: { PATH: process.env.PATH, HOME: directory, NO_PROXY: 'localhost,127.0.0.1', ...env } },
    (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.code}\n${stderr}${stdout}`));
      else resolve(stdout);
    });
  });
}

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
const tree = () => path.join(directory, 'tree');

function filesIn(root) {
  return new Map(readdirSync(root, { recursive: true }).filter((name) => statSync(path.join(root, name)).isFile())
    .map((name) => [name, hash(readFileSync(path.join(root, name)))]).sort());
}

async function blobsIn(container) {
  const found = new Map();
  for await (const { name } of service.getContainerClient(container).listBlobsFlat()) {
    found.set(name, hash(await service.getContainerClient(container).getBlobClient(name).downloadToBuffer()));
  }
  return new Map([...found].sort());
}

/* --- azcopy ------------------------------------------------------------------------------------*/

const runsHere = () => {
  if (!existsSync(AZCOPY)) return false;
  chmodSync(AZCOPY, 0o755);
  return spawnSync(AZCOPY, ['--version', '--skip-version-check'], { env: { HOME: '/nonexistent' } }).status === 0;
};

test('azcopy: up, down, from container to container, sync, types, remove', {
  skip: runsHere() ? false : 'azcopy does not run here: npm ci, and libsecret-1-0' }, async () => {
  const env = { AZCOPY_LOG_LOCATION: path.join(directory, 'log'),
    AZCOPY_JOB_PLAN_LOCATION: path.join(directory, 'plan') };
  const azcopy = (...args) => run(AZCOPY, [...args, '--skip-version-check', '--output-level', 'essential'], env);
  const at = (where) => `${stack.blobEndpoint}/${where}?${sas}`;
  for (const name of ['azcopy', 'copied']) await service.createContainer(name);
  await azcopy('copy', `${tree()}/*`, at('azcopy'), '--from-to=LocalBlob', '--recursive', '--put-md5',
    '--metadata=a=b');
  assert.deepEqual(await blobsIn('azcopy'), filesIn(tree()));
  const one = service.getContainerClient('azcopy').getBlobClient('a/one');
  assert.deepEqual((await one.getProperties()).metadata, { a: 'b' });
  const back = path.join(directory, 'back');
  await azcopy('copy', at('azcopy'), back, '--from-to=BlobLocal', '--recursive', '--check-md5=FailIfDifferent');
  assert.deepEqual(filesIn(path.join(back, 'azcopy')), filesIn(tree()));
  await azcopy('copy', at('azcopy/*'), at('copied'), '--from-to=BlobBlob', '--recursive');
  assert.deepEqual(await blobsIn('copied'), filesIn(tree()));

  writeFileSync(path.join(tree(), 'new'), 'new');
  await azcopy('sync', tree(), at('azcopy'), '--from-to=LocalBlob', '--delete-destination=true');
  assert.deepEqual(await blobsIn('azcopy'), filesIn(tree()));
  await azcopy('set-properties', at('azcopy/new'), '--from-to=BlobNone', '--block-blob-tier=cool');
  assert.equal((await service.getContainerClient('azcopy').getBlobClient('new').getProperties()).accessTier, 'Cool');

  writeFileSync(path.join(directory, 'disk'), randomBytes(5 << 20));
  for (const [type, file] of [['AppendBlob', path.join(tree(), 'a/one')], ['PageBlob', path.join(directory, 'disk')]]) {
    await azcopy('copy', file, at(`azcopy/${type}`), '--from-to=LocalBlob', `--blob-type=${type}`);
    await azcopy('copy', at(`azcopy/${type}`), at(`copied/${type}`), '--from-to=BlobBlob');
    const blob = service.getContainerClient('copied').getBlobClient(type);
    assert.equal((await blob.getProperties()).blobType, type);
    assert.equal(hash(await blob.downloadToBuffer()), hash(readFileSync(file)));
  }
  await azcopy('remove', at('copied'), '--from-to=BlobTrash', '--recursive');
  assert.deepEqual(await blobsIn('copied'), new Map());
});

/* --- az ----------------------------------------------------------------------------------------*/

test('az storage: batches, copies, leases, metadata, snapshots, tiers', async () => {
  const env = { AZURE_STORAGE_CONNECTION_STRING: stack.connectionString,
    AZURE_CONFIG_DIR: path.join(directory, 'azure'), AZURE_CORE_COLLECT_TELEMETRY: 'false' };
  const az = async (...args) => {
    const text = await run('/usr/bin/az', ['storage', ...args, '--only-show-errors', '--output', 'json'], env);
    return text.trim() === '' ? undefined : JSON.parse(text);
  };
  const container = service.getContainerClient('from-az');
  await container.create();
  const one = container.getBlobClient('a/one');
  await az('blob', 'upload-batch', '--destination', 'from-az', '--source', tree(), '--no-progress');
  assert.deepEqual(await blobsIn('from-az'), filesIn(tree()));
  const down = path.join(directory, 'down');
  mkdirSync(down);
  await az('blob', 'download-batch', '--source', 'from-az', '--destination', down, '--no-progress');
  assert.deepEqual(filesIn(down), filesIn(tree()));
  const named = ['--container-name', 'from-az', '--name', 'copy'];
  await az('blob', 'copy', 'start', '--destination-container', 'from-az', '--destination-blob', 'copy', '--source-uri',
    one.url);
  assert.equal((await az('blob', 'show', ...named)).properties.copy.status, 'success');
  await az('blob', 'metadata', 'update', ...named, '--metadata', 'k=v');
  assert.deepEqual(await az('blob', 'metadata', 'show', ...named), { k: 'v' });
  const leased = ['--container-name', 'from-az', '--blob-name', 'copy'];
  const lease = await az('blob', 'lease', 'acquire', ...leased, '--lease-duration', '15');
  await az('blob', 'lease', 'release', ...leased, '--lease-id', lease);
  assert.ok((await az('blob', 'snapshot', ...named)).snapshot);
  await az('blob', 'set-tier', ...named, '--tier', 'Cool');
  assert.equal((await container.getBlobClient('copy').getProperties()).accessTier, 'Cool');
  await az('blob', 'delete-batch', '--source', 'from-az', '--pattern', 'a/*');
  const left = [...filesIn(tree()).keys()].filter((name) => !name.startsWith('a/'));
  assert.deepEqual([...(await blobsIn('from-az')).keys()], [...left, 'copy'].sort());
});

/* --- rclone ------------------------------------------------------------------------------------*/

test('rclone: copies with metadata, checks, hashes, moves, purges', async () => {
  const env = { RCLONE_CONFIG: '/dev/null', RCLONE_RETRIES: '1', RCLONE_LOW_LEVEL_RETRIES: '1',
    RCLONE_AZUREBLOB_SAS_URL: `${stack.blobEndpoint}?${sas}` };
  const rclone = (...args) => run('rclone', args, env);
  await rclone('mkdir', ':azureblob:rclone');
  await rclone('copy', tree(), ':azureblob:rclone/tree');
  await rclone('check', '--download', tree(), ':azureblob:rclone/tree');
  const sums = new Map((await rclone('md5sum', ':azureblob:rclone/tree')).trim().split('\n').map((line) => [
    line.slice(34), line.slice(0, 32)]));
  for (const name of filesIn(tree()).keys()) {
    assert.equal(sums.get(name), createHash('md5').update(readFileSync(path.join(tree(), name))).digest('hex'), name);
  }
  // The time of a file is kept as metadata; a copy at the service has it.
  await rclone('copy', ':azureblob:rclone/tree', ':azureblob:rclone/other');
  await rclone('check', ':azureblob:rclone/tree', ':azureblob:rclone/other');
  const { metadata } = await service.getContainerClient('rclone').getBlobClient('other/a/one').getProperties();
  assert.ok(metadata.mtime);
  await rclone('moveto', ':azureblob:rclone/other/a/one', ':azureblob:rclone/moved');
  await rclone('delete', ':azureblob:rclone/other');
  assert.equal((await rclone('lsf', '-R', '--files-only', ':azureblob:rclone/other')).trim(), '');
  await rclone('purge', ':azureblob:rclone');
  assert.equal(await service.getContainerClient('rclone').exists(), false);
});
