// Probes as they pass, one by one, for as long as somebody listens: `faild probes --live`. Served
// by control/routes.ts.
//
// They come by the tap (engine/tap.ts), which all listeners share. Each has a queue of his own
// here, so that a slow one holds up nobody, and is told what he has missed.
import type { ClockReading } from '../base/clock.js';
import type { NativeProbe, NativeProbeQuery, NativeTappedProbe } from '../engine/native.js';
import {
  factsOf,
  isRegular,
  type PassedProbe,
  type ProbeNames,
  type SeenProbe,
  see,
} from '../engine/probes.js';
import { isWanted, type TapListener } from '../engine/tap.js';
import { checkScope, findPeer } from './moves.js';
import { ReaderQueue } from './reader-queue.js';
import type { Status } from './status.js';

/** Probes that went by too fast to be told, of all that this listener follows. */
export interface MissedProbes {
  more: number;
  /** As he has named them; null: not named. */
  lan: string | null;
  peer: SeenProbe['peer'];
}

/** Null: all. */
export interface ProbeScope {
  peer: string | null;
  lan: string | null;
}

/** What it needs of a running faild; faild.ts has it. */
export interface ProbeSource {
  status(): Promise<Status>;
  tapProbes(
    query: NativeProbeQuery,
    listener: TapListener,
  ): Promise<{ now: ClockReading; leave: () => void }>;
}

/** A listener may be so many behind: two seconds of a peer on two LANs at 1 ms. */
const untoldAtMost = 8192;

/**
 * Begins with what comes from now on; ends with the signal, also while nothing comes. Throws at the
 * first step when there is no such path.
 */
export async function* followProbes(
  source: ProbeSource,
  scope: ProbeScope,
  gone: AbortSignal,
): AsyncGenerator<SeenProbe | MissedProbes, void> {
  const begun = await source.status();
  const query = queryOf(begun, scope);
  const met = new Set(begun.peers.map(({ id }) => id));
  let names = namesOf(begun);
  const peer = query.host === null ? null : names.peer(query.host);
  const queue = new ReaderQueue<PassedProbe | number>(
    untoldAtMost,
    (lost) => lost,
    () => undefined,
  );
  const { now, leave } = await source.tapProbes(query, listenerOf(query, queue));
  const hangUp = () => void queue.return();
  gone.addEventListener('abort', hangUp);
  if (gone.aborted) hangUp();
  try {
    for await (const passed of queue) {
      if (typeof passed === 'number') {
        yield { more: passed, lan: scope.lan, peer };
        continue;
      }
      if (passed.host !== null && !met.has(passed.host)) {
        met.add(passed.host);
        names = namesOf(await source.status());
      }
      // One reading of the clocks for the whole stream: the wall clock's steps are no gaps.
      yield see(passed, names, now);
    }
  } finally {
    gone.removeEventListener('abort', hangUp);
    leave();
  }
}

/** What he wants of the tap goes into his queue, each measured by the regular one before it. */
function listenerOf(
  query: NativeProbeQuery,
  queue: ReaderQueue<PassedProbe | number>,
): TapListener {
  const regular = new Map<string, NativeProbe>();
  const take = (probe: NativeTappedProbe) => {
    if (probe.lostBefore > 0) {
      queue.lose(probe.lostBefore);
      regular.clear(); // nobody knows what was before it
    }
    if (!isWanted(query, probe)) return;
    const { host, lan, intervalUs, atUs } = probe;
    const key = `${host}/${lan}`;
    queue.push({ host, lan, monotonicUs: atUs, ...factsOf(probe, regular.get(key), intervalUs) });
    if (isRegular(probe)) regular.set(key, probe);
  };
  return { take: (probes) => probes.forEach(take), end: () => queue.end() };
}

/** Throws ENOENT for a LAN or a peer that is not known. */
export function queryOf(status: Status, { peer, lan }: ProbeScope): NativeProbeQuery {
  if (lan !== null) checkScope(status, { lan, peer });
  const host = peer === null ? null : findPeer(status.peers, peer).id;
  const index = status.lans.findIndex(({ name }) => name === lan);
  return { host, lan: lan === null ? null : index };
}

export function namesOf({ peers, lans }: Status): ProbeNames {
  const names = new Map(peers.map(({ id, name }) => [id, name]));
  return {
    peer: (id) => ({ id, name: names.get(id) || id }),
    lan: (index) => lans[index]?.name ?? '?',
  };
}
