// SPDX-License-Identifier: Apache-2.0
// A vault for tests: keyvaultd in a directory of its own, with the vendor's SDK as its customer and the
// control API for what only the world could do.
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';

import { ClientSecretCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';

import { makeAuthority, pinOf } from './certificates.mjs';
import { program, startProcess } from './process.mjs';

const WAIT_MS = 60000;
const POLL_MS = 20;

const quote = (text) => `"${text}"`;

// Where Debian and others keep SoftHSM's module; undefined where it is not installed.
export const softHsmModule = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/softhsm/libsofthsm.so']
  .find((module) => existsSync(module));

// A PKCS#11 token in SoftHSM, in a directory of its own.
function makeToken(directory) {
  const label = 'gatekey';
  const pin = randomBytes(12).toString('hex');
  const tokens = path.join(directory, 'tokens');
  mkdirSync(tokens, { recursive: true, mode: 0o700 });
  const file = (name, content) => {
    writeFileSync(path.join(directory, name), content, { mode: 0o600 });
    return path.join(directory, name);
  };
  const env = { SOFTHSM2_CONF: file('softhsm2.conf',
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`) };
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--so-pin', pin, '--pin', pin],
    { env: { ...process.env, ...env }, stdio: 'ignore' });
  return { module: softHsmModule, label, pin, pinFile: file('pin', `${pin}\n`), env };
}

// Every identity with a client secret and, unless managed is false, as a managed identity too.
function identityConfig(identity, secretFile) {
  const lines = [`name = ${quote(identity.name)};`, `client_id = ${quote(identity.clientId)};`,
    `client_secret_file = ${quote(secretFile)};`];
  if (identity.resourceId) lines.push(`resource_id = ${quote(identity.resourceId)};`);
  if (identity.tenantId) lines.push(`tenant_id = ${quote(identity.tenantId)};`);
  if (identity.installedIn) lines.push(`installed_in = [ ${identity.installedIn.map(quote).join(', ')} ];`);
  if (identity.certificateFile) lines.push(`client_certificate_file = ${quote(identity.certificateFile)};`);
  if (identity.federated) {
    const { issuer, subject, jwksFile, identity: voucher } = identity.federated;
    lines.push(`federated = { ${voucher ? `identity = ${quote(voucher)};`
      : `issuer = ${quote(issuer)}; subject = ${quote(subject)}; jwks_file = ${quote(jwksFile)};`} };`);
  }
  if (identity.systemAssigned) lines.push('system_assigned = true;');
  if (identity.administer) lines.push('administer = true;');
  else lines.push(`permissions = [ ${identity.permissions.map(quote).join(', ')} ];`);
  return `  { ${lines.join(' ')} }`;
}

const defaultIdentities = () => [
  { name: 'admin', clientId: randomUUID(), administer: true },
  { name: 'gateway', clientId: randomUUID(), permissions: ['get', 'wrapKey', 'unwrapKey'],
    resourceId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gateway' },
  { name: 'host', clientId: randomUUID(), permissions: ['get', 'wrapKey', 'unwrapKey'],
    systemAssigned: true },
];

/*
 * options, all optional: identities, authority (of makeAuthority), purgeProtection, recoverableDays,
 * resource, tokenLifetimeS, env, and
 *   host (localhost)          the vault's name
 *   tenantId, tenants         the vault's tenant, and others that tokens are given for; an identity may have
 *                             tenantId, its home, and installedIn
 *   oaep256 (true)            false: keys take OAEP with SHA-1 alone, as some HSMs do
 *   kind                      "managed-hsm": its keys are in a token of SoftHSM
 *   sharesTokens (false)      other vaults may take the tokens of this one's authority
 *   authorityOf               a vault that shares tokens: this one takes the tokens of its authority, from
 *                             its identities
 */
export async function startVault(directory, options = {}) {
  const stateDir = path.join(directory, 'state');
  const other = options.authorityOf;
  const tenantId = options.tenantId ?? other?.tenantId ?? randomUUID();
  const managedHsm = options.kind === 'managed-hsm';
  const resource = options.resource ?? `https://${managedHsm ? 'managedhsm' : 'vault'}.azure.net`;
  const identities = options.identities ?? (other ? Object.values(other.clients) : defaultIdentities());
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const authority = options.authority ?? makeAuthority(path.join(directory, 'ca'));
  const host = options.host ?? 'localhost';
  const tls = authority.issue('keyvaultd', [host, 'localhost', '127.0.0.1']);
  const ca = readFileSync(authority.caFile);
  const pin = pinOf(tls.certificateFile);
  const controlToken = randomBytes(24).toString('hex');
  const file = (name, content) => {
    const full = path.join(directory, name);
    writeFileSync(full, content, { mode: 0o600 });
    return full;
  };
  const arcDirectory = path.join(directory, 'arc-tokens');
  mkdirSync(arcDirectory, { recursive: true, mode: 0o700 });
  const identityHeader = randomBytes(24).toString('hex');
  const identityHeaderFile = file('identity.header', `${identityHeader}\n`);
  const clients = {};
  const blocks = identities.map((identity) => {
    const clientSecret = identity.clientSecret ?? randomBytes(24).toString('base64url');
    const secretFile = file(`${identity.name}.secret`, `${clientSecret}\n`);
    clients[identity.name] = { ...identity, clientSecret, secretFile };
    return identityConfig(identity, secretFile);
  });
  const token = managedHsm ? makeToken(path.join(directory, 'token')) : undefined;
  const kindSettings = managedHsm ? `kind = "managed-hsm";
hsm = { module = ${quote(token.module)}; token_label = ${quote(token.label)}; pin_file = ${quote(token.pinFile)}; };` : '';
  const tokenSecretFile = other?.tokenSecretFile ??
    (options.sharesTokens ? file('tokens.secret', `${randomBytes(24).toString('hex')}\n`) : undefined);
  const authoritySettings = [
    ...(options.tenants ? [`tenants = [ ${options.tenants.map(quote).join(', ')} ];`] : []),
    ...(other ? [`authority = ${quote(other.authority)};`] : []),
    ...(tokenSecretFile ? [`token_secret_file = ${quote(tokenSecretFile)};`] : [])].join('\n');
  const configFile = file('keyvaultd.conf', `
listen = { address = "127.0.0.1"; port = 0; certificate_file = ${quote(tls.certificateFile)};
  key_file = ${quote(tls.keyFile)}; };
imds = { address = "127.0.0.1"; port = 0; arc_challenge_directory = ${quote(arcDirectory)};
  app_service_header_file = ${quote(identityHeaderFile)}; };
state_dir = ${quote(stateDir)};
host = ${quote(host)};
tenant_id = ${quote(tenantId)};
${authoritySettings}
${kindSettings}
resource = ${quote(resource)};
token_lifetime_s = ${options.tokenLifetimeS ?? 3600};
purge_protection = ${options.purgeProtection ?? true};
recoverable_days = ${options.recoverableDays ?? 90};
oaep_256 = ${options.oaep256 ?? true};
identities = (
${blocks.join(',\n')}
);
control = { enabled = true; token_file = ${quote(file('control.token', `${controlToken}\n`))}; };
`);
  const logFile = path.join(directory, 'keyvaultd.log');
  const agent = new https.Agent({ ca, keepAlive: true });
  let server;

  const start = async () => {
    server = await startProcess({ name: 'keyvaultd', binary: program('keyvaultd', 'keyvaultd'),
      args: ['--config', configFile], readyFile: path.join(directory, 'keyvaultd.ready'), logFile,
      env: { ...options.env, ...token?.env } });
  };
  await start();
  const uri = server.ready.vault_uri;
  const authorityUri = other?.authority ?? uri;

  // A bare request; returns { status, headers, body, json }.
  const request = (method, target, { headers = {}, body } = {}) => new Promise((resolve, reject) => {
    const sent = https.request(new URL(target, uri), { method, agent, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        let json;
        try {
          json = JSON.parse(text);
        } catch { /* not every answer is JSON */ }
        resolve({ status: answer.statusCode, headers: answer.headers, body: text, json });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });

  const control = async (method, target, body) => {
    const answer = await request(method, `/control/${target}`, {
      headers: { authorization: `Bearer ${controlToken}` },
      body: body === undefined ? undefined : JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`control ${target}: ${answer.status} ${answer.body}`);
    return answer.json;
  };

  // A credential of the vendor's SDK for one of the identities.
  const credential = (name, tenant = clients[name].tenantId ?? tenantId) => new ClientSecretCredential(tenant,
    clients[name].clientId, clients[name].clientSecret, { authorityHost: authorityUri,
      disableInstanceDiscovery: true, tlsOptions: { ca } });
  const sdkOptions = { tlsOptions: { ca }, disableChallengeResourceVerification: true };
  const keyClient = (name, more = {}) => new KeyClient(uri, credential(name), { ...sdkOptions, ...more });
  const cryptography = (name, keyId, more = {}) =>
    new CryptographyClient(keyId, credential(name), { ...sdkOptions, ...more });
  const admin = keyClient('admin');

  const versionsOf = async (name) => {
    const versions = [];
    for await (const item of admin.listPropertiesOfKeyVersions(name)) versions.push(item);
    return versions;
  };
  const setEnabled = async (name, versions, enabled) => {
    for (const version of versions) await admin.updateKeyProperties(name, version, { enabled });
  };
  const calls = async (after = 0) => {
    const all = [];
    for (let next = after; ;) {
      const page = await control('GET', `calls?after=${next}`);
      all.push(...page.calls);
      if (page.calls.length === 0) return { calls: all, next };
      next = page.next;
    }
  };
  // Without the challenges: they ask for a token and do nothing.
  const matches = (operation, key) => (call) => call.operation === operation && call.status !== 401
    && (key === undefined || call.key.toLowerCase() === key.toLowerCase());

  return {
    uri, pin, authority: authorityUri, tokenSecretFile, ca, caFile: authority.caFile, tls, tenantId, resource, clients, directory, stateDir,
    token, logFile, configFile, controlToken, request, control, credential, keyClient, cryptography, admin,
    arcDirectory, identityHeader, identityHeaderFile,
    get imdsEndpoint() { return server.ready.imds_endpoint; },
    get arcEndpoint() { return `${server.ready.imds_endpoint}/arc/metadata/identity/oauth2/token`; },
    get appServiceEndpoint() { return `${server.ready.imds_endpoint}/msi/token`; },
    get pid() { return server.pid; },
    start,
    stop: () => server.stop(),
    kill: () => server.kill(),

    createKey: (name, keySize = 2048, more = {}) =>
      admin.createRsaKey(name, { keySize, hsm: managedHsm, ...more }),
    // The version of the new key.
    rotate: async (name) => (await admin.rotateKey(name)).properties.version,
    // Those that were enabled, to give to enableVersions().
    disableAllVersions: async (name) => {
      const versions = (await versionsOf(name)).filter((item) => item.enabled).map((item) => item.version);
      await setEnabled(name, versions, false);
      return versions;
    },
    enableVersions: (name, versions) => setEnabled(name, versions, true),
    disableVersion: (name, version) => setEnabled(name, [version], false),
    // Every version is past its end from now on.
    expireKey: async (name) => {
      for (const item of await versionsOf(name)) {
        await admin.updateKeyProperties(name, item.version, { notBefore: new Date(Date.now() - 7200e3),
          expiresOn: new Date(Date.now() - 3600e3) });
      }
    },
    deleteKey: async (name) => (await admin.beginDeleteKey(name)).pollUntilDone(),
    recoverKey: async (name) => (await admin.beginRecoverDeletedKey(name)).pollUntilDone(),

    setPermissions: (name, permissions) => control('POST', `identities/${name}`, { permissions }),
    setIdentityEnabled: (name, enabled) => control('POST', `identities/${name}`, { enabled }),
    // An application's federated credential, and whether it is in other tenants than its home.
    setIdentityFederated: (name, federated) => control('POST', `identities/${name}`, { federated }),
    setIdentityInstalled: (name, installed) => control('POST', `identities/${name}`, { installed }),
    setVaultDeleted: (deleted) => control('POST', 'vault', { deleted }),
    // "open"; "firewall" and "private" let nobody in who calls from here.
    setNetwork: (network) => control('POST', 'vault', { network }),
    setClock: (offsetMs) => control('POST', 'clock', { offset_ms: offsetMs }),
    fault: (fault) => control('POST', 'faults', fault),
    clearFaults: () => control('DELETE', 'faults'),
    // Those of that key and of that client.
    endFaults: (key, clientId = '') => control('DELETE', `faults?${new URLSearchParams({ key, client_id: clientId })}`),

    calls,
    countCalls: async (operation, key) => (await calls()).calls.filter(matches(operation, key)).length,
    // Resolves with the first such call that was answered after since, which calls() has told: without it, from the time
    // when the vault is asked for that, which is too late to be told of what is brought about meanwhile.
    waitForCall: async (operation, key, since) => {
      let { next } = since ?? await calls();
      const deadline = Date.now() + WAIT_MS;
      while (Date.now() < deadline) {
        const fresh = await calls(next);
        const found = fresh.calls.find(matches(operation, key));
        if (found) return found;
        next = fresh.next;
        await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
      }
      throw new Error(`no ${operation} of ${key} reached the vault in ${WAIT_MS} ms`);
    },
  };
}
