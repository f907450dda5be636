// One real daemon among a crowd of simulated peers: what all measurements at scale start from, and
// what is read of the daemon from outside.
//
//   host1: the daemon, 10.1.0.1/16 and 10.2.0.1/16    host2: the crowd's door, no address
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, type LogLine, type Status } from '../../test/lab/daemon.js';
import { nowUs, script } from '../../test/lab/shell.js';
import { Crowd } from '../crowd.js';
import { BenchLab } from '../lab.js';
import { kLans } from '../pair.js';

export interface CrowdOrder {
  hosts: number;
  intervalUs: number;
  failAfter?: number;
  restoreAfter?: number;
  /** Room in the daemon's tables; as many as there are hosts unless said otherwise. */
  maxPeers?: number;
}

/** What the daemon has used and seen so far, from /proc. */
export interface Usage {
  atUs: number;
  engineCpuUs: number;
  processCpuUs: number;
  received: number;
  sent: number;
  residentKb: number;
}

export const kLanCount = 2;
const kCalmMs = 300;
const kMeetMs = 60_000;
const kRoundsAtMost = 10; // among restarting peers it never calms down

/** A path's row of `faild status --json` (lib/cluster/status.ts). */
interface Timed {
  state: string;
  since: string;
}

export const titleOf = ({ hosts, intervalUs }: CrowdOrder): string =>
  `${hosts.toLocaleString('en')} peers at ${intervalUs / 1000} ms`;

/** The address of a host of the crowd on LAN A. */
export const addressOf = (host: number): string =>
  `10.1.${(256 + host) >> 8}.${(256 + host) & 255}`;

export class CrowdLab {
  private constructor(
    readonly order: CrowdOrder,
    readonly lab: BenchLab,
    readonly crowd: Crowd,
    readonly daemon: Daemon,
  ) {}

  /** Builds everything, lets `work` do its part and clears it all away. The crowd is silent yet. */
  static async with<T>(
    order: CrowdOrder,
    work: (lab: CrowdLab) => Promise<T>,
    prefix?: string,
  ): Promise<T> {
    const lab = await BenchLab.create(2, prefix);
    let crowd: Crowd | undefined;
    let daemon: Daemon | undefined;
    try {
      await renumber(lab);
      crowd = await startCrowd(lab, order);
      daemon = await startDaemon(lab, order);
      return await work(new CrowdLab(order, lab, crowd, daemon));
    } finally {
      await daemon?.kill();
      await crowd?.stop();
      await lab.destroy();
    }
  }

  /** Several at once, each on LANs of its own. */
  static withAll<T>(
    orders: readonly CrowdOrder[],
    work: (labs: CrowdLab[]) => Promise<T>,
    opened: CrowdLab[] = [],
  ): Promise<T> {
    const [order, ...rest] = orders;
    if (order === undefined) return work(opened);
    const others = (crowd: CrowdLab) => CrowdLab.withAll(rest, work, [...opened, crowd]);
    return CrowdLab.with(order, others, `crowd${opened.length + 1}`);
  }

  /** The daemon's events of a kind since then. */
  events(kind: string, sinceUs = 0): LogLine[] {
    return this.daemon.log.all.filter(
      (line) => line.kind === kind && (line.monotonicUs ?? 0) >= sinceUs,
    );
  }

  /**
   * Starts the crowd and waits until so many paths are up; how long the last one took. Asked of the
   * daemon's table, when it has calmed down: events are hints, and many come at once here.
   */
  async meet(paths = kLanCount * this.order.hosts): Promise<{ lastUpMs: number }> {
    const beginMs = Date.now();
    await this.crowd.begin();
    const deadline = performance.now() + kMeetMs;
    for (let seen = -1, round = 1; ; round++, await sleep(kCalmMs)) {
      const logged = this.daemon.log.all.length;
      const calm = logged === seen || round % kRoundsAtMost === 0;
      seen = logged;
      const up = calm ? await this.upSince() : [];
      if (up.length >= paths) return { lastUpMs: (up[paths - 1] as number) - beginMs };
      if (performance.now() > deadline) {
        throw new Error(`after a minute ${up.length} of ${paths} paths are up`);
      }
    }
  }

  /** The same, but asking the crowd whom the daemon has answered: an answer costs it memory. */
  async meetUnasked(): Promise<void> {
    await this.crowd.begin();
    const deadline = performance.now() + kMeetMs;
    for (;;) {
      const { lans } = await this.crowd.report();
      if (lans.every(({ met }) => met >= this.order.hosts)) return;
      if (performance.now() > deadline) {
        throw new Error(`the daemon has answered ${lans.map(({ met }) => met)} hosts, not all`);
      }
      await sleep(kCalmMs);
    }
  }

  /** Since when each path that is up is up, in ms since the epoch, in order. */
  private async upSince(): Promise<number[]> {
    const status = await this.status();
    const paths = status.peers.flatMap((peer) => peer.paths as unknown as Timed[]);
    const up = paths.filter(({ state }) => state === 'up');
    return up.map(({ since }) => Date.parse(since)).sort((a, b) => a - b);
  }

  /** Asked again when the daemon is too busy to answer in time. */
  async status(tries = 5): Promise<Status> {
    try {
      return (await this.daemon.status()).status;
    } catch (error) {
      if (tries === 1) throw error;
      return this.status(tries - 1);
    }
  }

  usage(): Usage {
    const tasks = readdirSync(`/proc/${this.daemon.pid}/task`);
    const of = (tid: string, file: string) => this.read(`task/${tid}/${file}`);
    const cpuUs = (tid: string) => Number(of(tid, 'schedstat').split(' ')[0]) / 1000;
    const engine = tasks.find((tid) => of(tid, 'comm').trim() === kEngineThread);
    const [received, sent] = this.packets();
    return {
      atUs: nowUs(),
      engineCpuUs: cpuUs(engine ?? ''),
      processCpuUs: tasks.reduce((sum, tid) => sum + cpuUs(tid), 0),
      received,
      sent,
      residentKb: Number(/VmRSS:\s+(\d+)/.exec(this.read('status'))?.[1]),
    };
  }

  /** Packets received and sent on both LANs, of the daemon's own namespace. */
  private packets(): [number, number] {
    const lines = this.read('net/dev').split('\n');
    const rows = lines.map((line) => /^\s*lan\w:\s*(.*)$/.exec(line)?.[1]?.split(/\s+/) ?? []);
    const sum = (column: number) =>
      rows.reduce((total, row) => total + Number(row[column] ?? 0), 0);
    return [sum(1), sum(9)];
  }

  private read(file: string): string {
    return readFileSync(`/proc/${this.daemon.pid}/${file}`, 'utf8');
  }
}

const kEngineThread = 'faild-engine';

/** A /16 has room for the crowd; its door needs no address of its own. */
async function renumber({ topology }: BenchLab): Promise<void> {
  const lines = topology.lans.flatMap((lan) => [
    `ip address flush dev lan${lan}`,
    `ip address add ${topology.host(1).address(lan)}/16 broadcast + dev lan${lan}`,
  ]);
  await script(topology.host(1).netns, lines);
  const flush = topology.lans.map((lan) => `ip address flush dev lan${lan}`);
  await script(topology.host(2).netns, flush);
}

const startCrowd = (lab: BenchLab, { hosts, intervalUs }: CrowdOrder): Promise<Crowd> =>
  Crowd.start(lab.topology.host(2).netns, hosts, intervalUs, [
    'lana=10.1.0.0/16',
    'lanb=10.2.0.0/16',
  ]);

function startDaemon(lab: BenchLab, order: CrowdOrder): Promise<Daemon> {
  const { hosts, intervalUs, failAfter = 3, restoreAfter = 3, maxPeers = hosts } = order;
  return Daemon.start(lab.topology.host(1), {
    interval: intervalUs / 1e6,
    failAfter,
    restoreAfter,
    more: [...kLans, '--max-peers', String(maxPeers)],
  });
}
