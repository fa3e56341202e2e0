// SPDX-License-Identifier: Apache-2.0
// A key whose versions end by its rotation policy, which nobody heeds: what status, list, metrics, log and audit
// log say of it as the days go by, that it serves all the same, and what a new version ends. The policy itself may not be
// read at first, and then may. Clocks of gateway and vault are moved. Takes about 5 seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { accountSas, encodeQuery } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const DAY_MS = 86400e3;
let stack;
let days = 0;
let blob;

before(async () => {
  stack = await startStack({ movableClock: true, keyAgeWarningDays: 60, readRotationPolicy: true });
  await stack.vault.admin.updateKeyRotationPolicy(stack.keyName, { expiresIn: 'P90D', lifetimeActions: [] });
  await stack.vault.rotate(stack.keyName);
  await stack.checkKey();
  // A SAS: signed dates would have to move with the gateway's clock.
  const expiry = new Date(Date.now() + 200 * DAY_MS).toISOString().replace(/\.\d+/, '');
  const service = new BlobServiceClient(`${stack.blobEndpoint}?${encodeQuery(accountSas({ ...stack, expiry }))}`,
    undefined, noRetry);
  const container = service.getContainerClient('warned');
  await container.create();
  blob = container.getBlockBlobClient('blob');
  await blob.upload('served', 6);
});
after(() => stack?.stop());

const lines = (file) => readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
const told = (event) => lines(stack.gateway.auditFile).filter((line) => line.event === event).map((line) => line.reason);
const logged = () => lines(stack.gateway.logFile).filter(({ level, message }) => level === 'warning'
  && /the key version in use (ends|has ended|was made) on /.test(message)).length;
const gauge = async (warning) => {
  const { body } = await stack.management.request('GET', '/metrics');
  return Number(new RegExp(`^gatekey_account_key_warning{account="${stack.account}",warning="${warning}"} (.+)$`, 'm')
    .exec(body)[1]);
};

// A moment goes by until the gateway has seen that its clock was moved.
async function moveGatewayTo(day) {
  stack.gateway.moveClock((day - days) * DAY_MS);
  days = day;
  await stack.until(async () => Date.parse((await stack.keyStatus()).lastVersionCheck) > Date.now() + (day - 1) * DAY_MS,
    'the daily check');
}

async function moveTo(day) {
  await stack.vault.setClock(day * DAY_MS);
  await moveGatewayTo(day);
}

async function assertShown(warnings) {
  assert.deepEqual((await stack.keyStatus()).keyWarnings, warnings);
  for (const name of ['key-expires-soon', 'key-expired', 'key-old']) {
    assert.equal(await gauge(name), Number(warnings.includes(name)), name);
  }
  const shown = await stack.ctl('account', 'show', stack.account);
  assert.equal(shown.stdout.match(/^Warning +the key version in use /mg)?.length ?? 0, warnings.length, shown.stdout);
  const list = await stack.ctl('account', 'list');
  assert.ok(list.stdout.includes(`${stack.account} `) && warnings.every((name) => list.stdout.includes(`! ${name}`)));
  assert.equal(shown.code, 0, 'a warning is no failure');
}

test('a young key is warned of by nobody', async () => {
  const { properties: { encryption } } = await stack.checkKey();
  const end = Date.parse(encryption.keyvaultproperties.currentVersionedKeyExpirationTimestamp);
  assert.ok(end > Date.now() + 89 * DAY_MS && end <= Date.now() + 90 * DAY_MS);
  await assertShown([]);
  assert.equal(logged(), 0);
});

test('near its end and old: told once, logged at each check', async () => {
  await moveTo(61);
  await assertShown(['key-expires-soon', 'key-old']);
  const begun = ['key-expires-soon', 'key-old'];
  assert.deepEqual(told('key.warning'), begun);
  const before = logged();
  assert.ok(before >= 2);
  await stack.checkKey();
  assert.equal(logged(), before + 2);
  await stack.gateway.restart();
  await stack.checkKey();
  assert.deepEqual(told('key.warning'), begun, 'not again after a restart');
  assert.deepEqual(told('key.warning-over'), []);
});

test('past its end it serves, and a new version ends all warnings', async () => {
  await moveTo(91);
  await assertShown(['key-expired', 'key-old']);
  assert.deepEqual(told('key.warning'), ['key-expires-soon', 'key-old', 'key-expired']);
  assert.deepEqual(told('key.warning-over'), ['key-expires-soon']);
  assert.equal((await stack.keyStatus()).keyOutsideDates, true);
  assert.equal((await blob.downloadToBuffer()).toString(), 'served');
  await stack.vault.keyClient('admin').rotateKey(stack.keyName); // with a token of that day
  await stack.checkKey();
  await assertShown([]);
  assert.deepEqual(told('key.warning-over'), ['key-expires-soon', 'key-expired', 'key-old']);
  assert.equal((await blob.downloadToBuffer()).toString(), 'served');
});

test('a version that its rotation policy would have rotated is old, where the policy may be read', async () => {
  const unread = () => lines(stack.gateway.logFile).filter(({ message }) => /its rotation policy cannot be read/.test(message));
  assert.equal(unread().length, 2, 'told once by each process');
  assert.match(unread()[0].message, /AccessDenied|Forbidden/);
  const admin = stack.vault.keyClient('admin');
  await admin.updateKeyRotationPolicy(stack.keyName, { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P10D' }] });
  await stack.vault.setPermissions('gateway', ['get', 'wrapKey', 'unwrapKey', 'getrotationpolicy']);
  await stack.checkKey();
  const { keyCreated, keyRotationDue } = await stack.keyStatus();
  assert.equal(Date.parse(keyRotationDue) - Date.parse(keyCreated), 10 * DAY_MS);
  await assertShown([]);
  await moveGatewayTo(days + 13); // alone: the vault has not noticed
  await assertShown(['key-old']);
  const { detail } = lines(stack.gateway.auditFile).findLast(({ event }) => event === 'key.warning');
  assert.ok(detail.includes(`its rotation policy has a newer one by ${keyRotationDue.slice(0, 19)}`), detail);
  await stack.vault.setClock(days * DAY_MS); // now it has
  await stack.checkKey();
  await assertShown([]);
  assert.equal(unread().length, 2);
});
