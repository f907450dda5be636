// The bench's lab: the test lab's hosts and switches (test/lab/topology.ts), with the agent's
// cutter on every switch port, a route watch on each measured host, and a stream each way
// between hosts 1 and 2.
//
//     host1 == stream h1 -> h2, on LAN A's addresses ==> host2
//           <== stream h2 -> h1 ======================
//
// Nothing here runs while a trial does, except what is measured.
import { setTimeout as sleep } from 'node:timers/promises';
import { script } from '../test/lab/shell.js';
import { type LanLetter, portOf, Topology } from '../test/lab/topology.js';
import { Agent, type AgentReport, kDrop, type Trial } from './agent.js';

/** What an application with a packet every 100 us would see. */
export const kStreamPeriodUs = 100;
/** Three times finer than the stalls that are looked for. */
export const kStallPeriodUs = 150;

const kPrefix = 'bench';
const kSwitches = `${kPrefix}-switches`;
const kStreamPort = 5001;

// A switch runs no firewall. Where the kernel would lead bridged frames through iptables' hooks,
// their cost (a fifth of a daemon's CPU at 1 ms, measured) would be counted as the sender's.
export const kPlainSwitch = [
  'for hook in /proc/sys/net/bridge/bridge-nf-call-*; do ! test -e $hook || echo 0 > $hook; done',
];

export interface CutTarget {
  lan: LanLetter;
  /** One host's link; without it the whole LAN. */
  host?: number;
  direction?: keyof typeof kDrop;
}

export class BenchLab {
  private constructor(
    readonly topology: Topology,
    readonly agent: Agent,
  ) {}

  static async create(hosts = 2): Promise<BenchLab> {
    const topology = await Topology.create({ hosts, lans: 2 }, kPrefix);
    await script(kSwitches, kPlainSwitch);
    const agent = await Agent.start();
    for (const [number, lan] of topology.lans.entries()) {
      for (const host of topology.hosts) {
        await agent.addPort(kSwitches, portOf(lan, host.number), number);
      }
    }
    return new BenchLab(topology, agent);
  }

  /** Watches where hosts 1 and 2 send for each other's address on LAN A; adds the streams. */
  async watchPair(): Promise<void> {
    for (const [own, other] of [[1, 2] as const, [2, 1] as const]) {
      const here = this.topology.host(own);
      const there = this.topology.host(other);
      await this.agent.addWatch(here.name, here.netns, there.address('a'));
      await this.agent.addStream(
        `${here.name}-${there.name}`,
        { netns: here.netns, address: here.address('a') },
        { netns: there.netns, address: there.address('a') },
        kStreamPort,
      );
    }
  }

  cut(
    target: CutTarget,
    times: { waitUs: number; holdUs: number; settleUs: number },
  ): Promise<Trial> {
    const { lan, host, direction = 'both' } = target;
    const number = this.topology.lans.indexOf(lan);
    const cell = host === undefined ? `lan:${number}` : portOf(lan, host);
    return this.agent.trial({ netns: kSwitches, cell, drop: kDrop[direction], ...times });
  }

  /** Lets everything calm down, throws away what was recorded meanwhile. */
  async calm(ms = 500): Promise<AgentReport> {
    await sleep(ms);
    return this.agent.report();
  }

  async destroy(): Promise<void> {
    await this.agent.stop();
    await this.topology.destroy();
  }
}
