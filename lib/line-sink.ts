// Where log lines go: a file or standard output, written at once, so that a crash loses none. A
// write that fails (disk full, directory gone) must never reach the daemon: the line is counted,
// the first is said on stderr, and so is the end of the trouble. Made by log.ts.
import { closeSync, openSync, writeSync } from 'node:fs';

import { codeOf, FaildError, messageOf } from './errors.js';

export class LineSink {
  #fd: number;
  #path: string | null;
  #failed = 0;
  /** A line was cut off by a full disk: the next one must not continue it. */
  #torn = false;

  /**
   * `path` null: standard output. `complain` says one line to the operator. Throws when the file
   * cannot be opened.
   */
  constructor(
    path: string | null,
    private readonly complain: (line: string) => void,
  ) {
    this.#path = path;
    this.#fd = path === null ? 1 : open(path);
  }

  /** Lines lost since the last that was written. */
  get failed(): number {
    return this.#failed;
  }

  write(line: string): void {
    try {
      this.#writeWhole(this.#torn ? `\n${line}` : line);
    } catch (error) {
      if (this.#failed === 0)
        this.complain(`cannot write the log: ${messageOf(error)}; going on without`);
      this.#failed += 1;
      return;
    }
    this.#torn = false;
    if (this.#failed === 0) return;
    this.complain(`the log can be written again; ${this.#failed} lines were lost`);
    this.#failed = 0;
  }

  /** After a rotation. When the new file cannot be opened, the old one is kept. */
  reopen(): void {
    if (this.#path === null) return;
    try {
      const fd = open(this.#path);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#torn = false;
    } catch (error) {
      this.complain(`${messageOf(error)}; keeping the old file`);
    }
  }

  close(): void {
    if (this.#path !== null) closeSync(this.#fd);
  }

  #writeWhole(line: string): void {
    const bytes = Buffer.from(line);
    for (let done = 0; done < bytes.length; ) {
      const written = writeSync(this.#fd, bytes, done);
      done += written;
      this.#torn = done < bytes.length;
    }
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    const line = `-l (--log-file): cannot open '${path}': ${messageOf(error)}`;
    throw new FaildError(codeOf(error) ?? 'ELOG', line, { cause: error });
  }
}
