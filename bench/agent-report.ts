// What the native agent has seen, read from its JSON: nanoseconds become microseconds, rows of
// numbers get names. Used by agent.ts.
import { mapValues, type Summary } from './statistics.js';

export type Span = [fromUs: number, toUs: number];

export interface Trial {
  cutUs: Span;
  healUs: Span;
  endUs: number;
}
export interface Move {
  atUs: number;
  interface: number;
}
export interface Watched {
  notices: number;
  overruns: number;
  /** Where the watched address goes: the interface in force at the start, then each change. */
  moves: Move[];
  /** When the kernel told the host that an interface has a carrier, or has none. */
  carriers: { atUs: number; interface: number; present: boolean }[];
}
export interface Loss {
  first: number;
  count: number;
  sentBeforeUs: number;
  sentAfterUs: number;
}
export interface Streamed {
  received: number;
  gaps: Span[];
  losses: Loss[];
  late: { sequence: number; atUs: number }[];
  paths: Move[];
  journeyUs: Summary | null;
}
/** One TCP flow: for an answer, or for the next bytes. */
export interface Waited {
  /** The longer ones, each. */
  waits: Span[];
  /** The one that is not over. */
  sinceUs: number | null;
  durationsUs: Summary | null;
}
export interface Stall {
  core: number;
  sinceUs: number;
  lateUs: number;
}
export interface AgentReport {
  atUs: number;
  watches: Record<string, Watched>;
  streams: Record<string, Streamed>;
  tcp: Record<string, Waited>;
  pacingUs: Summary | null;
  refused: number;
  stalls: Stall[];
  /** Lateness of the stall watchers' own wake-ups, a core each. */
  latenessUs: (Summary | null)[];
}
/** A frame on a switch's port. */
export interface Frame {
  atUs: number;
  /** The number of the port, in the order in which they were added. */
  port: number;
  toHost: boolean;
  kind: 'stream' | 'inquiry' | 'acknowledgment' | 'goodbye';
  /** The same frame on another port has the same. */
  identity: number;
}

// As the agent writes them.
type Row = number[];
interface RawStream {
  received: number;
  gaps: Row[];
  losses: Row[];
  late: Row[];
  paths: Row[];
  journey: Summary;
}
interface RawWatch {
  notices: number;
  overruns: number;
  moves: Row[];
  carriers: Row[];
}
export interface RawReport {
  at: number;
  watches: Record<string, RawWatch>;
  streams: { pacing: Summary; refused: number } & Record<string, RawStream>;
  tcp: Record<string, { waits: Row[]; since: number; durations: Summary }>;
  stalls?: { cores: Summary[]; stalls: Row[] };
}
export interface RawTrial {
  cut: Row;
  heal: Row;
  end: number;
}

const us = (ns = 0): number => ns / 1000;
export const span = ([from, to]: Row): Span => [us(from), us(to)];
const instant = ([at, value]: Row): Move => ({ atUs: us(at), interface: value ?? 0 });

export const readTrial = (raw: RawTrial): Trial => ({
  cutUs: span(raw.cut),
  healUs: span(raw.heal),
  endUs: us(raw.end),
});

export function readReport(raw: RawReport): AgentReport {
  const { pacing, refused, ...streams } = raw.streams;
  return {
    atUs: us(raw.at),
    watches: mapValues(raw.watches, readWatch),
    streams: mapValues(streams as Record<string, RawStream>, readStream),
    tcp: mapValues(raw.tcp, ({ waits, since, durations }) => ({
      waits: waits.map(span),
      sinceUs: since === 0 ? null : us(since),
      durationsUs: readSummary(durations),
    })),
    pacingUs: readSummary(pacing),
    refused,
    stalls: (raw.stalls?.stalls ?? []).map(([core = 0, since, late]) => ({
      core,
      sinceUs: us(since),
      lateUs: us(late),
    })),
    latenessUs: (raw.stalls?.cores ?? []).map(readSummary),
  };
}

function readWatch({ moves, carriers, ...rest }: RawWatch): Watched {
  return {
    ...rest,
    moves: moves.map(instant),
    carriers: carriers.map((row) => ({ ...instant(row), present: row[2] === 1 })),
  };
}

function readStream(raw: RawStream): Streamed {
  return {
    received: raw.received,
    gaps: raw.gaps.map(span),
    losses: raw.losses.map(([first = 0, count = 0, before, after]) => ({
      first,
      count,
      sentBeforeUs: us(before),
      sentAfterUs: us(after),
    })),
    late: raw.late.map(([sequence = 0, at]) => ({ sequence, atUs: us(at) })),
    paths: raw.paths.map(instant),
    journeyUs: readSummary(raw.journey),
  };
}

const kKinds = ['stream', 'inquiry', 'acknowledgment', 'goodbye'] as const;

export const readFrame = ([at, port = 0, toHost, kind = 0, identity = 0]: Row): Frame => ({
  atUs: us(at),
  port,
  toHost: toHost === 1,
  kind: kKinds[kind] ?? 'stream',
  identity,
});

function readSummary(raw: Summary): Summary | null {
  if (raw.count === 0) return null;
  const { count, ...values } = raw;
  return { count, ...mapValues(values, us) } as Summary;
}
