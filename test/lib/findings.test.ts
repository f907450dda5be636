// Aim: every check finds what it is for and keeps silent otherwise, with a reason and a remedy; the
// sysctls that it names would mend what it has found.
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import type { KernelLook } from '../../lib/cluster/kernel-routes.js';
import type { Status, StatusPeer } from '../../lib/cluster/status.js';
import { parseConfig } from '../../lib/config/config.js';
import { addressesToAsk } from '../../lib/doctor/conflicts.js';
import { checkNames, type Facts, type Finding, findAll } from '../../lib/doctor/findings.js';
import type { NativeInterface } from '../../lib/engine/native.js';
import { sketch } from './statuses.js';

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
  ways: [],
  rules: [],
};

const with_ = (facts: Partial<Facts>): Finding[] => findAll({ ...well, ...facts });

/** As `found` by `check`, and what its sysctls are. */
const told = (facts: Partial<Facts>) =>
  with_(facts).map(({ check, severity, found }) => `${severity} ${check}: ${found}`);

/** A daemon that answers, as far as the checks look at it. */
function statusWith(more: { peers?: number; counters?: object; drops?: object; hint?: string }) {
  const { peers = 1, counters = {}, drops = {}, hint = null } = more;
  return {
    lans: [],
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
  t.equal(checkNames.length, 16);
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

t.test('addresses that two hosts claim', async (t) => {
  const peers = { web1: { A: 'up', B: 'up' }, web2: { A: 'up', B: 'up' } } as const;
  const status = sketch(peers);
  status.peers.forEach(({ paths }, at) => {
    for (const path of paths) path.mac = `02:00:00:00:01:0${at}`;
  });
  t.same(told({ status }), []);
  const [web1, web2] = status.peers.map(({ paths }) => paths[0]);
  if (!web1 || !web2) throw new Error('no path');
  web2.addresses = [...web1.addresses, '10.1.0.1/24', 'fe80::1/64'];
  web1.addresses = [...web1.addresses, 'fe80::1/64'];
  web1.mac = web2.mac;
  const [address] = web1.addresses[0]?.split('/') ?? [];
  const [found = ''] = told({ status });
  t.match(found, `fault addresses: addresses are claimed twice: 10.1.0.1 on LAN A is that of`);
  t.match(found, `${address} on LAN A is that of web1 and web2`);
  t.match(found, `${web2.mac} on LAN A is that of web1 and web2`);
  t.notMatch(found, 'fe80');
  for (const path of status.peers[1]?.paths ?? []) path.state = 'down';
  t.same(told({ status }), [], 'whoever is gone claims nothing');
});

t.test('traffic that takes another way', async (t) => {
  const status = sketch({ web1: { A: 'up', B: 'up' }, web2: { A: { state: 'down', via: 'B' } } });
  for (const { paths } of status.peers) for (const path of paths) path.mac = '';
  const asked = addressesToAsk(status);
  t.equal(asked.length, 3);
  t.same(addressesToAsk(null), []);
  const [a1 = '', b1 = '', a2 = ''] = asked;
  const way = (address: string, device: string | null): KernelLook => {
    const takes = { destination: address, gateway: null, source: null, table: null };
    return { address, takes: device === null ? null : { ...takes, device }, entries: [] };
  };
  const right = [way(a1, 'lana'), way(b1, 'lanb'), way(a2, 'lanb')];
  t.same(told({ status, ways: right }), []);
  t.same(told({ status, ways: [way(a1, 'lanb'), way(b1, null), way(a2, 'lana')] }), [
    `fault ways: traffic goes another way than faild has decided: ${a1} (web1) leaves by lanb, ` +
      `not LAN A; ${b1} (web1) has no way, not LAN B; ${a2} (web2) leaves by lana, not LAN B`,
  ]);
});

t.test("rules in front of faild's", async (t) => {
  const rule = (priority: number, more: object = {}) => ({
    priority,
    src: 'all',
    table: '254',
    ...more,
  });
  const usual = [rule(0, { table: '255' }), rule(931, { table: '931100' }), rule(32766)];
  t.same(told({ rules: usual }), []);
  const wished = [rule(100, { fwmark: '0x1' }), rule(100, { src: '10.9.0.1' })];
  t.same(told({ rules: [...usual, ...wished, rule(100, { table: '77' })] }), []);
  t.same(told({ rules: [...usual, rule(100, { protocol: '4' })] }), [
    "fault rules: rule 100 sends all traffic to the main table before faild's rules (931 to 940)",
  ]);
});
