// A crowd's whole life with one daemon, for several numbers of peers and intervals: a cold start, a
// quiet time in which nothing may happen, single hosts' failures, and a LAN's.
//
//   FAILD_BENCH_QUIET_SECONDS=300 npm run bench -- --only scale-failures     the long quiet time
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdReport } from '../crowd.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { random, summarize } from '../statistics.js';
import { failHosts, failLan, type HostFailure, type LanFailure, watch } from './scale-cuts.js';
import { CrowdLab, type CrowdOrder, kLanCount } from './scale-lab.js';

interface Life {
  order: CrowdOrder;
  coldStartMs: number;
  /** The most packets in one second of it on each LAN, received and sent together. */
  coldPeaks: number[];
  quietSeconds: number;
  cpuPercent: number;
  engineCpuPercent: number;
  falseVerdicts: number;
  hosts: HostFailure[];
  lans: LanFailure[];
  counters: Record<string, number>;
}

interface Course {
  hosts: number;
  intervalUs: number;
  /** Rounds of five hosts each, and cuts of the LAN. */
  hostRounds: number;
  lanCuts: number;
}

// Long intervals leave time for few failures: each takes several of them.
const kCourses: Course[] = [
  { hosts: 16, intervalUs: 10_000, hostRounds: 20, lanCuts: 30 },
  { hosts: 100, intervalUs: 10_000, hostRounds: 20, lanCuts: 30 },
  { hosts: 1000, intervalUs: 100_000, hostRounds: 8, lanCuts: 10 },
  { hosts: 4000, intervalUs: 1_000_000, hostRounds: 2, lanCuts: 2 },
];
const kQuickCourses: Course[] = [{ hosts: 1000, intervalUs: 100_000, hostRounds: 1, lanCuts: 1 }];
const kAfterMeetingMs = 2000;

export async function scaleFailures(scale: Scale): Promise<ScenarioResult> {
  const seconds = Number(process.env.FAILD_BENCH_QUIET_SECONDS ?? scale.of(60, 2));
  const lives: Life[] = [];
  for (const course of scale.quick ? kQuickCourses : kCourses) {
    const order = { hosts: course.hosts, intervalUs: course.intervalUs };
    // The smallest crowd has no bar of its own.
    const quiet = course.hosts < 100 ? Math.min(seconds, 10) : seconds;
    lives.push(await CrowdLab.with(order, (crowd) => live(crowd, course, quiet)));
  }
  return describe(lives);
}

async function live(crowd: CrowdLab, course: Course, seconds: number): Promise<Life> {
  await watch(crowd);
  await crowd.crowd.report();
  const { lastUpMs } = await crowd.meet();
  const cold = await crowd.crowd.report();
  await sleep(kAfterMeetingMs);
  const quiet = await beQuiet(crowd, seconds);
  const next = random(course.hosts);
  const hosts: HostFailure[] = [];
  const lans: LanFailure[] = [];
  for (let i = 0; i < course.hostRounds; i++) hosts.push(...(await failHosts(crowd, next)));
  for (let i = 0; i < course.lanCuts; i++) lans.push(await failLan(crowd, next));
  return {
    order: crowd.order,
    coldStartMs: lastUpMs,
    coldPeaks: peaks(cold),
    ...quiet,
    hosts,
    lans,
    counters: (await crowd.status()).counters,
  };
}

const peaks = ({ lans }: CrowdReport): number[] => lans.map((lan) => lan.sentPeak + lan.heardPeak);

async function beQuiet(crowd: CrowdLab, quietSeconds: number) {
  const verdicts = async () => (await crowd.status()).counters.verdictsDown ?? 0;
  const verdictsBefore = await verdicts();
  const before = crowd.usage();
  await sleep(quietSeconds * 1000);
  const after = crowd.usage();
  const share = (us: number) => (us / (after.atUs - before.atUs)) * 100;
  return {
    quietSeconds,
    cpuPercent: share(after.processCpuUs - before.processCpuUs),
    engineCpuPercent: share(after.engineCpuUs - before.engineCpuUs),
    falseVerdicts: (await verdicts()) - verdictsBefore,
  };
}

function describe(lives: Life[]): ScenarioResult {
  return {
    name: 'scale-failures',
    title: 'A crowd of peers: cold start, quiet, failures',
    method: [
      'One real daemon, `-f 3 -s 3`, and N simulated peers at its interval on two LANs. Cold start:',
      'all peers begin to speak at once, until the last path is up. Quiet: nothing fails, every',
      'verdict is a false one. One host: its link to LAN A dies at a random moment. LAN: all of LAN A',
      'is cut. Verdicts are the daemon’s own instants, moves the kernel’s, seen by the observer',
      '(for a LAN: the last of five peers spread over the table).',
    ],
    figures: lives.flatMap(figures),
    notes: lives.map(note),
    raw: lives,
  };
}

const title = ({ order }: Life): string =>
  `${order.hosts.toLocaleString('en')} peers at ${order.intervalUs / 1000} ms`;

function figures(life: Life): Figure[] {
  const large = life.order.hosts >= 100;
  const row = (what: string, unit: Figure['unit'], values: number[], bars: Bar[] = []) => ({
    name: `${title(life)}: ${what}`,
    unit,
    summary: summarize(values),
    bars: large ? bars : [],
  });
  const ms = (values: number[]) => values.map((us) => us / 1000);
  const coldBars: Bar[] = life.order.hosts === 1000 ? [{ figure: 'max', limit: 3000 }] : [];
  const peakBars: Bar[] = life.order.hosts === 1000 ? [{ figure: 'max', limit: 20_000 }] : [];
  return [
    row('cold start until all are met', 'ms', [life.coldStartMs], coldBars),
    row('packets in and out in its busiest second, a LAN', 'count', life.coldPeaks, peakBars),
    row('CPU of the daemon, quiet', '%', [life.cpuPercent], [{ figure: 'max', limit: 4 }]),
    row('CPU of its engine’s thread', '%', [life.engineCpuPercent]),
    row('false verdicts', 'count', [life.falseVerdicts], [{ figure: 'max', limit: 0 }]),
    row('one host: silence -> verdict', 'ms', ms(life.hosts.map((h) => h.silenceToVerdictUs))),
    row('one host: silence -> moved', 'ms', ms(life.hosts.map((h) => h.silenceToMovedUs))),
    row('LAN: cut -> verdict', 'ms', ms(life.lans.map((l) => l.cutToVerdictUs))),
    row('LAN: verdict -> all moved', 'ms', ms(life.lans.map((l) => l.verdictToMovedUs)), [
      { figure: 'p99', limit: 0.3 },
    ]),
  ];
}

const note = (life: Life): string => {
  const paths = Math.min(...life.lans.map((lan) => lan.paths));
  const { receiveDrops, stalls } = life.counters;
  return (
    `${title(life)}: quiet for ${life.quietSeconds} s; one rule moved ${paths} of ` +
    `${(life.order.hosts * kLanCount) / 2} paths at least; the kernel dropped ${receiveDrops} ` +
    `packets, the engine found itself late ${stalls} times.`
  );
};
