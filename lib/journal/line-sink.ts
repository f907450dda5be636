// Where log lines go: a file or standard output, written at once, so that a crash loses none. A
// write that fails (disk full, directory gone) must never reach the daemon: the line is counted,
// the first is said on stderr, and so is the end of the trouble. Made by log.ts.
//
// Standard output may be a pipe that does not block. When its reader falls behind (a thousand peers
// met at once are three thousand lines), the lines wait here, in order and bounded. Once one has
// been refused, so are all until those that wait are written: one gap instead of many.
//
// A file may be removed, or its disk go and come back mounted anew. So a line that finds its file
// removed, or comes after a loss, goes to what the path names by then; rotation by renaming is
// left alone, for that ends with SIGHUP.
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';

import { codeOf, FaildError, messageOf } from '../base/errors.js';

const maxWaitingBytes = 8 << 20;
const retryMs = 10;
/** At the end, a reader that takes nothing is waited for no longer than this. */
const closeWithinMs = 1000;

export class LineSink {
  #fd: number;
  readonly #path: string | null;
  #failed = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes of the first that are written already. */
  #done = 0;
  /** A line was cut off by a full disk: the next one must not continue it. */
  #torn = false;
  #refusing = false;
  #retry: NodeJS.Timeout | undefined;

  /**
   * `target`: a file's path, or an open descriptor (1: standard output). `complain` says one line
   * to the operator; `onRecovered` may write one where those are missing. Throws when the file
   * cannot be opened.
   */
  constructor(
    target: string | number,
    private readonly complain: (line: string) => void,
    private readonly onRecovered: (lost: number) => void = () => undefined,
  ) {
    this.#path = typeof target === 'string' ? target : null;
    this.#fd = typeof target === 'string' ? open(target) : target;
  }

  /** Lines lost since the last that was written. */
  get failed(): number {
    return this.#failed;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    this.#refusing ||= this.#waitingBytes + bytes.length > maxWaitingBytes;
    if (this.#refusing) {
      this.#lose('its reader is too slow');
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#retry === undefined) this.#flush();
  }

  /** After a rotation. When the new file cannot be opened, the old one is kept: false. */
  reopen(): boolean {
    if (this.#path === null) return false;
    try {
      this.#follow(this.#path);
      return true;
    } catch (error) {
      this.complain(`${messageOf(error)}; keeping the old file`);
      return false;
    }
  }

  #follow(path: string): void {
    const fd = open(path);
    this.#torn &&= isSame(fd, this.#fd);
    closeSync(this.#fd);
    this.#fd = fd;
  }

  close(): void {
    for (let ms = 0; this.#waiting.length > 0 && ms < closeWithinMs; ms += retryMs) {
      pause(retryMs);
      this.#flush();
    }
    clearTimeout(this.#retry);
    if (this.#path !== null) closeSync(this.#fd);
  }

  /** Writes what waits, in order, as far as it is taken. */
  #flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        this.#writeWhole(first);
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') {
          clearTimeout(this.#retry);
          this.#retry = setTimeout(() => this.#flush(), retryMs);
          return;
        }
        this.#torn ||= this.#done > 0;
        this.#dropFirst(first);
        this.#lose(messageOf(error));
        continue;
      }
      this.#dropFirst(first);
      if (this.#failed > 0 && (!this.#refusing || this.#waiting.length === 0)) this.#recover();
    }
  }

  #writeWhole(bytes: Buffer): void {
    // What is half written belongs to the file where its first half is.
    if (this.#path !== null && this.#done === 0 && this.#mayHaveMoved()) this.#follow(this.#path);
    if (this.#torn) writeSync(this.#fd, '\n');
    this.#torn = false;
    while (this.#done < bytes.length) {
      this.#done += writeSync(this.#fd, bytes, this.#done);
    }
  }

  #mayHaveMoved(): boolean {
    return this.#failed > 0 || fstatSync(this.#fd).nlink === 0;
  }

  #dropFirst(first: Buffer): void {
    this.#waiting.shift();
    this.#waitingBytes -= first.length;
    this.#done = 0;
  }

  #lose(why: string): void {
    if (this.#failed === 0) this.complain(`cannot write the log: ${why}; going on without`);
    this.#failed += 1;
  }

  #recover(): void {
    const lost = this.#failed;
    this.#failed = 0;
    this.#refusing = false;
    this.complain(`the log can be written again; ${lost} lines were lost`);
    this.onRecovered(lost);
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function isSame(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

/** A pipe without a reader is an error, not a reason to wait; of a file O_NONBLOCK says nothing. */
const openFlags =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

function open(path: string): number {
  try {
    return openSync(path, openFlags, 0o640);
  } catch (error) {
    const line = `-l (--log-file): cannot open '${path}': ${messageOf(error)}`;
    throw new FaildError(codeOf(error) ?? 'ELOG', line, { cause: error });
  }
}
