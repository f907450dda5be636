// The native agent (native/agent.cc) as an object: cuts, watches, streams, one command at a
// time. All instants are microseconds on CLOCK_MONOTONIC here.
import { join } from 'node:path';
import { Child } from './child.js';
import type { Summary } from './statistics.js';

/** Where bench/bench.mjs built the native programs. */
export function nativeProgram(name: string): string {
  const directory = process.env.FAILD_BENCH_BUILD;
  if (directory === undefined)
    throw new Error('FAILD_BENCH_BUILD is not set: start the bench by `npm run bench`');
  return join(directory, name);
}

export type Span = [fromUs: number, toUs: number];

/** Which frames a cut drops, as the host sees it. */
export const kDrop = { outgoing: 1, incoming: 2, both: 3 } as const;

export interface TrialOrder {
  netns: string;
  /** A switch port's name, or `lan:NUMBER`. */
  cell: string;
  drop: number;
  waitUs: number;
  holdUs: number;
  settleUs: number;
}
export interface Trial {
  cutUs: Span;
  healUs: Span;
  endUs: number;
}
export interface Watched {
  notices: number;
  overruns: number;
  /** Where the watched address goes: the interface in force at the start, then each change. */
  moves: { atUs: number; interface: number }[];
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
  paths: { atUs: number; interface: number }[];
  journeyUs: Summary | null;
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
  pacingUs: Summary | null;
  refused: number;
  stalls: Stall[];
  /** Lateness of the stall watchers' own wake-ups, a core each. */
  latenessUs: (Summary | null)[];
}

// As the agent writes them: nanoseconds, rows of numbers.
type Row = number[];
interface RawStream {
  received: number;
  gaps: Row[];
  losses: Row[];
  late: Row[];
  paths: Row[];
  journey: Summary;
}
interface RawReport {
  at: number;
  watches: Record<string, { notices: number; overruns: number; moves: Row[] }>;
  streams: { pacing: Summary; refused: number } & Record<string, RawStream>;
  stalls?: { cores: Summary[]; stalls: Row[] };
}

const us = (ns = 0): number => ns / 1000;
const span = ([from, to]: Row): Span => [us(from), us(to)];
const instant = ([at, value]: Row) => ({ atUs: us(at), interface: value ?? 0 });

export class Agent {
  private constructor(
    private readonly child: Child,
    readonly realtime: boolean,
  ) {}

  static async start(): Promise<Agent> {
    const program = nativeProgram('faild-bench-agent');
    const { child, hello } = await Child.start<{ realtime: number }>('bench agent', [program]);
    return new Agent(child, hello.realtime === 1);
  }

  stop(): Promise<void> {
    return this.child.stop();
  }

  addPort(netns: string, port: string, lan: number): Promise<unknown> {
    return this.child.ask('port', netns, port, lan);
  }
  addWatch(name: string, netns: string, address: string): Promise<unknown> {
    return this.child.ask('watch', name, netns, address);
  }
  addStream(
    name: string,
    from: { netns: string; address: string },
    to: { netns: string; address: string },
    port: number,
  ): Promise<unknown> {
    return this.child.ask('stream', name, from.netns, from.address, to.netns, to.address, port);
  }
  /** A packet of each stream every `periodUs`; 0 rests. */
  pace(periodUs: number): Promise<unknown> {
    return this.child.ask('pace', periodUs * 1000);
  }
  watchStalls(periodUs: number): Promise<unknown> {
    return this.child.ask('stalls', periodUs * 1000);
  }

  async trial(order: TrialOrder): Promise<Trial> {
    const { netns, cell, drop, waitUs, holdUs, settleUs } = order;
    const times = [waitUs, holdUs, settleUs].map(Math.round);
    const raw = await this.child.ask<{ cut: Row; heal: Row; end: number }>(
      'trial',
      netns,
      cell,
      drop,
      ...times,
    );
    return { cutUs: span(raw.cut), healUs: span(raw.heal), endUs: us(raw.end) };
  }

  /** Changes a route itself: when each change was asked for and when it was acknowledged. */
  async probe(netns: string, address: string, port: string, count: number): Promise<Span[]> {
    const raw = await this.child.ask<{ changes: Row[] }>('probe', netns, address, port, count);
    return raw.changes.map(span);
  }

  /** Everything that was seen since the last report. */
  async report(): Promise<AgentReport> {
    const raw = await this.child.ask<RawReport>('report');
    const { pacing, refused, ...streams } = raw.streams;
    return {
      atUs: us(raw.at),
      watches: mapValues(raw.watches, ({ moves, ...rest }) => ({
        ...rest,
        moves: moves.map(instant),
      })),
      streams: mapValues(streams as Record<string, RawStream>, readStream),
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

function readSummary(raw: Summary): Summary | null {
  if (raw.count === 0) return null;
  const { count, ...values } = raw;
  return { count, ...mapValues(values, us) } as Summary;
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
