// The addon's engine with its snapshots as promises: what lib/engine/native.ts exports as `native.Engine`.
//
// Natively a snapshot (of the tables, or with a query of the flight recorder) is asked for and
// later found, one at a time, and the engine's thread rings when it is there. A ring is for whoever
// drains, so this class drains first, keeps what it finds for the user, and looks for the snapshot;
// the user sees events only. The time-out is a timer of JavaScript, since an engine whose thread
// hangs rings no more.
import { FaildError } from '../base/errors.js';
import type {
  NativeCommand,
  NativeEngine,
  NativeEvent,
  NativeFacts,
  NativeProbeQuery,
  NativeProbes,
  NativeRuntimeConfig,
  NativeSnapshot,
  NativeTappedProbe,
} from './shapes.js';

const snapshotTimeoutMs = 2000;
/**
 * As many events as the native ring holds; what a user never drains is counted as lost there and
 * here.
 */
const maxBacklog = 4096;

/** The class that the addon exports. */
export interface RawEngine extends Omit<NativeEngine, 'snapshot' | 'probes'> {
  /** The id of the answer to come; null while another snapshot is under way. */
  requestSnapshot(query: NativeProbeQuery | null): number | null;
  /** Null until the snapshot that was asked for is complete; then once. */
  takeSnapshot(): Taken | null;
}
export type RawEngineClass = new (config: NativeRuntimeConfig, onWake: () => void) => RawEngine;
export type NativeEngineClass = new (
  config: NativeRuntimeConfig,
  onWake: () => void,
) => NativeEngine;

type Taken = NativeSnapshot | NativeProbes;

interface Waiting {
  resolve(taken: Taken): void;
  reject(error: Error): void;
}

/** One snapshot, and those whom it serves. */
interface Errand {
  /** Null: the tables. */
  query: NativeProbeQuery | null;
  waiting: Waiting[];
}

export function withSnapshots(Raw: RawEngineClass): NativeEngineClass {
  return class Engine implements NativeEngine {
    readonly #raw: RawEngine;
    readonly #onWake: () => void;
    readonly #answerIds = new Set<number>();
    #backlog: NativeEvent[] = [];
    #lostHere = 0;
    #lostInRing = 0;
    /** The first is under way. Who asks for the tables meanwhile gets the next one of those. */
    #errands: Errand[] = [];
    /** What comes next answers an errand that was given up. */
    #stale = false;
    /** Of the request under way. */
    #timer: NodeJS.Timeout | undefined;

    constructor(config: NativeRuntimeConfig, onWake: () => void) {
      this.#raw = new Raw(config, () => this.#wake());
      this.#onWake = onWake;
    }

    start(): void {
      this.#raw.start();
    }

    stop(goodbye: boolean): void {
      try {
        this.#raw.stop(goodbye);
      } finally {
        this.#failAll(new FaildError('ESTOPPED', 'the engine was stopped before its snapshot'));
      }
    }

    facts(): NativeFacts {
      return this.#raw.facts();
    }

    command(command: NativeCommand): number {
      return this.#raw.command(command);
    }

    heartbeatCount(): number {
      return this.#raw.heartbeatCount();
    }

    drainTap(room: number): NativeTappedProbe[] {
      return this.#raw.drainTap(room);
    }

    drain(): { events: NativeEvent[]; lost: number } {
      // The rest stays in the ring and rings again: two fills at once would not fit the backlog.
      if (this.#backlog.length === 0) this.#fill();
      const events = this.#backlog;
      this.#backlog = [];
      return { events, lost: this.#lostInRing + this.#lostHere };
    }

    snapshot(): Promise<NativeSnapshot> {
      return this.#ask(null) as Promise<NativeSnapshot>;
    }

    probes(query: NativeProbeQuery): Promise<NativeProbes> {
      return this.#ask(query) as Promise<NativeProbes>;
    }

    #ask(query: NativeProbeQuery | null): Promise<Taken> {
      return new Promise((resolve, reject) => {
        const waiting = { resolve, reject };
        const next = this.#errands.slice(1).find((errand) => errand.query === null);
        if (query === null && next !== undefined) {
          next.waiting.push(waiting);
          return;
        }
        this.#errands.push({ query, waiting: [waiting] });
        if (this.#errands.length === 1) this.#request();
      });
    }

    #wake(): void {
      this.#fill();
      if (this.#backlog.length > 0) this.#onWake();
    }

    /**
     * Takes all that the engine has for us: events into the backlog, a snapshot to those who wait.
     */
    #fill(): void {
      const { events, lost } = this.#raw.drain();
      this.#lostInRing = lost;
      for (const event of events) {
        if (event.kind === 'answer' && this.#answerIds.delete(event.id)) continue;
        if (this.#backlog.length < maxBacklog) this.#backlog.push(event);
        else this.#lostHere += 1;
      }
      if (this.#errands.length > 0) this.#deliver();
    }

    #request(): void {
      clearTimeout(this.#timer);
      const [errand] = this.#errands;
      if (errand === undefined) return;
      try {
        this.#raw.takeSnapshot(); // one that came after its time-out is too old for anybody now
        const id = this.#raw.requestSnapshot(errand.query);
        this.#stale = id === null; // one is under way that nobody waited for
        if (id !== null) this.#answerIds.add(id);
        this.#timer = setTimeout(() => this.#expire(), snapshotTimeoutMs);
      } catch (error) {
        this.#errands.shift();
        failErrand(errand, error as Error);
        this.#request();
      }
    }

    /** Looks for the snapshot itself and not for its answer, which a full ring may have lost. */
    #deliver(): void {
      const taken = this.#raw.takeSnapshot();
      if (taken === null) return;
      const served = this.#stale ? undefined : this.#errands.shift();
      for (const { resolve } of served?.waiting ?? []) resolve(taken);
      this.#request();
    }

    /**
     * The timer beat the wake-up: perhaps only because JavaScript itself was late, so look once
     * more. What comes for an errand that was given up is progress, too.
     */
    #expire(): void {
      const asked = this.#timer;
      this.#fill();
      if (this.#timer !== asked) return;
      const message = `the engine's thread did not answer within ${snapshotTimeoutMs} ms`;
      this.#failAll(new FaildError('ETIMEDOUT', message));
    }

    #failAll(error: Error): void {
      clearTimeout(this.#timer);
      const failed = this.#errands;
      this.#errands = [];
      for (const errand of failed) failErrand(errand, error);
    }
  };
}

function failErrand({ waiting }: Errand, error: Error): void {
  for (const { reject } of waiting) reject(error);
}
