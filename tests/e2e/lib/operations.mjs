// SPDX-License-Identifier: Apache-2.0
// The table of documented operations, read from include/gatekey/operations.def: tests iterate over it.
import { readFileSync } from 'node:fs';

const FIELDS = ['id', 'service', 'name', 'method', 'level', 'restype', 'comp', 'selector', 'access',
  'revoked', 'key', 'success', 'uri', 'query'];
const file = new URL('../../../include/gatekey/operations.def', import.meta.url);

export const operations = readFileSync(file, 'utf8').split('\n')
  .filter((line) => line.startsWith('GK_OPERATION('))
  .map((line) => {
    const values = [...line.slice('GK_OPERATION('.length, line.lastIndexOf(')'))
      .matchAll(/"((?:[^"\\]|\\.)*)"|([A-Z0-9_]+)/g)].map((m) => m[1] ?? m[2]);
    if (values.length !== FIELDS.length) throw new Error(`unreadable row: ${line}`);
    return Object.fromEntries(FIELDS.map((field, i) => [field, values[i]]));
  });

// Whether an operation fails while the key is revoked: documented so, or impossible without the key.
export const needsKey = (row, { metadata = false } = {}) => row.revoked === 'DENY' ||
  row.key === 'DATA' || row.key === 'METADATA' || (row.key === 'IF_METADATA' && metadata);

// The plainest request that the row describes, on this container and blob.
export function requestFor(row, container, blob) {
  const path = { SERVICE: '/', CONTAINER: `/${container}`, ANY: `/${container}/${blob}`,
    BLOB: `/${container}/${blob}` }[row.level];
  const query = {};
  if (row.restype) query.restype = row.restype;
  if (row.comp) query.comp = row.comp;
  const headers = {};
  for (const selector of row.selector.split(' ').filter(Boolean)) {
    const [kind, rest] = [selector[0], selector.slice(2)];
    const [name, value] = rest.split('=');
    if (kind === 'h') headers[name] = value ?? 'https://example.invalid/source';
    if (kind === 'q') query[name] = value;
    if (kind === 'm') headers[`${rest}one`] = '1';
  }
  return { method: row.method.split('/')[0], path, query, headers, body: undefined };
}
