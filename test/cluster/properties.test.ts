// Aim: whatever happens to whatever cluster, the invariants hold after every step; when it is over
// everybody finds back within the bound; while faults last, everybody who has a LAN in common
// reaches each other on every address. scenes.ts says how a failure is replayed.
import t from 'tap';
import { endure, settle } from './convergence.js';
import { convergenceUs } from './detector.js';
import { cutKinds, type FaultKind, faultKinds, strike, troubleKinds } from './faults.js';
import { watch } from './invariants.js';
import { check, open, type Scene, scenes, startInTurn } from './scenes.js';
import { simulate } from './simulate.js';

t.test('every kind of fault: sound at every step, and healed within the bound', async (t) => {
  const struck = new Set<FaultKind>();
  check(t, 25, scenes(faultKinds, 30), (scene) => {
    for (const { kind } of scene.faults) struck.add(kind);
    return simulate(scene).complaints;
  });
  t.same([...struck].sort(), [...faultKinds].sort(), 'each kind has struck');
});

t.test('while faults last: any LAN in common is enough, for every address', async (t) => {
  check(t, 15, scenes([...cutKinds, ...cutKinds, ...troubleKinds], 12), (scene) => {
    const cluster = open(scene);
    watch(cluster);
    startInTurn(cluster, scene);
    for (const fault of scene.faults) strike(cluster, fault);
    const lasting = endure(cluster);
    cluster.heal();
    return [...lasting, ...settle(cluster)];
  });
});

/**
 * Every inquiry may be lost, but never f in a row, late and twice. Between a requestor and a
 * responder an inquiry *or* its answer may be lost; there the answers get through.
 */
function worstHarmless(scene: Scene) {
  const cluster = open(scene);
  for (const from of cluster.hosts) {
    for (const to of cluster.hosts) {
      const loss = from.options.requestor ? 300 + ((scene.seed >>> 3) % 500) : 0;
      for (let lan = 0; lan < scene.lans; lan++) {
        const failAfter = Math.min(from.timingOn(lan).failAfter, to.timingOn(lan).failAfter);
        const mostLostInARow = failAfter - 1;
        cluster.lans.set(cluster.nowUs, lan, from.number, to.number, {
          delayUs: 50 + ((scene.seed >>> (lan + 5)) % 3000),
          jitterUs: 40,
          duplicatePerMille: scene.seed % 200,
          lossPerMille: loss,
          mostLostInARow,
        });
      }
    }
  }
  return cluster;
}

t.test('nothing cut, at most f-1 packets in a row lost: no verdict', async (t) => {
  check(t, 25, scenes(faultKinds, 0), (scene) => {
    const cluster = worstHarmless(scene);
    watch(cluster);
    startInTurn(cluster, scene);
    cluster.run(convergenceUs(cluster));
    const verdicts = cluster.hosts.flatMap(({ events }) =>
      events.filter(({ kind }) => kind === 'path-down' || kind === 'lan-down'),
    );
    return verdicts.map(({ kind, reason }) => `${kind} (${reason})`);
  });
});
