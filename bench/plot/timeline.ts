// One failover, packet by packet: a lane for what each host sent on each LAN. A packet of the
// stream is a short stroke, a heartbeat a dot; what never arrived is red, or hollow. Vertical lines
// say what happened when.
import { type Axis, linear, tickText } from '../../lib/bench/plot-scale.js';
import { card, element, line, px, text } from '../../lib/bench/plot-svg.js';
import type { Lane, Mark, TimelinePlot } from './plots.js';

const kWidth = 1000;
const kLeft = 132;
const kRight = kWidth - 28;
const kLane = 34;
const kStroke = 9; // half the length of a packet's stroke
const kMarkRow = 17;
const kLabel = 230; // room for a mark's words

type Panel = TimelinePlot['panels'][number];

export function drawTimeline(plot: TimelinePlot): string {
  const content = [text(20, 30, plot.title, { class: 'title' }), ...legend()];
  let top = 78;
  for (const panel of plot.panels) {
    const drawn = drawPanel(plot, panel, top);
    content.push(...drawn.content);
    top = drawn.bottom;
  }
  return card(kWidth, top, plot.title, content);
}

function legend(): string[] {
  const y = 52;
  const entry = (x: number, sample: string, name: string) => [sample, text(x + 12, y + 4, name)];
  return [
    ...entry(24, strokes([24], y, 'tick s0'), 'packet of a stream'),
    ...entry(172, dot(172, y, 'f1'), 'heartbeat'),
    ...entry(272, strokes([272], y, 'tick bad'), 'packet lost'),
    ...entry(376, ring(376, y), 'heartbeat lost'),
    ...entry(506, line(506, y - 9, 506, y + 9, 'event'), 'what the network did'),
    ...entry(674, line(674, y - 9, 674, y + 9, 'host'), 'what a host’s kernel made of it'),
  ];
}

function drawPanel(plot: TimelinePlot, panel: Panel, top: number) {
  const x = linear(panel.fromMs, panel.toMs, kLeft, kRight, 12);
  const inside = ({ atMs }: { atMs: number }) => atMs >= panel.fromMs && atMs <= panel.toMs;
  const marks = plot.marks.filter(inside);
  const lanesTop = top + 26 + marks.length * kMarkRow + 10;
  const bottom = lanesTop + plot.lanes.length * kLane;
  return {
    bottom: bottom + 44,
    content: [
      text(20, top + 12, panel.title, { class: 'quiet' }),
      ...axis(x, lanesTop, bottom),
      ...plot.lanes.map((_, i) => {
        const y = lanesTop + (i + 0.5) * kLane;
        return line(kLeft, y, kRight, y, 'grid');
      }),
      ...inRows(marks, x).flatMap((mark, i) => drawMark(mark, x, top + 30 + i * kMarkRow, bottom)),
      ...plot.lanes.flatMap((lane, i) => {
        const frames = lane.frames.filter(inside);
        return drawLane({ ...lane, frames }, x, lanesTop + (i + 0.5) * kLane);
      }),
    ],
  };
}

function axis(x: Axis, top: number, bottom: number): string[] {
  return [
    ...x.ticks.flatMap((value) => [
      line(x.at(value), top, x.at(value), bottom + 4, 'grid'),
      text(x.at(value), bottom + 18, `${tickText(value)} ms`, {
        class: 'small quiet',
        'text-anchor': 'middle',
      }),
    ]),
    line(kLeft, bottom, kRight, bottom, 'axis'),
  ];
}

const toTheLeft = (mark: Mark, x: Axis): boolean => x.at(mark.atMs) > kRight - kLabel;

/**
 * Each mark has a row of its own above the lanes, in the order in which no line crosses the words
 * of another mark: a line begins at its row and goes down.
 */
function inRows(marks: Mark[], x: Axis): Mark[] {
  const sorted = [...marks].sort((a, b) => a.atMs - b.atMs);
  return [
    ...sorted.filter((mark) => !toTheLeft(mark, x)),
    ...sorted.filter((mark) => toTheLeft(mark, x)).reverse(),
  ];
}

function drawMark(mark: Mark, x: Axis, y: number, bottom: number): string[] {
  const at = x.at(mark.atMs);
  const left = toTheLeft(mark, x);
  const network = mark.by === 'network';
  return [
    line(at, y - 9, at, bottom, network ? 'event' : 'host'),
    text(left ? at - 6 : at + 6, y, `${mark.name}, ${mark.atMs.toFixed(2)} ms`, {
      class: network ? 'small strong' : 'small',
      'text-anchor': left ? 'end' : 'start',
    }),
  ];
}

function drawLane({ name, frames }: Lane, x: Axis, y: number): string[] {
  const at = (kind: string, arrived: boolean) =>
    frames
      .filter((frame) => frame.kind === kind && frame.arrived === arrived)
      .map((frame) => x.at(frame.atMs));
  return [
    text(20, y + 4, name),
    strokes(at('stream', true), y, 'tick s0'),
    strokes(at('stream', false), y, 'tick bad'),
    ...at('heartbeat', true).map((cx) => dot(cx, y, 'f1')),
    ...at('heartbeat', false).map((cx) => ring(cx, y)),
  ];
}

const strokes = (places: number[], y: number, kind: string): string =>
  places.length === 0
    ? ''
    : element('path', {
        d: places.map((at) => `M${px(at)} ${px(y - kStroke)}V${px(y + kStroke)}`).join(''),
        class: kind,
      });

const dot = (cx: number, cy: number, kind: string): string =>
  element('circle', { cx, cy, r: 4, class: kind });

/** Hollow: the ground shows through. */
const ring = (cx: number, cy: number): string =>
  element('circle', { cx, cy, r: 4, class: 'card bad', 'stroke-width': 1.6 });
