// The stress ladder: for each kind of hardship, the shortest interval at which nothing is judged
// down that was not. Nothing is cut; every move of a route is a false verdict.
//
// The search climbs from the shortest interval. A run ends at its first false verdict, so only the
// interval that holds costs the whole minute. A move during a stall of the machine that the
// independent watchers saw (for at least an interval, within the detection time) is counted apart,
// and shown.
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, faild, place } from '../../test/lab/daemon.js';
import { routes } from '../../test/lab/kernel.js';
import type { Host } from '../../test/lab/topology.js';
import type { AgentReport, Stall } from '../agent.js';
import type { Child } from '../child.js';
import { BenchLab, kStallPeriodUs } from '../lab.js';
import { kLans, meet } from '../pair.js';
import type { Scale, ScenarioResult } from '../scenario.js';
import { kSteps, type Stage, type Step } from '../stress.js';
import { embed } from './blocked.js';

const kIntervalsMs = [0.2, 0.5, 1, 2, 5, 10];
const kFailAfter = 3;
const kRestoreAfter = 10;
const kSliceMs = 1000;
const kLookAgainMs = 50;
const kMostLooks = 200;
const kLeastStallUs = 500; // what the watchers note

interface FalseMove {
  host: string;
  /** Seconds after the beginning of the run. */
  atS: number;
  /** The stall that it coincides with. */
  stallMs: number | null;
}
interface Run {
  step: string;
  intervalMs: number;
  seconds: number;
  moves: FalseMove[];
  stalls: number;
  longestStallMs: number;
}

const unexplained = (run: Run) => run.moves.filter(({ stallMs }) => stallMs === null);
const holds = (run: Run) => unexplained(run).length === 0;

export async function ladder(scale: Scale): Promise<ScenarioResult> {
  const seconds = scale.of(60, 1, 0.5);
  const shortest = scale.of(0.2, 5, 10);
  const intervals = kIntervalsMs.filter((interval) => interval >= shortest);
  const lab = await BenchLab.create(3);
  try {
    await lab.watchPair();
    await lab.watch(3, 1);
    await lab.agent.watchStalls(kStallPeriodUs);
    const runs: Run[] = [];
    for (const step of kSteps) runs.push(...(await climb(lab, step, intervals, seconds)));
    return describe(runs, seconds, intervals);
  } finally {
    await lab.destroy();
  }
}

/** Every run of one step: the last one holds, unless none did. */
async function climb(lab: BenchLab, step: Step, intervals: number[], seconds: number) {
  const runs: Run[] = [];
  for (const interval of intervals) {
    const run = await tryInterval(lab, step, interval, seconds);
    runs.push(run);
    if (holds(run)) break;
  }
  return runs;
}

async function tryInterval(lab: BenchLab, step: Step, intervalMs: number, seconds: number) {
  const stage = await populate(lab, step, intervalMs / 1000);
  try {
    const end = await step.begin(stage);
    try {
      await lab.calm(500);
      return await observe(lab, step, intervalMs, seconds);
    } finally {
      await end();
    }
  } finally {
    await clear(stage);
  }
}

async function populate(lab: BenchLab, step: Step, interval: number): Promise<Stage> {
  const hosts = lab.topology.hosts.slice(0, step.third ? 3 : 2);
  const timing = { interval, failAfter: kFailAfter, restoreAfter: kRestoreAfter };
  const daemons: Daemon[] = [];
  const embedded: Child[] = [];
  if (step.embedded) {
    for (const host of hosts) embedded.push(await embed(host, timing));
    for (const host of hosts) await standsBy(host);
  } else {
    for (const host of hosts) daemons.push(await Daemon.start(host, { ...timing, more: kLans }));
    await meet(daemons);
  }
  return { lab, daemons, embedded };
}

/** Until faild has routes in store on a host, which it has for peers that are up. */
async function standsBy(host: Host): Promise<void> {
  for (let look = 0; (await routes(host, 4)).length === 0; look++) {
    if (look === kMostLooks) throw new Error(`${host.name}: the programs did not meet`);
    await sleep(kLookAgainMs);
  }
}

/** Nothing of this run shall be in the way of the next one. */
async function clear({ daemons, embedded }: Stage): Promise<void> {
  await Promise.all(embedded.map((program) => program.stop()));
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  await Promise.all(daemons.map(({ host }) => faild(host, 'cleanup', ...place(host))));
}

async function observe(lab: BenchLab, step: Step, intervalMs: number, seconds: number) {
  const run: Run = {
    step: step.name,
    intervalMs,
    seconds: 0,
    moves: [],
    stalls: 0,
    longestStallMs: 0,
  };
  const { atUs: beganUs } = await lab.agent.report();
  while (run.seconds < seconds && holds(run)) {
    // A whole report takes the machine's time, so it is only asked for when there is something.
    for (let slice = run.seconds; slice < seconds; slice++) {
      await sleep(Math.min(kSliceMs, seconds * 1000));
      if ((await lab.agent.moves()) > 0) break;
    }
    note(run, lab, beganUs, await lab.agent.report());
  }
  return run;
}

function note(run: Run, lab: BenchLab, beganUs: number, report: AgentReport): void {
  const { atUs, watches, stalls } = report;
  run.seconds = Math.round((atUs - beganUs) / 1e6);
  run.stalls += stalls.length;
  run.longestStallMs = Math.max(run.longestStallMs, ...stalls.map((s) => s.lateUs / 1000));
  for (const [host, { moves }] of Object.entries(watches)) {
    for (const move of moves.slice(1).filter((m) => m.interface !== lab.homes[host])) {
      const stallMs = causeOf(stalls, move.atUs, run.intervalMs * 1000);
      run.moves.push({ host, atS: (move.atUs - beganUs) / 1e6, stallMs });
    }
  }
}

/** A stall of at least an interval that overlaps the time in which the verdict ripened. */
function causeOf(stalls: readonly Stall[], atUs: number, intervalUs: number): number | null {
  const sinceUs = atUs - (kFailAfter + 1) * intervalUs - 1000;
  const long = stalls.filter(
    (stall) =>
      stall.lateUs >= Math.max(intervalUs, kLeastStallUs) &&
      stall.sinceUs <= atUs &&
      stall.sinceUs + stall.lateUs >= sinceUs,
  );
  return long.length === 0 ? null : Math.max(...long.map((stall) => stall.lateUs)) / 1000;
}

function describe(runs: Run[], seconds: number, intervals: number[]): ScenarioResult {
  return {
    name: 'ladder',
    title: 'The stress ladder: the shortest interval without a false verdict',
    method: [
      `Two hosts at \`-f ${kFailAfter}\`, nothing is cut. For each step the intervals`,
      `${intervals.join(', ')} ms are tried, the shortest first, until one sees no false verdict in`,
      `${seconds} s; a run ends at its first. A route that moves while the machine itself stalled for`,
      'at least an interval (a watcher at SCHED_FIFO 99 on each core) is counted apart.',
    ],
    figures: [],
    table: {
      headings: [
        'step',
        'shortest interval, ms',
        'observed, s',
        'false verdicts',
        'during a stall',
        'stalls > 0.5 ms',
        'longest stall, ms',
        'shorter ones that failed',
      ],
      rows: kSteps.map((step) => rowOf(runs.filter((run) => run.step === step.name))),
    },
    notes: [...kSteps.map(({ name, told }) => `${name}: ${told}`), ...runs.flatMap(listed)],
    raw: runs,
  };
}

function rowOf(runs: Run[]): string[] {
  const last = runs.at(-1) as Run;
  const failed = runs.filter((run) => !holds(run));
  return [
    last.step,
    holds(last) ? String(last.intervalMs) : `**none** (${last.intervalMs} failed)`,
    String(last.seconds),
    String(unexplained(last).length),
    String(last.moves.length - unexplained(last).length),
    String(last.stalls),
    last.longestStallMs.toFixed(1),
    failed.map((run) => `${run.intervalMs} ms: ${run.moves.length} in ${run.seconds} s`).join('; '),
  ];
}

/** Every false verdict of the interval that held, which can only be one during a stall. */
const listed = (run: Run): string[] =>
  holds(run)
    ? run.moves.map(
        ({ host, atS, stallMs }) =>
          `${run.step}, ${run.intervalMs} ms: ${host} moved after ${atS.toFixed(1)} s, while the ` +
          `machine stalled for ${stallMs?.toFixed(1)} ms.`,
      )
    : [];
