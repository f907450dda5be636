// A quiet minute: nothing is cut, and several contenders at once, each pair on LANs of its own,
// live through the same minute and the same stalls of the machine. What moves, moves without a
// cause. What they cost is read meanwhile, from the scheduler's own nanoseconds, over everything
// that runs in a host's namespace.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath, nowUs, script } from '../../test/lab/shell.js';
import { type Host, Topology } from '../../test/lab/topology.js';
import { Agent } from '../agent.js';
import { kPlainSwitch, kStallPeriodUs } from '../lab.js';
import { countMoves, occupy, type Quiet } from '../scenarios/quiet.js';
import type { Contender } from './contender.js';
import { PeerPair } from './turn.js';

const kSettleMs = 3000; // V8 compiles and collects for a while after the start

export interface Minute {
  idle: Quiet;
  /** Null where it was left out. */
  busy: Quiet | null;
  /** Of one core, idle, a host each. */
  cpuPercent: number[];
}

interface Place {
  pair: PeerPair;
  topology: Topology;
  names: string[];
}

/**
 * Lets these contenders live side by side for `seconds` idle, then for `busySeconds` busy. One that
 * does not get ready is not in the answer; `lost` is told why.
 */
export async function quietMinute(
  contenders: readonly Contender[],
  seconds: number,
  busySeconds: number,
  lost: (contender: Contender, why: unknown) => void,
): Promise<Map<Contender, Minute>> {
  const agent = await Agent.start();
  const places: Place[] = [];
  try {
    const settling = contenders.map((contender, i) => settle(contender, `quiet${i}`));
    for (const [i, outcome] of (await Promise.allSettled(settling)).entries()) {
      if (outcome.status === 'fulfilled') places.push(outcome.value);
      else lost(contenders[i] as Contender, outcome.reason);
    }
    for (const { pair, names } of places) await pair.watch(agent, names);
    await agent.watchStalls(kStallPeriodUs);
    await sleep(kSettleMs);
    const before = places.map(cpuOf);
    const idle = await observe(agent, places, seconds);
    const cpu = places.map((place, i) => cpuSince(before[i] as Cpu, cpuOf(place)));
    const busy = busySeconds > 0 ? await underLoad(agent, places, busySeconds) : [];
    return new Map(
      places.map(({ pair }, i) => [
        pair.contender,
        { idle: idle[i] as Quiet, busy: busy[i] ?? null, cpuPercent: cpu[i] as number[] },
      ]),
    );
  } finally {
    await Promise.all(places.map(({ pair }) => pair.stop()));
    await agent.stop();
    for (const { topology } of places) await topology.destroy();
  }
}

async function settle(contender: Contender, prefix: string): Promise<Place> {
  const topology = await Topology.create({ hosts: 2, lans: 2 }, prefix);
  await script(`${prefix}-switches`, kPlainSwitch);
  const names = topology.hosts.map((host) => host.netns);
  const pair = await PeerPair.start(contender, topology);
  return { pair, topology, names };
}

async function observe(agent: Agent, places: Place[], seconds: number): Promise<Quiet[]> {
  const first = await agent.report();
  for (const { pair, names } of places) pair.seen(first, names);
  await sleep(seconds * 1000);
  const report = await agent.report();
  return places.map(({ pair, names }) => countMoves(pair.seen(report, names), seconds));
}

async function underLoad(agent: Agent, places: Place[], seconds: number): Promise<Quiet[]> {
  const others = occupy();
  try {
    return await observe(agent, places, seconds);
  } finally {
    for (const other of others) other.kill('SIGKILL');
  }
}

interface Cpu {
  atUs: number;
  us: number[];
}

const cpuOf = ({ topology }: Place): Cpu => ({
  atUs: nowUs(),
  us: topology.hosts.map((host) => residents(host).reduce((sum, pid) => sum + cpuUs(pid), 0)),
});

const cpuSince = (before: Cpu, after: Cpu): number[] =>
  after.us.map((us, i) => ((us - (before.us[i] ?? 0)) / (after.atUs - before.atUs)) * 100);

/** The processes that live in a host's namespace. */
function residents(host: Host): number[] {
  const home = `net:[${statSync(netnsPath(host.netns)).ino}]`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => namespaceOf(pid) === home).map(Number);
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ''; // it has just ended
  }
}

/** CPU time of all threads of a process. */
function cpuUs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const ns = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, value) => sum + value, 0) / 1000;
}
