// SPDX-License-Identifier: Apache-2.0
// Where a gateway under test keeps its data: in a directory of its own, or, with GATEKEY_TEST_STORE=rados
// in the environment, on the Ceph cluster in GATEKEY_TEST_CEPH (scripts/ceph), in a RADOS namespace of
// its own.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const RADOS_SPACE = fileURLToPath(new URL('../../lib/rados_space.py', import.meta.url));
const SEALED_CHUNK_BYTES = 65536 + 16;

export const onRados = process.env.GATEKEY_TEST_STORE === 'rados';

const quote = (text) => `"${text}"`;
const radosSpace = (...args) => execFileSync('/usr/bin/python3', ['-B', RADOS_SPACE, ...args]);

function* filesIn(directory) {
  for (const name of readdirSync(directory, { recursive: true })) {
    const full = path.join(directory, name);
    if (statSync(full).isFile()) yield full;
  }
}

function embedded(directory) {
  return {
    config: `state_dir = ${quote(directory)};`,
    place: directory,
    files: () => filesIn(directory),
    spoiled: (copy) => {
      cpSync(directory, copy, { recursive: true });
      for (const file of filesIn(path.join(copy, 'volumes'))) {
        const handle = openSync(file, 'r+');
        const byte = Buffer.alloc(1);
        for (let at = 100; at < statSync(file).size; at += SEALED_CHUNK_BYTES) {
          readSync(handle, byte, 0, 1, at);
          byte[0] ^= 1;
          writeSync(handle, byte, 0, 1, at);
        }
        closeSync(handle);
      }
      return copy;
    },
  };
}

function rados() {
  const cluster = process.env.GATEKEY_TEST_CEPH;
  const conf = path.join(cluster, 'ceph.conf');
  const namespace = `e2e-${randomBytes(8).toString('hex')}`;
  const place = `rados:${conf}:${namespace}`;
  return {
    config: `store = { engine = "rados"; conf = ${quote(conf)}; user = "client.gatekey";
  keyring = ${quote(path.join(cluster, 'gatekey.keyring'))}; meta_pool = "gatekey.meta";
  data_pool = "gatekey.data"; namespace = ${quote(namespace)}; };`,
    place,
    files: (scratch) => {
      radosSpace('dump', place, scratch);
      return filesIn(scratch);
    },
    spoiled: () => {
      radosSpace('spoil', place);
      return place;
    },
    leaseHolder: (account) => new Promise((resolve) => {
      execFile('rados', ['-c', conf, '-p', 'gatekey.meta', '-N', namespace, 'lock', 'info',
        `lease/${account}`, 'gatekey.lease', '--format', 'json'], (error, stdout) => {
        const [locker] = error ? [] : JSON.parse(stdout).lockers;
        resolve(locker === undefined ? undefined : Number(locker.description.match(/^process (\d+)$/)[1]));
      });
    }),
  };
}

/*
 * What startGateway() needs of a store, and the tests that look behind the gateway's back:
 *   config            for the gateway's configuration
 *   place             for tests/vectors/read_store.py and those that use it
 *   files(scratch)    everything that is stored, in files; made in scratch where there are none
 *   leaseHolder(name) on RADOS: the process id of who holds the account's lease, or undefined
 *   spoiled(copy)     the place of the same data with a byte of each chunk changed: a copy, or it itself
 */
export const makeStore = (directory) => (onRados ? rados() : embedded(directory));
