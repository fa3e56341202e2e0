// SPDX-License-Identifier: Apache-2.0
// A program on a terminal of its own, which script(1) makes: what is shown there, and keys that are pressed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

// ended resolves to { code, shown }; lines() are those that were drawn over one another until now.
export function onTerminal(columns, command, args, env) {
  const words = [command, ...args].map(quoted).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command',
    `stty cols ${columns} && exec ${words}`, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { shown += text; });
  return {
    ended: once(child, 'close').then(([code]) => ({ code, shown })),
    lines: () => shown.split(/[\r\n]+/),
    press: (key) => child.stdin.write(key),
  };
}
