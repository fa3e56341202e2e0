// SPDX-License-Identifier: Apache-2.0
// Query Blob Contents with the vendor's SDK, which reads the Avro that it answers with: delimited text and JSON
// in and out, expressions, aggregates, what cannot be converted, and what is refused. Takes about 10 seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { refused } from './lib/refused.mjs';
import { send } from './lib/signed.mjs';
import { noRetry, startStack } from './lib/stack.mjs';

const CSV = 'Name,Age,"Home Town",Note\nAnna,34,Oslo,"a, b"\nBo,7,"New\nYork","say ""hi"""\n"Cé",,Rome,\nDora,101,Oslo,x';
const JSON_LINES = ['{"name":"Anna","age":34,"tags":["a","b"],"at":{"city":"Oslo"},"on":true}',
  '{"name":"Bo","age":7.5,"on":false}', '', '{"name":"C \\"d\\"","age":null,"at":{"city":"Rome"}}'].join('\n');
// Whoever names no quote has none: the SDK sends an empty one.
const HEADERS = { kind: 'csv', recordSeparator: '\n', fieldQuote: '"', hasHeaders: true };
const TEXT = { ...HEADERS, hasHeaders: false };
const JSON_TEXT = { kind: 'json', recordSeparator: '\n' };
let stack;
let container;

before(async () => {
  stack = await startStack({ checkIntervalMs: 1000 });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry).getContainerClient('ask');
  await container.create();
  await put('people.csv', CSV);
  await put('people.json', JSON_LINES);
});
after(() => stack?.stop());

async function put(name, content) {
  await container.getBlockBlobClient(name).upload(content, Buffer.byteLength(content));
}
async function readAll(answer) {
  const parts = [];
  for await (const part of answer.readableStreamBody) parts.push(part);
  return Buffer.concat(parts).toString();
}
async function query(expression, options = {}, blob = container.getBlockBlobClient('people.csv')) {
  const errors = [];
  const answer = await blob.query(expression, { inputTextConfiguration: HEADERS,
    outputTextConfiguration: TEXT, onError: (error) => errors.push(error),
    ...options });
  const text = await readAll(answer);
  return { text, errors };
}
const lines = async (...args) => {
  const { text, errors } = await query(...args);
  assert.deepEqual(errors, []);
  return text.split('\n').slice(0, -1);
};
const ofJson = (expression, options = {}) => lines(expression,
  { inputTextConfiguration: JSON_TEXT, outputTextConfiguration: JSON_TEXT, ...options },
  container.getBlockBlobClient('people.json'));

test('what a table of people is asked', async () => {
  for (const [where, names] of [['', ['Anna', 'Bo', 'Cé', 'Dora']], ['WHERE Age > 9', ['Anna', 'Dora']],
    ['WHERE 9 < age AND Age <> 101', ['Anna']], ['WHERE "Home Town" = \'Oslo\'', ['Anna', 'Dora']],
    ['WHERE Age BETWEEN 5 AND 40', ['Anna', 'Bo']], ['WHERE Age IN (7, 101)', ['Bo', 'Dora']],
    ["WHERE Name LIKE '_o%'", ['Bo', 'Dora']], ["WHERE Name LIKE 'a%'", []], ["WHERE Note = ''", ['Cé']],
    ["WHERE NOT (Name = 'Bo' OR _1 = 'Dora')", ['Anna', 'Cé']], ['WHERE Age + 1 = 35', ['Anna']],
    ["WHERE Age = '7'", ['Bo']], ["WHERE Age = '07'", []], ['WHERE Age % 2 = 1', ['Bo', 'Dora']],
    ['WHERE CAST(Age AS INT) IS NULL', ['Cé']], ["WHERE Note LIKE '%\"%'", ['Bo']],
    ["WHERE Name LIKE 'D!%' ESCAPE '!' OR Name = 'Bo'", ['Bo']], ['LIMIT 2', ['Anna', 'Bo']], ['LIMIT 0', []],
    ['WHERE Age > 9 LIMIT 1', ['Anna']]]) {
    assert.deepEqual(await lines(`SELECT Name FROM BlobStorage ${where}`), names, where);
  }
  assert.deepEqual(await lines('SELECT * FROM BlobStorage WHERE _1 = \'Anna\';'), ['Anna,34,Oslo,"a, b"']);
  assert.equal((await query('SELECT "Home Town", Note FROM BlobStorage b WHERE b.Name = \'Bo\'')).text,
    '"New\nYork","say ""hi"""\n');
  assert.deepEqual(await lines('SELECT Age * 2, UPPER(Name) AS big, CHAR_LENGTH(_1), SUBSTRING(Name, 1, 2), ' +
    "CASE WHEN Age > 9 THEN 'old' ELSE 'young' END, CAST(Age AS FLOAT) / 4, COALESCE(NULLIF(Note, 'x'), '-') " +
    'FROM BlobStorage WHERE Age > 9'), ['68,ANNA,4,An,old,8.5,"a, b"', '202,DORA,4,Do,old,25.25,-']);
});

test('aggregates', async () => {
  assert.deepEqual(await lines('SELECT COUNT(*), COUNT(CAST(Age AS INT)), SUM(Age), AVG(Age), MIN(Age), MAX(CAST(Age AS INT)), ' +
    'MIN(Name) FROM BlobStorage'), ['4,3,142,47.3333333333333,,101,Anna'].map((line) => line.replace('47.3333333333333', String(142 / 3))));
  assert.deepEqual(await lines('SELECT COUNT(*) AS n FROM BlobStorage WHERE Age > 1000'), ['0']);
  assert.deepEqual(await lines('SELECT SUM(Age) FROM BlobStorage WHERE Age > 1000',
    { outputTextConfiguration: JSON_TEXT }), ['{"_1":null}']);
  assert.deepEqual(await ofJson('SELECT COUNT(*) AS n, SUM(age) AS s FROM BlobStorage[*]'), ['{"n":3,"s":41.5}']);
});

test('JSON in and out, and one into the other', async () => {
  assert.deepEqual(await ofJson('SELECT * FROM BlobStorage'), JSON_LINES.split('\n').filter(Boolean));
  assert.deepEqual(await ofJson('SELECT name, tags[1], at.city AS city, "on", age FROM BlobStorage[*] s WHERE s.age > 8'),
    ['{"name":"Anna","_2":"b","city":"Oslo","on":true,"age":34}']);
  assert.deepEqual(await ofJson('SELECT tags, at FROM BlobStorage WHERE at.city IS NOT NULL'),
    ['{"tags":["a","b"],"at":{"city":"Oslo"}}', '{"tags":null,"at":{"city":"Rome"}}']);
  assert.deepEqual(await ofJson('SELECT name FROM BlobStorage WHERE "on" = TRUE OR age IS NULL'),
    ['{"name":"Anna"}', '{"name":"C \\"d\\""}']);
  assert.deepEqual(await lines('SELECT * FROM BlobStorage LIMIT 1', { outputTextConfiguration: JSON_TEXT }),
    ['{"Name":"Anna","Age":"34","Home Town":"Oslo","Note":"a, b"}']);
  assert.deepEqual(await ofJson('SELECT * FROM BlobStorage LIMIT 1',
    { outputTextConfiguration: { kind: 'csv', recordSeparator: '\n', columnSeparator: ';', fieldQuote: '"' } }),
  ['Anna;34;"[""a"",""b""]";"{""city"":""Oslo""}";true']);
});

test('separators, quotes, escapes and headers of other kinds', async () => {
  const blob = container.getBlockBlobClient('odd');
  await put('odd', "a||'b||c'||d~~ef||'g''h'||~~||^'||x^|y~~");
  const input = { kind: 'csv', columnSeparator: '||', recordSeparator: '~~', fieldQuote: "'", escapeCharacter: '^' };
  const output = { kind: 'csv', columnSeparator: '\t', recordSeparator: '\n', fieldQuote: '"' };
  assert.equal((await query('SELECT * FROM BlobStorage', { inputTextConfiguration: input, outputTextConfiguration: output }, blob)).text,
    "a\tb||c\td\nef\tg'h\t\n\t'\tx|y\n");
  assert.equal((await query('SELECT _2, _4 FROM BlobStorage', { inputTextConfiguration: input,
    outputTextConfiguration: { ...output, hasHeaders: true } }, blob)).text, "_2\t_4\nb||c\t\ng'h\t\n'\t\n");
  assert.equal((await query('SELECT Name AS n, Age FROM BlobStorage LIMIT 1',
    { outputTextConfiguration: { ...output, hasHeaders: true } })).text, 'n\tAge\nAnna\t34\n');
  assert.equal((await query('SELECT _1 FROM BlobStorage LIMIT 1', { inputTextConfiguration: TEXT })).text, 'Name\n');
  // Without a format of its own the output has that of the input.
  assert.equal((await query('SELECT Age FROM BlobStorage LIMIT 1', { outputTextConfiguration: undefined })).text, 'Age\n34\n');
});

test('what cannot be converted is told, and the rest goes on', async () => {
  const blob = container.getBlockBlobClient('mixed');
  await put('mixed', '1\nx\n3\n2.5\n');
  const plain = { inputTextConfiguration: TEXT };
  for (const [expression, text, count] of [['SELECT _1 FROM BlobStorage WHERE _1 > 1', '3\n2.5\n', 1],
    ['SELECT CAST(_1 AS INT) FROM BlobStorage', '1\n3\n', 2], ['SELECT SUM(_1) FROM BlobStorage', '6.5\n', 1]]) {
    const { text: got, errors } = await query(expression, plain, blob);
    assert.equal(got, text, expression);
    assert.equal(errors.length, count, expression);
    assert.deepEqual([errors[0].name, errors[0].isFatal, errors[0].position], ['InvalidTypeConversion', false, 2]);
  }
  await put('mixed', '{"a":1}\n[1]\n{"a":2}');
  const broken = await query('SELECT a FROM BlobStorage', { inputTextConfiguration: JSON_TEXT, outputTextConfiguration: JSON_TEXT }, blob);
  assert.deepEqual([broken.text, broken.errors.map((error) => [error.name, error.isFatal, error.position])],
    ['{"a":1}\n', [['ParseError', true, 8]]]);
  await put('mixed', 'a,"b');
  assert.equal((await query('SELECT _1 FROM BlobStorage', plain, blob)).errors[0].name, 'ParseError');
  await put('mixed', `{"a":${'['.repeat(100000)}`);
  assert.equal((await query('SELECT a FROM BlobStorage', { inputTextConfiguration: JSON_TEXT }, blob)).errors[0].name, 'ParseError');
});

test('what is refused', async () => {
  for (const expression of ['DELETE FROM BlobStorage', 'SELECT', 'SELECT * FROM people', 'SELECT * FROM BlobStorage WHERE',
    'SELECT * FROM BlobStorage; SELECT 1', 'SELECT Nobody FROM BlobStorage', 'SELECT * FROM BlobStorage ORDER BY Name',
    'SELECT COUNT(*), Name FROM BlobStorage', 'SELECT *, Name FROM BlobStorage', 'SELECT load_extension(Name) FROM BlobStorage',
    'SELECT randomblob(9) FROM BlobStorage', 'SELECT (SELECT 1) FROM BlobStorage', 'SELECT Name FROM BlobStorage GROUP BY Name',
    "SELECT 'open FROM BlobStorage", 'SELECT Name FROM BlobStorage WHERE Age >', 'SELECT CAST(Age AS BLOB) FROM BlobStorage',
    'SELECT Name FROM BlobStorage LIMIT x', 'SELECT Name FROM sqlite_master', 'SELECT Name -- FROM BlobStorage',
    `SELECT ${'('.repeat(500)}1${')'.repeat(500)} FROM BlobStorage`, 'SELECT Name FROM BlobStorage, BlobStorage',
    `SELECT ${Array.from({ length: 50 }, () => '_1').join(',')} FROM BlobStorage`, 'SELECT Name COLLATE NOCASE FROM BlobStorage',
    `SELECT ${'CAST('.repeat(40)}_1${' AS INT)'.repeat(40)} FROM BlobStorage`, 'SELECT Name MATCH 1 FROM BlobStorage']) {
    await refused(query(expression), 400, 'InvalidInput');
  }
  const wanted = (xml) => send(stack, { method: 'POST', path: '/ask/people.csv', query: { comp: 'query' }, body: xml });
  const request = (inside) => `<QueryRequest><QueryType>SQL</QueryType><Expression>SELECT * FROM BlobStorage</Expression>${inside}</QueryRequest>`;
  const format = (inside) => request(`<InputSerialization><Format>${inside}</Format></InputSerialization>`);
  for (const [xml, code] of [['', 'InvalidXmlDocument'], ['<QueryRequest/>', 'InvalidXmlDocument'], [request('<More/>'), 'InvalidXmlDocument'],
    [request('').replace('SQL', 'KQL'), 'InvalidXmlNodeValue'], [format('<Type>parquet</Type>'), 'UnsupportedXmlNode'],
    [request('<OutputSerialization><Format><Type>arrow</Type></Format></OutputSerialization>'), 'UnsupportedXmlNode'],
    [format('<Type>tables</Type>'), 'InvalidXmlNodeValue'],
    [format('<Type>delimited</Type><DelimitedTextConfiguration><FieldQuote>ab</FieldQuote></DelimitedTextConfiguration>'), 'InvalidXmlNodeValue'],
    [format('<Type>delimited</Type><DelimitedTextConfiguration><HasHeaders>maybe</HasHeaders></DelimitedTextConfiguration>'), 'InvalidXmlNodeValue'],
    [format(`<Type>json</Type><JsonTextConfiguration><RecordSeparator>${'x'.repeat(9)}</RecordSeparator></JsonTextConfiguration>`), 'InvalidXmlNodeValue']]) {
    const answer = await wanted(xml);
    assert.deepEqual([answer.status, answer.code], [400, code], xml);
  }
  assert.equal((await wanted('x'.repeat(1 << 20))).status, 413);
  assert.equal((await wanted(request(''))).headers['content-type'], 'avro/binary');
  await refused(query('SELECT * FROM BlobStorage', {}, container.getBlockBlobClient('nobody')), 404, 'BlobNotFound');
  await refused(query('SELECT * FROM BlobStorage', { conditions: { ifMatch: '"0x1"' } }), 412, 'ConditionNotMet');
});

test('a snapshot, an empty blob, and a revoked key', async () => {
  const blob = container.getBlockBlobClient('changes');
  await put('changes', 'first\n');
  const { snapshot } = await blob.createSnapshot();
  await put('changes', 'second\n');
  const plain = { inputTextConfiguration: { kind: 'csv', recordSeparator: '\n' } };
  assert.equal((await query('SELECT * FROM BlobStorage', plain, blob.withSnapshot(snapshot))).text, 'first\n');
  await put('changes', '');
  assert.equal((await query('SELECT * FROM BlobStorage', plain, blob)).text, '');
  assert.equal((await query('SELECT COUNT(*) FROM BlobStorage', plain, blob)).text, '0\n');
  const versions = await stack.vault.disableAllVersions(stack.keyName);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/ask/people.csv' })).status === 403, 'the key to be refused');
  await refused(query('SELECT * FROM BlobStorage'), 403, 'KeyVaultEncryptionKeyNotFound');
  await stack.vault.enableVersions(stack.keyName, versions);
  await stack.until(async () => (await send(stack, { method: 'GET', path: '/ask/people.csv' })).status === 200, 'the key to be back');
});

test('a large blob: as much memory as a small one, progress on the way, every record once', async () => {
  const blob = container.getBlockBlobClient('large');
  const rows = 400000;
  const line = (row) => `${row},name ${row},${'x'.repeat(80)}\n`;
  const ids = [];
  let content = '';
  for (let row = 0; row < rows; row++) {
    content += line(row);
    if (content.length > 8 << 20 || row + 1 === rows) {
      ids.push(Buffer.from(String(ids.length).padStart(8, '0')).toString('base64'));
      await blob.stageBlock(ids.at(-1), content, content.length);
      content = '';
    }
  }
  await blob.commitBlockList(ids);
  const resident = () => Number(readFileSync(`/proc/${stack.gateway.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) << 10;
  const plain = { inputTextConfiguration: { kind: 'csv', recordSeparator: '\n' } };
  await query('SELECT COUNT(*) FROM BlobStorage', plain);
  const before = resident();
  const progress = [];
  const { text } = await query('SELECT COUNT(*), SUM(_1), MAX(CAST(_1 AS INT)) FROM BlobStorage',
    { ...plain, onProgress: ({ loadedBytes }) => progress.push(loadedBytes) }, blob);
  assert.equal(text, `${rows},${rows * (rows - 1) / 2},${rows - 1}\n`);
  assert.ok(progress.length > 5 && progress.every((bytes, i) => i === 0 || bytes >= progress[i - 1]));
  const few = await query("SELECT _2 FROM BlobStorage WHERE _1 >= 399998 OR _1 = 7", plain, blob);
  assert.equal(few.text, 'name 7\nname 399998\nname 399999\n');
  const all = await query('SELECT _1 FROM BlobStorage', plain, blob);
  assert.equal(all.text, Array.from({ length: rows }, (_, row) => `${row}\n`).join(''));
  // A sanitizer keeps for a while what was freed.
  const most = process.env.ASAN_OPTIONS === undefined ? 32 << 20 : 512 << 20;
  assert.ok(resident() - before < most, `${(resident() - before) >> 20} MiB more`);
});
