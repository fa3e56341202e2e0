// SPDX-License-Identifier: Apache-2.0
// A stand-in for OpenBao and HashiCorp Vault, which neither Debian nor npm carries: the transit engine,
// logins by role, policies, the seal. Written by OpenBao's API documentation and sources, whose
// sentences its errors are; checked by node-vault, which is written for the real ones. It lives in the
// test's own process, behind TLS. Policies are taken in their JSON form alone.
import { createCipheriv, createDecipheriv, createPublicKey, createVerify, randomBytes, randomUUID, X509Certificate }
  from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';

import nodeVault from 'node-vault';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TOKEN_LIFETIME_S = 3600;

// An answer that is an error, as the real ones write it.
class Refusal extends Error {
  constructor(status, ...errors) {
    super(errors.join());
    Object.assign(this, { status, errors });
  }
}
const denied = () => new Refusal(403, '1 error occurred:\n\t* permission denied\n\n');
const noRoute = (where) => new Refusal(404, `no handler for route "${where}". route entry not found.`);

/* --- keys --------------------------------------------------------------------------------------*/

class Key {
  constructor(name, { type = 'aes256-gcm96', derived = false } = {}) {
    Object.assign(this, { name, type, derived, versions: new Map(), latest: 0, minDecryption: 1, minEncryption: 0,
      deletionAllowed: false, softDeleted: false });
    this.rotate();
  }

  rotate() {
    if (this.softDeleted) throw new Refusal(400, 'refusing to use soft-deleted key');
    this.latest += 1;
    this.versions.set(this.latest, { bytes: randomBytes(32), created: Math.floor(Date.now() / 1000) });
  }

  configure(settings) {
    if (settings.min_decryption_version > this.latest) {
      throw new Refusal(400, `cannot set min decryption version of ${settings.min_decryption_version}, ` +
        `latest key version is ${this.latest}`);
    }
    this.minDecryption = settings.min_decryption_version ?? this.minDecryption;
    this.minEncryption = settings.min_encryption_version ?? this.minEncryption;
    this.deletionAllowed = settings.deletion_allowed ?? this.deletionAllowed;
  }

  describe() {
    const listed = [...this.versions].filter(([version]) => version >= this.minDecryption);
    return { name: this.name, type: this.type, derived: this.derived, deletion_allowed: this.deletionAllowed,
      min_available_version: 0, min_decryption_version: this.minDecryption,
      min_encryption_version: this.minEncryption, latest_version: this.latest, exportable: false,
      allow_plaintext_backup: false, supports_encryption: true, supports_decryption: true,
      supports_signing: this.type.startsWith('rsa'), supports_derivation: !this.type.startsWith('rsa'),
      auto_rotate_period: 0, imported_key: false, soft_deleted: this.softDeleted,
      keys: Object.fromEntries(listed.map(([version, { created }]) => [version, created])) };
  }

  encrypt({ plaintext, key_version: asked = 0 }) {
    if (this.softDeleted) throw new Refusal(400, 'refusing to use soft-deleted key');
    const version = asked === 0 ? this.latest : asked;
    if (version > this.latest) {
      throw new Refusal(400, 'requested version for encryption is higher than the latest key version');
    }
    if (version < this.minEncryption) {
      throw new Refusal(400, 'requested version for encryption is less than the minimum encryption key version');
    }
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.versions.get(version).bytes, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(Buffer.from(plaintext, 'base64')), cipher.final(),
      cipher.getAuthTag()]);
    return { ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version };
  }

  decrypt({ ciphertext = '' }) {
    if (this.softDeleted) throw new Refusal(400, 'refusing to use soft-deleted key');
    const [, digits, text] = ciphertext.match(/^vault:v(\d+):(.*)$/) ?? [];
    if (digits === undefined) throw new Refusal(400, 'invalid ciphertext: no prefix');
    const version = Number(digits);
    if (version > this.latest) throw new Refusal(400, 'invalid ciphertext: version is too new');
    if (version < this.minDecryption) {
      throw new Refusal(400, 'ciphertext or signature version is disallowed by policy (too old)');
    }
    const sealed = Buffer.from(text, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', this.versions.get(version).bytes, sealed.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      const plain = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
      return { plaintext: plain.toString('base64') };
    } catch {
      throw new Refusal(400, 'cipher: message authentication failed');
    }
  }
}

class Engine {
  keys = new Map();

  serve(method, [action, name, what], body) {
    const key = this.keys.get(name);
    if (action === 'keys' && what === undefined) return this.manage(method, name, key, body);
    if (action === 'encrypt' || action === 'decrypt') {
      if (key === undefined) throw new Refusal(400, 'encryption key not found');
      return key[action](body);
    }
    if (action !== 'keys' || key === undefined) throw new Refusal(404, 'unsupported path');
    if (what === 'rotate') key.rotate();
    else if (what === 'config') key.configure(body);
    else if (what === 'soft-delete') key.softDeleted = true;
    else if (what === 'soft-delete-restore') key.softDeleted = false;
    else throw new Refusal(404, 'unsupported path');
    return key.describe();
  }

  manage(method, name, key, body) {
    if (method === 'GET') {
      if (key === undefined) throw new Refusal(404);
      return key.describe();
    }
    if (method === 'DELETE') {
      if (!key?.deletionAllowed) {
        throw new Refusal(500, `error deleting policy ${name}: deletion is not allowed for this policy`);
      }
      this.keys.delete(name);
      return undefined;
    }
    if (key === undefined) this.keys.set(name, new Key(name, body));
    return this.keys.get(name).describe();
  }
}

/* --- who may ---------------------------------------------------------------------------------- */

const CAPABILITY = { GET: 'read', POST: 'update', PUT: 'update', DELETE: 'delete' };

// A path of a policy ends with '*' for whatever begins so.
const covers = (pattern, where) => (pattern.endsWith('*') ? where.startsWith(pattern.slice(0, -1)) : where === pattern);

function claimsOf(token, issuer) {
  const [head, claims, signature] = token.split('.');
  const key = issuer.jwks.keys.find(({ kid }) => kid === JSON.parse(Buffer.from(head, 'base64url')).kid);
  const good = key && createVerify('RSA-SHA256').update(`${head}.${claims}`)
    .verify(createPublicKey({ key, format: 'jwk' }), signature, 'base64url');
  if (!good) throw new Refusal(400, 'error validating token: error verifying token signature: no known key');
  const read = JSON.parse(Buffer.from(claims, 'base64url'));
  if (read.exp * 1000 < Date.now()) throw new Refusal(400, 'error validating token: token is expired');
  return read;
}

/* --- the server -------------------------------------------------------------------------------- */

/*
 * options: authority (of makeAuthority; required), and
 *   mount ("transit"), namespace ("")    where the engine is
 *   issuer                               of makeIdentityProvider(): whose tokens the auth method jwt takes
 * A role "gateway" of AppRole, one of jwt for the claim oid "gateway" and one for a certificate have the
 * policy "gateway", which permits what a gateway needs. resourceId, jwtResourceId and tlsResourceId are
 * the identities that log in so.
 */
export async function startTransit(directory, { authority, mount = 'transit', namespace = '', issuer }) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const tls = authority.issue('transit');
  const rootToken = `s.${randomBytes(18).toString('base64url')}`;
  const unsealKey = randomBytes(32).toString('hex');
  const state = { sealed: false, engine: new Engine(), tokens: new Map([[rootToken, { policies: ['root'] }]]),
    policies: new Map(), roles: new Map(), roleIds: new Map(), secretIds: new Map(), calls: [], fault: () => undefined,
    // Whether it has taken an answer over, to do with the response what goes wrong on the way.
    spoil: () => false };

  const newToken = (policies, lifetimeS = TOKEN_LIFETIME_S) => {
    const token = `hvs.${randomBytes(24).toString('base64url')}`;
    state.tokens.set(token, { policies, expiresMs: Date.now() + lifetimeS * 1000 });
    return { auth: { client_token: token, accessor: randomUUID(), policies, token_policies: policies, metadata: {},
      lease_duration: lifetimeS, renewable: true, entity_id: randomUUID(), token_type: 'service', orphan: true } };
  };

  const logins = {
    approle: ({ role_id: roleId, secret_id: secretId }) => {
      const role = state.roleIds.get(roleId);
      if (role === undefined || state.secretIds.get(secretId) !== role) throw new Refusal(400, 'invalid role or secret ID');
      return newToken(state.roles.get(role).token_policies);
    },
    jwt: ({ role, jwt }) => {
      const settings = state.roles.get(role);
      if (settings === undefined) throw new Refusal(400, `role ${JSON.stringify(role)} could not be found`);
      const claims = claimsOf(jwt, issuer);
      if (claims.oid !== settings.bound_claims?.oid) throw new Refusal(400, 'error validating claims: claim "oid" does not match');
      return newToken(settings.token_policies);
    },
    cert: ({ name }, shown) => {
      const role = state.roles.get(name);
      if (!shown || shown.fingerprint256 !== role?.fingerprint) {
        throw new Refusal(400, 'invalid certificate or no client certificate supplied');
      }
      return newToken(role.token_policies);
    },
  };

  const manageRole = (method, [name, what], body) => {
    if (what === 'role-id') return { data: { role_id: state.roles.get(name).roleId } };
    if (what === 'secret-id') {
      const secretId = randomUUID();
      state.secretIds.set(secretId, name);
      return { data: { secret_id: secretId, secret_id_accessor: randomUUID(), secret_id_num_uses: 0, secret_id_ttl: 0 } };
    }
    const { roleId } = state.roles.get(name) ?? {};
    state.roleIds.delete(roleId);
    state.roles.delete(name);
    if (method !== 'DELETE') {
      state.roles.set(name, { ...body, roleId: roleId ?? randomUUID() });
      state.roleIds.set(state.roles.get(name).roleId, name);
    }
    return undefined;
  };

  const system = (method, where, body) => {
    if (where === 'sys/seal') state.sealed = true;
    else if (where.startsWith('sys/policies/acl/') || where.startsWith('sys/policy/')) {
      const name = where.split('/').pop();
      if (method === 'DELETE') state.policies.delete(name);
      else state.policies.set(name, JSON.parse(body.policy ?? body.rules).path);
    } else throw new Refusal(404, 'unsupported path');
    return undefined;
  };

  const permit = (method, where, token, inNamespace) => {
    const full = inNamespace === '' ? where : `${inNamespace}/${where}`;
    const { policies = [], expiresMs } = state.tokens.get(token) ?? {};
    if (expiresMs < Date.now()) state.tokens.delete(token);
    if (!state.tokens.has(token)) throw new Refusal(403, 'permission denied');
    const rules = policies.flatMap((name) => Object.entries(state.policies.get(name) ?? {}));
    if (!policies.includes('root') && !rules.some(([pattern, { capabilities }]) => covers(pattern, full) &&
      capabilities.includes(CAPABILITY[method]))) throw denied();
  };

  const serve = (method, where, { token, inNamespace, body, shown }) => {
    if (where === 'sys/health') {
      return { status: state.sealed ? 503 : 200, json: { initialized: true, sealed: state.sealed, standby: false } };
    }
    if (where === 'sys/unseal') {
      if (body.key === unsealKey) state.sealed = false;
      return { json: { sealed: state.sealed, t: 1, n: 1, progress: 0 } };
    }
    if (state.sealed) throw new Refusal(503, 'Vault is sealed');
    if (!['', namespace].includes(inNamespace)) throw new Refusal(404, 'namespace not found');
    const login = where.match(/^auth\/(\w+)\/login$/);
    if (login && inNamespace === '') {
      if (logins[login[1]] === undefined) throw new Refusal(404, 'specified authentication path was not found');
      return { json: logins[login[1]](body, shown) };
    }
    permit(method, where, token, inNamespace);
    if (where.startsWith('sys/')) return { json: system(method, where, body) };
    const role = where.match(/^auth\/(?:approle\/role|jwt\/role|cert\/certs)\/(.*)$/);
    if (role) return { json: manageRole(method, role[1].split('/'), body) };
    if (!where.startsWith(`${mount}/`) || inNamespace !== namespace || state.engine === undefined) throw noRoute(where);
    const data = state.engine.serve(method, where.slice(mount.length + 1).split('/'), body);
    return { json: data && { data } };
  };

  const answerTo = (request, where, body) => {
    const token = request.headers['x-vault-token'] ?? request.headers.authorization?.replace(/^Bearer /, '');
    const inNamespace = request.headers['x-vault-namespace'] ?? '';
    let answer;
    try {
      answer = state.fault(request.method, where) ??
        serve(request.method, where, { token, inNamespace, body: body.length > 0 ? JSON.parse(body) : {},
          shown: request.socket.getPeerCertificate() });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = { status: error.status, json: { errors: error.errors } };
    }
    const status = answer.status ?? (answer.json ? 200 : 204);
    state.calls.push({ method: request.method, where, status });
    return { status, json: answer.json && (status === 200 ? { request_id: randomUUID(), lease_id: '', renewable: false,
      lease_duration: 0, data: null, wrap_info: null, warnings: null, auth: null, ...answer.json } : answer.json) };
  };

  const server = https.createServer({ cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile),
    requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        const where = new URL(request.url, 'https://localhost').pathname.replace(/^\/v1\//, '');
        const answer = answerTo(request, where, Buffer.concat(parts).toString());
        if (state.spoil(request.method, where, answer, response, Buffer.concat(parts).toString())) return;
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(answer.json && `${JSON.stringify(answer.json)}\n`);
      });
    });
  let port = 0;
  const listen = () => new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  await listen();
  ({ port } = server.address());

  const uri = `https://localhost:${port}`;
  const file = (name, content) => {
    writeFileSync(path.join(directory, name), `${content}\n`, { mode: 0o600 });
    return path.join(directory, name);
  };
  const client = (more = {}) => nodeVault({ apiVersion: 'v1', endpoint: uri, token: rootToken,
    requestOptions: { ca: readFileSync(authority.caFile) }, ...more });
  const admin = client();
  const owner = client({ namespace });
  const key = (name, what = '') => `${mount}/keys/${name}${what}`;

  // Whom the gateway logs in as.
  const role = 'gateway';
  const setPermitted = async (permitted) => (permitted
    ? admin.addPolicy({ name: role, policy: JSON.stringify({ path: {
      [`${namespace && `${namespace}/`}${mount}/keys/*`]: { capabilities: ['read'] },
      [`${namespace && `${namespace}/`}${mount}/encrypt/*`]: { capabilities: ['update'] },
      [`${namespace && `${namespace}/`}${mount}/decrypt/*`]: { capabilities: ['update'] } } }) })
    : admin.removePolicy({ name: role }));
  const newSecretId = async () => {
    state.secretIds.clear();
    const { data } = await admin.getApproleRoleSecret({ role_name: role });
    return file('secret-id', data.secret_id);
  };
  const addJwtRole = () => admin.write(`auth/jwt/role/${role}-jwt`, { token_policies: [role], bound_claims: { oid: role } });
  await setPermitted(true);
  await admin.write(`auth/approle/role/${role}`, { token_policies: [role] });
  const roleId = (await admin.getApproleRoleId({ role_name: role })).data.role_id;
  const secretIdFile = await newSecretId();
  const identity = (name) => `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;
  const identities = [`{ kind = "approle"; resource_id = "${identity('approle')}"; role = "${roleId}"; secret_id_file = "${secretIdFile}"; }`];
  if (issuer) {
    await addJwtRole();
    identities.push(`{ kind = "jwt"; resource_id = "${identity('jwt')}"; role = "${role}-jwt"; ` +
      `federated_token_file = "${file('jwt', issuer.token(role))}"; }`);
  }

  const certificate = authority.issue('gateway-client');
  const addCertRole = () => {
    const pem = readFileSync(certificate.certificateFile, 'utf8');
    return admin.write(`auth/cert/certs/${role}-tls`, { token_policies: [role], certificate: pem,
      fingerprint: new X509Certificate(pem).fingerprint256 });
  };
  await addCertRole();
  identities.push(`{ kind = "tls"; resource_id = "${identity('tls')}"; role = "${role}-tls"; ` +
    `client_certificate_file = "${file('client.pem', readFileSync(certificate.keyFile, 'utf8') +
      readFileSync(certificate.certificateFile, 'utf8'))}"; }`);

  return {
    uri, mount, namespace, rootToken, unsealKey, state, client, admin, owner, identities,
    role, resourceId: identity('approle'), jwtResourceId: identity('jwt'), tlsResourceId: identity('tls'),
    setPermitted, newSecretId,
    removeJwtRole: () => admin.delete(`auth/jwt/role/${role}-jwt`),
    addJwtRole,
    removeCertRole: () => admin.delete(`auth/cert/certs/${role}-tls`),
    addCertRole,
    createKey: (name, settings) => owner.write(key(name), { ...settings }),
    configureKey: (name, settings) => owner.write(key(name, '/config'), settings),
    rotate: (name) => owner.write(key(name, '/rotate'), {}),
    softDelete: (name) => owner.delete(key(name, '/soft-delete')),
    restore: (name) => owner.write(key(name, '/soft-delete-restore'), {}),
    deleteKey: async (name) => {
      await owner.write(key(name, '/config'), { deletion_allowed: true });
      await owner.delete(key(name));
    },
    seal: () => admin.seal(),
    unseal: () => admin.unseal({ key: unsealKey }),
    // The engine is no longer mounted, and its keys are gone, as with `bao secrets disable`.
    disableEngine: () => { state.engine = undefined; },
    // Every token but the root's is gone: somebody has revoked them, or they were lost.
    revokeTokens: () => {
      for (const [token, { policies }] of state.tokens) if (!policies.includes('root')) state.tokens.delete(token);
    },
    countCalls: (where, status) => state.calls.filter((call) => call.where.startsWith(where) &&
      (status === undefined || call.status === status)).length,
    vaultConfig: `{ uri = "${uri}"; kind = "transit"; mount = "${mount}";${namespace && ` namespace = "${namespace}";`} }`,
    listen,
    // For the connections that come from now on; those that there are end.
    show: ({ certificateFile, keyFile } = tls) => {
      server.setSecureContext({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) });
      server.closeAllConnections();
    },
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
