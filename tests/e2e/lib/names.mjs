// SPDX-License-Identifier: Apache-2.0
// A name service of a test's own for the gateway: it runs in a mount namespace in which /etc/hosts is the test's, and
// nobody else is asked.
import { execFileSync } from 'node:child_process';
import dns from 'node:dns';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

// Root may make a mount namespace; others may where they can have a user namespace too.
const unshare = ['unshare', ...(process.getuid() === 0 ? ['--mount'] : ['--mount', '--map-root-user'])];
// $0 and $1 in place of the files, for the command that follows them.
const MOUNT = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/nsswitch.conf';

function isPossible() {
  try {
    execFileSync(unshare[0], [...unshare.slice(1), 'sh', '-c', MOUNT, '/etc/hosts', '/etc/hosts'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

// Why there are no names of one's own here; false where there are.
export const noNames = !isPossible() && 'no mount namespace can be made here';

/*
 * { command, set }: command goes before the gateway's own; set(...names) makes these the names there are, all of this
 * machine. The test's own process finds known there whatever the gateway does.
 */
export function makeNames(directory, known) {
  const hosts = path.join(directory, 'hosts');
  const nsswitch = path.join(directory, 'nsswitch.conf');
  writeFileSync(nsswitch, 'hosts: files\n');
  // In place: it is the file that is mounted.
  const set = (...names) => writeFileSync(hosts, names.map((name) => `127.0.0.1 ${name}\n`).join(''));
  const { lookup } = dns;
  dns.lookup = (name, ...rest) => lookup(name === known ? '127.0.0.1' : name, ...rest);
  return { set, command: [...unshare, 'sh', '-c', `${MOUNT} && shift && exec "$@"`, hosts, nsswitch] };
}
