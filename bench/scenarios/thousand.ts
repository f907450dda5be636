// A thousand peers on a LAN that dies: from the daemon's verdict until all their traffic takes
// the other LAN.
//
//   host1: one real daemon, 10.1.0.1/16 and 10.2.0.1/16    host2: the crowd's door, no address
//
// The verdict's instant is the daemon's own word (its `lan-down` event); the move is the
// kernel's, as the observer sees it for the last of the peers; how many moved with it, and that
// one rule did it, is again the daemon's word.
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, type LogLine } from '../../test/lab/daemon.js';
import { script } from '../../test/lab/shell.js';
import type { AgentReport, Trial } from '../agent.js';
import { Crowd } from '../crowd.js';
import { BenchLab, kStallPeriodUs } from '../lab.js';
import { kLans } from '../pair.js';
import type { Scale, ScenarioResult } from '../scenario.js';
import { random, summarize } from '../statistics.js';

const kPeers = 1000;
const kIntervalUs = 100_000;
const kFailAfter = 3;
const kRestoreAfter = 3;
const kBarMs = 0.3;

interface Move {
  cutToVerdictUs: number;
  verdictToMovedUs: number;
  /** As the daemon says: verdict -> the kernel's acknowledgment. */
  applyUs: number;
  paths: number;
}

/** The whole story of one run. */
export async function thousand(scale: Scale): Promise<ScenarioResult> {
  const lab = await BenchLab.create();
  let crowd: Crowd | undefined;
  let daemon: Daemon | undefined;
  try {
    await renumber(lab);
    const host = lab.topology.host(1);
    await lab.agent.addWatch('last-peer', host.netns, addressOf(kPeers - 1));
    crowd = await startCrowd(lab);
    daemon = await startDaemon(lab);
    await meetAll(daemon);
    await lab.agent.watchStalls(kStallPeriodUs);
    await lab.calm(5000);
    const moves = await cutOften(lab, daemon, scale.of(100, 10));
    return describe(moves, await crowd.report());
  } finally {
    await daemon?.kill();
    await crowd?.stop();
    await lab.destroy();
  }
}

const addressOf = (peer: number): string => `10.1.${(256 + peer) >> 8}.${(256 + peer) & 255}`;

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

const startCrowd = (lab: BenchLab): Promise<Crowd> =>
  Crowd.start(lab.topology.host(2).netns, kPeers, kIntervalUs, [
    'lana=10.1.0.0/16',
    'lanb=10.2.0.0/16',
  ]);

const startDaemon = (lab: BenchLab): Promise<Daemon> =>
  Daemon.start(lab.topology.host(1), {
    interval: kIntervalUs / 1e6,
    failAfter: kFailAfter,
    restoreAfter: kRestoreAfter,
    more: kLans,
  });

/** Until every path is up. */
async function meetAll(daemon: Daemon): Promise<void> {
  const deadline = performance.now() + 60_000;
  const up = async () => {
    const { status } = await daemon.status();
    return status.peers.flatMap((peer) => peer.paths).filter((path) => path.state === 'up').length;
  };
  for (let count = await up(); count < 2 * kPeers; count = await up()) {
    if (performance.now() > deadline) {
      throw new Error(`after a minute ${count} of ${2 * kPeers} paths are up`);
    }
    await sleep(500);
  }
}

async function cutOften(lab: BenchLab, daemon: Daemon, count: number): Promise<Move[]> {
  const next = random(1);
  const moves: Move[] = [];
  for (let i = 0; i < count; i++) {
    await lab.agent.report();
    const trial = await lab.cut(
      { lan: 'a' },
      {
        waitUs: 20_000 + next() * kIntervalUs,
        holdUs: 2 * kFailAfter * kIntervalUs,
        settleUs: (kRestoreAfter + 7) * kIntervalUs,
      },
    );
    moves.push(judgeMove(trial, await lab.agent.report(), daemon.log.all));
  }
  return moves;
}

function judgeMove(trial: Trial, report: AgentReport, log: readonly LogLine[]): Move {
  const find = (kind: string) =>
    log.findLast(
      (line) =>
        line.kind === kind &&
        (line.monotonicUs ?? 0) > trial.cutUs[0] &&
        (line.monotonicUs ?? 0) < trial.healUs[0],
    );
  const [verdict, failover] = [find('lan-down'), find('lan-failover')];
  if (verdict?.monotonicUs === undefined || failover === undefined) {
    throw new Error('the daemon gave no verdict on a LAN that was cut');
  }
  const moved = Object.entries(report.watches).map(([name, { moves }]) => {
    const away = moves.slice(1).find(({ atUs }) => atUs > trial.cutUs[0]);
    if (away === undefined) throw new Error(`${name} did not move after the LAN was cut`);
    return away.atUs;
  });
  return {
    cutToVerdictUs: verdict.monotonicUs - trial.cutUs[0],
    verdictToMovedUs: Math.max(...moved) - verdict.monotonicUs,
    applyUs: failover.applyUs ?? Number.NaN,
    paths: Number(failover.paths),
  };
}

function describe(moves: Move[], traffic: object): ScenarioResult {
  const ms = (values: number[]) => summarize(values.map((value) => value / 1000));
  return {
    name: 'thousand-peers',
    title: '1,000 peers on a LAN that dies',
    method: [
      `One daemon at \`-t ${kIntervalUs / 1e6} -f ${kFailAfter}\`, ${kPeers} simulated peers at the`,
      'same interval on two LANs. LAN A is cut. The verdict is the daemon’s own instant; the move is',
      'the kernel’s, seen by the observer for the last peer.',
    ],
    figures: [
      { name: 'cut -> verdict', unit: 'ms', summary: ms(moves.map((m) => m.cutToVerdictUs)) },
      {
        name: 'verdict -> all traffic moved',
        unit: 'ms',
        summary: ms(moves.map((m) => m.verdictToMovedUs)),
        bars: [{ figure: 'p99', limit: kBarMs }],
      },
      { name: 'the same as the daemon says', unit: 'ms', summary: ms(moves.map((m) => m.applyUs)) },
    ],
    notes: [`Paths moved by one rule: ${Math.min(...moves.map((m) => m.paths))} at least.`],
    raw: { moves, traffic },
  };
}
