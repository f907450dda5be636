// Aim: one seed is one trace - every event, every route operation, every packet's arrival - in this
// process and in any other; another seed is another one.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { sceneOf, simulate } from './simulate.js';

const seeds = [1, 2, 3];
const program = fileURLToPath(new URL('./simulate.js', import.meta.url));

function hashHere(seed: number): string {
  return simulate(sceneOf(seed)).cluster.trace.digest();
}

function hashElsewhere(seed: number): string | undefined {
  const told = execFileSync(process.execPath, [program, String(seed)], { encoding: 'utf8' });
  return /^trace ([0-9a-f]{64})$/m.exec(told)?.[1];
}

t.test('the same seed gives the same trace, in two processes and twice in one', async (t) => {
  for (const seed of seeds) {
    const hash = hashHere(seed);
    t.equal(hashHere(seed), hash, `seed ${seed}, again`);
    t.equal(hashElsewhere(seed), hash, `seed ${seed}, in another process`);
    t.equal(hashElsewhere(seed), hash, `seed ${seed}, in a third`);
  }
});

t.test('another seed gives another trace', async (t) => {
  t.equal(new Set(seeds.map(hashHere)).size, seeds.length);
});

t.test('the seed of the network alone makes a difference, with the same faults', async (t) => {
  const scene = sceneOf(1);
  const other = { ...scene, seed: scene.seed + 1 };
  t.not(simulate(other).cluster.trace.digest(), simulate(scene).cluster.trace.digest());
});
