// Programs that are run on events, as `hooks` in the configuration says: the event as JSON on
// standard input. Owned by daemon.ts, which shows it every event.
//
// Here it is only decided who is told what; the programs are run by a process of its own
// (hook-runner.ts), so that no fork, no hanging disk and no flood of events reaches the engine or
// this thread. What waits is bounded; what does not fit is counted, and said in the log.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { FaildEvent } from '../cluster/events.js';
import type { Hook } from '../config/hook-kind.js';
import type { Job, Order, Report } from './hook-runner.js';

/** Jobs that are handed over and have not ended: of all hooks together. */
const maxWaiting = 512;
const restartMs = 1000;

export interface Voice {
  info(line: string, fields?: object): void;
  warn(line: string, fields?: object): void;
}

export class Hooks {
  #hooks: readonly Hook[] = [];
  #runner: ChildProcess | undefined;
  #waiting = 0;
  #lost = 0;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly voice: Voice) {}

  /** From now on these. The process is started with the first hook that there is. */
  use(hooks: readonly Hook[]): void {
    this.#hooks = hooks;
    if (hooks.length > 0) this.#start();
    this.#send({ look: [...new Set(hooks.map(({ run: [program = ''] }) => program))] });
  }

  /** Returns at once. */
  note(event: FaildEvent): void {
    for (const { run, on, timeoutS } of this.#hooks) {
      if (!on.includes(event.kind)) continue;
      this.#hand({ run, timeoutS, kind: event.kind, input: JSON.stringify(event) });
    }
  }

  /** Ends the hooks that run, whatever they are doing. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#restart);
    if (this.#runner?.connected) this.#runner.disconnect();
  }

  #hand(job: Job): void {
    if (this.#waiting >= maxWaiting || !this.#send(job)) {
      if (this.#lost === 0)
        this.voice.warn('hooks: events come faster than hooks end; the newest are left out');
      this.#lost += 1;
    } else {
      this.#waiting += 1;
    }
  }

  #send(order: Order): boolean {
    if (!this.#runner?.connected) return false;
    this.#runner.send(order, () => undefined); // one that has just gone says so by its exit
    return true;
  }

  #start(): void {
    if (this.#runner !== undefined || this.#closed) return;
    const program = fileURLToPath(new URL('./hook-runner.js', import.meta.url));
    const runner = fork(program, [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    runner.on('message', (said: Report) => this.#hear(said));
    runner.on('error', () => undefined); // it has not started, or is gone: 'exit' or 'close' tells
    runner.once('close', () => this.#gone());
    // The daemon lives and ends without it.
    runner.unref();
    runner.channel?.unref();
    this.#runner = runner;
  }

  #hear(said: Report): void {
    if (!said.done) {
      this.voice.warn(said.why);
      return;
    }
    this.#waiting -= 1;
    this.#tellLoss();
    const { why, output, run, kind } = said;
    const fields = { hook: run, event: kind, ...(output !== '' && { output }) };
    if (why !== null) this.voice.warn(`hooks: ${run[0]} on ${kind} ${why}`, fields);
    else if (output !== '') this.voice.info(`hooks: ${run[0]} on ${kind} says`, fields);
  }

  /** When half of the room is free again: once for each flood. */
  #tellLoss(): void {
    if (this.#lost === 0 || this.#waiting > maxWaiting / 2) return;
    this.voice.warn(`hooks: ${this.#lost} events were not handed over`, { lost: this.#lost });
    this.#lost = 0;
  }

  #gone(): void {
    this.#runner = undefined;
    if (this.#closed) return;
    this.voice.warn(`hooks: their process has ended; ${this.#waiting} events went with it`);
    this.#waiting = 0;
    this.#restart = setTimeout(() => this.use(this.#hooks), restartMs);
    this.#restart.unref();
  }
}
