// SPDX-License-Identifier: Apache-2.0
// What a store has of an account, read without the gateway.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { onRados } from './store.mjs';

const STORED_KEYS = fileURLToPath(new URL('./stored_keys.py', import.meta.url));
const STORED_OBJECTS = fileURLToPath(new URL('./stored_objects.py', import.meta.url));
const SKIPPED = 77; // the system's Python has no "cryptography"

const python = (...args) => spawnSync('/usr/bin/python3', ['-B', ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });

const json = ({ status, stdout, stderr }) => {
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};

// Only RADOS can be read while the gateway runs, and there one that is stopped for each look comes to remove nothing in
// between.
async function look(stack, read) {
  if (!onRados) await stack.gateway.stop();
  const found = read(stack.gateway.store.place);
  if (!onRados) await stack.gateway.start();
  return found;
}

// SHA-256s of data objects, by their names.
export const objectsIn = async (stack) => json(await look(stack, (place) => python(STORED_OBJECTS, place)));

// Data keys, and objects as above, by their names. Nothing where the system's Python cannot tell.
export async function storedIn(stack) {
  const [found, objects] = await look(stack, (place) => [
    python(STORED_KEYS, place, stack.gateway.serviceKeyFile, stack.vault.stateDir, stack.account),
    python(STORED_OBJECTS, place),
  ]);
  if (found.status === SKIPPED) return {};
  const dataKeys = Object.entries(json(found)).filter(([what]) => what.startsWith('data key'));
  return { keys: Object.fromEntries(dataKeys), objects: json(objects) };
}
