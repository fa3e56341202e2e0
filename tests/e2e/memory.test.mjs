// SPDX-License-Identifier: Apache-2.0
// Bodies stream: a large blob goes in and out of a gateway that is limited to 256 MiB of memory, while
// other clients read and write. GATEKEY_LARGE_BYTES sets the size; 10 GiB is the one to try by hand.
import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';

import { BlobServiceClient } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

const MIB = 1024 * 1024;
const SIZE = Number(process.env.GATEKEY_LARGE_BYTES ?? (onRados ? 512 : 1024) * MIB);
const LIMIT = 256 * MIB;
// What only has addresses counts for the system's limit, too: 130 MiB of libceph-common's, that nothing
// ever touches, what malloc keeps of heaps that were in use, and on RADOS the stacks and heaps of librados'
// threads, which are fifteen. What is really in use, VmHWM, is held against LIMIT.
const DATA_LIMIT = (onRados ? 2 : 1) * LIMIT + 264 * MIB;
const PIECE = MIB;
const READERS = 16;
const key = randomBytes(32);
const zeros = Buffer.alloc(PIECE);
let stack;
let container;

before(async () => {
  stack = await startStack({ memoryLimitBytes: DATA_LIMIT });
  container = BlobServiceClient.fromConnectionString(stack.connectionString, noRetry)
    .getContainerClient('large');
  await container.create();
});
after(() => stack?.stop());

// Content that needs no memory: a key stream, from any multiple of 16 on.
function contentAt(offset, length) {
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(offset / 16), 8);
  return createCipheriv('aes-256-ctr', key, counter).update(zeros.subarray(0, length));
}

function* pieces(length) {
  for (let at = 0; at < length; at += PIECE) yield contentAt(at, Math.min(PIECE, length - at));
}

async function assertContent(body, length) {
  let at = 0;
  let rest = Buffer.alloc(0);
  for await (const part of body) {
    rest = Buffer.concat([rest, part]);
    const whole = rest.length - rest.length % 16;
    for (let from = 0; from < whole; from += PIECE) {
      const piece = rest.subarray(from, Math.min(whole, from + PIECE));
      assert.ok(piece.equals(contentAt(at, piece.length)), `wrong bytes near ${at}`);
      at += piece.length;
    }
    rest = rest.subarray(whole);
  }
  assert.ok(rest.equals(contentAt(at, rest.length)), 'wrong bytes at the end');
  assert.equal(at + rest.length, length);
}

// "VmHWM:    12345 kB"
function memory(field) {
  const status = readFileSync(`/proc/${stack.gateway.pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) * 1024;
}

function assertMemory() {
  const peak = memory('VmHWM');
  assert.ok(peak < LIMIT, `${peak} bytes of memory were in use`);
}

test(`${SIZE} bytes by blocks, and back`, async (t) => {
  const blob = container.getBlockBlobClient('blocks');
  await blob.uploadStream(Readable.from(pieces(SIZE)), 8 * MIB, 4);
  assertMemory();
  const answer = await blob.download();
  assert.equal(answer.contentLength, SIZE);
  await assertContent(answer.readableStreamBody, SIZE);
  assertMemory();
  t.diagnostic(`memory at most: ${memory('VmHWM')} bytes`);
});

test('in one request, while others read at random', async (t) => {
  const length = Math.min(SIZE, 4 * 1024 * MIB) - 5;
  const blob = container.getBlockBlobClient('single');
  const source = container.getBlockBlobClient('blocks');
  const running = { on: true };
  const readers = Array.from({ length: READERS }, async (_, i) => {
    for (let round = 0; running.on; round++) {
      const at = Math.floor(((i * 7919 + round * 104729) % (SIZE - PIECE)) / 16) * 16;
      const back = await source.downloadToBuffer(at, PIECE);
      assert.ok(back.equals(contentAt(at, PIECE)), `wrong bytes at ${at}`);
    }
  });
  const reading = Promise.all(readers);
  reading.catch(() => {});
  try {
    await blob.upload(() => Readable.from(pieces(length)), length);
  } finally {
    running.on = false;
    await reading;
  }
  assertMemory();
  await assertContent((await blob.download()).readableStreamBody, length);
  assertMemory();
  t.diagnostic(`memory at most: ${memory('VmHWM')} bytes, ${memory('VmPeak')} of addresses`);
});

test('clients that do not read what they asked for hold a bounded part of it', async (t) => {
  const source = container.getBlockBlobClient('blocks');
  const waiting = await Promise.all(Array.from({ length: 64 }, async () => {
    const { readableStreamBody } = await source.download();
    readableStreamBody.once('error', () => {});
    readableStreamBody.pause();
    return readableStreamBody;
  }));
  assert.ok((await source.downloadToBuffer(0, PIECE)).equals(contentAt(0, PIECE)));
  assertMemory();
  for (const body of waiting) body.destroy();
  t.diagnostic(`memory at most: ${memory('VmHWM')} bytes`);
});
