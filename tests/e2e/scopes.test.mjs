// SPDX-License-Identifier: Apache-2.0
// Encryption scopes, managed as the resource provider does and used by the vendor's SDK: a key of its own for
// a blob or a container, which goes dark and comes back alone.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { BlobSASPermissions, BlobServiceClient, ContainerClient, generateBlobSASQueryParameters,
  StorageSharedKeyCredential } from '@azure/storage-blob';

import { RECORD, accountObject } from './lib/account_object.mjs';
import { refused } from './lib/refused.mjs';
import { encodeQuery, send, serviceSas } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';
import { LARGE, assertCutOff, beginDownload, beginUpload } from './lib/transfers.mjs';

const MISMATCH = 'BlobCustomerSpecifiedEncryptionMismatch';
const POLICY = 'RequestForbiddenByContainerEncryptionPolicy';
const DARK = 'KeyVaultEncryptionKeyNotFound';
const KEY = 'scope-key';
const NOT_HEALTHY = 4; // gatekeyctl's
const BLOCK = Buffer.from('block-1').toString('base64');
const content = randomBytes(100000);
const inPlain = { encryptionScope: 'plain' };
const inVault = { encryptionScope: 'in-the-vault' };
let stack;
let service;
let container;

const scopePath = (name, account = stack.account) => `${stack.accountPath(account)}/encryptionScopes` +
  (name === undefined ? '' : `/${name}`);
const manage = (method, path, properties) => stack.management.request(method, `${path}?api-version=2023-05-01`,
  { body: properties === undefined ? undefined : { properties } });
const vaulted = (version) => ({ source: 'Microsoft.KeyVault',
  keyVaultProperties: { keyUri: `${stack.vault.uri}/keys/${KEY}${version ? `/${version}` : ''}` } });

async function good(answer, status = 200) {
  const got = await answer;
  assert.equal(got.status, status, got.body);
  return got.json;
}

async function bad(answer, status, code) {
  const got = await answer;
  assert.equal(`${got.status} ${got.json?.error?.code}`, `${status} ${code}`, got.body);
}

before(async () => {
  stack = await startStack();
  await stack.vault.createKey(KEY);
  service = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry);
  container = service.getContainerClient('scoped');
  await container.create();
});
after(() => stack?.stop());

async function uploaded(name, options, where = container) {
  const blob = where.getBlockBlobClient(name);
  const answer = await blob.upload(content, content.length, { metadata: { secret: 'value' }, ...options });
  return Object.assign(blob, { answer });
}

test('a scope is made, shown, listed and changed as the resource provider does it', async () => {
  const made = await good(manage('PUT', scopePath('plain'), {}), 201);
  assert.equal(made.name, 'plain');
  assert.equal(made.type, 'Microsoft.Storage/storageAccounts/encryptionScopes');
  assert.equal(made.id, scopePath('plain'));
  assert.equal(made.properties.source, 'Microsoft.Storage');
  assert.equal(made.properties.state, 'Enabled');
  assert.ok(Date.parse(made.properties.creationTime) > 0);
  const vault = await good(manage('PUT', scopePath('in-the-vault'), vaulted()), 201);
  assert.equal(vault.properties.source, 'Microsoft.KeyVault');
  assert.equal(vault.properties.keyVaultProperties.keyUri, `${stack.vault.uri}/keys/${KEY}`);
  assert.match(vault.properties.keyVaultProperties.currentVersionedKeyIdentifier, /\/keys\/scope-key\/[0-9a-f]{32}$/);
  assert.equal(vault.properties.gatekey.state, 'active');
  await good(manage('PUT', scopePath('plain'), {}));
  assert.deepEqual((await good(manage('GET', scopePath('plain')))).properties.state, 'Enabled');
  const list = await good(manage('GET', scopePath()));
  assert.deepEqual(list.value.map((scope) => scope.name), ['in-the-vault', 'plain']);
  // It is no account.
  const accounts = await good(manage('GET', '/gatekey/accounts'));
  assert.deepEqual(accounts.value.map((account) => account.name), [stack.account]);
  const other = await good(manage('PUT', scopePath('changing'), {}), 201);
  assert.equal(other.properties.keyVaultProperties, undefined);
  assert.equal((await good(manage('PATCH', scopePath('changing'), vaulted()))).properties.source, 'Microsoft.KeyVault');
  const back = await good(manage('PATCH', scopePath('changing'), { source: 'Microsoft.Storage' }));
  assert.equal(back.properties.source, 'Microsoft.Storage');
  assert.equal(back.properties.keyVaultProperties, undefined);
});

test('what cannot be is refused with the reason', async () => {
  await bad(manage('GET', scopePath('none')), 404, 'EncryptionScopeNotFound');
  await bad(manage('PATCH', scopePath('none'), {}), 404, 'EncryptionScopeNotFound');
  await bad(manage('DELETE', scopePath('plain')), 405, 'MethodNotAllowed');
  for (const name of ['ab', 'ABC', 'a--b', '-abc', 'a_b', 'x'.repeat(64)]) {
    await bad(manage('PUT', scopePath(name), {}), 400, 'InvalidEncryptionScopeName');
  }
  const rows = [
    [{ source: 'elsewhere' }, 'InvalidRequestPropertyValue'],
    [{ state: 'Deleted' }, 'InvalidRequestPropertyValue'],
    [{ source: 'Microsoft.KeyVault' }, 'InvalidRequestPropertyValue'],
    [{ keyVaultProperties: { keyUri: 'https://v/keys/k' } }, 'InvalidRequestPropertyValue'],
    [{ source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri: `${stack.vault.uri}/secrets/k` } },
      'InvalidRequestPropertyValue'],
    [{ requireInfrastructureEncryption: true }, 'InvalidRequestPropertyValue'],
  ];
  for (const [properties, code] of rows) await bad(manage('PUT', scopePath('never'), properties), 400, code);
  const missing = await manage('PUT', scopePath('never'), { source: 'Microsoft.KeyVault',
    keyVaultProperties: { keyUri: `${stack.vault.uri}/keys/none` } });
  assert.equal(missing.status, 400, missing.body);
  await bad(manage('GET', scopePath('never')), 404, 'EncryptionScopeNotFound');
  await stack.createAccount('without');
  await bad(manage('PUT', scopePath('never', 'without'), vaulted()), 400, 'ManagedServiceIdentityNotFound');
  await good(manage('PUT', scopePath('plain', 'without'), {}), 201);
});

test('blobs of all types in a scope', async () => {
  const block = await uploaded('block', inVault);
  assert.equal(block.answer.encryptionScope, 'in-the-vault');
  assert.deepEqual(await block.downloadToBuffer(), content);
  const properties = await block.getProperties();
  assert.equal(properties.encryptionScope, 'in-the-vault');
  assert.deepEqual(properties.metadata, { secret: 'value' });
  assert.equal((await block.setMetadata({ a: 'b' }, inVault)).encryptionScope, 'in-the-vault');
  await block.setMetadata({ b: 'c' });
  assert.deepEqual((await block.getProperties()).metadata, { b: 'c' });
  await refused(block.setMetadata({ c: 'd' }, inPlain), 409, MISMATCH);

  const staged = container.getBlockBlobClient('staged');
  await staged.stageBlock(BLOCK, content, content.length, inPlain);
  await refused(staged.stageBlock(BLOCK, content, content.length, inVault), 409, MISMATCH);
  await refused(staged.commitBlockList([BLOCK], inVault), 409, MISMATCH);
  assert.equal((await staged.commitBlockList([BLOCK], { ...inPlain, metadata: { x: 'y' } })).encryptionScope, 'plain');
  assert.deepEqual(await staged.downloadToBuffer(), content);

  const append = container.getAppendBlobClient('append');
  assert.equal((await append.create(inVault)).encryptionScope, 'in-the-vault');
  await append.appendBlock(content, content.length, inVault);
  await append.appendBlock(content, content.length);
  await refused(append.appendBlock(content, content.length, inPlain), 409, MISMATCH);
  assert.deepEqual(await append.downloadToBuffer(), Buffer.concat([content, content]));

  const pages = container.getPageBlobClient('pages');
  await pages.create(4096, inVault);
  await pages.uploadPages(content.subarray(0, 1024), 0, 1024, inVault);
  await refused(pages.clearPages(0, 512, inPlain), 409, MISMATCH);
  await pages.clearPages(0, 512);
  assert.deepEqual((await pages.downloadToBuffer()).subarray(512, 1024), content.subarray(512, 1024));

  await refused(block.createSnapshot(inPlain), 409, MISMATCH);
  const { snapshot } = await block.createSnapshot({ ...inVault, metadata: { own: 'one' } });
  await uploaded('block', inPlain);
  const state = block.withSnapshot(snapshot);
  assert.deepEqual(await state.downloadToBuffer(), content);
  assert.deepEqual((await state.getProperties()).metadata, { own: 'one' });
  assert.equal((await state.getProperties()).encryptionScope, 'in-the-vault');

  const listed = {};
  for await (const item of container.listBlobsFlat({ includeMetadata: true })) {
    listed[item.name] = item.properties.encryptionScope;
  }
  assert.deepEqual(listed, { append: 'in-the-vault', block: 'plain', pages: 'in-the-vault', staged: 'plain' });
});

test('copies are made from a scope and into one', async () => {
  await uploaded('source', inVault);
  const source = `${stack.blobEndpoint}/scoped/source?${encodeQuery(serviceSas(stack, 'scoped', 'source'))}`;
  const copy = container.getBlockBlobClient('copy');
  assert.equal((await copy.syncCopyFromURL(source, inPlain)).encryptionScope, 'plain');
  assert.deepEqual(await copy.downloadToBuffer(), content);
  assert.equal((await copy.getProperties()).encryptionScope, 'plain');
  await copy.syncUploadFromURL(source);
  assert.equal((await copy.getProperties()).encryptionScope, undefined);
  const other = await copy.beginCopyFromURL(source);
  await other.pollUntilDone();
  assert.deepEqual(await copy.downloadToBuffer(), content);
});

test('a container has a scope for its blobs, and may insist on it', async () => {
  const byDefault = service.getContainerClient('by-default');
  await byDefault.create({ containerEncryptionScope: { defaultEncryptionScope: 'in-the-vault' } });
  const strict = service.getContainerClient('strict');
  await strict.create({ containerEncryptionScope: { defaultEncryptionScope: 'plain', preventEncryptionScopeOverride: true } });
  assert.equal((await uploaded('a', {}, byDefault)).answer.encryptionScope, 'in-the-vault');
  assert.equal((await uploaded('b', inPlain, byDefault)).answer.encryptionScope, 'plain');
  assert.equal((await uploaded('c', { encryptionScope: '$account-encryption-key' }, byDefault)).answer.encryptionScope,
    undefined);
  assert.equal((await uploaded('a', {}, strict)).answer.encryptionScope, 'plain');
  assert.equal((await uploaded('a', inPlain, strict)).answer.encryptionScope, 'plain');
  for (const scope of ['in-the-vault', '$account-encryption-key']) {
    await refused(uploaded('b', { encryptionScope: scope }, strict), 403, POLICY);
  }
  const properties = await strict.getProperties();
  assert.equal(properties.defaultEncryptionScope, 'plain');
  assert.equal(properties.denyEncryptionScopeOverride, true);
  const listed = {};
  for await (const item of service.listContainers()) {
    listed[item.name] = [item.properties.defaultEncryptionScope, item.properties.preventEncryptionScopeOverride];
  }
  assert.deepEqual(listed, { 'by-default': ['in-the-vault', false], scoped: ['$account-encryption-key', false],
    strict: ['plain', true] });
  const created = (headers) => send(stack, { method: 'PUT', path: '/never', query: { restype: 'container' }, headers });
  assert.equal((await created({ 'x-ms-default-encryption-scope': 'none' })).code, 'ResourceNotFound');
  assert.equal((await created({ 'x-ms-default-encryption-scope': 'A' })).code, 'InvalidHeaderValue');
  assert.equal((await created({ 'x-ms-deny-encryption-scope-override': 'true' })).code, 'MissingRequiredHeader');
  assert.equal((await created({ 'x-ms-default-encryption-scope': 'plain',
    'x-ms-deny-encryption-scope-override': 'yes' })).code, 'InvalidHeaderValue');
  assert.equal((await send(stack, { method: 'GET', path: '/never', query: { restype: 'container' } })).status, 404);
});

test('a shared access signature settles the scope', async () => {
  const credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
  const signed = (scope) => new ContainerClient(`${stack.blobEndpoint}/scoped?${generateBlobSASQueryParameters({
    containerName: 'scoped', permissions: BlobSASPermissions.parse('rcw'), encryptionScope: scope,
    expiresOn: new Date(Date.now() + 3600e3) }, credential)}`, undefined, noRetry);
  assert.equal((await uploaded('by signature', {}, signed('plain'))).answer.encryptionScope, 'plain');
  assert.deepEqual(await signed('in-the-vault').getBlobClient('by signature').downloadToBuffer(), content);
  await refused(uploaded('by signature', inVault, signed('plain')), 400, 'InvalidHeaderValue');
  await refused(uploaded('by signature', {}, signed('none')), 404, 'ResourceNotFound');
});

test('what names no scope, two keys, or a scope where none is taken', async () => {
  const put = { method: 'PUT', path: '/scoped/never', body: 'x' };
  const headers = (scope, more) => ({ 'x-ms-blob-type': 'BlockBlob', 'x-ms-encryption-scope': scope, ...more });
  const rows = [[headers('none'), 404, 'ResourceNotFound'], [headers('A B'), 400, 'InvalidHeaderValue'],
    [headers('../plain'), 400, 'InvalidHeaderValue']];
  for (const [sent, status, code] of rows) {
    const answer = await send(stack, { ...put, headers: sent });
    assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`);
  }
  const both = await send(stack, { ...put, tls: true, headers: headers('plain', {
    'x-ms-encryption-key': Buffer.alloc(32, 'A').toString('base64'),
    'x-ms-encryption-key-sha256': 'IqSAUVlMGUne7XBAhQwfD4dkU39Rkb5Wcy0WpUwdgVM=', 'x-ms-encryption-algorithm': 'AES256' }) });
  assert.equal(`${both.status} ${both.code}`, '400 InvalidHeaderValue');
  const read = await send(stack, { method: 'GET', path: '/scoped/block', headers: { 'x-ms-encryption-scope': 'plain' } });
  assert.equal(`${read.status} ${read.code}`, '400 UnsupportedHeader');
});

test('the operator’s command line', async () => {
  const ctl = async (...args) => {
    const { code, stdout, stderr } = await stack.ctl('scope', ...args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const name = `${stack.account}/by-hand`;
  assert.match(await ctl('create', name), /Scope +by-hand\nUse +Enabled/);
  const key = ['--vault', stack.vault.uri, '--key', KEY];
  assert.match(await ctl('update', name, ...key, '--disable'), /Use +Disabled\n[^]*keys\/scope-key[^]*State +active/);
  assert.match(await ctl('check', name), /Use +Disabled/);
  assert.match(await ctl('update', name, '--service-managed', '--enable'), /Use +Enabled\n[^]*State +service-managed/);
  assert.equal(JSON.parse(await ctl('show', name, '--json')).name, 'by-hand');
  assert.match(await ctl('list', stack.account), /^by-hand +Enabled +service-managed *$/m);
  for (const args of [['show', stack.account], ['list', name], ['update', name, '--key', 'x'],
    ['create', `${stack.account}/A`], ['update', name, '--enable', '--disable'], ['create']]) {
    assert.equal((await stack.ctl('scope', ...args)).code, 2, args.join(' '));
  }
  assert.equal((await stack.ctl('scope', 'show', `${stack.account}/none`)).code, 1);
});

test('a disabled scope is neither read nor written; enabling brings it back', async () => {
  const blob = await uploaded('switched', inPlain);
  assert.equal((await good(manage('PATCH', scopePath('plain'), { state: 'Disabled' }))).properties.state, 'Disabled');
  for (const attempt of [() => blob.download(), () => blob.setMetadata({ a: 'b' }), () => uploaded('switched', inPlain),
    () => blob.setAccessTier('Cool')]) {
    await refused(attempt(), 403, 'AuthorizationFailure');
  }
  await refused(blob.getProperties(), 403);
  await blob.setTags({ a: '1' });
  const { snapshot } = await blob.createSnapshot();
  const metadata = {};
  for await (const item of container.listBlobsFlat({ includeMetadata: true, prefix: 's' })) metadata[item.name] = item.metadata;
  assert.deepEqual(metadata.source, { secret: 'value' });
  assert.notDeepEqual(metadata.switched, { secret: 'value' });
  await good(manage('PATCH', scopePath('plain'), { state: 'Enabled' }));
  assert.deepEqual(await blob.withSnapshot(snapshot).downloadToBuffer(), content);
});

test('a scope’s key is rotated by itself', async () => {
  const keyOf = async (name) => (await good(manage('GET', scopePath(name)))).properties.keyVaultProperties
    .currentVersionedKeyIdentifier;
  const before = [await keyOf('in-the-vault'), (await stack.keyStatus()).currentKeyIdentifier];
  await stack.vault.rotate(KEY);
  await good(manage('POST', `${scopePath('in-the-vault')}/gatekeyCheckKey`));
  assert.notEqual(await keyOf('in-the-vault'), before[0]);
  assert.equal((await stack.keyStatus()).currentKeyIdentifier, before[1]);
  const expiresOn = new Date(Math.ceil(Date.now() / 1000) * 1000 + 10 * 86400e3);
  await stack.vault.admin.updateKeyProperties(KEY, (await stack.vault.admin.getKey(KEY)).properties.version, { expiresOn });
  const { gatekey } = (await good(manage('POST', `${scopePath('in-the-vault')}/gatekeyCheckKey`))).properties;
  assert.deepEqual([new Date(gatekey.keyExpires), gatekey.keyWarnings], [expiresOn, ['key-expires-soon']]);
  const { stdout } = await stack.ctl('scope', 'show', `${stack.account}/in-the-vault`);
  for (const line of ['Last rotation', 'Key expires', 'Last check', 'Version check', '  next']) {
    assert.match(stdout, new RegExp(`^${line} +\\d{4}-\\d\\d-\\d\\d .* UTC$`, 'm'));
  }
  assert.match(stdout, /^Warning +the key version in use ends soon/m);
  assert.deepEqual(await container.getBlobClient('source').downloadToBuffer(), content);
  await bad(manage('POST', `${scopePath('plain')}/gatekeyCheckKey`), 400, 'InvalidOperation');
});

// What is said of the scope where an operator looks. Its key ends soon, by an earlier test, which is said too; nothing is
// said of the scopes of which all is well.
async function tellsOperator(state) {
  const path = `${stack.account}/in-the-vault`;
  const well = state === 'active';
  const { body } = await stack.management.request('GET', '/metrics');
  const series = body.split('\n').filter((line) => line.includes(`account="${stack.account}",scope="in-the-vault"`));
  assert.ok(series.includes(`gatekey_account_state{account="${stack.account}",scope="in-the-vault",state="${state}"} 1`), body);
  assert.ok(series.some((line) => /^gatekey_account_last_check_timestamp_seconds{.*} \d+\.\d+$/.test(line)));
  assert.ok(body.includes(`gatekey_account_state{account="${stack.account}",scope="plain",state="service-managed"} 1\n`));
  for (const command of [['key', 'status'], ['account', 'list'], ['key', 'status', stack.account], ['account', 'show', stack.account]]) {
    const done = await stack.ctl(...command);
    assert.equal(done.code, !well && command[0] === 'key' ? NOT_HEALTHY : 0, command.join(' '));
    assert.match(done.stdout, new RegExp(`^(State +|${stack.account} +)active`, 'm'));
    assert.match(done.stdout, new RegExp(`${path} +(is )?${state}`));
    assert.match(done.stdout, /key-expires-soon|ends soon/);
    assert.doesNotMatch(done.stdout, /plain|changing/);
  }
  const [listed] = JSON.parse((await stack.ctl('account', 'list', '--json')).stdout).filter(({ name }) => name === stack.account);
  assert.deepEqual(listed.encryptionScopes.map(({ name, properties: { gatekey } }) => [name, gatekey.state, gatekey.keyWarnings]),
    [[path, state, ['key-expires-soon']]]);
  const doctor = await stack.ctl('doctor', '--json');
  assert.equal(doctor.code, well ? 0 : NOT_HEALTHY);
  const found = JSON.parse(doctor.stdout).map(({ check, result, detail }) => `${check} ${result}: ${detail}`).filter((line) => line.includes(path))
    .map((line) => line.replace(/ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC;/, ' since then;'));
  const revoked = `scope failed: ${path} is ${state} since then; gatekeyctl scope show ${path} has the reason`;
  assert.deepEqual(found, [`key warning: the key of scope ${path}: key-expires-soon`, ...(well ? [] : [revoked])]);
}

test('a scope whose key is revoked goes dark alone, over a restart, and comes back', async () => {
  const dark = await uploaded('dark', inVault);
  const light = await uploaded('light', inPlain);
  const own = await uploaded('own', {});
  const versions = await stack.vault.disableAllVersions(KEY);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/scoped/dark' })).status === 403, 'darkness');
  const check = async () => {
    for (const attempt of [() => dark.download(), () => dark.setMetadata({ a: 'b' }), () => uploaded('dark', inVault),
      () => dark.setAccessTier('Cool'), () => dark.query('SELECT * FROM BlobStorage'),
      () => container.getPageBlobClient('pages').clearPages(0, 512),
      () => container.getAppendBlobClient('append').appendBlock('x', 1),
      () => light.syncCopyFromURL(`${dark.url}?${encodeQuery(serviceSas(stack, 'scoped', 'dark'))}`)]) {
      await refused(attempt(), 403, DARK);
    }
    await refused(dark.getProperties(), 403);
    for (const blob of [light, own]) assert.deepEqual(await blob.downloadToBuffer(), content);
    await uploaded('light', inPlain);
    const metadata = {};
    for await (const item of container.listBlobsFlat({ includeMetadata: true })) metadata[item.name] = item.metadata;
    assert.deepEqual(metadata.own, { secret: 'value' });
    assert.notDeepEqual(metadata.dark, { secret: 'value' });
    // What needs no key goes on.
    await dark.setTags({ a: '1' });
    await dark.setHTTPHeaders({ blobContentType: 'text/plain' });
    await dark.createSnapshot();
    await container.getPageBlobClient('pages').getPageRanges(0);
  };
  await check();
  assert.equal((await good(manage('GET', scopePath('in-the-vault')))).properties.gatekey.state, 'revoked');
  assert.equal((await stack.keyStatus()).state, 'active');
  await tellsOperator('revoked');
  await stack.gateway.restart();
  await check();
  await tellsOperator('revoked');
  const scrub = JSON.parse((await stack.ctl('scrub', '--verify', '--json')).stdout);
  assert.equal(scrub.counts.damaged, 0);
  assert.ok(scrub.counts.notVerifiableBlobs > 0);
  await (await uploaded('gone', {})).delete();
  await container.getBlobClient('staged').delete();
  await stack.vault.enableVersions(KEY, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/scoped/dark' })).status === 200, 'light');
  assert.deepEqual(await dark.downloadToBuffer(), content);
  assert.deepEqual((await dark.getProperties()).metadata, { secret: 'value' });
  await tellsOperator('active');
  const again = JSON.parse((await stack.ctl('scrub', '--verify', '--json')).stdout);
  assert.equal(again.counts.damaged + again.counts.notVerifiableBlobs + again.counts.unreferencedObjects, 0);
});

test('a scope whose record is lost, or another’s, is found by a scrub', async () => {
  const object = accountObject(stack, `${stack.account}/by-hand`, 'scope');
  const kept = object.get(RECORD);
  const found = async () => {
    const { code, stdout } = await stack.ctl('scrub', '--json');
    return [code, ...JSON.parse(stdout).damaged.map(({ what }) => what.replace(/:.*/, ''))];
  };
  const blobs = [await uploaded('lost', { encryptionScope: 'by-hand' }),
    await uploaded('deleted', { encryptionScope: 'by-hand' })];
  object.lose(RECORD);
  assert.deepEqual(await found(), [5, 'encryption scope by-hand']);
  await stack.gateway.restart();
  await refused(blobs[0].download(), 500, 'IntegrityCheckFailed');
  await blobs[1].delete(); // which needs no key
  object.set(RECORD, accountObject(stack, `${stack.account}/plain`, 'scope').get(RECORD));
  assert.deepEqual(await found(), [5, 'encryption scope by-hand']);
  object.set(RECORD, kept);
  assert.deepEqual(await found(), [0]);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/scoped/lost' })).status === 200, 'its record');
});

test('the account’s own state is asked first', async () => {
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/scoped/light' })).status === 403, 'darkness');
  await refused(container.getBlobClient('dark').download(), 403, DARK);
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/scoped/light' })).status === 200, 'light');
});

test('transfers in a scope end with either key', async () => {
  const headers = { 'x-ms-encryption-scope': inVault.encryptionScope };
  await container.getBlockBlobClient('large').upload(Buffer.alloc(LARGE, 'large'), LARGE, inVault);
  for (const [key, path] of [[KEY, '/scoped/large'], [stack.keyName, '/scoped/own']]) {
    const download = await beginDownload(stack, '/scoped/large');
    const upload = await beginUpload(stack, '/scoped/half', headers);
    const versions = await stack.vault.disableAllVersions(key);
    await stack.until(async () => (await send(stack, { method: 'GET', path })).status === 403, 'darkness');
    await assertCutOff(download, upload, DARK);
    await stack.vault.enableVersions(key, versions);
    const light = { method: 'GET', path: '/scoped/large', headers: { 'x-ms-range': 'bytes=0-99' } };
    await stack.until(async () => (await send(stack, light)).status === 206, 'light');
  }
  assert.equal((await send(stack, { method: 'GET', path: '/scoped/half' })).code, 'BlobNotFound');
});

test('scopes go with their account, and are not those of a later one', async () => {
  await good(stack.management.request('DELETE', `${stack.accountPath('without')}?api-version=2023-05-01`));
  await bad(manage('GET', scopePath('plain', 'without')), 404, 'ResourceNotFound');
  await stack.createAccount('without');
  await bad(manage('GET', scopePath('plain', 'without')), 404, 'EncryptionScopeNotFound');
  await good(manage('PUT', scopePath('plain', 'without'), {}), 201);
  const again = JSON.parse((await stack.ctl('scrub', '--verify', '--json')).stdout);
  assert.equal(again.counts.damaged + again.counts.unreferencedObjects + again.counts.foreignObjects, 0);
});
