// What a series of cuts says on the page: its table, its notes, its curves. Used by every scenario
// that cuts.
import { type CutResult, kKnownWithinUs, type Stray } from './cuts.js';
import type { Series } from './plot/plots.js';
import type { Bar, Figure } from './scenario.js';
import { summarize } from './statistics.js';

const kMostListed = 20;

const toMs = (values: (number | null)[]): number[] =>
  values.filter((value) => value !== null).map((value) => value / 1000);

export const msFigure = (
  name: string,
  valuesUs: (number | null)[],
  bars: readonly Bar[] = [],
): Figure => ({ name, unit: 'ms', summary: summarize(toMs(valuesUs)), bars: [...bars] });

const names = (record: object | undefined): string[] => Object.keys(record ?? {});

const movedAt = (list: readonly CutResult[], end: string) =>
  list.map((cut) => cut.ends[end]?.cutToMovedUs ?? null);

/**
 * The table of a series of cuts. The bars hold for each end, and for every cut, stalled or not.
 */
export function cutFigures(cuts: readonly CutResult[], bars: readonly Bar[]): Figure[] {
  const ends = names(cuts[0]?.ends);
  const streams = names(cuts[0]?.streams);
  const calm = cuts.filter((cut) => cut.stallUs === null);
  return [
    ...ends.map((end) => msFigure(`cut -> route changed at ${end}`, movedAt(cuts, end), bars)),
    ...ends.map((end) => msFigure(`the same, machine not stalled, at ${end}`, movedAt(calm, end))),
    ...streams.map((s) =>
      msFigure(
        `stream gap ${s}`,
        cuts.map((cut) => cut.streams[s]?.gapUs ?? null),
      ),
    ),
    ...ends.map((end) =>
      msFigure(
        `heal -> switched back at ${end}`,
        cuts.map((cut) => cut.ends[end]?.healToReturnedUs ?? null),
      ),
    ),
    ...switchbackFigures(cuts),
    ...cpuFigures(cuts),
  ];
}

function switchbackFigures(cuts: readonly CutResult[]): Figure[] {
  const streams = cuts.flatMap((cut) => Object.values(cut.streams));
  if (streams.length === 0) return [];
  const figure = (name: string, values: number[]): Figure => ({
    name,
    unit: 'count',
    summary: summarize(values),
  });
  return [
    figure(
      'packets of a stream lost at switchback',
      streams.map((stream) => stream.lostAtSwitchback),
    ),
    figure(
      'packets of a stream out of order at switchback',
      streams.map((stream) => stream.lateAtSwitchback),
    ),
  ];
}

function cpuFigures(cuts: readonly CutResult[]): Figure[] {
  const percent = cuts.flatMap((cut) => cut.cpuPercent);
  if (percent.length === 0) return [];
  return [{ name: 'CPU of a daemon during a cut', unit: '%', summary: summarize(percent) }];
}

/** The curves that say most: how long a kernel sent into the void, what a stream noticed. */
export function cutSeriesOf(cuts: readonly CutResult[]): Series[] {
  const ends = cuts.flatMap((cut) => Object.values(cut.ends));
  const streams = cuts.flatMap((cut) => Object.values(cut.streams));
  return [
    { name: 'cut → route changed', values: toMs(ends.map((end) => end.cutToMovedUs)) },
    { name: 'stream gap', values: toMs(streams.map((stream) => stream.gapUs)) },
    { name: 'heal → switched back', values: toMs(ends.map((end) => end.healToReturnedUs)) },
  ];
}

/** `nameOf`: what the notes call the cut with an index. */
export function cutNotes(
  cuts: readonly CutResult[],
  nameOf = (index: number) => `cut ${index + 1}`,
): string[] {
  const ends = cuts.flatMap((cut) => Object.values(cut.ends));
  const before = ends.filter((end) => end.awayBefore).length;
  const stuck = ends.filter((end) => end.cutToMovedUs === null && !end.awayBefore).length;
  const away = ends.filter((end) => end.healToReturnedUs === null).length;
  const stalls = cuts.flatMap((cut) => (cut.stallUs === null ? [] : [cut.stallUs / 1000]));
  const longest = stalls.length === 0 ? '' : ` (longest ${Math.max(...stalls).toFixed(1)} ms)`;
  return [
    `Of ${ends.length} ends ${stuck} never failed over, ${away} never switched back, ${before} were away before the cut.`,
    ...strayNotes(cuts, nameOf),
    `Cuts during which the machine itself stalled for more than 0.5 ms: ${stalls.length}${longest}.`,
    widthNote(cuts),
  ];
}

/** False verdicts: each is named, with what the machine did then. */
function strayNotes(cuts: readonly CutResult[], nameOf: (index: number) => string): string[] {
  const strays = cuts.flatMap((cut, i) => cut.strays.map((stray) => ({ stray, cut: nameOf(i) })));
  const stalled = strays.filter(({ stray }) => stray.stallUs !== null).length;
  const listed = strays.slice(0, kMostListed).map(({ stray, cut }) => strayText(stray, cut));
  const rest = strays.length - listed.length;
  return [
    `False verdicts (route changes beside those, and their way back): ${strays.length}, of which ${stalled} within 5 ms of a stall of the machine.`,
    ...listed.map((text) => `False verdict: ${text}.`),
    ...(rest > 0 ? [`False verdicts not listed here but in the raw figures: ${rest}.`] : []),
  ];
}

function strayText({ end, atUs, after, lastedUs, stallUs }: Stray, cut: string): string {
  const ms = (us: number) => (us / 1000).toFixed(1);
  const machine =
    stallUs === null ? 'the machine did not stall' : `the machine stalled for ${ms(stallUs)} ms`;
  const when =
    atUs < 0 ? `${ms(-atUs)} ms before the ${after}` : `${ms(atUs)} ms after the ${after}`;
  const lasted = lastedUs === null ? 'for good' : `for ${ms(lastedUs)} ms`;
  return `${cut}, ${end}, ${when}, ${lasted}; ${machine}`;
}

function widthNote(cuts: readonly CutResult[]): string {
  const summary = summarize(cuts.map((cut) => cut.cutWidthUs));
  if (summary === null) return 'No cut was made.';
  const repeated = cuts.flatMap((cut) => cut.repeatedWidthsUs);
  const longest = repeated.length === 0 ? '' : ` (up to ${Math.max(...repeated).toFixed(1)} us)`;
  return `The cuts’ instants are known to within ${summary.p50.toFixed(1)} us (p50), ${summary.max.toFixed(1)} us (max); ${repeated.length} more were known less well than ${kKnownWithinUs} us${longest}, and were made again.`;
}
