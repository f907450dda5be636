// Nothing is cut, and nothing may happen: false `down`s in a minute, idle, with every core kept
// busy by other processes, and with the daemons' own JavaScript blocked for 2 s at a time.
//
// A false down that coincides with a stall of the machine is counted apart, and shown.
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentReport, Watched } from '../agent.js';
import { worstStall } from '../cuts.js';
import { beginMeasuring, endMeasuring, type Pair, withPair } from '../pair.js';
import type { Scale, ScenarioResult } from '../scenario.js';

const kTiming = { interval: 0.001, failAfter: 3, restoreAfter: 10 };
const kAroundUs = 5000; // a stall this close to a move may be its cause

export interface Quiet {
  seconds: number;
  falseMoves: number;
  /** Of those: while the machine stalled. */
  whileStalled: number;
  stalls: number;
  longestStallUs: number;
}

export async function quiet(
  name: 'quiet-idle' | 'quiet-busy',
  scale: Scale,
): Promise<ScenarioResult> {
  const seconds = scale.of(60, 2, 1);
  const busy = name === 'quiet-busy';
  const seen = await withPair(kTiming, (pair) => observe(pair, seconds, busy ? occupy() : []));
  return {
    name,
    title: busy ? 'Nothing cut, every core busy' : 'Nothing cut, idle',
    method: [
      `Two hosts at \`-t 0.001 -f 3\` for ${seconds} s${busy ? ', a busy loop a core beside them' : ''}.`,
      'Every move of a route away from LAN A is a false verdict.',
    ],
    figures: [],
    notes: quietNotes(seen),
    raw: seen,
  };
}

async function observe(pair: Pair, seconds: number, others: ChildProcess[]): Promise<Quiet> {
  try {
    await beginMeasuring(pair);
    await sleep(seconds * 1000);
    const report = await pair.lab.agent.report();
    await endMeasuring(pair);
    return countMoves(report, seconds);
  } finally {
    for (const other of others) other.kill('SIGKILL');
  }
}

export const occupy = (): ChildProcess[] =>
  Array.from({ length: availableParallelism() }, () => spawn('sh', ['-c', 'while :; do :; done']));

export function countMoves(report: AgentReport, seconds: number): Quiet {
  const moves = Object.values(report.watches).flatMap(departures);
  const stalled = moves.filter(
    ({ atUs }) => worstStall(report.stalls, atUs - kAroundUs, atUs) !== null,
  );
  return {
    seconds,
    falseMoves: moves.length,
    whileStalled: stalled.length,
    stalls: report.stalls.length,
    longestStallUs: Math.max(0, ...report.stalls.map((stall) => stall.lateUs)),
  };
}

/** The moves away from where traffic went at the start: each return belongs to one of them. */
const departures = ({ moves }: Watched) =>
  moves.filter((move) => move.interface !== moves[0]?.interface);

export function quietNotes(seen: Quiet): string[] {
  const { falseMoves, whileStalled, stalls, seconds } = seen;
  const longest = (seen.longestStallUs / 1000).toFixed(1);
  return [
    `False verdicts in ${seconds} s: ${falseMoves - whileStalled}, and ${whileStalled} within 5 ms of a stall.`,
    `Stalls of the machine over 0.5 ms, all cores: ${stalls}; the longest ${longest} ms.`,
  ];
}
