// `faild top` on a terminal: asks the daemon once a second, draws what top.ts makes of it, obeys a
// few keys, and leaves the terminal as it was, however it ends. Added to the command line by
// cli.ts.
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { FaildError, messageOf } from '../base/errors.js';
import type { FaildEvent } from '../cluster/events.js';
import type { Status } from '../cluster/status.js';
import type { DaemonOptions } from '../config/config.js';
import type { Line, Tone } from '../text/top.js';
import type { Add, Glance } from './options.js';

const everyMs = 1000;
/** More than any screen shows. */
const keptEvents = 100;
const eventsSince = '10min';

const help = `
Keys: q or Ctrl-C quits; the arrows, j and k, and the page keys scroll the table of paths.

Exit status: 0 ended by a key, 2 not on a terminal or bad usage, 3 no daemon answers.

Examples:
  faild top
  faild top --json | jq -c '.lans[] | {name, state}'
  watch -n 5 faild status    where there is no terminal to take over`;

export function addTop(add: Add, glance: Glance): void {
  add('top', 'show LANs, paths and events live')
    .option('--json', 'the status document once a second, one a line; needs no terminal')
    .addHelpText('after', help)
    .action(async (_options, command: Command) => {
      const { json, ...flags } = command.optsWithGlobals<DaemonOptions & { json?: true }>();
      const { socket } = await glance(flags);
      await (json ? printLines(socket) : runTop(socket));
    });
}

/** For a program; ends with its reader, or with the daemon. */
async function printLines(socket: string): Promise<never> {
  const { fetchStatus } = await import('../control/client.js');
  for (;;) {
    process.stdout.write(`${JSON.stringify(await fetchStatus(socket))}\n`);
    await pause(everyMs);
  }
}

async function runTop(socket: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    const line = 'top: needs a terminal for its keys and its picture; use faild status elsewhere';
    throw new FaildError('ENOTTY', line, { exitStatus: 2 });
  }
  const { fetchStatus } = await import('../control/client.js');
  const { drawTop } = await import('../text/top.js');
  const first = await fetchStatus(socket); // no daemon: said before the terminal is taken over
  await new Top(socket, first, fetchStatus, drawTop).run();
}

class Top {
  #before: Status | undefined;
  #events: FaildEvent[] = [];
  #trouble: string | null = null;
  #offset = 0;
  #ended = false;

  constructor(
    private readonly socket: string,
    private status: Status,
    private readonly fetchStatus: (socket: string) => Promise<Status>,
    private readonly drawTop: typeof import('../text/top.js').drawTop,
  ) {}

  async run(): Promise<void> {
    takeTerminal();
    process.stdin.on('data', (keys: Buffer) => this.#obey(String(keys)));
    process.stdout.on('resize', () => this.#draw());
    void this.#follow();
    while (!this.#ended) {
      this.#draw();
      await pause(everyMs);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    try {
      const next = await this.fetchStatus(this.socket);
      this.#before = this.status;
      this.status = next;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = messageOf(error);
    }
  }

  /** A daemon that goes takes its stream along; the next one has another. */
  async #follow(): Promise<void> {
    const { followEvents } = await import('../control/client.js');
    for (;;) {
      try {
        this.#events = [];
        for await (const event of followEvents(this.socket, eventsSince)) {
          this.#events.push(event);
          if (this.#events.length > keptEvents) this.#events.shift();
        }
      } catch {
        // The status says it.
      }
      await pause(everyMs);
    }
  }

  #obey(keys: string): void {
    const page = Math.max(1, (process.stdout.rows ?? 0) - 10);
    const steps: Record<string, number> = {
      '\x1b[A': -1,
      k: -1,
      '\x1b[B': 1,
      j: 1,
      '\x1b[5~': -page,
      '\x1b[6~': page,
      ' ': page,
    };
    if (keys.includes('q') || keys.includes('\x03')) this.#end();
    this.#offset = Math.max(0, Math.min(this.#offset + (steps[keys] ?? 0), this.#longest()));
    this.#draw();
  }

  #longest(): number {
    return this.status.peers.flatMap(({ paths }) => paths).length;
  }

  #draw(): void {
    if (this.#ended) return;
    const { rows = 24, columns = 80 } = process.stdout;
    const lines = this.drawTop({
      status: this.status,
      before: this.#before,
      events: this.#events,
      trouble: this.#trouble,
      rows,
      columns,
      offset: this.#offset,
    });
    // Drawn over the last picture, so that nothing flickers.
    process.stdout.write(`\x1b[H${lines.map(painted).join('\r\n')}\x1b[J`);
  }

  #end(): void {
    this.#ended = true;
    process.exit(0);
  }
}

const colours: Record<Tone, string> = {
  plain: '',
  title: '\x1b[1m',
  bad: '\x1b[1;31m',
  moved: '\x1b[33m',
  dim: '\x1b[2m',
};

function painted({ text, tone }: Line): string {
  const colour = process.env.NO_COLOR ? '' : colours[tone];
  return colour === '' ? `${text}\x1b[K` : `${colour}${text}\x1b[0m\x1b[K`;
}

/** The other screen, without a cursor; given back at the end, also when a signal brings it. */
function takeTerminal(): void {
  process.once('exit', () => {
    process.stdin.setRawMode(false);
    process.stdout.write('\x1b[?25h\x1b[?1049l');
  });
  for (const [signal, number] of [
    ['SIGTERM', 15],
    ['SIGHUP', 1],
    ['SIGINT', 2],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
  process.stdin.setRawMode(true);
  process.stdout.write('\x1b[?1049h\x1b[?25l\x1b[2J');
}
