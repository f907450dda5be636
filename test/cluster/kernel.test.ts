// Aim: the model kernel decides as Linux does where faild relies on it, and the reachability check
// sees each way in which a packet can be lost.
import t from 'tap';
import type { VirtualRouteOp } from '../../lib/engine/native.js';
import { interfaceOf } from './addresses.js';
import { Cluster, seconds } from './cluster.js';
import { Kernel } from './kernel.js';
import { unreachable, whyLost } from './reach.js';

const exceptions = 931100;
const standbyA = 931101;

function route(table: number, destination: string, priority: number, gateway: string) {
  const op = { kind: 'set', id: 1, what: 'route', table, destination, gateway, priority } as const;
  return {
    ...op,
    outIfindex: 11,
    source: '10.1.0.1',
    alsoDirectIfindex: 0,
    rtoMinMs: 0,
  } as VirtualRouteOp;
}
function rule(table: number, destination: string, priority: number): VirtualRouteOp {
  const op = { kind: 'set', id: 1, what: 'rule', table, destination, priority } as const;
  return { ...op, gateway: null, outIfindex: 0, source: null, alsoDirectIfindex: 0, rtoMinMs: 0 };
}

function kernel(): Kernel {
  return new Kernel([interfaceOf(0, 0, 'both'), interfaceOf(1, 0, 'both')]);
}

t.test('without rules the connected LAN serves', async (t) => {
  t.same(kernel().lookup('10.2.0.9'), {
    table: 'main',
    ways: [{ ifindex: 11, gateway: null }],
    source: '10.2.0.1',
  });
  t.equal(kernel().lookup('192.0.2.1'), undefined);
});

t.test('rules are asked by preference, and only those whose selector fits', async (t) => {
  const it = kernel();
  it.carryOut(route(standbyA, '10.1.0.2/32', 1, '10.2.0.2'));
  it.carryOut(route(exceptions, '10.1.0.2/32', 1, '10.2.0.3'));
  t.equal(it.lookup('10.1.0.2')?.table, 'main', 'a table without a rule is not asked');
  it.carryOut(rule(standbyA, '10.1.0.0/16', 932));
  t.equal(it.lookup('10.1.0.2')?.table, standbyA);
  it.carryOut(rule(exceptions, '0.0.0.0/0', 931));
  t.equal(it.lookup('10.1.0.2')?.table, exceptions);
  t.equal(it.lookup('10.1.0.9')?.table, 'main', 'an empty table is passed over');
  it.carryOut(rule(exceptions, '::/0', 931));
  t.equal(it.lookup('fd00:0:0:1::9')?.table, 'main', 'and the families are apart');
});

t.test('the lowest metric wins, and another metric is another route', async (t) => {
  const it = kernel();
  it.carryOut(rule(exceptions, '0.0.0.0/0', 931));
  t.equal(it.carryOut(route(exceptions, '10.1.0.2/32', 7, '10.2.0.7')), 0);
  t.equal(it.carryOut(route(exceptions, '10.1.0.2/32', 5, '10.2.0.5')), 0);
  t.equal(it.entries.length, 3);
  t.equal(it.lookup('10.1.0.2')?.ways[0]?.gateway, '10.2.0.5');
});

t.test('what is there already, or is not there, is counted and answered', async (t) => {
  const it = kernel();
  const one = rule(exceptions, '0.0.0.0/0', 931);
  t.equal(it.carryOut(one), 0);
  t.equal(it.carryOut(one), 17, 'EEXIST');
  t.equal(it.carryOut({ ...one, kind: 'remove' }), 0);
  t.equal(it.carryOut({ ...one, kind: 'remove' }), 3, 'ESRCH');
  t.same([it.changes, it.idle], [4, 2]);
});

t.test('a removed interface takes its routes along, but no rule', async (t) => {
  const it = kernel();
  it.carryOut(rule(exceptions, '0.0.0.0/0', 931));
  it.carryOut(route(exceptions, '10.1.0.2/32', 7, '10.2.0.7'));
  it.loseInterface(11);
  t.same(
    it.dump().map(({ what }) => what),
    ['rule'],
  );
});

/** Two hosts that know each other, and what is said when something is done to the first one. */
function lostAfter(breakIt: (cluster: Cluster) => void): string[] {
  const cluster = new Cluster({ seed: 1, lans: 2, hosts: [{}, {}], families: 'ipv4' });
  cluster.startAll();
  cluster.run(1 * seconds);
  t.same(unreachable(cluster), []);
  breakIt(cluster);
  return unreachable(cluster);
}

/** Puts a route of host 0 to 10.1.0.2 in front of all others. */
function detour(cluster: Cluster, change: Partial<VirtualRouteOp>): void {
  const { kernel } = cluster.host(0);
  kernel.carryOut({ ...route(7, '10.1.0.2/32', 1, '10.2.0.2'), ...change });
  kernel.carryOut(rule(7, '0.0.0.0/0', 1));
}

t.test('the reachability check sees how a packet is lost', async (t) => {
  const sees = (word: RegExp, breakIt: (cluster: Cluster) => void) =>
    t.match(lostAfter(breakIt).join('\n'), word);
  sees(/lost on LAN A/, ({ lans }) => {
    lans.link(0, 0, 1).state.cut = true;
  });
  sees(/rp_filter drops 10\.1\.0\.1 on LAN B/, (cluster) => detour(cluster, {}));
  sees(/nobody has 10\.2\.0\.99/, (cluster) => detour(cluster, { gateway: '10.2.0.99' }));
  sees(/no interface 99/, (cluster) => detour(cluster, { outIfindex: 99 }));
  sees(/neighbour entry of 10\.1\.0\.2 says/, (cluster) => {
    cluster.host(1).replaceInterface(0);
  });
  sees(/nobody answers for 10\.1\.0\.2/, (cluster) => {
    cluster.host(0).kernel.loseInterface(10); // its neighbour entries
    cluster.lans.link(0, 1, 0).state.cut = true;
  });
});

t.test('a gateway that is another host forwards nothing', async (t) => {
  const cluster = new Cluster({ seed: 1, lans: 2, hosts: [{}, {}, {}], families: 'ipv4' });
  detour(cluster, { gateway: '10.2.0.3' });
  t.match(whyLost(cluster, cluster.host(0), '10.1.0.2'), /host 2, which forwards nothing/);
});
