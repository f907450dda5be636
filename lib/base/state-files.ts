// The small files of the state directory: each is there as a whole, as before or as after, whatever
// happens. Used by identity.ts and drained.ts. Whatever fails names the directory and the remedy.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { codeOf, FaildError, messageOf } from './errors.js';

/** With all that lead to it. */
export function makeDirectory(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw stateError(stateDir, error);
  }
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
