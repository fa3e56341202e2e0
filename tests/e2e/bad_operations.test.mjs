// SPDX-License-Identifier: Apache-2.0
// Each operation of the table with each thing that can be wrong with it: a good request (lib/requests.mjs) that
// one thing is changed of. The documented code comes, and nothing has changed. What is wrong with requests as
// such, whatever they ask for, stands in bad_input.test.mjs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { makeIdentityProvider } from './lib/identity.mjs';
import { BLOCK, blobRequests, inTurns, rows } from './lib/requests.mjs';
import { send } from './lib/signed.mjs';
import { startStack } from './lib/stack.mjs';

const LEASE = '33333333-3333-3333-3333-333333333333';
const OTHER = '44444444-4444-4444-4444-444444444444';
const DELEGATOR = randomUUID();
const provider = makeIdentityProvider();
const isLease = (row) => row.comp === 'lease';
const onBlob = (row) => row.level === 'BLOB';
const named = (...ids) => (row) => ids.includes(row.id.replace('BLOB_', ''));
let stack;
let build;
let good;
let prepare;

before(async () => {
  stack = await startStack({ customerKey: false,
    bearer: { provider, principals: [{ object_id: DELEGATOR, role: 'delegator' }] } });
  ({ build, good, prepare } = blobRequests(stack, { token: () => provider.token(DELEGATOR) }));
  await prepare('active');
});
after(() => stack?.stop());

/* --- what rows have in common ------------------------------------------------------------------*/

// What makes a blob where none is.
const makes = named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOB_APPENDBLOB', 'PUT_BLOB_PAGEBLOB', 'PUT_BLOB_FROM_URL', 'COPY_BLOB',
  'COPY_BLOB_FROM_URL', 'INCREMENTAL_COPY_BLOB', 'PUT_BLOCK', 'PUT_BLOCK_FROM_URL', 'PUT_BLOCK_LIST');
const ofBlocks = named('PUT_BLOCK', 'PUT_BLOCK_FROM_URL', 'PUT_BLOCK_LIST', 'GET_BLOCK_LIST');
const ofAppends = named('APPEND_BLOCK', 'APPEND_BLOCK_FROM_URL', 'APPEND_BLOB_SEAL');
const ofPages = named('PUT_PAGE_UPDATE', 'PUT_PAGE_CLEAR', 'PUT_PAGE_FROM_URL', 'GET_PAGE_RANGES');
const hasBody = named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOCK', 'PUT_BLOCK_LIST', 'APPEND_BLOCK', 'PUT_PAGE_UPDATE',
  'SET_BLOB_TAGS');
const setsMetadata = named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOB_APPENDBLOB', 'PUT_BLOB_PAGEBLOB', 'PUT_BLOB_FROM_URL',
  'COPY_BLOB', 'COPY_BLOB_FROM_URL', 'PUT_BLOCK_LIST', 'SET_BLOB_METADATA', 'SNAPSHOT_BLOB_WITH_METADATA',
  'CREATE_CONTAINER', 'SET_CONTAINER_METADATA');
const fromUrl = (row) => row.selector.includes('x-ms-copy-source') || row.id === 'BLOB_INCREMENTAL_COPY_BLOB';
// Documented without conditional headers of the usual kind.
const unconditional = named('PUT_BLOCK', 'PUT_BLOCK_FROM_URL', 'GET_BLOCK_LIST', 'UNDELETE_BLOB', 'GET_BLOB_TAGS',
  'SET_BLOB_TAGS', 'SET_BLOB_TIER', 'SET_BLOB_EXPIRY', 'SET_BLOB_IMMUTABILITY_POLICY',
  'DELETE_BLOB_IMMUTABILITY_POLICY', 'SET_BLOB_LEGAL_HOLD', 'ABORT_COPY_BLOB', 'QUERY_BLOB_CONTENTS');
const dated = (row) => onBlob(row) && !unconditional(row) && row.id !== 'BLOB_PUT_BLOCK_LIST';
// Those that a lease keeps out.
const kept = named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOB_APPENDBLOB', 'PUT_BLOB_PAGEBLOB', 'PUT_BLOB_FROM_URL', 'COPY_BLOB',
  'COPY_BLOB_FROM_URL', 'PUT_BLOCK', 'PUT_BLOCK_FROM_URL', 'SET_BLOB_METADATA', 'SET_BLOB_PROPERTIES', 'DELETE_BLOB',
  'APPEND_BLOCK', 'APPEND_BLOCK_FROM_URL', 'APPEND_BLOB_SEAL', 'PUT_PAGE_UPDATE', 'PUT_PAGE_CLEAR',
  'PUT_PAGE_FROM_URL', 'SET_BLOB_TAGS', 'INCREMENTAL_COPY_BLOB');
const takesLease = (row) => kept(row) || named('GET_BLOB', 'GET_BLOB_PROPERTIES', 'GET_BLOB_METADATA', 'GET_BLOB_TAGS',
  'GET_BLOCK_LIST', 'GET_PAGE_RANGES', 'SNAPSHOT_BLOB', 'SNAPSHOT_BLOB_WITH_METADATA')(row);
const ofContainer = (row) => row.level === 'CONTAINER' &&
  !named('CREATE_CONTAINER', 'RESTORE_CONTAINER', 'RENAME_CONTAINER', 'BLOB_BATCH_CONTAINER')(row);

const to = (name) => (request) => { request.path = `/${request.path.split('/')[1]}/${name}`; };
const header = (name, value) => (request) => { request.headers[name] = value; };
const without = (name) => (request) => { delete request.headers[name]; };
const query = (name, value) => (request) => { request.query[name] = value; };
const body = (value) => (request) => { request.body = value; };

/* --- faults: what is wrong, of which rows, how, status, code -----------------------------------*/

const shared = [
  ['a container that is not there', (row) => ofContainer(row) || onBlob(row),
    (request) => { request.path = request.path.replace(/^\/[^/]+/, '/nobody'); }, 404, 'ContainerNotFound'],
  ['a blob that is not there', (row) => onBlob(row) && !makes(row), to('nobody'), 404, 'BlobNotFound'],
  ['an append blob instead of blocks', ofBlocks, to('append'), 409, 'InvalidBlobType'],
  ['a block blob instead of appends', ofAppends, to('blob'), 409, 'InvalidBlobType'],
  ['a block blob instead of pages', ofPages, to('blob'), 409, 'InvalidBlobType'],
  ['a page blob instead of blocks', ofBlocks, to('pages'), 409, 'InvalidBlobType'],
  ['an append blob to have a tier', named('SET_BLOB_TIER'), to('append'), 409, 'InvalidBlobType'],
  ['an ETag of nobody', (row) => onBlob(row) && !unconditional(row), header('if-match', '"0x0"'), 412, 'ConditionNotMet'],
  // What is not there has no date.
  ['changed in the future', (row) => dated(row) && row.access !== 'READ',
    header('if-modified-since', new Date(Date.now() + 600e3).toUTCString()), 412, 'ConditionNotMet'],
  ['unchanged since 2020', (row) => dated(row),
    header('if-unmodified-since', 'Wed, 01 Jan 2020 00:00:00 GMT'), 412, 'ConditionNotMet'],
  ['a condition on a date that is none', (row) => onBlob(row) && !unconditional(row),
    header('if-modified-since', 'yesterday'), 400, 'InvalidHeaderValue'],
  ['a condition on tags that does not hold', (row) => onBlob(row) && !unconditional(row) && !isLease(row),
    header('x-ms-if-tags', "a='2'"), 412, 'ConditionNotMet'],
  ['a condition on tags that is none', (row) => onBlob(row) && !unconditional(row) && !isLease(row),
    header('x-ms-if-tags', 'a=='), 400, 'InvalidHeaderValue'],
  ['a lease where there is none', takesLease, header('x-ms-lease-id', OTHER), 412, 'LeaseNotPresentWithBlobOperation'],
  ['a lease id that is none', takesLease, header('x-ms-lease-id', 'mine'), 400, 'InvalidHeaderValue'],
  ['a snapshot of no time', onBlob, query('snapshot', 'yesterday'), 400, 'InvalidQueryParameterValue'],
  ['a version of no time', onBlob, query('versionid', 'yesterday'), 400, 'InvalidQueryParameterValue'],
  ['a body with another MD5', hasBody, header('content-md5', Buffer.alloc(16).toString('base64')), 400, 'Md5Mismatch'],
  ['an MD5 that is none', hasBody, header('content-md5', 'AAAA'), 400, 'InvalidMd5'],
  ['metadata without a name', setsMetadata, header('x-ms-meta-', 'x'), 400, 'EmptyMetadataKey'],
  ['metadata with a name that is none', setsMetadata, header('x-ms-meta-a-b', 'x'), 400, 'InvalidMetadata'],
  ['more metadata than 8 KiB', setsMetadata, header('x-ms-meta-a', 'x'.repeat(9000)), 400, 'MetadataTooLarge'],
  ['a source that is not there', fromUrl, (request) => {
    request.headers['x-ms-copy-source'] = request.headers['x-ms-copy-source'].replace(/\w+\?/, 'nobody?');
  }, 403, 'CannotVerifyCopySource'],
  ['a source that is no URL', fromUrl, header('x-ms-copy-source', 'nowhere'), 400, 'InvalidHeaderValue'],
  ['a source whose condition does not hold', fromUrl, header('x-ms-source-if-match', '"0x0"'), 412,
    'SourceConditionNotMet'],
];

const leaseAction = (name) => (row) => row.id.endsWith(`_${name}`) && isLease(row);
const own = [
  ['no duration', leaseAction('ACQUIRE'), without('x-ms-lease-duration'), 400, 'MissingRequiredHeader'],
  ['a duration of 14 seconds', leaseAction('ACQUIRE'), header('x-ms-lease-duration', '14'), 400, 'InvalidHeaderValue'],
  ['a duration of 61 seconds', leaseAction('ACQUIRE'), header('x-ms-lease-duration', '61'), 400, 'InvalidHeaderValue'],
  ['a proposed id that is none', leaseAction('ACQUIRE'), header('x-ms-proposed-lease-id', 'x'), 400,
    'InvalidHeaderValue'],
  ['no lease id', (row) => ['RENEW', 'CHANGE', 'RELEASE'].some((name) => leaseAction(name)(row)),
    without('x-ms-lease-id'), 400, 'MissingRequiredHeader'],
  ['another’s lease', (row) => ['RENEW', 'RELEASE'].some((name) => leaseAction(name)(row)),
    header('x-ms-lease-id', OTHER), 409, 'LeaseIdMismatchWithLeaseOperation'],
  ['no proposed id', leaseAction('CHANGE'), without('x-ms-proposed-lease-id'), 400, 'MissingRequiredHeader'],
  ['a break period of 61 seconds', leaseAction('BREAK'), header('x-ms-lease-break-period', '61'), 400,
    'InvalidHeaderValue'],
  ['an action of nobody', leaseAction('BREAK'), header('x-ms-lease-action', 'keep'), 400, 'InvalidHeaderValue'],
  ['no action', leaseAction('BREAK'), without('x-ms-lease-action'), 400, 'MissingRequiredHeader'],

  ['no type', named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOB_APPENDBLOB', 'PUT_BLOB_PAGEBLOB'), without('x-ms-blob-type'), 400,
    'MissingRequiredHeader'],
  ['a type of nobody', named('PUT_BLOB_BLOCKBLOB'), header('x-ms-blob-type', 'Banana'), 400, 'InvalidHeaderValue'],
  ['content for an empty one', named('PUT_BLOB_APPENDBLOB', 'PUT_BLOB_PAGEBLOB'), body('x'), 413, 'RequestBodyTooLarge'],
  ['no size', named('PUT_BLOB_PAGEBLOB'), without('x-ms-blob-content-length'), 400, 'MissingRequiredHeader'],
  ['a size of no page', named('PUT_BLOB_PAGEBLOB'), header('x-ms-blob-content-length', '513'), 400, 'InvalidHeaderValue'],
  ['a size that is none', named('PUT_BLOB_PAGEBLOB'), header('x-ms-blob-content-length', 'large'), 400,
    'InvalidHeaderValue'],
  ['more than 8 TiB', named('PUT_BLOB_PAGEBLOB'), header('x-ms-blob-content-length', String(2 ** 43 + 512)), 400,
    'InvalidHeaderValue'],
  ['a sequence number below zero', named('PUT_BLOB_PAGEBLOB'), header('x-ms-blob-sequence-number', '-1'), 400,
    'InvalidHeaderValue'],
  ['a tier of nobody', named('PUT_BLOB_BLOCKBLOB', 'SET_BLOB_TIER', 'PUT_BLOCK_LIST'), header('x-ms-access-tier', 'Warm'),
    400, 'InvalidHeaderValue'],
  ['no tier', named('SET_BLOB_TIER'), without('x-ms-access-tier'), 400, 'MissingRequiredHeader'],
  ['tags that are none', named('PUT_BLOB_BLOCKBLOB', 'PUT_BLOCK_LIST', 'COPY_BLOB'), header('x-ms-tags', 'a=b&a=c'), 400,
    'DuplicateTagNames'],
  ['eleven tags', named('PUT_BLOB_BLOCKBLOB'),
    header('x-ms-tags', Array.from({ length: 11 }, (_, i) => `k${i}=v`).join('&')), 400, 'TagsTooLarge'],

  ['no block id', named('PUT_BLOCK', 'PUT_BLOCK_FROM_URL'), (request) => { delete request.query.blockid; }, 400,
    'MissingRequiredQueryParameter'],
  ['a block id that is none', named('PUT_BLOCK', 'PUT_BLOCK_FROM_URL'), query('blockid', '!'), 400, 'InvalidBlockId'],
  ['an empty block', named('PUT_BLOCK'), body(''), 400, 'InvalidHeaderValue'],
  ['a list of nobody', named('GET_BLOCK_LIST'), query('blocklisttype', 'some'), 400, 'InvalidQueryParameterValue'],
  ['a block of nobody', named('PUT_BLOCK_LIST'),
    body(`<BlockList><Latest>${BLOCK}</Latest><Latest>AAAA</Latest></BlockList>`), 400, 'InvalidBlockList'],
  ['a list that is no XML', named('PUT_BLOCK_LIST'), body('<BlockList>'), 400, 'InvalidXmlDocument'],

  ['an append elsewhere', named('APPEND_BLOCK', 'APPEND_BLOCK_FROM_URL', 'APPEND_BLOB_SEAL'),
    header('x-ms-blob-condition-appendpos', '1'), 412, 'AppendPositionConditionNotMet'],
  ['an append beyond a size', named('APPEND_BLOCK', 'APPEND_BLOCK_FROM_URL'),
    header('x-ms-blob-condition-maxsize', '1'), 412, 'MaxBlobSizeConditionNotMet'],
  ['a position that is none', named('APPEND_BLOCK'), header('x-ms-blob-condition-appendpos', 'end'), 400,
    'InvalidHeaderValue'],
  ['an empty append', named('APPEND_BLOCK'), body(''), 400, 'InvalidHeaderValue'],

  ['no range', (row) => ofPages(row) && row.access === 'WRITE', without('x-ms-range'), 400, 'MissingRequiredHeader'],
  ['a range across pages', (row) => ofPages(row) && row.access === 'WRITE', header('x-ms-range', 'bytes=1-512'), 416,
    'InvalidPageRange'],
  ['a range behind the end', (row) => ofPages(row) && row.access === 'WRITE', header('x-ms-range', 'bytes=8192-8703'),
    416, 'InvalidPageRange'],
  ['a range of another length than the body', named('PUT_PAGE_UPDATE'), header('x-ms-range', 'bytes=0-1023'), 400,
    'InvalidHeaderValue'],
  ['a body to clear', named('PUT_PAGE_CLEAR'), body('x'), 413, 'RequestBodyTooLarge'],
  ['a page write of nobody', named('PUT_PAGE_CLEAR'), header('x-ms-page-write', 'x'), 400, 'InvalidHeaderValue'],
  ['a sequence number that is not below', named('PUT_PAGE_UPDATE', 'PUT_PAGE_CLEAR', 'PUT_PAGE_FROM_URL'),
    header('x-ms-if-sequence-number-lt', '0'), 412, 'SequenceNumberConditionNotMet'],
  ['a resize to no page', named('SET_BLOB_PROPERTIES'), (request) => {
    to('pages')(request);
    header('x-ms-blob-content-length', '513')(request);
  }, 400, 'InvalidHeaderValue'],
  ['a sequence number without an action', named('SET_BLOB_PROPERTIES'), (request) => {
    to('pages')(request);
    header('x-ms-blob-sequence-number', '5')(request);
  }, 400],
  ['a resize of a block blob', named('SET_BLOB_PROPERTIES'), header('x-ms-blob-content-length', '512'), 409,
    'InvalidBlobType'],

  ['a range behind the end', named('GET_BLOB'), header('x-ms-range', 'bytes=100000-'), 416, 'InvalidRange'],
  ['an MD5 of more than 4 MiB', named('GET_BLOB'), header('x-ms-range-get-content-md5', 'true'), 400],
  ['what to delete that is none', named('DELETE_BLOB'), header('x-ms-delete-snapshots', 'all'), 400, 'InvalidHeaderValue'],
  ['a deletion for good of what is there', named('DELETE_BLOB'), query('deletetype', 'Permanent'), 409,
    'PermanentDeleteNotAllowed'],
  ['a type of deletion of nobody', named('DELETE_BLOB'), query('deletetype', 'soft'), 400, 'InvalidQueryParameterValue'],
  ['another copy', named('ABORT_COPY_BLOB'), without('x-ms-copy-action'), 400, 'MissingRequiredHeader'],
  ['no copy id', named('ABORT_COPY_BLOB'), (request) => { delete request.query.copyid; }, 400,
    'MissingRequiredQueryParameter'],
  ['no source', named('INCREMENTAL_COPY_BLOB'), without('x-ms-copy-source'), 400, 'MissingRequiredHeader'],
  ['a source that is no snapshot', named('INCREMENTAL_COPY_BLOB'), (request) => {
    request.headers['x-ms-copy-source'] = request.headers['x-ms-copy-source'].replace(/snapshot=[^&]*&/, '');
  }, 409, 'IncrementalCopySourceMustBeSnapshot'],
  ['a snapshot that was copied', named('INCREMENTAL_COPY_BLOB'), () => {}, 409,
    'IncrementalCopyOfEarlierVersionSnapshotNotAllowed'],
  ['a destination that is no such copy', named('INCREMENTAL_COPY_BLOB'), to('pages'), 409, 'IncrementalCopyBlobMismatch'],
  ['no date', named('SET_BLOB_IMMUTABILITY_POLICY'), without('x-ms-immutability-policy-until-date'), 400,
    'MissingRequiredHeader'],
  ['a date that has been', named('SET_BLOB_IMMUTABILITY_POLICY'),
    header('x-ms-immutability-policy-until-date', 'Wed, 01 Jan 2020 00:00:00 GMT'), 400, 'InvalidHeaderValue'],
  ['a mode of nobody', named('SET_BLOB_IMMUTABILITY_POLICY'), header('x-ms-immutability-policy-mode', 'open'), 400,
    'InvalidHeaderValue'],
  ['no hold', named('SET_BLOB_LEGAL_HOLD'), without('x-ms-legal-hold'), 400, 'MissingRequiredHeader'],
  ['a hold that is none', named('SET_BLOB_LEGAL_HOLD'), header('x-ms-legal-hold', 'maybe'), 400, 'InvalidHeaderValue'],
  ['no option', named('SET_BLOB_EXPIRY'), without('x-ms-expiry-option'), 400, 'MissingRequiredHeader'],
  ['tags that are no XML', named('SET_BLOB_TAGS'), body('<Tags>'), 400, 'InvalidXmlDocument'],
  ['a tag without a name', named('SET_BLOB_TAGS'),
    body('<Tags><TagSet><Tag><Key></Key><Value>v</Value></Tag></TagSet></Tags>'), 400, 'EmptyTagName'],

  ['one that is there', named('CREATE_CONTAINER'), (request) => { request.path = '/active'; }, 409,
    'ContainerAlreadyExists'],
  ['a name that is none', named('CREATE_CONTAINER'), (request) => { request.path = '/UPPER'; }, 400, 'InvalidResourceName'],
  ['access of nobody', named('CREATE_CONTAINER', 'SET_CONTAINER_ACL'), header('x-ms-blob-public-access', 'all'), 400,
    'InvalidHeaderValue'],
  ['policies that are no XML', named('SET_CONTAINER_ACL'), body('<SignedIdentifiers>'), 400, 'InvalidXmlDocument'],
  ['a lease where there is none', named('DELETE_CONTAINER', 'SET_CONTAINER_METADATA', 'GET_CONTAINER_PROPERTIES'),
    header('x-ms-lease-id', OTHER), 412, 'LeaseNotPresentWithContainerOperation'],
  ['an include of nobody', named('LIST_BLOBS', 'LIST_CONTAINERS'), query('include', 'all'), 400,
    'InvalidQueryParameterValue'],
  ['results that are none', named('LIST_BLOBS', 'LIST_CONTAINERS', 'FIND_BLOBS_BY_TAGS'), query('maxresults', 'x'), 400,
    'InvalidQueryParameterValue'],
  ['no results', named('LIST_BLOBS', 'LIST_CONTAINERS'), query('maxresults', '0'), 400, 'OutOfRangeQueryParameterValue'],
  ['no condition', named('FIND_BLOBS_BY_TAGS', 'FIND_BLOBS_BY_TAGS_IN_CONTAINER'),
    (request) => { delete request.query.where; }, 400],
  ['a condition that is none', named('FIND_BLOBS_BY_TAGS', 'FIND_BLOBS_BY_TAGS_IN_CONTAINER'), query('where', 'a=='), 400,
    'InvalidQueryParameterValue'],
  ['settings that are no XML', named('SET_BLOB_SERVICE_PROPERTIES'), body('<StorageServiceProperties>'), 400,
    'InvalidXmlDocument'],
  ['no origin', named('PREFLIGHT_BLOB_REQUEST'), without('origin'), 400],
  ['a batch of one part that is none', named('BLOB_BATCH', 'BLOB_BATCH_CONTAINER'), body('--b\r\n\r\nx\r\n--b--\r\n'), 400],
];

/* --- walking them ------------------------------------------------------------------------------*/

const containerOf = (row, prefix) => `${prefix}-${rows.indexOf(row)}`;
const wrongAnswer = (answer, status, code) => answer.status !== status || !answer.code || (code && answer.code !== code);

// Everything that a change would show in: of the container, and what is listed of its blobs.
async function shown(container) {
  const list = await send(stack, { method: 'GET', path: `/${container}`, query: { restype: 'container', comp: 'list',
    include: 'snapshots,metadata,uncommittedblobs,tags,deleted,versions' } });
  const properties = await send(stack, { method: 'GET', path: `/${container}`, query: { restype: 'container' } });
  return properties.status === 200 ? `${properties.headers.etag} ${list.body}` : properties.code;
}

async function prepareAll(prefix) {
  await inTurns(rows.map((row) => async () => {
    const container = containerOf(row, prefix);
    await prepare(container, row);
    if (named('INCREMENTAL_COPY_BLOB')(row)) await good(build(row, container)); // the next one follows
    for (const [name, type] of onBlob(row) ? [['append', 'AppendBlob'], ['pages', 'PageBlob']] : []) {
      await good({ method: 'PUT', path: `/${container}/${name}`,
        headers: { 'x-ms-blob-type': type, ...(type === 'PageBlob' ? { 'x-ms-blob-content-length': '8192' } : {}) } });
    }
  }));
}

async function walk(prefix, faults) {
  const wrong = [];
  for (const row of rows) {
    const container = containerOf(row, prefix);
    const before = await shown(container);
    for (const [what, applies, change, status, code] of faults) {
      if (!applies(row)) continue;
      const request = build(row, container);
      change(request);
      const answer = await send(stack, request);
      if (wrongAnswer(answer, status, code)) {
        wrong.push(`${row.id}, ${what}: ${answer.status} ${answer.code}, not ${status} ${code ?? ''}`);
      }
      if (answer.status >= 500) wrong.push(`${row.id}, ${what}: ${answer.status}`);
    }
    if (await shown(container) !== before) wrong.push(`${row.id}: something was changed`);
  }
  return wrong;
}

test('what many operations have in common', async () => {
  await prepareAll('shared');
  assert.deepEqual(await walk('shared', shared), []);
});

test('what each operation has of its own', async () => {
  await prepareAll('own');
  assert.deepEqual(await walk('own', own), []);
});

test('a blob that is leased to somebody else', async () => {
  await prepareAll('leased');
  await inTurns(rows.filter((row) => takesLease(row)).map((row) => async () => {
    const { path } = build(row, containerOf(row, 'leased'));
    if (path.endsWith('/staged')) return;
    await good({ method: 'PUT', path, query: { comp: 'lease' }, headers: { 'x-ms-lease-action': 'acquire',
      'x-ms-lease-duration': '-1', 'x-ms-proposed-lease-id': LEASE } });
  }));
  const leased = (of) => (row) => of(row) && !row.id.endsWith('PUT_BLOCK_LIST');
  assert.deepEqual(await walk('leased', [
    ['no lease', leased(kept), () => {}, 412, 'LeaseIdMissing'],
    ['another lease', leased(takesLease), header('x-ms-lease-id', OTHER), 412, 'LeaseIdMismatchWithBlobOperation'],
  ]), []);
});
