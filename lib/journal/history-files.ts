// The files of the history: numbered segments of JSON lines in one directory, the highest number
// the newest. Used by history.ts, which writes and reads them.
//
// A segment that is full is left alone and the next number begun, so that nothing is ever renamed
// or rewritten and a crash finds nothing half done; the oldest are deleted to stay within the
// bound. That number 1 is gone says that something was forgotten.
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** The bound is shared by so many segments: what one deletion forgets is a small part of it. */
export const segmentsWithin = 8;
/** However small they are, as after the bound was raised. */
const maxSegments = 2 * segmentsWithin;

export interface Segment {
  number: number;
  path: string;
  bytes: number;
}

/** The oldest first; a directory that is not there holds none. */
export async function listSegments(directory: string): Promise<Segment[]> {
  const names = await readdir(directory).catch(() => []);
  const found = names.flatMap((name) => {
    const [, digits] = /^events\.(\d{1,15})\.jsonl$/.exec(name) ?? [];
    return digits === undefined ? [] : [{ number: Number(digits), path: join(directory, name) }];
  });
  const sized = found.map(async (segment) => {
    const bytes = (await stat(segment.path).catch(() => undefined))?.size ?? 0;
    return { ...segment, bytes };
  });
  return (await Promise.all(sized)).sort((a, b) => a.number - b.number);
}

/** Where lines are appended. A write that failed may be tried again: it lands in the same place. */
export class Appender {
  #handle: FileHandle | undefined;
  #number = 0;
  #bytes = 0;

  constructor(
    private readonly directory: string,
    private readonly maxBytes: number,
  ) {}

  /** As many bytes at a time fit a segment. */
  get segmentBytes(): number {
    return Math.floor(this.maxBytes / segmentsWithin);
  }

  async append(bytes: Buffer): Promise<void> {
    if (this.#handle === undefined || (await this.#isGone())) await this.#begin(bytes.length);
    else if (this.#bytes + bytes.length > this.segmentBytes) await this.#open(this.#number + 1);
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#writeAt(bytes, done);
      done += bytesWritten;
    }
    this.#bytes += bytes.length;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #writeAt(bytes: Buffer, done: number): Promise<{ bytesWritten: number }> {
    if (this.#handle === undefined) throw new Error('the history is closed');
    return this.#handle.write(bytes, done, bytes.length - done, this.#bytes + done);
  }

  /** Somebody has removed the file. */
  async #isGone(): Promise<boolean> {
    return this.#handle !== undefined && (await this.#handle.stat()).nlink === 0;
  }

  /** Goes on with the last segment where there is room in it. */
  async #begin(wanted: number): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    const last = (await listSegments(this.directory)).at(-1);
    const full = last !== undefined && last.bytes + wanted + 1 > this.segmentBytes;
    await this.#open((last?.number ?? 1) + Number(full));
  }

  /** Room is made first, so that the bound holds at any moment. */
  async #open(number: number): Promise<void> {
    await this.close();
    await this.#prune(number);
    const path = join(this.directory, `events.${number}.jsonl`);
    // Not for appending: a write at a place can be repeated.
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    this.#handle = handle;
    this.#number = number;
    this.#bytes = (await handle.stat()).size;
    if (this.#bytes > 0 && !(await endsWhole(handle, this.#bytes))) {
      // A crash has cut the last line off: the next one must not continue it.
      await handle.write('\n', this.#bytes);
      this.#bytes += 1;
    }
  }

  async #prune(newest: number): Promise<void> {
    const others = (await listSegments(this.directory)).filter(({ number }) => number !== newest);
    let sum = others.reduce((total, { bytes }) => total + bytes, 0);
    for (const [at, { path, bytes }] of others.entries()) {
      const room = this.maxBytes - this.segmentBytes;
      if (sum <= room && others.length - at < maxSegments) return;
      await unlink(path);
      sum -= bytes;
    }
  }
}

async function endsWhole(handle: FileHandle, bytes: number): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, bytes - 1);
  return buffer.toString() === '\n';
}
