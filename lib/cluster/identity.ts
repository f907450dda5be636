// Who this host is: an id that survives restarts and an incarnation that grows with each of them.
// Called once at each start, by faild.ts, before the first packet leaves. Peers tell a restarted
// host from a new one by these.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { wallMs } from '../base/clock.js';
import { codeOf, FaildError, messageOf } from '../base/errors.js';
import { makeStateDirectory, readWhole, writeWhole } from '../base/state-files.js';

export interface Identity {
  /** 16 hex digits, never all zero. */
  host: string;
  /** 16 hex digits; greater than at any earlier start. */
  incarnation: string;
  /** This start could not be noted on disk. */
  warning?: string;
}

/**
 * Reads or makes the identity in `stateDir`. The id is on disk before it is used, or not used at
 * all. A host that has one starts without noting its incarnation, if it must: a disk that is full,
 * or was made read-only because it fails, shall not keep faild from its job.
 */
export function takeIdentity(stateDir: string, nowMs: number = wallMs()): Identity {
  makeStateDirectory(stateDir);
  const hostFile = join(stateDir, 'host-id');
  let host = readHex(hostFile, 'delete it to make this a new host in the eyes of its peers');
  if (host === undefined) {
    host = newHostId();
    writeWhole(hostFile, host);
  }
  return { host, ...nextIncarnation(join(stateDir, 'incarnation'), nowMs) };
}

/**
 * Grows even when the clock was set back, and even when the file is lost as long as the clock was
 * not.
 */
function nextIncarnation(file: string, nowMs: number): Omit<Identity, 'host'> {
  const last = readHex(file, 'delete it (the next one is then taken from the clock)');
  const next = BigInt(Math.trunc(nowMs));
  const after = last === undefined ? 0n : BigInt(`0x${last}`) + 1n;
  const incarnation = (next > after ? next : after).toString(16).padStart(16, '0');
  try {
    writeWhole(file, incarnation);
    return { incarnation };
  } catch (error) {
    if (!diskFaults.includes(codeOf(error) ?? '')) throw error;
    const line = `${messageOf(error)}; until then a restart counts as one only if the clock has moved on`;
    return { incarnation, warning: line };
  }
}

const diskFaults = ['EDQUOT', 'EIO', 'ENOSPC', 'EROFS'];

function newHostId(): string {
  const id = randomBytes(8).toString('hex');
  return /^0+$/.test(id) ? newHostId() : id;
}

/**
 * Undefined when there is no such file. A spoilt one is an error: a new identity must be
 * somebody's decision.
 */
function readHex(file: string, remedy: string): string | undefined {
  const text = readWhole(file);
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{16}$/.test(text) && !/^0+$/.test(text)) return text;
  const line =
    `${file} is spoilt: expected 16 hex digits, not all zero; restore it from a ` +
    `backup, or ${remedy}`;
  throw new FaildError('EBADSTATE', line);
}
