// Failures among a crowd: single hosts' links that die, and a whole LAN.
//
// Verdicts are the daemon's own word (its events carry the engine's instants); moves are the
// kernel's, as the observer's route watches see them.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../../test/lab/daemon.js';
import type { AgentReport, Trial } from '../agent.js';
import { addressOf, type CrowdLab } from './scale-lab.js';

export interface HostFailure {
  silenceToVerdictUs: number;
  silenceToMovedUs: number;
}
export interface LanFailure {
  cutToVerdictUs: number;
  verdictToMovedUs: number;
  /** As the daemon says: verdict -> the kernel's acknowledgment. */
  applyUs: number;
  paths: number;
}

/** Spread over the table: the first, the last, and some between. */
export function watchedHosts(hosts: number): number[] {
  const step = Math.floor((hosts - 1) / (kWatched - 1));
  return Array.from({ length: kWatched }, (_, i) => (i === kWatched - 1 ? hosts - 1 : i * step));
}
const kWatched = 5; // of the smallest crowd less than half: otherwise it would be the LAN

const watchOf = (host: number): string => `crowd-${host}`;

export async function watch({ lab, order }: CrowdLab): Promise<void> {
  const { netns } = lab.topology.host(1);
  for (const host of watchedHosts(order.hosts)) {
    await lab.agent.addWatch(watchOf(host), netns, addressOf(host));
  }
}

/** From a verdict until its traffic is back, generously. */
export function settleUs({ order }: CrowdLab): number {
  const { intervalUs, failAfter = 3, restoreAfter = 3 } = order;
  return (restoreAfter + failAfter + 3) * intervalUs + 50_000;
}
const holdUs = ({ order }: CrowdLab): number =>
  ((order.failAfter ?? 3) + 2) * order.intervalUs + 20_000;

/** The watched hosts' links on LAN A die, one after the other at `next`'s moments, and heal. */
export async function failHosts(crowd: CrowdLab, next: () => number): Promise<HostFailure[]> {
  await crowd.lab.agent.report();
  const since = new Map<number, number>();
  for (const host of watchedHosts(crowd.order.hosts)) {
    await sleep((next() * crowd.order.intervalUs) / 1000);
    since.set(host, await crowd.crowd.play(0, host, 1, 'silent'));
  }
  await sleep(holdUs(crowd) / 1000);
  const report = await crowd.lab.agent.report();
  for (const host of since.keys()) await crowd.crowd.play(0, host, 1, 'honest');
  await sleep(settleUs(crowd) / 1000);
  return [...since].map(([host, atUs]) => judgeHost(crowd, report, host, atUs));
}

function judgeHost(crowd: CrowdLab, report: AgentReport, host: number, atUs: number): HostFailure {
  const name = watchOf(host);
  const verdict = crowd
    .events('path-down', atUs)
    .find(({ path }) => path?.peer.name === name && path.lan.name === 'A');
  const away = report.watches[name]?.moves.slice(1).find((move) => move.atUs > atUs);
  if (verdict?.monotonicUs === undefined || away === undefined) {
    throw new Error(`${name} fell silent, and nothing happened`);
  }
  return {
    silenceToVerdictUs: verdict.monotonicUs - atUs,
    silenceToMovedUs: away.atUs - atUs,
  };
}

/** LAN A is cut at `next`'s moment, and healed. */
export async function failLan(crowd: CrowdLab, next: () => number): Promise<LanFailure> {
  await crowd.lab.agent.report();
  const trial = await crowd.lab.cut(
    { lan: 'a' },
    {
      waitUs: 20_000 + next() * crowd.order.intervalUs,
      holdUs: holdUs(crowd),
      settleUs: settleUs(crowd),
    },
  );
  return judgeLan(trial, await crowd.lab.agent.report(), crowd);
}

function judgeLan(trial: Trial, report: AgentReport, crowd: CrowdLab): LanFailure {
  const during = (line: LogLine) => (line.monotonicUs ?? 0) < trial.healUs[0];
  const find = (kind: string) => crowd.events(kind, trial.cutUs[0]).find(during);
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
