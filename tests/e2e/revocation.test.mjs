// SPDX-License-Identifier: Apache-2.0
// The documented list, walked row by row: with the customer key revoked, what the table marks fails
// with 403 for every kind of caller, what it does not mark goes on, and enabling brings all back.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { makeIdentityProvider } from './lib/identity.mjs';
import { needsKey } from './lib/operations.mjs';
import { BLOCK, blobRequests, inTurns, rows, secret, successes } from './lib/requests.mjs';
import { accountSas, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { LARGE, assertCutOff, beginDownload, beginUpload } from './lib/transfers.mjs';

const CODE = 'KeyVaultEncryptionKeyNotFound';
const DELEGATOR = randomUUID();
const provider = makeIdentityProvider();
let stack;
let secondKey;
let build;
let good;
let prepare;

// Everyone who may call: who it is (undefined: it may not), for a row and its container.
const onBlob = (row) => row.level === 'BLOB';
const ofOwner = (row) => row.comp === 'acl';
const inContainer = (row) => onBlob(row) || row.id.startsWith('BLOB_LIST_BLOBS');
const callers = {
  'account key': () => ({}),
  'second key': () => ({ as: { ...stack, accountKey: secondKey } }),
  'account key over TLS': () => ({ tls: true }),
  'account SAS': (row) => (ofOwner(row) ? undefined : { sas: accountSas(stack) }),
  'account SAS over TLS': (row) => (ofOwner(row) ? undefined : { sas: accountSas(stack), tls: true }),
  'container SAS': (row, container) => (inContainer(row) ? { sas: serviceSas(stack, container) } : undefined),
  'blob SAS': (row, container, blob) => (onBlob(row) ? { sas: serviceSas(stack, container, blob) } : undefined),
};

const served = [...rows.entries()];
const containerOf = (phase, caller, index) => `${phase}-${caller.replace(/\W/g, '').toLowerCase()}-${index}`;
let versions;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000,
    bearer: { provider, principals: [{ object_id: DELEGATOR, role: 'delegator' }] } });
  secondKey = (await stack.keysOf(stack.account))[1].value;
  ({ build, good, prepare } = blobRequests(stack, { token: () => provider.token(DELEGATOR) }));
});
after(() => stack?.stop());

test('every operation is served while the key is active', async () => {
  await prepare('active');
  for (const [index, row] of served) {
    const container = `active-${index}`;
    await prepare(container, row);
    const answer = await send(stack, build(row, container));
    assert.ok(successes(row).includes(String(answer.status)),
      `${row.id}: ${answer.status} ${answer.code} ${answer.body}`);
  }
});

async function walk(phase, revoked) {
  let denied = 0;
  for (const [caller, credential] of Object.entries(callers)) {
    for (const [index, row] of served) {
      const container = containerOf(phase, caller, index);
      const plain = build(row, container);
      const who = credential(row, container, plain.path.split('/')[2]);
      if (who === undefined) continue;
      const answer = await send(who.as ?? stack, { ...plain, ...who });
      const what = `${phase}, ${caller}, ${row.id}: ${answer.status} ${answer.code}`;
      if (revoked && needsKey(row)) {
        assert.equal(answer.status, 403, what);
        assert.equal(answer.code, CODE, what);
        assert.ok(!answer.body.includes(secret.subarray(0, 16)));
        denied++;
      } else {
        assert.ok(successes(row).includes(String(answer.status)), what);
      }
    }
  }
  return denied;
}

async function prepareAll(phase) {
  await inTurns(Object.entries(callers).flatMap(([caller, credential]) => served
    .filter(([, row]) => credential(row, 'x', 'x') !== undefined)
    .map(([index, row]) => () => prepare(containerOf(phase, caller, index), row))));
}

async function waitForStatus(status) {
  await stack.until(async () => {
    const answer = await send(stack, { method: 'GET', path: '/active/blob' });
    return answer.status === status;
  }, `Get Blob to answer ${status}`);
}

test('the key is disabled with the vendor’s SDK: the marked operations fail, the others go on', async () => {
  for (const phase of ['dark', 'restarted', 'later']) await prepareAll(phase);
  await good({ method: 'PUT', path: '/active/large', body: Buffer.alloc(LARGE, 'large'),
    headers: { 'x-ms-blob-type': 'BlockBlob' } });
  const download = await beginDownload(stack, '/active/large');
  const upload = await beginUpload(stack, '/active/half');
  const disabled = Date.now();
  versions = await stack.vault.disableAllVersions(stack.keyName);
  await waitForStatus(403);

  // What was under way ends without the rest, in either direction.
  await assertCutOff(download, upload, CODE);

  const first = await stack.keyStatus();
  assert.ok(Date.parse(first.revokedSince) >= disabled && Date.parse(first.revokedSince) <= Date.parse(first.lastCheck));
  const denied = await walk('dark', true);
  assert.equal(denied, served.filter(([, row]) => needsKey(row)).length * 5 +
    served.filter(([, row]) => needsKey(row) && inContainer(row)).length +
    served.filter(([, row]) => needsKey(row) && onBlob(row)).length);

  // Refused anew at each check, and revoked since the first.
  const later = await stack.until(async () => {
    const status = await stack.keyStatus();
    return Date.parse(status.lastCheck) > Date.parse(first.lastCheck) && status;
  }, 'another check');
  assert.deepEqual([later.state, later.revokedSince], ['revoked', first.revokedSince]);
  const when = first.revokedSince.replace('T', ' ').slice(0, 19);
  for (const command of ['account show', 'key status']) {
    const { stdout } = await stack.ctl(...command.split(' '), stack.account);
    assert.match(stdout, new RegExp(`^Revoked +${when} UTC$`, 'm'));
  }
});

test('what the SDK makes of it; who has no right to ask is told that and no more', async () => {
  const service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  const blob = service.getContainerClient('active').getBlockBlobClient('blob');
  for (const attempt of [() => blob.downloadToBuffer(), () => blob.getProperties(), () => blob.upload('x', 1)]) {
    await assert.rejects(attempt(), (error) => error.statusCode === 403 &&
      (error.code ?? error.details?.errorCode) === CODE);
  }
  const stranger = { ...stack, accountKey: randomBytes(64).toString('base64') };
  const answer = await send(stranger, { method: 'GET', path: '/active/blob' });
  assert.equal(answer.status, 403);
  assert.equal(answer.code, 'AuthenticationFailed');
});

async function madeWithBlob(side, account, content, key) {
  await side.createAccount(account, key);
  const [{ value: accountKey }] = await side.keysOf(account);
  const made = { account, accountKey, blobEndpoint: `${side.gateway.ready.blob_endpoint}/${account}` };
  for (const request of [{ path: '/box', query: { restype: 'container' } },
    { path: '/box/blob', body: content, headers: { 'x-ms-blob-type': 'BlockBlob' } }]) {
    assert.equal((await send(made, { method: 'PUT', ...request })).status, 201);
  }
  return made;
}

test('other accounts can be made and used', async () => {
  await stack.vault.createKey('other-key');
  for (const [account, key] of Object.entries({ others: { vaultUri: stack.vault.uri, name: 'other-key' }, plain: undefined })) {
    const other = await madeWithBlob(stack, account, secret, key);
    assert.equal((await send(other, { method: 'GET', path: '/box/blob' })).status, 200);
  }
});

// Nothing is checked but what the test has checked: whatever the neighbours ask of the vault shows.
test('accounts in use beside it keep their root keys, and whatever is under way', async () => {
  const own = await startStack({ checkIntervalMs: 3600e3 });
  try {
    await own.vault.createKey('other-key');
    const content = Buffer.alloc(LARGE / 4, 'n');
    const neighbours = [await madeWithBlob(own, 'under', content, { vaultUri: own.vault.uri, name: 'other-key' }),
      await madeWithBlob(own, 'plain', content)];
    const downloads = await Promise.all(neighbours.map((one) => beginDownload(one, '/box/blob')));
    const upload = await beginUpload(neighbours[0], '/box/half');
    const before = (await own.vault.calls()).next;
    let revoked = false;
    const reads = neighbours.map(async (one) => {
      for (let more = true; more;) {
        more = !revoked; // and once after it
        const answer = await send(one, { method: 'GET', path: '/box/blob', headers: { 'x-ms-range': 'bytes=0-99' } });
        assert.equal(answer.status, 206, `${one.account}: ${answer.code}`);
      }
    });
    await own.vault.disableAllVersions(own.keyName);
    await own.until(async () => {
      await own.checkKey();
      return (await own.keyStatus()).state === 'revoked';
    }, 'the refusal');
    assert.equal((await send(own, { method: 'PUT', path: '/box/blob', headers: { 'x-ms-blob-type': 'BlockBlob' } })).code, CODE);
    revoked = true;
    await Promise.all(reads);
    for (const download of downloads) {
      const { bytes, complete } = await download.finish();
      assert.deepEqual([bytes, complete], [content.length, true]);
    }
    assert.equal((await upload.finish()).status, 201);
    const { calls } = await own.vault.calls(before);
    assert.ok(calls.some(({ key, operation }) => key === own.keyName && operation === 'unwrapKey'));
    assert.deepEqual(calls.filter(({ key }) => key === 'other-key'), []);
    for (const { account } of neighbours) assert.notEqual((await own.keyStatus(account)).state, 'revoked');
  } finally {
    await own.stop();
  }
});

test('metadata headers make Put Block List and nothing else need the key', async () => {
  const body = `<BlockList><Latest>${BLOCK}</Latest></BlockList>`;
  const answer = await send(stack, { method: 'PUT', path: '/active-0/staged', query: { comp: 'blocklist' },
    headers: { 'x-ms-meta-a': 'b' }, body });
  assert.equal(answer.code, CODE);
  await good({ method: 'PUT', path: '/with-meta', query: { restype: 'container' },
    headers: { 'x-ms-meta-a': 'b' } });
});

test('a gateway that starts while the key is disabled serves what goes on', async () => {
  const restarted = Date.now();
  await stack.gateway.restart();
  const list = await good({ method: 'GET', path: '/active', query: { restype: 'container', comp: 'list' } });
  assert.ok(list.body.includes('<Name>blob</Name>'));
  const get = await send(stack, { method: 'GET', path: '/active/blob' });
  assert.equal(get.status, 403);
  assert.equal(get.code, CODE);
  const head = await send(stack, { method: 'HEAD', path: '/active/blob' });
  assert.equal(head.code, CODE);
  assert.ok(Date.parse((await stack.keyStatus()).revokedSince) >= restarted, 'as this gateway has heard it');
  await walk('restarted', true);
});

test('enabled again: everything is back without a restart', async () => {
  await stack.vault.enableVersions(stack.keyName, versions);
  await waitForStatus(200);
  assert.equal((await stack.keyStatus()).revokedSince, undefined);
  await walk('later', false);
  const blob = await good({ method: 'GET', path: '/active/blob' });
  assert.ok(blob.body.equals(secret));
  const half = await send(stack, { method: 'GET', path: '/active/half' });
  assert.equal(half.code, 'BlobNotFound', 'half of an upload was kept');
  // What was committed in the dark is readable in the light.
  const index = served.find(([, row]) => row.id === 'BLOB_PUT_BLOCK_LIST')[0];
  const staged = await good({ method: 'GET', path: `/${containerOf('dark', 'account key', index)}/staged` });
  assert.ok(staged.body.equals(secret));
});
