// SPDX-License-Identifier: Apache-2.0
// The daemons that collect logs, the real ones: systemd-journald and rsyslogd, in a mount namespace of their own in
// which /run, /var/log and the machine's id are this test's. The machine's own daemons and logs are not touched.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { program } from './process.mjs';
import { until } from './stack.mjs';

const JOURNALD = '/lib/systemd/systemd-journald';
const MACHINE_ID = '/etc/machine-id';

const rsyslogd = spawnSync('sh', ['-c', 'command -v rsyslogd'], { encoding: 'utf8' }).stdout.trim();

// Why they cannot run here; undefined: they can.
export function whyNoLogDaemons() {
  if (!existsSync(JOURNALD) || !rsyslogd) return 'systemd-journald or rsyslogd is missing';
  if (!existsSync(MACHINE_ID)) return `${MACHINE_ID} is missing`;
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return 'mounting needs root';
  return undefined;
}

/*
 * Returns { journalSocket, syslogSocket, run, startSyslog, stopSyslog, stop }. run(command) runs a shell's command
 * where the daemons are, with this build's gatekeyctl in the PATH, to { code, stdout, stderr }; the journal is
 * journalctl's there, and rsyslogd writes as Debian has it: authpriv to /var/log/auth.log.
 */
export async function startLogDaemons() {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'gatekey-logs-')));
  const inside = (...names) => path.join(directory, ...names);
  const journalSocket = inside('run/systemd/journal/socket');
  const syslogSocket = inside('run/log.socket');
  mkdirSync(inside('run/systemd/journald.conf.d'), { recursive: true });
  mkdirSync(inside('log'));
  writeFileSync(inside('machine-id'), `${'7'.repeat(32)}\n`);
  writeFileSync(inside('run/systemd/journald.conf.d/test.conf'),
    '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nForwardToSyslog=no\nRateLimitBurst=0\n');
  writeFileSync(inside('rsyslog.conf'), `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/log.socket")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.* /var/log/auth.log
`);
  const start = (command, args) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], { stdio: 'ignore' });
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    return { pid: child.pid, end: () => {
      child.kill('SIGTERM');
      return ended;
    } };
  };
  const isSocket = (file) => statSync(file).isSocket();

  const journald = start('unshare', ['--mount', 'sh', '-c', `mount --bind ${inside('run')} /run && ` +
    `mount --bind ${inside('log')} /var/log && mount --bind ${inside('machine-id')} ${MACHINE_ID} && exec ${JOURNALD}`]);
  const there = ['--target', String(journald.pid), '--mount'];
  // A program that was taken out of its package has its modules beside it.
  const libraries = path.join(path.dirname(path.dirname(rsyslogd)), 'lib');
  const modules = readdirSync(libraries).map((name) => path.join(libraries, name, 'rsyslog')).find(existsSync);
  let syslog;
  const startSyslog = async () => {
    rmSync(syslogSocket, { force: true });
    syslog = start('nsenter', [...there, rsyslogd, '-n', '-f', inside('rsyslog.conf'), '-i', inside('rsyslog.pid'), '-M', modules]);
    await until(() => isSocket(syslogSocket), 'rsyslogd');
  };
  await until(() => isSocket(journalSocket), 'systemd-journald');
  await startSyslog();

  return { journalSocket, syslogSocket, startSyslog, stopSyslog: () => syslog.end(),
    run: (command) => {
      const done = spawnSync('nsenter', [...there, 'bash', '-o', 'pipefail', '-c', command],
        { encoding: 'utf8', env: { PATH: `${path.dirname(program('ctl', 'gatekeyctl'))}:${process.env.PATH}` } });
      return { code: done.status, stdout: done.stdout, stderr: done.stderr };
    },
    stop: async () => {
      await syslog.end();
      await journald.end();
      rmSync(directory, { recursive: true, force: true });
    } };
}
