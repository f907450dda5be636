// The plain data that crosses the addon's edge, as native/addon/convert*.cc reads and writes it.
//
// Instants are microseconds on CLOCK_MONOTONIC (or on a virtual clock), durations microseconds,
// both as numbers with a fraction; host ids are 16 hex digits; addresses are text. LANs are
// numbered as in the configuration.
import type { NativeHistograms } from './histograms.js';

export type TransportName = 'auto' | 'raw' | 'udp';
export type DestinationName = 'broadcast' | 'multicast' | 'unicast';
export type PathStateName = 'unknown' | 'up' | 'down' | 'stopped';
export type SourceName = 'own' | 'alternate';
export type SwitchbackName = 'auto' | 'sticky' | 'manual';

/** One LAN as this host stands on it. */
export interface NativeLan {
  name: string;
  interface: string;
  ifindex: number;
  /** `aa:bb:cc:dd:ee:ff` */
  mac: string;
  /** Our addresses with prefix lengths, `10.0.1.1/24`; IPv6 link-local included. */
  addresses: string[];
  carrier: boolean;
}

/** How often a LAN is asked, and how its paths are judged. */
export interface NativeTiming {
  /** Whole microseconds, 50 to 3600 s: between our inquiries. */
  intervalUs: number;
  /** 1 to 1000: missed packets before a path is down. */
  failAfter: number;
  /** 1 to 100000: good packets in a row before it is up again. */
  restoreAfter: number;
}

/** What policy decides beforehand; the engine executes it alone. */
export interface NativePlan {
  /** LAN indexes, each once: alternates are tried in this order. */
  preference: number[];
  switchback: SwitchbackName;
  /** A revalidated path waits this long before traffic returns. */
  holdUs: number;
  /**
   * A path that goes down within this time after it came up needs twice as many good packets for
   * each such flap, at most 64 times as many; each quiet window halves them again. 0: no penalty.
   */
  flapWindowUs: number;
  /** A path that loses more than this share of its packets (0 .. 1) is left; 0: no limit. */
  grayLoss: number;
  /** A path whose smoothed round-trip time is longer is left; 0: no limit. */
  grayRoundTripUs: number;
  /**
   * TCP's least retransmission time-out on the routes to peers' addresses, in whole milliseconds
   * (a part counts as one); 0: the kernel's own.
   */
  rtoMinUs: number;
  /**
   * The source address of moved traffic that is not bound to one: ours on the LAN that it left, or
   * on the alternate.
   */
  source: SourceName;
  /**
   * Who may be a peer: subnets, addresses and host ids (16 hex digits), at most 64; none:
   * everybody.
   */
  allowed: readonly string[];
  /**
   * LAN indexes: no traffic takes these while a peer can be reached by another, and the peers are
   * told to leave them.
   */
  drained: number[];
  /** The whole host: peers are told that it may fall silent by plan. It moves nothing. */
  hostDrained: boolean;
  /**
   * By LAN. A change takes hold at once, but a longer interval is kept only when at least ten
   * inquiries at the old one have announced it.
   */
  timing: NativeTiming[];
}

export interface NativeEngineConfig {
  host: string;
  /** 16 hex digits, grows at each start. */
  incarnation: string;
  name: string;
  cluster: string;
  requestor: boolean;
  maxPeers: number;
  seed: number;
  lans: NativeLan[];
  plan: NativePlan;
}

/** What only the real engine needs: sockets and a thread. */
export interface NativeRuntimeConfig extends NativeEngineConfig {
  port: number;
  transport: TransportName;
  destination: DestinationName;
  /** IPv4. */
  multicastGroup: string;
  /** Addresses, at most 64; for `unicast`. */
  staticPeers: readonly string[];
  /** Path of a network namespace for the engine's thread; empty: stay. */
  networkNamespace: string;
  /** SCHED_FIFO priority; 0: do not ask. */
  realtimePriority: number;
  /** CPU to pin the thread to; -1: none. */
  cpu: number;
}

export interface NativeInterface extends NativeLan {
  mtu: number;
  up: boolean;
  broadcast: boolean;
  loopback: boolean;
  kind: string;
}

/**
 * `Event` of native/core/events.h; names in kebab-case ('path-down', 'lan-failover', ...), `null`
 * where not said.
 */
export interface NativeEvent {
  kind: string;
  atUs: number;
  host: string | null;
  lan: number;
  alternate: number;
  state: PathStateName;
  previous: PathStateName;
  reason: string;
  drop: string;
  missed: number;
  intervalUs: number;
  silenceUs: number;
  loss: number;
  /** 0: not measured. */
  roundTripUs: number;
  detectUs: number;
  applyUs: number;
  lateUs: number;
  count: number;
  id: number;
  error: number;
  destination: string | null;
  /**
   * Of a verdict: what was recorded of the path, or of some paths of the LAN. Empty: more verdicts
   * than the ring holds (512) came before this was called.
   */
  dumps?: NativeDump[];
}

/** One packet in the flight recorder (`Probe` of native/core/flight_recorder.h). */
export interface NativeProbe {
  /** Sent, or arrived. */
  atUs: number;
  kind: 'inq' | 'ack' | 'solicit' | 'solicit-ack' | 'bye';
  sent: boolean;
  /** Of an ACK: that of the inquiry which it answers. */
  sequence: number;
  /**
   * Of an ACK that was received: the round trip. Of all else that was received: how long it lay
   * unread. Of what we sent: how much later than it was due. Whole microseconds, 16.8 s at most.
   */
  lagUs: number;
  urgent: boolean;
  /** It says that its sender does not hear whom it is for. */
  unheard: boolean;
  /** Duplicated, reordered or replayed: no evidence. */
  refused: boolean;
}
/** One ring of it: of a path, or (host null) of what is sent to everybody on a LAN. */
export interface NativeRecording {
  host: string | null;
  lan: number;
  intervalUs: number;
  /**
   * As it was at this verdict: of a path that has not been heard since, and of a LAN one of the
   * last few. Null: as it is.
   */
  verdictUs: number | null;
  /** Oldest first. */
  probes: NativeProbe[];
}
export interface NativeDump {
  path: NativeRecording;
  lan: NativeRecording;
}
/** `null`: of everybody, on all LANs. */
export interface NativeProbeQuery {
  host: string | null;
  lan: number | null;
}
/** A probe as it passes. `host` null: it goes to everybody on the LAN. */
export interface NativeTappedProbe extends NativeProbe {
  host: string | null;
  lan: number;
  /** As that of a recording. */
  intervalUs: number;
  /** Probes of the tap that were lost directly before this one. */
  lostBefore: number;
}
export interface NativeProbes {
  takenUs: number;
  recordings: NativeRecording[];
  /** Rings for which there was no room: 1024 are read at a time. */
  leftOut: number;
}

export interface NativePathRow {
  host: string;
  lan: number;
  state: PathStateName;
  reason: string;
  sinceUs: number;
  silenceUs: number | null;
  intervalUs: number;
  missed: number;
  good: number;
  goodNeeded: number;
  roundTripUs: number | null;
  alternate: number | null;
  standby: number | null;
  received: number;
  lost: number;
  /** Share of packets lost of late, 0 .. 1. */
  loss: number;
  failovers: number;
  /** Moved by command. */
  forced: boolean;
  addresses: string[];
  mac: string;
}
export interface NativePeerRow {
  host: string;
  incarnation: string;
  name: string;
  requestor: boolean;
  /** It says that it may fall silent by plan. */
  drained: boolean;
  /** It has yet to acknowledge whether we are drained. */
  untold: boolean;
}
export interface NativeLanRow extends NativeTiming {
  /** Between our inquiries now; shorter than `intervalUs` while a longer one is announced. */
  paceUs: number;
  index: number;
  name: string;
  interface: string;
  state: 'no-peer' | 'up' | 'down';
  sinceUs: number;
  carrier: boolean;
  moved: boolean;
  /** 1: in, 2: out, 3: both; and until when at most. */
  muted: number;
  mutedUntilUs: number | null;
  pathsUp: number;
  pathsDown: number;
  pathsOther: number;
  addresses: string[];
  sent: number;
  received: number;
}
export interface NativeSnapshot {
  takenUs: number;
  peers: NativePeerRow[];
  paths: NativePathRow[];
  lans: NativeLanRow[];
  /** Flat counters in camelCase; `drops` and `decodeErrors` by name. */
  counters: Record<string, number> & { drops?: never };
  drops: Record<string, number>;
  decodeErrors: Record<string, number>;
  /** What the raw transport refused, by name. */
  frameErrors?: Record<string, number>;
  histograms: NativeHistograms;
  /**
   * The last operation that the kernel refused, and why in the kernel's words; empty: none.
   */
  lastRefusal?: string;
}

export interface NativeFacts {
  transport: 'raw' | 'udp';
  /** How to get raw, where only udp was permitted; else empty. */
  transportHint: string;
  realtime: boolean;
  realtimeError: number;
  realtimeHint: string;
  /** The engine thread's own memory. */
  memoryBytes: number;
  memoryLocked: boolean;
  lockError: number;
  lockHint: string;
}

export type NativeCommand =
  | { kind: 'set-plan'; plan: NativePlan }
  | { kind: 'switchback' | 'failover'; host: string | null; lan: number }
  | { kind: 'cleanup' }
  /** Its answer carries one round trip, and comes with it; none comes when it is lost. */
  | { kind: 'probe'; host: string; lan: number }
  /**
   * Heartbeats on the LAN are not read, not sent, for 60 s at most. Refused with EBUSY while one is
   * muted, with EHOSTUNREACH where a peer would be left without a way.
   */
  | { kind: 'mute'; lan: number; in: boolean; out: boolean; lengthUs: number }
  /** Refused with ENOENT when it is not muted. */
  | { kind: 'unmute'; lan: number }
  /** From now on these probes can be had by drainTap(); null: none. */
  | { kind: 'tap'; watch: NativeProbeQuery | null };

/**
 * The engine on its own thread. Every method is for the thread that made it. Errors carry `code`
 * and `errno`.
 */
export interface NativeEngine {
  start(): void;
  /**
   * Says goodbye, removes what carries no traffic, joins the thread. May block for some
   * milliseconds.
   */
  stop(goodbye: boolean): void;
  facts(): NativeFacts;
  /**
   * Events since the last call, oldest first; `lost` counts those that the ring could not hold,
   * over all time.
   */
  drain(): { events: NativeEvent[]; lost: number };
  /**
   * Queues a command; its answer is an event 'answer' with this id. Throws EAGAIN when the queue is
   * full.
   */
  command(command: NativeCommand): number;
  /**
   * A consistent copy of the tables. Rejects with ETIMEDOUT when the engine's thread does not
   * answer within 2 s.
   */
  snapshot(): Promise<NativeSnapshot>;
  /** What the flight recorder holds; likewise. */
  probes(query: NativeProbeQuery): Promise<NativeProbes>;
  /**
   * What the tap holds, oldest first, so many at most; the rest is passed over, and counted. Nobody
   * is woken for it: who listens looks again and again.
   */
  drainTap(room: number): NativeTappedProbe[];
  /** Grows while the engine's thread makes progress. */
  heartbeatCount(): number;
}
