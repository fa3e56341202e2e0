// SPDX-License-Identifier: Apache-2.0
// An identity provider that consists of its keys: tokens as one would issue them, and wrong ones.
import { createHmac, createSign, generateKeyPairSync, randomUUID } from 'node:crypto';

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  .toString('base64url');

export function makeIdentityProvider() {
  const issuer = 'https://identity.gatekey.test/tenant/v2.0';
  const audience = 'https://storage.azure.com';
  const tenant = randomUUID();
  const newKey = () => ({ kid: randomUUID(), ...generateKeyPairSync('rsa', { modulusLength: 2048 }) });
  const keys = [newKey()];
  const claimsOf = (object, claims) => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: issuer, aud: audience, oid: object, tid: tenant, iat: now, nbf: now, exp: now + 3600, ...claims };
  };
  return {
    issuer, audience, tenant,
    get jwks() {
      return { keys: keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' })) };
    },
    // From now on tokens are signed with another key; the former ones are still in the set.
    rollKey: () => { keys.unshift(newKey()); },
    // Of whom object is the id; claims and header change what is usual, key signs in place of the newest one.
    token: (object, { claims, header, key = keys[0] } = {}) => {
      const text = `${base64url({ typ: 'JWT', alg: 'RS256', kid: keys[0].kid, ...header })}.` +
        base64url(claimsOf(object, claims));
      return `${text}.${createSign('RSA-SHA256').update(text).sign(key.privateKey).toString('base64url')}`;
    },
    strangersKey: newKey,
    // Signed with what everybody knows.
    tokenOfPublicKey: (object) => {
      const [{ kid, publicKey }] = keys;
      const text = `${base64url({ typ: 'JWT', alg: 'HS256', kid })}.${base64url(claimsOf(object))}`;
      const secret = publicKey.export({ format: 'pem', type: 'spki' });
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    },
    unsignedToken: (object) => `${base64url({ typ: 'JWT', alg: 'none' })}.${base64url(claimsOf(object))}.`,
    // What the vendor's SDKs ask for tokens.
    credentialOf(object) {
      return { getToken: async () => ({ token: this.token(object), expiresOnTimestamp: Date.now() + 3000e3 }) };
    },
  };
}
