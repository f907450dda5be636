// What a scenario of the bench is, and what it hands to the report. Pure declarations.
import type { Plot } from './plot/plots.js';
import type { Summary } from './statistics.js';

export interface Scale {
  quick: boolean;
  /**
   * `full`; `quick` with --quick; `smoke` with --smoke, which only asks whether anything is
   * measured (unless given, a tenth of `quick`).
   */
  of(full: number, quick: number, smoke?: number): number;
}

/** One line of a scenario's table; `unit` is of all figures in it. */
export interface Figure {
  name: string;
  unit: 'ms' | 'us' | 'ns' | '%' | 'MB' | 'count';
  summary: Summary | null;
  bars?: Bar[];
}

/** What issue and release ask for: `figure` at most `limit`. */
export interface Bar {
  figure: keyof Summary;
  limit: number;
}

/** A table of words, for what is no distribution. */
export interface Table {
  headings: string[];
  rows: string[][];
}

export interface ScenarioResult {
  name: string;
  title: string;
  /** How it was measured, for the reader of the page; whole sentences. */
  method: string[];
  figures: Figure[];
  table?: Table;
  /** What happened beside the figures: stalls of the machine, counts that must be zero, ... */
  notes: string[];
  plots?: Plot[];
  /** Every single measurement. */
  raw: unknown;
}

export interface Scenario {
  name: string;
  /** Whether --smoke runs it. */
  smoke?: boolean;
  run(scale: Scale): Promise<ScenarioResult>;
}
