// SPDX-License-Identifier: Apache-2.0
// Accounts' objects changed behind the gateway's back, as an accident or an operator's rados tool would.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const EMBEDDED = fileURLToPath(new URL('../../lib/account_object.py', import.meta.url));
const BYTES_MAX = 16 << 20;

export const RECORD = 'gatekey.account';
export const PROFILE = 'gateway.account';

// Runs one of the rados tool's commands, or what stands for it on a store without that tool.
function run(stack, args, input) {
  const place = stack.gateway.store?.place ?? stack.gateway.stateDir;
  const [, conf, namespace] = /^rados:(.*):(.*)$/.exec(place) ?? [];
  const command = conf === undefined ? ['/usr/bin/python3', '-B', EMBEDDED, place] :
    ['rados', '-c', conf, '-p', 'gatekey.meta', '-N', namespace, '--target-nspace', namespace];
  const done = spawnSync(command[0], [...command.slice(1), ...args], { input, maxBuffer: BYTES_MAX });
  if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

const lines = (bytes) => bytes.toString().split('\n').filter((line) => line !== '');

// map[key] := value, of an object in the pool of metadata.
export const setMapValue = (stack, object, key, value) => run(stack, ['setomapval', object, key, value]);

// The record of every blob of that name, in whatever container, is no record any more.
export function damageBlob(stack, blob) {
  const key = `b/${blob}`;
  for (const object of lines(run(stack, ['ls'])).filter((name) => name.startsWith('index/'))) {
    if (lines(run(stack, ['listomapkeys', object])).includes(key)) run(stack, ['setomapval', object, key, 'damaged']);
  }
}

// What is done while the gateway runs is seen by its next read. kind: 'scope' for an encryption scope, whose
// name is account/scope.
export function accountObject(stack, name, kind = 'account') {
  const object = `${kind}/${name}`;
  return {
    names: () => lines(run(stack, ['listxattr', object])),
    containers: () => lines(run(stack, ['listomapkeys', object])).filter((key) => key.startsWith('c/')),
    get: (attribute) => run(stack, ['getxattr', object, attribute]),
    set: (attribute, value) => run(stack, ['setxattr', object, attribute], value),
    lose: (attribute) => run(stack, ['rmxattr', object, attribute]),
    loseAll: () => run(stack, ['rm', object]),
    // Attributes and containers, under another account's name, which must not be there.
    copyTo: (other) => run(stack, ['cp', object, `${kind}/${other}`]),
  };
}
