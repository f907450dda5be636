// The kinds of failure, each as often as the others and in turn: the whole LAN, one host's link,
// one direction of it, and a link that loses its carrier besides.
//
// Three hosts, so that one host's link is not the whole LAN: the others must move their traffic for
// that host only. Hosts 1 and 2 are observed; the failing link is host 1's.
import { cutNotes, msFigure } from '../cut-report.js';
import { type CutResult, cutSeries } from '../cuts.js';
import type { CutTarget } from '../lab.js';
import { beginMeasuring, endMeasuring, withPair } from '../pair.js';
import type { Figure, Scale, ScenarioResult } from '../scenario.js';

const kTiming = { interval: 0.001, failAfter: 3, restoreAfter: 10 };

interface Kind {
  name: string;
  target: CutTarget;
  /** The kernel may take a second to bring a link back. */
  settleUs?: number;
}

const kKinds: Kind[] = [
  { name: 'whole LAN', target: { lan: 'a' } },
  { name: 'one link', target: { lan: 'a', host: 1 } },
  {
    name: 'one way, what host1 sends',
    target: { lan: 'a', host: 1, direction: 'outgoing' },
  },
  {
    name: 'one way, what host1 receives',
    target: { lan: 'a', host: 1, direction: 'incoming' },
  },
  {
    name: 'one link with its carrier',
    target: { lan: 'a', host: 1, carrier: true },
    settleUs: 1_500_000,
  },
];

type Seen = Kind & { cuts: CutResult[] };

export async function cutKinds(scale: Scale): Promise<ScenarioResult> {
  const seen: Seen[] = kKinds.map((kind) => ({ ...kind, cuts: [] }));
  await withPair(
    kTiming,
    async (pair) => {
      await beginMeasuring(pair);
      for (let round = 0; round < scale.of(20, 1, 1); round++) {
        for (const { target, settleUs = 200_000, cuts } of seen) {
          const order = { count: 1, target, intervalUs: 1000, holdUs: 200_000, settleUs };
          cuts.push(...(await cutSeries(pair.lab, { ...order, seed: round })));
        }
      }
      await endMeasuring(pair);
    },
    3,
  );
  return describe(seen);
}

const endsOf = ({ cuts }: Seen) => cuts.flatMap((cut) => Object.values(cut.ends));
const worstGap = (cut: CutResult): number =>
  Math.max(...Object.values(cut.streams).map(({ gapUs }) => gapUs));

function figures(seen: Seen): Figure[] {
  const ends = endsOf(seen);
  const carrier = ends.map((end) => end.cutToCarrierUs);
  return [
    msFigure(
      `${seen.name}: cut -> route changed`,
      ends.map((end) => end.cutToMovedUs),
    ),
    msFigure(`${seen.name}: stream gap, the longer of both ways`, seen.cuts.map(worstGap)),
    msFigure(
      `${seen.name}: heal -> switched back`,
      ends.map((end) => end.healToReturnedUs),
    ),
    ...(seen.target.carrier
      ? [msFigure(`${seen.name}: cut -> the host’s kernel tells of its lost carrier`, carrier)]
      : []),
  ];
}

function describe(seen: Seen[]): ScenarioResult {
  return {
    name: 'cut-kinds',
    title: 'Kinds of failure',
    method: [
      'Three hosts at `-t 0.001 -f 3 -s 10`; LAN A fails for 200 ms in five ways, in turn: the whole',
      'LAN; host1’s link; only what host1 sends, or receives; and host1’s link with its carrier (the',
      'frames stop at the cut’s instant, then the switch’s port goes down, as when a cable is',
      'pulled; it comes up again right before the heal). Observed are hosts 1 and 2, both together.',
    ],
    figures: seen.flatMap(figures),
    notes: cutNotes(
      seen.flatMap(({ cuts }) => cuts),
      (index) =>
        seen.flatMap(({ name, cuts }) => cuts.map((_, i) => `${name}, cut ${i + 1}`))[index] ?? '',
    ),
    plots: [
      {
        kind: 'distribution',
        file: 'cut-kinds.svg',
        title: 'Cut → route changed at -t 0.001 -f 3, by the kind of failure',
        unit: 'ms',
        series: seen.map((one) => ({
          name: one.name,
          values: endsOf(one).flatMap(({ cutToMovedUs: us }) => (us === null ? [] : [us / 1000])),
        })),
      },
    ],
    raw: seen.map(({ name, cuts }) => ({ name, cuts })),
  };
}
