// What the engine's flight recorder holds (native/core/flight_recorder.h), told so that it can be
// read: each probe with the gap to the one before it, what is missing between them, and how late it
// was. Pure. Used by events.ts for verdicts, by explain.ts, and by probes-live.ts for `faild probes`.
import { type ClockReading, isoMicrosOf } from '../base/clock.js';
import type { NativeDump, NativeProbe, NativeProbes, NativeRecording } from './native.js';

/** One packet, sent by this host or received by it. What is not said does not apply. */
export interface ProbeFacts {
  direction: 'sent' | 'received';
  /** `solicit` is an inquiry to one peer, `solicit-ack` the answer to it. */
  kind: NativeProbe['kind'];
  /** Of an ACK: that of the inquiry which it answers. */
  sequence: number;
  /** Received, of those that come regularly: since the one before. */
  gapUs?: number;
  /** Packets that are missing between the two, by their sequence. */
  lost?: number;
  /** Later than it was due: by our own timetable, or by the peer's interval; negative: early. */
  lateUs?: number;
  /** Of an ACK, without the time that the peer took to answer. */
  roundTripUs?: number;
  /** From its arrival until faild read it. */
  unreadUs?: number;
  /** Sent out of turn. */
  urgent?: true;
  /** It says that its sender does not hear whom it is for. */
  unheard?: true;
  /** Duplicated, reordered or replayed: no evidence. */
  refused?: true;
}

/** `atUs`: relative to the verdict, or to when the recorder was read; negative: before it. */
export interface RecordedProbe extends ProbeFacts {
  atUs: number;
}

/** `monotonicUs`: CLOCK_MONOTONIC. */
export interface TimedProbe extends ProbeFacts {
  monotonicUs: number;
}

/** `at`: ISO 8601, UTC, to the microsecond; `peer` null: sent to everybody. */
export interface SeenProbe extends TimedProbe {
  at: string;
  lan: string;
  peer: { id: string; name: string } | null;
}

/** Where it passed, as the engine says it. */
export interface PassedProbe extends TimedProbe {
  host: string | null;
  lan: number;
}

/** Who is called what. */
export interface ProbeNames {
  peer(id: string): { id: string; name: string };
  lan(index: number): string;
}

/** A greater step in the sequence is a restart and no loss. */
const largestLoss = 1000;

/** A ring, oldest first. */
export function annotate({ probes, intervalUs }: NativeRecording): TimedProbe[] {
  let last: NativeProbe | undefined;
  return probes.map((probe) => {
    const facts = factsOf(probe, last, intervalUs);
    if (isRegular(probe)) last = probe;
    return { monotonicUs: probe.atUs, ...facts };
  });
}

/** Those that prove the path, and that are due at an interval. */
export function isRegular({ sent, refused, kind }: NativeProbe): boolean {
  return !sent && !refused && (kind === 'inq' || kind === 'ack');
}

/** What was recorded before a verdict, newest last: sixteen at most. */
export function beforeVerdict({ path, lan }: NativeDump, verdictUs: number): RecordedProbe[] {
  return relativeTo(verdictUs, [...annotate(path), ...annotate(lan)]);
}

/** Probes of one path, and when they were kept: null: they are the last ones, of now. */
export interface PathProbes {
  probes: RecordedProbe[];
  verdictAtUs: number | null;
}

/**
 * Of one path: its own probes, and what was sent to all on its LAN. Where a verdict has kept the
 * former, the latter are as they were then, if that is still known.
 */
export function ofPath(taken: NativeProbes, host: string, lan: number): PathProbes {
  const onLan = taken.recordings.filter((ring) => ring.lan === lan);
  const path = onLan.find((ring) => ring.host === host);
  const verdictUs = path?.verdictUs ?? null;
  const sent = onLan
    .filter((ring) => ring.host === null && isOfVerdict(ring.verdictUs, verdictUs))
    .reduce<NativeRecording | undefined>((latest, ring) => {
      return (ring.verdictUs ?? 0) > (latest?.verdictUs ?? -1) ? ring : latest;
    }, undefined);
  const rings = [path, sent].filter((ring) => ring !== undefined);
  return {
    probes: relativeTo(taken.takenUs, rings.flatMap(annotate)),
    verdictAtUs: verdictUs === null ? null : Math.round(verdictUs - taken.takenUs),
  };
}

/** A copy of a LAN's ring is of the verdicts from its own on, until the next copy. */
function isOfVerdict(copiedUs: number | null, verdictUs: number | null): boolean {
  if (copiedUs === null || verdictUs === null) return copiedUs === verdictUs;
  return copiedUs <= verdictUs;
}

/** All of them, by the time; of what is sent to all only that of now. */
export function seenIn(taken: NativeProbes, names: ProbeNames, now: ClockReading): SeenProbe[] {
  return taken.recordings
    .filter(({ host, verdictUs }) => host !== null || verdictUs === null)
    .flatMap((ring) => {
      const { host, lan } = ring;
      return annotate(ring).map((probe) => see({ host, lan, ...probe }, names, now));
    })
    .sort((a, b) => a.monotonicUs - b.monotonicUs);
}

export function see(
  { host, lan, monotonicUs, ...facts }: PassedProbe,
  names: ProbeNames,
  now: ClockReading,
): SeenProbe {
  return {
    at: isoMicrosOf(monotonicUs, now),
    monotonicUs,
    lan: names.lan(lan),
    peer: host === null ? null : names.peer(host),
    ...facts,
  };
}

function relativeTo(originUs: number, probes: readonly TimedProbe[]): RecordedProbe[] {
  return probes
    .map(({ monotonicUs, ...facts }) => ({
      atUs: Math.round(monotonicUs - originUs),
      ...facts,
    }))
    .sort((a, b) => a.atUs - b.atUs);
}

/** `last`: the regular probe before it, where that is known. */
export function factsOf(
  probe: NativeProbe,
  last: NativeProbe | undefined,
  intervalUs: number,
): ProbeFacts {
  const { sent, kind, sequence, lagUs, urgent, unheard, refused } = probe;
  return {
    direction: sent ? 'sent' : 'received',
    kind,
    sequence,
    ...(isRegular(probe) && last !== undefined && gapAfter(last, probe, intervalUs)),
    ...lagOf(probe, lagUs),
    ...(urgent && { urgent }),
    ...(unheard && { unheard }),
    ...(refused && { refused }),
  };
}

function lagOf({ sent, refused, kind }: NativeProbe, us: number): Partial<ProbeFacts> {
  if (sent) return { lateUs: us };
  const answers = kind === 'ack' || kind === 'solicit-ack';
  return answers && !refused ? { roundTripUs: us } : { unreadUs: us };
}

function gapAfter(last: NativeProbe, probe: NativeProbe, intervalUs: number): Partial<ProbeFacts> {
  const gapUs = Math.round(probe.atUs - last.atUs);
  const steps = last.kind === probe.kind ? (probe.sequence - last.sequence) >>> 0 : 1;
  const lost = steps >= 1 && steps <= largestLoss ? steps - 1 : 0;
  return {
    gapUs,
    ...(lost > 0 && { lost }),
    lateUs: Math.round(gapUs - (lost + 1) * intervalUs),
  };
}
