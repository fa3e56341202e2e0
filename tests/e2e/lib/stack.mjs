// SPDX-License-Identifier: Apache-2.0
// Everything that a journey needs, running: a vault with a customer's key, the gateway over plain HTTP
// and over TLS, and an account under that key, made through the management API.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { makeAuthority } from './certificates.mjs';
import { program, startProcess, tail } from './process.mjs';
import { makeStore } from './store.mjs';
import { onTerminal } from './terminal.mjs';
import { startVault } from './vault.mjs';

const UNTIL_MS = 60000;
const POLL_MS = 20;
const WEB_DOMAIN = 'web.gatekey.test';
const API_VERSION = '2023-05-01';

export const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';
export const RESOURCE_GROUP = 'gatekey';
// What a request answers is what is tested, not what a client makes of it by asking again.
export const noRetry = { retryOptions: { maxTries: 1 } };

const quote = (text) => `"${text}"`;

// Polls: what a client sees is the event. The probe may throw while what it needs is not there yet.
export async function until(probe, what, timeoutMs = UNTIL_MS) {
  const deadline = Date.now() + timeoutMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      if (error.code === 'ERR_ASSERTION') throw error;
      last = error;
    }
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last });
}

/* --- the gateway -------------------------------------------------------------------------------*/

function bearerConfig(bearer, file) {
  if (bearer === undefined) return '';
  const group = (members) => `{ ${Object.entries(members).map(([name, value]) => `${name} = ${quote(value)};`)
    .join(' ')} }`;
  return `
bearer = {
  issuer = ${quote(bearer.provider.issuer)};
  audience = ${quote(bearer.provider.audience)};
  jwks_file = ${quote(file)};
  principals = ( ${bearer.principals.map(group).join(', ')} );
};`;
}

// A list of { host, port, caFile, allowPrivate, timeoutS }.
function copySources(hosts) {
  return hosts && `( ${hosts.map(({ host, port, caFile, allowPrivate = false, timeoutS = 30 }) =>
    `{ host = ${quote(host)}; port = ${port}; ca_file = ${quote(caFile)}; allow_private = ${allowPrivate}; ` +
    `timeout_s = ${timeoutS}; }`).join(', ')} )`;
}

// [[name, file with their token, role]]
function callersConfig(callers) {
  return callers.length === 0 ? undefined : `( ${callers.map(([name, file, role]) =>
    `{ name = ${quote(name)}; token_file = ${quote(file)}; role = ${quote(role)}; }`).join(', ')} )`;
}

// As whom the gateway asks the vaults that this authority gives tokens for.
function identityConfig(vault) {
  const { gateway } = vault.clients;
  return `    { kind = "client-secret"; resource_id = ${quote(gateway.resourceId)};
      client_id = ${quote(gateway.clientId)}; tenant_id = ${quote(gateway.tenantId ?? vault.tenantId)};
      authority = ${quote(vault.authority)}; client_secret_file = ${quote(gateway.secretFile)}; }`;
}

// The identity of the host, as it is told by its instance metadata.
const managedHost = (vault) => [`{ kind = "managed"; endpoint = ${quote(vault.imdsEndpoint)}; }`];

function gatewayConfig({ store, ports, files, tls, vaults, transit, domain, options }) {
  const address = (name) => quote(`127.0.0.1:${ports[name]}`);
  const setting = (name, value) => (value === undefined ? '' : `  ${name} = ${value};\n`);
  const [vault] = vaults;
  const authorities = vaults.filter(({ uri, authority }) => uri === authority);
  return `
${store.config}
plugin = ${quote(program('plugin', 'gatekey.so'))};
log_level = "info";
audit_file = ${quote(files.audit)};
${setting('audit_journal', options.auditJournal && quote(options.auditJournal))}\
${setting('audit_syslog', options.auditSyslog && quote(options.auditSyslog))}\
${options.movableClock ? `clock_offset_file = ${quote(files.clock)};` : ''}
blob = {
  listen = ${address('blob')};
  tls_listen = ${address('blobTls')};
  tls_certificate = ${quote(tls.certificateFile)};
  tls_key = ${quote(tls.keyFile)};
  domain = ${quote(domain)};
  web_domain = ${quote(WEB_DOMAIN)};
${setting('connections_max', options.connectionsMax)}\
${setting('copy_wait_bytes', options.copyWaitBytes)}\
${setting('copy_threads', options.copyThreads)}\
${setting('removal_delay_s', options.removalDelayS)}\
${setting('copy_sources', copySources(options.copySources))}};
management = {
  listen = ${address('management')};
  tls_certificate = ${quote(tls.certificateFile)};
  tls_key = ${quote(tls.keyFile)};
  token_file = ${quote(files.token)};
${setting('callers', callersConfig(files.callers))}};
${bearerConfig(options.bearer, files.jwks)}
${options.policy === undefined ? '' : `policy = { ${options.policy} };`}
provider = {
  service_key_file = ${quote(files.serviceKey)};
  ca_file = ${quote(vault.caFile)};
${setting('check_interval_ms', options.checkIntervalMs ?? 1000)}\
${setting('grace_s', options.graceS)}\
${setting('account_idle_s', options.accountIdleS)}\
${setting('request_timeout_ms', options.requestTimeoutMs)}\
${setting('vault_deadline_ms', options.vaultDeadlineMs)}\
${setting('version_check_interval_s', options.versionCheckIntervalS)}\
${setting('previous_wrap_keep_s', options.previousWrapKeepS)}\
${setting('key_age_warning_days', options.keyAgeWarningDays)}\
${setting('read_rotation_policy', options.readRotationPolicy)}\
${setting('pinned_key_without_get', options.pinnedKeyWithoutGet)}\
${setting('unwrap_audit_interval_s', options.unwrapAuditIntervalS)}\
${setting('proxy', options.proxy && quote(options.proxy))}\
  vaults = ( ${[...vaults.map(({ uri, resource, authority, pin }) =>
    `{ uri = ${quote(uri)}; resource = ${quote(resource)}; authority = ${quote(authority)}; ` +
    `${options.wrapAlgorithm ? `wrap_algorithm = ${quote(options.wrapAlgorithm)}; ` : ''}` +
    `${options.pinVaults ? `public_key_pins = ${quote(options.pinVaults === true ? pin : options.pinVaults)}; ` : ''}}`),
    ...(transit ? [transit.vaultConfig] : [])].join(', ')} );
  identities = (
${authorities.map(identityConfig).join(',\n')},
    ${[...(options.identities ?? managedHost)(vault), ...(transit?.identities ?? [])].join(',\n    ')}
  );
};
`;
}

// What gateways on one store have in common.
function makeShared(inside) {
  const files = { token: inside('management.token'), serviceKey: inside('service.key'),
    clock: inside('clock-offset') };
  const token = randomBytes(24).toString('base64url');
  writeFileSync(files.token, `${token}\n`, { mode: 0o600 });
  execFileSync(program('ctl', 'gatekeyctl'), ['service-key', 'create', '--out', files.serviceKey],
    { stdio: 'ignore' });
  return { files, token, store: makeStore(inside('state')), offsetMs: 0 };
}

// beside, an earlier gateway: on its store, with its service key, management token and clock.
async function startGateway(directory, { authority, vaults, transit, domain, hosts, options, beside }) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const inside = (name) => path.join(directory, name);
  const shared = beside?.shared ?? makeShared(inside);
  const files = { ...shared.files, audit: inside('audit.log'), config: inside('gateway.conf'),
    log: inside('gateway.log'), jwks: inside('jwks.json') };
  const { token, store } = shared;
  const callerTokens = {};
  for (const name of Object.keys(options.callers ?? {})) {
    callerTokens[name] = randomBytes(24).toString('base64url');
    writeFileSync(inside(`${name}.token`), `${callerTokens[name]}\n`, { mode: 0o600 });
  }
  files.callers = Object.entries(options.callers ?? {}).map(([name, role]) => [name, inside(`${name}.token`), role]);
  const tls = authority.issue(path.basename(directory), hosts);
  // Free ports are the system's to choose, once: clients keep their endpoints over a restart.
  const ports = { blob: 0, blobTls: 0, management: 0 };
  const limit = options.memoryLimitBytes === undefined ? [] :
    ['prlimit', `--data=${options.memoryLimitBytes}`, '--'];
  let server;

  let asked; // of them, by the configuration of the last start: a reload changes none
  const configure = () => {
    if (options.bearer) writeFileSync(files.jwks, JSON.stringify(options.bearer.provider.jwks));
    writeFileSync(files.config,
      gatewayConfig({ store, ports: asked, files, tls, vaults, transit, domain, options }), { mode: 0o600 });
  };
  const start = async () => {
    asked = { ...ports };
    configure();
    const command = [...(options.gatewayCommand ?? []), ...limit, program('gateway', 'gatekey-gateway'), '--config', files.config];
    server = await startProcess({ name: 'gatekey-gateway', binary: command[0], args: command.slice(1),
      readyFile: inside('gateway.ready'), logFile: files.log, env: options.gatewayEnv });
    ports.blob = new URL(server.ready.blob_endpoint).port;
    ports.blobTls = new URL(server.ready.blob_endpoint_tls).port;
    ports.management = new URL(server.ready.management_endpoint).port;
  };
  // What its audit says of reloads. Of one that it is asked for, it says so when it is over.
  const reloads = () => readFileSync(files.audit, 'utf8').split('\n').filter((line) => line.includes('"gateway.reload"'))
    .map((line) => JSON.parse(line));
  const reload = async () => {
    const former = reloads().length;
    configure();
    process.kill(server.pid, 'SIGHUP');
    await until(() => reloads().length > former, 'a reload');
    const { outcome, detail } = reloads().at(-1);
    if (outcome !== 'ok') throw new Error(`a reload was refused\n${tail(files.log, 20)}`);
    return detail;
  };
  const stop = async () => {
    const how = await server.stop();
    if (how !== 0) throw new Error(`the gateway ended with ${how}\n${tail(files.log, 80)}`);
  };
  await start();

  return {
    directory, shared, token, callerTokens, tokenFile: files.token, serviceKeyFile: files.serviceKey, auditFile: files.audit,
    configFile: files.config, jwksFile: files.jwks, logFile: files.log, store, start, stop, reload,
    get pid() { return server.pid; },
    get ready() { return server.ready; },
    get ended() { return server.ended; },
    kill: () => server.kill(),
    restart: async () => {
      await stop();
      await start();
    },
    // Only forwards, and only with movableClock. The file is replaced as a whole.
    moveClock: (milliseconds) => {
      shared.offsetMs += milliseconds;
      writeFileSync(`${files.clock}.new`, `${shared.offsetMs}\n`);
      renameSync(`${files.clock}.new`, files.clock);
    },
  };
}

/* --- management --------------------------------------------------------------------------------*/

function managementClient(endpoint, ca, token) {
  const agent = new https.Agent({ ca });
  const request = (method, target, { body, headers = { authorization: `Bearer ${token}` } } = {}) =>
    new Promise((resolve, reject) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const sent = https.request(new URL(target, endpoint), { method, agent,
        headers: { 'content-type': 'application/json', ...headers } }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.once('error', reject);
        answer.once('end', () => {
          const bytes = Buffer.concat(parts).toString();
          let json;
          try {
            json = JSON.parse(bytes);
          } catch { /* metrics are plain text */ }
          resolve({ status: answer.statusCode, headers: answer.headers, body: bytes, json });
        });
      });
      sent.once('error', reject);
      sent.end(text);
    });
  const good = async (method, target, options) => {
    const answer = await request(method, `${target}?api-version=${API_VERSION}`, options);
    if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.status} ${answer.body}`);
    return answer.json;
  };
  return { request, good };
}

const accountPath = (name) => `/subscriptions/${SUBSCRIPTION}/resourceGroups/${RESOURCE_GROUP}` +
  `/providers/Microsoft.Storage/storageAccounts/${name}`;

// The body of a request that makes an account; key is { vaultUri, name, version } or undefined.
export function accountBody(identity, key) {
  const body = { location: 'local', kind: 'StorageV2', sku: { name: 'Standard_LRS' },
    properties: { supportsHttpsTrafficOnly: false } };
  if (key) {
    body.identity = { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } };
    body.properties.encryption = { keySource: 'Microsoft.Keyvault',
      identity: { userAssignedIdentity: identity },
      keyvaultproperties: { keyvaulturi: key.vaultUri, keyname: key.name,
        keyversion: key.version ?? '' } };
  }
  return body;
}

/* --- all of it ---------------------------------------------------------------------------------*/

// What a client and an operator do through one of the gateways.
function sideOf(gateway, { vault, account }) {
  const managementEndpoint = gateway.ready.management_endpoint;
  const management = managementClient(managementEndpoint, vault.ca, gateway.token);
  const identity = vault.clients.gateway.resourceId;
  return {
    gateway, management, managementEndpoint, identity, account, ca: vault.ca,
    blobEndpoint: `${gateway.ready.blob_endpoint}/${account}`,
    blobEndpointTls: `${gateway.ready.blob_endpoint_tls}/${account}`,
    createAccount: (name, key, as = identity) =>
      management.good('PUT', accountPath(name), { body: accountBody(as, key) }),
    keysOf: async (name) => (await management.good('POST', `${accountPath(name)}/listKeys`)).keys,
    // What the management API tells of the account's key.
    keyStatus: async (name = account) => {
      const { properties } = await management.good('GET', `/gatekey/accounts/${name}`);
      return { ...properties.gatekey, keySource: properties.encryption.keySource,
        currentKeyIdentifier: properties.encryption.keyvaultproperties?.currentVersionedKeyIdentifier };
    },
    checkKey: (name = account) => management.good('POST', `${accountPath(name)}/gatekeyCheckKey`),
  };
}

/*
 * options, all optional:
 *   customerKey (true)        the account under a key in the vault, else under the service key
 *   checkIntervalMs (1000), graceS, accountIdleS, requestTimeoutMs, vaultDeadlineMs, connectionsMax, copyWaitBytes,
 *   copyThreads, keyAgeWarningDays, pinnedKeyWithoutGet, unwrapAuditIntervalS, versionCheckIntervalS, previousWrapKeepS
 *                             the gateway's own settings; those that change are the next start's, and what a reload
 *                             takes over the next gateway.reload()'s, which gives the names of what was changed
 *   callers                   { name: role } of others who may manage; gateway.callerTokens has their tokens
 *   auditJournal, auditSyslog sockets of daemons that get the audit's events, too
 *   copySources               other hosts that may be copied from: [{ host, port, caFile, allowPrivate,
 *                             timeoutS }]
 *   policy                    the inside of the group policy; likewise
 *   movableClock (false)      gateway.moveClock() works
 *   proxy                     the way to the vaults: a tunnel.mjs's uri
 *   pinVaults (false)         true: each vault's server has the key that it has now; or the pins, as text
 *   memoryLimitBytes          the gateway's data segment, as setrlimit(RLIMIT_DATA) bounds it
 *   gatewayEnv                more environment for the gateway
 *   gatewayCommand            what the gateway is started by, such as makeNames()'s; it becomes the gateway
 *   gateways (1)              how many, on one store, which is on RADOS then; sides has what is done
 *                             through each, and what the stack itself has is the first one's
 *   identities (managedHost)  (vault) -> the identities that the gateway is given beside the one of
 *                             the account, as texts of its configuration
 *   bearer                    { provider (identity.mjs), principals: [{ object_id, role, account }] }
 *   vault                     options of startVault()
 *   moreVaults                [options of startVault(), and ownAuthority (false)]: beside the first, under its
 *                             authority unless they have their own
 *   transit                   options of startTransit(): a transit engine beside the vaults, stack.transit
 *
 * All servers end, and all files go, with stop(). GATEKEY_KEEP in the environment keeps the files.
 */
export async function startStack(options = {}) {
  const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-e2e-'));
  const authority = makeAuthority(path.join(directory, 'ca'));
  const account = 'journeys';
  const keyName = 'customer-key';
  const domain = 'blob.gatekey.test';
  const hosts = ['localhost', '127.0.0.1', `${account}.${domain}`];
  const gateways = [];
  const vaults = [];
  let transit;

  const stop = async () => {
    try {
      const ends = await Promise.allSettled(gateways.map((gateway) => gateway.stop()));
      const bad = ends.find((end) => end.status === 'rejected');
      if (bad) throw bad.reason;
    } finally {
      // Some journeys end one themselves.
      await Promise.all([...vaults, ...(transit ? [transit] : [])].map((one) => one.stop().catch(() => {})));
      if (process.env.GATEKEY_KEEP === undefined) rmSync(directory, { recursive: true, force: true });
    }
  };

  try {
    const vault = await startVault(path.join(directory, 'vault'),
      { authority, sharesTokens: options.moreVaults !== undefined, ...options.vault });
    vaults.push(vault);
    for (const more of options.moreVaults ?? []) {
      vaults.push(await startVault(path.join(directory, `vault-${vaults.length + 1}`),
        { authority, authorityOf: more.ownAuthority ? undefined : vault, ...more }));
    }
    if (options.transit) {
      const { startTransit } = await import('./transit.mjs');
      transit = await startTransit(path.join(directory, 'transit'), { authority, ...options.transit });
    }
    await vault.createKey(keyName);
    for (let i = 0; i < (options.gateways ?? 1); i++) {
      gateways.push(await startGateway(path.join(directory, i === 0 ? 'gateway' : `gateway-${i + 1}`),
        { authority, vaults, transit, domain, hosts, options, beside: gateways[0] }));
    }
    const sides = gateways.map((gateway) => sideOf(gateway, { vault, account }));
    const [first] = sides;
    await first.createAccount(account, options.customerKey === false ? undefined :
      { vaultUri: vault.uri, name: keyName });
    const accountKey = (await first.keysOf(account))[0].value;
    const connectionStringOf = (url) => `DefaultEndpointsProtocol=${new URL(url).protocol.slice(0, -1)};` +
      `AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${url};`;

    const operator = { PATH: process.env.PATH, GATEKEY_ENDPOINT: first.managementEndpoint,
      GATEKEY_TOKEN_FILE: first.gateway.tokenFile, GATEKEY_CA_FILE: authority.caFile };
    return {
      ...first, sides, directory, vault, vaults, transit, stop, until, accountKey, keyName, accountPath, domain, webDomain: WEB_DOMAIN,
      caFile: authority.caFile, issueCertificate: authority.issue, managementToken: first.gateway.token,
      connectionString: connectionStringOf(first.blobEndpoint),
      connectionStringTls: connectionStringOf(first.blobEndpointTls),
      // Options of the vendor's clients: one try, and our authority is trusted.
      overTls: { ...noRetry, tlsOptions: { ca: vault.ca } },

      // gatekeyctl as an operator calls it; resolves to { code, stdout, stderr }.
      ctl: (...args) => new Promise((resolve) => {
        execFile(program('ctl', 'gatekeyctl'), args, { env: operator }, (error, stdout, stderr) => {
          resolve({ code: error ? error.code : 0, stdout, stderr });
        });
      }),
      // The same on a terminal.
      ctlOnTerminal: (columns, ...args) => onTerminal(columns, program('ctl', 'gatekeyctl'), args, operator),
    };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}
