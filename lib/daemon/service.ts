// What faild tells the service manager that started it (systemd: Type=notify and WatchdogSec=, see
// sd_notify(3)), and who watches the engine's thread. Without a manager nothing is told, but a hung
// engine is still noticed and said. Owned by daemon.ts.
//
// The watchdog is fed from here, by JavaScript, but only while the engine's *own* thread goes round
// its loop: a process that looks alive while nobody fails over is the worst case. The two ways to
// hang are not alike, and are not treated alike:
//
//   the engine's thread   nobody fails over: after five looks, 10 s at most, faild asks the manager
//                         to restart it at once (WATCHDOG=trigger)
//   JavaScript            failover goes on without it, only log, status and control stand still: it
//                         may take the whole WatchdogSec (60 s in packaging/faild.service), so that
//                         a log disk that stalls for some seconds costs no restart
import { getSystemErrorName } from 'node:util';

import { native } from '../engine/native.js';

/** The longest time between two looks at the engine. */
const lookMs = 2000;
/** Looks in a share of the manager's time-out, so that no single late one matters. */
const looksPerTimeout = 8;
/** As many looks in a row without a round of the engine: it hangs. */
const hungLooks = 5;

/** As much of the running engine as is watched. */
export interface Watched {
  /** Grows while the engine's thread goes round. */
  readonly rounds: number;
  /** Makes an idle engine go round once. */
  nudge(): void;
  /** One line for `systemctl status`. */
  describe(): Promise<string>;
}

export interface Voice {
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

export class Service {
  readonly #voice: Voice;
  readonly #socket: string | undefined;
  /** The manager's time-out; undefined: it has none for us. */
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seen = -1;
  #silentLooks = 0;
  #stale = true;
  #complained = false;

  /** Takes the manager's variables out of `env`: they are not for this process's children. */
  constructor(env: NodeJS.ProcessEnv, voice: Voice) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = env;
    delete env.NOTIFY_SOCKET;
    delete env.WATCHDOG_USEC;
    delete env.WATCHDOG_PID;
    this.#voice = voice;
    this.#socket = NOTIFY_SOCKET || undefined;
    const ours = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
    const timeoutMs = Number(WATCHDOG_USEC) / 1000;
    this.#timeoutMs = ours && timeoutMs > 0 ? timeoutMs : undefined;
  }

  ready(): void {
    this.#tell('READY=1');
  }

  stopping(): void {
    clearInterval(this.#timer);
    this.#tell('STOPPING=1');
  }

  /** A reload, whatever comes of it: afterwards faild is as ready as before. */
  async reloading<T>(reload: () => Promise<T>): Promise<T> {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${Math.floor(native.monotonicUs())}`);
    try {
      return await reload();
    } finally {
      this.#tell('READY=1');
    }
  }

  /**
   * From now on the engine is looked at, and the manager hears that it lives. `onLook` is told how
   * late each look was: a sample of the event loop's lag that costs no timer of its own.
   */
  watch(engine: Watched, onLook: (lateUs: number) => void): void {
    const everyMs = Math.min(
      lookMs,
      (this.#timeoutMs ?? Number.POSITIVE_INFINITY) / looksPerTimeout,
    );
    const nextUs = () => native.monotonicUs() + everyMs * 1e3;
    let dueUs = nextUs();
    this.#timer = setInterval(() => {
      onLook(Math.max(0, native.monotonicUs() - dueUs)); // timers have whole milliseconds
      this.look(engine);
      dueUs = nextUs();
    }, everyMs);
    this.look(engine);
  }

  /** Something has changed of what `describe` tells. */
  changed(): void {
    this.#stale = true;
  }

  /** One look; public for its test. */
  look(engine: Watched): void {
    const { rounds } = engine;
    if (rounds !== this.#seen) this.#alive(rounds);
    else this.#silent(engine);
    if (this.#stale && this.#socket !== undefined) this.#describe(engine);
  }

  #alive(rounds: number): void {
    if (this.#silentLooks >= hungLooks) this.#voice.info("the engine's thread goes round again");
    this.#seen = rounds;
    this.#silentLooks = 0;
    if (this.#timeoutMs !== undefined) this.#tell('WATCHDOG=1');
  }

  /** It may only be idle: then it goes round before the next look. */
  #silent(engine: Watched): void {
    engine.nudge();
    this.#silentLooks += 1;
    if (this.#silentLooks !== hungLooks) return;
    const told = this.#timeoutMs === undefined ? 'restart faild' : 'asking to be restarted';
    this.#voice.error(`the engine's thread hangs, nobody fails over: ${told}`);
    if (this.#timeoutMs !== undefined) this.#tell('WATCHDOG=trigger');
  }

  #describe(engine: Watched): void {
    this.#stale = false;
    engine.describe().then(
      (line) => this.#tell(`STATUS=${line}`),
      () => this.changed(),
    );
  }

  #tell(...lines: string[]): void {
    if (this.#socket === undefined) return;
    const errno = native.notifyService(this.#socket, lines.join('\n'));
    if (errno === 0 || this.#complained) return;
    this.#complained = true;
    const why = getSystemErrorName(-errno);
    this.#voice.warn(`the service manager on ${this.#socket} cannot be told '${lines[0]}': ${why}`);
  }
}
