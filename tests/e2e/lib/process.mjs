// SPDX-License-Identifier: Apache-2.0
// Servers under test: started with a ready file, logged to a file, ended by their own process id.
import { spawn } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, watch } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// The SDKs expect it; Node.js 18, which is Debian 12's, does not have it there.
globalThis.crypto ??= webcrypto;

const START_TIMEOUT_MS = 30000;
const STOP_TIMEOUT_MS = 30000;
const root = fileURLToPath(new URL('../../..', import.meta.url));

// The path of a program: program('keyvaultd', 'keyvaultd').
export function program(...parts) {
  return path.resolve(root, process.env.GATEKEY_BUILD ?? 'build/release', ...parts);
}

export function tail(file, lines = 20) {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-lines).join('\n') : '';
}

// Resolves with the file's JSON once it is there; a file that is renamed into place is whole.
function waitForFile(file, ended, what) {
  return new Promise((resolve, reject) => {
    let timer;
    const watcher = watch(path.dirname(file), () => look());
    const finish = (action) => {
      clearTimeout(timer);
      watcher.close();
      action();
    };
    function look() {
      if (existsSync(file)) finish(() => resolve(readFileSync(file, 'utf8')));
    }
    timer = setTimeout(() => finish(() => reject(new Error(`${what} is not ready in time`))),
      START_TIMEOUT_MS);
    ended.then((how) => finish(() => reject(new Error(`${what} ended at start (${how})`))));
    look();
  });
}

// options: name, binary, args (without the ready file), readyFile, logFile, env.
// Returns { pid, ready (its parsed JSON, or the text), ended, stop, kill }.
export async function startProcess({ name, binary, args, readyFile, logFile, env }) {
  rmSync(readyFile, { force: true });
  mkdirSync(path.dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  // A test that is killed must not leave servers behind, nor one that fails (below).
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', binary, ...args, '--ready-file', readyFile],
    { stdio: ['ignore', log, log], env: { ...process.env, ...env } });
  closeSync(log);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  ended.then(() => process.removeListener('exit', reap));

  async function end(signal) {
    child.kill(signal);
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve('late'), STOP_TIMEOUT_MS);
    });
    const how = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (how === 'late') {
      child.kill('SIGKILL');
      await ended;
      throw new Error(`${name} did not end on ${signal}\n${tail(logFile)}`);
    }
    return how;
  }

  try {
    const text = await waitForFile(readyFile, ended, name);
    let ready = text;
    try {
      ready = JSON.parse(text);
    } catch { /* some ready files are plain text */ }
    return { pid: child.pid, ready, ended, logFile,
      // Clean: the exit code, 0 when all went well.
      stop: () => end('SIGTERM'),
      // As a crash.
      kill: () => end('SIGKILL') };
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${error.message}\n${tail(logFile)}`);
  }
}
