// SPDX-License-Identifier: Apache-2.0
// Requests by hand, signed with Shared Key or carrying a SAS: for what an SDK would never send.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

const SIGNED = ['content-encoding', 'content-language', 'content-length', 'content-md5', 'content-type',
  'date', 'if-modified-since', 'if-match', 'if-none-match', 'if-unmodified-since', 'range'];

export function sharedKey({ account, accountKey, method, path, query, headers }) {
  const lower = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
  const lines = SIGNED.map((name) => (name === 'content-length' && lower[name] === '0' ? '' :
    name === 'date' && lower['x-ms-date'] ? '' : lower[name] ?? ''));
  const canonicalHeaders = Object.keys(lower).filter((name) => name.startsWith('x-ms-')).sort()
    .map((name) => `${name}:${String(lower[name]).trim()}\n`).join('');
  const resource = `/${account}${path}${Object.keys(query).map((name) => name.toLowerCase()).sort()
    .map((name) => `\n${name}:${query[Object.keys(query).find((k) => k.toLowerCase() === name)]}`)
    .join('')}`;
  const toSign = `${method}\n${lines.join('\n')}\n${canonicalHeaders}${resource}`;
  const signature = createHmac('sha256', Buffer.from(accountKey, 'base64')).update(toSign, 'utf8')
    .digest('base64');
  return `SharedKey ${account}:${signature}`;
}

export function accountSas({ account, accountKey, permissions = 'rwdlactfi', resourceTypes = 'sco', expiry }) {
  const query = { sv: '2020-12-06', ss: 'b', srt: resourceTypes, sp: permissions,
    se: expiry ?? new Date(Date.now() + 3600e3).toISOString().replace(/\.\d+/, '') };
  const toSign = [account, query.sp, query.ss, query.srt, '', query.se, '', '', query.sv, '', ''].join('\n');
  query.sig = createHmac('sha256', Buffer.from(accountKey, 'base64')).update(toSign).digest('base64');
  return query;
}

// For a container and all its blobs (blob undefined), or for one blob.
export function serviceSas({ account, accountKey }, container, blob, permissions = 'racwdltfi',
  protocol = '') {
  const query = { sv: '2020-12-06', sr: blob === undefined ? 'c' : 'b', sp: permissions,
    se: new Date(Date.now() + 3600e3).toISOString().replace(/\.\d+/, '') };
  if (protocol !== '') query.spr = protocol;
  const resource = `/blob/${account}/${container}${blob === undefined ? '' : `/${blob}`}`;
  const toSign = [query.sp, '', query.se, resource, '', '', protocol, query.sv, query.sr, '', '', '', '', '', '',
    ''].join('\n');
  query.sig = createHmac('sha256', Buffer.from(accountKey, 'base64')).update(toSign).digest('base64');
  return query;
}

export const encodeQuery = (query) => Object.entries(query)
  .map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join('&');

// Sends one request and resolves to { status, code, headers, body }. `raw` may change the options of
// node:http at the last moment, after the signature.
export function send(stack, { method, path, query = {}, headers = {}, body, sas, unsigned, secondary, tls, raw }) {
  const base = new URL(tls ? stack.blobEndpointTls : stack.blobEndpoint);
  const fullPath = base.pathname.replace(/\/$/, '') + (secondary ? '-secondary' : '') + path;
  const all = { 'x-ms-version': '2021-12-02', 'x-ms-date': new Date().toUTCString(), ...headers };
  if (body !== undefined) all['content-length'] = String(Buffer.byteLength(body));
  else if (method === 'PUT' || method === 'POST') all['content-length'] = '0';
  const allQuery = { ...query, ...(sas ?? {}) };
  if (!sas && !unsigned) {
    all.authorization = sharedKey({ account: stack.account, accountKey: stack.accountKey, method,
      path: fullPath, query, headers: all });
  }
  const options = { host: base.hostname, port: base.port, method, agent: false, headers: all, ca: stack.ca,
    path: fullPath + (Object.keys(allQuery).length ? `?${encodeQuery(allQuery)}` : '') };
  raw?.(options);
  return new Promise((resolve, reject) => {
    const request = (tls ? https : http).request(options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers,
        code: answer.headers['x-ms-error-code'], body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
