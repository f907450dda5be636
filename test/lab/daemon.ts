// A real faild process on one host of the lab: `node dist/cli.js` in the host's namespace, with a
// state directory, a socket and a log of its own. Its log is read as it is written.
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchAnswer } from '../../lib/control/client.js';
import type { EventsAnswer } from '../../lib/control/routes.js';
import { kArenaDirectory } from './arena.js';
import { eachLine, Records, type Timed } from './records.js';
import { inside, nowUs, type Outcome, outcome } from './shell.js';
import type { Host } from './topology.js';

export interface DaemonOptions {
  /** `-r`; true unless said otherwise. */
  requestor?: boolean;
  /** `-t`, in seconds; 0.02 unless said otherwise. */
  interval?: number;
  /** `-f`. */
  failAfter?: number;
  /** `-s`. */
  restoreAfter?: number;
  transport?: 'raw' | 'udp';
  /** `-l`: then its log is not read, and it has started when it answers. */
  logFile?: string;
  /** Added to its environment. */
  env?: NodeJS.ProcessEnv;
  /** Further arguments, as on a command line. */
  more?: string[];
}

/** One line of the log: the event's fields (lib/cluster/events.ts), and when the lab read it. */
export interface LogLine extends Timed {
  kind?: string;
  msg?: string;
  monotonicUs?: number;
  reason?: string;
  missed?: number;
  lastHeardUs?: number;
  detectUs?: number;
  applyUs?: number;
  lan?: { name: string };
  via?: { name: string } | null;
  path?: { peer: { name: string }; lan: { name: string } };
  [field: string]: unknown;
}

export const kLogDirectory = join(kArenaDirectory, 'log');

const kStartMs = 10_000;
/** With 3 misses 60 ms: above the stalls of a shared machine (37 ms, seen), which are no cuts. */
const kInterval = 0.02;

/** Exit status of `faild status` when nobody answers. */
const kNoDaemon = 3;

function packageRoot(directory = dirname(fileURLToPath(import.meta.url))): string {
  const file = join(directory, 'package.json');
  if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'faild') return directory;
  if (directory === '/') throw new Error('the lab cannot find the package it belongs to');
  return packageRoot(dirname(directory));
}

/** The program, as compiled. */
export const kCli = join(packageRoot(), 'dist', 'cli.js');

/** Runs a command of faild's (`status`, `cleanup`, or a bad one) on a host, to its end. */
export function faild(host: Host, ...argv: string[]): Promise<Outcome> {
  return faildUnder([], host, ...argv);
}

/** The same by way of another program, such as `setpriv` with its arguments. */
export function faildUnder(
  wrapper: readonly string[],
  host: Host,
  ...argv: string[]
): Promise<Outcome> {
  return outcome(inside(host.netns, [...wrapper, process.execPath, kCli, ...argv]), {
    env: daemonEnvironment(),
  });
}

/** `/metrics` of this host's daemon, over its socket. */
export function scrape(host: Host): Promise<string> {
  const [, socket = ''] = place(host);
  return curl(host, '--unix-socket', socket, 'http://faild/metrics');
}

/** Any HTTP answer but one of success is an error. */
export const curl = (host: Host, ...argv: string[]): Promise<string> =>
  host.run('curl', '--silent', '--show-error', '--fail', '--max-time', '10', ...argv);

// Coverage and loader settings are for the program that tests, not for the one that is tested.
function daemonEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, NODE_V8_COVERAGE, ...rest } = process.env;
  return rest;
}

export class Daemon {
  readonly log = new Records<LogLine>();
  readonly ended: Promise<number | NodeJS.Signals>;
  private readonly launchedUs = nowUs();

  /** The last line of its standard error. */
  lastWords = '';

  private constructor(
    readonly host: Host,
    private readonly child: ChildProcess,
  ) {
    this.ended = new Promise((resolve) => {
      child.once('close', (status, signal) => resolve(signal ?? status ?? 1));
    });
    const file = join(kLogDirectory, `${host.netns}.log`);
    const keep = (text: string) => appendFileSync(file, `${text}\n`);
    if (child.stderr) {
      eachLine(child.stderr, (text) => {
        keep(text);
        this.lastWords = text;
      });
    }
    if (child.stdout) {
      eachLine(child.stdout, (text) => {
        keep(text);
        this.log.push({ ...JSON.parse(text), readUs: nowUs() });
      });
    }
  }

  /** Starts it without waiting for anything. */
  static launch(host: Host, options: DaemonOptions = {}): Daemon {
    mkdirSync(kLogDirectory, { recursive: true });
    const argv = [process.execPath, kCli, ...flags(host, options)];
    const env = { ...daemonEnvironment(), ...options.env };
    return new Daemon(host, host.launch(argv, { stdio: ['ignore', 'pipe', 'pipe'], env }));
  }

  /** Starts it; resolves when it says that it runs. */
  static async start(host: Host, options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = Daemon.launch(host, options);
    const failed = daemon.ended.then((status) => {
      throw new Error(`${host.name}: faild ended at its start (${status}): ${daemon.lastWords}`);
    });
    const running = options.logFile === undefined ? daemon.saysStarted() : daemon.answers();
    await Promise.race([running, failed]);
    return daemon;
  }

  private saysStarted(): Promise<LogLine> {
    const started = (line: LogLine) => line.incarnation !== undefined;
    return this.log.waitFor(started, `${this.host.name}: faild's start`, kStartMs);
  }

  private async answers(): Promise<void> {
    const end = nowUs() + kStartMs * 1000;
    while ((await faild(this.host, 'status', ...place(this.host))).status === kNoDaemon) {
      if (nowUs() > end) throw new Error(`${this.host.name}: faild does not answer`);
    }
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The first event of a kind since `sinceUs` that fits, now or later. */
  saw(
    kind: string,
    fits: (line: LogLine) => boolean = () => true,
    { sinceUs = 0, withinMs = kStartMs } = {},
  ): Promise<LogLine> {
    const what = `${this.host.name}: event '${kind}'`;
    return this.log.waitFor((line) => line.kind === kind && fits(line), what, withinMs, sinceUs);
  }

  /**
   * Resolves when the log is read as far as the daemon has told it: what is not there by now has
   * not happened. A busy machine has the daemon, the pipe and this program come one after another.
   */
  async logIsRead(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      await this.ended;
      return;
    }
    const [, socket = ''] = place(this.host);
    const { events } = await fetchAnswer<EventsAnswer>(socket, '/v1/events/recent');
    const told = events.filter(({ monotonicUs }) => monotonicUs >= this.launchedUs);
    const last = told.at(-1);
    if (last === undefined) return;
    const isLast = (line: { kind?: string; monotonicUs?: number }) =>
      line.kind === last.kind && line.monotonicUs === last.monotonicUs;
    const wanted = told.filter(isLast).length;
    const isRead = () => this.log.all.filter(isLast).length >= wanted;
    await this.log.waitFor(isRead, `${this.host.name}: the end of its log`, kStartMs);
  }

  /** Resolves when every path to `peer` has been up once. */
  async knows(peer: Host, withinMs = kStartMs): Promise<void> {
    const ups = peer.lans.map((lan) =>
      this.saw('path-up', ({ path }) => isPath(path, peer, lan), { withinMs }),
    );
    await Promise.all(ups);
  }

  async status(): Promise<{ exit: number; status: Status }> {
    const { status, stdout, stderr } = await faild(
      this.host,
      'status',
      '--json',
      ...place(this.host),
    );
    if (!stdout) throw new Error(`${this.host.name}: faild status: ${stderr.trim()}`);
    return { exit: status, status: JSON.parse(stdout) as Status };
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** A clean stop; resolves with the exit status. */
  stop(): Promise<number | NodeJS.Signals> {
    this.signal('SIGTERM');
    return this.ended;
  }

  /** What a crash looks like. */
  kill(): Promise<number | NodeJS.Signals> {
    this.signal('SIGKILL');
    return this.ended;
  }
}

/** As much of `faild status --json` as the lab looks at; lib/cluster/status.ts declares it all. */
export interface Status {
  schema: string;
  ageUs: number;
  engine: { alive: boolean };
  host: { name: string; drained: boolean };
  transport: string;
  scheduling: { mode: string };
  memory: { bytes: number };
  lans: { name: string; state: string; moved: boolean; intervalUs: number; paceUs: number }[];
  peers: {
    id: string;
    name: string;
    drained: boolean;
    paths: { lan: string; state: string; reason: string; via: string | null }[];
  }[];
  alternates: { peer: { name: string }; lan: string; via: string }[];
  counters: Record<string, number>;
  drops: Record<string, number>;
}

export function isPath(path: LogLine['path'], peer: Host, lan: string): boolean {
  return path?.peer.name === peer.name && path.lan.name === lan.toUpperCase();
}

/** The argument that leads a command to this host's daemon. */
export const place = (host: Host): string[] => [
  '--socket',
  join(kArenaDirectory, `${host.netns}.sock`),
];

function flags(host: Host, options: DaemonOptions): string[] {
  const {
    requestor = true,
    interval = kInterval,
    failAfter,
    restoreAfter,
    transport,
    logFile,
    more = [],
  } = options;
  const state = join(kArenaDirectory, `${host.netns}.state`);
  // Not this machine's own file.
  const config = more.includes('--config') ? [] : ['--config', '/dev/null'];
  return [
    ...config,
    ...(requestor ? ['-r'] : []),
    ...['-t', String(interval)],
    ...(failAfter ? ['-f', String(failAfter)] : []),
    ...(restoreAfter ? ['-s', String(restoreAfter)] : []),
    ...(transport ? ['--transport', transport] : []),
    ...(logFile ? ['-l', logFile] : []),
    ...['--host-name', host.name, '--state-dir', state, ...place(host)],
    ...more,
  ];
}
