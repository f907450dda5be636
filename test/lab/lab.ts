// What every lab test begins with: a topology, a faild on each host, and words for what a test asks
// of them. All waiting is for something to become true, with a generous end; what must *not* happen
// is looked for in the daemons' logs and in the kernels' own reports, which miss nothing.
import { setTimeout as pause } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import { Daemon, type DaemonOptions, type LogLine } from './daemon.js';
import { Agent, Dialogue, Stream } from './flows.js';
import { leavesBy, neighbours, RouteMonitor, routes, rules } from './kernel.js';
import { nowUs } from './shell.js';
import {
  type Family,
  interfaceOf,
  type LanLetter,
  Topology,
  type TopologySpec,
} from './topology.js';

export interface LabSpec extends Partial<TopologySpec> {
  /** For every daemon. */
  daemon?: DaemonOptions;
  /** Besides, for the daemon of one host. */
  special?: Record<number, DaemonOptions>;
  /** The hosts whose daemon starts at once; all, unless said otherwise. */
  start?: number[];
}

/** By which LAN one host's traffic for another one's address shall leave. */
export type Way = (from: number, to: number) => LanLetter;

/**
 * For a file of tests, and for one of them: the longest take 25 s and 5 s on a machine that has
 * nothing else to do, and ten times that on one that has too much.
 */
const kFileMs = 1_200_000;
const kTestMs = 180_000;
const kPatienceMs = 10_000;
const kLookAgainMs = 10;
const kFamilies: Family[] = [4, 6];

tap.setTimeout(kFileMs);

let labs = 0;

export class Lab {
  private readonly daemons = new Map<number, Daemon>();
  private readonly agents = new Map<number, Agent>();
  private monitors: RouteMonitor[] = [];

  private constructor(
    readonly topology: Topology,
    private readonly spec: LabSpec,
  ) {}

  /** Builds it, and waits until the daemons know each other on every LAN. */
  static async open(t: Test, spec: LabSpec = {}): Promise<Lab> {
    t.setTimeout(kTestMs);
    const { hosts = 2, lans = 2, rpFilter = 0 } = spec;
    const topology = await Topology.create({ hosts, lans, rpFilter }, `lab${++labs}`);
    const lab = new Lab(topology, spec);
    t.teardown(() => lab.close());
    await lab.start(...(spec.start ?? topology.hosts.map(({ number }) => number)));
    await lab.allUp();
    return lab;
  }

  get cuts() {
    return this.topology.cuts;
  }

  daemon(host: number): Daemon {
    const daemon = this.daemons.get(host);
    if (!daemon) throw new Error(`no faild was started on host${host}`);
    return daemon;
  }

  async start(...hosts: number[]): Promise<void> {
    const started = hosts.map(async (host) => {
      const options = { ...this.spec.daemon, ...this.spec.special?.[host] };
      this.daemons.set(host, await Daemon.start(this.topology.host(host), options));
    });
    await Promise.all(started);
  }

  /** Every path between running daemons is up. Responders do not judge each other. */
  async allUp(): Promise<void> {
    const asks = (host: number) => this.spec.special?.[host]?.requestor ?? true;
    const pairs = this.pairs([...this.daemons.keys()]).filter(([a, b]) => asks(a) || asks(b));
    await this.until('every path is up', async () => {
      const states = await this.states();
      return pairs
        .flatMap(([a, b]) => states[a]?.[`host${b}`] ?? [`host${a} knows nothing of host${b}`])
        .filter((state) => state !== 'up');
    });
  }

  /** Waits until `problems` finds none; the last ones name the failure. */
  async until(what: string, problems: () => Promise<string[]>, withinMs = kPatienceMs) {
    const end = nowUs() + withinMs * 1000;
    for (;;) {
      const found = await problems();
      if (found.length === 0) return;
      if (nowUs() > end) throw new Error(`${what}: not within ${withinMs} ms: ${found.join(', ')}`);
      await pause(kLookAgainMs);
    }
  }

  // --- where traffic goes

  /** Waits until every kernel sends all traffic for `lan`'s addresses the way that `by` says. */
  goes(lan: LanLetter, by: LanLetter | Way, withinMs = kPatienceMs): Promise<void> {
    return this.until(`traffic of LAN ${lan}`, () => this.strays(lan, by), withinMs);
  }

  /** What goes another way than `by` says, in both families. */
  async strays(lan: LanLetter, by: LanLetter | Way): Promise<string[]> {
    const pairs = this.pairs(this.topology.hosts.map(({ number }) => number));
    const looked = pairs.flatMap(([from, to]) =>
      kFamilies.map(async (family) => {
        const expected = typeof by === 'string' ? by : by(from, to);
        const address = this.topology.host(to).address(lan, family);
        const seen = await leavesBy(this.topology.host(from), address);
        return seen === interfaceOf(expected) ? [] : [`host${from} -> ${address} by ${seen}`];
      }),
    );
    return (await Promise.all(looked)).flat();
  }

  async stream(from: number, to: number, lan: LanLetter, family: Family = 4): Promise<Stream> {
    return Stream.start({ from: this.agent(from), to: this.agent(to), lan, family });
  }

  async dialogue(from: number, to: number, lan: LanLetter): Promise<Dialogue> {
    return Dialogue.start({ from: this.agent(from), to: this.agent(to), lan });
  }

  /** Waits until datagrams that are sent from now on arrive. */
  async flows(stream: Stream, count = 50): Promise<void> {
    const since = nowUs();
    await this.until('the stream flows', async () => {
      const { received } = await stream.report(since);
      return received > count ? [] : [`${received} received`];
    });
  }

  // --- what the kernels report

  /** From now on, every change of a route or rule is kept. */
  async watch(): Promise<void> {
    this.monitors = await Promise.all(this.topology.hosts.map((host) => RouteMonitor.open(host)));
  }

  /**
   * The changes since `watch` that moved traffic. With nothing failed over, standby entries do not;
   * during a failover every change of the rules and of the table that is in force may.
   */
  async moves(tableInForce?: number): Promise<string[]> {
    await Promise.all(this.monitors.map((monitor) => monitor.isRead()));
    return this.movesSoFar(tableInForce);
  }

  /** The same, as far as it has been read. */
  movesSoFar(tableInForce?: number): string[] {
    const moving = tableInForce
      ? new RegExp(`^(Deleted )?93\\d:| table ${tableInForce} `)
      : /^(Deleted )?93[2-9]:| table 931100 /;
    return this.monitors.flatMap(({ changes }, i) =>
      changes.all
        .filter(({ text }) => moving.test(text))
        .map(({ text }) => `host${i + 1}: ${text}`),
    );
  }

  /** faild's entries in one host's kernel, in a form that compares. */
  async entries(host: number): Promise<string[]> {
    const there = this.topology.host(host);
    const found = [await routes(there), await rules(there), await neighbours(there)];
    return found
      .flat()
      .map((entry) => JSON.stringify(entry))
      .sort();
  }

  /** Stops every daemon; each must end well and leave nothing. */
  async stopsClean(t: Test): Promise<void> {
    const ends = await Promise.all([...this.daemons.values()].map((daemon) => daemon.stop()));
    t.same(
      ends,
      ends.map(() => 0),
      'every faild stops with exit status 0',
    );
    for (const { number, name } of this.topology.hosts)
      t.same(await this.entries(number), [], `nothing of faild's is left in ${name}`);
  }

  // --- what the daemons report

  /** The log lines of these kinds, of every host or of one: all that have happened by now. */
  async said(
    kinds: string[],
    { sinceUs = 0, host }: { sinceUs?: number; host?: number } = {},
  ): Promise<LogLine[]> {
    const daemons = host ? [this.daemon(host)] : [...this.daemons.values()];
    await Promise.all(daemons.map((daemon) => daemon.logIsRead()));
    return daemons.flatMap(({ log }) =>
      log.between(sinceUs).filter(({ kind }) => kind !== undefined && kinds.includes(kind)),
    );
  }

  private async states(): Promise<Record<number, Record<string, string[]>>> {
    const asked = [...this.daemons].map(async ([host, daemon]) => {
      const { status } = await daemon.status();
      const peers = status.peers.map(({ name, paths }) => [name, paths.map(({ state }) => state)]);
      return [host, Object.fromEntries(peers)];
    });
    return Object.fromEntries(await Promise.all(asked));
  }

  private pairs(hosts: number[]): [number, number][] {
    return hosts.flatMap((a) => hosts.filter((b) => b !== a).map((b): [number, number] => [a, b]));
  }

  private agent(host: number): Agent {
    const agent = this.agents.get(host) ?? Agent.start(this.topology.host(host));
    this.agents.set(host, agent);
    return agent;
  }

  private async close(): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent.close()));
    await Promise.all([...this.daemons.values()].map((daemon) => daemon.kill()));
    await Promise.all(this.monitors.map((monitor) => monitor.close()));
    await this.topology.destroy();
  }
}

/** Only traffic from or to `host` goes by `by`; all else stays on `lan`. */
export const onlyOf =
  (host: number, lan: LanLetter, by: LanLetter): Way =>
  (from, to) =>
    from === host || to === host ? by : lan;

/** LAN A dies silently under traffic of both families, and comes back: the whole story. */
export async function survivesOutage(t: Test, lab: Lab, mayLose = 0): Promise<void> {
  const streams = [await lab.stream(1, 2, 'a', 4), await lab.stream(1, 2, 'a', 6)];
  const flow = () => Promise.all(streams.map((stream) => lab.flows(stream)));
  await flow();
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await flow();
  t.pass('all traffic of LAN A takes LAN B and arrives');
  const { exit } = await lab.daemon(1).status();
  t.equal(exit, 1, 'faild status says by its exit status that paths are down');
  t.same(await lab.strays('b', 'b'), [], 'traffic of LAN B has not moved');

  const healedUs = await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await flow();
  for (const stream of streams) {
    const { lost } = await stream.report(healedUs);
    t.ok(lost <= mayLose, `${lost} lost on the way back, at most ${mayLose}`);
  }
  await lab.allUp();
  t.equal((await lab.daemon(1).status()).exit, 0, 'faild status is content again');
  await lab.stopsClean(t);
}
