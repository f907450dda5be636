// Aim: what a plan says beyond failing over reaches the engine with its value and its unit: when
// traffic returns, how much a path that flaps must show first, and which paths are left although
// they are heard. (The rules themselves: test/unit/core_policy_test.cc.)
import t from 'tap';
import type { NativePlan } from '../../lib/engine/native.js';
import { Cluster, milliseconds, seconds } from './cluster.js';
import { settle } from './convergence.js';
import type { LinkState } from './lans.js';
import { unreachable } from './reach.js';

const [A, B] = [0, 1] as const;
/** Between the packets of every host. */
const interval = 10 * milliseconds;

/** Two hosts of one plan; all is well. */
function started(plan: Partial<NativePlan>): Cluster {
  const cluster = new Cluster({ seed: 5, lans: 2, hosts: [{ plan }, { plan }] });
  cluster.startAll();
  const faults = settle(cluster);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return cluster;
}

const takes = (cluster: Cluster, lan: number) => () =>
  cluster.way(0, 1, A) === lan && cluster.way(1, 0, A) === lan;

/** An outage of LAN A; how long its traffic stays away once it is over. */
function stayedAwayUs(cluster: Cluster): number {
  cluster.cutLan(A);
  cluster.run(100 * milliseconds);
  if (!takes(cluster, B)()) throw new Error('it has not failed over');
  cluster.healLan(A);
  return cluster.runUntil(takes(cluster, A), 10 * seconds) ?? Number.POSITIVE_INFINITY;
}

/** What LAN A does to every packet, either way. */
function worsen(cluster: Cluster, change: Partial<LinkState>): void {
  for (const host of [0, 1]) cluster.setLink(A, host, 1 - host, change);
}

/** Why paths have gone down, each reason once. */
function reasons({ hosts }: Cluster): (string | null)[] {
  const downs = hosts.flatMap(({ events }) => events.filter(({ kind }) => kind === 'path-down'));
  return [...new Set(downs.map(({ reason }) => reason))];
}

t.test('hold: traffic returns that much later', async (t) => {
  const at = (holdUs: number) => stayedAwayUs(started({ holdUs }));
  const laterUs = at(500 * milliseconds) - at(0);
  t.ok(Math.abs(laterUs - 500 * milliseconds) <= interval, `${laterUs} us later`);
});

t.test(
  'flap window: who goes down within it needs twice as much, who does not, less',
  async (t) => {
    const cluster = started({ flapWindowUs: 2 * seconds });
    const times = [3, 1, 1, 5].map((quietS) => {
      cluster.run(quietS * seconds);
      return stayedAwayUs(cluster);
    });
    // By good packets: 10, 20, 40, and two quiet windows halve that twice.
    const more = times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / interval));
    t.same(
      more.map((packets) => Math.round(packets / 10)),
      [1, 2, -3],
      `${times} us`,
    );
  },
);

t.test('manual: traffic returns when it is told to', async (t) => {
  const cluster = started({ switchback: 'manual' });
  t.equal(stayedAwayUs(cluster), Number.POSITIVE_INFINITY);
  for (const host of cluster.hosts) {
    cluster.command(host, { kind: 'switchback', host: null, lan: A });
  }
  t.ok(cluster.runUntil(takes(cluster, A), 1 * seconds));
});

t.test('gray loss: a path that loses more is left, one that loses less is not', async (t) => {
  const cluster = started({ grayLoss: 0.1 });
  const losing = (lossPerMille: number) => {
    worsen(cluster, { lossPerMille, mostLostInARow: 2 });
    cluster.run(5 * seconds);
  };
  losing(20);
  t.same(reasons(cluster), []);
  losing(250);
  t.ok(reasons(cluster).includes('lossy'), `${reasons(cluster)}`);
  t.ok(takes(cluster, B)());
  t.same(unreachable(cluster), []);
  losing(0);
  t.ok(takes(cluster, A)(), 'taken again when it is well');
});

t.test('gray round trip: a path that takes longer is left, one that does not, not', async (t) => {
  const cluster = started({ grayRoundTripUs: 2 * milliseconds });
  const delayed = (delayUs: number) => {
    worsen(cluster, { delayUs });
    cluster.run(10 * seconds);
  };
  delayed(900);
  t.same(reasons(cluster), []);
  delayed(1500);
  t.ok(reasons(cluster).includes('slow'), `${reasons(cluster)}`);
  t.ok(takes(cluster, B)());
  delayed(50);
  t.ok(takes(cluster, A)(), 'taken again when it is well');
});
