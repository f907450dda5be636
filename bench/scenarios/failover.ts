// A silent cut in the middle of LAN A at random phase, many times: how long until the kernels at
// both ends send by LAN B, what a stream notices, and how it returns after the heal.
import { type CutResult, cutSeries } from '../cuts.js';
import { beginMeasuring, endMeasuring, withPair } from '../pair.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

export interface FailoverOrder {
  name: string;
  title: string;
  intervalUs: number;
  failAfter: number;
  restoreAfter: number;
  bars: Bar[];
}

export const kMillisecond: FailoverOrder = {
  name: 'failover-1ms',
  title: 'Silent cut at `-t 0.001 -f 3`',
  intervalUs: 1000,
  failAfter: 3,
  restoreAfter: 10,
  bars: [
    { figure: 'p50', limit: 3.0 },
    { figure: 'p99', limit: 3.5 },
  ],
};
export const kFifthOfIt: FailoverOrder = {
  name: 'failover-200us',
  title: 'Silent cut at `-t 0.0002 -f 5`',
  intervalUs: 200,
  failAfter: 5,
  restoreAfter: 10,
  bars: [{ figure: 'p99', limit: 1.4 }],
};

export function failover(order: FailoverOrder, scale: Scale): Promise<ScenarioResult> {
  const { intervalUs, failAfter, restoreAfter } = order;
  return withPair({ interval: intervalUs / 1e6, failAfter, restoreAfter }, async (pair) => {
    await beginMeasuring(pair);
    const cuts = await cutSeries(pair.lab, {
      count: scale.of(200, 30),
      target: { lan: 'a' },
      intervalUs,
      holdUs: 200_000,
      settleUs: 200_000,
    });
    await endMeasuring(pair);
    return {
      name: order.name,
      title: order.title,
      method: [
        `Two hosts with \`-r -t ${intervalUs / 1e6} -f ${failAfter} -s ${restoreAfter}\`;`,
        'all of LAN A is cut for 200 ms, then healed. Route changed: the first instant at which the',
        'kernel, asked after a route or rule notification, sends by LAN B.',
      ],
      figures: cutFigures(cuts, order.bars),
      notes: cutNotes(cuts),
      raw: cuts,
    };
  });
}

const toMs = (values: (number | null)[]): number[] =>
  values.filter((value) => value !== null).map((value) => value / 1000);

/**
 * The tables of a series of cuts. The bars hold for each end, and for every cut, stalled or not.
 */
export function cutFigures(cuts: readonly CutResult[], bars: readonly Bar[]): Figure[] {
  const ends = Object.keys(cuts[0]?.ends ?? {});
  const streams = Object.keys(cuts[0]?.streams ?? {});
  const ms = (name: string, values: (number | null)[], bar: readonly Bar[] = []): Figure => ({
    name,
    unit: 'ms',
    summary: summarize(toMs(values)),
    bars: [...bar],
  });
  const calm = cuts.filter((cut) => cut.stallUs === null);
  const moved = (list: readonly CutResult[], end: string) =>
    list.map((cut) => cut.ends[end]?.cutToMovedUs ?? null);
  return [
    ...ends.map((end) => ms(`cut -> route changed at ${end}`, moved(cuts, end), bars)),
    ...ends.map((end) => ms(`the same, machine not stalled, at ${end}`, moved(calm, end))),
    ...streams.map((s) =>
      ms(
        `stream gap ${s}`,
        cuts.map((cut) => cut.streams[s]?.gapUs ?? null),
      ),
    ),
    ...ends.map((end) =>
      ms(
        `heal -> switched back at ${end}`,
        cuts.map((cut) => cut.ends[end]?.healToReturnedUs ?? null),
      ),
    ),
  ];
}

export function cutNotes(cuts: readonly CutResult[]): string[] {
  const ends = cuts.flatMap((cut) => Object.values(cut.ends));
  const streams = cuts.flatMap((cut) => Object.values(cut.streams));
  const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
  const stuck = ends.filter((end) => end.cutToMovedUs === null).length;
  const away = ends.filter((end) => end.healToReturnedUs === null).length;
  const lost = total(streams.map((stream) => stream.lostAtSwitchback));
  const late = total(streams.map((stream) => stream.lateAtSwitchback));
  const stalls = cuts.flatMap((cut) => (cut.stallUs === null ? [] : [cut.stallUs / 1000]));
  const longest = stalls.length === 0 ? '' : ` (longest ${Math.max(...stalls).toFixed(1)} ms)`;
  return [
    `Of ${ends.length} ends ${stuck} never failed over, ${away} never switched back.`,
    `Route changes beside those: ${total(ends.map((end) => end.otherMoves))}.`,
    `Packets lost at switchback: ${lost}; out of order: ${late}.`,
    `Cuts during which the machine itself stalled for more than 0.5 ms: ${stalls.length}${longest}.`,
  ];
}
