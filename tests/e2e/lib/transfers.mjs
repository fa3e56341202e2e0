// SPDX-License-Identifier: Apache-2.0
// Transfers that stand half done until the test lets them go on: a key may be taken away meanwhile.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';

import { accountSas } from './signed.mjs';

// What a gateway may have opened of a download when the key is taken away: GK_READ_CHUNKS, and GK_HTTP_CONNECTION_BYTES
// that wait to be sent.
const OPENED_MAX = (1024 + 144) * 1024;
export const LARGE = 64 * 1024 * 1024; // more than sockets hold

// What the kernel holds of this connection on its way here: sent by the other end, and not read yet.
function onItsWay({ localPort, remotePort }) {
  const port = (number) => `:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  const ends = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1, -1).map((line) => line.trim().split(/\s+/))
    .map(([, local, remote, , queues]) => ({ local, remote, queues: queues.split(':').map((bytes) => parseInt(bytes, 16)) }));
  const queuesOf = (from, to) => // one that is gone has nothing left to send
    ends.find(({ local, remote }) => local.endsWith(port(from)) && remote.endsWith(port(to)))?.queues ?? [0, 0];
  const [[sent], [, received]] = [queuesOf(remotePort, localPort), queuesOf(localPort, remotePort)];
  return sent + received;
}

function begin(account, method, path, headers, onAnswer) {
  const url = new URL(`${account.blobEndpoint}${path}?${new URLSearchParams(accountSas(account))}`);
  return http.request(url, { method, agent: false, headers: { 'x-ms-version': '2021-12-02', ...headers } }, onAnswer);
}

// A download that has begun to come. finish() resolves with how many bytes came, how many of them were sent only after it
// was called, and whether all came.
export function beginDownload(account, path) {
  return new Promise((resolve, reject) => {
    const request = begin(account, 'GET', path, {}, (answer) => {
      assert.equal(answer.statusCode, 200);
      answer.once('readable', () => {
        resolve({ finish: () => new Promise((done) => {
          const { socket } = answer;
          const sent = socket.bytesRead + onItsWay(socket);
          let bytes = 0;
          answer.on('data', (part) => { bytes += part.length; });
          answer.once('close', () => done({ bytes, sentLater: socket.bytesRead - sent, complete: answer.complete }));
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

// That neither got through to its end, in either direction, once the key was taken away; of the download, no more than
// was opened by then.
export async function assertCutOff(download, upload, code) {
  const { bytes, sentLater, complete } = await download.finish();
  assert.ok(!complete && bytes < LARGE, `${bytes} bytes came`);
  assert.ok(sentLater <= OPENED_MAX, `${sentLater} bytes were sent after the key was taken away`);
  const end = await upload.finish();
  assert.ok(end.error || (end.status === 403 && end.code === code), `${end.status} ${end.code}`);
}
