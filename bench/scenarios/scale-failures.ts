// A crowd's life with one daemon, for several numbers of peers and intervals: a cold start, single
// hosts' failures, and a LAN's. scale-quiet.ts has the time in between, in which nothing happens.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdReport } from '../crowd.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { random, summarize } from '../statistics.js';
import { failHosts, failLan, type HostFailure, type LanFailure, watch } from './scale-cuts.js';
import { CrowdLab, type CrowdOrder, kLanCount, titleOf } from './scale-lab.js';

interface Life {
  order: CrowdOrder;
  coldStartMs: number;
  /** The most packets in one second of it on each LAN, received and sent together. */
  coldPeaks: number[];
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
  { hosts: 4000, intervalUs: 100_000, hostRounds: 1, lanCuts: 30 },
];
const kQuickCourses: Course[] = [{ hosts: 1000, intervalUs: 100_000, hostRounds: 1, lanCuts: 1 }];
const kAfterMeetingMs = 2000;

export async function scaleFailures(scale: Scale): Promise<ScenarioResult> {
  const lives: Life[] = [];
  for (const course of scale.quick ? kQuickCourses : kCourses) {
    const order = { hosts: course.hosts, intervalUs: course.intervalUs };
    lives.push(await CrowdLab.with(order, (crowd) => live(crowd, course)));
  }
  return describe(lives);
}

async function live(crowd: CrowdLab, course: Course): Promise<Life> {
  await watch(crowd);
  await crowd.crowd.report();
  const { lastUpMs } = await crowd.meet();
  const cold = await crowd.crowd.report();
  await sleep(kAfterMeetingMs);
  const next = random(course.hosts);
  const hosts: HostFailure[] = [];
  const lans: LanFailure[] = [];
  for (let i = 0; i < course.hostRounds; i++) hosts.push(...(await failHosts(crowd, next)));
  for (let i = 0; i < course.lanCuts; i++) lans.push(await failLan(crowd, next));
  return {
    order: crowd.order,
    coldStartMs: lastUpMs,
    coldPeaks: peaks(cold),
    hosts,
    lans,
    counters: (await crowd.status()).counters,
  };
}

const peaks = ({ lans }: CrowdReport): number[] => lans.map((lan) => lan.sentPeak + lan.heardPeak);

function describe(lives: Life[]): ScenarioResult {
  return {
    name: 'scale-failures',
    title: 'A crowd of peers: cold start and failures',
    method: [
      'One real daemon, `-f 3 -s 3`, and N simulated peers at its interval on two LANs. Cold start:',
      'all peers begin to speak at once, until the last path is up. One host: its link to LAN A dies',
      'at a random moment. LAN: all of LAN A is cut. Verdicts are the daemon’s own instants, moves the',
      'kernel’s, seen by the observer (for a LAN: the last of five peers spread over the table).',
    ],
    figures: lives.flatMap(figures),
    notes: lives.map(note),
    raw: lives,
  };
}

function figures(life: Life): Figure[] {
  const large = life.order.hosts >= 100;
  const row = (what: string, unit: Figure['unit'], values: number[], bars: Bar[] = []) => ({
    name: `${titleOf(life.order)}: ${what}`,
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
    `${titleOf(life.order)}: one rule moved ${paths} of ` +
    `${(life.order.hosts * kLanCount) / 2} paths at least; the kernel dropped ${receiveDrops} ` +
    `packets, the engine found itself late ${stalls} times.`
  );
};
