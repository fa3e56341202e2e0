// SPDX-License-Identifier: Apache-2.0
// Backups of what opens an account: it is exported, its object loses its attributes, nothing is served,
// it is restored, and every blob reads back. And each reason for which a restore is refused.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { PROFILE, RECORD, accountObject, setMapValue } from './lib/account_object.mjs';
import { program } from './lib/process.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const BLOBS = 12;

let stack;
let object;
let file;
const content = new Map();

const blobPath = (name) => `/kept/${name}`;
const get = (name) => send(stack, { method: 'GET', path: blobPath(name) });
const put = (name, body) => send(stack, { method: 'PUT', path: blobPath(name), body,
  headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-mark': name } });
const inside = (name) => path.join(stack.directory, name);
const backupOf = (from = file) => JSON.parse(readFileSync(from, 'utf8'));

async function write(name) {
  const bytes = randomBytes(1 + content.size * 40000);
  content.set(name, bytes);
  assert.equal((await put(name, bytes)).status, 201);
}

async function everythingReadsBack() {
  for (const [name, bytes] of content) {
    const answer = await get(name);
    assert.equal(answer.status, 200, `${name}: ${answer.code}`);
    assert.ok(answer.body.equals(bytes), name);
    assert.equal(answer.headers['x-ms-meta-mark'], name);
  }
}

async function nothingIsServed() {
  const name = content.keys().next().value;
  for (const answer of [await get(name), await put(name, 'x'), await send(stack, { method: 'PUT',
    path: '/more', query: { restype: 'container' } })]) {
    assert.ok(answer.status >= 400, `${answer.status}`);
    assert.ok(['AuthenticationFailed', 'IntegrityCheckFailed'].includes(answer.code), answer.code);
  }
}

async function exportTo(name, account = stack.account) {
  const out = inside(name);
  const { code, stderr } = await stack.ctl('account', 'export', account, '--out', out);
  assert.equal(code, 0, stderr);
  return out;
}

const restore = (from, ...options) =>
  stack.ctl('account', 'restore', stack.account, '--in', from, ...options);

async function restored(from, ...options) {
  const { code, stdout, stderr } = await restore(from, ...options);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Account journeys is restored\.$/m);
}

async function refused(from, reason, ...options) {
  const { code, stderr } = await restore(from, ...options);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`\\(${reason}\\)`));
}

function saveAs(name, backup) {
  const to = inside(name);
  writeFileSync(to, typeof backup === 'string' ? backup : JSON.stringify(backup));
  return to;
}

// Loses it while no gateway runs: one that has the account in memory knows more than the store.
async function lostWhileStopped(lose) {
  await stack.gateway.stop();
  lose();
  await stack.gateway.start();
}

before(async () => {
  stack = await startStack();
  object = accountObject(stack, stack.account);
  assert.equal((await send(stack, { method: 'PUT', path: '/kept', query: { restype: 'container' } })).status,
    201);
  for (let i = 0; i < BLOBS; i++) await write(`blob-${i}`);
  file = await exportTo('backup.json');
});
after(() => stack?.stop());

/* --- the file ----------------------------------------------------------------------------------*/

test('the file says what it is, is closed to others and is never overwritten', async () => {
  const backup = backupOf();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(backup.format, 'gatekey-account-backup');
  assert.equal(backup.version, 2);
  assert.equal(backup.account, stack.account);
  assert.equal(backup.accountId, (await stack.keyStatus()).accountId);
  assert.deepEqual(backup.keyIdentifiers, [(await stack.keyStatus()).currentKeyIdentifier]);
  // Byte for byte what the store has: who has the rados tool alone can put it back by hand.
  assert.deepEqual(object.names(), [RECORD, PROFILE]);
  assert.ok(Buffer.from(backup.record, 'base64').equals(object.get(RECORD)));
  assert.ok(Buffer.from(backup.profile, 'base64').equals(object.get(PROFILE)));
  const again = await stack.ctl('account', 'export', stack.account, '--out', file);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists; a backup is never overwritten/);
  const shown = await stack.ctl('account', 'export', stack.account, '--out', '-');
  assert.equal(shown.code, 0);
  assert.equal(JSON.parse(shown.stdout).record, backup.record);
});

test('no access key and no root key stands in it', async () => {
  const text = readFileSync(file, 'latin1') +
    Buffer.from(backupOf().record, 'base64').toString('latin1') +
    Buffer.from(backupOf().profile, 'base64').toString('latin1');
  for (const { value } of await stack.keysOf(stack.account)) {
    assert.ok(!text.includes(value));
    assert.ok(!text.includes(Buffer.from(value, 'base64').toString('latin1')));
  }
});

test('export of what is not there fails and makes no file', async () => {
  const out = inside('none.json');
  const { code, stderr } = await stack.ctl('account', 'export', 'nobody', '--out', out);
  assert.equal(code, 1);
  assert.match(stderr, /ResourceNotFound/);
  assert.throws(() => statSync(out));
});

/* --- disasters ---------------------------------------------------------------------------------*/

const disasters = {
  'both attributes are lost': () => [RECORD, PROFILE].forEach((name) => object.lose(name)),
  'the record is lost': () => object.lose(RECORD),
  'the record is damaged': () => object.set(RECORD, 'gatekey-account-record v1 damaged'),
  'the access keys are damaged': () => object.set(PROFILE, 'damaged'),
  'both are damaged': () => [RECORD, PROFILE].forEach((name) => object.set(name, randomBytes(700))),
};

for (const [what, lose] of Object.entries(disasters)) {
  test(`${what}: nothing is served, and a restore brings all back`, async () => {
    await lostWhileStopped(lose);
    await nothingIsServed();
    const onto = await stack.management.request('PUT',
      `${stack.accountPath(stack.account)}?api-version=2023-05-01`, { body: { location: 'local',
        kind: 'StorageV2', sku: { name: 'Standard_LRS' } } });
    assert.ok(onto.status >= 400, 'no new account is made over what is left of it');
    await restored(file);
    await everythingReadsBack();
    await write(`after ${what}`.replaceAll(' ', '-'));
    await stack.gateway.restart();
    await everythingReadsBack();
  });
}

test('a gateway that has the account in memory takes the restored record', async () => {
  object.lose(RECORD);
  await restored(file);
  await everythingReadsBack();
  await stack.checkKey();
  assert.equal((await stack.keyStatus()).state, 'active');
  const events = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  assert.equal(events.filter(({ event }) => event === 'record.rollback').length, 0);
  assert.ok(events.some(({ event, outcome }) => event === 'account.restore' && outcome === 'ok'));
  assert.ok(events.some(({ event, outcome }) => event === 'account.export' && outcome === 'ok'));
  assert.ok(events.some(({ event }) => event === 'account.keys.restore'));
});

test('a backup from standard input, and from before a rotation', async () => {
  await stack.vault.rotate(stack.keyName);
  await stack.checkKey();
  await lostWhileStopped(() => object.lose(RECORD));
  const piped = spawnSync(program('ctl', 'gatekeyctl'), ['account', 'restore', stack.account, '--in', '-',
    '--json', '--endpoint', stack.managementEndpoint, '--token-file', stack.gateway.tokenFile, '--ca-file',
    stack.caFile], { input: readFileSync(file) });
  assert.equal(piped.status, 0, piped.stderr);
  assert.equal(JSON.parse(piped.stdout).name, stack.account);
  await everythingReadsBack();
  await stack.checkKey(); // takes the newer version again
  file = await exportTo('rotated.json');
  assert.equal(backupOf().keyIdentifiers.length, 2);
});

/* --- access keys -------------------------------------------------------------------------------*/

test('access keys that can be read stay, unless the backup\'s are asked for', async () => {
  const [old] = await stack.keysOf(stack.account);
  await stack.ctl('account', 'keys', stack.account, '--regenerate', 'key1');
  const [fresh] = await stack.keysOf(stack.account);
  assert.notEqual(fresh.value, old.value);
  await restored(file);
  assert.equal((await stack.keysOf(stack.account))[0].value, fresh.value);
  await restored(file, '--replace-keys');
  assert.equal((await stack.keysOf(stack.account))[0].value, old.value);
  await everythingReadsBack();
});

/* --- refusals ----------------------------------------------------------------------------------*/

test('what is no backup, or was changed, is refused', async () => {
  const good = backupOf();
  const bytes = Buffer.from(good.record, 'base64');
  const flipped = (at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1;
    return copy.toString('base64');
  };
  const profile = Buffer.from(good.profile, 'base64');
  profile[profile.length - 1] ^= 1;
  const changed = [{ record: flipped(40) }, { record: flipped(bytes.length - 2) }, { record: '' },
    { record: good.profile }, { profile: good.record }, { profile: profile.toString('base64') },
    { version: 3 }, { format: 'other' }, { record: 'not base64!' }, { account: undefined }];
  for (const [i, change] of changed.entries()) {
    await refused(saveAs(`changed-${i}.json`, { ...good, ...change }), 'AccountBackupInvalid');
  }
  for (const [i, text] of ['', '[]', '{', '"text"', readFileSync(file, 'utf8').slice(0, -40)].entries()) {
    const { code, stderr } = await restore(saveAs(`no-json-${i}.json`, text));
    assert.equal(code, 1);
    assert.match(stderr, /is not a backup of an account/);
  }
  assert.equal((await restore(inside('not-there.json'))).code, 1);
  assert.equal((await stack.ctl('account', 'restore', stack.account)).code, 2);
  assert.equal((await stack.ctl('account', 'export', stack.account)).code, 2);
  await everythingReadsBack();
});

test('a backup of another account is refused, whatever it calls itself', async () => {
  await stack.createAccount('others');
  const others = await exportTo('others.json', 'others');
  await refused(others, 'AccountBackupOfAnotherAccount');
  await refused(saveAs('renamed.json', { ...backupOf(others), account: stack.account }),
    'AccountBackupInvalid');
});

test('a backup of the account that had the name before is refused', async () => {
  const name = 'second';
  const restoreSecond = (from) => stack.ctl('account', 'restore', name, '--in', from);
  await stack.createAccount(name);
  const first = await exportTo('first.json', name);
  assert.equal((await stack.ctl('account', 'delete', name, '--yes')).code, 0);
  await stack.createAccount(name);
  const { code, stderr } = await restoreSecond(first);
  assert.equal(code, 1);
  assert.match(stderr, /AccountBackupOfAnotherAccount/);
});

test('containers of another account are refused: their data would be lost', async () => {
  // "third" has lost all that opens it, and what is left are the containers of this account.
  const name = 'third';
  await stack.createAccount(name);
  const empty = await exportTo('third.json', name);
  await stack.gateway.stop();
  const third = accountObject(stack, name);
  third.loseAll();
  object.copyTo(name);
  assert.deepEqual(third.containers(), ['c/kept']);
  [RECORD, PROFILE].forEach((attribute) => third.lose(attribute));
  await stack.gateway.start();
  const { code, stderr } = await stack.ctl('account', 'restore', name, '--in', empty);
  assert.equal(code, 1);
  assert.match(stderr, /container kept .*\(AccountBackupOfAnotherAccount\)/);
  assert.ok(!third.names().includes(RECORD) && !third.names().includes(PROFILE));
});

test('an account whose object is gone comes back, without the containers that stood in it', async () => {
  const name = 'fourth';
  await stack.createAccount(name);
  const backup = await exportTo('fourth.json', name);
  const before = await stack.keysOf(name);
  await stack.gateway.stop();
  accountObject(stack, name).loseAll();
  await stack.gateway.start();
  assert.equal((await stack.ctl('account', 'show', name)).code, 1);
  assert.equal((await stack.ctl('account', 'restore', name, '--in', backup)).code, 0);
  assert.deepEqual(await stack.keysOf(name), before);
  assert.ok((await stack.management.good('GET', '/gatekey/accounts')).value
    .some((account) => account.name === name));
});

/* --- encryption scopes -------------------------------------------------------------------------*/

const scopeOf = (name, account = stack.account) => accountObject(stack, `${account}/${name}`, 'scope');
const putIn = (scope) => send(stack, { method: 'PUT', path: blobPath(`in-${scope}`), body: scope,
  headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-encryption-scope': scope } });
const scopeCommand = async (...args) => {
  const done = await stack.ctl('scope', ...args);
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
};
const restoreScope = (account, scope, more) => stack.management.request('POST',
  `/gatekey/accounts/${account}/restoreScope?api-version=2023-05-01`, { body: { scope, ...more } });

test('scopes come back, each by itself', async () => {
  const name = (scope) => `${stack.account}/${scope}`;
  await scopeCommand('create', name('own'));
  await scopeCommand('create', name('vaults'), '--vault', stack.vault.uri, '--key', stack.keyName);
  for (const scope of ['own', 'vaults']) assert.equal((await putIn(scope)).status, 201);
  const backup = await exportTo('scopes.json');
  assert.deepEqual(backupOf(backup).scopes.map((scope) => [scope.name, scope.disabled]), [['own', false], ['vaults', false]]);

  for (const scope of ['own', 'vaults']) scopeOf(scope).loseAll();
  await stack.gateway.restart();
  for (const scope of ['own', 'vaults']) assert.equal((await get(`in-${scope}`)).code, 'IntegrityCheckFailed');
  const partial = await stack.ctl('account', 'export', stack.account, '--out', inside('partial.json'));
  assert.equal(partial.code, 1);
  assert.match(partial.stderr, /the scope own is not in the backup: .*restore it from an older backup/);
  assert.equal(backupOf(inside('partial.json')).scopes[0].record, undefined);

  const { code, stdout, stderr } = await restore(backup);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Account journeys is restored\.\nScope journeys\/own is restored\.\nScope journeys\/vaults is restored\.$/m);
  for (const scope of ['own', 'vaults']) assert.equal((await get(`in-${scope}`)).body.toString(), scope);
  const events = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  assert.ok(events.some(({ event, account, outcome }) => event === 'account.restore' && account === name('own') && outcome === 'ok'));

  // What one refuses is no matter of the others'.
  await scopeCommand('update', name('vaults'), '--service-managed');
  scopeOf('own').loseAll();
  const some = await restore(backup);
  assert.equal(some.code, 1);
  assert.match(some.stderr, /AccountBackupChangesSettings.*\n.*the scope vaults is not restored/);
  assert.equal((await get('in-own')).body.toString(), 'own');
  await restored(backup, '--replace-settings');
  assert.match(await scopeCommand('show', name('vaults')), new RegExp(stack.keyName));
  await restored(saveAs('version-1.json', { ...backupOf(backup), version: 1, scopes: undefined }));
  await everythingReadsBack();
});

test('a scope that its account does not know any more is as it was: disabled', async () => {
  const account = 'fifth';
  await stack.createAccount(account);
  await scopeCommand('create', `${account}/off`);
  await scopeCommand('update', `${account}/off`, '--disable');
  const backup = await exportTo('fifth.json', account);
  await stack.gateway.stop();
  accountObject(stack, account).loseAll();
  await stack.gateway.start();
  assert.equal((await stack.ctl('account', 'restore', account, '--in', backup)).code, 0);
  const [scope] = JSON.parse(await scopeCommand('list', account, '--json'));
  assert.deepEqual([scope.name, scope.properties.state], ['off', 'Disabled']);
});

test('a scope whose row is damaged keeps no other from a backup, and a restore writes the row anew', async () => {
  const account = 'seventh';
  await stack.createAccount(account);
  for (const scope of ['spoilt', 'whole']) await scopeCommand('create', `${account}/${scope}`);
  setMapValue(stack, `account/${account}`, 'e/spoilt', 'damaged');
  const backup = await exportTo('seventh.json', account);
  assert.deepEqual(backupOf(backup).scopes.map(({ name, disabled, record }) => [name, disabled, record !== undefined]),
    [['spoilt', true, true], ['whole', false, true]]);
  // Of the scopes of an account there is one event, however many they are.
  const exported = readFileSync(stack.gateway.auditFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse)
    .filter((row) => row.event === 'account.export' && row.account.startsWith(account));
  assert.deepEqual(exported.map((row) => [row.account, row.outcome, row.detail.replace(/\d+$/, 'N')]),
    [[account, 'ok', exported[0].detail.replace(/\d+$/, 'N')], [account, 'ok', 'with its encryption scopes: N']]);
  const { code, stderr } = await stack.ctl('account', 'restore', account, '--in', backup);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(await scopeCommand('list', account, '--json')).map(({ name, properties }) => [name, properties.state]),
    [['spoilt', 'Disabled'], ['whole', 'Enabled']]);
});

test('a backup that is not the scope’s is refused', async () => {
  const [own, vaults] = backupOf(inside('scopes.json')).scopes;
  const code = async (...args) => {
    const { status, json } = await restoreScope(...args);
    return `${status} ${json?.error.code}`;
  };
  assert.equal(await code(stack.account, { ...own, record: vaults.record }), '400 AccountBackupInvalid');
  assert.equal(await code(stack.account, { ...own, name: 'other' }), '400 AccountBackupInvalid');
  assert.equal(await code(stack.account, { ...own, name: '../own' }), '400 AccountBackupInvalid');
  assert.equal(await code(stack.account, { name: 'own', disabled: false, missing: 'x' }), '400 InvalidRequestContent');
  assert.equal(await code(stack.account, undefined), '400 InvalidRequestContent');
  assert.equal(await code('nobody0', own), '404 ResourceNotFound');
  const [file_] = [backupOf(inside('scopes.json'))];
  const whole = await stack.management.request('POST', `/gatekey/accounts/${stack.account}/restore?api-version=2023-05-01`,
    { body: { backup: file_ } });
  assert.equal(whole.json.error.code, 'AccountBackupInvalid');

  const again = 'sixth';
  await stack.createAccount(again);
  await scopeCommand('create', `${again}/same`);
  const [former] = backupOf(await exportTo('sixth.json', again)).scopes;
  assert.equal((await stack.ctl('account', 'delete', again, '--yes')).code, 0);
  await stack.createAccount(again);
  assert.equal(await code(again, former), '409 AccountBackupOfAnotherAccount');
});

test('a change of the key is not undone unasked', async () => {
  const other = 'another-key';
  await stack.vault.createKey(other);
  const old = file;
  const set = await stack.ctl('account', 'update', stack.account, '--key', other);
  assert.equal(set.code, 0, set.stderr);
  await refused(old, 'AccountBackupChangesSettings');
  await restored(old, '--replace-settings');
  assert.match((await stack.keyStatus()).currentKeyIdentifier, new RegExp(`/${stack.keyName}/`));
  await everythingReadsBack();
});

test('a backup whose key version is disabled is refused, and says what would help', async () => {
  const version = (await stack.keyStatus()).currentKeyIdentifier.split('/').pop();
  const backup = await exportTo('to-be-disabled.json');
  await lostWhileStopped(() => object.lose(RECORD));
  const versions = backupOf(backup).keyIdentifiers.map((id) => id.split('/').pop());
  for (const one of versions) await stack.vault.disableVersion(stack.keyName, one);
  const { code, stderr } = await restore(backup);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`${version} .*enabled until the restore is done.*` +
    '\\(AccountBackupKeyRefused\\)'));
  assert.ok(!object.names().includes(RECORD));
  await stack.vault.enableVersions(stack.keyName, versions);
  await restored(backup);
  await everythingReadsBack();
});

test('a file that was made under another service key is refused', async () => {
  const other = await startStack({ customerKey: false });
  try {
    const out = path.join(other.directory, 'foreign.json');
    assert.equal((await other.ctl('account', 'export', other.account, '--out', out)).code, 0);
    await refused(out, 'AccountBackupInvalid');
  } finally {
    await other.stop();
  }
  await everythingReadsBack();
});
