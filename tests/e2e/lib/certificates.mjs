// SPDX-License-Identifier: Apache-2.0
// A throw-away certificate authority and server certificates, by the openssl program.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

// What a public_key_pins of the gateway's has for a server with that certificate.
export function pinOf(certificateFile) {
  const publicKey = new X509Certificate(readFileSync(certificateFile)).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256//${createHash('sha256').update(publicKey).digest('base64')}`;
}

// Makes the authority in directory; returns { caFile, issue(name, hosts, options) -> {certificateFile, keyFile} }.
// options: uris beside the hosts; subject; usage ('serverAuth'); days that it lasts, which may be over.
export function makeAuthority(directory) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = (name) => path.join(directory, name);
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3',
    '-subj', '/CN=gatekey tests', '-keyout', file('ca.key'), '-out', file('ca.pem'),
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
  return {
    caFile: file('ca.pem'),
    issue(name, hosts = ['localhost', '127.0.0.1'],
      { uris = [], subject = `/CN=${name}`, usage = 'serverAuth', days = 3 } = {}) {
      const names = [...hosts.map((host) => (/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`)),
        ...uris.map((uri) => `URI:${uri}`)];
      writeFileSync(file(`${name}.ext`), `subjectAltName=${names.join(',')}\nextendedKeyUsage=${usage}\n`);
      openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
        '-subj', subject, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`));
      openssl('x509', '-req', '-in', file(`${name}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key'),
        '-CAcreateserial', '-days', `${days}`, '-extfile', file(`${name}.ext`), '-out', file(`${name}.pem`));
      return { certificateFile: file(`${name}.pem`), keyFile: file(`${name}.key`) };
    },
  };
}
