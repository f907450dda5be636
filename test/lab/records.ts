// A growing list of time-stamped records that can be waited on: what a daemon logs, what the
// kernel's route monitor says. Waiting is event-driven; nobody polls and nobody sleeps.
import { nowUs } from './shell.js';

export interface Timed {
  /** When the lab read it, microseconds on CLOCK_MONOTONIC. */
  readUs: number;
}

export class Records<T extends Timed> {
  readonly all: T[] = [];
  private readonly waiters = new Set<(record: T) => void>();

  push(record: T): void {
    this.all.push(record);
    for (const waiter of [...this.waiters]) waiter(record);
  }

  /** The first record since `sinceUs` that fits, now or later; `what` names it if none comes. */
  waitFor(fits: (record: T) => boolean, what: string, timeoutMs: number, sinceUs = 0): Promise<T> {
    const known = this.all.find((record) => record.readUs >= sinceUs && fits(record));
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const waiter = (record: T) => {
        if (fits(record)) settle(() => resolve(record));
      };
      const late = () => settle(() => reject(new Error(`${what}: not within ${timeoutMs} ms`)));
      const timer = setTimeout(late, timeoutMs);
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
        end();
      };
      this.waiters.add(waiter);
    });
  }

  between(fromUs: number, toUs = nowUs()): T[] {
    return this.all.filter((record) => record.readUs >= fromUs && record.readUs <= toUs);
  }
}

/** Calls `line` with every whole line of a stream. */
export function eachLine(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(line);
  });
}
