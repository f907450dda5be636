// Aim: the stories that faild exists for, told as prose under virtual time, each with the
// invariants watched at every step.
import t, { type Test } from 'tap';
import { lanName } from './addresses.js';
import { Cluster, type ClusterOptions, milliseconds, seconds } from './cluster.js';
import { endure, settle } from './convergence.js';
import { detectionUs } from './detector.js';
import { usualHost } from './host.js';
import { watch } from './invariants.js';
import { unreachable } from './reach.js';

const [A, B, C] = [0, 1, 2] as const;
const responder = { requestor: false };
const detection = detectionUs(usualHost.failAfter, usualHost.intervalUs);
/** A verdict at one end, the packet that carries it, and the kernels' answers. */
const bothEnds = detection + 1 * milliseconds;

/** A cluster in which everybody has met everybody. */
function started(options: Partial<ClusterOptions> = {}): Cluster {
  const cluster = new Cluster({ seed: 1, lans: 2, hosts: [{}, {}, {}], ...options });
  watch(cluster);
  cluster.startAll();
  const faults = settle(cluster);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return cluster;
}

/** Does all traffic for addresses on `lan` take the LAN `way`? */
function allBy(cluster: Cluster, lan: number, way: number): boolean {
  return cluster.hosts.every(({ number: from }) =>
    cluster.hosts.every(
      ({ number: to }) => !cluster.meet(from, to) || cluster.way(from, to, lan) === way,
    ),
  );
}

function verdicts(cluster: Cluster): number {
  const kinds = ['path-down', 'lan-down'];
  return cluster.hosts.reduce(
    (sum, { number }) => sum + kinds.reduce((all, kind) => all + cluster.count(number, kind), 0),
    0,
  );
}

/** What the kernels do now with packets for every address of everybody: `0 10.1.0.2 via B`. */
function traffic(cluster: Cluster): string[] {
  const addresses = cluster.hosts.flatMap((host) =>
    host.interfaces.flatMap((_, lan) => host.addresses(lan)),
  );
  return cluster.hosts.flatMap((host) =>
    addresses.map((address) => {
      const ways = host.kernel.lookup(address)?.ways ?? [];
      const lans = ways.map(({ ifindex }) => lanName(host.lanOf(ifindex) ?? -1));
      return `${host.number} ${address} via ${lans.join(' or ')}`;
    }),
  );
}

/** Looks whenever some route changes, beside the invariants; the result ends that. */
function atEveryChange(cluster: Cluster, look: () => void): () => void {
  const watched = cluster.onStep;
  cluster.onStep = (step) => {
    watched(step);
    if (step.effects.routeOps.length > 0) look();
  };
  return () => {
    cluster.onStep = watched;
  };
}

/** Repairs everything; all must be as if nothing had happened. */
function heals(t: Test, cluster: Cluster): void {
  cluster.heal();
  t.same(settle(cluster), [], 'healed, everything is as before');
}

t.test('a whole LAN dies under five hosts, and one rule a host moves everything', async (t) => {
  const cluster = started({ hosts: [{}, {}, {}, responder, {}] });
  cluster.cutLan(A);
  const moved = cluster.runUntil(() => unreachable(cluster).length === 0, bothEnds);
  t.ok(moved !== undefined, 'within the detection time everybody reaches everybody');
  cluster.run(100 * milliseconds);
  t.ok(allBy(cluster, A, B), 'by LAN B');
  for (const { number, options } of cluster.hosts) {
    t.equal(cluster.count(number, 'lan-down'), 1, 'one event tells it');
    t.equal(cluster.count(number, 'lan-failover'), 1);
    if (options.requestor) t.equal(cluster.count(number, 'path-down'), 0);
  }
  heals(t, cluster);
  for (const { number } of cluster.hosts) t.equal(cluster.count(number, 'lan-switchback'), 1);
});

t.test('healed, no packet is lost on the way back', async (t) => {
  for (const seed of [1, 2, 3]) {
    const cluster = started({ seed, hosts: [{}, {}, {}, {}] });
    cluster.cutLan(A);
    cluster.run(1 * seconds);
    const lost = new Set<string>();
    atEveryChange(cluster, () => {
      for (const why of unreachable(cluster, 'loose')) lost.add(why);
    });
    heals(t, cluster);
    t.same([...lost], [], `seed ${seed}`);
  }
});

// Both LANs serve while traffic returns, but the two ends begin and end that a little apart. Only a
// strict rp_filter minds: it drops what the end that is ahead sends by the other LAN.
t.test('under a strict rp_filter the way back may cost a pair an interval at a time', async (t) => {
  for (const seed of [1, 2, 3]) {
    const cluster = started({ seed, hosts: [{}, {}, {}, {}] });
    cluster.cutLan(A);
    cluster.run(1 * seconds);
    const sinceUs = new Map<string, number>();
    let longestUs = 0;
    atEveryChange(cluster, () => {
      const lost = unreachable(cluster, 'strict');
      for (const [why, beginUs] of sinceUs) {
        longestUs = Math.max(longestUs, cluster.nowUs - beginUs);
        if (!lost.includes(why)) sinceUs.delete(why);
      }
      for (const why of lost) if (!sinceUs.has(why)) sinceUs.set(why, cluster.nowUs);
    });
    heals(t, cluster);
    t.ok(longestUs <= usualHost.intervalUs + 1 * milliseconds, `${longestUs} us with seed ${seed}`);
  }
});

t.test('a cut in one direction is noticed by both ends', async (t) => {
  const cluster = started();
  cluster.setLink(A, 0, 1, { cut: true });
  const byB = () => cluster.way(0, 1, A) === B && cluster.way(1, 0, A) === B;
  t.ok(cluster.runUntil(byB, bothEnds) !== undefined);
  const why = (number: number) =>
    cluster.host(number).events.find(({ kind }) => kind === 'path-down')?.reason;
  t.equal(why(1), 'silent', 'who hears nothing says so');
  t.equal(why(0), 'not-heard', 'and who is not heard is told');
  t.equal(cluster.way(0, 2, A), A, 'the third host has nothing to do with it');
  t.same(unreachable(cluster), []);
  heals(t, cluster);
});

t.test("a single host's link dies: the others move that host, it moves everybody", async (t) => {
  const cluster = started({ hosts: [{}, {}, {}, {}] });
  cluster.cutHost(A, 3);
  cluster.run(bothEnds);
  for (const other of [0, 1, 2]) {
    t.equal(cluster.way(other, 3, A), B);
    t.equal(cluster.way(3, other, A), B);
    t.equal(cluster.way(other, (other + 1) % 3, A), A, 'the others keep LAN A');
    t.equal(cluster.count(other, 'lan-down'), 0);
  }
  t.equal(cluster.count(3, 'lan-down'), 1, 'to the lonely host the whole LAN is dead');
  t.same(unreachable(cluster), []);
  heals(t, cluster);
});

t.test('a switch splits: each side keeps LAN A inside and takes B across', async (t) => {
  const cluster = started({ hosts: [{}, {}, {}, {}, {}] });
  cluster.partition(A, [0, 1]);
  cluster.run(bothEnds);
  t.same(unreachable(cluster, 'loose'), []);
  cluster.run(1 * seconds); // to host 0 most of LAN A is gone, and host 1 comes back by and by
  t.same(unreachable(cluster), []);
  t.equal(cluster.way(0, 1, A), A);
  t.equal(cluster.way(2, 4, A), A);
  t.equal(cluster.way(0, 2, A), B);
  t.equal(cluster.way(4, 1, A), B);
  heals(t, cluster);
});

t.test('both switches split crosswise: a pair that no LAN joins is left alone', async (t) => {
  const cluster = started({ hosts: [{}, {}, {}] });
  cluster.partition(A, [0]);
  cluster.partition(B, [1]);
  t.same(endure(cluster), [], 'everybody with a LAN in common reaches each other');
  t.equal(cluster.way(0, 1, A), A, 'and of the others nothing is withdrawn');
  t.equal(cluster.way(0, 1, B), B);
  heals(t, cluster);
});

t.test('a flapping LAN: traffic leaves once a flap at most, and stays whole between', async (t) => {
  const cluster = started();
  const flaps = 20;
  for (let flap = 0; flap < flaps; flap++) {
    cluster.cutLan(A);
    cluster.run(60 * milliseconds);
    t.same(unreachable(cluster), [], 'while A is dead everybody is on B');
    cluster.healLan(A);
    cluster.run(60 * milliseconds); // too short to be proven again
    t.ok(allBy(cluster, A, B), 'and a LAN that was good for a moment wins nobody back');
  }
  for (const { number } of cluster.hosts) t.equal(cluster.count(number, 'lan-failover'), 1);
  heals(t, cluster);
});

t.test('a host is killed during an outage and starts again: no route moves', async (t) => {
  const cluster = started();
  cluster.cutLan(A);
  cluster.run(200 * milliseconds);
  cluster.crash(0);
  cluster.run(300 * milliseconds);
  cluster.start(0);
  const before = traffic(cluster);
  const done = atEveryChange(cluster, () => t.same(traffic(cluster), before));
  cluster.run(15 * seconds); // beyond the time in which what nobody claims is removed
  t.equal(cluster.count(0, 'adopted'), 1);
  done();
  heals(t, cluster);
});

t.test(
  'a host stops cleanly during an outage: its failover stays, nothing else does',
  async (t) => {
    const cluster = started();
    cluster.cutLan(A);
    cluster.run(200 * milliseconds);
    cluster.stop(0);
    cluster.run(1 * seconds);
    t.notOk(cluster.host(0).runs);
    t.equal(cluster.way(0, 1, A), B, 'nobody is cut off by an upgrade');
    t.equal(cluster.way(1, 0, A), B);
    cluster.start(0);
    t.same(endure(cluster), []);
    heals(t, cluster);
    cluster.stop(0);
    cluster.run(1 * seconds);
    t.same(cluster.host(0).kernel.entries, [], 'stopped in good times, it leaves nothing');
  },
);

t.test(
  'a host that starts while LAN A is dead reaches its peers on their A addresses',
  async (t) => {
    const cluster = new Cluster({ seed: 1, lans: 2, hosts: [{}, {}, {}] });
    watch(cluster);
    cluster.start(0);
    cluster.start(1);
    cluster.run(2 * seconds);
    cluster.cutLan(A);
    cluster.run(1 * seconds);
    cluster.start(2);
    cluster.run(3 * seconds);
    t.ok(allBy(cluster, A, B));
    t.same(unreachable(cluster), []);
    heals(t, cluster);
  },
);

t.test('a direction that dies in the middle of the handshake is judged all the same', async (t) => {
  const cluster = new Cluster({ seed: 1, lans: 2, hosts: [{}, {}] });
  watch(cluster);
  cluster.startAll();
  const onB = (number: number) =>
    cluster
      .host(number)
      .paths(cluster.nowUs)
      .find(({ lan }) => lan === B)?.state;
  cluster.runUntil(() => onB(0) === 'up' || onB(1) === 'up', 1 * seconds);
  const [first, second] = onB(0) === 'up' ? [0, 1] : [1, 0];
  t.equal(onB(first), 'up');
  t.equal(onB(second), 'unknown', 'it has heard the other, which has not answered yet');
  cluster.setLink(B, first, second, { cut: true });
  t.same(endure(cluster), []);
  t.equal(cluster.way(first, second, B), A);
  t.equal(cluster.way(second, first, B), A);
  heals(t, cluster);
});

t.test('three LANs die one after the other, and the last path is never withdrawn', async (t) => {
  const cluster = started({ lans: 3 });
  cluster.cutLan(A);
  cluster.run(bothEnds);
  t.ok(allBy(cluster, A, B), 'the plan prefers B');
  cluster.cutLan(B);
  cluster.run(bothEnds);
  t.ok(allBy(cluster, A, C) && allBy(cluster, B, C));
  t.same(unreachable(cluster), []);
  const before = traffic(cluster);
  cluster.cutLan(C);
  cluster.run(2 * seconds);
  t.ok(allBy(cluster, C, C), 'C is the last: it stays');
  t.same(traffic(cluster), before, 'and nothing at all moves any more');
  heals(t, cluster);
});

t.test('all LANs fall silent at once: nothing moves, and it is said once', async (t) => {
  const cluster = started();
  const before = traffic(cluster);
  atEveryChange(cluster, () => t.same(traffic(cluster), before));
  cluster.cutHost(A, 0);
  cluster.cutHost(B, 0);
  cluster.run(10 * seconds);
  t.equal(cluster.count(0, 'isolated'), 1);
  heals(t, cluster);
  cluster.run(1 * seconds);
  t.equal(cluster.count(0, 'rejoined'), 1, 'not even when it is over');
});

t.test('hosts of every kind: slow and quick, requestors and responders', async (t) => {
  const slow = { intervalUs: 100 * milliseconds, failAfter: 2 };
  const cluster = started({ hosts: [{}, slow, responder, { ...responder, ...slow }] });
  cluster.run(5 * seconds);
  t.equal(verdicts(cluster), 0);
  cluster.cutLan(B);
  cluster.run(1 * seconds);
  t.ok(allBy(cluster, B, A));
  t.same(unreachable(cluster), []);
  heals(t, cluster);
});

t.test('f-1 packets in a row may always be lost', async (t) => {
  const cluster = started({ hosts: [{}, {}] });
  const lossy = { lossPerMille: 700, mostLostInARow: usualHost.failAfter - 1 };
  for (const lan of [A, B]) {
    cluster.setLink(lan, 0, 1, lossy);
    cluster.setLink(lan, 1, 0, lossy);
  }
  cluster.run(60 * seconds);
  t.equal(verdicts(cluster), 0, 'a minute of it, and no verdict');
});

t.test('a cable is pulled: carrier is believed at once', async (t) => {
  const cluster = started();
  cluster.unplug(A, 0);
  cluster.run(1 * milliseconds);
  t.equal(cluster.way(0, 1, A), B);
  cluster.run(bothEnds);
  t.same(unreachable(cluster), []);
  heals(t, cluster);
});

t.test('a network card is replaced: new index, new MAC address, nobody is lost', async (t) => {
  const cluster = started();
  cluster.replaceInterface(A, 0);
  cluster.run(1 * seconds);
  t.same(unreachable(cluster), []);
  t.equal(verdicts(cluster), 0);
  cluster.cutLan(B);
  cluster.run(1 * seconds);
  t.same(unreachable(cluster), [], 'and the new card serves as the alternate');
  heals(t, cluster);
});

t.test('somebody deletes our routes and rules: they come back', async (t) => {
  for (const told of [true, false]) {
    const cluster = started();
    cluster.cutLan(A);
    cluster.run(200 * milliseconds);
    const { kernel } = cluster.host(0);
    const before = kernel.entries.length;
    for (let nth = 0; nth < before; nth++) {
      cluster.loseEntry(0, 0, told); // the oldest; what comes back is the newest
      cluster.run(1 * milliseconds);
      t.same(unreachable(cluster), []);
    }
    t.equal(kernel.entries.length, before);
    heals(t, cluster);
  }
});

t.test('our own stalls, and packets that the kernel dropped, blame nobody', async (t) => {
  const cluster = started();
  const before = traffic(cluster);
  atEveryChange(cluster, () => t.same(traffic(cluster), before, 'nothing moves'));
  for (let round = 0; round < 20; round++) {
    cluster.stall(0, (100 + round * 7) * milliseconds);
    cluster.run(500 * milliseconds);
    cluster.overrun(A, 0, 5);
    cluster.run(500 * milliseconds);
  }
  const blamed = cluster.host(0).events.filter(({ kind }) => kind === 'path-down');
  t.same(
    blamed.filter(({ reason }) => reason !== 'not-heard'),
    [],
    'it judges nobody',
  );
});

function unplug(cluster: Cluster, host: number): void {
  for (const lan of [A, B]) cluster.unplug(lan, host);
}

t.test('a drained host reboots, by each of the ways to go: nobody is blamed', async (t) => {
  const away: [string, (cluster: Cluster) => void][] = [
    ['without a word', (cluster) => cluster.crash(2)],
    ['with a goodbye', (cluster) => cluster.stop(2)],
    ['unplugged', (cluster) => unplug(cluster, 2)],
  ];
  for (const [how, go] of away) {
    const cluster = started({ hosts: [{}, responder, {}, {}] });
    cluster.drain(2, true);
    cluster.run(100 * milliseconds);
    t.same(unreachable(cluster), [], 'a drained host is a host like any other');
    const others = [0, 1, 3];
    const moves = atEveryChange(cluster, () => {
      const strays = others.filter((from) =>
        others.some((to) => from !== to && cluster.way(from, to, A) === B),
      );
      t.same(strays, [], 'traffic of the others stays');
    });
    go(cluster);
    cluster.run(2 * seconds);
    moves();
    for (const number of others) {
      t.equal(cluster.count(number, 'path-stopped'), 2, how);
      for (const kind of ['path-down', 'lan-down']) t.equal(cluster.count(number, kind), 0, how);
    }
    cluster.plug(A, 2);
    cluster.plug(B, 2);
    cluster.start(2);
    t.same(settle(cluster), [], 'it is back');
    cluster.drain(2, false);
    cluster.run(100 * milliseconds);
    for (const number of others) {
      t.equal(cluster.count(number, 'peer-drained'), 1, 'told once, for it was drained still');
      t.equal(cluster.count(number, 'peer-undrained'), 1);
    }
  }
});

t.test('one LAN of a drained host dies: its traffic moves as that of any', async (t) => {
  const cluster = started();
  cluster.drain(2, true);
  cluster.run(100 * milliseconds);
  cluster.cutHost(A, 2);
  cluster.run(bothEnds);
  t.same(unreachable(cluster), []);
  t.equal(cluster.way(0, 2, A), B);
  t.equal(cluster.way(2, 0, A), B);
  cluster.crash(2);
  cluster.run(2 * seconds);
  t.equal(cluster.way(0, 2, A), B, 'and stays while it is away');
  t.equal(cluster.count(0, 'path-stopped'), 2);
  cluster.start(2);
  heals(t, cluster);
});
