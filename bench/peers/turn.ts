// One turn of one contender: a fresh lab, both ends started and ready, then `work`; at the end
// everything of it is gone, since its processes are ended and its namespaces deleted. So nothing of
// one contender (a route, a neighbour entry, a process) can meet the next.
import { mkdirSync, rmSync } from 'node:fs';
import { kArenaDirectory } from '../../test/lab/arena.js';
import type { Topology } from '../../test/lab/topology.js';
import type { Agent, AgentReport } from '../agent.js';
import { type CutResult, judge, knownCut } from '../cuts.js';
import { BenchLab, kStallPeriodUs, kStreamPeriodUs } from '../lab.js';
import { random } from '../statistics.js';
import type { Contender, End, Timing } from './contender.js';
import { until } from './process.js';

const kReadyMs = 40_000; // OSPF and corosync take seconds, by design
const kStreamPort = 5001;
const kSettleMs = 1000;
/** Phases spread over an interval, and over at least this. */
const kPhasesMs = 100;

/** What the observer has of an end that tells its moves itself. */
const kUnwatched = { notices: 0, overruns: 0, carriers: [] };

/** Both ends of a contender on the first two hosts of a topology. */
export class PeerPair {
  private readonly ends: End[] = [];
  private sinceUs = 0;

  private constructor(
    readonly contender: Contender,
    private readonly topology: Topology,
    private readonly directory: string,
  ) {}

  static async start(contender: Contender, topology: Topology): Promise<PeerPair> {
    const directory = `${kArenaDirectory}/${contender.name}`;
    const pair = new PeerPair(contender, topology, directory);
    try {
      for (const [own, other] of [[1, 2] as const, [2, 1] as const]) {
        const at = { host: topology.host(own), other: topology.host(other) };
        const place = `${directory}/host${own}`;
        mkdirSync(place, { recursive: true });
        pair.ends.push(await contender.start({ ...at, directory: place }));
      }
      await pair.ready();
      return pair;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** Both ends are ready for a cut. */
  ready(): Promise<void> {
    const problems = async () => (await Promise.all(this.ends.map((end) => end.problems()))).flat();
    return until(`${this.contender.name} is ready`, problems, kReadyMs);
  }

  /** The agent watches where each end sends, under these names. */
  async watch(agent: Agent, names: string[]): Promise<void> {
    if (this.ends.some((end) => end.moves)) return; // nothing in the kernel to watch
    for (const [i, name] of names.entries()) {
      const there = this.contender.address(this.topology.host(2 - i));
      await agent.addWatch(name, this.topology.host(i + 1).netns, there);
    }
  }

  /** A report with the moves of these ends only, whoever noticed them, since the last one. */
  seen(report: AgentReport, names: string[]): AgentReport {
    const watches: AgentReport['watches'] = {};
    for (const [i, name] of names.entries()) {
      const moves = this.ends[i]?.moves?.(this.sinceUs);
      const watched = moves ? { ...kUnwatched, moves } : report.watches[name];
      if (watched) watches[name] = watched;
    }
    this.sinceUs = report.atUs;
    return { ...report, watches };
  }

  async stop(): Promise<void> {
    await Promise.all(this.ends.map((end) => end.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const kEnds = ['host1', 'host2'];

/** A contender in the bench's lab, under streams both ways. */
export class Turn {
  private constructor(
    private readonly lab: BenchLab,
    private readonly pair: PeerPair,
  ) {}

  static async run<T>(contender: Contender, work: (turn: Turn) => Promise<T>): Promise<T> {
    const lab = await BenchLab.create(2);
    try {
      const pair = await PeerPair.start(contender, lab.topology);
      try {
        const turn = new Turn(lab, pair);
        await turn.observe();
        return await work(turn);
      } finally {
        await pair.stop();
      }
    } finally {
      await lab.destroy();
    }
  }

  /** Silent cuts of LAN A at random phases. */
  async cuts(count: number, timing: Timing, seed: number): Promise<CutResult[]> {
    const next = random(seed);
    const results: CutResult[] = [];
    for (let i = 0; i < count; i++) {
      results.push(await knownCut(() => this.cutOnce(timing, next)));
    }
    return results;
  }

  private async cutOnce(timing: Timing, next: () => number): Promise<CutResult> {
    await this.pair.ready();
    await this.report(timing.restMs ?? 0);
    const waitUs = 20_000 + next() * 1000 * Math.max(timing.intervalMs, kPhasesMs);
    const [holdUs, settleUs] = [timing.holdMs * 1000, timing.settleMs * 1000];
    const trial = await this.lab.cut({ lan: 'a' }, { waitUs, holdUs, settleUs });
    return judge(trial, await this.report(0));
  }

  private async report(afterMs: number): Promise<AgentReport> {
    return this.pair.seen(await this.lab.calm(afterMs), kEnds);
  }

  private async observe(): Promise<void> {
    const { agent, topology } = this.lab;
    await this.pair.watch(agent, kEnds);
    for (const [own, other] of [[1, 2] as const, [2, 1] as const]) {
      const end = (number: number) => {
        const host = topology.host(number);
        return { netns: host.netns, address: this.pair.contender.address(host) };
      };
      await agent.addStream(`host${own}-host${other}`, end(own), end(other), kStreamPort);
    }
    await agent.watchStalls(kStallPeriodUs);
    await agent.pace(kStreamPeriodUs);
    await this.report(kSettleMs);
  }
}
