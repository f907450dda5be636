// What faild tells its users: typed events, made from the engine's records by adding names and
// dates. The shapes are plain JSON: the same objects go to `for await` loops, to the log and to
// `faild events`.
//
// An event is a hint and may be lost (`lost` says how many); `status` is the truth.
import { type ClockReading, isoOf } from '../base/clock.js';
import type { EventKind } from '../config/event-kinds.js';
import type { NativeEvent, PathStateName } from '../engine/native.js';
import { beforeVerdict, type RecordedProbe } from '../engine/probes.js';

export type { EventKind } from '../config/event-kinds.js';

export interface LanRef {
  index: number;
  /** As configured: `A`, `B`, ... */
  name: string;
  interface: string;
}

export interface PeerRef {
  /** 16 hex digits; stable over restarts. */
  id: string;
  /** As the peer calls itself; its id while that is not known. */
  name: string;
}

/** One peer on one LAN: the unit of detection. */
export interface PathRef {
  peer: PeerRef;
  lan: LanRef;
  /**
   * The address that was moved, else the peer's first one on that LAN, without the prefix length;
   * null while it is not known.
   */
  address: string | null;
}

/** What a verdict rests on. Microseconds. */
export interface Evidence {
  /** As the engine says it: `silent`, `not-heard`, `lan-silent`, `carrier`, ... */
  reason: string;
  /** Since the last packet heard. */
  lastHeardUs: number;
  /** Packets that should have come since. */
  missed: number;
  /** The peer's announced interval. */
  intervalUs: number;
  /** Share of the path's packets lost of late, 0 .. 1. */
  loss: number;
  /** Smoothed; null while it has not been measured. */
  roundTripUs: number | null;
}

export interface Timing {
  /** Last packet heard -> verdict. */
  detectUs: number;
  /** Verdict -> the kernel's acknowledgment of the route change. */
  applyUs: number;
}

type PathDetail = { path: PathRef; state: PathStateName; previous: PathStateName; reason: string };

/** Of heartbeats: what comes, what goes. */
export type MuteDirection = 'in' | 'out' | 'both';

type Muting = { lan: LanRef; direction: MuteDirection; forUs: number };

/** What the flight recorder held at a verdict, newest last; some of our own and some of the peer's. */
export interface PeerProbes {
  peer: PeerRef;
  probes: RecordedProbe[];
}

/** The shapes, by kind. */
export interface EventDetails {
  'peer-found': { peer: PeerRef };
  'peer-restarted': { peer: PeerRef };
  'peer-changed': { peer: PeerRef };
  /**
   * `none`: gone for eight hours at least, its place in a full table went to another host;
   * `operator`: the list of peers names it no more.
   */
  'peer-forgotten': { peer: PeerRef; reason: string };
  'path-up': PathDetail;
  /** `probesLost`: faild itself was too late to take them, 512 verdicts behind at least. */
  'path-down': PathDetail & Evidence & { probes?: RecordedProbe[]; probesLost?: true };
  'path-stopped': PathDetail;
  /** `paths` moved as one: our interface, or the switch. The probes of a few of them. */
  'lan-down': { lan: LanRef; paths: number } & Evidence & { probes?: PeerProbes[] };
  'lan-up': { lan: LanRef };
  failover: { path: PathRef; via: LanRef } & Evidence & Timing;
  switchback: { path: PathRef; via: LanRef | null; applyUs: number };
  'lan-failover': { lan: LanRef; via: LanRef; subnet: string | null; paths: number } & Evidence &
    Timing;
  'lan-switchback': { lan: LanRef; subnet: string | null; applyUs: number };
  /** Every LAN is silent: the fault is probably ours, so nothing is changed. */
  isolated: { paths: number };
  rejoined: object;
  /** The engine's thread ran late; deadlines were shifted and nobody was judged. */
  stalled: { lateUs: number; count: number };
  'receive-drops': { lan: LanRef; count: number };
  /** Packets refused: the first of its kind in 10 s, and how many since the last report. */
  dropped: { drop: string; lan: LanRef; peer: PeerRef | null; count: number };
  'route-failed': { errno: number; destination: string | null };
  'route-repaired': { destination: string | null; count: number };
  /** Routes of an earlier run were found in force and kept. */
  adopted: { count: number };
  'table-full': { peer: PeerRef | null };
  /**
   * Heartbeats on this LAN are not read, or not sent, by command, for so long at most; or they are
   * again, and were not for so long.
   */
  'lan-muted': Muting;
  'lan-unmuted': Muting;
  /** Its host was drained: when it falls silent on every LAN, that is no fault. Until `undrained`. */
  'peer-drained': { peer: PeerRef };
  'peer-undrained': { peer: PeerRef };
  /**
   * Events that this reader, or faild itself, was too slow to take. Where faild was, what became of
   * peers, paths and LANs meanwhile follows from the table; a slow reader asks status().
   */
  lost: { count: number };
}

/** `at`: ISO 8601, UTC; `monotonicUs`: the same instant on CLOCK_MONOTONIC, for measuring. */
export type FaildEvent<K extends EventKind = EventKind> = {
  [Kind in K]: { kind: Kind; at: string; monotonicUs: number } & EventDetails[Kind];
}[K];

/** Who knows the names: peers.ts. */
export interface NameBook {
  peer(id: string): PeerRef;
  lan(index: number): LanRef;
  address(id: string, lan: number): string | null;
}

type Detail = Record<string, unknown>;
type Translation = (event: NativeEvent, names: NameBook) => Detail;

const peerOnly: Translation = (event, names) => ({ peer: names.peer(event.host ?? '') });

const translations: { [Kind in Exclude<EventKind, 'lost'>]: Translation } = {
  'peer-found': peerOnly,
  'peer-restarted': peerOnly,
  'peer-changed': peerOnly,
  'peer-forgotten': (event, names) => ({ ...peerOnly(event, names), reason: event.reason }),
  'path-up': pathChange,
  'path-down': (event, names) => ({
    ...pathChange(event, names),
    ...evidence(event),
    ...probesOfPath(event),
  }),
  'path-stopped': pathChange,
  'lan-down': (event, names) => ({
    lan: names.lan(event.lan),
    paths: event.count,
    ...evidence(event),
    ...probesOfLan(event, names),
  }),
  'lan-up': (event, names) => ({ lan: names.lan(event.lan) }),
  failover: (event, names) => ({
    path: pathOf(event, names),
    via: names.lan(event.alternate),
    ...evidence(event),
    ...timing(event),
  }),
  switchback: (event, names) => ({
    path: pathOf(event, names),
    via: event.alternate === event.lan ? null : names.lan(event.alternate),
    applyUs: event.applyUs,
  }),
  'lan-failover': (event, names) => ({
    lan: names.lan(event.lan),
    via: names.lan(event.alternate),
    subnet: event.destination,
    paths: event.count,
    ...evidence(event),
    ...timing(event),
  }),
  'lan-switchback': (event, names) => ({
    lan: names.lan(event.lan),
    subnet: event.destination,
    applyUs: event.applyUs,
  }),
  isolated: (event) => ({ paths: event.count }),
  rejoined: () => ({}),
  stalled: (event) => ({ lateUs: event.lateUs, count: event.count }),
  'receive-drops': (event, names) => ({ lan: names.lan(event.lan), count: event.count }),
  dropped: (event, names) => ({
    drop: event.drop,
    lan: names.lan(event.lan),
    peer: peerOrNull(event, names),
    count: event.count,
  }),
  'route-failed': (event) => ({ errno: event.error, destination: event.destination }),
  'route-repaired': ({ destination, count }) => ({ destination, count: Math.max(count, 1) }),
  adopted: (event) => ({ count: event.count }),
  'table-full': (event, names) => ({ peer: peerOrNull(event, names) }),
  'lan-muted': muting,
  'lan-unmuted': muting,
  'peer-drained': peerOnly,
  'peer-undrained': peerOnly,
};

/** Undefined for records that are not for users (answers to commands). */
export function translate(
  event: NativeEvent,
  names: NameBook,
  now: ClockReading,
): FaildEvent | undefined {
  const translation = (translations as Record<string, Translation | undefined>)[event.kind];
  if (translation === undefined) return undefined;
  const head = { kind: event.kind, at: isoOf(event.atUs, now), monotonicUs: event.atUs };
  return { ...head, ...translation(event, names) } as FaildEvent;
}

/** The event that stands for those that are missing. */
export function lostEvent(count: number, now: ClockReading): FaildEvent<'lost'> {
  return { kind: 'lost', at: isoOf(now.monotonicUs, now), monotonicUs: now.monotonicUs, count };
}

function pathOf(event: NativeEvent, names: NameBook): PathRef {
  const host = event.host ?? '';
  return {
    peer: names.peer(host),
    lan: names.lan(event.lan),
    address: event.destination?.split('/')[0] ?? names.address(host, event.lan),
  };
}

function pathChange(event: NativeEvent, names: NameBook): PathDetail {
  const { state, previous, reason } = event;
  return { path: pathOf(event, names), state, previous, reason };
}

/** kMutedIn, kMutedOut and both (native/core/events.h). */
export function muteDirectionOf(bits: number): MuteDirection {
  return bits === 1 ? 'in' : bits === 2 ? 'out' : 'both';
}

function muting({ lan, count, silenceUs }: NativeEvent, names: NameBook): Muting {
  return { lan: names.lan(lan), direction: muteDirectionOf(count), forUs: silenceUs };
}

function evidence(event: NativeEvent): Evidence {
  const { reason, silenceUs, missed, intervalUs, loss, roundTripUs } = event;
  return {
    reason,
    lastHeardUs: silenceUs,
    missed,
    intervalUs,
    loss: Math.round(loss * 1e4) / 1e4,
    roundTripUs: roundTripUs > 0 ? roundTripUs : null,
  };
}

function probesOfPath({ dumps, atUs }: NativeEvent) {
  const [dump] = dumps ?? [];
  return dump === undefined ? { probesLost: true } : { probes: beforeVerdict(dump, atUs) };
}

function probesOfLan({ dumps = [], atUs }: NativeEvent, names: NameBook) {
  const probes = dumps.map((dump) => ({
    peer: names.peer(dump.path.host ?? ''),
    probes: beforeVerdict(dump, atUs),
  }));
  return probes.length === 0 ? {} : { probes };
}

function timing({ detectUs, applyUs }: NativeEvent): Timing {
  return { detectUs, applyUs };
}

function peerOrNull(event: NativeEvent, names: NameBook): PeerRef | null {
  return event.host === null ? null : names.peer(event.host);
}
