// The generator of peers (native/crowd.h) as an object. All instants are microseconds on
// CLOCK_MONOTONIC here.

import { nativeProgram } from './agent.js';
import { Child } from './child.js';

/** How hosts of the crowd may behave; native/crowd.h says what each word means. */
export type Manner =
  | 'honest'
  | 'silent'
  | 'deaf'
  | 'aloof'
  | 'restarting'
  | 'usurper'
  | 'stray'
  | 'replayer'
  | 'babbler';

/** One LAN since the last report. */
export interface CrowdLan {
  /** Packets that the daemon could hear, and that it sent. */
  sent: number;
  heard: number;
  /** Of `sent`: asking the daemon for an ACK, and its answers. */
  solicits: number;
  answers: number;
  /** Hosts that the daemon has ACKed since its start, and when it did the last one. */
  met: number;
  metAtUs: number;
  /** The most in any one second. */
  sentPeak: number;
  heardPeak: number;
}
export interface CrowdReport {
  atUs: number;
  begunUs: number;
  refused: number;
  lans: CrowdLan[];
}
type RawLan = Omit<CrowdLan, 'metAtUs'> & { metAt: number };

export class Crowd {
  private constructor(private readonly child: Child) {}

  /** `lans`: `INTERFACE=SUBNET`, in the daemon's order of LANs. Host i has the address 256 + i. */
  static async start(
    netns: string,
    count: number,
    intervalUs: number,
    lans: string[],
  ): Promise<Crowd> {
    const program = nativeProgram('faild-bench-crowd');
    const argv = [program, netns, String(count), String(intervalUs), ...lans];
    return new Crowd((await Child.start('bench crowd', argv)).child);
  }

  /** All hosts start; before, nobody speaks. */
  begin(): Promise<unknown> {
    return this.child.ask('begin');
  }
  /** From now on so many hosts behave so on a LAN; since when that is. */
  async play(lan: number, first: number, count: number, manner: Manner): Promise<number> {
    const { at } = await this.child.ask<{ at: number }>('play', lan, first, count, manner);
    return at / 1000;
  }
  async report(): Promise<CrowdReport> {
    const raw = await this.child.ask<{
      at: number;
      begun: number;
      refused: number;
      lans: RawLan[];
    }>('report');
    return {
      atUs: raw.at / 1000,
      begunUs: raw.begun / 1000,
      refused: raw.refused,
      lans: raw.lans.map(({ metAt, ...lan }) => ({ ...lan, metAtUs: metAt / 1000 })),
    };
  }
  stop(): Promise<void> {
    return this.child.stop();
  }
}
