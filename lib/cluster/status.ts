// The status document: everything an operator or a program may ask, as one versioned JSON object.
// Pure: made from the engine's snapshot and the facts of its start. Served by control.ts, returned
// by Faild.status().
//
// `schema` changes its number only when a field goes or changes its meaning; new fields may come at
// any time.
import { type ClockReading, isoOf } from '../base/clock.js';
import type { Config } from '../config/config.js';
import type {
  NativeFacts,
  NativeLanRow,
  NativePathRow,
  NativePeerRow,
  NativePlan,
  NativeSnapshot,
  NativeTiming,
  PathStateName,
} from '../engine/native.js';
import type { Look } from '../engine/snapshots.js';
import { type LanRef, type MuteDirection, muteDirectionOf, type PeerRef } from './events.js';
import type { Identity } from './identity.js';

export interface Status {
  schema: 'faild.status/1';
  version: string;
  /**
   * When the tables were copied (ISO 8601, UTC), and how long ago that was when this was written.
   */
  takenAt: string;
  ageUs: number;
  engine: StatusEngine;
  host: StatusHost;
  cluster: string;
  settings: StatusSettings;
  /** What the engine does on its own at the next failure. */
  plan: StatusPlan;
  transport: 'raw' | 'udp';
  /** How to get `raw`; null when it is granted, or was not asked for. */
  transportHint: string | null;
  scheduling: StatusScheduling;
  memory: StatusMemory;
  lans: StatusLan[];
  peers: StatusPeer[];
  /** Traffic that does not go its own way now. */
  alternates: StatusAlternate[];
  counters: Record<string, number>;
  /** Refused packets by reason: after decoding, and by the decoder. */
  drops: Record<string, number>;
  decodeErrors: Record<string, number>;
  /** What the raw transport refused before decoding, by reason. */
  frameErrors: Record<string, number>;
  /** The last change that the kernel refused since the start, and why in its words; null: none. */
  lastRefusal: string | null;
}

export interface StatusHost {
  id: string;
  name: string;
  incarnation: string;
  /** Drained as a whole: its peers will take its silence for planned, until `undrain`. */
  drained: boolean;
}

export interface StatusEngine {
  /**
   * Its thread has made progress while this was asked for. False: it hangs, and what is told here
   * is what was known last.
   */
  alive: boolean;
  /** Grows with its progress, from its start on. */
  heartbeats: number;
}

/** The host's own; a LAN may have its own timing. */
export interface StatusSettings extends NativeTiming {
  requestor: boolean;
  port: number;
}

/** As lib/engine/shapes.ts says it, with LANs by name. */
export interface StatusPlan
  extends Omit<NativePlan, 'preference' | 'drained' | 'hostDrained' | 'timing'> {
  /** The first alternate first. */
  preference: string[];
  /** Kept free of traffic on command, until `undrain`. */
  drained: string[];
}

export interface StatusScheduling {
  /** `fifo`: the engine's thread comes before ordinary processes; `other`: it shares with them. */
  mode: 'fifo' | 'other';
  /** How to get `fifo`; null when it is granted. */
  hint: string | null;
}

/** The engine thread's own, taken at its start; it never grows. */
export interface StatusMemory {
  bytes: number;
  /** It cannot be paged out. */
  locked: boolean;
  /** How to get that; null when it is so. */
  hint: string | null;
}

export interface StatusLan extends LanRef, NativeTiming {
  /** Between our inquiries now; shorter than `intervalUs` while a longer one is announced. */
  paceUs: number;
  state: 'no-peer' | 'up' | 'down';
  since: string;
  ageS: number;
  carrier: boolean;
  /** The whole LAN's traffic is on its alternates, by one rule. */
  moved: boolean;
  /** Kept free of traffic on command. */
  drained: boolean;
  /** Our own heartbeats on it are not sent, or not read, on command; for so long at most. */
  muted: { direction: MuteDirection; forUs: number } | null;
  addresses: string[];
  paths: { up: number; down: number; other: number };
  sent: number;
  received: number;
}

export interface StatusPeer extends PeerRef {
  incarnation: string;
  requestor: boolean;
  /** Its host is drained: when it falls silent on every LAN, that is no fault. */
  drained: boolean;
  /** It has yet to acknowledge whether this host is drained. */
  untold: boolean;
  paths: StatusPath[];
}

export interface StatusPath {
  /** The LAN's name. */
  lan: string;
  state: PathStateName;
  reason: string;
  since: string;
  ageS: number;
  /** Null: never heard on this LAN. */
  lastHeardUs: number | null;
  intervalUs: number;
  /** Packets overdue now. */
  missed: number;
  /** Good packets in a row while the path is being revalidated. */
  good: number;
  /** How many of them it takes: more than `-s` while a flap penalty is on it. */
  goodNeeded: number;
  roundTripUs: number | null;
  /** The LAN that traffic takes instead of this one now. */
  via: string | null;
  /** The LAN that it would take if this one died now. */
  standby: string | null;
  received: number;
  lost: number;
  /** Share of packets lost of late, 0 .. 1. */
  loss: number;
  failovers: number;
  /** Moved by `failover`, not by a verdict. */
  forced: boolean;
  addresses: string[];
  mac: string;
}

export interface StatusAlternate {
  peer: PeerRef;
  lan: string;
  via: string;
  reason: string;
  since: string;
}

/** What TypeScript knows of a running engine; only a reload changes it. */
export interface RunFacts {
  version: string;
  config: Config;
  identity: Identity;
  plan: NativePlan;
  engine: NativeFacts;
}

export function buildStatus(look: Look, facts: RunFacts, now: ClockReading): Status {
  const { snapshot, alive, heartbeats } = look;
  const { config, identity, plan, engine } = facts;
  const { timing: _, hostDrained, ...shownPlan } = plan; // told with each LAN, with the host
  const names = snapshot.lans.map((row) => row.name);
  const peers = buildPeers(snapshot, names, now);
  return {
    schema: 'faild.status/1',
    version: facts.version,
    takenAt: isoOf(snapshot.takenUs, now),
    ageUs: micros(now.monotonicUs - snapshot.takenUs),
    engine: { alive, heartbeats },
    host: {
      id: identity.host,
      name: config.hostName,
      incarnation: identity.incarnation,
      drained: hostDrained,
    },
    cluster: config.cluster,
    settings: {
      requestor: config.requestor,
      intervalUs: config.intervalUs,
      failAfter: config.failAfter,
      restoreAfter: config.restoreAfter,
      port: config.port,
    },
    plan: {
      ...shownPlan,
      preference: plan.preference.map((index) => nameOf(index, names)),
      drained: plan.drained.map((index) => nameOf(index, names)),
    },
    transport: engine.transport,
    transportHint: engine.transportHint || null,
    scheduling: {
      mode: engine.realtime ? 'fifo' : 'other',
      hint: engine.realtime ? null : engine.realtimeHint,
    },
    memory: {
      bytes: engine.memoryBytes,
      locked: engine.memoryLocked,
      hint: engine.memoryLocked ? null : engine.lockHint,
    },
    lans: snapshot.lans.map((row) => buildLan(row, plan, snapshot.takenUs, now)),
    peers,
    alternates: peers.flatMap(alternatesOf),
    counters: snapshot.counters,
    drops: snapshot.drops,
    decodeErrors: snapshot.decodeErrors,
    frameErrors: snapshot.frameErrors ?? {},
    lastRefusal: snapshot.lastRefusal || null,
  };
}

/** Is there a path that does not work? What `faild status` exits with. */
export function anyPathDown(status: Status): boolean {
  return status.peers.some((peer) => peer.paths.some((path) => path.state === 'down'));
}

function buildLan(
  row: NativeLanRow,
  { drained }: NativePlan,
  takenUs: number,
  now: ClockReading,
): StatusLan {
  return {
    index: row.index,
    name: row.name,
    interface: row.interface,
    state: row.state,
    since: isoOf(row.sinceUs, now),
    ageS: seconds(takenUs - row.sinceUs),
    carrier: row.carrier,
    moved: row.moved,
    drained: drained.includes(row.index),
    muted: mutingOf(row, takenUs),
    addresses: row.addresses,
    intervalUs: row.intervalUs,
    paceUs: row.paceUs,
    failAfter: row.failAfter,
    restoreAfter: row.restoreAfter,
    paths: { up: row.pathsUp, down: row.pathsDown, other: row.pathsOther },
    sent: row.sent,
    received: row.received,
  };
}

function mutingOf({ muted, mutedUntilUs }: NativeLanRow, takenUs: number): StatusLan['muted'] {
  if (mutedUntilUs === null) return null;
  return { direction: muteDirectionOf(muted), forUs: micros(Math.max(0, mutedUntilUs - takenUs)) };
}

/** Sorted by name, so that two looks at the table differ only where the cluster does. */
function buildPeers(snapshot: NativeSnapshot, names: string[], now: ClockReading): StatusPeer[] {
  const rows = new Map<string, NativePathRow[]>();
  for (const path of snapshot.paths) {
    const known = rows.get(path.host);
    if (known === undefined) rows.set(path.host, [path]);
    else known.push(path);
  }
  // One that is no longer allowed keeps its row until another host needs it, but has no path.
  return snapshot.peers
    .flatMap((peer) => {
      const paths = rows.get(peer.host);
      return paths === undefined ? [] : buildPeer(peer, paths, snapshot.takenUs, names, now);
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

function buildPeer(
  peer: NativePeerRow,
  paths: NativePathRow[],
  takenUs: number,
  names: string[],
  now: ClockReading,
): StatusPeer {
  return {
    id: peer.host,
    name: peer.name || peer.host,
    incarnation: peer.incarnation,
    requestor: peer.requestor,
    drained: peer.drained,
    untold: peer.untold,
    paths: [...paths]
      .sort((a, b) => a.lan - b.lan)
      .map((path) => buildPath(path, takenUs, names, now)),
  };
}

function buildPath(
  row: NativePathRow,
  takenUs: number,
  names: string[],
  now: ClockReading,
): StatusPath {
  return {
    lan: nameOf(row.lan, names),
    state: row.state,
    reason: row.reason,
    since: isoOf(row.sinceUs, now),
    ageS: seconds(takenUs - row.sinceUs),
    lastHeardUs: row.silenceUs === null ? null : micros(row.silenceUs),
    intervalUs: row.intervalUs,
    missed: row.missed,
    good: row.good,
    goodNeeded: row.goodNeeded,
    roundTripUs: row.roundTripUs === null ? null : micros(row.roundTripUs),
    via: row.alternate === null ? null : nameOf(row.alternate, names),
    standby: row.standby === null ? null : nameOf(row.standby, names),
    received: row.received,
    lost: row.lost,
    loss: Math.round(row.loss * 1e4) / 1e4,
    failovers: row.failovers,
    forced: row.forced,
    addresses: row.addresses,
    mac: row.mac,
  };
}

function alternatesOf({ id, name, paths }: StatusPeer): StatusAlternate[] {
  return paths.flatMap(({ lan, via, reason, since }) =>
    via === null ? [] : [{ peer: { id, name }, lan, via, reason, since }],
  );
}

function nameOf(index: number, names: string[]): string {
  return names[index] ?? String(index);
}

/** A tenth of a microsecond is finer than any clock here. */
function micros(us: number): number {
  return Math.round(us * 10) / 10;
}

function seconds(us: number): number {
  return Math.round(us / 1e3) / 1e3;
}
