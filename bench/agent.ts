// The native agent (native/agent.cc) as an object: cuts, watches, traffic, one command at a time.
// All instants are microseconds on CLOCK_MONOTONIC here.
import { join } from 'node:path';
import {
  type AgentReport,
  type Frame,
  type RawReport,
  type RawTrial,
  readFrame,
  readReport,
  readTrial,
  type Span,
  span,
  type Trial,
} from './agent-report.js';
import { Child } from './child.js';

export type * from './agent-report.js';

/** Where bench/bench.mjs built the native programs. */
export function nativeProgram(name: string): string {
  const directory = process.env.FAILD_BENCH_BUILD;
  if (directory === undefined)
    throw new Error('FAILD_BENCH_BUILD is not set: start the bench by `npm run bench`');
  return join(directory, name);
}

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
  /** This port loses its carrier, too. */
  carrierOf?: string;
}

/** One end of a flow: an address, and the namespace that has it. */
export interface FlowEnd {
  netns: string;
  address: string;
}

const words = ({ netns, address }: FlowEnd) => [netns, address] as const;

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
  addStream(name: string, from: FlowEnd, to: FlowEnd, port: number): Promise<unknown> {
    return this.child.ask('stream', name, ...words(from), ...words(to), port);
  }
  addDialogue(name: string, client: FlowEnd, server: FlowEnd, port: number, periodUs: number) {
    return this.child.ask(
      'dialogue',
      name,
      ...words(client),
      ...words(server),
      port,
      periodUs * 1000,
    );
  }
  addBulk(name: string, from: FlowEnd, to: FlowEnd, port: number, bytesPerSecond: number) {
    return this.child.ask('bulk', name, ...words(from), ...words(to), port, bytesPerSecond);
  }
  /** All TCP flows rest, or flow. */
  letTcpFlow(active: boolean): Promise<unknown> {
    return this.child.ask('tcp', active ? 1 : 0);
  }
  /** Every frame on a switch's port from now on. */
  sniff(netns: string, port: string): Promise<unknown> {
    return this.child.ask('sniff', netns, port);
  }
  /** A packet of each stream every `periodUs`; 0 rests. */
  pace(periodUs: number): Promise<unknown> {
    return this.child.ask('pace', periodUs * 1000);
  }
  watchStalls(periodUs: number): Promise<unknown> {
    return this.child.ask('stalls', periodUs * 1000);
  }

  async trial(order: TrialOrder): Promise<Trial> {
    const { netns, cell, drop, waitUs, holdUs, settleUs, carrierOf } = order;
    const times = [waitUs, holdUs, settleUs].map(Math.round);
    const carrier = carrierOf === undefined ? [] : [carrierOf];
    return readTrial(
      await this.child.ask<RawTrial>('trial', netns, cell, drop, ...times, ...carrier),
    );
  }

  /** Changes a route itself: when each change was asked for and when it was acknowledged. */
  async probe(netns: string, address: string, port: string, count: number): Promise<Span[]> {
    const raw = await this.child.ask<{ changes: number[][] }>('probe', netns, address, port, count);
    return raw.changes.map(span);
  }

  /** The frames that were sniffed since the last time. */
  async frames(): Promise<Frame[]> {
    const { frames } = await this.child.ask<{ frames: number[][] }>('frames');
    return frames.map(readFrame).sort((a, b) => a.atUs - b.atUs);
  }

  /** How many moves the next report will tell of: cheap enough to be asked amid a measurement. */
  async moves(): Promise<number> {
    return (await this.child.ask<{ moves: number }>('moved')).moves;
  }

  /** Everything else that was seen since the last report. */
  async report(): Promise<AgentReport> {
    return readReport(await this.child.ask<RawReport>('report'));
  }
}
