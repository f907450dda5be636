// Random clusters and random lives for them, as fast-check's arbitraries, and how the properties
// are run: seeded, so that CI checks the same scenes every time, and printed, so that each failure
// is replayed by what it says.
//
//   FAILD_SEED=<n>     other scenes than CI's
//   FAILD_PATH=<path>  only the one that failed, as fast-check printed it with the seed
//   FAILD_RUNS=<n>     more of them
//   FAILD_SHRINK=1     look for a smaller scene that fails too
import fc, { type Arbitrary } from 'fast-check';
import type { Test } from 'tap';
import type { Families } from './addresses.js';
import { Cluster, type ClusterOptions, milliseconds } from './cluster.js';
import type { Fault, FaultKind } from './faults.js';
import type { HostOptions } from './host.js';

/** A cluster, when its hosts start, and what happens to it. */
export interface Scene extends ClusterOptions {
  /** Host n starts at n times this. */
  staggerMs: number;
  faults: Fault[];
}

const hosts: Arbitrary<HostOptions> = fc.record({
  requestor: fc.integer({ min: 0, max: 3 }).map((quarter) => quarter > 0),
  intervalUs: fc.constantFrom(10, 20, 50, 100).map((ms) => ms * milliseconds),
  failAfter: fc.integer({ min: 2, max: 4 }),
  restoreAfter: fc.integer({ min: 1, max: 10 }),
});

function fault(kinds: readonly FaultKind[]): Arbitrary<Fault> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    lan: fc.nat(2),
    host: fc.nat(4),
    other: fc.nat(4),
    size: fc.nat(999),
    pauseMs: fc.oneof(fc.nat(30), fc.nat(400)),
  });
}

/** Lives of clusters in which only such things happen, at most so many. */
export function scenes(kinds: readonly FaultKind[], mostFaults: number): Arbitrary<Scene> {
  return fc.record({
    seed: fc.nat(),
    lans: fc.integer({ min: 2, max: 3 }),
    hosts: fc.array(hosts, { minLength: 2, maxLength: 5 }),
    families: fc.constantFrom<Families[]>('ipv4', 'ipv6', 'both'),
    staggerMs: fc.constantFrom(0, 3, 200),
    faults: fc.array(fault(kinds), { maxLength: mostFaults, size: 'max' }),
  });
}

/** Raises the curtain: every host starts in its turn. */
export function open(scene: Scene): Cluster {
  const [first, ...others] = scene.hosts;
  // Somebody must ask.
  const cluster = new Cluster({ ...scene, hosts: [{ ...first, requestor: true }, ...others] });
  return cluster;
}

export function startInTurn(cluster: Cluster, { staggerMs }: Scene): void {
  for (const { number } of cluster.hosts) {
    cluster.start(number);
    cluster.run(staggerMs * milliseconds);
  }
}

/** Checks that `life` returns no complaint, for so many scenes. */
export function check(t: Test, runs: number, all: Arbitrary<Scene>, life: (s: Scene) => string[]) {
  const { FAILD_SEED, FAILD_PATH, FAILD_RUNS, FAILD_SHRINK } = process.env;
  const seed = Number(FAILD_SEED ?? 20030401);
  const property = fc.property(all, (scene) => {
    const complaints = life(scene);
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  });
  const numRuns = Number(FAILD_RUNS ?? runs);
  const path = FAILD_PATH === undefined ? {} : { path: FAILD_PATH };
  const endOnFailure = FAILD_SHRINK === undefined;
  const run = fc.check(property, {
    seed,
    numRuns,
    endOnFailure,
    includeErrorInReport: true,
    ...path,
  });
  if (run.failed) t.fail(fc.defaultReportMessage(run) ?? 'failed');
  else t.pass(`${run.numRuns} scenes of seed ${seed}`);
}
