// The detector's published times (native/core/path.h), said once more for the judges of a run: how
// long silence may last, and how long a cluster may take to find back.
import type { NativeTiming } from '../../lib/engine/native.js';
import type { Cluster } from './cluster.js';

/** One late wake-up of the sender and of the network. */
function toleranceUs(intervalUs: number): number {
  return Math.min(100, intervalUs / 4) + Math.min(intervalUs / 20, 5000);
}

/** Silence after which a path is dead. */
export function detectionUs(failAfter: number, intervalUs: number): number {
  return failAfter * intervalUs + toleranceUs(intervalUs);
}

/** Silence that disqualifies an alternate. */
export function overdueUs(failAfter: number, intervalUs: number): number {
  return Math.max(1, failAfter - 1) * intervalUs + toleranceUs(intervalUs);
}

/** A path that is just being heard again need not move before that. */
export function patienceUs({ failAfter, restoreAfter }: NativeTiming, intervalUs: number): number {
  return (intervalUs * restoreAfter * 3) / 2 + detectionUs(failAfter, intervalUs);
}

/** How far back the cause of a verdict may lie, for two hosts with these settings. */
export function memoryUs(a: NativeTiming, b: NativeTiming): number {
  const intervalUs = Math.max(a.intervalUs, b.intervalUs);
  const good = Math.max(a.restoreAfter, b.restoreAfter);
  const missed = Math.max(a.failAfter, b.failAfter);
  return 2 * detectionUs(missed, intervalUs) + (good + 4) * intervalUs;
}

/**
 * How long it may take until everybody's traffic goes where it should, once nothing changes any
 * more. In the order in which it happens, at the slowest interval I, with the most good packets s
 * and the longest detection time D:
 *
 *     a packet of everybody arrives, a stall's last effects pass          2 I + 300 ms
 *     the next solicit is due (at most 5 s apart), or a path that was
 *     never heard is introduced (within those 5 s)                        5 s
 *     s good packets, one round until the other end says so too           (s + 2) I
 *     a solicit that crossed one of those is repeated                     2 I
 *     both LANs serve                                                     D
 *     the LAN's rule goes, standby entries come                           3 I
 */
export function convergenceUs({ hosts }: Cluster): number {
  const all = hosts.flatMap(({ timing }) => timing);
  const most = (pick: (timing: NativeTiming) => number) => Math.max(...all.map(pick));
  const slowestUs = most(({ intervalUs }) => intervalUs);
  const good = most(({ restoreAfter }) => restoreAfter);
  const detection = detectionUs(
    most(({ failAfter }) => failAfter),
    slowestUs,
  );
  return 5_300_000 + (good + 9) * slowestUs + detection;
}
