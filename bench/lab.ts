// The bench's lab: the test lab's hosts and switches (test/lab/topology.ts), with the agent's
// cutter on every switch port, a route watch on each measured host, and traffic between hosts 1
// and 2.
//
//     host1 == stream h1 -> h2, on LAN A's addresses ==> host2
//           <== stream h2 -> h1 ======================
//           <=> TCP dialogue, and TCP bulk ==========>     (scenarios/tcp.ts)
//
// Nothing here runs while a trial does, except what is measured.
//
// Without root there is no BPF: the lab then cuts by nftables, whose instant is known less well
// (`cutter` says which).
import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs, script } from '../test/lab/shell.js';
import { type LanLetter, portOf, Topology } from '../test/lab/topology.js';
import { Agent, type AgentReport, type FlowEnd, kDrop, type Trial } from './agent.js';

/** What an application with a packet every 100 us would see. */
export const kStreamPeriodUs = 100;
/** Three times finer than the stalls that are looked for. */
export const kStallPeriodUs = 150;

const kStreamPort = 5001;
const kDialoguePort = 5002;
const kBulkPort = 5003;
/** A request every half millisecond, and a bulk flow of 400 Mbit/s, in bursts of 1.3 ms. */
const kAskEveryUs = 500;
const kBulkBytesPerSecond = 50_000_000;

// A switch runs no firewall and takes no broadcast for itself. Where the kernel would lead bridged
// frames through iptables' hooks, and their copies through an IP stack that no switch has, the cost
// (a fifth of a daemon's CPU at 1 ms for the hooks alone, measured) would be counted as the sender's.
export const kPlainSwitch = [
  'for hook in /proc/sys/net/bridge/bridge-nf-call-*; do ! test -e $hook || echo 0 > $hook; done',
  'nft add table netdev switch',
  'for lan in $(ip -o link show type bridge | sed "s/^[0-9]*: //; s/:.*//"); do',
  'nft add chain netdev switch $lan "{ type filter hook ingress device $lan priority 0; policy drop; }"',
  'done',
];
/** With a cutter of its own the bench needs none of the test lab's rules in the frames' way. */
const kNoRules = ['nft delete table bridge faild-lab'];

export interface CutTarget {
  lan: LanLetter;
  /** One host's link; without it the whole LAN. */
  host?: number;
  direction?: keyof typeof kDrop;
  /** That host's interface loses its carrier as well. */
  carrier?: boolean;
}

export interface CutTimes {
  waitUs: number;
  holdUs: number;
  settleUs: number;
}

export type CutterKind = 'bpf' | 'nftables';

export class BenchLab {
  /** The interface that each watch's address belongs to. */
  readonly homes: Record<string, number> = {};

  private constructor(
    readonly topology: Topology,
    private readonly switches: string,
    readonly agent: Agent,
    readonly cutter: CutterKind,
  ) {}

  /** `prefix`: of its namespaces' names, where there are several labs. */
  static async create(hosts = 2, prefix = 'bench'): Promise<BenchLab> {
    const topology = await Topology.create({ hosts, lans: 2 }, prefix);
    const switches = `${prefix}-switches`;
    let agent: Agent | undefined;
    try {
      await script(switches, kPlainSwitch);
      agent = await Agent.start();
      const cutter = await chooseCutter(topology, switches, agent);
      if (cutter === 'bpf') await script(switches, kNoRules);
      return new BenchLab(topology, switches, agent, cutter);
    } catch (error) {
      await agent?.stop();
      await topology.destroy();
      throw error;
    }
  }

  /** Watches where a host sends for another one's address on LAN A. */
  async watch(own: number, other: number): Promise<void> {
    const here = this.topology.host(own);
    await this.agent.addWatch(here.name, here.netns, this.topology.host(other).address('a'));
    const { watches } = await this.agent.report();
    this.homes[here.name] = watches[here.name]?.moves[0]?.interface ?? 0;
  }

  /** Watches where hosts 1 and 2 send for each other's address on LAN A; adds the streams. */
  async watchPair(): Promise<void> {
    for (const [own, other] of [[1, 2] as const, [2, 1] as const]) {
      const here = this.topology.host(own);
      const there = this.topology.host(other);
      await this.watch(own, other);
      await this.agent.addStream(
        `${here.name}-${there.name}`,
        this.end(own),
        this.end(other),
        kStreamPort,
      );
    }
  }

  /** A request/response flow and a bulk flow from host 1 to host 2; at rest. */
  async addTcp(): Promise<void> {
    const [near, far] = [this.end(1), this.end(2)];
    await this.agent.addDialogue('dialogue', near, far, kDialoguePort, kAskEveryUs);
    await this.agent.addBulk('bulk', near, far, kBulkPort, kBulkBytesPerSecond);
  }

  /** Every frame of hosts 1 and 2 from now on; the answer names the ports by their numbers. */
  async sniff(): Promise<{ lan: LanLetter; host: number }[]> {
    const ports = this.topology.lans.flatMap((lan) => [1, 2].map((host) => ({ lan, host })));
    for (const { lan, host } of ports) await this.agent.sniff(this.switches, portOf(lan, host));
    return ports;
  }

  cut(target: CutTarget, times: CutTimes): Promise<Trial> {
    if (this.cutter === 'nftables') return this.cutByNftables(target, times);
    const { lan, host, direction = 'both' } = target;
    const number = this.topology.lans.indexOf(lan);
    const cell = host === undefined ? `lan:${number}` : portOf(lan, host);
    const carrier =
      target.carrier && host !== undefined ? { carrierOf: portOf(lan, host) } : undefined;
    return this.agent.trial({
      netns: this.switches,
      cell,
      drop: kDrop[direction],
      ...times,
      ...carrier,
    });
  }

  private async cutByNftables(target: CutTarget, times: CutTimes): Promise<Trial> {
    const { cuts } = this.topology;
    const { direction = 'both', carrier = false, ...place } = target;
    const what = { ...place, ...(direction === 'both' ? {} : { direction }) };
    const switchCarrier = async (up: boolean) => {
      if (carrier && target.host !== undefined)
        await this.topology.carrier(target.host, target.lan, up);
    };
    await sleep(times.waitUs / 1000);
    const cutUs = await bracket(() => cuts.cut(what));
    await switchCarrier(false);
    await sleep(times.holdUs / 1000);
    await switchCarrier(true);
    const healUs = await bracket(() => cuts.heal(what));
    await sleep(times.settleUs / 1000);
    return { cutUs, healUs, endUs: nowUs() };
  }

  private end(number: number): FlowEnd {
    const host = this.topology.host(number);
    return { netns: host.netns, address: host.address('a') };
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

/** The agent's cutter where the kernel lets it load its program, else the test lab's own. */
async function chooseCutter(
  topology: Topology,
  switches: string,
  agent: Agent,
): Promise<CutterKind> {
  for (const [number, lan] of topology.lans.entries()) {
    for (const host of topology.hosts) {
      try {
        await agent.addPort(switches, portOf(lan, host.number), number);
      } catch (error) {
        if (/cannot load the cutter/.test(String(error))) return 'nftables';
        throw error;
      }
    }
  }
  return 'bpf';
}

/** When something was done: not before it was asked for, not after it was answered. */
async function bracket(act: () => Promise<unknown>): Promise<[number, number]> {
  const beforeUs = nowUs();
  await act();
  return [beforeUs, nowUs()];
}
