// SPDX-License-Identifier: Apache-2.0
// The audit's chain: gatekeyctl finds what somebody changed, took away or put in, in the file, the journal and syslog's
// file, by the commands of docs/audit.md; a restart or a rotated file is none of that.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startLogDaemons, whyNoLogDaemons } from './lib/log_daemons.mjs';
import { program } from './lib/process.mjs';
import { startStack } from './lib/stack.mjs';

const [ofCompressed, ofJournal, ofSyslog] = [...readFileSync(fileURLToPath(new URL('../../docs/audit.md', import.meta.url)), 'utf8')
  .matchAll(/^```\n(.* \| gatekeyctl audit verify)\n```$/gm)].map(([, command]) => command);
const skip = whyNoLogDaemons();
let daemons;
let stack;
let file;

before(async () => {
  daemons = skip ? undefined : await startLogDaemons();
  stack = await startStack({ auditJournal: daemons?.journalSocket, auditSyslog: daemons?.syslogSocket });
  file = stack.gateway.auditFile;
  await events(4);
});
after(async () => {
  await stack?.stop();
  await daemons?.stop();
});

// Each is one event.
async function events(count) {
  for (let i = 0; i < count; i++) assert.equal((await stack.ctl('account', 'keys', stack.account)).code, 0);
}

const lines = (from = file) => readFileSync(from, 'utf8').split('\n').slice(0, -1);

async function verify(code, from = file, ...more) {
  const done = await stack.ctl('audit', 'verify', from, '--json', ...more);
  assert.equal(done.code, code, done.stdout + done.stderr);
  return JSON.parse(done.stdout);
}

test('an untouched file is whole, over a restart and after a rotation', async () => {
  const begun = await verify(0);
  assert.equal(begun.first, 1);
  assert.equal(begun.last, lines().length);
  assert.equal(begun.events, lines().length);
  const head = `${begun.last}:${begun.hash}`;
  await stack.gateway.restart();
  await events(1);
  const later = await verify(0, file, '--head', head);
  assert.ok(later.last > begun.last);
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
  assert.equal((await verify(0)).events, 0);
  await events(2);
  assert.equal((await verify(0)).first, later.last + 1);
  await stack.gateway.restart();
  await events(1);
  const all = spawnSync(program('ctl', 'gatekeyctl'), ['audit', 'verify', '--json', '--head', head],
    { input: Buffer.concat([readFileSync(`${file}.1`), readFileSync(file)]) });
  assert.equal(all.status, 0, all.stdout.toString());
  assert.equal(JSON.parse(all.stdout).first, 1);
  assert.equal((await verify(0, `${file}.1`, file, '--head', head)).first, 1);
  writeFileSync(file, Buffer.concat([readFileSync(`${file}.1`), readFileSync(file)]));
});

test('a file that is moved away is begun anew at once, and all of them are one chain', async () => {
  const before = await verify(0);
  renameSync(file, `${file}.1`);
  await events(2);
  renameSync(file, `${file}.2`);
  await events(1);
  assert.equal((await verify(0)).first, before.last + 3);
  const all = await verify(0, `${file}.1`, `${file}.2`, file);
  assert.deepEqual([all.first, all.last, all.events], [before.first, before.last + 3, before.events + 3]);
  const { problems } = await verify(5, `${file}.1`, file);
  assert.match(problems.join(), /audit.log:1: events \d+ to \d+ are missing/);
  const parts = [`${file}.1`, `${file}.2`, file].map((part) => readFileSync(part));
  writeFileSync(file, Buffer.concat(parts));
});

test('rotated files that are compressed', async () => {
  const half = lines().length >> 1;
  const parts = ['first.log', 'second.log'].map((name) => path.join(stack.directory, name));
  writeFileSync(parts[0], lines().slice(0, half).map((line) => `${line}\n`).join(''));
  writeFileSync(parts[1], lines().slice(half).map((line) => `${line}\n`).join(''));
  assert.equal(spawnSync('gzip', parts).status, 0);
  const run = (...files) => spawnSync('bash', ['-o', 'pipefail', '-c', ofCompressed.replace('FILE...', files.map((one) => `${one}.gz`).join(' '))],
    { encoding: 'utf8', env: { PATH: `${path.dirname(program('ctl', 'gatekeyctl'))}:${process.env.PATH}` } });
  assert.equal(run(...parts).status, 0, run(...parts).stderr);
  assert.equal(run(parts[1], parts[0]).status, 5);
});

/* --- the daemons -------------------------------------------------------------------------------*/

// By a command of the docs, of which the lines go through another on their way.
async function verifyThere(command, code, { through = 'cat', options = '' } = {}) {
  const [source] = command.split(' | gatekeyctl');
  const done = daemons.run(`${source} | ${through} | gatekeyctl audit verify --json ${options}`);
  assert.equal(done.code, code, `${command}: ${done.stdout}${done.stderr}`);
  return JSON.parse(done.stdout);
}

const head = ({ last, hash }) => `--head ${last}:${hash}`;

for (const [name, command] of [['the journal', ofJournal], ['syslog', ofSyslog]]) {
  test(`${name} has the file’s lines, and what was changed or taken away is found`, { skip }, async () => {
    daemons.run('logger --socket /run/log.socket -p authpriv.info -t sshd -- "{ of another program’s }"');
    await events(2);
    const wanted = await verify(0);
    await stack.until(async () => daemons.run(command).stdout.includes(`${wanted.last}`), `the last line in ${name}`);
    const { code, stdout } = daemons.run(command);
    assert.equal(code, 0, stdout);
    assert.deepEqual(daemons.run(command.split(' | gatekeyctl')[0]).stdout.split('\n').slice(0, -1), lines());
    const found = await verifyThere(command, 0, { options: head(wanted) });
    assert.deepEqual([found.first, found.last, found.hash], [1, wanted.last, wanted.hash]);
    const expect = async (through, problem, options) => {
      const { problems } = await verifyThere(command, 5, { through, options });
      assert.ok(problems.some((text) => problem.test(text)), `${through}: ${problems}`);
    };
    await expect('sed 3d', /events 3 to 3 are missing/);
    await expect(`sed '3s/"ok"/"no"/'`, /the line before is not what it was/);
    await expect(`sed '$s/"ok"/"no"/'`, /is not what was noted/, head(wanted));
    await expect(`sed '$d'`, /which was noted, is not there/, head(wanted));
  });
}

test('what the journal has can be looked for by its fields', { skip }, async () => {
  const done = daemons.run('journalctl GATEKEY_EVENT=account.keys.list GATEKEY_ACTOR=operator -o cat');
  assert.deepEqual(done.stdout.split('\n').slice(0, -1), lines().filter((line) => line.includes('"account.keys.list"')));
  const last = lines().at(-1);
  assert.equal(daemons.run(`journalctl GATEKEY_CAUSED_BY=${JSON.parse(last).causedBy} -o cat`).stdout, `${last}\n`);
});

test('what a daemon has missed is a gap there alone', { skip }, async () => {
  const failures = async () => Number(/^gatekey_audit_failures_total (\d+)$/m.exec((await stack.management.request('GET', '/metrics')).body)?.[1] ?? 0);
  const before = await failures();
  await daemons.stopSyslog();
  await events(1);
  const { last } = await verify(0);
  assert.equal(await failures(), before + 1);
  await daemons.startSyslog();
  await events(1);
  await stack.until(() => daemons.run(ofSyslog).stdout.includes(`events ${last} to ${last} are missing`), 'the gap in syslog');
  assert.equal(daemons.run(ofSyslog).code, 5);
  assert.equal((await verifyThere(ofJournal, 0)).last, last + 1);
});

test('what was changed, taken away or put in is found', async () => {
  const whole = lines();
  const noted = await verify(0);
  const copy = path.join(stack.directory, 'copy.log');
  const expect = async (what, changed, problem, ...options) => {
    writeFileSync(copy, changed.map((line) => `${line}\n`).join(''));
    copyFileSync(`${file}.head`, `${copy}.head`);
    const { problems } = await verify(5, copy, ...options);
    assert.ok(problems.some((text) => problem.test(text)), `${what}: ${problems}`);
  };
  const without = (at) => whole.filter((_, i) => i !== at);
  await expect('changed', whole.with(2, whole[2].replace('"ok"', '"no"')), /:4: the line before is not what it was/);
  await expect('taken away', without(2), /:3: events 3 to 3 are missing/);
  await expect('put in', whole.toSpliced(2, 0, whole[1]), /event 2 comes after event 2/);
  await expect('swapped', whole.with(2, whole[3]).with(3, whole[2]), /:3: events 3 to 3 are missing/);
  await expect('no line', whole.toSpliced(2, 0, 'text'), /:3: this is no line of the chain/);
  await expect('the last one changed', whole.with(-1, whole.at(-1).replace('"ok"', '"no"')), /is not what it was/);
  await expect('the last one taken away', whole.slice(0, -1), /events \d+ to \d+ are missing after/);
  await expect('another history', whole, /is not what was noted/, '--head', `${noted.last}:${'0'.repeat(64)}`);
  await expect('a shorter history', whole, /which was noted, is not there/, '--head',
    `${noted.last + 1}:${noted.hash}`);
  assert.equal((await stack.ctl('audit', 'verify', file, '--head', 'x')).code, 2);
  assert.equal((await stack.ctl('audit', 'verify', `${file}.none`)).code, 1);
});

test('what was cut off shows for ever, and a torn line does not spoil the next', async () => {
  const cut = lines();
  const last = JSON.parse(cut.at(-1)).sequence;
  writeFileSync(file, cut.slice(0, -1).map((line) => `${line}\n`).join(''));
  appendFileSync(file, '{"time":"torn');
  await stack.gateway.restart();
  await events(1);
  const { problems } = await verify(5);
  assert.ok(problems.some((text) => text.includes('is no line of the chain')), problems);
  assert.ok(problems.some((text) => text.includes(`events ${last} to`) || text.includes('not what it was')), problems);
});
