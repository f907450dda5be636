// The small files of the state directory: each is there as a whole, as before or as after, whatever
// happens. Used by identity.ts and drained.ts. Whatever fails names the directory and the remedy.
// And how directories are made, for the control sockets as well.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { codeOf, FaildError, messageOf } from './errors.js';

export function makeStateDirectory(stateDir: string): void {
  try {
    makeDirectory(stateDir);
  } catch (error) {
    throw stateError(stateDir, error);
  }
}

/**
 * With all that lead to it. Not by mkdir's own `recursive`: in Node 20 that never returns where the
 * kernel says ENOENT although the parent is there, as it does below /proc.
 */
export function makeDirectory(path: string): void {
  if (isDirectory(path)) return;
  makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (!isDirectory(path)) throw error; // else somebody was quicker
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Temporary file, fsync, rename, fsync of the directory: after a power cut the old content is
 * there, or the new.
 */
export function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, 'w', 0o644);
    try {
      writeSync(fd, `${text}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
    syncDirectory(dirname(file));
  } catch (error) {
    throw stateError(file, error);
  }
}

/** Undefined when there is no such file; blanks around the text do not count. */
export function readWhole(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw stateError(file, error);
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function stateError(path: string, error: unknown): FaildError {
  const line =
    `--state-dir: cannot use ${path}: ${messageOf(error)}; give a directory that ` +
    `faild may write`;
  return new FaildError(codeOf(error) ?? 'EBADSTATE', line, { cause: error });
}
