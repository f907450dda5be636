// Commands to the engine, with their answers as promises. The engine answers by an event with the
// command's id; this class keeps who waits for which. Owned by faild.ts, which shows it every event
// that it drains.
import { getSystemErrorName } from 'node:util';

import { FaildError } from '../base/errors.js';
import type { NativeCommand, NativeEngine, NativeEvent } from './native.js';

/** The engine answers within microseconds; one that does not in this time hangs. */
const patienceMs = 2000;

interface Waiting {
  resolve(answer: NativeEvent): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class Commands {
  readonly #waiting = new Map<number, Waiting>();

  /** `lookOnceMore` drains the engine, and shows `settle` what was there. */
  constructor(
    private readonly engine: Pick<NativeEngine, 'command'>,
    private readonly lookOnceMore: () => void,
  ) {}

  /** Resolves when the engine has done it; rejects with its reason, ETIMEDOUT or EAGAIN. */
  run(command: NativeCommand, withinMs = patienceMs): Promise<NativeEvent> {
    return new Promise((resolve, reject) => {
      const id = this.engine.command(command);
      const timer = setTimeout(() => {
        // The timer beat the wake-up, perhaps only because JavaScript itself was late: what the
        // engine has done must not be told as undone.
        this.lookOnceMore();
        const line = `the engine's thread did not answer '${command.kind}' in ${withinMs} ms`;
        this.#take(id)?.reject(new FaildError('ETIMEDOUT', line));
      }, withinMs);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  /** Finds the answers among what the engine has reported. */
  settle(events: readonly NativeEvent[]): void {
    for (const event of events) {
      const { kind, id, error } = event;
      if (kind !== 'answer') continue;
      if (error === 0) this.#take(id)?.resolve(event);
      else this.#take(id)?.reject(refused(error));
    }
  }

  /** The engine stops: nobody will answer any more. */
  failAll(error: Error): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(error);
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }
}

function refused(errno: number): FaildError {
  const code = getSystemErrorName(-errno);
  return new FaildError(code, `the engine refused the command: ${code}`, { errno });
}
