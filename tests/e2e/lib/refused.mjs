// SPDX-License-Identifier: Apache-2.0
// What the vendor's SDK makes of a documented refusal.
import assert from 'node:assert/strict';

// code undefined: an answer without one (304, or to HEAD).
export async function refused(promise, status, code) {
  await assert.rejects(promise, (error) => {
    const got = error.code ?? error.details?.errorCode;
    assert.equal(error.statusCode, status, `${error.statusCode} ${got}: ${error.message}`);
    if (code !== undefined) assert.equal(got, code);
    return true;
  });
}
