// Aim: which interfaces become LANs, in which order, and what is said when they cannot.
import t from 'tap';

import { chooseLans } from '../../lib/config/interfaces.js';
import type { NativeInterface } from '../../lib/engine/native.js';

let nextIndex = 1;
function device(
  name: string,
  addresses: string[],
  more: Partial<NativeInterface> = {},
): NativeInterface {
  return {
    name: '',
    interface: name,
    ifindex: nextIndex++,
    mac: '02:00:00:00:00:01',
    addresses,
    carrier: true,
    mtu: 1500,
    up: true,
    broadcast: true,
    loopback: false,
    kind: '',
    ...more,
  };
}

const lo = device('lo', ['127.0.0.1/8'], { loopback: true, broadcast: false });
const eth0 = device('eth0', ['10.0.1.1/24', 'fe80::1/64']);
const eth1 = device('eth1', ['10.0.2.1/24', 'fe80::2/64']);
const eth2 = device('eth2', ['fd00:3::1/64']);

const names = (interfaces: NativeInterface[]): string[] =>
  chooseLans(interfaces, []).lans.map((lan) => `${lan.name}=${lan.interface}`);
const choices = (...flags: string[]) =>
  flags.map((flag) => {
    const [name = '', place = ''] = flag.split('=');
    return place.includes('/') ? { name, subnet: place } : { name, interface: place };
  });

t.test('without --lan: every suitable interface, named in the order of the ifindex', async (t) => {
  t.same(names([eth2, eth1, lo, eth0]), ['A=eth0', 'B=eth1', 'C=eth2']);
});

t.test(
  'container and tunnel names, and what is down or has no address of its own, are left out',
  async (t) => {
    const others = [
      'docker0',
      'veth12ab',
      'br-0c1d',
      'virbr0',
      'cni0',
      'cali123',
      'wg0',
      'tun0',
      'tap3',
    ];
    const unsuitable = [
      ...others.map((name, at) => device(name, [`10.9.${at}.1/24`])),
      device('eth7', ['10.7.0.1/24'], { up: false }),
      device('ppp0', ['10.8.0.1/32'], { broadcast: false }),
      device('eth9', ['fe80::9/64']),
      device('eth10', []),
    ];
    t.same(names([lo, eth0, ...unsuitable, eth1]), ['A=eth0', 'B=eth1']);
  },
);

t.test('with --lan: exactly those, in the order given', async (t) => {
  const { lans, warnings } = chooseLans([lo, eth0, eth1, eth2], choices('red=eth2', 'blue=eth0'));
  t.same(
    lans.map((lan) => [lan.name, lan.interface]),
    [
      ['red', 'eth2'],
      ['blue', 'eth0'],
    ],
  );
  t.same(warnings, []);
});

t.test('an address may come later, to all LANs but one', async (t) => {
  const { lans, warnings } = chooseLans(
    [lo, device('eth5', []), eth0],
    choices('A=eth5', 'B=eth0'),
  );
  t.same(
    lans.map((lan) => lan.interface),
    ['eth5', 'eth0'],
  );
  t.equal(warnings.length, 1);
  t.match(warnings[0], /^LAN A \(eth5\) has no address: it serves nobody until it gets one/);
});

t.test('by subnet: the interface with an address in it, in either family', async (t) => {
  const wanted = choices('B=fd00:3::/64', 'A=10.0.1.0/24');
  t.same(
    chooseLans([lo, eth0, eth1, eth2], wanted).lans.map((lan) => [lan.name, lan.interface]),
    [
      ['B', 'eth2'],
      ['A', 'eth0'],
    ],
  );
});

t.test('interfaces to leave alone, by pattern, unless named', async (t) => {
  const chosen = (ignored: string[], ...wanted: string[]) =>
    chooseLans([lo, eth0, eth1, eth2], choices(...wanted), ignored).lans.map(
      (lan) => lan.interface,
    );
  t.same(chosen(['eth1']), ['eth0', 'eth2']);
  t.throws(() => chosen(['eth?']), { message: /eth0 \(to be ignored\), eth1 \(to be ignored\)/ });
  t.same(chosen(['*1']), ['eth0', 'eth2']);
  t.same(chosen(['et.0', 'ETH*', 'th1', 'eth']), ['eth0', 'eth1', 'eth2'], 'whole, literal');
  t.same(chosen(['eth*'], 'A=eth1'), ['eth1']);
  t.throws(() => chosen(['eth1'], 'A=10.0.2.0/24'), { message: /no interface that is up/ });
});

const refused: [string, NativeInterface[], string[], RegExp][] = [
  [
    'missing',
    [lo, eth0, eth1],
    ['A=eth5'],
    /^--lan A=eth5: there is no .*; there are: eth0, eth1$/,
  ],
  ['loopback', [lo], ['A=lo'], /loopback leads to no other host/],
  [
    'no broadcast',
    [device('ppp0', ['10.8.0.1/32'], { broadcast: false })],
    ['A=ppp0'],
    /cannot broadcast/,
  ],
  ['no address', [device('eth5', [])], ['A=eth5'], /has no address; give it one: ip address add/],
  ['none', [lo], [], /^no LAN found: looked for .* and saw lo \(loopback\)/],
  [
    'why not',
    [
      lo,
      device('eth5', []),
      device('tun0', ['10.5.0.1/24']),
      device('eth6', ['10.6.0.1/24'], { up: false }),
    ],
    [],
    /eth5 \(no address of its own\), tun0 \(a container or tunnel name\), eth6 \(not up\)/,
  ],
  [
    'one subnet twice',
    [eth0, device('eth5', ['10.0.1.9/24'])],
    [],
    /LAN A \(eth0\) and LAN B \(eth5\) share the subnet of 10\.0\.1\.1\/24/,
  ],
  ['a subnet in a subnet', [eth0, device('eth5', ['10.0.0.9/16'])], [], /share the subnet/],
  ['the same in IPv6', [eth2, device('eth5', ['fd00:3::2/64'])], [], /share the subnet/],
  [
    'a subnet that is nowhere',
    [lo, eth0, eth1],
    ['A=10.9.0.0/24'],
    /^--lan A=10\.9\.0\.0\/24: no interface .* there are: eth0 10\.0\.1\.1\/24 fe80::1\/64, eth1 /,
  ],
  [
    'a subnet that is on two',
    [eth0, device('eth5', ['10.0.1.9/25'])],
    ['A=10.0.1.0/24'],
    /^--lan A=10\.0\.1\.0\/24: eth0, eth5 have addresses in .*; name one: --lan A=INTERFACE$/,
  ],
  [
    'one interface twice',
    [device('eth5', ['10.5.0.1/24', '10.6.0.1/24'])],
    ['A=10.5.0.0/24', 'B=10.6.0.0/24'],
    /^LAN A and LAN B are both on eth5/,
  ],
  [
    'nine',
    Array.from({ length: 9 }, (_, at) => device(`eth${at}`, [`10.1.${at}.1/24`])),
    [],
    /^9 LANs .* at most 8; choose with --lan/,
  ],
];

for (const [what, interfaces, wanted, line] of refused) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => chooseLans(interfaces, choices(...wanted)), { code: 'ENOLAN', message: line });
  });
}

t.test('one LAN starts, with a loud warning', async (t) => {
  const { lans, warnings } = chooseLans([lo, eth0], []);
  t.equal(lans.length, 1);
  t.match(warnings, [/^only one LAN, A \(eth0\): nothing can fail over/]);
});

t.test('a LAN without carrier is watched and mentioned', async (t) => {
  const { warnings } = chooseLans([eth0, { ...eth1, carrier: false }], []);
  t.match(warnings, [/^LAN B \(eth1\) has no carrier/]);
});
