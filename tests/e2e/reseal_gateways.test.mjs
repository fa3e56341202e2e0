// SPDX-License-Identifier: Apache-2.0
// Two gateways on one cluster, one of which stands still in the middle of what it does while the other gives the
// account a new root key and retires the one before: what it does afterwards, with what it knew, is not lost. On
// RADOS alone: the embedded store has one gateway. A few seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { BlobSASPermissions, BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

import { noRetry, startStack } from './lib/stack.mjs';
import { onRados } from './lib/store.mjs';

describe('a reseal with two gateways', { skip: !onRados }, () => {
  let stack;
  let services;
  let containers;
  const content = new Map();

  before(async () => {
    stack = await startStack({ gateways: 2 });
    const credential = new StorageSharedKeyCredential(stack.account, stack.accountKey);
    services = stack.sides.map((side) => new BlobServiceClient(side.blobEndpoint, credential, noRetry));
    containers = services.map((service) => service.getContainerClient('resealed'));
    await containers[0].create();
  });
  after(() => stack?.stop());

  const post = (side, action, body) =>
    stack.sides[side].management.good('POST', `/gatekey/accounts/${stack.account}/${action}`, { body });
  const newRootKey = () => stack.management.good('POST', `${stack.accountPath(stack.account)}/gatekeyNewRootKey`);
  const stateOf = (side) => stack.sides[side].management.good('GET', `/gatekey/accounts/${stack.account}/reseal`);
  const until = (side, status) => stack.until(async () => {
    const state = await stateOf(side);
    return state.status === status && state;
  }, `a reseal that is ${status}`);

  async function write(side, name) {
    const bytes = randomBytes(70000);
    await containers[side].getBlockBlobClient(name).upload(bytes, bytes.length);
    content.set(name, bytes);
  }

  async function everythingReadsBack() {
    for (const container of containers) {
      for (const [name, bytes] of content) {
        assert.ok((await container.getBlobClient(name).downloadToBuffer()).equals(bytes), name);
      }
    }
  }

  async function reseal(side) {
    await post(side, 'reseal', {});
    const { counts } = await until(side, 'done');
    return counts;
  }

  // The other one hears of it a moment later, and has still got the root key of before.
  test('a reseal in a gateway that has not got the new root key yet fetches it', async () => {
    await write(0, 'seed');
    for (let i = 0; i < 6; i++) {
      await newRootKey();
      assert.equal((await reseal(1)).retiredRootKeys, 1);
    }
    await everythingReadsBack();
  });

  // Resolves to { finish } when the gateway has begun with it.
  async function halfAnUpload(side, name) {
    const bytes = randomBytes(1 << 20);
    const url = await containers[side].getBlockBlobClient(name)
      .generateSasUrl({ permissions: BlobSASPermissions.parse('cw'), expiresOn: new Date(Date.now() + 3600e3) });
    const request = http.request(url, { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob',
      'x-ms-version': '2021-12-02', 'content-length': bytes.length } });
    const answered = new Promise((resolve, reject) => { request.once('response', resolve).once('error', reject); });
    await new Promise((resolve) => { request.write(bytes.subarray(0, bytes.length / 2), resolve); });
    await write(side, `beside ${name}`); // which takes longer than to begin with the other one
    return { finish: async () => {
      request.end(bytes.subarray(bytes.length / 2));
      const answer = await answered;
      answer.resume();
      content.set(name, bytes);
      return answer.statusCode;
    } };
  }

  test('what one has written the other reseals, and both read it', async () => {
    await write(0, 'first');
    await newRootKey();
    await write(1, 'second');
    await everythingReadsBack();
    const { retiredRootKeys } = await reseal(1);
    assert.equal(retiredRootKeys, 1);
    await everythingReadsBack();
  });

  test('a gateway that stood still writes nothing under what was retired', async () => {
    const upload = await halfAnUpload(1, 'long upload');
    process.kill(stack.sides[1].gateway.pid, 'SIGSTOP');
    try {
      await newRootKey();
      assert.equal((await reseal(0)).retiredRootKeys, 1);
    } finally {
      process.kill(stack.sides[1].gateway.pid, 'SIGCONT');
    }
    // At once, with whatever it knows by now: an upload, a blob, a container.
    const later = services[1].getContainerClient('made-by-the-other');
    const [status] = await Promise.all([upload.finish(), write(1, 'first'), later.create()]);
    assert.equal(status, 201);
    await later.getBlockBlobClient('blob').upload('new', 3);
    assert.equal((await services[0].getContainerClient('made-by-the-other').getBlobClient('blob').downloadToBuffer())
      .toString(), 'new');
    await everythingReadsBack();
    await stack.sides[0].gateway.restart();
    await everythingReadsBack();
  });

  test('it is paused through the other one, which goes on with it', async () => {
    for (let i = 0; i < 30; i++) await write(i % 2, `many ${i}`);
    await newRootKey();
    await post(0, 'reseal', { rate: 10 });
    await stack.until(async () => (await stateOf(1)).counts.resealed > 0, 'something to be resealed');
    await post(1, 'resealPause');
    await until(1, 'paused');
    await post(1, 'resealResume');
    await until(0, 'done');
    await everythingReadsBack();
  });
});
