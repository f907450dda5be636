// Aim: the bench's plots say what was measured: every curve reaches its own maximum, every frame
// has its mark, and no value makes a drawing that a browser cannot read.
import t, { type Test } from 'tap';
import { type DistributionPlot, draw, type TimelinePlot } from '../../bench/plot/plots.js';
import { linear, logarithmic, roundOut } from '../../lib/bench/plot-scale.js';

const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;
const readable = (t: Test, svg: string) => {
  t.notMatch(svg, /NaN|Infinity|undefined/);
  t.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
};

const distribution = (values: number[][]): DistributionPlot => ({
  kind: 'distribution',
  file: 'x.svg',
  title: 'a < b & c',
  unit: 'ms',
  series: values.map((list, i) => ({ name: `series ${i}`, values: list })),
});

t.test('distribution', async (t) => {
  const svg = draw(distribution([[3, 1, 2], [40], []]));
  readable(t, svg);
  t.match(svg, 'a &lt; b &amp; c');
  t.equal(count(svg, /<circle /g), 2, 'a dot at the maximum of each curve that has one');
  const steps = /class="curve s0"\/>/.test(svg) && /d="([^"]+)" class="curve s0"/.exec(svg)?.[1];
  t.equal(count(steps || '', /H/g), 3, 'a step for each measurement');
});

t.test('distribution: values without an extent, zeros, nothing', async (t) => {
  for (const values of [[[5, 5]], [[0, 1]], [[0]], [[]], []]) {
    readable(t, draw(distribution(values)));
    readable(t, draw({ ...distribution(values), linear: true }));
  }
});

t.test('timeline', async (t) => {
  const frames = [
    { atMs: -1, kind: 'stream' as const, arrived: true },
    { atMs: 0.5, kind: 'stream' as const, arrived: false },
    { atMs: 0.6, kind: 'heartbeat' as const, arrived: false },
    { atMs: 99, kind: 'stream' as const, arrived: true },
  ];
  const plot: TimelinePlot = {
    kind: 'timeline',
    file: 'x.svg',
    title: 'story',
    panels: [{ title: 'all but the last', fromMs: -2, toMs: 3 }],
    lanes: [{ name: 'host1', frames }],
    marks: [{ atMs: 0, name: 'cut', by: 'network' }],
  };
  const svg = draw(plot);
  const empty = draw({ ...plot, lanes: [{ name: 'host1', frames: [] }] });
  readable(t, svg);
  t.equal(
    count(svg, /<path /g) - count(empty, /<path /g),
    2,
    'one arrived, one lost, none outside',
  );
  t.equal(count(svg, /<circle /g) - count(empty, /<circle /g), 1);
  t.match(svg, 'cut, 0.00 ms');
});

t.test('axes', async (t) => {
  t.same(linear(0, 10, 0, 100, 5).ticks, [0, 2, 4, 6, 8, 10]);
  t.same(logarithmic(1, 100, 0, 100).ticks, [1, 2, 5, 10, 20, 50, 100]);
  t.equal(logarithmic(1, 100, 0, 100).at(10), 50);
  t.equal(roundOut(2.3, false), 2);
  t.equal(roundOut(2.3, true), 5);
  t.equal(roundOut(0.07, true), 0.1);
});
