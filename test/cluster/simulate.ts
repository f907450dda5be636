// A random life of a random cluster, told line by line:
//
//   node dist-test/test/cluster/simulate.js [SEED]
//
// One seed is one story. It ends with the hash of all that happened, and with exit status 1 if the
// cluster did not find back or broke an invariant on the way. test/cluster/trace.test.ts compares
// the hashes of several processes.
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { Cluster } from './cluster.js';
import { settle } from './convergence.js';
import { faultKinds, strike } from './faults.js';
import { watch } from './invariants.js';
import { open, type Scene, scenes, startInTurn } from './scenes.js';

const mostFaults = 40;

export function sceneOf(seed: number): Scene {
  const [scene] = fc.sample(scenes(faultKinds, mostFaults), { seed, numRuns: 1 });
  if (scene === undefined) throw new Error(`no scene of seed ${seed}`);
  return scene;
}

/** Lives the whole scene and heals. What is still wrong then, and the cluster to look at. */
export function simulate(scene: Scene): { cluster: Cluster; complaints: string[] } {
  const cluster = open(scene);
  watch(cluster);
  startInTurn(cluster, scene);
  for (const fault of scene.faults) strike(cluster, fault);
  cluster.heal();
  return { cluster, complaints: settle(cluster) };
}

function main(seed: number): void {
  const scene = sceneOf(seed);
  process.stdout.write(`${scene.lans} LANs, hosts ${JSON.stringify(scene.hosts, undefined, 1)}\n`);
  const { cluster, complaints } = simulate(scene);
  for (const line of [...cluster.trace.lines, ...complaints]) process.stdout.write(`${line}\n`);
  process.stdout.write(`trace ${cluster.trace.digest()}\n`);
  if (complaints.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(Number(process.argv[2] ?? 1));
}
