// The generator of peers (native/crowd.h) as an object.

import { nativeProgram } from './agent.js';
import { Child } from './child.js';

export interface CrowdReport {
  sent: number;
  refused: number;
  received: number;
  answered: number;
}

export class Crowd {
  private constructor(private readonly child: Child) {}

  /** `lans`: `INTERFACE=SUBNET`, in the daemon's order of LANs. Peer i has the address 256 + i. */
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

  /** The first `count` peers fall silent on a LAN. */
  silence(lan: number, count: number): Promise<unknown> {
    return this.child.ask('silence', lan, count);
  }
  report(): Promise<CrowdReport> {
    return this.child.ask<CrowdReport>('report');
  }
  stop(): Promise<void> {
    return this.child.stop();
  }
}
