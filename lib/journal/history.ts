// The history on disk: every event with its evidence, one JSON line each, kept over restarts and
// within a bound (history-files.ts). For `faild events --since` beyond what is in memory. Owned by
// daemon.ts, which shows it every event.
//
// `note` only queues. One write at a time runs on Node's thread pool, so a disk that is full, slow
// or hung costs the daemon one of four helpers and a bounded queue, never its time. What did not
// fit the queue is counted, and its place in the files says so (`gap`), so that an answer can tell
// whether it is complete.
import { readFile } from 'node:fs/promises';

import { wallMs } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { Recent } from '../cluster/event-ring.js';
import type { FaildEvent } from '../cluster/events.js';
import type { EventStream } from '../cluster/reader-queue.js';
import { Appender, listSegments } from './history-files.js';

/** Some thousand events: what a bad minute brings while the disk does not take any. */
const maxWaitingBytes = 4 << 20;
/** So much is written at once: one system call for a burst. */
const maxBatchBytes = 64 << 10;
const retryMs = 1000;
/** A disk that answers does so within this; else the answer comes without it. */
const patienceMs = 2000;

/** Events that are missing in the files, by the dates of the first and the last. */
interface Gap {
  gap: number;
  from: string;
  to: string;
}

/** The last events as faild keeps them itself: those of so many seconds, or all of them. */
type Memory = (options: { since?: number | undefined }) => Recent;

export class History {
  readonly #files: Appender;
  readonly #startedMs = wallMs();
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #gap: Gap | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  /** `complain` says one line when writing fails for the first time, and when it works again. */
  constructor(
    private readonly directory: string,
    maxBytes: number,
    private readonly complain: (line: string) => void,
  ) {
    this.#files = new Appender(directory, maxBytes);
  }

  /** Returns at once, whatever the disk does. */
  note(event: FaildEvent): void {
    if (this.#closed) return;
    const line = lineOf(event);
    if (this.#waitingBytes + line.length > maxWaitingBytes) {
      const { from = event.at, gap = 0 } = this.#gap ?? {};
      this.#gap = { gap: gap + 1, from, to: event.at };
      return;
    }
    this.#markGap();
    this.#queue(line);
    this.#write();
  }

  /**
   * The events of so many seconds (undefined: all that are kept), those in memory included: what
   * faild itself still knows is not asked of the disk.
   */
  async recent(memory: Memory, since: number | undefined): Promise<Recent> {
    const asked = memory({ since });
    const past = await this.past(memory, since);
    return { events: [...past.events, ...asked.events], complete: past.complete };
  }

  /** The same without those in memory; what that is, is asked before this returns. */
  async past(memory: Memory, since: number | undefined): Promise<Recent> {
    const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : wallMs() - since * 1000;
    const known = memory({});
    if (known.complete && sinceMs >= this.#startedMs) return { events: [], complete: true };
    return await this.#before(known, sinceMs);
  }

  /** False: the disk did not take the rest in time, and still holds one of the pool's threads. */
  async close(): Promise<boolean> {
    this.#closed = true;
    this.#markGap();
    this.#write();
    clearTimeout(this.#retry);
    const done = (this.#writing ?? Promise.resolve()).then(() => this.#files.close());
    const refused = { value: undefined }; // that is an answer, too
    return (await within(done, patienceMs).catch(() => refused)) !== undefined;
  }

  /** What is on disk and not in memory. */
  async #before(known: Recent, sinceMs: number): Promise<Recent> {
    const [first] = known.events;
    const knownFromMs =
      known.complete || first === undefined ? this.#startedMs : Date.parse(first.at);
    const waiting = this.#waiting.map((line) => String(line).trimEnd());
    const found = await within(readBack(this.directory, sinceMs), patienceMs).catch(
      () => undefined,
    );
    const { lines, forgotten } = found?.value ?? { lines: [], forgotten: true };
    const told = new Selection(sinceMs, knownFromMs);
    const inMemory = known.events.map((event) => JSON.stringify(event));
    // What is being written may be found as well.
    told.takeAll(lines, new Set([...inMemory, ...waiting]));
    told.takeAll(waiting, new Set(inMemory));
    if (this.#gap !== undefined) told.takeAll([JSON.stringify(this.#gap)], new Set());
    return { events: told.events, complete: told.complete && !forgotten };
  }

  #markGap(): void {
    if (this.#gap === undefined) return;
    this.#queue(lineOf(this.#gap));
    this.#gap = undefined;
  }

  #queue(line: Buffer): void {
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }

  #write(): void {
    if (this.#waiting.length === 0 || this.#writing !== undefined) return;
    if (this.#retry !== undefined && !this.#closed) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#writeBatch();
      if (this.#failing) this.complain('the history can be written again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.complain(`cannot write the history in ${this.directory}: ${messageOf(error)}`);
      }
      this.#failing = true;
      if (!this.#closed) this.#tryLater();
    }
  }

  #tryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#write();
    }, retryMs);
    this.#retry.unref();
  }

  /** What was not taken stays at the head of the queue. */
  async #writeBatch(): Promise<void> {
    const limit = Math.min(maxBatchBytes, this.#files.segmentBytes);
    let [count, bytes] = [0, 0];
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.length > limit) break;
      count += 1;
      bytes += line.length;
    }
    await this.#files.append(Buffer.concat(this.#waiting.slice(0, count), bytes));
    this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
  }
}

/** Of the lines of the files, those that were asked for; and whether any is missing. */
class Selection {
  readonly events: FaildEvent[] = [];
  complete = true;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly sinceMs: number,
    private readonly knownFromMs: number,
  ) {}

  /** In the order in which they were told, without those that are known from elsewhere. */
  takeAll(lines: readonly string[], known: ReadonlySet<string>): void {
    for (const line of lines) if (line !== '') this.#take(line, known);
  }

  #take(line: string, known: ReadonlySet<string>): void {
    const said = parseLine(line);
    if (said === undefined) {
      // Cut off by a crash: an event of about that time.
      this.#miss(this.#lastMs, this.#lastMs);
    } else if ('gap' in said) {
      this.#miss(Date.parse(said.from), Date.parse(said.to));
    } else {
      this.#lastMs = Date.parse(said.at);
      if (this.#lastMs >= this.sinceMs && !known.has(line)) this.events.push(said);
    }
  }

  #miss(fromMs: number, toMs: number): void {
    if (toMs >= this.sinceMs && fromMs < this.knownFromMs) this.complete = false;
  }
}

/** From the newest segment back to the first that begins before `sinceMs`. */
async function readBack(
  directory: string,
  sinceMs: number,
): Promise<{ lines: string[]; forgotten: boolean }> {
  const segments = await listSegments(directory);
  let lines: string[] = [];
  for (const { path } of segments.reverse()) {
    const found = (await readFile(path, 'utf8')).split('\n');
    lines = found.concat(lines);
    if (firstMsOf(found) < sinceMs) return { lines, forgotten: false };
  }
  const oldest = segments.at(-1);
  return { lines, forgotten: oldest !== undefined && oldest.number > 1 };
}

/** The date of the first event; of a segment without any, a time that is later than all. */
function firstMsOf(lines: readonly string[]): number {
  for (const line of lines) {
    const said = parseLine(line);
    if (said !== undefined && 'at' in said) return Date.parse(said.at);
  }
  return Number.POSITIVE_INFINITY;
}

function parseLine(text: string): FaildEvent | Gap | undefined {
  try {
    const said = JSON.parse(text) as Partial<FaildEvent & Gap>;
    const dates = 'gap' in said ? [said.from, said.to] : [said.at];
    const dated = dates.every(
      (date) => typeof date === 'string' && !Number.isNaN(Date.parse(date)),
    );
    return dated ? (said as FaildEvent | Gap) : undefined;
  } catch {
    return undefined;
  }
}

function lineOf(said: FaildEvent | Gap): Buffer {
  return Buffer.from(`${JSON.stringify(said)}\n`);
}

/** Undefined when it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<{ value: T } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work.then((value) => ({ value })), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** What has happened before, then what the stream brings. */
export function precede(past: Promise<Recent>, stream: EventStream): EventStream {
  let waiting: IterableIterator<FaildEvent> | undefined;
  let ended = false;
  return {
    async next() {
      waiting ??= (await past).events.values();
      const { done, value } = waiting.next();
      return done || ended ? await stream.next() : { done: false, value };
    },
    return() {
      ended = true;
      return stream.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
