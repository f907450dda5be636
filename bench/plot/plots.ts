// The bench's plots, as data: a scenario hands them over with its figures, they are kept with the
// raw results, and the page's SVG files are drawn from them. Pure; no dependency.
import {
  type Distribution,
  drawDistribution,
  type Series,
} from '../../lib/bench/plot-distribution.js';
import { drawTimeline } from './timeline.js';

export type { Series };

export interface DistributionPlot extends Distribution {
  kind: 'distribution';
  /** The name of the SVG file beside the page. */
  file: string;
}

export type FrameKind = 'stream' | 'heartbeat';

/** What one host sent on one LAN, frame by frame. */
export interface Lane {
  name: string;
  frames: { atMs: number; kind: FrameKind; arrived: boolean }[];
}
export interface Mark {
  atMs: number;
  name: string;
  /** Of the network, or what a host made of it. */
  by: 'network' | 'host';
}
export interface TimelinePlot {
  kind: 'timeline';
  file: string;
  title: string;
  /** Cut-outs of the same story, each with its own scale, one below the other. */
  panels: { title: string; fromMs: number; toMs: number }[];
  lanes: Lane[];
  marks: Mark[];
}

export type Plot = DistributionPlot | TimelinePlot;

/** The SVG document. */
export function draw(plot: Plot): string {
  switch (plot.kind) {
    case 'distribution':
      return drawDistribution(plot);
    case 'timeline':
      return drawTimeline(plot);
  }
}

/** What a reader who cannot see the picture is told. */
export function describePlot(plot: Plot): string {
  return plot.kind === 'distribution'
    ? `${plot.title}: distribution of ${plot.series.map((series) => series.name).join(', ')}`
    : `${plot.title}: every packet of ${plot.lanes.map((lane) => lane.name).join(', ')}`;
}
