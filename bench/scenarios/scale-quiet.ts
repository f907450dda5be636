// Five minutes at scale in which nothing fails: every verdict is a false one. All crowds live
// through the same minutes side by side, each with a daemon and LANs of its own, so that each has
// the others' load beside it: harder than alone, and a quarter of the time.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';
import { CrowdLab, type CrowdOrder, titleOf } from './scale-lab.js';

interface Quiet {
  order: CrowdOrder;
  seconds: number;
  cpuPercent: number;
  engineCpuPercent: number;
  received: number;
  falseVerdicts: number;
  receiveDrops: number;
  stalls: number;
}

const kOrders: CrowdOrder[] = [
  { hosts: 1000, intervalUs: 100_000 },
  { hosts: 100, intervalUs: 10_000 },
  { hosts: 4000, intervalUs: 1_000_000 },
];
const kAfterMeetingMs = 3000;
const kCpuBar: Bar = { figure: 'max', limit: 4 };
const kVerdictBar: Bar = { figure: 'max', limit: 0 };

export async function scaleQuiet(scale: Scale): Promise<ScenarioResult> {
  const orders = kOrders.slice(0, scale.of(kOrders.length, 2, 2));
  const seconds = scale.of(300, 2);
  return describe(await CrowdLab.withAll(orders, (crowds) => stayQuiet(crowds, seconds)), seconds);
}

async function stayQuiet(crowds: CrowdLab[], seconds: number): Promise<Quiet[]> {
  for (const crowd of crowds) await crowd.meet();
  await sleep(kAfterMeetingMs);
  const ends = [];
  for (const crowd of crowds) ends.push(await observe(crowd));
  await sleep(seconds * 1000);
  const seen: Quiet[] = [];
  for (const end of ends) seen.push(await end());
  return seen;
}

/** Starts counting; the answer tells what happened since. */
async function observe(crowd: CrowdLab): Promise<() => Promise<Quiet>> {
  const countersBefore = (await crowd.status()).counters;
  const before = crowd.usage();
  return async () => {
    const after = crowd.usage();
    const { counters } = await crowd.status();
    const grown = (name: string) => (counters[name] ?? 0) - (countersBefore[name] ?? 0);
    const elapsedUs = after.atUs - before.atUs;
    return {
      order: crowd.order,
      seconds: elapsedUs / 1e6,
      cpuPercent: ((after.processCpuUs - before.processCpuUs) / elapsedUs) * 100,
      engineCpuPercent: ((after.engineCpuUs - before.engineCpuUs) / elapsedUs) * 100,
      received: after.received - before.received,
      falseVerdicts: grown('verdictsDown'),
      receiveDrops: grown('receiveDrops'),
      stalls: grown('stalls'),
    };
  };
}

function describe(seen: Quiet[], seconds: number): ScenarioResult {
  return {
    name: 'scale-quiet',
    title: 'A crowd of peers, and nothing fails',
    method: [
      'Real daemons, `-f 3 -s 3`, each among N simulated peers at its own interval on two LANs;',
      `${seen.length} such crowds side by side on this machine, for ${seconds} s. Nothing fails, so`,
      'every verdict is a false one. CPU is that of the whole daemon, from the scheduler’s nanoseconds,',
      'in percent of one core.',
    ],
    figures: seen.flatMap(figures),
    notes: seen.map(note),
    raw: seen,
  };
}

function figures(quiet: Quiet): Figure[] {
  const row = (what: string, unit: Figure['unit'], value: number, bars: Bar[] = []): Figure => ({
    name: `${titleOf(quiet.order)}: ${what}`,
    unit,
    summary: summarize([value]),
    bars,
  });
  return [
    row('false verdicts', 'count', quiet.falseVerdicts, [kVerdictBar]),
    row('CPU of the daemon', '%', quiet.cpuPercent, [kCpuBar]),
    row('CPU of its engine’s thread', '%', quiet.engineCpuPercent),
  ];
}

const note = (quiet: Quiet): string =>
  `${titleOf(quiet.order)}: ${quiet.received} packets in ${quiet.seconds.toFixed(1)} s; the kernel ` +
  `dropped ${quiet.receiveDrops}, the engine found itself late ${quiet.stalls} times.`;
