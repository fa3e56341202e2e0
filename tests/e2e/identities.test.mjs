// SPDX-License-Identifier: Apache-2.0
// As whom the gateway asks a vault: each kind of identity that the provider knows, from an account that is
// made with it to the refusal of its token and back. The vault takes tokens of a second, so that refusals show.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ClientCertificateCredential, WorkloadIdentityCredential } from '@azure/identity';

import { makeIdentityProvider } from './lib/identity.mjs';
import { accountBody, startStack, until } from './lib/stack.mjs';

const resourceId = (name) =>
  `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;
const permissions = ['get', 'wrapKey', 'unwrapKey'];
const assigned = (name) => ({ name, clientId: randomUUID(), permissions, resourceId: resourceId(name) });

// Who says what runs where, such as a cluster that schedules the gateway; its tokens are exchanged.
const SUBJECT = 'system:serviceaccount:storage:gateway';
const issuer = makeIdentityProvider();
const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-identities-'));
const tokenFile = path.join(directory, 'federated.token');
const jwksFile = path.join(directory, 'jwks.json');
const assertion = (claims, more) =>
  issuer.token(undefined, { claims: { sub: SUBJECT, aud: 'api://AzureADTokenExchange', ...claims }, ...more });
// As whoever renews it does: the file is replaced as a whole.
function writeToken(token) {
  writeFileSync(`${tokenFile}.new`, token, { mode: 0o600 });
  renameSync(`${tokenFile}.new`, tokenFile);
}

// A certificate and its key in one file, as the vendor's SDK takes it too.
function newCertificate(name, days) {
  const file = (kind) => path.join(directory, `${name}.${kind}`);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', String(days), '-subj', `/CN=${name}`,
    '-keyout', file('key'), '-out', file('crt')], { stdio: 'ignore' });
  writeFileSync(file('pem'), Buffer.concat([readFileSync(file('key')), readFileSync(file('crt'))]), { mode: 0o600 });
  return { pem: file('pem'), crt: file('crt') };
}
const registered = newCertificate('registered', 50);
const strangers = newCertificate('strangers', 3);
const inUse = path.join(directory, 'client.pem');
function useCertificate({ pem }) {
  writeFileSync(`${inUse}.new`, readFileSync(pem), { mode: 0o600 });
  renameSync(`${inUse}.new`, inUse);
}

// As whom the host itself asks, which is a machine at first.
let ownIdentity = (vault) =>
  `{ kind = "arc"; endpoint = "${vault.arcEndpoint}"; challenge_directory = "${vault.arcDirectory}"; }`;
let stack;

before(async () => {
  writeFileSync(jwksFile, JSON.stringify(issuer.jwks));
  writeToken(assertion());
  useCertificate(registered);
  stack = await startStack({ vaultDeadlineMs: 4000,
    vault: { tokenLifetimeS: 1, identities: [
      { name: 'admin', clientId: randomUUID(), administer: true },
      { name: 'host', clientId: randomUUID(), permissions, systemAssigned: true },
      assigned('gateway'), assigned('arc'), assigned('app'),
      { ...assigned('certificate'), certificateFile: registered.crt },
      { ...assigned('workload'), federated: { issuer: issuer.issuer, subject: SUBJECT, jwksFile } }] },
    identities: (vault) => [ownIdentity(vault),
      `{ kind = "arc"; resource_id = "${resourceId('arc')}"; endpoint = "${vault.arcEndpoint}";
         challenge_directory = "${vault.arcDirectory}"; }`,
      `{ kind = "app-service"; resource_id = "${resourceId('app')}"; endpoint = "${vault.appServiceEndpoint}";
         identity_header_file = "${vault.identityHeaderFile}"; }`,
      `{ kind = "client-certificate"; resource_id = "${resourceId('certificate')}";
         tenant_id = "${vault.tenantId}"; client_id = "${vault.clients.certificate.clientId}";
         authority = "${vault.authority}"; client_certificate_file = "${inUse}"; }`,
      `{ kind = "workload"; resource_id = "${resourceId('workload')}"; authority = "${vault.authority}";
         tenant_id = "${vault.tenantId}"; client_id = "${vault.clients.workload.clientId}";
         federated_token_file = "${tokenFile}"; }`,
    ],
  });
});
after(async () => {
  await stack?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const key = () => ({ vaultUri: stack.vault.uri, name: stack.keyName });
const createAs = (name, identity) =>
  stack.management.good('PUT', stack.accountPath(name), { body: accountBody(identity, key()) });

async function unwrapsAs(account, identity) {
  const { next } = await stack.vault.calls();
  await stack.checkKey(account);
  const { calls } = await stack.vault.calls(next);
  assert.ok(calls.some((call) => call.operation === 'unwrapKey' && call.status === 200 && call.identity === identity),
    JSON.stringify(calls));
}

const stateIs = (account, state) => until(async () => {
  await stack.checkKey(account);
  return (await stack.keyStatus(account)).state === state;
}, `${account} to be ${state}`);

// Refused for good by whoever gives the tokens, and back.
async function isRevokedWith(account, identity) {
  await stack.vault.setIdentityEnabled(identity, false);
  await stateIs(account, 'revoked');
  await stack.vault.setIdentityEnabled(identity, true);
  await stateIs(account, 'active');
}

test('a machine that is connected by Azure Arc: a user-assigned identity', async () => {
  await createAs('byarc', resourceId('arc'));
  await unwrapsAs('byarc', 'arc');
  await isRevokedWith('byarc', 'arc');
});

test('a machine that is connected by Azure Arc: its own identity', async () => {
  const identity = resourceId('gateway');
  await createAs('bymachine', identity);
  const body = accountBody(identity, key());
  body.identity.type = 'SystemAssigned,UserAssigned';
  body.properties.encryption.identity.userAssignedIdentity = '';
  await stack.management.good('PATCH', stack.accountPath('bymachine'), { body });
  await unwrapsAs('bymachine', 'host');
  await isRevokedWith('bymachine', 'host');
});

test('an account without a customer key gets one as the machine itself, by the command line', async () => {
  await stack.createAccount('plain');
  const { next } = await stack.vault.calls();
  const done = await stack.ctl('account', 'update', 'plain', '--vault', stack.vault.uri, '--key', stack.keyName,
    '--system-identity');
  assert.equal(done.code, 0, done.stderr);
  const { calls } = await stack.vault.calls(next);
  for (const operation of ['get', 'wrapKey', 'unwrapKey']) {
    assert.ok(calls.some((call) => call.operation === operation && call.status === 200 && call.identity === 'host'),
      JSON.stringify(calls));
  }
  await unwrapsAs('plain', 'host');
  const { identity, properties: { encryption } } = await stack.management.good('GET', stack.accountPath('plain'));
  assert.equal(identity.type, 'SystemAssigned');
  assert.equal(encryption.keySource, 'Microsoft.Keyvault');
});

test('an agent of Azure Arc whose key files cannot be read revokes nothing', async () => {
  renameSync(stack.vault.arcDirectory, `${stack.vault.arcDirectory}.away`);
  await stateIs('byarc', 'unreachable');
  renameSync(`${stack.vault.arcDirectory}.away`, stack.vault.arcDirectory);
  await stateIs('byarc', 'active');
});

test('App Service, whose refusals are no OAuth errors and revoke nothing', async () => {
  await createAs('byapp', resourceId('app'));
  await unwrapsAs('byapp', 'app');
  await stack.vault.setIdentityEnabled('app', false);
  await stateIs('byapp', 'unreachable');
  await stack.vault.setIdentityEnabled('app', true);
  await stateIs('byapp', 'active');
});

test('App Service: its own identity', async () => {
  ownIdentity = (vault) => `{ kind = "app-service"; endpoint = "${vault.appServiceEndpoint}";
    identity_header_file = "${vault.identityHeaderFile}"; }`;
  await stack.gateway.restart();
  await unwrapsAs('bymachine', 'host');
  await stack.vault.setIdentityEnabled('host', false);
  await stateIs('bymachine', 'unreachable');
  await stack.vault.setIdentityEnabled('host', true);
  await stateIs('bymachine', 'active');
});

test('workload federation: the token of another issuer, which is read each time', async () => {
  const { vault } = stack;
  await createAs('byworkload', resourceId('workload'));
  await unwrapsAs('byworkload', 'workload');
  await isRevokedWith('byworkload', 'workload');
  // Nobody renews the file: that says nothing of the identity.
  writeToken(assertion({ exp: Math.floor(Date.now() / 1000) - 1 }));
  await stateIs('byworkload', 'unreachable');
  writeToken(assertion());
  await stateIs('byworkload', 'active');
  // The federated credential does not speak of it.
  writeToken(assertion({ sub: 'system:serviceaccount:storage:another' }));
  await stateIs('byworkload', 'revoked');
  assert.equal((await stack.keyStatus('byworkload')).state, 'revoked');
  writeToken(assertion());
  await stateIs('byworkload', 'active');

  const credential = new WorkloadIdentityCredential({ tenantId: vault.tenantId,
    clientId: vault.clients.workload.clientId, tokenFilePath: tokenFile, authorityHost: vault.authority,
    disableInstanceDiscovery: true, tlsOptions: { ca: vault.ca } });
  assert.ok((await credential.getToken(`${vault.resource}/.default`)).token.length > 0);
  const ask = (changes) => vault.request('POST', `/${vault.tenantId}/oauth2/v2.0/token`, {
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: `${vault.resource}/.default`,
      client_id: vault.clients.workload.clientId, client_assertion: assertion(),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', ...changes }).toString() });
  assert.equal((await ask({})).status, 200);
  assert.deepEqual((await ask({ client_assertion_type: 'jwt' })).json.error_codes, [900144]);
  for (const wrong of [assertion({ aud: vault.resource }), assertion({ iss: 'https://another.test' }),
    assertion({}, { key: issuer.strangersKey() }), issuer.unsignedToken(), 'x']) {
    const answer = await ask({ client_assertion: wrong });
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.json.error_codes, [700213]);
  }
  assert.deepEqual((await ask({ client_id: vault.clients.gateway.clientId })).json.error_codes, [700213]);
});

// Of the one in use, without a reload; result: what doctor makes of it.
async function tellsEnd({ crt }, result) {
  const { body } = await stack.management.request('GET', '/metrics');
  const [, place, end] = /^gatekey_certificate_expires_timestamp_seconds{certificate="identity-(\d+)"} (\S+)$/m.exec(body);
  assert.equal(Number(end), Date.parse(new X509Certificate(readFileSync(crt)).validTo) / 1000);
  const { stdout } = await stack.ctl('doctor', '--json', '--no-fail');
  const told = JSON.parse(stdout).find(({ detail }) => detail.startsWith(`the one of identity ${place} in provider.identities`));
  assert.deepEqual([told.check, told.result], ['certificate', result]);
}

test('a client certificate, which is read each time', async () => {
  const { vault } = stack;
  await createAs('bycert', resourceId('certificate'));
  await unwrapsAs('bycert', 'certificate');
  await tellsEnd(registered, 'ok');
  useCertificate(strangers);
  await tellsEnd(strangers, 'warning');
  await stateIs('bycert', 'revoked');
  useCertificate(registered);
  await stateIs('bycert', 'active');

  const tokenOf = (pem, name) => new ClientCertificateCredential(vault.tenantId, vault.clients[name].clientId,
    { certificatePath: pem }, { authorityHost: vault.authority, disableInstanceDiscovery: true,
      tlsOptions: { ca: vault.ca } }).getToken(`${vault.resource}/.default`);
  assert.ok((await tokenOf(registered.pem, 'certificate')).token.length > 0);
  await assert.rejects(tokenOf(strangers.pem, 'certificate'), /700027/);
  await assert.rejects(tokenOf(registered.pem, 'gateway'), /700213/);
});
