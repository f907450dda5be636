// Copies of the engine's tables for whoever asks, with a word on the engine's thread: one that hangs
// must not look like one where all is well. Owned by faild.ts.
import { codeOf } from '../base/errors.js';
import type { NativeEngine, NativeSnapshot } from './native.js';

/** The tables as last copied. */
export interface Look {
  snapshot: NativeSnapshot;
  /** The engine's thread has made progress while we looked. */
  alive: boolean;
  /** Of the engine's thread, since its start. */
  heartbeats: number;
}

export class Snapshots {
  #last: NativeSnapshot | undefined;

  /** `onTaken` is shown each copy once. */
  constructor(
    private readonly engine: Pick<NativeEngine, 'snapshot' | 'heartbeatCount'>,
    private readonly onTaken: (snapshot: NativeSnapshot) => void,
  ) {}

  /**
   * Begun after this was called. Whoever shared the copy that is under way could be shown what was
   * before a command of his, or before the event whose host he wants a name for. (The engine
   * answers one question at a time: those who ask meanwhile share the next answer, in
   * native-engine.ts.)
   */
  async take(): Promise<NativeSnapshot> {
    const snapshot = await this.engine.snapshot();
    if (snapshot !== this.#last) {
      this.#last = snapshot;
      this.onTaken(snapshot);
    }
    return snapshot;
  }

  /** The same; from a thread that does not answer, the last copy, whose age tells how old it is. */
  async look(): Promise<Look> {
    const before = this.engine.heartbeatCount();
    try {
      const snapshot = await this.take();
      return { snapshot, alive: true, heartbeats: this.engine.heartbeatCount() };
    } catch (error) {
      if (this.#last === undefined || codeOf(error) !== 'ETIMEDOUT') throw error;
      const heartbeats = this.engine.heartbeatCount();
      return { snapshot: this.#last, alive: heartbeats > before, heartbeats };
    }
  }
}
