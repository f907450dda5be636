// Aim: each invariant can be broken - by a world that we falsify behind the engine's back - and is
// then named. An invariant that nothing can break would watch nothing.
import t from 'tap';
import type { VirtualEffects, VirtualRouteOp } from '../../lib/engine/native.js';
import { hostId } from './addresses.js';
import { Cluster, milliseconds, seconds } from './cluster.js';
import { Breach, watch } from './invariants.js';

const A = 0;

function started(lans = 2): Cluster {
  const cluster = new Cluster({ seed: 1, lans, hosts: [{}, {}, {}], families: 'ipv4' });
  watch(cluster);
  cluster.startAll();
  cluster.run(1 * seconds);
  return cluster;
}

function breaks(name: RegExp, act: () => void): void {
  t.test(`${name.source} can be broken`, async (t) => {
    t.throws(act, { name: Breach.name, message: name });
  });
}

/** A step of host 0 that no engine ever took. */
function pretend(cluster: Cluster, made: Partial<VirtualEffects>): void {
  const effects = { sends: [], routeOps: [], events: [], resync: false, ...made };
  cluster.onStep({ host: cluster.host(0), input: 'pretence', effects, refused: [] });
}

function firstEntry(cluster: Cluster, what: string): VirtualRouteOp {
  const entry = cluster.host(0).kernel.entries.find((op) => op.what === what);
  if (entry === undefined) throw new Error(`host 0 has no ${what}`);
  return entry;
}

breaks(/^sound choice: host 0 .* takes .*A.* while B is up/, () => {
  const cluster = started();
  cluster.cutLan(A);
  cluster.run(100 * milliseconds);
  // Somebody leads traffic back to the dead LAN, before faild's own rules.
  const { kernel } = cluster.host(0);
  const back = { ...firstEntry(cluster, 'route'), table: 7, destination: '10.1.0.2/32' };
  kernel.carryOut({ ...back, outIfindex: 10, gateway: '10.1.0.2' });
  kernel.carryOut({ ...firstEntry(cluster, 'rule'), table: 7, priority: 1 });
  cluster.run(100 * milliseconds);
});

breaks(/^silent replay: host 0 .* was asked for/, () => {
  const cluster = started(3);
  // The engine is told another plan, and nobody is told of it.
  const plan = { ...cluster.host(0).plan(), preference: [2, 1, 0] };
  for (const op of cluster.host(0).engine?.onCommand(cluster.nowUs, { kind: 'set-plan', plan })
    .routeOps ?? []) {
    cluster.host(0).kernel.carryOut(op);
    cluster.host(0).engine?.onRouteResult(cluster.nowUs, op.id, 0);
  }
  cluster.run(100 * milliseconds);
});

breaks(/^founded verdicts: host 0 .* path-down host 1 on LAN A \(silent\)/, () => {
  const cluster = started();
  const event = cluster.host(0).events[0];
  if (event === undefined) throw new Error('nothing has happened');
  const verdict = { ...event, kind: 'path-down', host: hostId(1), lan: A, reason: 'silent' };
  pretend(cluster, { events: [verdict] });
});

breaks(/^needed operations: host 0 .* asked for what it has/, () => {
  const cluster = started();
  cluster.host(0).kernel.carryOut(firstEntry(cluster, 'route'));
  cluster.run(100 * milliseconds);
});

breaks(/^needed operations: host 0 .* refused with errno 17/, () => {
  const cluster = started();
  const refused = [{ op: firstEntry(cluster, 'rule'), error: 17 }];
  const effects = { sends: [], routeOps: [], events: [], resync: false };
  cluster.onStep({ host: cluster.host(0), input: 'pretence', effects, refused });
});

breaks(/^one metric each: host 0 .* two routes/, () => {
  const cluster = started();
  const entry = firstEntry(cluster, 'route');
  cluster.host(0).kernel.carryOut({ ...entry, destination: '10.1.0.99/32' });
  cluster.run(100 * milliseconds);
});

breaks(/^true neighbours: host 0 .* never was at 02:00:00:00:00:99/, () => {
  const cluster = started();
  const op = { ...firstEntry(cluster, 'route'), what: 'neighbour', kind: 'neighbour' } as const;
  const gateway = '02:00:00:00:00:99';
  pretend(cluster, { routeOps: [{ ...op, destination: '10.1.0.2', outIfindex: 10, gateway }] });
});

breaks(/^dump first: host 0/, () => {
  const cluster = started();
  cluster.host(0).synced = false;
  pretend(cluster, { routeOps: [firstEntry(cluster, 'route')] });
});
