// Aim: every check finds what it is for and keeps silent otherwise, with a reason and a remedy; the
// sysctls that it names would mend what it has found.
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import type { Status, StatusPeer } from '../../lib/cluster/status.js';
import { parseConfig } from '../../lib/config/config.js';
import { checkNames, type Facts, type Finding, findAll } from '../../lib/doctor/findings.js';
import type { NativeInterface } from '../../lib/engine/native.js';

function device(name: string, address: string, more: Partial<NativeInterface> = {}) {
  const fixed = { mac: '02:00:00:00:00:01', carrier: true, mtu: 1500, kind: '' };
  const flags = { up: true, broadcast: true, loopback: false };
  return { name, interface: name, ifindex: 2, addresses: [address], ...fixed, ...flags, ...more };
}

const lanA = device('eth1', '10.1.0.1/24');
const lanB = device('eth2', '10.2.0.1/24');
const lans = [
  { ...lanA, name: 'A' },
  { ...lanB, name: 'B' },
];

const goodArp: [string, number][] = ['eth1', 'eth2'].flatMap((name) => [
  [`net/ipv4/conf/${name}/arp_ignore`, 1],
  [`net/ipv4/conf/${name}/arp_announce`, 2],
]);

const well: Facts = {
  config: parseConfig({ requestor: true }),
  status: null,
  lans,
  lansRefused: null,
  lanWarnings: [],
  interfaces: [lanA, lanB],
  around: {},
  sysctls: new Map(goodArp),
  clockSource: 'tsc',
  inUserNamespace: false,
  lacking: [],
  managers: { networkd: null, networkManager: null },
};

const with_ = (facts: Partial<Facts>): Finding[] => findAll({ ...well, ...facts });

/** As `found` by `check`, and what its sysctls are. */
const told = (facts: Partial<Facts>) =>
  with_(facts).map(({ check, severity, found }) => `${severity} ${check}: ${found}`);

/** A daemon that answers, as far as the checks look at it. */
function statusWith(more: { peers?: number; counters?: object; drops?: object; hint?: string }) {
  const { peers = 1, counters = {}, drops = {}, hint = null } = more;
  return {
    peers: Array.from({ length: peers }, () => ({ paths: [] }) as unknown as StatusPeer),
    counters: { receiveDrops: 0, routeRepairs: 0, ...counters },
    drops: { 'cross-connected': 0, 'own-packet': 0, ...drops },
    scheduling: { mode: 'fifo', hint },
    memory: { hint: null },
  } as unknown as Status;
}

t.test('a host that is well', async (t) => {
  t.same(told({}), []);
  t.same(told({ status: statusWith({}) }), []);
  t.equal(checkNames.length, 13);
});

t.test('LANs', async (t) => {
  t.same(told({ lans: [], lansRefused: 'no LAN found: ...' }), [
    'fault lans: faild would not start: no LAN found: ...',
  ]);
  t.same(told({ lanWarnings: ['only one LAN'] }), ['warning lans: only one LAN']);
});

t.test("rights: the daemon's own word, else this user's", async (t) => {
  t.same(told({ lacking: ['CAP_NET_RAW', 'CAP_NET_ADMIN'] }), [
    'fault capabilities: no daemon runs, and this user lacks CAP_NET_ADMIN',
    'warning capabilities: no daemon runs, and this user lacks CAP_NET_RAW',
  ]);
  const status = statusWith({ hint: 'grant CAP_SYS_NICE' });
  const [finding, ...more] = with_({ status, lacking: ['CAP_NET_ADMIN'] });
  t.match(finding, { severity: 'warning', check: 'capabilities', why: 'grant CAP_SYS_NICE' });
  t.same(more, []);
});

t.test('the configuration against this machine', async (t) => {
  const config = parseConfig({ requestor: true, interval: 0.001 });
  const [finding] = with_({ config, around: { timerLatenessUs: 9000 } });
  t.match(finding, {
    check: 'advice',
    found: /timers of this machine have just been 9 ms late/,
    why: 'such a pause looks like a dead host to its peers',
    remedy: 'raise interval or fail-after',
  });
});

t.test('rp_filter: worse with udp; the fix is for the interfaces that are strict', async (t) => {
  const rpFilters = new Map([
    ['eth1', 1],
    ['eth2', 2],
  ]);
  const raw = with_({ around: { rpFilters, transport: 'raw' } });
  t.match(raw, [{ severity: 'advice', sysctls: { 'net/ipv4/conf/eth1/rp_filter': 2 } }]);
  t.same(Object.keys(raw[0]?.sysctls ?? {}), ['net/ipv4/conf/eth1/rp_filter']);
  t.match(with_({ around: { rpFilters, transport: 'udp' } }), [{ severity: 'warning' }]);
});

t.test('arp: the stricter of all and the interface counts', async (t) => {
  const sysctls = new Map(goodArp);
  sysctls.set('net/ipv4/conf/eth2/arp_ignore', 0);
  t.match(with_({ sysctls }), [
    {
      check: 'arp',
      severity: 'advice',
      found: 'arp_ignore is below 1 on eth2',
      sysctls: { 'net/ipv4/conf/eth2/arp_ignore': 1 },
    },
  ]);
  t.same(told({ sysctls: new Map([...sysctls, ['net/ipv4/conf/all/arp_ignore', 1]]) }), []);
  t.same(told({ sysctls: new Map() }), [], 'not readable here');
});

t.test("neighbours: by the cluster's size, which only a daemon knows", async (t) => {
  const sysctls = new Map([...goodArp, ['net/ipv4/neigh/default/gc_thresh3', 1024] as const]);
  t.same(told({ sysctls }), []);
  t.same(told({ sysctls, status: statusWith({ peers: 511 }) }), [], '512 hosts on 2 LANs fit');
  const [finding] = with_({ sysctls, status: statusWith({ peers: 512 }) });
  t.match(finding, {
    check: 'neighbours',
    found: 'ipv4 has room for 1024 neighbours, the cluster has 1026 addresses',
    sysctls: {
      'net/ipv4/neigh/default/gc_thresh1': 1024,
      'net/ipv4/neigh/default/gc_thresh2': 2048,
      'net/ipv4/neigh/default/gc_thresh3': 4096,
    },
  });
});

t.test('packaging/sysctl.d mends all of this, for 1024 hosts on 2 LANs', async (t) => {
  const text = readFileSync('packaging/sysctl.d/60-faild.conf', 'utf8');
  const said = [...text.matchAll(/^#?(net\.\S+) = (\d+)$/gm)].map(
    ([, name = '', value]) => [name.replaceAll('.', '/'), Number(value)] as const,
  );
  t.equal(said.length, 11);
  for (const [name] of said) {
    // What a network namespace other than the first does not have, and the placeholders.
    const elsewhere = /neigh\/default|rmem_max|eth[12]/.test(name);
    t.ok(elsewhere || existsSync(`/proc/sys/${name}`), name);
  }
  const fresh: [string, number][] = [
    ...goodArp.map(([name]) => [name, 0] as [string, number]),
    ['net/ipv4/neigh/default/gc_thresh3', 1024],
    ['net/ipv6/neigh/default/gc_thresh3', 1024],
    ['net/core/rmem_max', 212992],
  ];
  const hostWith = (sysctls: ReadonlyMap<string, number>): Partial<Facts> => {
    const strictest = (name: string) => sysctls.get(`net/ipv4/conf/${name}/rp_filter`) ?? 1;
    const rpFilters = new Map(['eth1', 'eth2'].map((name) => [name, strictest(name)]));
    const status = statusWith({ peers: 1023 });
    return { sysctls, around: { rpFilters }, inUserNamespace: true, status };
  };
  const checksOf = (facts: Partial<Facts>) => [...new Set(with_(facts).map(({ check }) => check))];
  t.same(checksOf(hostWith(new Map(fresh))).sort(), ['arp', 'buffers', 'neighbours', 'rp-filter']);
  t.same(checksOf(hostWith(new Map([...fresh, ...said]))), []);
});

t.test('buffers', async (t) => {
  const sysctls = new Map([...goodArp, ['net/core/rmem_max', 212992] as const]);
  t.same(told({ sysctls }), [], "the machine's own root takes what it needs");
  t.match(with_({ sysctls, inUserNamespace: true }), [
    { check: 'buffers', severity: 'advice', sysctls: { 'net/core/rmem_max': 8388608 } },
  ]);
  t.same(told({ status: statusWith({ counters: { receiveDrops: 7 } }) }), [
    'warning buffers: the kernel has dropped 7 packets before faild could read them',
  ]);
});

t.test('subnets that overlap, LANs that are joined, MTUs that differ', async (t) => {
  const docker = device('docker0', '10.2.0.0/16');
  t.same(told({ interfaces: [lanA, lanB, docker] }), [
    'warning subnets: docker0 (10.2.0.0/16) overlaps the subnet of LAN B',
  ]);
  t.same(told({ interfaces: [lanA, lanB, { ...docker, up: false }] }), []);
  const drops = { 'cross-connected': 3, 'own-packet': 2 };
  t.same(told({ status: statusWith({ drops }) }), [
    'fault cross-connected: 3 heartbeats came by another LAN than they were sent on',
    "fault cross-connected: 2 heartbeats carried this host's own id",
  ]);
  t.same(told({ interfaces: [lanA, { ...lanB, mtu: 9000 }] }), [
    "warning mtu: the LANs' MTUs differ: A 1500, B 9000",
  ]);
});

t.test('the clock source', async (t) => {
  t.same(told({ clockSource: 'acpi_pm' }), ['warning clock: the clock source is acpi_pm']);
  t.same(told({ clockSource: 'kvm-clock' }), []);
  t.same(told({ clockSource: null }), []);
});

t.test('network managers, and routes that somebody deletes', async (t) => {
  const networkd = {
    sparesRoutes: true,
    sparesRules: false,
    dropsAddressesOf: ['eth2'],
    remakesAddressesOf: ['eth1', 'eth2'],
  };
  const networkManager = { dropsAddressesOf: ['eth1'] };
  t.same(told({ managers: { networkd, networkManager } }), [
    'warning network-managers: systemd-networkd removes routes and rules that are not its own',
    'warning network-managers: systemd-networkd takes the addresses of LAN B (eth2) away when its ' +
      'carrier drops',
    'warning network-managers: systemd-networkd makes the addresses of eth1, eth2 anew when it starts',
    'warning network-managers: NetworkManager takes the addresses of LAN A (eth1) away when its ' +
      'carrier drops',
  ]);
  const tame = {
    networkd: {
      sparesRoutes: true,
      sparesRules: true,
      dropsAddressesOf: [],
      remakesAddressesOf: [],
    },
    networkManager: { dropsAddressesOf: [] },
  };
  t.same(told({ managers: tame }), []);
  t.same(told({ status: statusWith({ counters: { routeRepairs: 4 } }) }), [
    "warning deleted-routes: somebody has deleted 4 of faild's routes and rules since its start",
  ]);
});

t.test('the worst comes first', async (t) => {
  const drops = { 'cross-connected': 1 };
  const rpFilters = new Map([['eth1', 1]]);
  const found = with_({
    clockSource: 'hpet',
    status: statusWith({ drops }),
    around: { rpFilters },
  });
  t.same(
    found.map(({ severity }) => severity),
    ['fault', 'warning', 'advice'],
  );
});
