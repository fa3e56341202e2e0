// SPDX-License-Identifier: Apache-2.0
// The operator's scrub on a store that clients use: what gatekeyctl shows, its exit codes, and what becomes
// of the data of an account whose key is revoked. What a scrub finds in a store that somebody tampered with:
// tests/fault/scrub.py.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const BLOBS = 30;
const SIZE = 100000;

let stack;

const put = (path, body, headers = {}) => send(stack, { method: 'PUT', path, body,
  headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-meta-mark': 'right', ...headers } });

const scrub = (...args) => stack.ctl('scrub', ...args);

const report = async (code, ...args) => {
  const done = await scrub(...args, '--json');
  assert.equal(done.code, code, done.stdout + done.stderr);
  return JSON.parse(done.stdout);
};

const audit = () => readFileSync(stack.gateway.auditFile, 'utf8').trim().split('\n')
  .map((line) => JSON.parse(line));

before(async () => {
  stack = await startStack();
  assert.equal((await send(stack, { method: 'PUT', path: '/kept', query: { restype: 'container' },
    headers: { 'x-gatekey-index-shards': '8' } })).status, 201);
  for (let number = 0; number < BLOBS; number++) {
    assert.equal((await put(`/kept/blob-${number}`, Buffer.alloc(SIZE, number))).status, 201);
  }
});
after(() => stack?.stop());

test('before the first scrub there is nothing to show or to resume', async () => {
  for (const option of ['--status', '--resume']) {
    const done = await scrub(option);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /There was no scrub yet/);
  }
});

test('a scrub that finds nothing says what it has seen', async () => {
  const { status, phase, progress, counts } = await report(0);
  assert.deepEqual({ status, phase, progress }, { status: 'done', phase: 'end', progress: 1 });
  assert.equal(counts.blobs, BLOBS);
  assert.equal(counts.containers, 1);
  assert.equal(counts.verifiedBlobs, 0);
  assert.equal(counts.unreferencedObjects, 0);
});

test('--verify opens every byte', async () => {
  const { counts, notVerifiable } = await report(0, '--verify');
  assert.equal(counts.verifiedBlobs, BLOBS);
  assert.equal(counts.verifiedBytes, BLOBS * SIZE);
  assert.equal(counts.damaged, 0);
  assert.deepEqual(notVerifiable, []);
});

test('what is shown is for people, and the last report stays', async () => {
  const done = await scrub('--status');
  assert.equal(done.code, 0);
  assert.match(done.stdout, /^Scrub +done$/m);
  assert.match(done.stdout, new RegExp(`^Blobs verified +${BLOBS}$`, 'm'));
});

test('wrong command lines', async () => {
  for (const args of [['--older-than', '1y'], ['--remove', '--older-than', '59m'], ['--older-than', '-1h'], ['--rate', 'fast'],
    ['--stop', '--resume'], ['--remove-damaged', 'acct/container/blob'], ['--remove-damaged', 'x', '--yes'],
    ['blob'], ['--vault', 'x']]) {
    assert.equal((await scrub(...args)).code, 2, args.join(' '));
  }
});

test('stopped within a second, and resumed where it was', async () => {
  const running = scrub('--verify', '--rate', '4');
  let state;
  do {
    const done = await scrub('--status', '--json');
    state = JSON.parse(done.stdout);
  } while (state.status !== 'running' || state.counts.verifiedBlobs < 3);
  const second = await scrub();
  assert.equal(second.code, 1);
  assert.match(second.stderr, /A scrub is running/);
  assert.equal((await scrub('--stop')).code, 0);
  assert.equal((await running).code, 7);
  const stopped = await report(7, '--status');
  assert.equal(stopped.status, 'stopped');
  assert.ok(stopped.counts.verifiedBlobs < BLOBS);
  await stack.gateway.restart();
  const resumed = await report(0, '--resume');
  assert.equal(resumed.id, stopped.id);
  assert.equal(resumed.counts.verifiedBlobs, BLOBS);
  const again = await scrub('--resume');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /nothing to resume/);
});

// One line that is drawn over itself, however narrow the terminal is.
test('on a terminal a bar shows how far it is, and Ctrl-C stops it', async () => {
  const columns = 60;
  const running = stack.ctlOnTerminal(columns, 'scrub', '--verify', '--rate', '8');
  await stack.until(() => running.lines().some((line) => /^\[#+\.+\] +\d+ %  opening/.test(line)), 'a bar that has begun');
  running.press('\x03');
  const { code, shown } = await running.ended;
  assert.equal(code, 7, shown);
  assert.match(shown, /^Scrub +stopped/m);

  const { code: done, shown: all } = await stack.ctlOnTerminal(columns, 'scrub', '--resume').ended;
  assert.equal(done, 0, all);
  const bars = [...all.matchAll(/\r(\[([#.]{30})\] +(\d+) %[^\r\n]*)/g)];
  const parts = bars.map(([, , , percent]) => Number(percent));
  assert.deepEqual(parts, parts.toSorted((one, other) => one - other), 'it never goes back');
  assert.equal(parts.at(-1), 100);
  for (const [, line, bar, percent] of bars) {
    assert.ok(line.length < columns, line);
    assert.ok(Math.abs(bar.lastIndexOf('#') + 1 - 0.3 * percent) <= 1, line);
  }
  assert.match(all, new RegExp(`^Blobs verified +${BLOBS}\\r$`, 'm'));
  assert.equal((await scrub('--status')).stderr, '', 'without a terminal there is none');
});

test('a revoked key: not verifiable now, and not damaged', async () => {
  await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const { counts, damaged, notVerifiable } = await report(0, '--verify');
  assert.equal(counts.notVerifiableBlobs, BLOBS);
  assert.equal(counts.verifiedBlobs, 0);
  assert.equal(counts.unreferencedObjects, 0);
  assert.deepEqual(damaged, []);
  assert.equal(notVerifiable.length, 1);
  assert.equal(notVerifiable[0].account, stack.account);
  assert.match(notVerifiable[0].reason, /KeyVaultEncryptionKeyNotFound/);
});

test('starts are audited', () => {
  const starts = audit().filter((event) => event.event === 'scrub.start');
  assert.ok(starts.length >= 4);
  assert.ok(starts.some((event) => event.detail === 'resumed'));
});
