// The addon's engine with its snapshots as promises: what lib/native.ts exports as `native.Engine`.
//
// Natively a snapshot is asked for and later found, and the engine's thread rings when it is there.
// A ring is for whoever drains, so this class drains first, keeps what it finds for the user, and
// looks for the snapshot; the user sees events only. The time-out is a timer of JavaScript, since
// an engine whose thread hangs rings no more.
import { FaildError } from './errors.js';
import type {
  NativeCommand,
  NativeEngine,
  NativeEvent,
  NativeFacts,
  NativeRuntimeConfig,
  NativeSnapshot,
} from './native.js';

const snapshotTimeoutMs = 2000;
/**
 * As many events as the native ring holds; what a user never drains is counted as lost there and
 * here.
 */
const maxBacklog = 4096;

/** The class that the addon exports. */
export interface RawEngine extends Omit<NativeEngine, 'snapshot'> {
  /** The id of the answer to come; null while another snapshot is under way. */
  requestSnapshot(): number | null;
  /** Null until the snapshot that was asked for is complete; then once. */
  takeSnapshot(): NativeSnapshot | null;
}
export type RawEngineClass = new (config: NativeRuntimeConfig, onWake: () => void) => RawEngine;
export type NativeEngineClass = new (
  config: NativeRuntimeConfig,
  onWake: () => void,
) => NativeEngine;

interface Waiting {
  resolve(snapshot: NativeSnapshot): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export function withSnapshots(Raw: RawEngineClass): NativeEngineClass {
  return class Engine implements NativeEngine {
    readonly #raw: RawEngine;
    readonly #onWake: () => void;
    readonly #answerIds = new Set<number>();
    #backlog: NativeEvent[] = [];
    #lostHere = 0;
    #lostInRing = 0;
    /**
     * Those whom the snapshot under way serves, and those who asked while it was: they get the
     * next.
     */
    #waiting: Waiting[] = [];
    #waitingNext: Waiting[] = [];

    constructor(config: NativeRuntimeConfig, onWake: () => void) {
      this.#raw = new Raw(config, () => this.#wake());
      this.#onWake = onWake;
    }

    start(): void {
      this.#raw.start();
    }

    stop(goodbye: boolean): void {
      this.#raw.stop(goodbye);
      this.#failAll(new FaildError('ESTOPPED', 'the engine was stopped before its snapshot'));
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

    drain(): { events: NativeEvent[]; lost: number } {
      // The rest stays in the ring and rings again: two fills at once would not fit the backlog.
      if (this.#backlog.length === 0) this.#fill();
      const events = this.#backlog;
      this.#backlog = [];
      return { events, lost: this.#lostInRing + this.#lostHere };
    }

    snapshot(): Promise<NativeSnapshot> {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => this.#expire(), snapshotTimeoutMs);
        const waiting = { resolve, reject, timer };
        if (this.#waiting.length > 0) {
          this.#waitingNext.push(waiting);
          return;
        }
        this.#waiting.push(waiting);
        this.#request();
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
      if (this.#waiting.length > 0) this.#deliver();
    }

    #request(): void {
      try {
        this.#raw.takeSnapshot(); // one that came after its time-out is too old for anybody now
        const id = this.#raw.requestSnapshot();
        if (id !== null) this.#answerIds.add(id); // null: one under way that nobody waited for
      } catch (error) {
        this.#failAll(error as Error);
      }
    }

    /** Looks for the snapshot itself and not for its answer, which a full ring may have lost. */
    #deliver(): void {
      const snapshot = this.#raw.takeSnapshot();
      if (snapshot === null) return;
      const served = this.#waiting;
      this.#waiting = this.#waitingNext;
      this.#waitingNext = [];
      for (const { resolve, timer } of served) {
        clearTimeout(timer);
        resolve(snapshot);
      }
      if (this.#waiting.length > 0) this.#request();
    }

    /**
     * The timer beat the wake-up: perhaps only because JavaScript itself was late, so look once
     * more.
     */
    #expire(): void {
      const before = this.#waiting;
      this.#fill();
      if (this.#waiting !== before) return;
      const message = `the engine's thread did not answer within ${snapshotTimeoutMs} ms`;
      this.#failAll(new FaildError('ETIMEDOUT', message));
    }

    #failAll(error: Error): void {
      const failed = [...this.#waiting, ...this.#waitingNext];
      this.#waiting = [];
      this.#waitingNext = [];
      for (const { reject, timer } of failed) {
        clearTimeout(timer);
        reject(error);
      }
    }
  };
}
