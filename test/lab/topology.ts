// The lab's network: N hosts on M LANs, each host and each switch as real as the kernel makes them.
//
//     namespace host1      namespace host2      namespace host3
//    +----------------+   +----------------+   +----------------+
//    |  lana    lanb  |   |  lana    lanb  |   |  lana    lanb  |  10.1.0.H/24
//    +----|-------|---+   +----|-------|---+   +----|-------|---+  fd00:1::H/64
//        a1      b1           a2      b2           a3      b3
//    +----|-------|------------|-------|------------|-------|---+  namespace
//    |    +- swa --------------+-------|------------+       |   |  `switches`:
//    |            +- swb --------------+--------------------+   |  two bridges
//    +----------------------------------------------------------+
//
// A cut is made on the switches' side (cut.ts), so that no host sees its carrier drop: the case
// that link state does not show, and that faild exists for.
import { Cuts } from './cut.js';
import { inside, launch, run, script } from './shell.js';

export type Family = 4 | 6;

export interface TopologySpec {
  hosts: number;
  lans: number;
  /** Reverse-path filter of every host: 0 off, 1 strict, 2 loose. */
  rpFilter?: 0 | 1 | 2;
}

/** A LAN, by the letter that its names carry: `a`, `b`, `c`. */
export type LanLetter = string;

/** What a host calls its interface. Not `veth*` or `br-*`: faild leaves such names alone. */
export const interfaceOf = (lan: LanLetter): string => `lan${lan}`;
/** The switch's port that leads to a host. */
export const portOf = (lan: LanLetter, host: number): string => `${lan}${host}`;

const numberOf = (lan: LanLetter): number => lan.charCodeAt(0) - 'a'.charCodeAt(0) + 1;

export class Host {
  readonly name: string;
  constructor(
    readonly number: number,
    readonly lans: readonly LanLetter[],
    readonly netns: string,
  ) {
    this.name = `host${number}`;
  }

  address(lan: LanLetter, family: Family = 4): string {
    const subnet = numberOf(lan);
    return family === 4 ? `10.${subnet}.0.${this.number}` : `fd00:${subnet}::${this.number}`;
  }

  /** Runs a command on this host. */
  run(...argv: string[]): Promise<string> {
    return run(inside(this.netns, argv));
  }

  /** Starts a long-living command on this host. */
  launch(argv: readonly string[], options: Parameters<typeof launch>[1]) {
    return launch(inside(this.netns, argv), options);
  }
}

export class Topology {
  private constructor(
    readonly hosts: readonly Host[],
    readonly lans: readonly LanLetter[],
    readonly switches: string,
    readonly cuts: Cuts,
  ) {}

  /** Builds it; `prefix` keeps the namespaces of several topologies of one program apart. */
  static async create(spec: TopologySpec, prefix = 'lab'): Promise<Topology> {
    const lans = Array.from({ length: spec.lans }, (_, i) => String.fromCharCode(97 + i));
    const hosts = Array.from(
      { length: spec.hosts },
      (_, i) => new Host(i + 1, lans, `${prefix}-host${i + 1}`),
    );
    const switches = `${prefix}-switches`;
    for (const netns of [switches, ...hosts.map((host) => host.netns)]) {
      await run(['ip', 'netns', 'add', netns]);
    }
    await Promise.all(hosts.map((host) => script(host.netns, kernelSettings(spec.rpFilter ?? 0))));
    await script(switches, switchSetup(lans, hosts));
    await Promise.all(hosts.map((host) => script(host.netns, hostSetup(host))));
    return new Topology(hosts, lans, switches, await Cuts.open(switches, hosts.length));
  }

  host(number: number): Host {
    const host = this.hosts[number - 1];
    if (!host)
      throw new Error(`this topology has ${this.hosts.length} hosts, there is no host${number}`);
    return host;
  }

  /** Takes a port's carrier away, or gives it back: what a pulled cable looks like. */
  async carrier(host: number, lan: LanLetter, up: boolean): Promise<void> {
    const state = up ? 'up' : 'down';
    await run(inside(this.switches, ['ip', 'link', 'set', portOf(lan, host), state]));
  }

  /** Takes a host's interface away, with its addresses: a driver unloaded, a card pulled. */
  async unplug(host: number, lan: LanLetter): Promise<void> {
    await run(inside(this.switches, ['ip', 'link', 'delete', portOf(lan, host)]));
  }

  /** Gives it back under its old name, as another device; with its old number, unless `shift`. */
  async plug(host: number, lan: LanLetter, shift = kReplugged): Promise<void> {
    await script(this.switches, link(lan, this.host(host), shift));
    await script(this.host(host).netns, interfaceSetup(this.host(host), lan));
  }

  async destroy(): Promise<void> {
    await this.cuts.close();
    for (const netns of [this.switches, ...this.hosts.map((host) => host.netns)]) {
      await run(['ip', 'netns', 'delete', netns]);
    }
  }
}

// Settings of a fresh namespace that interfaces inherit when they are made. No duplicate address
// detection: an address of IPv6 would be useless for its first second.
function kernelSettings(rpFilter: number): string[] {
  const settings: [string, number][] = [
    ['ipv4/conf/all/rp_filter', rpFilter],
    ['ipv4/conf/default/rp_filter', rpFilter],
    ['ipv6/conf/default/disable_ipv6', 0],
    ['ipv6/conf/all/accept_dad', 0],
    ['ipv6/conf/default/accept_dad', 0],
    ['ipv6/conf/default/dad_transmits', 0],
    ['ipv6/conf/default/accept_ra', 0],
  ];
  return settings.map(([name, value]) => `echo ${value} > /proc/sys/net/${name}`);
}

function switchSetup(lans: readonly LanLetter[], hosts: readonly Host[]): string[] {
  const lines = ['echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'];
  for (const lan of lans) {
    lines.push(`ip link add sw${lan} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`);
    lines.push(`ip link set sw${lan} up`);
    for (const host of hosts) lines.push(...link(lan, host));
  }
  return lines;
}

// Added to the interface numbers of what was plugged in again.
const kReplugged = 100;

// The two ends of a veth pair get different interface numbers: with equal ones the kernel takes the
// pair for one device stacked on itself and tells of a lost carrier a second late.
function link(lan: LanLetter, host: Host, shift = 0): string[] {
  const subnet = numberOf(lan);
  const port = portOf(lan, host.number);
  const near = `${port} index ${1000 * subnet + host.number + shift}`;
  const far = `${interfaceOf(lan)} index ${10 + subnet + shift} netns ${host.netns}`;
  return [
    `ip link add ${near} type veth peer name ${far}`,
    `ip link set ${port} master sw${lan} up`,
  ];
}

function hostSetup(host: Host): string[] {
  return ['ip link set lo up', ...host.lans.flatMap((lan) => interfaceSetup(host, lan))];
}

function interfaceSetup(host: Host, lan: LanLetter): string[] {
  const dev = interfaceOf(lan);
  return [
    `ip address add ${host.address(lan, 4)}/24 broadcast + dev ${dev}`,
    `ip address add ${host.address(lan, 6)}/64 dev ${dev} nodad`,
    `ip link set ${dev} up`,
  ];
}
