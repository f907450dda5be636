// What `faild bench` says, as one versioned JSON document. Pure: made of what bench.ts has
// measured; shown by bench/text.ts and bench/html.ts.
//
// `schema` changes its number only when a field goes or changes its meaning.

import { type Summary, summarize } from '../base/summary.js';
import type { Status, StatusLan, StatusPath } from '../cluster/status.js';
import type { NativeRouteTimes } from '../engine/native.js';
import { type Expectation, expect, fitTail, recommend } from './model.js';

/** At most so many false verdicts a day on one path: what a recommendation keeps. */
export const acceptedFalsePerDay = 1;

/** Round trips of one LAN, in the order in which they came. */
export interface LanSamples {
  lan: string;
  roundTripsUs: number[];
  /** Questions of ours that nobody answered. */
  unanswered: number;
  /** The peer's packets meanwhile, answers included, as the daemon counted them. */
  received: number;
  lost: number;
}

export interface Samples {
  seconds: number;
  lans: LanSamples[];
  timers: { realtime: boolean; lateUs: number[] };
  /** Null: the kernel refused, and a note says why. */
  routes: NativeRouteTimes | null;
  notes: string[];
}

export interface BenchReport {
  schema: 'faild.bench/1';
  version: string;
  takenAt: string;
  host: string;
  peer: string;
  seconds: number;
  lans: BenchLan[];
  timers: { realtime: boolean; lateUs: Summary };
  /** From asking the kernel to its acknowledgment. */
  routes: { addUs: Summary; replaceUs: Summary; removeUs: Summary } | null;
  /** bench/model.ts says what they are worth. */
  acceptedFalsePerDay: number;
  recommended: Expectation | null;
  /** For each count, the shortest interval that keeps the promise. */
  choices: Expectation[];
  notes: string[];
  /** Every single measurement, in us. */
  samples: { lans: LanSamples[]; lateUs: number[]; routes: NativeRouteTimes | null };
}

export interface BenchLan {
  lan: string;
  /** Null: nothing came back. */
  roundTripUs: Summary | null;
  unanswered: number;
  received: number;
  lost: number;
  /** Share of all packets, 0 .. 1. */
  loss: number;
  /** With the timing that the daemon here has on this LAN. */
  inForce: Expectation;
}

type DetectionTime = (intervalUs: number, failAfter: number) => number;

export function buildReport(
  samples: Samples,
  status: Status,
  peer: string,
  detectionTimeUs: DetectionTime,
): BenchReport {
  const { seconds, lans, timers, routes, notes } = samples;
  const networks = lans.map((lan) => ({ delay: fitTail(delays(lan)), loss: lossOf(lan) }));
  const conditions = { timers: fitTail(timers.lateUs), networks, detectionTimeUs };
  const { best, choices } = recommend(conditions, acceptedFalsePerDay);
  return {
    schema: 'faild.bench/1',
    version: status.version,
    takenAt: status.takenAt,
    host: status.host.name,
    peer,
    seconds,
    lans: lans.map((lan, at) => ({
      lan: lan.lan,
      roundTripUs: summarize(lan.roundTripsUs),
      unanswered: lan.unanswered,
      received: lan.received,
      lost: lan.lost,
      loss: lossOf(lan),
      inForce: expect(timingOf(status, lan.lan), {
        ...conditions,
        networks: networks.slice(at, at + 1),
      }),
    })),
    timers: { realtime: timers.realtime, lateUs: summaryOf(timers.lateUs) },
    routes: routes && {
      addUs: summaryOf(routes.addUs),
      replaceUs: summaryOf(routes.replaceUs),
      removeUs: summaryOf(routes.removeUs),
    },
    acceptedFalsePerDay,
    recommended: best,
    choices,
    notes,
    samples: { lans, lateUs: timers.lateUs, routes },
  };
}

export type LanTiming = Pick<StatusLan, 'intervalUs' | 'failAfter' | 'restoreAfter'>;

/** What the daemon here has in force on a LAN, which may have a timing of its own. */
export function timingOf({ lans, settings }: Status, lan: string): LanTiming {
  return lans.find(({ name }) => name === lan) ?? settings;
}

/** The packets of the peer that a look at the status before and one after tell of. */
export function countPackets(
  before: StatusPath,
  after: StatusPath,
): { received: number; lost: number } {
  return { received: after.received - before.received, lost: after.lost - before.lost };
}

/** What the network added, both ways together, to its quickest round trip. */
function delays({ roundTripsUs }: LanSamples): number[] {
  const least = Math.min(...roundTripsUs);
  return roundTripsUs.length === 0 ? [0] : roundTripsUs.map((us) => us - least);
}

function lossOf({ received, lost, unanswered, roundTripsUs }: LanSamples): number {
  const sent = received + lost + unanswered;
  return sent === 0 || roundTripsUs.length === 0 ? 0 : (lost + unanswered) / sent;
}

function summaryOf(values: readonly number[]): Summary {
  const summary = summarize(values);
  if (summary === null) throw new Error('nothing was measured');
  return summary;
}
