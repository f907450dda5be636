// `faild bench PEER`: what the network to a peer and this machine are good for, measured while both
// work. It changes nothing and cuts nothing: round trips are the daemon's own questions, a little
// more often (round-trips.ts); timers are tried in this process; routes in a table that no rule
// leads to, which is empty again after each slice. Called by cli.ts.

import { FaildError, messageOf } from '../base/errors.js';
import { findPeer } from '../cluster/moves.js';
import type { Status, StatusPath, StatusPeer } from '../cluster/status.js';
import type { DaemonConfig } from '../config/config.js';
import { fetchStatus, followRoundTrips } from '../control/client.js';
import { type NativeRouteTimes, native } from '../engine/native.js';
import {
  type BenchReport,
  buildReport,
  countPackets,
  type LanSamples,
  type Samples,
} from './report.js';

/** Of timers at a time: between two slices, whatever else this process has to do. */
const timerSlice = 200;
const timerPeriodUs = 1000;

const routeSlice = 20;
const routeSlices = 25;
/** The daemon is woken by each removal; it has other things to do as well. */
const routePauseMs = 20;

export interface BenchOrder {
  peer: string;
  seconds: number;
}

/** Rejects with EINTR when the signal comes: nothing is left behind then either. */
export async function bench(
  { peer: wanted, seconds }: BenchOrder,
  config: DaemonConfig,
  signal: AbortSignal,
): Promise<BenchReport> {
  const before = await fetchStatus(config.socket);
  const peer = findPeer(before.peers, wanted);
  const { up, notes } = sortPaths(peer);
  const time = within(seconds, signal);
  const [timers, trips] = await Promise.all([
    measureTimers(before, config, time),
    Promise.all(up.map(({ lan }) => listen(config.socket, peer.id, lan, time))),
  ]);
  stopIf(signal);
  const after = await fetchStatus(config.socket);
  const routes = await measureRoutes(before, up, config, signal).catch((error: unknown) => {
    stopIf(signal);
    notes.push(`route changes were not measured: ${messageOf(error)}`);
    return null;
  });
  const lans = up.map((path, at) => ({
    ...(trips[at] as Trips),
    ...countPackets(path, pathOf(findPeer(after.peers, peer.id), path.lan)),
  }));
  if (!timers.realtime) {
    notes.push('timers were tried at ordinary priority: run it as root, as the daemon is');
  }
  const samples: Samples = { seconds, lans, timers, routes, notes };
  return buildReport(samples, after, peer.name, native.detectionTimeUs);
}

/** Only paths that are up can be measured. */
function sortPaths({ name, paths }: StatusPeer): { up: StatusPath[]; notes: string[] } {
  const up = paths.filter(({ state }) => state === 'up');
  if (up.length === 0) {
    throw new FaildError('EHOSTUNREACH', `no path to ${name} is up: there is nothing to measure`);
  }
  const others = paths.filter(({ state }) => state !== 'up');
  return { up, notes: others.map(({ lan, state }) => `LAN ${lan} is ${state}: left out`) };
}

function pathOf({ name, paths }: StatusPeer, lan: string): StatusPath {
  const path = paths.find((candidate) => candidate.lan === lan);
  if (path === undefined) throw new FaildError('ENOLAN', `${name} has left LAN ${lan}`);
  return path;
}

type Trips = Pick<LanSamples, 'lan' | 'roundTripsUs' | 'unanswered'>;

async function listen(
  socket: string,
  peer: string,
  lan: string,
  time: AbortSignal,
): Promise<Trips> {
  const trips: Trips = { lan, roundTripsUs: [], unanswered: 0 };
  try {
    for await (const { roundTripUs } of followRoundTrips(socket, peer, lan, time)) {
      if (roundTripUs === null) trips.unanswered += 1;
      else trips.roundTripsUs.push(roundTripUs);
    }
  } catch (error) {
    if (!time.aborted) throw error;
  }
  return trips;
}

async function measureTimers(
  { scheduling }: Status,
  config: DaemonConfig,
  time: AbortSignal,
): Promise<Samples['timers']> {
  const order = {
    realtimePriority: scheduling.mode === 'fifo' ? config.realtimePriority : 0,
    cpu: config.cpu ?? -1,
    periodUs: timerPeriodUs,
    count: timerSlice,
  };
  const lateUs: number[] = [];
  let realtime = false;
  do {
    const slice = native.measureTimers(order);
    realtime = slice.realtime;
    lateUs.push(...slice.lateUs);
    await turn(0);
  } while (!time.aborted);
  return { realtime, lateUs };
}

async function measureRoutes(
  status: Status,
  up: readonly StatusPath[],
  config: DaemonConfig,
  signal: AbortSignal,
): Promise<NativeRouteTimes> {
  const order = { ...exitBy(status, up, config), count: routeSlice };
  const all: NativeRouteTimes = { addUs: [], replaceUs: [], removeUs: [] };
  for (let slice = 0; slice < routeSlices; slice++) {
    stopIf(signal);
    const times = native.measureRoutes(order);
    for (const column of ['addUs', 'replaceUs', 'removeUs'] as const) {
      all[column].push(...times[column]);
    }
    await turn(routePauseMs);
  }
  return all;
}

/** As a failover's route would: to the peer's address, by the last LAN that works. */
function exitBy(status: Status, up: readonly StatusPath[], config: DaemonConfig) {
  const networkNamespace = config.networkNamespace ?? '';
  const path = up.at(-1);
  const device = status.lans.find(({ name }) => name === path?.lan)?.interface;
  const found = native.listInterfaces(networkNamespace).find((one) => one.interface === device);
  if (found === undefined) {
    const line = `there is no interface ${device} here; run it in the daemon's network namespace`;
    throw new FaildError('ENOLAN', line);
  }
  const gateway = path?.addresses[0]?.split('/')[0] ?? '';
  return { networkNamespace, ifindex: found.ifindex, gateway };
}

/**
 * Aborts when the time is over, or with `signal`. Of `AbortSignal.any` and `AbortSignal.timeout`
 * Node 20 collects what nobody else holds, and then neither ever aborts.
 */
function within(seconds: number, signal: AbortSignal): AbortSignal {
  const time = new AbortController();
  const end = () => time.abort();
  const timer = setTimeout(end, seconds * 1000);
  signal.addEventListener('abort', end);
  time.signal.addEventListener('abort', () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
  return time.signal;
}

function turn(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function stopIf(signal: AbortSignal): void {
  if (signal.aborted) throw new FaildError('EINTR', 'interrupted', { exitStatus: 130 });
}
