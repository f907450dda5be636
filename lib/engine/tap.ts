// Probes as they pass, for whoever listens. While somebody does, the engine puts each probe that is
// watched into a ring of its own (native/core/flight_recorder.h), and this class empties that ring
// every few milliseconds: no packet wakes anybody. All listeners share the one tap: the engine
// watches what any of them wants, each picks his own from it, and nothing once the last has gone.
// Nobody is waited for: what the ring cannot hold is counted. Owned by faild.ts.
import type { Commands } from './commands.js';
import type { NativeEngine, NativeProbeQuery, NativeTappedProbe } from './native.js';

export interface TapListener {
  /** Oldest first. */
  take(probes: readonly NativeTappedProbe[]): void;
  /** There will be no more: faild stops. */
  end(): void;
}

/** The ring (kTapRingSlots of native/base/limits.h) holds as many. */
const ringSlots = 8192;
const lookEveryMs = 5;
/** Each costs JavaScript some 15 us until it is on the socket; this is a third of its time. */
const toldPerSecond = 20_000;

export class Tap {
  readonly #listeners = new Map<TapListener, NativeProbeQuery>();
  #timer: NodeJS.Timeout | undefined;
  /** What the engine was told last, as JSON. */
  #watched = '';
  /** Probes that may be told now; saved up for a burst. */
  #room = 0;
  #lookedUs = 0;
  #first = true;

  constructor(
    private readonly engine: Pick<NativeEngine, 'drainTap'>,
    private readonly commands: Pick<Commands, 'run'>,
    private readonly nowUs: () => number,
  ) {}

  /** Resolves when the engine has begun; with what ends it. */
  async listen(scope: NativeProbeQuery, listener: TapListener): Promise<() => void> {
    this.#listeners.set(listener, scope);
    const leave = () => this.#leave(listener);
    this.#begin();
    try {
      await this.#watch();
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  end(): void {
    this.#rest();
    for (const listener of this.#listeners.keys()) listener.end();
    this.#listeners.clear();
  }

  #leave(listener: TapListener): void {
    if (!this.#listeners.delete(listener)) return;
    if (this.#listeners.size === 0) this.#rest();
    this.#watch().catch(() => undefined); // the next listener says it again
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.engine.drainTap(0); // what the last listeners have left
    this.#first = true;
    this.#room = ringSlots;
    this.#lookedUs = this.nowUs();
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const nowUs = this.nowUs();
    const saved = this.#room + ((nowUs - this.#lookedUs) * toldPerSecond) / 1e6;
    this.#room = Math.min(saved, ringSlots);
    this.#lookedUs = nowUs;
    const probes = this.engine.drainTap(Math.floor(this.#room));
    this.#room -= probes.length;
    const [first] = probes;
    if (first === undefined) return;
    if (this.#first) first.lostBefore = 0; // to those who listened before
    this.#first = false;
    for (const listener of this.#listeners.keys()) listener.take(probes);
  }

  async #watch(): Promise<void> {
    const watch = unionOf([...this.#listeners.values()]);
    const wanted = JSON.stringify(watch);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    try {
      await this.commands.run({ kind: 'tap', watch });
    } catch (error) {
      this.#watched = '';
      throw error;
    }
  }
}

/** Null: nobody's. */
function unionOf(scopes: readonly NativeProbeQuery[]): NativeProbeQuery | null {
  const [first] = scopes;
  if (first === undefined) return null;
  const { host, lan } = first;
  return {
    host: scopes.every((scope) => scope.host === host) ? host : null,
    lan: scopes.every((scope) => scope.lan === lan) ? lan : null,
  };
}

/** Whether this listener wants it. */
export function isWanted({ host, lan }: NativeProbeQuery, probe: NativeTappedProbe): boolean {
  const byHost = host === null || probe.host === null || probe.host === host;
  return byHost && (lan === null || probe.lan === lan);
}
