// What the parts of the engine cost, one by one, and how fast the kernel and JavaScript are told:
// codec, detector and engine natively (native/micro_main.cc), route changes and events here, by
// the addon in a network namespace of its own.
//
// It fails when the engine's code has allocated anything.
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type NativeRuntimeConfig, native } from '../../lib/engine/native.js';
import { netnsPath } from '../../test/lab/shell.js';
import { Topology } from '../../test/lab/topology.js';
import { nativeProgram } from '../agent.js';
import type { Figure, Scale, ScenarioResult } from '../scenario.js';
import { type Summary, sum, summarize } from '../statistics.js';

const kPeers = [16, 1000, 4000];
const kHoldMs = 1000;
/** Summaries by name, in nanoseconds, and counts: see the program. */
type Native = Record<string, Summary> & Record<string, number>;

const kNativeRows: [key: string, name: string][] = [
  ['clock', 'reading the clock'],
  ['encode', 'codec: encode an INQ'],
  ['decode', 'codec: decode it'],
  ['evidence', 'detector: one packet’s evidence'],
  ['verdict', 'detector: one verdict'],
  ...kPeers.map((n): [string, string] => [`packet${n}`, `engine: on_packet, ${n} peers`]),
  ...kPeers.map((n): [string, string] => [`deadline${n}`, `engine: on_deadline, ${n} peers`]),
];

export async function micro(scale: Scale): Promise<ScenarioResult> {
  const program = nativeProgram('faild-bench-micro');
  const argv = [String(scale.of(20_000, 4000))];
  const engine = JSON.parse((await promisify(execFile)(program, argv)).stdout) as Native;
  const allocations = countAllocations(engine);
  const { routes, events } = await inNamespace(scale.of(5000, 500));
  const us = (name: string, values: number[]): Figure => ({
    name,
    unit: 'us',
    summary: summarize(values),
  });
  return {
    name: 'micro',
    title: 'The parts, one by one',
    method: [
      'Codec, detector and engine: calls of their code on one thread, without sockets. What is below',
      'the clock’s resolution is measured in batches of 32, each sample the mean of one. The engine',
      'has so many peers on two LANs, all up; their INQs come in random order, evenly spread over',
      'the interval, and deadlines as they fall due. Route changes: an operation of the daemon’s',
      'own, request to acknowledgment. Event: from the engine’s thread (SCHED_FIFO) writing it to',
      'the first line of TypeScript that can read it, with an otherwise idle event loop.',
    ],
    figures: [
      ...kNativeRows.map(([key, name]): Figure => ({ name, unit: 'ns', summary: of(engine, key) })),
      us('rtnetlink: add a route', routes.addUs),
      us('rtnetlink: replace it', routes.replaceUs),
      us('rtnetlink: remove it', routes.removeUs),
      us('event: engine -> JavaScript', events),
    ],
    notes: [`Allocations of the engine’s code in all of these calls: ${allocations}.`],
    raw: { engine, routes: { ...routes }, events },
  };
}

function of(engine: Native, key: string): Summary {
  const summary = engine[key];
  if (typeof summary !== 'object') throw new Error(`faild-bench-micro said nothing of ${key}`);
  return summary;
}

/** Throws unless there were none. */
function countAllocations(engine: Native): number {
  if (engine.counted !== 1) throw new Error('the counter of allocations does not count');
  const counts = kNativeRows.map(([key]): [string, number | undefined] => [
    key,
    engine[`${key}Allocations`],
  ]);
  for (const [key, count] of counts) {
    if (count !== 0) throw new Error(`${key}: ${count} allocations; the engine must make none`);
  }
  return sum(counts.map(([, count]) => count ?? 0));
}

async function inNamespace(count: number) {
  const topology = await Topology.create({ hosts: 2, lans: 2 }, 'micro');
  try {
    const networkNamespace = netnsPath(topology.host(1).netns);
    const found = native.listInterfaces(networkNamespace).filter(({ loopback }) => !loopback);
    const lans = found.map((lan) => ({ ...lan, name: lan.interface }));
    const ifindex = found.find((lan) => lan.interface === 'lanb')?.ifindex ?? 0;
    const gateway = topology.host(2).address('b');
    const routes = native.measureRoutes({
      networkNamespace,
      ifindex,
      gateway,
      count: Math.min(count, 1000),
    });
    return { routes, events: await timeEvents(networkNamespace, lans, count) };
  } finally {
    await topology.destroy();
  }
}

/** Commands whose answers say when the engine gave them; each is awaited before the next. */
async function timeEvents(
  networkNamespace: string,
  lans: NativeRuntimeConfig['lans'],
  count: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const timing = lans.map(() => ({ intervalUs: 100_000, failAfter: 3, restoreAfter: 3 }));
  const plan = { ...kPlan, preference: lans.map((_, lan) => lan), timing };
  let answered = () => {};
  const onWake = () => {
    const seenUs = native.monotonicUs();
    for (const { kind, atUs } of engine.drain().events) {
      if (kind !== 'answer') continue;
      latencies.push(seenUs - atUs);
      answered();
    }
  };
  const engine = new native.Engine({ ...kConfig, networkNamespace, lans, plan }, onWake);
  engine.start();
  // An engine that only its own onWake knows is garbage, and so is who waits for that: held here.
  const held = setInterval(() => engine.heartbeatCount(), kHoldMs);
  try {
    for (let i = 0; i < count; i++) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      engine.command({ kind: 'set-plan', plan });
      await answer;
      await sleep(1); // asleep, as it is when a failover comes
    }
  } finally {
    clearInterval(held);
    engine.stop(false);
  }
  return latencies;
}

const kPlan: NativeRuntimeConfig['plan'] = {
  preference: [],
  switchback: 'auto',
  holdUs: 0,
  flapWindowUs: 0,
  grayLoss: 0,
  grayRoundTripUs: 0,
  rtoMinUs: 0,
  source: 'own',
  allowed: [],
  drained: [],
  hostDrained: false,
  timing: [],
};

const kConfig: NativeRuntimeConfig = {
  host: '0000000000000001',
  incarnation: '0000000000000001',
  name: 'micro',
  cluster: 'micro',
  requestor: true,
  maxPeers: 16,
  seed: 1,
  lans: [],
  plan: kPlan,
  port: 9311,
  transport: 'auto',
  destination: 'broadcast',
  multicastGroup: '239.255.93.11',
  staticPeers: [],
  networkNamespace: '',
  realtimePriority: 50,
  cpu: -1,
};
