// Probes as they pass, one by one, for as long as somebody listens: `faild probes --live`. Served by
// control/routes.ts.
//
// The listener reads the flight recorder again and again and tells what is new in it. So the engine
// has nothing to do for it but what it does for every reader, nothing while nobody listens, and a
// slow listener holds up nobody: the recorder goes on without him, and its numbers say what he has
// missed. (A ring of its own, filled packet by packet while somebody listens, would lose nothing,
// but ask each packet whether it is wanted.)
import type { ClockReading } from '../base/clock.js';
import { FaildError } from '../base/errors.js';
import type {
  NativeProbe,
  NativeProbeQuery,
  NativeProbes,
  NativeRecording,
} from '../engine/native.js';
import {
  annotate,
  isRegular,
  type NumberedProbe,
  type ProbeNames,
  type SeenProbe,
  see,
} from '../engine/probes.js';
import { checkScope, findPeer } from './moves.js';
import type { Status } from './status.js';

/** Probes of a path, or (peer null) sent to all on a LAN, that went by too fast to be told. */
export interface MissedProbes {
  more: number;
  lan: string;
  peer: SeenProbe['peer'];
}

/** Null: all. */
export interface ProbeScope {
  peer: string | null;
  lan: string | null;
}

/** What it needs of a running faild; faild.ts has it. */
export interface ProbeSource {
  status(): Promise<Status>;
  probes(query: NativeProbeQuery): Promise<{ taken: NativeProbes; now: ClockReading }>;
}

/** A ring holds eight probes, two an interval at most; no more often than this, and no less. */
const intervalsPerLook = 3;
const paceMs = { shortest: 5, longest: 50 };

/** More cannot be read anyway, and less would hide what a few peers say at short intervals. */
const toldPerSecond = 10_000;

/** A packet may be read so much later than it arrived, and is still looked for by its arrival. */
const patienceUs = 50_000;

/** What is known of one ring. */
interface Cursor {
  number: number;
  /** The last regular probe: what the next one is measured by. */
  last: NativeProbe | undefined;
}

/** Throws when there is no such path, or too many. */
export async function beginProbes(source: ProbeSource, scope: ProbeScope) {
  const status = await source.status();
  const query = queryOf(status, scope);
  const first = await source.probes(query);
  refuseTooMany(first.taken);
  return { status, query, first };
}

/**
 * Begins with what comes from now on; ends with the signal, also while nothing comes. Throws at the
 * first step when there is no such path.
 */
export async function* followProbes(
  source: ProbeSource,
  scope: ProbeScope,
  gone: AbortSignal,
): AsyncGenerator<SeenProbe | MissedProbes, void> {
  const { query, first, ...begun } = await beginProbes(source, scope);
  let status = begun.status;
  const pauseMs = paceOf(status, query.host);
  const cursors = new Map<string, Cursor>();
  for (const ring of first.taken.recordings) readOn(ring, cursors);
  let sinceUs = first.taken.takenUs;
  while (!gone.aborted) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const { taken } = await source.probes({ ...query, sinceUs: Math.max(0, sinceUs - patienceUs) });
    // By what has passed, not by the pause: a look that comes late finds more, and may tell it.
    const room = (toldPerSecond * (taken.takenUs - sinceUs)) / 1e6;
    sinceUs = taken.takenUs;
    refuseTooMany(taken);
    if (hasStranger(taken, status)) status = await source.status();
    const names = namesOf(status);
    const rings = taken.recordings.map((ring) => ({ ring, ...readOn(ring, cursors) }));
    const fresh = rings
      .flatMap(({ ring, probes }) => probes.map((probe) => ({ ring, probe })))
      .sort((a, b) => a.probe.monotonicUs - b.probe.monotonicUs);
    const untold = new Map<NativeRecording, number>();
    for (const { ring } of fresh.slice(room)) untold.set(ring, (untold.get(ring) ?? 0) + 1);
    for (const { ring, missed } of rings) {
      const more = missed + (untold.get(ring) ?? 0);
      if (more > 0) yield { more, ...whereOf(ring, names) };
    }
    // One reading of the clocks for the whole stream: the wall clock's steps are no gaps.
    for (const { ring, probe } of fresh.slice(0, room)) yield see(probe, ring, names, first.now);
  }
}

/** Throws ENOENT for a LAN or a peer that is not known. `sinceUs` is 0: all that is kept. */
export function queryOf(status: Status, { peer, lan }: ProbeScope): NativeProbeQuery {
  if (lan !== null) checkScope(status, { lan, peer });
  const host = peer === null ? null : findPeer(status.peers, peer).id;
  const index = status.lans.findIndex(({ name }) => name === lan);
  return { host, lan: lan === null ? null : index, sinceUs: 0 };
}

export function namesOf({ peers, lans }: Status): ProbeNames {
  const names = new Map(peers.map(({ id, name }) => [id, name]));
  return {
    peer: (id) => ({ id, name: names.get(id) || id }),
    lan: (index) => lans[index]?.name ?? '?',
  };
}

/** What is new in a ring, and how many probes have been overwritten since the last look. */
function readOn(
  ring: NativeRecording,
  cursors: Map<string, Cursor>,
): { probes: NumberedProbe[]; missed: number } {
  const key = `${ring.host}/${ring.lan}`;
  const known = cursors.get(key);
  // Counted anew: the place of one host has gone to another, and come back.
  const cursor = known !== undefined && known.number <= ring.count ? known : undefined;
  const oldest = ring.count - ring.probes.length + 1;
  const missed = cursor === undefined ? 0 : Math.max(0, oldest - cursor.number - 1);
  const noted = annotate(ring, missed > 0 ? undefined : cursor?.last);
  const last = ring.probes.findLast(isRegular) ?? (missed > 0 ? undefined : cursor?.last);
  cursors.set(key, { number: ring.count, last });
  return { probes: noted.filter(({ number }) => number > (cursor?.number ?? 0)), missed };
}

function refuseTooMany({ recordings, leftOut }: NativeProbes): void {
  if (leftOut === 0) return;
  const line = `${recordings.length + leftOut} paths are too many to follow: name a peer or a LAN`;
  throw new FaildError('EINVAL', line, { exitStatus: 2 });
}

/** By the shortest interval of those who are watched. */
function paceOf({ peers, settings }: Status, host: string | null): number {
  const watched = peers.filter(({ id }) => host === null || id === host);
  const intervals = watched.flatMap(({ paths }) => paths.map(({ intervalUs }) => intervalUs));
  const shortestUs = Math.min(settings.intervalUs, ...intervals.filter((us) => us > 0));
  const ms = (shortestUs * intervalsPerLook) / 1000;
  return Math.min(Math.max(ms, paceMs.shortest), paceMs.longest);
}

function hasStranger({ recordings }: NativeProbes, { peers }: Status): boolean {
  const known = new Set(peers.map(({ id }) => id));
  return recordings.some(({ host }) => host !== null && !known.has(host));
}

function whereOf({ host, lan }: NativeRecording, names: ProbeNames) {
  return { lan: names.lan(lan), peer: host === null ? null : names.peer(host) };
}
