// SPDX-License-Identifier: Apache-2.0
// The stand-in for a transit engine (tests/e2e/lib/transit.mjs) as a process, for tests in Python: DIRECTORY is where it
// keeps what it makes. DIRECTORY/ready says where it is and how a gateway is configured for it, once it listens. Beside
// it listens its control, in JSON:
//
//   POST /faults {key, operation, and what goes wrong, as POST /control/faults of keyvaultd takes it}; of logins, which
//                            are its operation token, client_id is the role's id
//   DELETE /faults?key=K&client_id=R   ends those of a key and those of a role; {"taken"}: how many calls they have met
//   POST /show {impostor}    from now on with a certificate that somebody else has issued, or its own; ends all faults
import { renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { makeAuthority } from '../e2e/lib/certificates.mjs';
import { startTransit } from '../e2e/lib/transit.mjs';

const PLACES = { get: 'keys', wrapKey: 'encrypt', unwrapKey: 'decrypt' };
const HUGE_BYTES = 8 << 20;

const directory = process.argv[2];
const authority = makeAuthority(path.join(directory, 'authority'));
const impostor = makeAuthority(path.join(directory, 'impostor')).issue('impostor');
const transit = await startTransit(path.join(directory, 'transit'), { authority });
let faults = [];

/* --- what goes wrong ---------------------------------------------------------------------------- */

const resize = (text, step) => {
  const bytes = Buffer.from(text, 'base64');
  return Buffer.concat([bytes, Buffer.alloc(1)]).subarray(0, bytes.length + step).toString('base64');
};
const write = (response, { status, json }, { retry_after: seconds, body = JSON.stringify(json) } = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...(seconds && { 'retry-after': seconds }) });
  response.end(status === 204 ? undefined : body);
};
// The true answer with something else in it, where it has that.
const changed = (answer, change) => ({ ...answer, json: answer.json?.data ? { ...answer.json, data: change({ ...answer.json.data }) } :
  answer.json });
const actions = {
  drop: (response) => response.socket.destroy(),
  garbage: (response) => write(response, { status: 200 }, { body: '\u0000{]' }),
  truncate: (response, { status, json }) => {
    const text = JSON.stringify(json);
    response.writeHead(status, { 'content-length': text.length });
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  },
  huge: (response) => {
    response.on('error', () => {});
    write(response, { status: 200 }, { body: `{"data":"${'A'.repeat(HUGE_BYTES)}` });
  },
  wrong_version: (response, answer) => write(response, changed(answer, (data) => ({ ...data,
    ...(data.latest_version && { latest_version: data.latest_version + 1 }),
    ...(data.ciphertext && { ciphertext: data.ciphertext.replace(/^vault:v(\d+)/, (_, n) => `vault:v${Number(n) + 1}`) }) }))),
  short_key: (response, answer) => write(response, changed(answer, (data) => ({ ...data,
    ...(data.plaintext && { plaintext: resize(data.plaintext, -1) }) }))),
  long_key: (response, answer) => write(response, changed(answer, (data) => ({ ...data,
    ...(data.plaintext && { plaintext: resize(data.plaintext, 1) }) }))),
};

const isAbout = ({ key, client_id: role, operation }, method, where, body) => (operation === 'token' ?
  where === 'auth/approle/login' && JSON.parse(body).role_id === role :
  where === `${transit.mount}/${PLACES[operation]}/${key}` && (operation !== 'get' || method === 'GET'));
const send = (fault, answer, response) => {
  if (fault.action) actions[fault.action](response, answer);
  else if (fault.status) write(response, { status: fault.status, json: { errors: ['a fault'] } }, fault);
  else write(response, answer);
};

transit.state.spoil = (method, where, answer, response, body) => {
  console.log(`${new Date().toISOString()} ${method} ${where} ${answer.status}`);
  const fault = faults.find((one) => isAbout(one, method, where, body));
  if (fault === undefined) return false;
  fault.taken += 1;
  console.log(`${where}: ${JSON.stringify(fault)}`);
  if (fault.taken === fault.count) faults.splice(faults.indexOf(fault), 1);
  if (fault.delay_ms) setTimeout(() => send(fault, answer, response), fault.delay_ms);
  else send(fault, answer, response);
  return true;
};

/* --- the control -------------------------------------------------------------------------------- */

const control = {
  'POST /faults': (_, fault) => { faults.push({ ...fault, taken: 0 }); },
  'DELETE /faults': (query) => {
    const isMine = ({ key, client_id: role }) => (role ? role === query.get('client_id') : key === query.get('key'));
    const mine = faults.filter(isMine);
    faults = faults.filter((fault) => !isMine(fault));
    return { taken: mine.reduce((sum, { taken }) => sum + taken, 0) };
  },
  'POST /show': (_, { impostor: wanted }) => {
    faults = [];
    transit.show(wanted ? impostor : undefined);
  },
};

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const url = new URL(request.url, 'http://localhost');
  const body = parts.length > 0 ? JSON.parse(Buffer.concat(parts).toString()) : undefined;
  response.end(JSON.stringify(control[`${request.method} ${url.pathname}`](url.searchParams, body) ?? {}));
});
server.listen(0, '127.0.0.1', () => {
  const ready = path.join(directory, 'ready');
  writeFileSync(`${ready}.new`, JSON.stringify({ uri: transit.uri, control: `http://127.0.0.1:${server.address().port}`,
    ca: authority.caFile, token: transit.rootToken, engine: `${transit.uri}/v1/${transit.mount}`, policy: transit.role,
    secrets: [transit.rootToken, transit.unsealKey, ...transit.state.secretIds.keys()],
    vault_config: transit.vaultConfig }));
  renameSync(`${ready}.new`, ready);
});
