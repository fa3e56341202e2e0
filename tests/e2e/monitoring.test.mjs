// SPDX-License-Identifier: Apache-2.0
// What an operator sees: each scrape is Prometheus' text form to the letter, tells what happened, and has
// what the alert rules and the dashboard ask for; the rules fire when they should (promtool).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { noRetry, startStack, until } from './lib/stack.mjs';

const ROOT = new URL('../../', import.meta.url);
const MONITORING = new URL('monitoring/', ROOT);
const read = (name) => readFileSync(new URL(name, ROOT), 'utf8');
const table = new Map([...read('gateway/metrics.def').matchAll(/^GK_METRIC\((\w+), (\w+), "([^"]*)"/gm)].map(([, name, type, labels]) => [
  name,
  { type: type.toLowerCase(), labels: labels.split(' ').filter(Boolean) },
]));

let stack;

before(async () => {
  stack = await startStack();
});
after(() => stack?.stop());

const scrape = async () => (await stack.management.request('GET', '/metrics')).body;
const value = (body, series) => Number(body.split('\n').find((line) => line.startsWith(`${series} `))?.slice(series.length));

function promtool(args, input) {
  const done = spawnSync('promtool', args, { cwd: MONITORING, input, encoding: 'utf8' });
  assert.equal(done.status, 0, done.error?.message ?? done.stdout + done.stderr);
}

// The metric of the table that a series belongs to; a histogram's has three more words.
const metricOf = (series) => (table.has(series) ? series : series.replace(/_(bucket|sum|count)$/, ''));

test('a scrape tells what happened, in the text form', async () => {
  const client = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('measured');
  await client.create();
  const blob = client.getBlockBlobClient('blob');
  await blob.upload(Buffer.alloc(100_000), 100_000);
  assert.equal((await blob.downloadToBuffer()).length, 100_000);
  const body = await until(async () => {
    const text = await scrape();
    return value(text, 'gatekey_requests_total{operation="Get Blob",status="2xx"}') >= 1 ? text : null;
  }, 'the request to be counted');
  promtool(['check', 'metrics'], body);
  assert.ok(value(body, 'gatekey_received_bytes_total') >= 100_000);
  assert.ok(value(body, 'gatekey_request_duration_seconds_count{operation="Put Blob (BlockBlob)"}') >= 1);
  assert.ok(value(body, 'gatekey_request_duration_seconds_bucket{operation="Put Blob (BlockBlob)",le="+Inf"}') >= 1);
  for (const direction of ['seal', 'open']) assert.ok(value(body, `gatekey_encryption_seconds_total{direction="${direction}"}`) > 0);
  assert.ok(value(body, 'gatekey_vault_call_duration_seconds_sum{operation="get"}') > 0);
  assert.ok(value(body, 'gatekey_cache_lookups_total{cache="accounts",result="hit"}') > 0);
  assert.ok(value(body, `gatekey_account_key_created_timestamp_seconds{account="${stack.account}"}`) > 0);
  assert.match(body, /^gatekey_build_info{version="\d+\.\d+\.\d+"} 1$/m);
});

test('each series is of the table, with its type and labels', async () => {
  const body = await scrape();
  for (const line of body.split('\n').filter((text) => text && !text.startsWith('#'))) {
    const [, series, labels = ''] = /^(\w+)(?:{(.*)})? /.exec(line);
    const row = table.get(metricOf(series));
    assert.ok(row, line);
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, name]) => name).filter((name) => name !== 'le');
    assert.deepEqual(names, row.labels.filter((label) => label !== 'scope' || names.includes('scope')), line);
    assert.match(body, new RegExp(`^# TYPE ${metricOf(series)} ${row.type}$`, 'm'));
  }
});

test('a certificate is told with its end', async () => {
  const { certificate } = /tls_certificate = "(?<certificate>[^"]+)"/.exec(readFileSync(stack.gateway.configFile, 'utf8')).groups;
  const { validTo } = new X509Certificate(readFileSync(certificate));
  assert.equal(value(await scrape(), 'gatekey_certificate_expires_timestamp_seconds{certificate="management"}'), Date.parse(validTo) / 1000);
});

test('a silent vault is told with the end of the grace', async () => {
  const grace = () => scrape().then((body) => value(body, `gatekey_account_grace_ends_timestamp_seconds{account="${stack.account}"}`));
  assert.ok(Number.isNaN(await grace()));
  await stack.vault.fault({ operation: '*', count: -1, action: 'drop' });
  await stack.checkKey();
  assert.ok((await grace()) > 0);
  await stack.vault.clearFaults();
  await stack.checkKey();
  assert.ok(Number.isNaN(await grace()));
});

test('a refused request is found in the log by its id', async () => {
  const lines = () => readFileSync(stack.gateway.logFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const told = (id) => stack.until(() => lines().find(({ requestId }) => requestId === id), `a line of ${id}`);
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.checkKey();
  const blob = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('measured').getBlobClient('blob');
  const dark = await blob.download().then(() => assert.fail('it was read'), (error) => error.response.headers.get('x-ms-request-id'));
  const { level, component, message } = await told(dark);
  assert.deepEqual([level, component], ['info', 'request']);
  assert.match(message, new RegExp(`^GET ${stack.account} "Get Blob" 403 KeyVaultEncryptionKeyNotFound, 0 bytes in, \\d+ out, [\\d.]+ ms$`));
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.checkKey();
  const asked = await stack.management.request('PUT', `${stack.accountPath('Refused')}?api-version=2023-05-01`, { body: { location: 'x' } });
  assert.equal(asked.status, 400);
  const refusal = await told(asked.headers['x-ms-request-id']);
  assert.deepEqual([refusal.level, refusal.component], ['info', 'manage']);
  assert.match(refusal.message, /^PUT \/subscriptions\/.*\/Refused answered 400 \w+: /);
  assert.equal(lines().some(({ requestId }) => requestId === ''), false);
});

test('the alert rules are well formed and fire when they should', () => {
  promtool(['check', 'rules', 'gatekey.rules.yml']);
  promtool(['test', 'rules', 'gatekey.rules.test.yml']);
  promtool(['check', 'config', '--syntax-only', 'prometheus.yml.example']);
});

test('each rule says what to do, and is tested', () => {
  const rules = read('monitoring/gatekey.rules.yml').split('- alert: ').slice(1);
  const tests = read('monitoring/gatekey.rules.test.yml');
  for (const rule of rules) {
    const [name] = rule.split('\n');
    assert.match(rule, /severity: (page|ticket)}/, name);
    assert.match(rule, /\n +summary: "/, name);
    assert.match(rule, /\n +action: "/, name);
    assert.match(tests, new RegExp(`alertname: ${name}\\n +exp_alerts:\\n +- exp_labels`), name);
  }
});

test('the settings that rules advise are there', () => {
  const cells = [...read('docs/gateway.md').matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell]) => cell).join();
  const advised = new Set(read('monitoring/gatekey.rules.yml').match(/\b(blob|management|provider|store)\.\w+/g));
  assert.ok(advised.size >= 3);
  for (const setting of advised) assert.ok(cells.includes(`\`${setting}\``), setting);
});

test('rules and dashboard ask for metrics that are there, by labels that they have', () => {
  const dashboard = JSON.parse(read('monitoring/gatekey-dashboard.json'));
  const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  asked.push(...[...read('monitoring/gatekey.rules.yml').matchAll(/expr: (?:\|\n)?((?:.*\n)+?) +(?:for|labels):/g)].map(([, expr]) => expr));
  assert.ok(asked.length > 30);
  for (const expr of asked) {
    for (const [, series, , matchers = ''] of expr.matchAll(/(gatekey_\w+)({([^}]*)})?/g)) {
      const row = table.get(metricOf(series));
      assert.ok(row, expr);
      for (const [, label] of matchers.matchAll(/(\w+)=~?"/g)) assert.ok(['instance', ...row.labels].includes(label), `${label} in ${expr}`);
    }
  }
  // The dashboard's are PromQL as Grafana would send them.
  const sent = (expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replace(/\$\w+/g, '.*');
  const rules = dashboard.panels.flatMap(({ targets = [] }) => targets).map(({ expr }, i) => ({ record: `dashboard:${i}`, expr: sent(expr) }));
  const file = path.join(stack.directory, 'dashboard.rules.yml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  promtool(['check', 'rules', file]);
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});
