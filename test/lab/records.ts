// A growing list of time-stamped records that can be waited on: what a daemon logs, what the
// kernel's route monitor says. Waiting is event-driven; nobody polls and nobody sleeps.
export interface Timed {
  /** When the lab read it, microseconds on CLOCK_MONOTONIC. */
  readUs: number;
  /** When it happened, where the record says so: on a busy machine that is not when it is read. */
  monotonicUs?: number;
}

const whenOf = ({ readUs, monotonicUs }: Timed): number => monotonicUs ?? readUs;

export class Records<T extends Timed> {
  readonly all: T[] = [];
  private readonly waiters = new Set<(record: T) => void>();

  push(record: T): void {
    this.all.push(record);
    for (const waiter of [...this.waiters]) waiter(record);
  }

  /**
   * The first record of what happened since `sinceUs` that fits, now or later; `what` names it if
   * none comes.
   */
  waitFor(wanted: (record: T) => boolean, what: string, timeoutMs: number, sinceUs = 0) {
    const fits = (record: T) => whenOf(record) >= sinceUs && wanted(record);
    const known = this.all.find(fits);
    if (known) return Promise.resolve(known);
    return new Promise<T>((resolve, reject) => {
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

  /** What happened between these instants, as far as it has been read. */
  between(fromUs: number, toUs = Number.POSITIVE_INFINITY): T[] {
    return this.all.filter((record) => whenOf(record) >= fromUs && whenOf(record) <= toUs);
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
