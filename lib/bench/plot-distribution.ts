// Latency distribution curves: the share of the measurements (y) that were no longer than x. Each
// measurement is a step, and the longest one ends in a dot, so no curve hides its worst. Used by
// `faild bench` and by the project's bench.

import { summarize } from '../base/summary.js';
import { type Axis, linear, logarithmic, roundOut, tickText } from './plot-scale.js';
import { card, element, kSeriesColours, line, path, px, text } from './plot-svg.js';

/** One curve: the measured values themselves. */
export interface Series {
  name: string;
  values: number[];
}

/** For each latency on the x axis, the share of the measurements that were no longer. */
export interface Distribution {
  title: string;
  unit: string;
  /** Logarithmic unless said otherwise. */
  linear?: boolean;
  series: Series[];
}

const kWidth = 860;
const kLeft = 56;
const kRight = kWidth - 28;
const kLegendRow = 20;
const kPlotHeight = 280;
const kShares = [0, 0.25, 0.5, 0.75, 1];
const kColumns = [450, 526, 603, 679, 756, kRight];
const kColumnNames = ['count', 'min', 'p50', 'p99', 'p99.9', 'max'];

export function drawDistribution(plot: Distribution): string {
  const series = plot.series.filter(({ values }) => values.length > 0);
  const top = 66 + series.length * kLegendRow + 14;
  const bottom = top + kPlotHeight;
  const x = xAxis(plot, series);
  const y = (share: number) => bottom - share * (bottom - top);
  return card(kWidth, bottom + 54, plot.title, [
    text(20, 30, plot.title, { class: 'title' }),
    ...legend(series, plot.unit),
    ...grid(x, y, top, bottom),
    ...series.flatMap((one, i) => curve(one, i % kSeriesColours, x, y)),
    text((kLeft + kRight) / 2, bottom + 40, `${plot.unit}${plot.linear ? '' : ', logarithmic'}`, {
      class: 'quiet',
      'text-anchor': 'middle',
    }),
  ]);
}

function xAxis({ linear: isLinear }: Distribution, series: Series[]): Axis {
  const measured = series.flatMap(({ values }) => values).filter((value) => value > 0);
  const all = measured.length === 0 ? [1] : measured; // zeros alone say nothing of a scale
  const to = roundOut(Math.max(...all) * 1.02, true);
  if (isLinear) return linear(0, to, kLeft, kRight);
  const from = roundOut(Math.min(...all), false);
  return logarithmic(from, to > from ? to : 10 * from, kLeft, kRight);
}

/** The curves' key is a small table: what a curve shows badly, it says in figures. */
function legend(series: Series[], unit: string): string[] {
  const head = kColumnNames.map((name, column) =>
    text(kColumns[column] ?? 0, 56, name === 'count' ? name : `${name}, ${unit}`, {
      class: 'small quiet',
      'text-anchor': 'end',
    }),
  );
  const rows = series.flatMap(({ name, values }, i) => {
    const y = 76 + i * kLegendRow;
    const summary = summarize(values);
    const cells = summary
      ? [summary.count, summary.min, summary.p50, summary.p99, summary.p999, summary.max]
      : [];
    return [
      element('line', {
        x1: 20,
        x2: 44,
        y1: y - 4,
        y2: y - 4,
        class: `curve s${i % kSeriesColours}`,
      }),
      text(52, y, name),
      ...cells.map((cell, column) =>
        text(kColumns[column] ?? 0, y, column === 0 ? String(cell) : cell.toPrecision(3), {
          'text-anchor': 'end',
        }),
      ),
    ];
  });
  return [...head, ...rows];
}

function grid(x: Axis, y: (share: number) => number, top: number, bottom: number): string[] {
  return [
    ...x.between.map((value) => line(x.at(value), top, x.at(value), bottom, 'grid')),
    ...x.ticks.flatMap((value) => [
      line(x.at(value), top, x.at(value), bottom + 5, 'grid'),
      text(x.at(value), bottom + 20, tickText(value), { 'text-anchor': 'middle', class: 'quiet' }),
    ]),
    ...kShares.flatMap((share) => [
      line(kLeft, y(share), kRight, y(share), 'grid'),
      text(kLeft - 8, y(share) + 4, `${share * 100} %`, { 'text-anchor': 'end', class: 'quiet' }),
    ]),
    line(kLeft, bottom, kRight, bottom, 'axis'),
  ];
}

function curve({ values }: Series, colour: number, x: Axis, y: (share: number) => number) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (value: number) => Math.max(kLeft, x.at(Math.max(value, Number.MIN_VALUE)));
  const steps = sorted.map((value, i) => {
    return `H${px(place(value))}V${px(y((i + 1) / sorted.length))}`;
  });
  const first = `M${px(place(sorted[0] ?? 0))} ${px(y(0))}`;
  const dot = { cx: place(sorted.at(-1) ?? 0), cy: y(1), r: 4, class: `f${colour}` };
  return [path(first + steps.join(''), `curve s${colour}`), element('circle', dot)];
}
