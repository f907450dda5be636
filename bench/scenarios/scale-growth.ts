// What each further peer costs one daemon: packets, CPU, memory, at the same interval for every
// number of peers and at the highest rates that the lab can play.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';
import { CrowdLab, type CrowdOrder, kLanCount, titleOf, type Usage } from './scale-lab.js';

interface Load {
  order: CrowdOrder;
  /** A row a second. */
  inPerSecond: number[];
  outPerSecond: number[];
  engineUsPerPacket: number[];
  residentKb: number;
  engineBytes: number;
}

const kSizes = [16, 100, 1000, 4000];
const kSameIntervalUs = 100_000;
const kFastOrders = [
  { hosts: 1000, intervalUs: 40_000 },
  { hosts: 1000, intervalUs: 20_000 },
];
// A short run has the two questions, growth and CPU, answered by the same two crowds.
const kQuickOrders = [16, 1000].map((hosts) => ({ hosts, intervalUs: 20_000 }));
const kBusyRate = 50_000; // packets a second from which the bar on CPU holds
const kBusyBar = 0.5;
const kMemoryBar = 2048;
// One packet an interval, and what handshakes and the windows' edges add.
const kPerHostBar = 1.05;

export async function scaleGrowth(scale: Scale): Promise<ScenarioResult> {
  const seconds = scale.of(6, 1);
  const same = kSizes.map((hosts) => ({ hosts, intervalUs: kSameIntervalUs }));
  const orders = scale.quick ? kQuickOrders : [...same, ...kFastOrders];
  const loads: Load[] = [];
  for (const order of orders) {
    loads.push(await CrowdLab.with(order, (crowd) => measure(crowd, seconds)));
  }
  return describe(loads, seconds);
}

async function measure(crowd: CrowdLab, seconds: number): Promise<Load> {
  await crowd.meetUnasked();
  await sleep(1000);
  const readings = [crowd.usage()];
  for (let i = 0; i < seconds; i++) {
    await sleep(1000);
    readings.push(crowd.usage());
  }
  const rows = readings.slice(1).map((after, i) => between(readings[i] as Usage, after));
  return {
    order: crowd.order,
    inPerSecond: rows.map((row) => row.inPerSecond),
    outPerSecond: rows.map((row) => row.outPerSecond),
    engineUsPerPacket: rows.map((row) => row.engineUsPerPacket),
    residentKb: (readings.at(-1) as Usage).residentKb,
    engineBytes: await engineBytes(crowd),
  };
}

async function engineBytes(crowd: CrowdLab): Promise<number> {
  const { peers, memory } = await crowd.status();
  const up = peers.flatMap(({ paths }) => paths).filter(({ state }) => state === 'up').length;
  const due = kLanCount * crowd.order.hosts;
  if (up !== due) throw new Error(`${up} of ${due} paths are up`);
  return memory.bytes;
}

function between(before: Usage, after: Usage) {
  const seconds = (after.atUs - before.atUs) / 1e6;
  const received = after.received - before.received;
  return {
    inPerSecond: received / seconds,
    outPerSecond: (after.sent - before.sent) / seconds,
    engineUsPerPacket: (after.engineCpuUs - before.engineCpuUs) / received,
  };
}

function describe(loads: Load[], seconds: number): ScenarioResult {
  const same = loads.filter(({ order }) => order.intervalUs === loads[0]?.order.intervalUs);
  return {
    name: 'scale-growth',
    title: 'What each further peer costs',
    method: [
      'One real daemon and N simulated peers at its interval on two LANs, all met, nothing failing;',
      `${seconds} windows of a second each. Packets are counted by the kernel of the daemon’s host,`,
      'both LANs together. CPU is that of the engine’s thread, from the scheduler’s nanoseconds, per',
      'packet received. Memory: from the smallest crowd to this one, by the paths or peers in',
      'between. The engine’s is one mapping, taken at the start for so many peers. The resident memory',
      'is the whole daemon’s, with what JavaScript has not given back of the events of the start.',
    ],
    figures: [
      ...loads.flatMap(figures),
      ...same.slice(1).flatMap((load) => memory(same[0] as Load, load)),
    ],
    notes: [growth(same)],
    raw: loads,
  };
}

function figures(load: Load): Figure[] {
  const { hosts, intervalUs } = load.order;
  const due = (hosts * kLanCount * 1e6) / intervalUs;
  const row = (what: string, unit: Figure['unit'], values: number[], bars: Bar[] = []) => ({
    name: `${titleOf(load.order)}: ${what}`,
    unit,
    summary: summarize(values),
    bars,
  });
  const cpuBars: Bar[] = due >= kBusyRate ? [{ figure: 'p50', limit: kBusyBar }] : [];
  return [
    row('packets in a second', 'count', load.inPerSecond),
    row('packets out a second', 'count', load.outPerSecond),
    row(
      'in, per peer, LAN and interval',
      'count',
      load.inPerSecond.map((rate) => rate / due),
      [{ figure: 'p50', limit: kPerHostBar }],
    ),
    row('engine’s CPU a packet', 'us', load.engineUsPerPacket, cpuBars),
  ];
}

function memory(least: Load, load: Load): Figure[] {
  const peers = load.order.hosts - least.order.hosts;
  const row = (what: string, value: number, bars: Bar[] = []): Figure => ({
    name: `${titleOf(load.order)}: ${what}`,
    unit: 'count',
    summary: summarize([value]),
    bars,
  });
  return [
    row(
      'engine’s memory a path, bytes',
      (load.engineBytes - least.engineBytes) / kLanCount / peers,
      [{ figure: 'max', limit: kMemoryBar }],
    ),
    row('resident memory a peer, KB', (load.residentKb - least.residentKb) / peers),
  ];
}

/** The slope of log(packets) over log(N), by least squares: 1 is linear, 2 would be quadratic. */
function growth(loads: Load[]): string {
  const points = loads.map(({ order, inPerSecond, outPerSecond }) => {
    const total = (summarize(inPerSecond)?.p50 ?? 0) + (summarize(outPerSecond)?.p50 ?? 0);
    return { x: Math.log(order.hosts), y: Math.log(total) };
  });
  const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [x, y] = [mean(points.map((p) => p.x)), mean(points.map((p) => p.y))];
  const slope =
    mean(points.map((p) => (p.x - x) * (p.y - y))) / mean(points.map((p) => (p.x - x) ** 2));
  return `Packets in and out of one host grow as N to the power of ${slope.toFixed(3)}.`;
}
