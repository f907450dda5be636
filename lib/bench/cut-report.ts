// What `faild bench --cut` says, as one versioned JSON document: the events of each cut, read.
// Pure; made of what bench/cut.ts has seen; shown by bench/cut-text.ts and bench/html.ts.
//
// All instants are the engine's own, on one CLOCK_MONOTONIC. Its peer's verdict is seen by its
// packet that lists us as missing, sent at once: so one way through the network is in the figure.

import { type Summary, summarize } from '../base/summary.js';
import type { FaildEvent } from '../cluster/events.js';
import type { Status } from '../cluster/status.js';

/** One cut and its heal, in us. */
export interface CutSample {
  /** `in`: we do not hear the peers. `out`: they do not hear us. */
  direction: 'in' | 'out';
  /** Cut -> our own verdict, a path or the whole LAN each. */
  hereUs: number[];
  /** Cut -> each peer's verdict, as it told us. */
  there: { peer: string; verdictUs: number }[];
  /** Cut -> the kernel here has moved the last of the traffic; null: it did not. */
  movedUs: number | null;
  /** Heal -> the kernel here has the last of it back. */
  returnedUs: number | null;
  /** It ended before it was told to: something else failed, or nobody noticed it in time. */
  endedEarly: boolean;
}

export interface CutReport {
  schema: 'faild.bench-cut/1';
  version: string;
  takenAt: string;
  host: string;
  lan: string;
  peers: string[];
  /** Cuts in each direction. */
  count: number;
  /** Null: not seen once. */
  here: { verdictUs: Summary | null; movedUs: Summary | null };
  /** All peers together, then one by one. */
  there: { verdictUs: Summary | null; peers: { peer: string; verdictUs: Summary | null }[] };
  returnedUs: Summary | null;
  /** By this host's interval and count, whatever the moment of the cut. */
  expectedUs: { min: number; max: number };
  notes: string[];
  samples: CutSample[];
}

/** What happened when, and to whom it may have happened. */
export interface CutScene {
  lan: string;
  /** Ids. */
  peers: ReadonlySet<string>;
  direction: 'in' | 'out';
  cutUs: number;
  healedUs: number;
}

type Verdict = FaildEvent<'path-down' | 'lan-down'>;

/** Verdicts on this LAN, and on these peers: a whole LAN's is everybody's. */
export function verdictsOf(events: readonly FaildEvent[], { lan, peers }: CutScene): Verdict[] {
  return events.filter((event): event is Verdict => {
    if (event.kind === 'lan-down') return event.lan.name === lan;
    const own = event.kind === 'path-down' && event.path.lan.name === lan;
    return own && peers.has(event.path.peer.id);
  });
}

export function movesOf(events: readonly FaildEvent[], { lan, peers }: CutScene): FaildEvent[] {
  return events.filter((event) => {
    if (event.kind === 'lan-failover') return event.lan.name === lan;
    return onPath(event, 'failover', lan, peers);
  });
}

export function returnsOf(events: readonly FaildEvent[], { lan, peers }: CutScene): FaildEvent[] {
  return events.filter((event) => {
    if (event.kind === 'lan-switchback') return event.lan.name === lan;
    return onPath(event, 'switchback', lan, peers);
  });
}

function onPath(
  event: FaildEvent,
  kind: 'failover' | 'switchback',
  lan: string,
  peers: ReadonlySet<string>,
): boolean {
  if (event.kind !== kind) return false;
  return event.path.lan.name === lan && peers.has(event.path.peer.id);
}

/** `events`: in any order, from before the cut to after the return. */
export function readCut(
  events: readonly FaildEvent[],
  scene: CutScene,
): Omit<CutSample, 'endedEarly'> {
  const { direction, cutUs, healedUs } = scene;
  const during = events.filter((e) => e.monotonicUs >= cutUs && e.monotonicUs <= healedUs);
  const after = events.filter((event) => event.monotonicUs > healedUs);
  const verdicts = verdictsOf(during, scene);
  const since = (list: readonly FaildEvent[]) => list.map((event) => event.monotonicUs - cutUs);
  // The LAN's own verdict from listings is but the sum of theirs.
  const there = verdicts.flatMap((e) =>
    e.kind === 'path-down' && e.reason === 'not-heard'
      ? { peer: e.path.peer.name, verdictUs: e.monotonicUs - cutUs }
      : [],
  );
  const noticed = verdicts.filter(({ reason }) => reason !== 'not-heard');
  return {
    direction,
    hereUs: since(noticed),
    there,
    movedUs: last(since(movesOf(during, scene))),
    returnedUs: last(returnsOf(after, scene).map((event) => event.monotonicUs - healedUs)),
  };
}

const last = (values: number[]): number | null =>
  values.length === 0 ? null : Math.max(...values);

export interface CutFacts {
  lan: string;
  peers: string[];
  count: number;
  expectedUs: { min: number; max: number };
}

export function buildCutReport(
  samples: CutSample[],
  { lan, peers, count, expectedUs }: CutFacts,
  { version, takenAt, host }: Status,
): CutReport {
  const pick = (values: (number | null)[]) => summarize(values.filter((value) => value !== null));
  const told = samples.flatMap(({ there }) => there);
  const toldBy = (name: string) => told.filter(({ peer }) => peer === name);
  return {
    schema: 'faild.bench-cut/1',
    version,
    takenAt,
    host: host.name,
    lan,
    peers,
    count,
    here: {
      verdictUs: pick(samples.flatMap(({ hereUs }) => hereUs)),
      movedUs: pick(samples.map(({ movedUs }) => movedUs)),
    },
    there: {
      verdictUs: pick(told.map(({ verdictUs }) => verdictUs)),
      peers: peers.map((peer) => ({
        peer,
        verdictUs: pick(toldBy(peer).map(({ verdictUs }) => verdictUs)),
      })),
    },
    returnedUs: pick(samples.map(({ returnedUs }) => returnedUs)),
    expectedUs,
    notes: notesOf(samples),
    samples,
  };
}

function notesOf(samples: readonly CutSample[]): string[] {
  const early = samples.filter(({ endedEarly }) => endedEarly).length;
  const stayed = samples.filter(({ movedUs }) => movedUs === null).length;
  const untold = samples.filter(({ direction, there }) => direction === 'out' && !there.length);
  return [
    ...(early > 0 ? [`${early} cuts ended by themselves before they were seen out`] : []),
    ...(stayed > 0 ? [`in ${stayed} cuts no traffic moved here`] : []),
    ...(untold.length > 0
      ? [`in ${untold.length} cuts no peer told its verdict: one that only answers cannot`]
      : []),
  ];
}

/** Something of each end was seen. */
export const isComplete = ({ here, there, returnedUs }: CutReport): boolean =>
  here.verdictUs !== null && there.verdictUs !== null && returnedUs !== null;
