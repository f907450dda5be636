// What may be amiss with a host for faild's job: from facts to findings, each with its reason and
// its remedy. Pure; doctor.ts brings the facts and shows the findings.
//
// Three severities. A fault: faild cannot do its job. A warning: it can, until it matters. Advice:
// something small would be better.
import { adviseOn, type Surroundings } from '../cluster/advice.js';
import type { KernelLook, KernelRule } from '../cluster/kernel-routes.js';
import type { Status } from '../cluster/status.js';
import type { Config } from '../config/config.js';
import { sharedSubnet } from '../config/interfaces.js';
import type { NativeInterface, NativeLan } from '../engine/native.js';
import { claimedTwice, rulesInFront, strayingTraffic } from './conflicts.js';
import type { Managers } from './managers.js';

export const severities = ['fault', 'warning', 'advice'] as const;

export interface Finding {
  check: string;
  severity: (typeof severities)[number];
  found: string;
  why: string;
  remedy: string;
  /** Names below /proc/sys and the values that would mend it; `--fix-file` writes them. */
  sysctls?: Record<string, number>;
}

export interface Facts {
  config: Config;
  /** Of the daemon that runs here; null: none answers. */
  status: Status | null;
  /** The LANs that faild has or would have; empty, and why, when it would not start. */
  lans: readonly NativeLan[];
  lansRefused: string | null;
  lanWarnings: readonly string[];
  interfaces: readonly NativeInterface[];
  around: Surroundings;
  /** Names below /proc/sys; what a network namespace does not have is missing. */
  sysctls: ReadonlyMap<string, number>;
  clockSource: string | null;
  inUserNamespace: boolean;
  /** Rights that this process lacks, `CAP_NET_ADMIN`. */
  lacking: readonly string[];
  managers: Managers;
  /** Where the kernel sends what goes to peers' addresses; not asked where no daemon answers. */
  ways: readonly KernelLook[];
  rules: readonly KernelRule[];
}

type Check = (facts: Facts) => Omit<Finding, 'check'>[];

/** By the name that a finding carries, in the order in which they are shown. */
const checks: Record<string, Check> = {
  lans: badLans,
  capabilities: missingRights,
  advice: unwiseConfig,
  'rp-filter': strictFilter,
  arp: looseArp,
  neighbours: fewNeighbours,
  buffers: smallBuffers,
  subnets: overlappingSubnets,
  'cross-connected': crossConnected,
  addresses: claimedTwice,
  ways: strayingTraffic,
  rules: rulesInFront,
  clock: slowClock,
  mtu: differentMtus,
  'network-managers': meddlingManagers,
  'deleted-routes': deletedRoutes,
};

export const checkNames = Object.keys(checks);

/** The worst first. */
export function findAll(facts: Facts): Finding[] {
  const found = Object.entries(checks).flatMap(([check, look]) =>
    look(facts).map((finding) => ({ check, ...finding })),
  );
  return severities.flatMap((severity) => found.filter((one) => one.severity === severity));
}

function badLans({ lansRefused, lanWarnings }: Facts): ReturnType<Check> {
  const why = 'faild watches LANs, and needs two of them to have an alternate';
  const remedy = 'bring the interfaces up with an address each, or name them under lans';
  const warnings = lanWarnings.map((found) => ({
    severity: 'warning' as const,
    found,
    why,
    remedy,
  }));
  if (lansRefused === null) return warnings;
  return [{ severity: 'fault', found: `faild would not start: ${lansRefused}`, why, remedy }];
}

/** The daemon's own word counts, where there is one; else what this process may do. */
function missingRights({ status, lacking }: Facts): ReturnType<Check> {
  const remedy = 'run faild as root, or by packaging/faild.service, or grant what is missing';
  if (status !== null) {
    const { scheduling, memory } = status;
    return [scheduling.hint, memory.hint].flatMap((hint) =>
      hint === null
        ? []
        : [{ severity: 'warning', found: 'the daemon lacks a right', why: hint, remedy }],
    );
  }
  return lacking.map((name) => ({
    severity: name === 'CAP_NET_ADMIN' ? 'fault' : 'warning',
    found: `no daemon runs, and this user lacks ${name}`,
    why: rights[name] ?? '',
    remedy,
  }));
}

/** What each is for. SCHED_FIFO may also come from a limit: advice.ts judges that. */
export const rights: Record<string, string> = {
  CAP_NET_ADMIN: 'without it no route can be changed',
  CAP_NET_RAW: 'without it only the udp transport works, which takes more CPU',
  CAP_IPC_LOCK: "without it the engine's memory can be paged out, and paging delays detection",
};

/** What the configuration says, against this machine and its peers. */
function unwiseConfig({ config, around }: Facts): ReturnType<Check> {
  return adviseOn(config, around)
    .filter(({ about }) => about !== 'rp_filter')
    .map(({ found, why, remedy }) => ({ severity: 'warning', found, why, remedy }));
}

function strictFilter({ around: { rpFilters, transport } }: Facts): ReturnType<Check> {
  const strict = [...(rpFilters ?? [])].filter(([, mode]) => mode === 1).map(([name]) => name);
  if (strict.length === 0) return [];
  const blind = transport === 'udp';
  return [
    {
      severity: blind ? 'warning' : 'advice',
      found: `rp_filter is strict on ${strict.join(', ')}`,
      why: blind
        ? 'with the udp transport only a rule of faild keeps heartbeats alive on a LAN that traffic left'
        : 'the end of a path that returns first is dropped by the other, for some packets',
      remedy: 'set it to 2 (loose): what counts is the larger of `all` and the interface',
      sysctls: forEach(strict, 'rp_filter', 2),
    },
  ];
}

function looseArp({ lans, sysctls }: Facts): ReturnType<Check> {
  const wanted = { arp_ignore: 1, arp_announce: 2 };
  const loose = Object.entries(wanted).flatMap(([key, value]) => {
    const all = sysctls.get(`net/ipv4/conf/all/${key}`);
    const names = lans
      .map((lan) => lan.interface)
      .filter((name) => {
        const own = sysctls.get(`net/ipv4/conf/${name}/${key}`);
        return own !== undefined && Math.max(own, all ?? 0) < value;
      });
    return names.length === 0 ? [] : [{ key, value, names }];
  });
  if (loose.length === 0) return [];
  const named = loose.map(
    ({ key, value, names }) => `${key} is below ${value} on ${names.join(', ')}`,
  );
  return [
    {
      severity: 'advice',
      found: named.join('; '),
      why:
        'the host answers ARP on any interface for any of its addresses: where two LANs are joined, ' +
        "even for a moment, peers learn the wrong interface's MAC address",
      remedy: 'answer for the own addresses of an interface only, and ask with them',
      sysctls: Object.assign(
        {},
        ...loose.map(({ key, value, names }) => forEach(names, key, value)),
      ),
    },
  ];
}

/** Only a running daemon knows how large the cluster is. */
function fewNeighbours({ status, lans, sysctls }: Facts): ReturnType<Check> {
  if (status === null) return [];
  const needed = (status.peers.length + 1) * Math.max(lans.length, 1);
  return ['ipv4', 'ipv6'].flatMap((family): ReturnType<Check> => {
    const base = `net/${family}/neigh/default/gc_thresh`;
    const limit = sysctls.get(`${base}3`);
    if (limit === undefined || limit >= needed) return [];
    const enough = 2 ** Math.ceil(Math.log2(2 * needed));
    return [
      {
        severity: 'warning',
        found: `${family} has room for ${limit} neighbours, the cluster has ${needed} addresses`,
        why:
          "faild's own entries do not count, but those that traffic makes do while faild does not " +
          'run or a path is down; beyond the limit hosts cannot be reached at all',
        remedy: `raise gc_thresh3 to ${enough}, and the other two with it`,
        sysctls: { [`${base}1`]: enough / 4, [`${base}2`]: enough / 2, [`${base}3`]: enough },
      },
    ];
  });
}

/** What the engine asks for (native/io/netlink_socket.cc, the larger one). */
const receiveBufferBytes = 8 << 20;

function smallBuffers({ status, inUserNamespace, sysctls }: Facts): ReturnType<Check> {
  const findings: ReturnType<Check> = [];
  const limit = sysctls.get('net/core/rmem_max');
  if (inUserNamespace && limit !== undefined && limit < receiveBufferBytes) {
    findings.push({
      severity: 'advice',
      found: `in this container receive buffers end at ${limit} bytes, faild asks for 8 MiB`,
      why: 'a burst of packets or of news from the kernel is lost, and all routes are read again',
      remedy: 'raise net.core.rmem_max on the machine itself',
      sysctls: { 'net/core/rmem_max': receiveBufferBytes },
    });
  }
  const drops = status?.counters.receiveDrops ?? 0;
  if (drops > 0) {
    findings.push({
      severity: 'warning',
      found: `the kernel has dropped ${drops} packets before faild could read them`,
      why: 'no path is judged in such a moment, so a death is noticed late',
      remedy: 'raise interval, pin cpu, or look for who floods the LAN',
    });
  }
  return findings;
}

function overlappingSubnets({ lans, interfaces }: Facts): ReturnType<Check> {
  const others = interfaces.filter(
    (device) => device.up && !lans.some((lan) => lan.interface === device.interface),
  );
  return lans.flatMap((lan) =>
    others.flatMap((other): ReturnType<Check> => {
      const shared = sharedSubnet(other, lan);
      if (shared === undefined) return [];
      return [
        {
          severity: 'warning',
          found: `${other.interface} (${shared}) overlaps the subnet of LAN ${lan.name}`,
          why: "that LAN's traffic may leave by another interface, which no failover can mend",
          remedy: 'give each its own subnet',
        },
      ];
    }),
  );
}

function crossConnected({ status }: Facts): ReturnType<Check> {
  const joined = status?.drops['cross-connected'] ?? 0;
  const own = status?.drops['own-packet'] ?? 0;
  const findings: ReturnType<Check> = [];
  if (joined > 0) {
    findings.push({
      severity: 'fault',
      found: `${joined} heartbeats came by another LAN than they were sent on`,
      why: 'LANs that are joined fail together, and a loop between them can take both down',
      remedy: 'find the cable or bridge that joins them; `faild events` names the senders',
    });
  }
  if (own > 0) {
    findings.push({
      severity: 'fault',
      found: `${own} heartbeats carried this host's own id`,
      why: 'a LAN loops, or another host has a copy of this state directory: neither is judged right',
      remedy: 'look for a loop; on a cloned host delete its state directory and restart faild',
    });
  }
  return findings;
}

/** Each reading of these is a system call of a microsecond or more, or a device access. */
const slowClocks = ['acpi_pm', 'hpet', 'jiffies', 'pit', 'refined-jiffies'];

function slowClock({ clockSource }: Facts): ReturnType<Check> {
  if (clockSource === null || !slowClocks.includes(clockSource)) return [];
  return [
    {
      severity: 'warning',
      found: `the clock source is ${clockSource}`,
      why: 'every look at the clock costs a microsecond or more, and timers are coarser',
      remedy: 'look in the kernel log why the better one (tsc, kvm-clock) was given up',
    },
  ];
}

function differentMtus({ lans, interfaces }: Facts): ReturnType<Check> {
  const mtus = lans.flatMap(({ name, interface: wanted }) => {
    const device = interfaces.find((candidate) => candidate.interface === wanted);
    return device === undefined ? [] : [[name, device.mtu] as const];
  });
  if (new Set(mtus.map(([, mtu]) => mtu)).size < 2) return [];
  return [
    {
      severity: 'warning',
      found: `the LANs' MTUs differ: ${mtus.map(([name, mtu]) => `${name} ${mtu}`).join(', ')}`,
      why: 'after a failover large packets of the one do not fit the other, and connections hang',
      remedy: 'give all LANs the same MTU, on every host and switch',
    },
  ];
}

function meddlingManagers({ managers, lans }: Facts): ReturnType<Check> {
  const { networkd, networkManager } = managers;
  const findings: ReturnType<Check> = [];
  if (networkd !== null && !(networkd.sparesRoutes && networkd.sparesRules)) {
    findings.push({
      severity: 'warning',
      found: 'systemd-networkd removes routes and rules that are not its own',
      why: 'when it starts or reloads during a failover, hosts are cut off until faild repairs it',
      remedy: 'install packaging/networkd.conf.d/faild.conf, and restart systemd-networkd',
    });
  }
  for (const name of networkd?.dropsAddressesOf ?? []) {
    const remedy = 'install packaging/network.d/faild.conf beside its .network file';
    findings.push(lostAddresses(name, 'systemd-networkd', remedy, lans));
  }
  if (networkd !== null && networkd.remakesAddressesOf.length > 0) {
    findings.push(remadeAddresses(networkd.remakesAddressesOf));
  }
  for (const name of networkManager?.dropsAddressesOf ?? []) {
    const remedy =
      'install packaging/NetworkManager.conf.d/faild.conf with the interfaces of the LANs';
    findings.push(lostAddresses(name, 'NetworkManager', remedy, lans));
  }
  return findings;
}

function remadeAddresses(names: readonly string[]): Omit<Finding, 'check'> {
  return {
    severity: 'warning',
    found: `systemd-networkd makes the addresses of ${names.join(', ')} anew when it starts`,
    why: 'versions 252 and 254 do (257 does not), and the host is cut off until faild is over it',
    remedy: 'install packaging/network.d/faild.conf beside the .network file of each',
  };
}

function lostAddresses(
  name: string,
  manager: string,
  remedy: string,
  lans: readonly NativeLan[],
): Omit<Finding, 'check'> {
  const lan = lans.find((candidate) => candidate.interface === name)?.name ?? name;
  return {
    severity: 'warning',
    found: `${manager} takes the addresses of LAN ${lan} (${name}) away when its carrier drops`,
    why: 'every connection from or to them dies with them, whatever faild does',
    remedy,
  };
}

function deletedRoutes({ status }: Facts): ReturnType<Check> {
  const repairs = status?.counters.routeRepairs ?? 0;
  if (repairs === 0) return [];
  return [
    {
      severity: 'warning',
      found: `somebody has deleted ${repairs} of faild's routes and rules since its start`,
      why: 'each was put back, but until then hosts were cut off',
      remedy: 'find who did: `ip monitor rule route`, and the network managers first',
    },
  ];
}

/** The same setting for each of these interfaces. */
function forEach(names: readonly string[], key: string, value: number): Record<string, number> {
  return Object.fromEntries(names.map((name) => [`net/ipv4/conf/${name}/${key}`, value]));
}
