// What a healthy pair costs: CPU of each daemon process, of its engine's thread and of the rest, and
// its resident memory; and what is left to everybody else's work on the machine while it runs.
//
// At the default interval that effect is too small for a percentage of CPU to say whether anybody
// would notice. So a program reckons on every core, and counts, while the daemons run and while
// they are stopped, in turns. (Stopped together, they judge nobody: each has only been late.) The
// same with no daemon at all says what the method itself sees in nothing, and the same at 1 ms that
// it sees something.
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeProgram } from '../agent.js';
import { Child } from '../child.js';
import { BenchLab } from '../lab.js';
import { type Pair, withPair } from '../pair.js';
import { countCpu, isEngine, residentMb } from '../processes.js';
import type { Bar, Figure, Scale, ScenarioResult, Table } from '../scenario.js';
import { estimateMedian, summarize } from '../statistics.js';

interface Cost {
  cpuPercent: number[];
  enginePercent: number[];
  memoryMb: number[];
  /** Work lost to the daemons in each pair of slices, in percent. */
  lostPercent: number[];
  /** Failovers while they were stopped and continued. */
  failovers: number;
}

interface Times {
  settleMs: number;
  seconds: number;
  /** Pairs of slices. */
  slices: number;
}

/** What the program that counts has done until then. */
interface Done {
  done: number;
  atUs: number;
}

const kFast = 0.001;
const kDefault = 0.1;
const kLans = ['lana', 'lanb'];
/** Daemons that go on, and whoever has just worked, come to rest. */
const kLeadMs = 100;
const kSliceMs = 400;
/** An interval wider than this many percent would hide what a pair at 1 ms costs. */
const kCoarsest = 3;
/** Of fewer, the least and the greatest lie on one side of zero too often by chance. */
const kFewestPairs = 6;

export async function cost(scale: Scale): Promise<ScenarioResult> {
  const times = { seconds: scale.of(20, 2), slices: scale.of(40, 4, 2) };
  const fast = await measure(kFast, { ...times, settleMs: scale.of(3000, 1000) });
  // V8 collects what the start has left, the last time 20 to 25 s after it (measured).
  const settleMs = scale.of(25_000, 1000);
  const slow = await measure(kDefault, { ...times, settleMs });
  const bare = await measureBare(times);
  const small: Bar[] = [{ figure: 'max', limit: 90 }];
  return {
    name: 'cost',
    title: 'What a healthy pair costs',
    method: describeMethod({ ...times, settleMs }),
    figures: [
      figure('CPU at `-t 0.001`', '%', fast.cpuPercent, [{ figure: 'max', limit: 5 }]),
      figure('CPU at `-t 0.1`', '%', slow.cpuPercent),
      figure('engine’s thread of it, at `-t 0.1`', '%', slow.enginePercent),
      figure('CPU of the bare program at that pace', '%', bare.cpuPercent),
      figure('resident memory at `-t 0.001`', 'MB', fast.memoryMb, small),
      figure('resident memory at `-t 0.1`', 'MB', slow.memoryMb, small),
    ],
    table: effectTable([
      ['no daemons', bare.nothing],
      ['daemons at `-t 0.1`', slow.lostPercent],
      ['daemons at `-t 0.001`', fast.lostPercent],
    ]),
    notes: [
      'Failovers while the daemons were stopped and continued: ' +
        `${slow.failovers} at \`-t 0.1\`, ${fast.failovers} at \`-t 0.001\`.`,
    ],
    raw: { fast, slow, bare },
  };
}

const describeMethod = ({ settleMs, seconds, slices }: Times): string[] => [
  `CPU time of each of two daemons over ${seconds} s, all threads, in percent of one core; then its`,
  `resident memory. At \`-t 0.1\` that is ${settleMs / 1000} s after the start. No stream runs; sending`,
  'includes the way through bridge and veth and, as both hosts are one machine, all that the other',
  'host’s kernel does to receive. The bare program, of a few lines of C++, broadcasts datagrams as',
  'large on both LANs at the pace of `-t 0.1` and reads those of the other host: any program pays',
  `that. The work lost: two threads count, one a core, in ${slices} pairs of slices of`,
  `${kSliceMs} ms, the one with both daemons running, the other with both stopped. The median of`,
  'the pairs’ differences stands beside the interval in which the true one lies in 19 of 20 cases;',
  'it is measurable when zero is not in there. Both daemons and all of the network between them',
  'count.',
];

const figure = (
  name: string,
  unit: Figure['unit'],
  values: number[],
  bars: Bar[] = [],
): Figure => ({
  name,
  unit,
  summary: summarize(values),
  bars,
});

function effectTable(rows: [string, number[]][]): Table {
  return {
    headings: ['', 'pairs', 'work lost, %', 'low', 'high', 'measurable'],
    rows: rows.map(([name, lost]) => {
      const { median, low, high } = estimateMedian(lost);
      const figures = [median, low, high].map((value) => value.toFixed(2));
      return [name, String(lost.length), ...figures, judge(lost.length, low, high)];
    }),
  };
}

function judge(pairs: number, low: number, high: number): string {
  if (pairs < kFewestPairs) return 'too few pairs to tell';
  if (low > 0 || high < 0) return 'yes';
  return high - low <= kCoarsest ? 'no' : 'the machine was too busy to tell';
}

function measure(interval: number, times: Times): Promise<Cost> {
  return withPair({ interval, failAfter: 3, restoreAfter: 10 }, async ({ daemons }: Pair) => {
    const pids = daemons.map(({ pid }) => pid);
    await sleep(times.settleMs);
    const [cpu, engine] = [countCpu(pids), countCpu(pids, isEngine)];
    await sleep(times.seconds * 1000);
    const [cpuPercent, enginePercent] = [cpu(), engine()];
    const memoryMb = pids.map(residentMb);
    const lostPercent = await workLost(times.slices, (running) => {
      for (const daemon of daemons) daemon.signal(running ? 'SIGCONT' : 'SIGSTOP');
    });
    const failovers = daemons.flatMap(({ log }) => log.all).filter(isFailover).length;
    return { cpuPercent, enginePercent, memoryMb, lostPercent, failovers };
  });
}

const isFailover = ({ kind }: { kind?: string }): boolean => kind === 'failover';

/** What a program pays that does the least; and what the comparison shows where nothing differs. */
async function measureBare({ seconds, slices }: Omit<Times, 'settleMs'>) {
  const lab = await BenchLab.create();
  const programs: Child[] = [];
  try {
    const nothing = await workLost(slices, () => {});
    for (const { netns } of lab.topology.hosts) {
      const periodUs = String(kDefault * 1e6);
      const argv = [nativeProgram('faild-bench-load'), 'beat', netns, periodUs, ...kLans];
      programs.push((await Child.start('load beat', argv)).child);
    }
    const cpu = countCpu(programs.map(({ pid }) => pid));
    await sleep(seconds * 1000);
    return { nothing, cpuPercent: cpu() };
  } finally {
    for (const program of programs) await program.stop();
    await lab.destroy();
  }
}

/** Of each pair of slices: by how many percent the machine does less with the others running. */
async function workLost(pairs: number, run: (running: boolean) => void): Promise<number[]> {
  const { child } = await Child.start('load count', [nativeProgram('faild-bench-load'), 'count']);
  try {
    const lost: number[] = [];
    for (let i = 0; i < pairs; i++) {
      // The order changes, so that what drifts does not count for one of the two.
      const runsFirst = i % 2 === 0;
      const first = await slice(child, run, runsFirst);
      const second = await slice(child, run, !runsFirst);
      const [rate, rateAlone] = runsFirst ? [first, second] : [second, first];
      lost.push((1 - rate / rateAlone) * 100);
    }
    return lost;
  } finally {
    run(true);
    await child.stop();
  }
}

async function slice(counter: Child, run: (running: boolean) => void, running: boolean) {
  run(running);
  await sleep(kLeadMs);
  const before = await counter.ask<Done>('done');
  await sleep(kSliceMs);
  const after = await counter.ask<Done>('done');
  return (after.done - before.done) / (after.atUs - before.atUs);
}
