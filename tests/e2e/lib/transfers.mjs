// SPDX-License-Identifier: Apache-2.0
// Transfers that stand half done until the test lets them go on: a key may be taken away meanwhile.
import assert from 'node:assert/strict';
import http from 'node:http';

import { accountSas } from './signed.mjs';

export const LARGE = 64 * 1024 * 1024; // more than sockets hold

function begin(account, method, path, headers, onAnswer) {
  const url = new URL(`${account.blobEndpoint}${path}?${new URLSearchParams(accountSas(account))}`);
  return http.request(url, { method, agent: false, headers: { 'x-ms-version': '2021-12-02', ...headers } }, onAnswer);
}

// A download that has begun to come. finish() resolves with how many bytes came, and whether all of them did.
export function beginDownload(account, path) {
  return new Promise((resolve, reject) => {
    const request = begin(account, 'GET', path, {}, (answer) => {
      assert.equal(answer.statusCode, 200);
      answer.once('readable', () => {
        resolve({ finish: () => new Promise((done) => {
          let bytes = 0;
          answer.on('data', (part) => { bytes += part.length; });
          answer.once('close', () => done({ bytes, complete: answer.complete }));
          answer.on('error', () => {});
        }) });
      });
    });
    request.once('error', reject);
    request.end();
  });
}

// Half of an upload of LARGE bytes. finish() sends the rest; resolves with { status, code } of its answer, or { error }.
export function beginUpload(account, path, headers = {}) {
  let settle;
  const answered = new Promise((resolve) => { settle = resolve; });
  const request = begin(account, 'PUT', path, { 'content-length': LARGE, 'x-ms-blob-type': 'BlockBlob', ...headers }, (answer) => {
    answer.resume();
    settle({ status: answer.statusCode, code: answer.headers['x-ms-error-code'] });
  });
  request.on('error', (error) => settle({ error }));
  return new Promise((resolve) => {
    request.write(Buffer.alloc(LARGE / 2), () => resolve({ finish: () => {
      request.end(Buffer.alloc(LARGE / 2));
      return answered;
    } }));
  });
}

// That neither got through to its end, in either direction.
export async function assertCutOff(download, upload, code) {
  const { bytes, complete } = await download.finish();
  assert.ok(!complete && bytes < LARGE, `${bytes} bytes came`);
  const end = await upload.finish();
  assert.ok(end.error || (end.status === 403 && end.code === code), `${end.status} ${end.code}`);
}
