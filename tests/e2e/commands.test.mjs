// SPDX-License-Identifier: Apache-2.0
// gatekeyctl's table of commands, row by row: each is in the overview, explains itself and each of its options, can be
// asked for JSON, is completed by bash, and stands in the man page. And what is not a command is answered with the one
// that was meant. No gateway is needed; takes some seconds.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { program } from './lib/process.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = program('ctl', 'gatekeyctl');
const directory = mkdtempSync(path.join(tmpdir(), 'gatekey-commands-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const env = { PATH: `${path.dirname(binary)}:${process.env.PATH}` }; // no endpoint of somebody's
const ctl = (...args) => spawnSync(binary, args, { encoding: 'utf8', env });

const source = readFileSync(path.join(root, 'ctl/commands.c'), 'utf8');
const table = source.slice(source.indexOf('ctl_commands[] = {'));
const commands = [...table.matchAll(/^ {4}\{"([a-z-]+)", "([a-z-]*)", "([^"]*)"/gm)].map(([, group, verb, argument]) =>
  ({ words: [group, verb].filter(Boolean), argument }));
const helpOf = (words) => ctl(...words, '--help').stdout;
const optionsOf = (words) => [...helpOf(words).matchAll(/^ {2}(--[a-z-]+)(.*)$/gm)];

test('the table is read as it is', () => {
  assert.ok(commands.length > 20, `${commands.length} commands`);
  const rows = ctl('--help').stdout.split('\n').filter((line) => /^ {2}[a-z]/.test(line));
  assert.deepEqual(rows.map((line) => line.slice(2).split(/ {2,}/)[0]),
    commands.map(({ words, argument }) => [...words, argument].filter(Boolean).join(' ')));
});

test('each command explains itself, alone and in its group', () => {
  for (const { words, argument } of commands) {
    const what = words.join(' ');
    for (const asked of [[...words, '--help'], ['help', ...words]]) {
      const { status, stdout } = ctl(...asked);
      assert.equal(status, 0, what);
      const usage = ['usage: gatekeyctl', ...words, argument, '[options]'].filter(Boolean).join(' ');
      assert.ok(stdout.startsWith(`${usage}\n\n  `), stdout);
      assert.ok(stdout.split('\n').every((line) => line.length <= 120), `${what}: a line is too long`);
    }
    for (const [, name, rest] of optionsOf(words)) assert.match(rest, / [^ ]+ [^ ]+/, `${what}: ${name} is not explained`);
    if (words.length > 1) assert.match(ctl(words[0], '--help').stdout, new RegExp(`^ {2}${what} `, 'm'));
  }
});

test('each can be asked for JSON, and none for a secret', () => {
  for (const { words } of commands) {
    const names = optionsOf(words).map(([, name]) => name);
    assert.ok(names.includes('--json'), `${words.join(' ')} has no --json`);
    for (const name of names) assert.doesNotMatch(name, /^--(token|password|secret|key-value)$/);
  }
});

test('bash completes each, and its options', () => {
  const script = path.join(directory, 'complete');
  writeFileSync(script, `source ${path.join(root, 'packaging/gatekeyctl.bash')}
while read -r -a COMP_WORDS; do
    [ "\${COMP_WORDS[-1]}" = . ] && COMP_WORDS[-1]=
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _gatekeyctl
    echo "\${COMPREPLY[*]}"
done\n`);
  const complete = (lines) => spawnSync('bash', [script], { encoding: 'utf8', env, input: lines.map((line) => `gatekeyctl ${line}\n`).join('') })
    .stdout.split('\n').map((line) => line.split(' '));
  const groups = [...new Set(commands.map(({ words }) => words[0]))].sort();
  const asked = ['.', ...commands.flatMap(({ words }) => [words.length > 1 ? `${words[0]} .` : '.', `${words.join(' ')} --`])];
  const [all, ...answers] = complete(asked);
  assert.deepEqual([...all].sort(), groups);
  commands.forEach(({ words }, i) => {
    assert.ok(answers[2 * i].includes(words.at(-1)), words.join(' '));
    assert.deepEqual(answers[2 * i + 1], optionsOf(words).map(([, name]) => name), words.join(' '));
  });
});

test('the man page has each', () => {
  const done = spawnSync(path.join(root, 'packaging/man-pages'), ['0', directory, program('gateway', 'gatekey-gateway'), binary,
    program('keyvaultd', 'keyvaultd'), path.join(root, 'gateway/gatekey.conf.example')], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  const page = gunzipSync(readFileSync(path.join(directory, 'gatekeyctl.1.gz'))).toString();
  for (const { words } of commands) assert.ok(page.includes(`.SH "${words.join(' ').toUpperCase()}"\n`), words.join(' '));
  assert.match(page, /exit codes: 0 done; 1 refused/);
});

test('what is no command is answered with what was meant', () => {
  const rows = [
    [[], 'give a command; see gatekeyctl --help'],
    [['acount', 'list'], 'there is no command acount list: is it account list?'],
    [['account', 'creat', 'name'], 'there is no command account creat: is it account create?'],
    [['scrubb'], 'there is no command scrubb: is it scrub?'],
    [['banana', 'split'], 'there is no command banana split; see gatekeyctl --help'],
    [['help', 'banana'], 'there is no command banana; see gatekeyctl --help'],
    [['key'], 'key needs a command: status, check; see gatekeyctl key --help'],
    [['account', 'list', '--jsn'], 'account list has no option --jsn: is it --json?'],
    [['doctor', '--banana=x'], 'doctor has no option --banana; see --help'],
    [['account', 'list'], 'give the management endpoint: --endpoint https://127.0.0.1:PORT or GATEKEY_ENDPOINT'],
    [['account', 'list', '--endpoint', 'http://127.0.0.1:1'],
      'the management endpoint http://127.0.0.1:1 is not HTTPS, and the token goes there: give --endpoint https://127.0.0.1:PORT'],
  ];
  for (const [args, message] of rows) {
    const { status, stdout, stderr } = ctl(...args);
    assert.deepEqual([status, stdout, stderr], [2, '', `gatekeyctl: ${message}\n`]);
  }
  for (const { words, argument } of commands) {
    if (argument === '' || argument.startsWith('[')) continue;
    const { status, stderr } = ctl(...words);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^gatekeyctl: ${words.join(' ')} needs `));
  }
});
